// SPDX-License-Identifier: Apache-2.0
// Field sections of HTTP/2. Input: a byte for the kind, then lines "name=value" that end with LF
// (0x01 stands for an LF inside). Properties: what is accepted, written as an HTTP/1.1 head, is
// read there as the same request, with the same fields and nothing more, so nothing can be
// smuggled through; sent on as HTTP/2 it is accepted again, and is the same.
#include "base/ascii.h"
#include "base/assert.h"
#include "base/writer.h"
#include "http/h2_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = {
    .line_max_bytes = 256, .head_max_bytes = 2048, .fields_max = 16};
static const struct h1_limits wide = {
    .line_max_bytes = 4096, .head_max_bytes = 16384, .fields_max = H1_FIELDS_MAX};

struct message {
    struct arena mem;
    struct headers h;
    struct h2_section s;
};

static void open_message(struct message *m, enum h2_section_kind kind, const struct h1_limits *l)
{
    arena_init(&m->mem, 256 * 1024, NULL, 0);
    headers_init(&m->h, &m->mem);
    h2_section_init(&m->s, kind, &m->h, l);
}

static void feed(struct message *m, struct str in)
{
    struct str line;
    char copy[4096];
    while (in.len > 0) {
        str_cut(in, '\n', &line, &in);
        line = str_first(line, sizeof copy);
        for (size_t i = 0; i < line.len; i++)
            copy[i] = (char)(line.ptr[i] == 1 ? '\n' : line.ptr[i]);
        size_t at = MIN(str_find(line, '='), line.len);
        h2_section_add(&m->s, str_from(copy, at), str_skip(str_from(copy, line.len), at + 1));
    }
    (void)h2_section_end(&m->s);
}

static void check_field(const struct field *f)
{
    ASSERT(f->name.len > 0 && f->id == field_id_of(f->name));
    ASSERT(f->id != FIELD_TRANSFER_ENCODING && f->id != FIELD_CONNECTION);
    for (size_t i = 0; i < f->name.len; i++)
        ASSERT(ascii_is(f->name.ptr[i], ASCII_TOKEN));
    for (size_t i = 0; i < f->value.len; i++)
        ASSERT(ascii_is(f->value.ptr[i], ASCII_VALUE));
    ASSERT(str_eq(str_trim(f->value), f->value));
}

static void check_as_http1(const struct message *m)
{
    static char head[16384];
    static struct field fields[H1_FIELDS_MAX];
    struct writer w;
    writer_init(&w, head, sizeof head);
    writer_put(&w, m->s.method);
    writer_byte(&w, ' ');
    writer_put(&w, m->s.path.len > 0 ? m->s.path : m->s.authority);
    writer_put(&w, STR(" HTTP/1.1\r\n"));
    headers_write(&w, &m->h, 0);
    writer_put(&w, STR("\r\n"));
    ASSERT(!w.overflowed);

    struct h1_request r;
    size_t used;
    enum h1_error error;
    ASSERT(h1_request_parse(writer_str(&w), &wide, fields, &r, &used, &error) == IO_DONE);
    ASSERT(used == w.len && str_eq(r.method, m->s.method));
    size_t n = 0, n_hosts = 0;
    for (const struct field *f = headers_next(&m->h, NULL); f; f = headers_next(&m->h, f), n++) {
        ASSERT(n < r.n_fields && str_eq(r.fields[n].name, f->name));
        ASSERT(str_eq(r.fields[n].value, f->value));
        n_hosts += f->id == FIELD_HOST;
    }
    ASSERT(n == r.n_fields && n_hosts == 1);
    struct h1_framing framing;
    error = h1_request_framing(&r, &framing);
    ASSERT(error == H1_ERROR_NONE || error == H1_ERROR_HOST_FORM);
    ASSERT(error != H1_ERROR_NONE || framing.length == (uint64_t)MAX(m->s.length, 0));
}

static void check_again(const struct message *m)
{
    struct message twin;
    struct h2_list l;
    open_message(&twin, m->s.kind, &wide);
    h2_list_init(&l, &twin.mem, NULL, 5, &m->h);
    if (m->s.kind == H2_SECTION_REQUEST) {
        h2_list_add(&l, STR(":method"), m->s.method);
        if (m->s.path.len > 0) {
            h2_list_add(&l, STR(":scheme"), m->s.scheme);
            h2_list_add(&l, STR(":path"), m->s.path);
        }
        h2_list_add(&l, STR(":authority"), headers_get(&m->h, FIELD_HOST));
        if (m->s.protocol.len > 0)
            h2_list_add(&l, STR(":protocol"), m->s.protocol);
    } else if (m->s.kind == H2_SECTION_RESPONSE) {
        h2_list_add_number(&l, STR(":status"), m->s.status);
    }
    h2_list_add_headers(&l, &m->h, 0);
    ASSERT(!l.is_failed);
    for (const nghttp2_nv *v = l.items; v < l.items + l.n; v++)
        h2_section_add(&twin.s, str_from((const char *)v->name, v->namelen),
                       str_from((const char *)v->value, v->valuelen));
    ASSERT(h2_section_end(&twin.s) == H2_ERROR_NONE);
    ASSERT(twin.s.status == m->s.status && twin.s.length == m->s.length);
    const struct field *g = headers_next(&twin.h, NULL);
    for (const struct field *f = headers_next(&m->h, NULL); f; f = headers_next(&m->h, f)) {
        if (f->id == FIELD_TE) // of the hop
            continue;
        ASSERT(g && str_eq(f->name, g->name) && str_eq(f->value, g->value));
        g = headers_next(&twin.h, g);
    }
    ASSERT(!g);
    arena_fini(&twin.mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum h2_section_kind kinds[] = {H2_SECTION_REQUEST, H2_SECTION_RESPONSE,
                                                 H2_SECTION_TRAILERS};
    if (size == 0)
        return 0;
    struct message m;
    open_message(&m, kinds[data[0] % ARRAY_LEN(kinds)], &limits);
    feed(&m, str_from((const char *)data + 1, size - 1));
    for (const struct field *f = headers_next(&m.h, NULL); f; f = headers_next(&m.h, f))
        check_field(f);
    if (m.s.error == H2_ERROR_NONE) {
        ASSERT(m.s.bytes <= limits.head_max_bytes && m.s.n_fields <= limits.fields_max);
        if (m.s.kind == H2_SECTION_REQUEST)
            check_as_http1(&m);
        check_again(&m);
    }
    arena_fini(&m.mem);
    return 0;
}
