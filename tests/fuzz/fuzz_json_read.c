// SPDX-License-Identifier: Apache-2.0
// JSON as strangers write it. Property: what is read is written again as JSON that reads as the
// same; texts are UTF-8; and no value is nested deeper, and no object larger, than the limits say.
#include "base/text.h"
#include "base/utf8.h"
#include "codec/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct str s)
{
    uint32_t code;
    while (s.len > 0) {
        size_t len = utf8_decode(s, &code);
        ASSERT(len > 0);
        s = str_skip(s, len);
    }
}

static void check(const struct json *v, unsigned depth)
{
    unsigned n = 0;
    ASSERT(depth <= JSON_DEPTH_MAX);
    check_text(v->text);
    for (const struct json *item = v->first; item; item = item->next) {
        check_text(item->name);
        ASSERT(v->kind != JSON_OBJECT || json_get(v, item->name) == item);
        check(item, depth + 1);
        n++;
    }
    ASSERT(v->kind != JSON_OBJECT || n <= JSON_MEMBERS_MAX);
}

static bool is_same(const struct json *a, const struct json *b)
{
    if (!a || !b)
        return a == b;
    return a->kind == b->kind && str_eq(a->name, b->name) && str_eq(a->text, b->text) &&
           is_same(a->first, b->first) && is_same(a->next, b->next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    const char *why, *why_not;
    arena_init(&mem, (size_t)8 << 20, NULL, 0);
    if (size > 4096) // the comparison goes as deep as a list is long
        size = 4096;
    const struct json *v = json_parse(str_from((const char *)data, size), &mem, &why);
    ASSERT((v == NULL) == (why != NULL));
    if (v) {
        int64_t number;
        struct text again = {.ptr = NULL};
        check(v, 1);
        json_text_value(&again, v);
        const struct json *w = json_parse(text_str(&again), &mem, &why_not);
        ASSERT(w && is_same(v, w));
        if (json_int(v, &number) && number < 0)
            ASSERT(*v->text.ptr == '-');
        text_fini(&again);
    }
    arena_fini(&mem);
    return 0;
}
