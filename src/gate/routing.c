// SPDX-License-Identifier: Apache-2.0
#include "gate/routing.h"

#include "gate/snapshot.h"
#include "http/exchange.h"

static enum err serve(const struct handler *h, struct exchange *x)
{
    (void)h;
    const struct snapshot *s = x->snapshot;
    const struct route *route = router_find(s->router, (unsigned)(x->entry - s->entries), x);
    if (!route) {
        trail_add(&x->trail, STR("router"), "no route", STR_NONE);
        exchange_fail(x, 404, EXCHANGE_END_NO_ROUTE, "no route matches " STR_FMT STR_FMT,
                      STR_ARG(x->req.host), STR_ARG(x->req.path));
        return ERR_OK;
    }
    x->meter = route->meter;
    x->route_name = route->name;
    x->service_name = route->service_name;
    trail_add(&x->trail, STR("route"), "matched", route->name);
    return handler_serve(route->handler, x);
}

static const struct handler_type type = {.name = "router", .serve = serve};

const struct handler routing_handler = {.type = &type, .name = STR_INIT("router")};
