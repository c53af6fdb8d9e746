// SPDX-License-Identifier: Apache-2.0
// Services for filters, which ask them by themselves.
#include "gate/snapshot_priv.h"
#include "upstream/service.h"

const char *snapshot_service_fault(const struct handler *service)
{
    if (service_protocol(service) == SERVER_TCP)
        return "servers for TCP routes (tcp://)";
    if (service_proxy_protocol(service) != SERVICE_PROXY_PROTOCOL_OFF)
        return "'proxy-protocol', which is for TCP routes";
    return NULL;
}

static const struct handler *find(struct filter_services *s, const struct conf_text *to)
{
    struct builder *b = CONTAINER_OF(s, struct builder, services);
    const struct handler *known = map_get(&b->asked, to->text);
    if (known)
        return known;
    const struct conf_texts one = {.items = (struct conf_text *)(uintptr_t)to, .n = 1};
    const struct handler *service = snapshot_service_of(b, &one);
    const char *why = service ? snapshot_service_fault(service) : NULL;
    if (why) {
        diag_fail(b->diags, ERR_SYNTAX, to->place,
                  "'" STR_FMT "' has %s, and the filter makes requests", STR_ARG(to->text), why);
        return NULL;
    }
    if (service)
        map_set(&b->asked, to->text, (void *)(uintptr_t)service);
    return service;
}

struct filter_env snapshot_filter_env(struct builder *b)
{
    b->services.find = find;
    return (struct filter_env){
        .mem = &b->s->mem,
        .diags = b->diags,
        .offload = b->env->offload,
        .states = b->env->states,
        .services = &b->services,
        .geo = &b->s->geo,
    };
}
