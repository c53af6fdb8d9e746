// SPDX-License-Identifier: Apache-2.0
// Filters of a snapshot: the chains that routes and entrypoints have.
#include "filter/filter.h"
#include "gate/routing.h"
#include "gate/snapshot_priv.h"
#include "gate/wiring.h"

// The settings of a filter that is used by the name of its kind, with all defaults.
static const void *preset_settings(struct builder *b, const struct filter_type *type)
{
    const struct conf_section *section = type->choice.section;
    void *settings = arena_zalloc(&b->s->mem, 1, section->bytes, section->align);
    bool is_read =
        settings && conf_read(section, NULL, NULL, &b->s->mem, b->diags, settings) == ERR_OK;
    return is_read ? settings : NULL;
}

// The kind and the settings of the filter of this name. NULL with an error.
static const struct filter_type *find_filter(struct builder *b, const struct conf_text *use,
                                             const void **ret_settings)
{
    const struct conf_map *map = &b->s->settings.filters;
    for (size_t i = 0; i < map->n; i++) {
        const struct conf_choice *choice =
            &((const struct filter_conf *)map->items[i].value)->choice;
        if (!str_eq(map->items[i].name, use->text))
            continue;
        *ret_settings = choice->value;
        return choice->type ? wiring_filter(choice->type) : NULL; // NULL: an error already
    }
    const struct filter_type *preset = wiring_preset(use->text);
    if (preset) {
        *ret_settings = preset_settings(b, preset);
        return *ret_settings ? preset : NULL;
    }
    diag_fail(b->diags, ERR_NOT_FOUND, use->place,
              "there is no filter '" STR_FMT "' under 'filters'", STR_ARG(use->text));
    return NULL;
}

bool snapshot_keeps_strangers_out(struct builder *b, const struct conf_texts *use)
{
    const struct conf_map *map = &b->s->settings.filters;
    for (size_t i = 0; i < use->n; i++) {
        for (size_t k = 0; k < map->n; k++) {
            const struct conf_choice *choice =
                &((const struct filter_conf *)map->items[k].value)->choice;
            if (str_eq(map->items[k].name, use->items[i].text) && choice->type &&
                wiring_filter(choice->type)->asks_who)
                return true;
        }
    }
    return false;
}

// One named filter in front of next. NULL with an error.
static const struct handler *build_filter(struct builder *b, const struct conf_text *use,
                                          const struct handler *next)
{
    const struct filter_env env = snapshot_filter_env(b);
    const void *settings;
    const struct filter_type *type = find_filter(b, use, &settings);
    struct handler *h = type ? type->build(use->text, settings, next, &env) : NULL;
    if (h)
        snapshot_remember(b, &b->s->all_filters, h);
    return h;
}

const struct handler *snapshot_build_filters(struct builder *b, const struct conf_texts *use,
                                             const struct handler *next)
{
    for (size_t i = use->n; i-- > 0;) {
        const struct handler *h = build_filter(b, &use->items[i], next);
        if (h)
            next = h;
    }
    return next;
}

void snapshot_build_entry_filters(struct builder *b)
{
    struct snapshot *s = b->s;
    const struct conf_map *map = &s->settings.entrypoints;
    s->entry_chains = ARENA_ARRAY(&s->mem, const struct handler *, s->n_entries + 1);
    for (unsigned i = 0; i < s->n_entries; i++) {
        const struct entrypoint_conf *c = map->items[i].value;
        s->entry_chains[i] = snapshot_build_filters(b, &c->use, &routing_handler);
        if (c->use.n > 0 && c->protocol == ENTRYPOINT_TCP)
            diag_fail(b->diags, ERR_SYNTAX, c->use.items[0].place,
                      "the entrypoint '" STR_FMT "' has 'protocol: tcp', so there are no requests "
                      "to filter",
                      STR_ARG(map->items[i].name));
    }
}

void snapshot_check_filters(struct builder *b)
{
    const struct conf_map *map = &b->s->settings.filters;
    struct filter_env env = snapshot_filter_env(b);
    env.offload = NULL; // nothing is served by these
    env.states = NULL;
    for (size_t i = 0; i < map->n; i++) {
        const struct conf_choice *choice =
            &((const struct filter_conf *)map->items[i].value)->choice;
        if (!choice->type)
            continue;
        struct handler *h =
            wiring_filter(choice->type)
                ->build(map->items[i].name, choice->value, &wiring_no_service, &env);
        if (h && h->type->fini)
            h->type->fini(h);
    }
}

void snapshot_reserve_fields(struct builder *b)
{
    static const struct str always[] = {STR_INIT("Client-Cert"), STR_INIT("Client-Cert-Chain")};
    struct snapshot *s = b->s;
    const struct conf_map *map = &s->settings.filters;
    size_t cap = ARRAY_LEN(always) + map->n * FILTER_RESERVED_MAX;
    struct str *names = ARENA_ARRAY(&s->mem, struct str, cap);
    struct http_reserved *reserved = ARENA_NEW(&s->mem, struct http_reserved);
    memcpy(names, always, sizeof always);
    reserved->names = names;
    reserved->n = ARRAY_LEN(always);
    for (size_t i = 0; i < map->n; i++) {
        const struct conf_choice *choice =
            &((const struct filter_conf *)map->items[i].value)->choice;
        const struct filter_type *type = choice->type ? wiring_filter(choice->type) : NULL;
        if (type && type->reserved)
            reserved->n += type->reserved(choice->value, names + reserved->n);
    }
    for (size_t i = 0; i < reserved->n; i++)
        reserved->lengths |= (uint64_t)1 << (names[i].len & 63);
    for (unsigned i = 0; i < s->n_entries; i++)
        s->entries[i].reserved = reserved;
}

void snapshot_count_filters(struct builder *b)
{
    struct snapshot *s = b->s;
    const struct conf_map *map = &s->settings.filters;
    for (size_t i = 0; s->meters.n > 0 && i < map->n; i++) {
        uint32_t place =
            meter_list_place(&s->meters, METER_FILTER, map->items[i].name, STR_NONE, STR_NONE);
        map_set(&s->filter_meters, map->items[i].name, s->meters.items[place]);
    }
}
