// SPDX-License-Identifier: Apache-2.0
#include "filter/page_conf.h"

// The value of the variable at the start of s, and its length there; 0: there is none.
static size_t variable_at(const struct exchange *x, unsigned status, struct str s, char number[8],
                          struct str *ret)
{
    if (str_starts(s, STR("{status}"))) {
        struct writer w;
        writer_init(&w, number, 8);
        writer_dec(&w, status);
        *ret = writer_str(&w);
        return STR("{status}").len;
    }
    if (str_starts(s, STR("{reason}"))) {
        *ret = str_of(http_reason(status));
        return STR("{reason}").len;
    }
    if (str_starts(s, STR("{request-id}"))) {
        *ret = x->request_id;
        return STR("{request-id}").len;
    }
    return 0;
}

struct str page_fill(struct exchange *x, unsigned status, struct str template)
{
    char number[8];
    size_t n_braces = 0;
    for (size_t i = 0; i < template.len; i++)
        n_braces += template.ptr[i] == '{';
    if (n_braces == 0)
        return template;
    // The longest value is the id's, or the longest reason's.
    size_t cap = template.len + n_braces * (x->request_id.len + 40);
    char *buf = ARENA_ARRAY(x->mem, char, cap);
    if (!buf)
        return STR_NONE;
    struct writer w;
    writer_init(&w, buf, cap);
    for (struct str rest = template; rest.len > 0;) {
        struct str value;
        size_t n = MIN(str_find(rest, '{'), rest.len);
        writer_put(&w, str_first(rest, n));
        rest = str_skip(rest, n);
        n = variable_at(x, status, rest, number, &value);
        if (n > 0)
            writer_put(&w, value);
        else if (rest.len > 0)
            writer_byte(&w, rest.ptr[0]);
        rest = str_skip(rest, MAX(n, (size_t)1));
    }
    ASSERT(!w.overflowed);
    return writer_str(&w);
}

bool page_is_own(const struct page_conf *c)
{
    return c->file.is_set || c->body.text.len > 0;
}

enum err page_check(const struct page_conf *c, struct place place, struct diags *diags)
{
    if (c->file.is_set && c->body.text.len > 0)
        return diag_fail(diags, ERR_SYNTAX, place, "'file' and 'body' are both the page: name one");
    const char *fault = filter_value_fault(c->content_type.text);
    if (fault)
        return diag_fail(diags, ERR_SYNTAX, c->content_type.place, "the content type %s", fault);
    return ERR_OK;
}

struct page page_of(const struct page_conf *c, struct exchange *x, unsigned status, struct str text,
                    unsigned reload_s)
{
    bool is_html = str_istarts(c->content_type.text, STR("text/html"));
    if (!page_is_own(c) || (is_html && page_kind_of(x) == PAGE_JSON))
        return page_neutral(x, status, text, reload_s);
    struct str template = c->file.is_set ? c->file.content : c->body.text;
    struct str body = page_fill(x, status, template);
    return (struct page){.content_type = c->content_type.text,
                         .body = template.len == 0 ? STR("") : body};
}

void page_drop_content_fields(struct headers *h)
{
    static const enum field_id ids[] = {
        FIELD_CONTENT_LENGTH, FIELD_CONTENT_ENCODING,   FIELD_CONTENT_TYPE,  FIELD_CONTENT_RANGE,
        FIELD_ETAG,           FIELD_LAST_MODIFIED,      FIELD_ACCEPT_RANGES, FIELD_CONTENT_LOCATION,
        FIELD_TRAILER,        FIELD_CONTENT_DISPOSITION};
    static const struct str names[] = {STR_INIT("Content-Language"), STR_INIT("Content-MD5"),
                                       STR_INIT("Digest"), STR_INIT("Content-Digest"),
                                       STR_INIT("Repr-Digest")};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        headers_remove(h, ids[i]);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        headers_remove_named(h, names[i]);
}
