// SPDX-License-Identifier: Apache-2.0
// allow, deny: who may pass, and for what, when: by address, country, provider, method, path,
// header fields and time. A request is meant when it meets all kinds of conditions that are there.
#include "base/mem.h"
#include "codec/ip_set.h"
#include "filter/access_conf.h"
#include "filter/common.h"
#include "filter/geo.h"
#include "filter/lax_path.h"
#include "filter/week.h"
#include "http/regex.h"
#include "rt/clock.h"

#define UNKNOWN STR("unknown") // a country

struct field_pattern {
    struct str name;
    struct regex *re; // owns what isn't in the arena
};

struct access_filter {
    struct filter_base base;
    const struct access_conf *conf; // borrows: the snapshot's
    const struct geo *geo;          // the same
    bool passes_meant;              // allow; deny refuses them
    bool has_addresses;
    struct ip_set addresses;
    uint32_t *asns; // in the arena
    struct field_pattern *fields;
    size_t n_fields;
    struct week_window *times;
};

// --- serving ---

static bool is_one_of(struct str s, const struct conf_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++) {
        if (str_ieq(texts->items[i].text, s))
            return true;
    }
    return false;
}

static bool is_in_country(const struct access_filter *f, const struct exchange *x)
{
    struct str country = geo_country(f->geo, &x->client);
    return is_one_of(country.len > 0 ? country : UNKNOWN, &f->conf->countries);
}

static bool is_in_system(const struct access_filter *f, const struct exchange *x)
{
    uint32_t asn = geo_asn(f->geo, &x->client);
    for (size_t i = 0; i < f->conf->asns.n; i++) {
        if (asn != 0 && f->asns[i] == asn)
            return true;
    }
    return false;
}

// Whole segments: /admin is /admin and what is below it.
static bool is_below(struct str path, const struct conf_texts *paths)
{
    for (size_t i = 0; i < paths->n; i++) {
        struct str prefix = paths->items[i].text;
        if (str_ends(prefix, STR("/")))
            prefix.len--;
        if (str_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/'))
            return true;
    }
    return false;
}

// As it stands, and as a server may read it: whatever keeps more out.
static bool has_path(const struct access_filter *f, const struct exchange *x)
{
    const struct conf_texts *paths = &f->conf->paths;
    bool is_strictly = is_below(x->req.path, paths);
    if (is_strictly != f->passes_meant)
        return is_strictly;
    struct str path = lax_path(x->req.path, x->mem);
    return path.ptr ? is_below(path, paths) : !f->passes_meant;
}

// Who is refused for a field is so in the spelling that many servers can't tell from it.
static bool is_named(const struct access_filter *f, struct str name, struct str wanted)
{
    return f->passes_meant ? str_ieq(name, wanted) : field_is_twin(name, wanted);
}

// Each pattern fits a field of its name. One that gives up counts so that nobody passes by it.
static bool has_fields(const struct access_filter *f, const struct exchange *x)
{
    for (size_t i = 0; i < f->n_fields; i++) {
        const struct headers *h = &x->req.headers;
        bool fits = false;
        for (const struct field *at = headers_next(h, NULL); at && !fits;
             at = headers_next(h, at)) {
            if (!is_named(f, at->name, f->fields[i].name))
                continue;
            enum regex_result result = regex_match(f->fields[i].re, at->value);
            fits = result == REGEX_YES || (result == REGEX_BROKEN && !f->passes_meant);
        }
        if (!fits)
            return false;
    }
    return true;
}

static bool is_time(const struct access_filter *f)
{
    int64_t now_s = clock_wall_s();
    if (f->conf->time_zone == ACCESS_ZONE_LOCAL)
        now_s += clock_local_offset_s();
    for (size_t i = 0; i < f->conf->times.n; i++) {
        if (week_contains(&f->times[i], now_s))
            return true;
    }
    return false;
}

// The first condition that the request doesn't meet; NULL: it meets all.
static const char *missing(const struct access_filter *f, const struct exchange *x)
{
    const struct access_conf *c = f->conf;
    if (f->has_addresses && !ip_set_contains(&f->addresses, &x->client))
        return "address";
    if (c->countries.n > 0 && !is_in_country(f, x))
        return "country";
    if (c->asns.n > 0 && !is_in_system(f, x))
        return "autonomous system";
    if (c->methods.n > 0 && !is_one_of(x->req.method, &c->methods))
        return "method";
    if (c->paths.n > 0 && !has_path(f, x))
        return "path";
    if (f->n_fields > 0 && !has_fields(f, x))
        return "header";
    if (c->times.n > 0 && !is_time(f))
        return "time";
    return NULL;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct access_filter *f = (const struct access_filter *)(const void *)h;
    const char *other = missing(f, x);
    if ((other == NULL) == f->passes_meant) {
        filter_note(h, x, "passed", STR_NONE);
        return handler_serve(h->next, x);
    }
    struct str why = other ? arena_printf(x->mem, "the %s isn't on the list", other)
                           : STR("the request is on the list");
    if (!why.ptr)
        return filter_exhausted(x);
    filter_note(h, x, "denied", why);
    exchange_note_offence(x, EXCHANGE_OFFENCE_DENIED);
    exchange_fail(x, f->conf->status, EXCHANGE_END_FILTERED, STR_FMT ": " STR_FMT,
                  STR_ARG(f->base.who), STR_ARG(why));
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct access_filter *f = (const struct access_filter *)(const void *)h;
    const char *other = missing(f, x);
    if ((other == NULL) == f->passes_meant)
        return STR("lets this request pass");
    return arena_printf(x->mem, "answers this request %u%s%s%s", f->conf->status,
                        other ? ": its " : "", other ? other : "", other ? " isn't listed" : "");
}

static void fini(struct handler *h)
{
    struct access_filter *f = (struct access_filter *)(void *)h;
    for (size_t i = 0; i < f->n_fields; i++)
        regex_fini(f->fields[i].re);
}

static const struct handler_type allow_type = {
    .name = "allow", .serve = serve, .explain = explain, .fini = fini};
static const struct handler_type deny_type = {
    .name = "deny", .serve = serve, .explain = explain, .fini = fini};

// --- building ---

// What the settings name, and what the files have.
static enum err collect(const struct access_conf *c, const struct filter_env *env,
                        struct arena *scratch, struct ip_list *list)
{
    enum err result = ERR_OK;
    *list =
        (struct ip_list){.nets = c->addresses.items, .n = c->addresses.n, .cap = c->addresses.n};
    for (size_t i = 0; i < c->files.n; i++) {
        const struct access_file_conf *one = c->files.items[i];
        unsigned line;
        const char *why;
        enum err err = ip_list_parse(one->file.content, scratch, list, &line, &why);
        if (err == ERR_LIMIT)
            return err;
        if (err != ERR_OK)
            result = diag_fail(env->diags, err, one->file.place, STR_FMT ":%u: the line %s",
                               STR_ARG(one->file.path), line, why);
    }
    return result;
}

static enum err build_addresses(struct access_filter *f, const struct filter_env *env)
{
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX, NULL, 0); // as large as the files, which have been read
    struct ip_list list;
    enum err err = collect(f->conf, env, &scratch, &list);
    if (err == ERR_OK)
        err = ip_set_build(list.nets, list.n, env->mem, &f->addresses);
    arena_fini(&scratch);
    f->has_addresses = f->conf->addresses.is_set || f->conf->files.n > 0;
    return err;
}

static enum err build_fields(struct access_filter *f, const struct filter_env *env)
{
    const struct conf_map *map = &f->conf->headers;
    f->fields = ARENA_ARRAY(env->mem, struct field_pattern, map->n + 1);
    if (!f->fields)
        return ERR_LIMIT;
    for (size_t i = 0; i < map->n; i++) {
        const struct access_field_conf *c = map->items[i].value;
        char why[REGEX_WHY_BYTES];
        size_t at;
        struct regex *re = regex_compile(c->pattern.text, 0, env->mem, &at, why);
        if (!re)
            return diag_fail(env->diags, ERR_SYNTAX, c->pattern.place,
                             "'" STR_FMT "' is no regular expression: %s", STR_ARG(c->pattern.text),
                             why);
        f->fields[f->n_fields++] = (struct field_pattern){map->items[i].name, re};
    }
    return ERR_OK;
}

static enum err build_lists(struct access_filter *f, const struct filter_env *env)
{
    const struct access_conf *c = f->conf;
    enum err result = ERR_OK;
    f->asns = ARENA_ARRAY(env->mem, uint32_t, c->asns.n + 1);
    f->times = ARENA_ARRAY(env->mem, struct week_window, c->times.n + 1);
    if (!f->asns || !f->times)
        return ERR_LIMIT;
    for (size_t i = 0; i < c->asns.n; i++) {
        if (!access_asn_parse(c->asns.items[i].text, &f->asns[i]))
            result = diag_fail(env->diags, ERR_SYNTAX, c->asns.items[i].place,
                               "'" STR_FMT "' is no autonomous system: write its number, as 64496 "
                               "or AS64496",
                               STR_ARG(c->asns.items[i].text));
    }
    for (size_t i = 0; i < c->times.n; i++) {
        if (week_parse(c->times.items[i].text, &f->times[i]) != ERR_OK)
            result = diag_fail(env->diags, ERR_SYNTAX, c->times.items[i].place,
                               "'" STR_FMT "' is no window of time: write " WEEK_FORMAT,
                               STR_ARG(c->times.items[i].text));
    }
    return result;
}

// Without its database a condition would be met by nobody, or by everybody.
static enum err check_geo(struct access_filter *f, const struct filter_env *env)
{
    static const struct geo none;
    const struct access_conf *c = f->conf;
    f->geo = env->geo ? env->geo : &none;
    if (c->countries.n > 0 && !f->geo->has_country)
        return diag_fail(env->diags, ERR_NOT_FOUND, c->countries.items[0].place,
                         "countries need a database: name it in `geo: { country: FILE }`");
    if (c->asns.n > 0 && !f->geo->has_asn)
        return diag_fail(env->diags, ERR_NOT_FOUND, c->asns.items[0].place,
                         "autonomous systems need a database: name it in `geo: { asn: FILE }`");
    return ERR_OK;
}

static struct handler *build(struct str name, const struct access_conf *c, bool passes_meant,
                             const struct handler *next, const struct filter_env *env)
{
    struct access_filter *f =
        filter_new(env, sizeof *f, passes_meant ? &allow_type : &deny_type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->passes_meant = passes_meant;
    const enum err errs[] = {build_addresses(f, env), build_lists(f, env), check_geo(f, env),
                             build_fields(f, env)};
    enum err err = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(errs); i++)
        err = errs[i] != ERR_OK ? errs[i] : err;
    if (err == ERR_OK)
        return &f->base.handler;
    fini(&f->base.handler);
    return err == ERR_LIMIT ? filter_no_memory(env) : NULL;
}

static struct handler *build_allow(struct str name, const void *settings,
                                   const struct handler *next, const struct filter_env *env)
{
    return build(name, settings, true, next, env);
}

static struct handler *build_deny(struct str name, const void *settings, const struct handler *next,
                                  const struct filter_env *env)
{
    return build(name, settings, false, next, env);
}

const struct filter_type filter_allow = {
    .choice = {.key = "allow", .section = &access_allow_section},
    .build = build_allow,
    .asks_who = true,
};

const struct filter_type filter_deny = {
    .choice = {.key = "deny", .section = &access_deny_section},
    .build = build_deny,
};
