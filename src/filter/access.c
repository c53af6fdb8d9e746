// SPDX-License-Identifier: Apache-2.0
// allow, deny: who may pass, by the client's address.
#include "codec/ip_set.h"
#include "filter/common.h"

struct list_file_conf {
    struct conf_file file;
    struct place place;
};

struct access_conf {
    struct conf_nets addresses;
    struct conf_list files; // of list_file_conf
    uint32_t status;
    struct place place;
};

struct access_filter {
    struct filter_base base;
    const struct access_conf *conf; // borrows: the snapshot's
    struct ip_set listed;
    bool passes_listed; // allow; deny refuses them
};

static const struct conf_item file_items[] = {
    ITEM_FILE(list_file_conf, file, "file", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
              .format = "a file", .example = "/etc/sallyport/office.txt",
              .doc =
                  "A text with an address or network on each line; `#` and `;` begin a comment."),
};

static const struct conf_section file_section = {
    .name = "address-file",
    .doc = "A file with addresses and networks.",
    CONF_SECTION_OF(list_file_conf, file_items),
    .shorthand = "file",
    .place_offset = CONF_PLACE_AT(list_file_conf, place),
};

static const struct conf_item items[] = {
    ITEM_NETS(access_conf, addresses, "addresses", .since = "0.1", .apply = CONF_LIVE,
              .example = "[192.0.2.0/24, 2001:db8::/32]",
              .doc = "Addresses and networks of clients."),
    ITEM_LIST(access_conf, files, "files", .section = &file_section, .since = "0.1",
              .apply = CONF_LIVE, .example = "[/etc/sallyport/office.txt]",
              .doc = "Files with more of them, one on each line. They are read with the settings."),
    ITEM_UINT(access_conf, status, "status", .def = "403", .min = "400", .max = "599",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "What those who may not pass are answered; 404 hides that there is anything."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct access_conf *c = value;
    if (c->addresses.n == 0 && c->files.n == 0)
        return diag_fail(diags, ERR_SYNTAX, c->place, "name `addresses`, `files`, or both");
    return ERR_OK;
}

static const struct conf_section allow_section = {
    .name = "allow",
    .doc = "Lets only these clients pass. A client is who the connection comes from, or whom a "
           "proxy names that the entrypoint trusts.",
    CONF_SECTION_OF(access_conf, items),
    .shorthand = "addresses",
    .place_offset = CONF_PLACE_AT(access_conf, place),
    .check = check,
};

static const struct conf_section deny_section = {
    .name = "deny",
    .doc = "Refuses these clients, and lets all others pass.",
    CONF_SECTION_OF(access_conf, items),
    .shorthand = "addresses",
    .place_offset = CONF_PLACE_AT(access_conf, place),
    .check = check,
};

static bool may_pass(const struct access_filter *f, const struct exchange *x)
{
    return ip_set_contains(&f->listed, &x->client) == f->passes_listed;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct access_filter *f = (const struct access_filter *)(const void *)h;
    if (may_pass(f, x)) {
        filter_note(h, x, "passed", STR_NONE);
        return handler_serve(h->next, x);
    }
    const char *why =
        f->passes_listed ? "the client isn't on the list" : "the client is on the list";
    filter_note(h, x, "denied", str_of(why));
    exchange_note_offence(x, EXCHANGE_OFFENCE_DENIED);
    exchange_fail(x, f->conf->status, EXCHANGE_END_FILTERED, STR_FMT ": %s", STR_ARG(f->base.who),
                  why);
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct access_filter *f = (const struct access_filter *)(const void *)h;
    if (may_pass(f, x))
        return STR("lets this client pass");
    return arena_printf(x->mem, "answers this client %u", f->conf->status);
}

static const struct handler_type allow_type = {.name = "allow", .serve = serve, .explain = explain};
static const struct handler_type deny_type = {.name = "deny", .serve = serve, .explain = explain};

// What the settings name, and what the files have.
static enum err collect(const struct access_conf *c, const struct filter_env *env,
                        struct arena *scratch, struct ip_list *list)
{
    enum err result = ERR_OK;
    *list =
        (struct ip_list){.nets = c->addresses.items, .n = c->addresses.n, .cap = c->addresses.n};
    for (size_t i = 0; i < c->files.n; i++) {
        const struct list_file_conf *one = c->files.items[i];
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

static struct handler *build(struct str name, const struct access_conf *c, bool passes_listed,
                             const struct handler *next, const struct filter_env *env)
{
    struct access_filter *f =
        filter_new(env, sizeof *f, passes_listed ? &allow_type : &deny_type, name, next);
    if (!f)
        return NULL;
    f->conf = c;
    f->passes_listed = passes_listed;
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX, NULL, 0); // as large as the files, which have been read
    struct ip_list list;
    enum err err = collect(c, env, &scratch, &list);
    if (err == ERR_OK)
        err = ip_set_build(list.nets, list.n, env->mem, &f->listed);
    arena_fini(&scratch);
    if (err == ERR_LIMIT)
        return filter_no_memory(env);
    return err == ERR_OK ? &f->base.handler : NULL;
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
    .choice = {.key = "allow", .section = &allow_section},
    .build = build_allow,
};

const struct filter_type filter_deny = {
    .choice = {.key = "deny", .section = &deny_section},
    .build = build_deny,
};
