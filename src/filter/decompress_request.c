// SPDX-License-Identifier: Apache-2.0
// decompress-request: unpacks what clients send packed, before filters behind it and servers see
// it.
#include "codec/coding.h"
#include "filter/common.h"
#include "filter/unpack_body.h"
#include "http/env.h"

#define LAYERS_MAX 2 // of codings around one body; more is nothing that anybody needs

struct decompress_conf {
    struct conf_texts codings;
    uint64_t max_bytes, memory_bytes;
    uint32_t ratio_max;
};

struct decompress {
    struct filter_base base;
    const struct decompress_conf *conf; // borrows: the snapshot's
    bool takes[CODING_COUNT];
    struct str accept; // what Accept-Encoding says to who sent another
};

static enum err check_coding(const struct conf_text *value, struct diags *diags)
{
    enum coding c;
    if (coding_find(value->text, &c) && c != CODING_IDENTITY)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, value->place,
                     "'" STR_FMT "' can't be unpacked: write gzip, deflate, br or zstd",
                     STR_ARG(value->text));
}

static const struct conf_item items[] = {
    ITEM_TEXTS(decompress_conf, codings, "codings", .def = "[gzip, deflate, br, zstd]",
               .since = "0.1", .apply = CONF_LIVE, .format = "gzip, deflate, br, zstd",
               .check_text = check_coding, .example = "[gzip]",
               .doc = "What is unpacked. Bodies packed by anything else get 415."),
    ITEM_SIZE(decompress_conf, max_bytes, "max-size", .def = "10MiB", .min = "1KiB", .max = "1TiB",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "What unpacks to more gets 413. The entrypoint's limit is for what comes."),
    ITEM_UINT(decompress_conf, ratio_max, "ratio-max", .def = "100", .min = "2", .max = "100000",
              .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "What unpacks to more than so many times the bytes that came, and 64 KiB, gets "
                  "413. Text is packed to a fifth, logs to a fiftieth; a bomb to a thousandth."),
    ITEM_SIZE(decompress_conf, memory_bytes, "memory-max", .def = "64MiB", .min = "8MiB",
              .max = "16GiB", .since = "0.1", .apply = CONF_LIVE,
              .doc = "So much memory may packing and unpacking take for each worker. Requests that "
                     "would need more get 503. One takes 64 KiB with gzip and deflate, 3 MiB with "
                     "zstd, 5 MiB with br."),
};

static const struct conf_section section = {
    .name = "decompress-request",
    .doc = "Unpacks the bodies of requests, within limits, for servers and filters that can't.",
    CONF_SECTION_OF(decompress_conf, items),
};

// --- serving ---

// RFC 9110 15.5.16
static enum err refuse_coding(const struct decompress *f, struct exchange *x)
{
    filter_note(&f->base.handler, x, "denied", STR("the coding of the body"));
    exchange_fail(x, 415, EXCHANGE_END_FILTERED,
                  STR_FMT ": the body's Content-Encoding isn't one of those", STR_ARG(f->base.who));
    if (headers_set(&x->resp.headers, FIELD_ACCEPT_ENCODING, f->accept) != ERR_OK)
        return filter_exhausted(x);
    return ERR_OK;
}

static enum err refuse_memory(const struct decompress *f, struct exchange *x)
{
    filter_note(&f->base.handler, x, "denied", STR("unpacking takes all its memory"));
    exchange_fail(x, 503, EXCHANGE_END_RESOURCES, STR_FMT ": unpacking takes all its memory",
                  STR_ARG(f->base.who));
    return ERR_OK;
}

// All fields are one list (RFC 9110 5.3). False: it has what isn't unpacked here.
static bool read_codings(const struct decompress *f, const struct exchange *x,
                         enum coding ret[LAYERS_MAX], size_t *ret_n)
{
    const struct headers *h = &x->req.headers;
    *ret_n = 0;
    for (const struct field *field = headers_next(h, NULL); field; field = headers_next(h, field)) {
        size_t n = 0;
        if (field->id != FIELD_CONTENT_ENCODING)
            continue;
        if (!coding_parse_list(field->value, ret + *ret_n, LAYERS_MAX - *ret_n, &n))
            return false;
        *ret_n += n;
    }
    for (size_t i = 0; i < *ret_n; i++)
        if (!f->takes[ret[i]])
            return false;
    return true;
}

// What described the packed bytes.
static void correct_fields(struct headers *h)
{
    headers_remove(h, FIELD_CONTENT_ENCODING);
    headers_remove(h, FIELD_CONTENT_LENGTH);
    filter_drop_digests(h);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct decompress *f = (const struct decompress *)(const void *)h;
    enum coding codings[LAYERS_MAX];
    size_t n = 0;
    if (!x->req.body || !headers_find(&x->req.headers, FIELD_CONTENT_ENCODING)) {
        filter_note(h, x, "passed", STR_NONE);
        return handler_serve(h->next, x);
    }
    if (!read_codings(f, x, codings, &n))
        return refuse_coding(f, x);
    const struct unpack_limits limits = {.out_max_bytes = f->conf->max_bytes,
                                         .ratio_max = f->conf->ratio_max};
    while (n > 0) { // the last one was applied last
        switch (unpack_body_wrap(x, codings[--n], &limits, f->conf->memory_bytes)) {
        case UNPACK_BEGUN:
            break;
        case UNPACK_NO_MEMORY:
            return refuse_memory(f, x);
        case UNPACK_EXHAUSTED:
            return filter_exhausted(x);
        }
    }
    filter_note(h, x, "unpacks", headers_get(&x->req.headers, FIELD_CONTENT_ENCODING));
    correct_fields(&x->req.headers);
    return handler_serve(h->next, x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct decompress *f = (const struct decompress *)(const void *)h;
    return arena_printf(x->mem, "unpacks bodies by " STR_FMT, STR_ARG(f->accept));
}

static const struct handler_type type = {
    .name = "decompress-request", .serve = serve, .explain = explain};

// --- building ---

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    struct decompress *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = settings;
    for (size_t i = 0; i < f->conf->codings.n; i++) {
        enum coding c;
        if (!coding_find(f->conf->codings.items[i].text, &c))
            continue; // the table has refused it
        f->takes[c] = true;
        f->accept = arena_concat(env->mem, f->accept, i > 0 ? STR(", ") : STR_NONE, coding_name(c));
        if (!f->accept.ptr)
            return filter_no_memory(env);
    }
    return &f->base.handler;
}

const struct filter_type filter_decompress_request = {
    .choice = {.key = "decompress-request", .section = &section},
    .build = build,
};
