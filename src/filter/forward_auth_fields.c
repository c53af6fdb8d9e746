// SPDX-License-Identifier: Apache-2.0
// What servers are to believe because the auth server has said it.
#include "filter/forward_auth.h"

// Of the names that filters reserve, trailers are rid already. Those that only the expression knows
// are dropped here, when the trailers have come.
struct cleaned {
    struct body body;
    struct body *inner; // borrows: the driver's
    const struct forward_auth *f;
};

static char dashed(char c)
{
    return c == '_' ? '-' : c;
}

// A name that doesn't fit as it is may fit to servers that can't tell '_' from '-'. What can't be
// told is dropped.
static bool fits(const struct forward_auth *f, struct str name)
{
    char twin[256];
    if (!f->regex)
        return false;
    if (regex_match(f->regex, name) != REGEX_NO)
        return true;
    if (str_find(name, '_') == STR_NPOS)
        return false;
    if (name.len > sizeof twin)
        return true;
    for (size_t i = 0; i < name.len; i++)
        twin[i] = dashed(name.ptr[i]);
    return regex_match(f->regex, str_from(twin, name.len)) != REGEX_NO;
}

static void drop_fitting(const struct forward_auth *f, struct headers *h)
{
    for (const struct field *at = headers_next(h, NULL); at; at = headers_next(h, at))
        if (filter_field_fault(at->name, FILTER_REQUEST) == NULL && fits(f, at->name))
            headers_drop(h, at);
}

static enum io cleaned_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct cleaned *c = CONTAINER_OF(b, struct cleaned, body);
    enum io io = body_read(c->inner, ret_piece, until);
    if (io == IO_EOF && c->inner->trailers) {
        drop_fitting(c->f, c->inner->trailers);
        b->trailers = c->inner->trailers;
    }
    return io;
}

static void cleaned_fini(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct cleaned, body)->inner);
}

static const struct body_ops cleaned_ops = {
    .name = "cleaned", .read = cleaned_read, .fini = cleaned_fini};

static enum err clean_trailers(const struct forward_auth *f, struct exchange *x)
{
    struct body *inner = x->req.body;
    // Behind a body of known length HTTP/1 has none (RFC 9112 6.5), and HTTP/2 may have them.
    if (!inner || (inner->length >= 0 && x->req.version < HTTP_2))
        return ERR_OK;
    struct cleaned *c = ARENA_NEW(x->mem, struct cleaned);
    if (!c)
        return ERR_LIMIT;
    *c = (struct cleaned){
        .body = {.ops = &cleaned_ops, .length = inner->length}, .inner = inner, .f = f};
    x->req.body = &c->body;
    return ERR_OK;
}

static bool is_listed(const struct forward_auth *f, struct str name)
{
    for (size_t i = 0; i < f->n_names; i++)
        if (str_ieq(f->names[i], name))
            return true;
    return f->regex && filter_field_fault(name, FILTER_REQUEST) == NULL &&
           regex_match(f->regex, name) == REGEX_YES;
}

enum err forward_auth_take_fields(const struct forward_auth *f, struct exchange *x,
                                  const struct headers *from)
{
    struct headers *to = &x->req.headers;
    for (size_t i = 0; i < f->n_names; i++)
        headers_remove_twins(to, f->names[i]);
    if (f->regex) {
        drop_fitting(f, to);
        if (clean_trailers(f, x) != ERR_OK)
            return ERR_LIMIT;
    }
    for (const struct field *at = headers_next(from, NULL); at; at = headers_next(from, at))
        if (is_listed(f, at->name) && headers_add_named(to, at->name, at->value) != ERR_OK)
            return ERR_LIMIT;
    return ERR_OK;
}
