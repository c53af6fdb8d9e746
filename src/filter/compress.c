// SPDX-License-Identifier: Apache-2.0
// compress: packs answers for clients that take them so.
#include "base/num.h"
#include "codec/coding.h"
#include "filter/common.h"
#include "filter/pack_body.h"
#include "http/env.h"
#include "http/grpc.h"

#define CODINGS_MAX 3
#define TYPES_DEFAULT                                                                              \
    "[text/*, \"*+json\", \"*+xml\", application/json, application/xml, "                          \
    "application/javascript, application/x-javascript, application/x-ndjson, application/wasm, "   \
    "application/vnd.ms-fontobject, font/ttf, font/otf, image/bmp, image/x-icon, "                 \
    "image/vnd.microsoft.icon]"

struct compress_conf {
    struct conf_texts codings, types;
    uint32_t gzip_level, br_level, zstd_level;
    uint64_t min_bytes, memory_bytes;
    bool offload;
};

// text/*: what begins with the one and ends with the other, if it isn't to be equal to the first.
struct type_pattern {
    struct str prefix, suffix;
    bool is_whole;
};

struct compress {
    struct filter_base base;
    const struct compress_conf *conf; // borrows: the snapshot's
    enum coding codings[CODINGS_MAX]; // the dearest first
    size_t n_codings;
    unsigned levels[CODING_COUNT];
    struct type_pattern *types; // conf->types.n
};

static enum err check_coding(const struct conf_text *value, struct diags *diags)
{
    enum coding c;
    if (coding_find(value->text, &c) && c != CODING_IDENTITY && c != CODING_DEFLATE)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, value->place,
                     "'" STR_FMT "' can't be packed: write zstd, br or gzip", STR_ARG(value->text));
}

static enum err check_type(const struct conf_text *value, struct diags *diags)
{
    struct str rest;
    bool has_star = str_cut(value->text, '*', NULL, &rest);
    bool has_two = has_star && str_find(rest, '*') != STR_NPOS;
    bool is_type = has_star || str_find(value->text, '/') != STR_NPOS;
    if (is_type && !has_two && str_find(value->text, ';') == STR_NPOS)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, value->place,
                     "'" STR_FMT "' is no media type: write text/html, text/*, or *+json",
                     STR_ARG(value->text));
}

static const struct conf_item items[] = {
    ITEM_TEXTS(compress_conf, codings, "codings", .def = "[zstd, br, gzip]", .since = "0.1",
               .apply = CONF_LIVE, .format = "zstd, br, gzip", .check_text = check_coding,
               .example = "[br, gzip]",
               .doc = "What answers are packed by. Of those that the client likes best, by its "
                      "weights, the first is taken."),
    ITEM_TEXTS(
        compress_conf, types, "types", .def = TYPES_DEFAULT, .since = "0.1", .apply = CONF_LIVE,
        .format = "media types", .check_text = check_type, .example = "[text/*, application/json]",
        .doc = "Which media types are packed. One `*` in a type stands for anything. Pictures, "
               "sound and archives are small already, as a rule."),
    ITEM_SIZE(compress_conf, min_bytes, "min-size", .def = "1KiB", .max = "1GiB", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Shorter answers are left as they are, if their length is known in advance: "
                     "they fit into one packet either way."),
    ITEM_UINT(compress_conf, gzip_level, "gzip-level", .def = "1", .min = "1", .max = "9",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "From fast to small. Level 1 is packed by ISA-L where that is there, several "
                     "times faster than any other."),
    ITEM_UINT(compress_conf, br_level, "br-level", .def = "4", .max = "6", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "From fast to small. More would take seconds for a page, and tens of MiB."),
    ITEM_UINT(compress_conf, zstd_level, "zstd-level", .def = "3", .min = "1", .max = "6",
              .since = "0.1", .apply = CONF_LIVE, .doc = "From fast to small."),
    ITEM_SIZE(compress_conf, memory_bytes, "memory-max", .def = "64MiB", .min = "8MiB",
              .max = "16GiB", .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "So much memory may packing and unpacking take for each worker. Answers that "
                  "would need more go out as they are, and are counted. One takes 0.2 to 0.3 MiB "
                  "by gzip, 0.7 to 5 by zstd, 0.5 to 6 by br, the more the higher its level."),
    ITEM_BOOL(compress_conf, offload, "offload", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Servers aren't told that clients take packed answers, so that all packing is "
                     "done here, and filters behind this one see answers as they are."),
};

static const struct conf_section section = {
    .name = "compress",
    .doc = "Packs answers by zstd, br or gzip, for clients that take them so.",
    CONF_SECTION_OF(compress_conf, items),
};

// --- what may be packed ---

// RFC 9110 8.3.1: parameters don't matter here.
static bool has_type(const struct compress *f, const struct exchange *x)
{
    struct str type;
    str_cut(headers_get(&x->resp.headers, FIELD_CONTENT_TYPE), ';', &type, NULL);
    type = str_trim(type);
    for (size_t i = 0; i < f->conf->types.n; i++) {
        const struct type_pattern *t = &f->types[i];
        if (t->is_whole
                ? str_ieq(type, t->prefix)
                : type.len >= t->prefix.len + t->suffix.len && str_istarts(type, t->prefix) &&
                      str_ieq(str_skip(type, type.len - t->suffix.len), t->suffix))
            return true;
    }
    return false;
}

// RFC 9111 5.2.1.6 and 5.2.2.6. In a quoted argument it says nothing, and is taken at its word.
static bool forbids(const struct headers *h)
{
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
        if (f->id == FIELD_CACHE_CONTROL && h1_list_has(f->value, STR("no-transform")))
            return true;
    return false;
}

// Why an answer never is packed, whatever the client takes; NULL: it may be.
static const char *why_never(const struct compress *f, const struct exchange *x)
{
    const struct response *r = &x->resp;
    const struct headers *h = &r->headers;
    bool has_body = r->body || x->req.method_id == METHOD_HEAD;
    if (r->tunnel || r->status < 200 || x->req.is_raw)
        return "it is a tunnel";
    if (r->status == 204 || r->status == 205 || !has_body)
        return "it has no body";
    if (r->status == 206 || r->status == 416 || headers_find(h, FIELD_CONTENT_RANGE))
        return "it is a part";
    if (grpc_is(x))
        return "gRPC packs by itself";
    if (headers_find(h, FIELD_CONTENT_ENCODING))
        return "it is packed already";
    if (forbids(h) || forbids(&x->req.headers))
        return "no-transform";
    if (filter_has_digest(h))
        return "it has a digest";
    return has_type(f, x) ? NULL : "its type isn't one of those";
}

// RFC 9110 12.5.5
static enum err add_vary(struct exchange *x)
{
    return filter_vary(x, field_name(FIELD_ACCEPT_ENCODING));
}

// The packed bytes are others, so the tag is a weak one (RFC 9110 8.8.1).
static enum err weaken(struct exchange *x)
{
    struct str tag = headers_get(&x->resp.headers, FIELD_ETAG);
    if (tag.len == 0 || str_starts(tag, STR("W/")))
        return ERR_OK;
    struct str weak = arena_concat(x->mem, STR("W/"), tag, STR_NONE);
    return weak.ptr ? headers_set(&x->resp.headers, FIELD_ETAG, weak) : ERR_LIMIT;
}

// "Not modified": what the client has, it has by our weak tag, and would look for by that.
static enum err serve_unmodified(const struct compress *f, struct exchange *x)
{
    struct headers *h = &x->resp.headers;
    if (headers_find(h, FIELD_CONTENT_TYPE) && !has_type(f, x))
        return ERR_OK;
    struct str tag = headers_get(h, FIELD_ETAG);
    struct str weak = arena_concat(x->mem, STR("W/"), tag, STR_NONE);
    if (!weak.ptr)
        return ERR_LIMIT;
    bool has_ours = str_search(headers_get(&x->req.headers, FIELD_IF_NONE_MATCH), weak) != STR_NPOS;
    if (tag.len > 0 && has_ours && weaken(x) != ERR_OK)
        return ERR_LIMIT;
    return add_vary(x);
}

// --- packing ---

static bool is_short(const struct compress *f, const struct exchange *x)
{
    uint64_t length;
    if (x->resp.body)
        return x->resp.body->length >= 0 && (uint64_t)x->resp.body->length < f->conf->min_bytes;
    struct str announced = headers_get(&x->resp.headers, FIELD_CONTENT_LENGTH); // of HEAD
    return num_dec(announced, UINT64_MAX, &length) == ERR_OK && length < f->conf->min_bytes;
}

// Why this client gets it unpacked; NULL: it doesn't.
static const char *why_not_now(const struct compress *f, const struct exchange *x,
                               const struct coding_accept *accept, enum coding chosen)
{
    if (chosen == CODING_IDENTITY)
        return "the client doesn't take it";
    if (x->req.version < HTTP_1_1) // which can't tell the end of such a body from a cut
        return "the client speaks HTTP/1.0";
    if (is_short(f, x) && accept->weights[CODING_IDENTITY] > 0)
        return "it is short";
    return NULL;
}

static enum err pack(const struct compress *f, struct exchange *x, enum coding coding)
{
    struct headers *h = &x->resp.headers;
    if (x->resp.body) {
        switch (pack_body_wrap(x, coding, f->levels[coding], f->conf->memory_bytes)) {
        case PACK_BEGUN:
            break;
        case PACK_NO_MEMORY:
            http_count(x->env, HTTP_COUNTER_NOT_COMPRESSED, 1);
            filter_note(&f->base.handler, x, "passed", STR("packing takes all its memory"));
            return ERR_OK;
        case PACK_EXHAUSTED:
            return ERR_LIMIT;
        }
        http_count(x->env, HTTP_COUNTER_COMPRESSED, 1);
    }
    filter_note(&f->base.handler, x, "packed", coding_name(coding));
    headers_remove(h, FIELD_CONTENT_LENGTH);
    headers_remove(h, FIELD_ACCEPT_RANGES); // there are none of the packed bytes
    if (headers_set(h, FIELD_CONTENT_ENCODING, coding_name(coding)) != ERR_OK)
        return ERR_LIMIT;
    return weaken(x);
}

static enum err treat(const struct compress *f, struct exchange *x,
                      const struct coding_accept *accept)
{
    if (x->resp.status == 304)
        return serve_unmodified(f, x);
    const char *why = why_never(f, x);
    if (!why && add_vary(x) != ERR_OK)
        return ERR_LIMIT;
    enum coding coding = coding_choose(accept, f->codings, f->n_codings);
    if (!why)
        why = why_not_now(f, x, accept, coding);
    if (!why)
        return pack(f, x, coding);
    filter_note(&f->base.handler, x, "passed", str_of(why));
    return ERR_OK;
}

// What is malformed counts as not said.
static void read_accept(const struct exchange *x, struct coding_accept *ret)
{
    coding_accept_init(ret);
    const struct headers *h = &x->req.headers;
    if (headers_find(h, FIELD_ACCEPT_ENCODING))
        for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
            if (f->id == FIELD_ACCEPT_ENCODING && !coding_accept_add(ret, f->value)) {
                coding_accept_init(ret);
                break;
            }
    coding_accept_end(ret);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct compress *f = (const struct compress *)(const void *)h;
    struct coding_accept accept;
    read_accept(x, &accept);
    if (f->conf->offload)
        headers_remove(&x->req.headers, FIELD_ACCEPT_ENCODING);
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK)
        return err;
    return treat(f, x, &accept) == ERR_OK ? ERR_OK : filter_exhausted(x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct compress *f = (const struct compress *)(const void *)h;
    struct coding_accept accept;
    read_accept(x, &accept);
    enum coding coding = coding_choose(&accept, f->codings, f->n_codings);
    if (coding == CODING_IDENTITY)
        return STR("packs nothing: the client takes none of its codings");
    return arena_printf(x->mem, "packs answers by " STR_FMT ", if they are of its types",
                        STR_ARG(coding_name(coding)));
}

static const struct handler_type type = {.name = "compress", .serve = serve, .explain = explain};

// --- building ---

static bool add_codings(struct compress *f, const struct filter_env *env)
{
    const struct conf_texts *texts = &f->conf->codings;
    for (size_t i = 0; i < texts->n; i++) {
        enum coding c = CODING_IDENTITY;
        bool is_twice = !coding_find(texts->items[i].text, &c);
        for (size_t k = 0; k < f->n_codings; k++)
            is_twice = is_twice || f->codings[k] == c;
        if (is_twice) {
            diag_fail(env->diags, ERR_SYNTAX, texts->items[i].place, "'" STR_FMT "' is there twice",
                      STR_ARG(texts->items[i].text));
            return false;
        }
        f->codings[f->n_codings++] = c;
    }
    f->levels[CODING_GZIP] = f->conf->gzip_level;
    f->levels[CODING_BR] = f->conf->br_level;
    f->levels[CODING_ZSTD] = f->conf->zstd_level;
    return true;
}

static bool add_types(struct compress *f, const struct filter_env *env)
{
    const struct conf_texts *texts = &f->conf->types;
    f->types = ARENA_ARRAY(env->mem, struct type_pattern, texts->n + 1);
    for (size_t i = 0; f->types && i < texts->n; i++) {
        struct type_pattern *t = &f->types[i];
        struct str text = texts->items[i].text;
        t->is_whole = !str_cut(text, '*', &t->prefix, &t->suffix);
    }
    return f->types != NULL;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    struct compress *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = settings;
    if (!add_codings(f, env))
        return NULL;
    return add_types(f, env) ? &f->base.handler : filter_no_memory(env);
}

const struct filter_type filter_compress = {
    .choice = {.key = "compress", .section = &section},
    .build = build,
};
