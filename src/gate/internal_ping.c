// SPDX-License-Identifier: Apache-2.0
// ping@internal: tells balancers in front whether to send clients here.
#include "gate/insight.h"
#include "gate/internal.h"
#include "gate/worker.h"
#include "http/exchange.h"

static enum err serve(const struct handler *h, struct exchange *x)
{
    if (!internal_is_read(h, x))
        return ERR_OK;
    bool ends = insight_is_ending(worker_insight(x->env));
    trail_add(&x->trail, h->name, "answered", ends ? STR("stopping") : STR("OK"));
    enum err err = exchange_respond(x, ends ? 503 : 200, STR("text/plain; charset=utf-8"),
                                    ends ? STR("Service Unavailable") : STR("OK"));
    if (err != ERR_OK ||
        headers_add(&x->resp.headers, FIELD_CACHE_CONTROL, STR("no-store")) != ERR_OK)
        internal_fail(h, x, "the memory of the exchange is used up");
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    (void)h;
    (void)x;
    return STR("answers 200, and 503 while the proxy is stopping");
}

static const struct handler_type type = {
    .name = "ping@internal", .serve = serve, .explain = explain};

const struct internal_type internal_ping = {
    .handler = {.type = &type, .name = STR_INIT("ping@internal")},
    .doc = "`OK` with status 200, and 503 while the proxy is stopping: for balancers in front",
};
