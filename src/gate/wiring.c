// SPDX-License-Identifier: Apache-2.0
#include "gate/wiring.h"

#include "base/assert.h"
#include "http/exchange.h"

static const struct filter_type *const filters[] = {
#define X(name) &filter_##name,
    FILTER_LIST(X)
#undef X
};

const struct conf_choice_type *const wiring_filter_choices[] = {
#define X(name) &filter_##name.choice,
    FILTER_LIST(X)
#undef X
        NULL,
};

const struct filter_type *wiring_filter(const struct conf_choice_type *choice)
{
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        if (&filters[i]->choice == choice)
            return filters[i];
    }
    panic("the filter '%s' is in the settings table only", choice->key);
}

const struct filter_type *wiring_preset(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        if (filters[i]->is_preset && str_eq(str_of(filters[i]->choice.key), key))
            return filters[i];
    }
    return NULL;
}

static enum err serve_nothing(const struct handler *h, struct exchange *x)
{
    trail_add(&x->trail, h->name, "nothing behind", STR_NONE);
    exchange_fail(x, 503, EXCHANGE_END_NO_SERVER,
                  "the route has no service, and no filter answered");
    return ERR_OK;
}

static const struct handler_type no_service_type = {.name = "no-service", .serve = serve_nothing};

const struct handler wiring_no_service = {
    .type = &no_service_type,
    .name = STR_INIT("no service"),
};
