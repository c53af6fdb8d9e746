// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of HTTP/1 heads share: the properties of both sides.
#pragma once

#include <stdlib.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/writer.h"
#include "codec/h1_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_head {
    enum h1_error error;
    size_t used;
    size_t n_fields;
    uint8_t minor;
    uint16_t status;
    struct str first, second; // method and target, or the reason
    struct field fields[H1_FIELDS_MAX];
};

// One side's view of heads.
struct fuzz_kind {
    enum io (*parse)(struct str in, const struct h1_limits *limits, struct fuzz_head *ret,
                     bool use_vector);
    void (*write_line)(struct writer *w, const struct fuzz_head *h);
    void (*check_line)(const struct fuzz_head *h);
    void (*check_framing)(const struct fuzz_head *h);
};

static inline void fuzz_check_fields(const struct field *fields, size_t n)
{
    for (const struct field *f = fields; f < fields + n; f++) {
        ASSERT(f->name.len > 0);
        for (size_t i = 0; i < f->name.len; i++)
            ASSERT(ascii_is(f->name.ptr[i], ASCII_TOKEN));
        for (size_t i = 0; i < f->value.len; i++)
            ASSERT(ascii_is(f->value.ptr[i], ASCII_VALUE));
        ASSERT(str_eq(str_trim(f->value), f->value));
        ASSERT(f->id == field_id_of(f->name));
        ASSERT(f->id == FIELD_OTHER || str_ieq(f->name, field_name((enum field_id)f->id)));
    }
}

static inline void fuzz_write_fields(struct writer *w, const struct field *fields, size_t n)
{
    for (const struct field *f = fields; f < fields + n; f++) {
        writer_put(w, f->name);
        writer_put(w, STR(": "));
        writer_put(w, f->value);
        writer_put(w, STR("\r\n"));
    }
    writer_put(w, STR("\r\n"));
}

static inline void fuzz_check_same(const struct fuzz_head *a, const struct fuzz_head *b)
{
    ASSERT(a->minor == b->minor);
    ASSERT(a->status == b->status);
    ASSERT(str_eq(a->first, b->first));
    ASSERT(str_eq(a->second, b->second));
    ASSERT(a->n_fields == b->n_fields);
    for (size_t i = 0; i < a->n_fields; i++) {
        ASSERT(a->fields[i].id == b->fields[i].id);
        ASSERT(str_eq(a->fields[i].name, b->fields[i].name));
        ASSERT(str_eq(a->fields[i].value, b->fields[i].value));
    }
}

// The input's first bytes choose the limits, so that they are met.
static inline struct h1_limits fuzz_limits(struct str *in)
{
    if (in->len < 3 || in->ptr[0] != '\xff')
        return (struct h1_limits){256, 1024, 16};
    struct h1_limits limits = {(uint8_t)in->ptr[1], (uint8_t)in->ptr[2], (uint8_t)in->ptr[1] % 8};
    *in = str_skip(*in, 3);
    return limits;
}

static inline void fuzz_check_prefixes(const struct fuzz_kind *kind, struct str in,
                                       const struct h1_limits *limits, enum io whole_io,
                                       const struct fuzz_head *whole)
{
    static struct fuzz_head part;
    for (size_t len = 0; len < MIN(in.len, 300); len++) {
        char *copy = malloc(len > 0 ? len : 1); // so that ASan sees the end
        if (len > 0)
            memcpy(copy, in.ptr, len);
        part.used = 0;
        enum io io = kind->parse(str_from(copy, len), limits, &part, true);
        free(copy);
        if (io == IO_FAIL)
            ASSERT(whole_io == IO_FAIL && part.error == whole->error);
        else if (io == IO_DONE)
            ASSERT(whole_io == IO_DONE && part.used == whole->used);
        else
            ASSERT(whole_io != IO_DONE || len < whole->used);
    }
}

static inline void fuzz_head(const struct fuzz_kind *kind, const uint8_t *data, size_t size)
{
    static struct fuzz_head whole, twin;
    struct str in = str_from((const char *)data, size);
    struct h1_limits limits = fuzz_limits(&in);
    enum io io = kind->parse(in, &limits, &whole, true);
    ASSERT(io == kind->parse(in, &limits, &twin, false));
    ASSERT(io != IO_FAIL || (whole.error == twin.error && whole.error != H1_ERROR_NONE));
    fuzz_check_prefixes(kind, in, &limits, io, &whole);
    if (io != IO_DONE)
        return;

    ASSERT(whole.used == twin.used && whole.used <= in.len);
    fuzz_check_same(&whole, &twin);
    ASSERT(h1_head_may_end(str_first(in, whole.used), whole.used - 1));
    kind->check_line(&whole);
    fuzz_check_fields(whole.fields, whole.n_fields);
    kind->check_framing(&whole);

    static char buf[4096];
    static const struct h1_limits wide = {4096, 4096, H1_FIELDS_MAX};
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    kind->write_line(&w, &whole);
    writer_put(&w, STR("\r\n"));
    fuzz_write_fields(&w, whole.fields, whole.n_fields);
    ASSERT(!w.overflowed);
    ASSERT(kind->parse(writer_str(&w), &wide, &twin, true) == IO_DONE && twin.used == w.len);
    fuzz_check_same(&whole, &twin);
}
