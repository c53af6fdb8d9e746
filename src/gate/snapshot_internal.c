// SPDX-License-Identifier: Apache-2.0
// Routes that lead to internal services: finding these, and telling when strangers reach what isn't
// for everybody.
#include "gate/internal.h"
#include "gate/snapshot_priv.h"

// "api@internal, ping@internal".
static struct str all_names(struct arena *mem)
{
    struct str names = STR_NONE;
    for (size_t i = 0; internal_types[i]; i++)
        names =
            arena_concat(mem, names, i > 0 ? STR(", ") : STR_NONE, internal_types[i]->handler.name);
    return names;
}

const struct internal_type *snapshot_internal_of(struct builder *b, const struct conf_texts *to)
{
    const struct internal_type *type = internal_find(to->items[0].text);
    if (!type)
        diag_fail(b->diags, ERR_NOT_FOUND, to->items[0].place,
                  "there is no internal service '" STR_FMT "'; those that are: " STR_FMT,
                  STR_ARG(to->items[0].text), STR_ARG(all_names(&b->s->mem)));
    return type;
}

void snapshot_check_service_names(struct builder *b)
{
    const struct conf_map *map = &b->s->settings.services;
    for (size_t i = 0; i < map->n; i++)
        if (internal_is_name(map->items[i].name))
            diag_fail(b->diags, ERR_SYNTAX, map->items[i].place,
                      "'" STR_FMT "' can't be a service's name: those that end with "
                      "'" INTERNAL_SUFFIX "' are answered by the proxy itself",
                      STR_ARG(map->items[i].name));
}

static bool is_open_entry(struct builder *b, unsigned i)
{
    const struct entrypoint_conf *c = b->s->settings.entrypoints.items[i].value;
    struct listen_addr addr;
    return !(listen_parse(&c->listen, NULL, &addr) == ERR_OK && ip_is_loopback(&addr.ip)) &&
           !snapshot_keeps_strangers_out(b, &c->use);
}

void snapshot_warn_if_open(struct builder *b, const struct internal_type *type, struct str route,
                           struct place place, uint64_t entries)
{
    if (!type->is_private)
        return;
    for (unsigned i = 0; i < b->s->n_entries; i++) {
        if ((entries & (uint64_t)1 << i) == 0 || !is_open_entry(b, i))
            continue;
        diag_warn(b->diags, place,
                  "whoever reaches the entrypoint '" STR_FMT "' can read '" STR_FMT
                  "' by the route '" STR_FMT "'; put a filter in front of it in 'use' that asks "
                  "who comes (basic-auth, forward-auth, jwt, client-cert) or from where (allow)",
                  STR_ARG(b->s->entries[i].name), STR_ARG(type->handler.name), STR_ARG(route));
        return;
    }
}
