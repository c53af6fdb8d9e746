// SPDX-License-Identifier: Apache-2.0
// Actions that change requests or answers, and the filters of a whole proxy.
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "dialect/haproxy_rules.h"
#include "filter/common.h"

#define ERROR_FILE_MAX_BYTES ((size_t)64 << 10)

typedef bool action_fn(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response);

static void wait_for_filter(struct haproxy_run *r, struct haproxy_state *s,
                            struct haproxy_change change)
{
    struct haproxy_change *own = ARENA_NEW(&r->h->d->mem, struct haproxy_change);
    if (!own) {
        r->h->d->is_full = true;
        return;
    }
    // Filters remove, then set, then add: what else comes twice needs another one.
    for (const struct haproxy_change *c = s->changes; c; c = c->before)
        if (c->is_response == change.is_response && str_ieq(c->name, change.name)) {
            haproxy_state_flush(r, s);
            break;
        }
    *own = change;
    own->before = s->changes;
    s->changes = own;
    struct haproxy_names *name =
        change.is_response ? NULL : ARENA_NEW(&r->h->d->mem, struct haproxy_names);
    if (name) {
        *name = (struct haproxy_names){.before = s->fields, .name = change.name};
        s->fields = name;
    } else {
        r->h->d->is_full |= !change.is_response;
    }
}

static void put_change(struct haproxy_run *r, struct conf_node *headers,
                       const struct haproxy_change *c)
{
    struct draft *d = r->h->d;
    if (!c)
        return;
    put_change(r, headers, c->before);
    struct conf_node *side =
        draft_map(d, headers, c->is_response ? STR("response") : STR("request"), c->place);
    if (c->how == 'd')
        draft_push(d, draft_list(d, side, STR("remove"), c->place), c->name, c->place);
    else
        draft_set(d, draft_map(d, side, c->how == 's' ? STR("set") : STR("add"), c->place), c->name,
                  c->value, c->place);
}

void haproxy_state_flush(struct haproxy_run *r, struct haproxy_state *s)
{
    struct text key = {.len = 0};
    struct place place = {.line = 0};
    if (!s->changes)
        return;
    text_put(&key, STR("headers"));
    for (const struct haproxy_change *c = s->changes; c; c = c->before) {
        text_printf(&key, "\n%d%c" STR_FMT ": " STR_FMT, c->is_response, c->how, STR_ARG(c->name),
                    STR_ARG(c->value));
        place = c->place;
    }
    struct conf_node *map;
    struct str own_key = draft_text(r->h->d, text_str(&key));
    text_fini(&key);
    struct str wanted = draft_printf(r->h->d, STR_FMT "-headers", STR_ARG(r->proxy->s->name));
    struct str name = haproxy_filter(r->h, own_key, wanted, place, &map);
    if (map)
        put_change(r, draft_map(r->h->d, map, STR("headers"), place), s->changes);
    haproxy_state_use(r, s, name, false);
    s->changes = NULL;
}

// --- header fields ---

// Fields of which servers are told in any case, and what HAProxy says for the same.
static bool is_told(struct haproxy_run *r, struct str name, struct str value)
{
    static const struct {
        const char *name, *value;
    } told[] = {
        {"X-Forwarded-For", "%[src]"},
        {"X-Forwarded-For", "%ci"},
        {"X-Real-IP", "%[src]"},
        {"X-Real-IP", "%ci"},
        {"X-Forwarded-Host", "%[req.hdr(host)]"},
        {"X-Forwarded-Host", "%[hdr(host)]"},
        {"X-Forwarded-Port", "%[dst_port]"},
        {"X-Forwarded-Port", "%fp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        if (str_ieq(name, str_of(told[i].name)) && str_ieq(value, str_of(told[i].value)))
            return true;
    if (!str_ieq(name, STR("X-Forwarded-Proto")))
        return false;
    r->used_bind = true;
    return str_eq(value, r->bind->has_tls ? STR("https") : STR("http"));
}

// What can stand in Host, and isn't a word of the setting's own.
static bool is_authority(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_ALPHA | ASCII_DIGIT) && !strchr(".-_:[]", s.ptr[i]))
            return false;
    return s.len > 0 && !str_eq(s, STR("keep")) && !str_eq(s, STR("server"));
}

static bool is_host(struct str name)
{
    return str_ieq(name, STR("host"));
}

// What servers get as Host is a setting of their service.
static bool set_host(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                     struct str value)
{
    struct str constant;
    for (const char *const *own = (const char *const[]){"%[req.hdr(host)]", "%[hdr(host)]",
                                                        "%[req.hdr(Host)]", "%[hdr(Host)]", NULL};
         *own; own++) {
        if (!str_eq(value, str_of(*own)))
            continue;
        haproxy_note(r->h, l, DRAFT_NEEDLESS, "servers get the client's Host in any case");
        return false;
    }
    if (!haproxy_constant(r, value, &constant) || !is_authority(constant)) {
        haproxy_note(r->h, l, DRAFT_LOST,
                     "'host' of a service says what servers get as Host: a name, the same for all "
                     "requests");
        return false;
    }
    s->host = constant;
    s->host_place = l->place;
    s->changed |= HAPROXY_CHANGED_HOST;
    return true;
}

static bool set_field(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                      struct str value, bool is_response)
{
    struct str name = haproxy_word(l, 2), constant;
    char how = str_starts(haproxy_word(l, 1), STR("add")) ? 'a' : 's';
    enum filter_side side = is_response ? FILTER_RESPONSE : FILTER_REQUEST;
    const char *fault = filter_field_fault(name, side);
    if (!is_response && is_host(name) && how == 's')
        return set_host(r, s, l, value);
    if (fault) {
        haproxy_note(r->h, l, DRAFT_LOST, "the field %s", fault);
        return false;
    }
    if (!is_response && is_told(r, name, value)) {
        haproxy_note(r->h, l, DRAFT_NEEDLESS, "servers are told so in any case");
        return false;
    }
    if (haproxy_constant(r, value, &constant) && !filter_value_fault(constant)) {
        wait_for_filter(r, s,
                        (struct haproxy_change){.is_response = is_response,
                                                .how = how,
                                                .name = name,
                                                .value = constant,
                                                .place = l->place});
        return true;
    }
    if (is_response || how == 'a') {
        haproxy_note(r->h, l, DRAFT_LOST, "fields get the same value for all requests here");
        return false;
    }
    // A client's own must not take its place.
    haproxy_note(r->h, l, DRAFT_CLOSED,
                 "fields get the same value for all requests here; what clients send in it is "
                 "removed");
    wait_for_filter(r, s, (struct haproxy_change){.how = 'd', .name = name, .place = l->place});
    return true;
}

static bool set_header(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response)
{
    return set_field(r, s, l, haproxy_word(l, 3), is_response);
}

static bool fits_all(struct str expression)
{
    static const char *const all[] = {".*", "^.*$", "(.*)", "^(.*)$", ".+", "^.+$", "(.+)"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (str_eq(expression, str_of(all[i])))
            return true;
    return false;
}

// Attributes that are put behind each cookie: "\1; Secure; SameSite=Lax".
static bool put_attributes(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l)
{
    static const struct {
        const char *attribute, *key, *value;
    } attributes[] = {
        {"secure", "secure", "always"},         {"httponly", "http-only", "yes"},
        {"samesite=lax", "same-site", "Lax"},   {"samesite=strict", "same-site", "Strict"},
        {"samesite=none", "same-site", "None"},
    };
    struct str rest = haproxy_word(l, 4), item;
    const char *values[ARRAY_LEN(attributes)] = {NULL};
    // "(?!" is for those that have it already.
    bool is_for_all =
        fits_all(haproxy_word(l, 3)) || str_search(haproxy_word(l, 3), STR("(?!")) != STR_NPOS;
    if (!is_for_all || !str_ieq(haproxy_word(l, 2), STR("set-cookie")) ||
        !str_starts(rest, STR("\\1;")))
        return false;
    rest = str_skip(rest, 3);
    while (str_next_item(&rest, ';', &item)) {
        size_t i = 0;
        while (i < ARRAY_LEN(attributes) && !str_ieq(item, str_of(attributes[i].attribute)))
            i++;
        if (i == ARRAY_LEN(attributes))
            return false;
        values[i] = attributes[i].value;
    }
    struct conf_node *map;
    struct str name = haproxy_filter(r->h, draft_printf(r->h->d, "cookies %u", l->place.line),
                                     STR("cookies"), l->place, &map);
    struct conf_node *cookies = map ? draft_map(r->h->d, map, STR("cookies"), l->place) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(attributes) && cookies; i++)
        if (values[i])
            draft_set(r->h->d, cookies, str_of(attributes[i].key), str_of(values[i]), l->place);
    haproxy_state_use(r, s, name, false);
    return true;
}

const struct haproxy_expr *haproxy_replaces(struct haproxy_asked *asked, struct haproxy_line *l)
{
    struct str fetch = draft_printf(asked->d, "req.fhdr(" STR_FMT ")", STR_ARG(haproxy_word(l, 2)));
    struct str words[] = {fetch, STR("-m"), STR("reg"), haproxy_word(l, 3)};
    bool has_groups = str_find(haproxy_word(l, 4), '\\') != STR_NPOS;
    if (is_host(haproxy_word(l, 2)) && fits_all(haproxy_word(l, 3)))
        return &haproxy_true;
    bool is_response = str_eq(l->words[0], STR("http-response"));
    return is_response || has_groups ? &haproxy_true : haproxy_ask(asked, words, 4);
}

// All of the field is replaced where the expression fits.
static bool replace_header(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                           bool is_response)
{
    if (is_response && put_attributes(r, s, l))
        return true;
    if (!is_response && str_find(haproxy_word(l, 4), '\\') == STR_NPOS)
        return set_field(r, s, l, haproxy_word(l, 4), false);
    haproxy_note(r->h, l, DRAFT_LOST,
                 is_response ? "fields of answers are set or removed, whatever is in them; "
                               "'cookies' changes those in Set-Cookie, 'strip' corrects Location"
                             : "parts of a field can't be kept; 'headers' sets it as a whole, and "
                               "'host' of a service what servers get as Host");
    return false;
}

static bool del_header(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response)
{
    struct str name = haproxy_word(l, 2);
    const char *fault = filter_field_fault(name, is_response ? FILTER_RESPONSE : FILTER_REQUEST);
    bool is_exact =
        !str_eq(haproxy_word(l, 3), STR("-m")) || str_eq(haproxy_word(l, 4), STR("str"));
    if (fault || !is_exact) {
        haproxy_note(r->h, l, DRAFT_LOST, "the field %s",
                     fault ? fault : "has to be named: fields aren't removed by expressions");
        return false;
    }
    wait_for_filter(r, s,
                    (struct haproxy_change){
                        .is_response = is_response, .how = 'd', .name = name, .place = l->place});
    return true;
}

// --- paths ---

// "\1" of HAProxy's as "$1", and "$" as "$$". False: it has something else.
static bool expansion(struct haproxy_run *r, struct str format, struct str *ret)
{
    struct text t = {.len = 0};
    bool is_good = true;
    for (size_t i = 0; i < format.len && is_good; i++) {
        char c = format.ptr[i];
        bool is_group = c == '\\' && i + 1 < format.len && ascii_is(format.ptr[i + 1], ASCII_DIGIT);
        if (is_group)
            text_printf(&t, "${%c}", format.ptr[++i]);
        else if (c == '$')
            text_put(&t, STR("$$"));
        else if (c == '%' && i + 1 < format.len && format.ptr[i + 1] == '%')
            i++, text_byte(&t, '%');
        else if (c == '%' && str_starts(str_skip(format, i), STR("%[path]")))
            text_put(&t, STR("${1}")), i += strlen("%[path]") - 1;
        else
            is_good = c != '%' && c != '\\' && ascii_is(c, ASCII_TARGET);
        if (is_good && c != '\\' && c != '$' && c != '%')
            text_byte(&t, c);
    }
    *ret = draft_text(r->h->d, text_str(&t));
    text_fini(&t);
    return is_good && ret->len > 0;
}

static bool is_expression(struct str re)
{
    struct arena mem;
    char why[REGEX_WHY_BYTES];
    size_t at;
    arena_init(&mem, (size_t)1 << 20, NULL, 0);
    struct regex *regex = regex_compile(re, 0, &mem, &at, why);
    bool is_good = regex != NULL;
    regex_fini(regex);
    arena_fini(&mem);
    return is_good;
}

static bool change_path(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                        bool is_response)
{
    struct str what = haproxy_word(l, 1), from, to;
    bool is_set = str_starts(what, STR("set-"));
    bool is_path = str_ends(what, STR("-path"));
    unsigned changed = HAPROXY_CHANGED_PATH | (is_path ? 0 : HAPROXY_CHANGED_QUERY);
    if (is_response)
        return false;
    // The whole path is replaced by what comes of the groups.
    from = is_set ? STR("^(.*)$")
                  : draft_printf(r->h->d, "^.*?(?:" STR_FMT ").*$", STR_ARG(haproxy_word(l, 2)));
    if (!is_set && str_starts(haproxy_word(l, 2), STR("^")) &&
        str_ends(haproxy_word(l, 2), STR("$")))
        from = haproxy_word(l, 2);
    bool is_good = expansion(r, haproxy_word(l, is_set ? 2 : 3), &to) && str_starts(to, STR("/"));
    // "\1" may begin the path itself.
    if (!is_good && !is_set && str_starts(to, STR("${1}")))
        is_good = true;
    if (!is_good || !is_expression(from) || (is_set && !is_path)) {
        haproxy_note(r->h, l, DRAFT_LOST,
                     "a path like that can't be made; the filters 'rewrite', 'replace-path', "
                     "'strip-prefix' and 'add-prefix' change paths");
        return false;
    }
    haproxy_state_flush(r, s);
    struct conf_node *map;
    struct str key = draft_printf(r->h->d, "rewrite %u", l->place.line);
    struct str name = haproxy_filter(
        r->h, key, draft_printf(r->h->d, STR_FMT "-path", STR_ARG(r->proxy->s->name)), l->place,
        &map);
    if (map) {
        struct conf_node *rewrite = draft_map(r->h->d, map, STR("rewrite"), l->place);
        draft_set(r->h->d, rewrite, STR("from"), from, l->place);
        draft_set(r->h->d, rewrite, STR("to"), to, l->place);
        if (!is_path)
            draft_set(r->h->d, rewrite, STR("with-query"), STR("yes"), l->place);
    }
    haproxy_state_use(r, s, name, false);
    s->changed |= changed;
    return true;
}

// --- others ---

static bool needless(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                     bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_NEEDLESS, "nothing here needs it");
    return false;
}

static bool normal(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                   bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_NEEDLESS, "paths are always canonical here; see 'path-policy'");
    return false;
}

// Counting does nothing by itself.
static bool track(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                  bool is_response)
{
    (void)r, (void)s, (void)is_response;
    l->is_done = true;
    return false;
}

static bool log_field(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                      bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_LOST,
                 "'{header:NAME}' in the format of 'access-log' writes a field");
    return false;
}

static bool set_source(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_LOST,
                 "'trusted-proxies' of the entrypoint says whose X-Forwarded-For is believed");
    return false;
}

// HTTP by itself knows nothing of a variable: those who ask for it find out.
static const struct {
    const char *name;
    action_fn *act;
} actions[] = {
    {"replace-header", replace_header},
    {"set-header", set_header},
    {"add-header", set_header},
    {"del-header", del_header},
    {"set-path", change_path},
    {"replace-path", change_path},
    {"replace-uri", change_path},
    {"replace-pathq", change_path},
    {"normalize-uri", normal},
    {"set-var", needless},
    {"set-var-fmt", needless},
    {"unset-var", needless},
    {"set-log-level", needless},
    {"set-nice", needless},
    {"set-mark", needless},
    {"set-tos", needless},
    {"strict-mode", needless},
    {"disable-l7-retry", needless},
    {"wait-for-body", needless},
    {"wait-for-handshake", needless},
    {"capture", log_field},
    {"set-src", set_source},
};

bool haproxy_change(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                    bool is_response)
{
    struct str name = haproxy_word(l, 1);
    if (str_starts(name, STR("track-sc")))
        return track(r, s, l, is_response);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (str_eq(name, str_of(actions[i].name)))
            return actions[i].act(r, s, l, is_response);
    haproxy_note(r->h, l, DRAFT_LOST, "there is no such action here");
    return false;
}

// --- filters of a proxy ---

static void put_compression(struct haproxy_run *r, struct haproxy_state *s)
{
    struct haproxy_line *algo = haproxy_last(r->proxy->s, "compression", "algo");
    struct haproxy_line *types = haproxy_last(r->proxy->s, "compression", "type");
    struct haproxy_line *offload = haproxy_last(r->proxy->s, "compression", "offload");
    struct conf_node *map;
    if (!algo)
        return;
    struct str key = draft_printf(r->h->d, "compress %u %u %u", algo->place.line,
                                  types ? types->place.line : 0, offload ? 1u : 0u);
    struct str name = haproxy_filter(r->h, key, STR("compress"), algo->place, &map);
    if (map) {
        struct draft *d = r->h->d;
        struct conf_node *compress = draft_map(d, map, STR("compress"), algo->place);
        draft_push(d, draft_list(d, compress, STR("codings"), algo->place), STR("gzip"),
                   algo->place);
        for (unsigned i = 2; types && i < types->n; i++)
            if (str_find(types->words[i], '/') != STR_NPOS)
                draft_push(d, draft_list(d, compress, STR("types"), types->place), types->words[i],
                           types->place);
        if (offload)
            draft_set(d, compress, STR("offload"), STR("yes"), offload->place);
    }
    haproxy_state_use(r, s, name, false);
}

// The part of an answer's file behind its head.
static struct str body_of(struct str answer, struct str *ret_type)
{
    struct str line, name, value;
    *ret_type = STR_NONE;
    while (answer.len > 0) {
        str_cut(answer, '\n', &line, &answer);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            break;
        if (str_cut(line, ':', &name, &value) && str_ieq(name, STR("content-type")))
            *ret_type = str_trim(value);
    }
    return answer;
}

static void put_page(struct haproxy_run *r, struct haproxy_line *l, struct conf_node *pages)
{
    struct str text, type;
    const char *why = "it is larger than 64 KiB, or isn't UTF-8";
    uint64_t status;
    struct draft *d = r->h->d;
    const struct conf_resolver *files = r->h->in->files;
    l->is_done = true;
    bool is_read = files->read_file &&
                   files->read_file(files->arg, haproxy_word(l, 2), &d->mem, &text, &why) &&
                   text.len <= ERROR_FILE_MAX_BYTES && utf8_is_valid(text);
    if (!is_read || num_dec(haproxy_word(l, 1), 599, &status) != ERR_OK || status < 400) {
        haproxy_note(r->h, l, DRAFT_LOST, "the page: %s", is_read ? "of this status" : why);
        return;
    }
    struct conf_node *page = draft_push_map(d, pages, l->place);
    struct str body = body_of(text, &type);
    draft_set(d, page, STR("statuses"), haproxy_word(l, 1), l->place);
    if (body.len > 0)
        draft_set(d, page, STR("body"), body, l->place);
    if (body.len > 0 && type.len > 0 && !filter_value_fault(type))
        draft_set(d, page, STR("content-type"), type, l->place);
}

static size_t put_pages(struct haproxy_run *r, struct haproxy_section *at, struct conf_node *pages)
{
    size_t n = 0;
    // The proxy's own come first, since the first that has a status counts.
    for (size_t i = at->n; i > 0; i--) {
        if (!str_eq(at->lines[i - 1].words[0], STR("errorfile")))
            continue;
        n++;
        if (pages)
            put_page(r, &at->lines[i - 1], pages);
    }
    return at->defaults ? n + put_pages(r, at->defaults, pages) : n;
}

static void put_error_pages(struct haproxy_run *r, struct haproxy_state *s)
{
    struct draft *d = r->h->d;
    struct conf_node *map;
    if (put_pages(r, r->proxy->s, NULL) == 0)
        return;
    bool has_own = false;
    for (size_t i = 0; i < r->proxy->s->n; i++)
        has_own = has_own || str_eq(r->proxy->s->lines[i].words[0], STR("errorfile"));
    struct place place = has_own ? r->proxy->s->place : r->proxy->s->defaults->place;
    struct str key = draft_printf(d, "pages %u", place.line);
    struct str name = haproxy_filter(r->h, key, STR("error-pages"), place, &map);
    if (map) {
        struct conf_node *filter = draft_map(d, map, STR("error-pages"), place);
        struct conf_node *pages = draft_list(d, filter, STR("pages"), place);
        put_pages(r, r->proxy->s, pages);
        draft_set(d, filter, STR("of"), STR("proxy"), place);
        // A list without pages is none.
        if (pages->n == 0)
            draft_remove(map, STR("error-pages"));
    }
    const struct conf_node *filters = conf_node_get(d->root, STR("filters"));
    const struct conf_node *own = filters ? conf_node_get(filters, name) : NULL;
    if (own && own->n > 0)
        haproxy_state_use(r, s, name, true);
}

void haproxy_proxy_filters(struct haproxy_run *r, struct haproxy_state *s)
{
    if (r->front->is_tcp)
        return;
    put_error_pages(r, s);
    put_compression(r, s);
}
