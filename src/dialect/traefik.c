// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik.h"

#include "dialect/traefik_emit.h"

// --- what isn't about routers ---

struct file_conf {
    struct conf_text cert, key;
    struct conf_texts stores;
};

static const struct conf_item file_items[] = {
    ITEM_TEXT(file_conf, cert, "certFile", .is_required = true),
    ITEM_TEXT(file_conf, key, "keyFile", .is_required = true),
    ITEM_TEXTS(file_conf, stores, "stores"),
};

static const struct conf_section file_section = {
    .name = "certificate",
    CONF_SECTION_OF(file_conf, file_items),
};

struct default_conf {
    bool is_on;
    struct conf_text cert, key;
};

static const struct conf_item default_items[] = {
    ITEM_TEXT(default_conf, cert, "certFile", .is_required = true),
    ITEM_TEXT(default_conf, key, "keyFile", .is_required = true),
};

static const struct conf_section default_section = {
    .name = "defaultCertificate",
    CONF_SECTION_OF(default_conf, default_items),
};

struct tls_store_conf {
    struct default_conf certificate;
};

static const struct conf_item store_items[] = {
    ITEM_SWITCHED(tls_store_conf, certificate, "defaultCertificate", struct default_conf, is_on,
                  .section = &default_section, .def = "off"),
};

static const struct conf_section store_section = {
    .name = "store",
    CONF_SECTION_OF(tls_store_conf, store_items),
};

struct tls_conf_of_file {
    struct conf_list certificates; // of file_conf
    struct conf_map stores;        // of tls_store_conf
};

static const struct conf_item tls_items[] = {
    ITEM_LIST(tls_conf_of_file, certificates, "certificates", .section = &file_section),
    ITEM_MAP(tls_conf_of_file, stores, "stores", .section = &store_section),
};

static const struct conf_section tls_section = {
    .name = "tls",
    CONF_SECTION_OF(tls_conf_of_file, tls_items),
};

static const struct traefik_refusal tls_refusals[] = {
    {"store", "defaultGeneratedCert",
     "name the certificate's host in a router instead, with its certResolver"},
    {.section = NULL},
};

static void put_certificate(struct traefik_conv *c, const struct conf_text *cert,
                            const struct conf_text *key, bool is_default)
{
    struct conf_node *node = conf_node_new(c->mem, CONF_NODE_MAP, cert->place);
    if (!node)
        panic("converted settings don't fit");
    traefik_set(c, node, "cert", cert->text, cert->place);
    traefik_set(c, node, "key", key->text, key->place);
    if (is_default)
        traefik_set_bool(c, node, "default", true, cert->place);
    conf_node_append(c->ret->certificates, node);
}

static void tell_errors(struct traefik_conv *c, const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        if (diags->items[i].severity == DIAG_ERROR)
            traefik_problem(c, STR_NONE, diags->items[i].place, false,
                            arena_dup(c->mem, str_of(diags->items[i].text)));
    }
}

// Options are things: who needs them reads them.
static struct conf_node *without_options(struct traefik_conv *c, const struct conf_node *tls)
{
    struct conf_node *rest = conf_node_new(c->mem, CONF_NODE_MAP, tls->place);
    if (!rest)
        panic("converted settings don't fit");
    for (const struct conf_node *child = tls->first; child; child = child->next) {
        struct conf_node *copy = traefik_copy(child, c->mem);
        if (!copy)
            panic("converted settings don't fit");
        if (!str_ieq(child->key, STR("options")))
            conf_node_append(rest, copy);
    }
    return rest;
}

static void convert_tls(struct traefik_conv *c, const struct traefik_source *source)
{
    struct conf_node *node = traefik_get(source->root, STR("tls"));
    struct diags diags = {.n = 0};
    bool is_fine;
    if (!node || node->kind != CONF_NODE_MAP)
        return;
    if (source->is_foreign) {
        traefik_problem(c, STR_NONE, node->place, false,
                        STR("certificates and options of TLS aren't for labels"));
        return;
    }
    c->source = source;
    c->diags = &diags;
    const struct tls_conf_of_file *t =
        traefik_read_all(c, &tls_section, tls_refusals, without_options(c, node), &is_fine);
    for (size_t i = 0; i < t->certificates.n; i++) {
        const struct file_conf *f = t->certificates.items[i];
        if (f->cert.text.len > 0 && f->key.text.len > 0)
            put_certificate(c, &f->cert, &f->key, false);
    }
    for (size_t i = 0; i < t->stores.n; i++) {
        const struct tls_store_conf *s = t->stores.items[i].value;
        if (s->certificate.is_on && s->certificate.key.text.len > 0)
            put_certificate(c, &s->certificate.cert, &s->certificate.key, true);
    }
    tell_errors(c, &diags);
    c->diags = NULL;
    diags_fini(&diags);
}

// --- the whole ---

// Which names there are below "http", "tcp" and so on.
static void check_names(struct traefik_conv *c, const struct conf_node *map, const char *path,
                        const char *const *names)
{
    for (const struct conf_node *node = map ? map->first : NULL; node; node = node->next) {
        size_t i = 0;
        while (names[i] && !str_ieq(node->key, str_of(names[i])))
            i++;
        if (names[i])
            continue;
        const char *near = conf_suggest(node->key, names);
        traefik_problem(c, STR_NONE, node->key_place, false,
                        arena_printf(c->mem, "there is no '%s" STR_FMT "'%s%s%s", path,
                                     STR_ARG(str_first(node->key, 100)),
                                     near ? ": did you mean '" : "", near ? near : "",
                                     near ? "'?" : ""));
    }
}

static void check_source(struct traefik_conv *c, const struct traefik_source *s)
{
    static const char *const top[] = {"http", "tcp", "udp", "tls", NULL};
    static const char *const http[] = {"routers", "services", "middlewares", "serversTransports",
                                       NULL};
    static const char *const tcp[] = {"routers", "services", "middlewares", "serversTransports",
                                      NULL};
    check_names(c, s->root, "", top);
    check_names(c, traefik_get(s->root, STR("http")), "http.", http);
    check_names(c, traefik_get(s->root, STR("tcp")), "tcp.", tcp);
    const struct conf_node *udp = traefik_get(traefik_get(s->root, STR("udp")), STR("routers"));
    for (const struct conf_node *node = udp ? udp->first : NULL; node; node = node->next)
        traefik_problem(c, arena_concat(c->mem, node->key, STR("@"), s->provider), node->key_place,
                        true, STR("UDP isn't served"));
}

static void collect(struct traefik_conv *c, const struct traefik_source *s)
{
    traefik_collect(c, s, "http", "middlewares", &c->middlewares);
    traefik_collect(c, s, "http", "services", &c->services);
    traefik_collect(c, s, "http", "serversTransports", &c->transports);
    traefik_collect(c, s, "tcp", "middlewares", &c->tcp_middlewares);
    traefik_collect(c, s, "tcp", "services", &c->tcp_services);
    traefik_collect(c, s, "tls", "options", &c->options);
}

static void note_entries(struct traefik_conv *c, const struct conf_node *entries)
{
    for (size_t i = 0; i < c->scope->n_entries; i++) {
        const struct str *name = &c->scope->entries[i].name;
        struct str rest = entries->text, item;
        while (str_next_item(&rest, ',', &item)) {
            if (str_ieq(item, *name))
                map_set(&c->http_entries, *name, c);
        }
        for (const struct conf_node *e = entries->first; e; e = e->next) {
            if (str_ieq(e->text, *name))
                map_set(&c->http_entries, *name, c);
        }
    }
}

// Entrypoints that HTTP routers name aren't to be had by TCP routers.
static void note_http_entries(struct traefik_conv *c, const struct traefik_source *s)
{
    const struct conf_node *routers =
        traefik_get(traefik_get(s->root, STR("http")), STR("routers"));
    if (!routers || routers->kind != CONF_NODE_MAP)
        return;
    for (const struct conf_node *node = routers->first; node; node = node->next) {
        const struct conf_node *entries = traefik_get(node, STR("entryPoints"));
        if (entries)
            note_entries(c, entries);
    }
}

static void fini(struct traefik_conv *c)
{
    struct map *maps[] = {&c->middlewares,  &c->tcp_middlewares, &c->services,
                          &c->tcp_services, &c->transports,      &c->tcp_transports,
                          &c->options,      &c->out_filters,     &c->out_services,
                          &c->used_filters, &c->used_services,   &c->issuers,
                          &c->http_entries, &c->routers,         &c->named_options};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        map_fini(maps[i]);
}

void traefik_convert(const struct traefik_scope *scope, const struct traefik_source *sources,
                     size_t n, struct arena *mem, struct traefik_settings *ret)
{
    struct traefik_conv c = {.mem = mem, .scope = scope, .ret = ret};
    const struct place none = {.source = "traefik"};
    *ret = (struct traefik_settings){
        .routes = conf_node_new(mem, CONF_NODE_SEQ, none),
        .services = conf_node_new(mem, CONF_NODE_MAP, none),
        .filters = conf_node_new(mem, CONF_NODE_MAP, none),
        .certificates = conf_node_new(mem, CONF_NODE_SEQ, none),
    };
    if (!ret->routes || !ret->services || !ret->filters || !ret->certificates)
        panic("converted settings don't fit");
    for (size_t i = 0; i < n; i++) {
        check_source(&c, &sources[i]);
        collect(&c, &sources[i]);
        note_http_entries(&c, &sources[i]);
        convert_tls(&c, &sources[i]);
    }
    traefik_default_options(&c);
    for (size_t i = 0; i < n; i++)
        traefik_tcp_routers(&c, &sources[i]);
    for (size_t i = 0; i < n; i++)
        traefik_routers(&c, &sources[i]);
    fini(&c);
}

// --- joining ---

static void move(struct conf_node *from, struct conf_node *root, const char *key, struct arena *mem)
{
    struct conf_node *to = conf_node_get(root, str_of(key));
    if (from->n == 0)
        return;
    if (!to || to->kind == CONF_NODE_NULL) {
        to = conf_node_new(mem, from->kind, from->place);
        if (!to)
            panic("converted settings don't fit");
        conf_node_put(root, str_of(key), to);
    }
    for (struct conf_node *child = from->first, *next; child; child = next) {
        next = child->next;
        conf_node_append(to, child);
    }
    from->first = from->last = NULL;
    from->n = 0;
}

static bool speaks_tls(const struct conf_node *entry)
{
    const struct conf_node *tls = traefik_get(entry, STR("tls"));
    return tls && (tls->kind == CONF_NODE_MAP || str_eq(tls->text, STR("yes")) ||
                   str_eq(tls->text, STR("on")));
}

// The first entrypoint with TLS: whoever asks for a name gets its certificate, wherever it stands.
static void join_certificates(struct conf_node *entries, struct traefik_settings *s,
                              struct arena *mem)
{
    for (struct conf_node *e = entries ? entries->first : NULL; e && s->certificates->n > 0;
         e = e->next) {
        struct conf_node *tls = traefik_get(e, STR("tls"));
        if (!speaks_tls(e))
            continue;
        tls->kind = CONF_NODE_MAP;
        tls->text = STR_NONE;
        move(s->certificates, tls, "certificates", mem);
    }
}

static void join_tls(struct conf_node *entries, const struct traefik_settings *s, struct arena *mem)
{
    for (struct conf_node *e = entries && s->tls ? entries->first : NULL; e; e = e->next) {
        struct conf_node *tls = traefik_get(e, STR("tls"));
        if (!speaks_tls(e))
            continue;
        tls->kind = CONF_NODE_MAP;
        tls->text = STR_NONE;
        for (const struct conf_node *option = s->tls->first; option; option = option->next) {
            struct conf_node *copy = traefik_copy(option, mem);
            if (!copy)
                panic("converted settings don't fit");
            if (!conf_node_get(tls, option->key)) // what a settings file says goes before
                conf_node_append(tls, copy);
        }
    }
}

void traefik_join(struct conf_node *root, struct traefik_settings *s, struct arena *mem)
{
    struct conf_node *entries = conf_node_get(root, STR("entrypoints"));
    for (size_t i = 0; entries && i < s->n_tcp_entries; i++) {
        struct conf_node *entry = conf_node_get(entries, s->tcp_entries[i]);
        struct conf_node *protocol = conf_node_scalar(mem, STR("tcp"), s->routes->place);
        if (!protocol)
            panic("converted settings don't fit");
        if (entry && !conf_node_get(entry, STR("protocol")))
            conf_node_put(entry, STR("protocol"), protocol);
    }
    join_certificates(entries, s, mem);
    join_tls(entries, s, mem);
    move(s->filters, root, "filters", mem);
    move(s->services, root, "services", mem);
    move(s->routes, root, "routes", mem);
}
