// SPDX-License-Identifier: Apache-2.0
// Paths and queries of any text through rewriting and redirects by expression: what reaches a
// server is canonical, has no dot segments and nothing that ends a request line; a Location leads
// to where the template says.
#include <stdlib.h>

#include "base/ascii.h"
#include "codec/url.h"
#include "unit/filter/fixture.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct filter_fixture by_path, by_query, redirect;

static bool is_target(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_TARGET) || s.ptr[i] == '#')
            return false;
    return true;
}

// The request of the input; NULL: it would have been refused.
static struct exchange *start(struct fixture *e, struct str target)
{
    static const struct url_path_policy policy;
    struct url_target t;
    struct exchange *x = fixture_start(e, "GET", "a.example", "/", NULL);
    if (url_target_parse(target, false, &t) == ERR_OK && t.form == URL_ORIGIN &&
        url_path_canon(t.path, &policy, x->mem, &x->req.path) == ERR_OK) {
        x->req.query = t.query;
        x->req.has_query = t.has_query;
        return x;
    }
    fixture_end(e);
    return NULL;
}

static void rewrite(struct filter_fixture *f, struct str target)
{
    static const struct url_path_policy policy;
    struct fixture e;
    struct exchange *x = start(&e, target);
    if (!x)
        return;
    unsigned n = f->server.n_served;
    MUST(handler_serve(f->filter, x) == ERR_OK);
    if (f->server.n_served == n) {
        MUST(x->resp.status == 400 || x->resp.status == 503);
    } else {
        struct str again;
        MUST(url_path_canon(x->req.path, &policy, x->mem, &again) == ERR_OK);
        MUST(str_eq(again, x->req.path) && !url_path_has_dots(again));
        MUST(is_target(again) && is_target(x->req.query));
        MUST(x->req.has_query || x->req.query.len == 0);
    }
    fixture_end(&e);
}

static void lead(struct str target)
{
    struct fixture e;
    struct exchange *x = start(&e, target);
    if (!x)
        return;
    MUST(handler_serve(redirect.filter, x) == ERR_OK);
    struct str url = headers_get(&x->resp.headers, FIELD_LOCATION);
    MUST(x->resp.status == 301 || x->resp.status == 400 || x->resp.status == 200);
    MUST((x->resp.status == 301) == (url.len > 0));
    // A page of this site: no other host, as browsers read it.
    if (url.len > 0)
        MUST(is_target(url) && url.ptr[0] == '/' && !str_starts(url, STR("//")) &&
             !str_starts(url, STR("/\\")));
    fixture_end(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!redirect.filter) {
        filter_start(&by_path, &filter_rewrite, "{ from: '/a(.*?)b', to: '/x/$1?q=$1' }", NULL);
        filter_start(&by_query, &filter_rewrite,
                     "{ from: '^(.*)\\?p=(.*)$', to: '/f/$2$1', with-query: yes }", NULL);
        filter_start(&redirect, &filter_redirect,
                     "{ from: '^/r(.*)$', of: path-and-query, to: '/$1' }", NULL);
    }
    if (size == 0 || size > 2000)
        return 0;
    struct str target = str_from((const char *)data, size);
    rewrite(&by_path, target);
    rewrite(&by_query, target);
    lead(target);
    return 0;
}
