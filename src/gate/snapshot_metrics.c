// SPDX-License-Identifier: Apache-2.0
// The entrypoint of `metrics: { listen }`: it is added to those of the settings, no route leads
// there by default, and its own asks where clients come from.
#include "gate/snapshot_priv.h"

#define ENTRY_NAME STR("metrics")
#define PATH_RULE STR("Path(`/metrics`)")

void snapshot_add_metrics_entrypoint(struct builder *b)
{
    struct arena *mem = &b->s->mem;
    const struct metrics_conf *c = &b->s->settings.metrics;
    struct conf_map *map = &b->s->settings.entrypoints;
    if (c->listen.text.len == 0)
        return;
    for (size_t i = 0; i < map->n; i++) {
        if (str_eq(map->items[i].name, ENTRY_NAME)) {
            diag_fail(b->diags, ERR_SYNTAX, map->items[i].place,
                      "'metrics' has an entrypoint of this name already, because of its 'listen' "
                      "(line %u); call this one otherwise",
                      c->listen.place.line);
            return;
        }
    }
    struct conf_node *node = conf_node_new(mem, CONF_NODE_MAP, c->listen.place);
    conf_node_put(node, STR("listen"), conf_node_scalar(mem, c->listen.text, c->listen.place));
    struct entrypoint_conf *entry = ARENA_NEW(mem, struct entrypoint_conf);
    if (conf_read(&entrypoint_section, node, NULL, mem, b->diags, entry) != ERR_OK)
        return;
    struct conf_map_item *items = ARENA_ARRAY(mem, struct conf_map_item, map->n + 1);
    memcpy(items, map->items, map->n * sizeof *items);
    items[map->n] =
        (struct conf_map_item){.name = ENTRY_NAME, .place = c->listen.place, .value = entry};
    b->metrics_entry = (uint64_t)1 << (map->n & 63);
    map->items = items;
    map->n++;
}

// In front of what is told: who may ask. NULL with an error.
static const struct handler *build_allow(struct builder *b, const struct handler *next)
{
    static const struct str loopback[] = {STR_INIT("127.0.0.0/8"), STR_INIT("::1")};
    struct arena *mem = &b->s->mem;
    const struct metrics_conf *c = &b->s->settings.metrics;
    struct conf_node *from = conf_node_new(mem, CONF_NODE_SEQ, c->place);
    for (size_t i = 0; i < c->from.n; i++)
        conf_node_append(from,
                         conf_node_scalar(mem, c->from.items[i].text, c->from.items[i].place));
    for (size_t i = 0; c->from.n == 0 && i < ARRAY_LEN(loopback); i++)
        conf_node_append(from, conf_node_scalar(mem, loopback[i], c->place));
    const struct conf_section *section = filter_allow.choice.section;
    void *settings = arena_zalloc(mem, 1, section->bytes, section->align);
    const struct filter_env env = snapshot_filter_env(b);
    if (conf_read(section, from, NULL, mem, b->diags, settings) != ERR_OK)
        return NULL;
    struct handler *h = filter_allow.build(STR("metrics"), settings, next, &env);
    if (h)
        snapshot_remember(b, &b->s->all_filters, h);
    return h;
}

void snapshot_add_metrics_route(struct builder *b)
{
    struct place place = b->s->settings.metrics.place;
    if (b->metrics_entry == 0)
        return;
    const struct handler *h = build_allow(b, &internal_metrics.handler);
    struct rule *rule = rule_parse(PATH_RULE, place, &b->s->mem, b->diags);
    if (!h || !rule)
        return;
    snapshot_put_route(
        b, &(struct route){
               .name = internal_metrics.handler.name,
               .place = place,
               .rule_text = PATH_RULE,
               .rule = rule,
               .entries = b->metrics_entry,
               .handler = h,
               .service_name = internal_metrics.handler.name,
               .meter = meter_list_place(&b->s->meters, METER_ROUTE, internal_metrics.handler.name,
                                         STR_NONE, internal_metrics.handler.name),
           });
}
