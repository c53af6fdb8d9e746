// SPDX-License-Identifier: Apache-2.0
// A hand-made exchange for tests of what stands on http: rules, routers, filters.
#pragma once

#include "base/arena.h"
#include "codec/field.h"
#include "codec/h1.h"
#include "codec/ip.h"
#include "http/exchange.h"
#include "unit/test.h"

struct fixture {
    struct arena mem;
    struct exchange x;
};

// A request as the protocol drivers hand it on. query may be NULL.
static inline struct exchange *fixture_start(struct fixture *f, const char *method,
                                             const char *host, const char *path, const char *query)
{
    arena_init(&f->mem, 1 << 20, NULL, 0);
    struct exchange *x = &f->x;
    *x = (struct exchange){.mem = &f->mem};
    x->req.method = str_of(method);
    x->req.method_id = method_of(x->req.method);
    x->req.version = HTTP_1_1;
    x->req.scheme = STR("http");
    x->req.host = str_of(host);
    x->req.authority = x->req.host;
    x->req.path = str_of(path);
    x->req.target = x->req.path;
    x->req.query = str_of(query);
    x->req.has_query = query != NULL;
    x->request_id = STR("test-request-id");
    CHECK_INT(ip_parse(STR("192.0.2.7"), &x->client), ERR_OK);
    x->peer = x->client;
    headers_init(&x->req.headers, &f->mem);
    headers_init(&x->resp.headers, &f->mem);
    return x;
}

static inline void fixture_field(struct fixture *f, const char *name, const char *value)
{
    CHECK_INT(headers_add_named(&f->x.req.headers, str_of(name), str_of(value)), ERR_OK);
}

static inline void fixture_end(struct fixture *f)
{
    body_fini(f->x.resp.body);
    arena_fini(&f->mem);
}
