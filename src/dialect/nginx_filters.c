// SPDX-License-Identifier: Apache-2.0
// What changes requests and answers: fields, packing.
#include "dialect/nginx_priv.h"

// What every server gets anyway, whatever nginx was told to send. is_ours: the field is one of
// those, whatever its value.
static bool is_sent_anyway(struct str name, struct str value, bool *ret_is_ours)
{
    static const struct {
        const char *name;
        const char *values[4];
    } fields[] = {
        {"X-Real-IP", {"$remote_addr", "$realip_remote_addr"}},
        {"X-Forwarded-For", {"$proxy_add_x_forwarded_for", "$remote_addr"}},
        {"X-Forwarded-Proto", {"$scheme", "$http_x_forwarded_proto"}},
        {"X-Forwarded-Scheme", {"$scheme"}},
        {"X-Forwarded-Host", {"$host", "$http_host"}},
        {"X-Forwarded-Port", {"$server_port"}},
        {"X-Request-Id", {"$request_id"}},
        {"Upgrade", {"$http_upgrade"}},
        {"Connection", {"upgrade", "Upgrade", "$connection_upgrade", ""}},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!str_ieq(name, str_of(fields[i].name)))
            continue;
        *ret_is_ours = true;
        for (size_t k = 0; k < sizeof fields[i].values / sizeof *fields[i].values; k++)
            if (fields[i].values[k] && str_eq(value, str_of(fields[i].values[k])))
                return true;
    }
    return false;
}

// Whether the value is what an auth server has said in a field of this name, which "forward-auth"
// passes on.
static bool is_of_auth(struct nginx *n, struct nginx_directive *block, struct str name,
                       struct str value)
{
    struct nginx_directive *auth = nginx_setting(block, "auth_request");
    if (!auth || str_eq(nginx_word(auth, 1), STR("off")))
        return false;
    struct nginx_directive *level = nginx_level(block, "auth_request_set");
    struct nginx_directive *d = level ? nginx_get(level, "auth_request_set") : NULL;
    while (d && !str_eq(nginx_word(d, 1), value))
        d = d->same;
    struct str from = d ? nginx_word(d, 2) : STR_NONE;
    return str_starts(from, STR("$upstream_http_")) &&
           str_ieq(nginx_field_name(n, str_skip(from, 15)), name);
}

// "proxy_set_header Range $http_range": the client's own.
static bool is_as_sent(struct nginx *n, struct str name, struct str value)
{
    return str_starts(value, STR("$http_")) &&
           str_ieq(nginx_field_name(n, str_skip(value, 6)), name);
}

// The settings of one "headers" filter for a target, made when they're first needed.
struct fields {
    struct nginx_server *s;
    struct conf_node *target, *filter;
};

static struct conf_node *part(struct fields *f, const char *of, struct place place)
{
    if (!f->filter)
        f->filter = nginx_filter(f->s, f->target, "headers", place);
    return draft_map(f->s->n->d, f->filter, str_of(of), place);
}

static void put_field(struct fields *f, struct nginx_directive *d, const char *of, const char *how)
{
    struct draft *draft = f->s->n->d;
    struct conf_node *map = draft_map(draft, part(f, of, d->place), str_of(how), d->place);
    if (conf_node_get(map, nginx_word(d, 1)))
        nginx_note(f->s->n, d, DRAFT_LOST, "a field is added once with one value");
    else
        draft_set(draft, map, nginx_word(d, 1), nginx_word(d, 2), d->place);
    d->is_done = true;
}

static void remove_field(struct fields *f, struct nginx_directive *d, const char *of)
{
    struct draft *draft = f->s->n->d;
    draft_push(draft, draft_list(draft, part(f, of, d->place), STR("remove"), d->place),
               nginx_word(d, 1), d->place);
    d->is_done = true;
}

static void put_request_fields(struct fields *f, struct nginx_directive *block, const char *name)
{
    struct nginx_directive *level = nginx_level(block, name);
    struct nginx_directive *d = level ? nginx_get(level, name) : NULL;
    for (; d; d = d->same) {
        struct str field = nginx_word(d, 1), value = nginx_word(d, 2);
        bool is_ours = false;
        if (str_ieq(field, STR("Host")))
            d->is_done = true; // the service's
        else if (is_of_auth(f->s->n, block, field, value))
            continue;
        else if (is_sent_anyway(field, value, &is_ours) || is_as_sent(f->s->n, field, value))
            nginx_note(f->s->n, d, DRAFT_NEEDLESS, "servers get it anyway");
        else if (!nginx_is_plain(value)) {
            // Servers believe it, so clients mustn't be the ones who say it.
            if (!is_ours)
                remove_field(f, d, "request");
            nginx_note(
                f->s->n, d, DRAFT_LOST,
                "values can't be made of variables here; what clients send in it is removed");
        } else if (value.len == 0)
            remove_field(f, d, "request");
        else
            put_field(f, d, "request", "set");
    }
}

static void put_answer_fields(struct fields *f, struct nginx_directive *block)
{
    static const char *const hidden[] = {"proxy_hide_header", "more_clear_headers"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        struct nginx_directive *level = nginx_level(block, hidden[i]);
        struct nginx_directive *d = level ? nginx_get(level, hidden[i]) : NULL;
        for (; d; d = d->same)
            remove_field(f, d, "response");
    }
    struct nginx_directive *level = nginx_level(block, "add_header");
    struct nginx_directive *d = level ? nginx_get(level, "add_header") : NULL;
    for (; d; d = d->same) {
        if (nginx_is_plain(nginx_word(d, 2)))
            put_field(f, d, "response", "add");
        else
            nginx_note(f->s->n, d, DRAFT_LOST, "values can't be made of variables here");
    }
}

static void put_packing(struct nginx_server *s, struct nginx_directive *block,
                        struct conf_node *target)
{
    struct draft *d = s->n->d;
    bool has_gzip = nginx_is_on(block, "gzip"), has_br = nginx_is_on(block, "brotli");
    if (!has_gzip && !has_br)
        return;
    struct nginx_directive *from = nginx_setting(block, has_gzip ? "gzip" : "brotli");
    struct conf_node *settings = nginx_filter(s, target, "compress", from->place);
    struct conf_node *codings = draft_list(d, settings, STR("codings"), from->place);
    if (has_br)
        draft_push(d, codings, STR("br"), from->place);
    if (has_gzip)
        draft_push(d, codings, STR("gzip"), from->place);
    struct nginx_directive *types = nginx_setting(block, has_gzip ? "gzip_types" : "brotli_types");
    struct conf_node *list =
        draft_list(d, settings, STR("types"), types ? types->place : from->place);
    draft_push(d, list, STR("text/html"), from->place);
    for (size_t i = 1; types && i < types->n_words; i++) {
        struct str type = nginx_word(types, i);
        if (str_eq(type, STR("*")))
            nginx_note(s->n, types, DRAFT_CHANGED,
                       "only the other types are packed; name what you need");
        else if (!str_eq(type, STR("text/html")))
            draft_push(d, list, type, types->place);
    }
    static const struct {
        const char *name, *key;
    } numbers[] = {{"gzip_comp_level", "gzip-level"},
                   {"brotli_comp_level", "br-level"},
                   {"gzip_min_length", "min-size"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct nginx_directive *n = nginx_setting(block, numbers[i].name);
        if (n)
            draft_set(d, settings, str_of(numbers[i].key), nginx_word(n, 1), n->place);
    }
}

void nginx_put_filters(struct nginx_server *s, struct nginx_directive *block,
                       struct conf_node *target)
{
    struct fields f = {.s = s, .target = target};
    put_packing(s, block, target);
    put_answer_fields(&f, block);
}

void nginx_put_request_fields(struct nginx_server *s, struct nginx_directive *block,
                              struct conf_node *target)
{
    struct fields f = {.s = s, .target = target};
    put_request_fields(&f, block, "proxy_set_header");
    put_request_fields(&f, block, "grpc_set_header");
}
