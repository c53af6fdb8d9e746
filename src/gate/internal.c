// SPDX-License-Identifier: Apache-2.0
#include "gate/internal.h"

#include "http/exchange.h"

const struct internal_type *const internal_types[] = {
#define X(name) &internal_##name,
    INTERNAL_LIST(X)
#undef X
        NULL,
};

bool internal_is_name(struct str name)
{
    return str_ends(name, STR(INTERNAL_SUFFIX));
}

const struct internal_type *internal_find(struct str name)
{
    for (size_t i = 0; internal_types[i]; i++)
        if (str_eq(internal_types[i]->handler.name, name))
            return internal_types[i];
    return NULL;
}

bool internal_is_read(const struct handler *h, struct exchange *x)
{
    x->trace = NULL; // what is asked of us alone is part of nobody's trace
    if (x->req.method_id == METHOD_GET || x->req.method_id == METHOD_HEAD)
        return true;
    trail_add(&x->trail, h->name, "refused", x->req.method);
    exchange_fail(x, 405, EXCHANGE_END_FILTERED, STR_FMT ": it can only be read", STR_ARG(h->name));
    if (headers_add(&x->resp.headers, FIELD_ALLOW, STR("GET, HEAD")) != ERR_OK)
        exchange_fail(x, 503, EXCHANGE_END_RESOURCES, "the memory of the exchange is used up");
    return false;
}

void internal_fail(const struct handler *h, struct exchange *x, const char *why)
{
    trail_add(&x->trail, h->name, "failed", str_of(why));
    exchange_fail(x, 503, EXCHANGE_END_RESOURCES, STR_FMT ": %s", STR_ARG(h->name), why);
}
