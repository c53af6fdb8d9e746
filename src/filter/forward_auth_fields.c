// SPDX-License-Identifier: Apache-2.0
// What servers are to believe because the auth server has said it.
#include "filter/forward_auth.h"

#include "filter/trailers.h"

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

// Of the names that filters reserve, trailers are rid already; not of those that only the
// expression knows.
static void clean_trailers(const void *f, struct headers *trailers)
{
    drop_fitting(f, trailers);
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
        if (filter_clean_trailers(x, clean_trailers, f) != ERR_OK)
            return ERR_LIMIT;
    }
    for (const struct field *at = headers_next(from, NULL); at; at = headers_next(from, at))
        if (is_listed(f, at->name) && headers_add_named(to, at->name, at->value) != ERR_OK)
            return ERR_LIMIT;
    return ERR_OK;
}
