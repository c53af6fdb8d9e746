// SPDX-License-Identifier: Apache-2.0
// Certificates on demand, as a snapshot's doors need them.
#include "codec/idna.h"
#include "gate/snapshot_priv.h"

static void read_allow(struct builder *b, struct demand_rules *r)
{
    const struct conf_texts *list = &b->s->settings.on_demand.allow;
    struct str *allow = ARENA_ARRAY(&b->s->mem, struct str, list->n + 1);
    const char *why;
    for (size_t i = 0; i < list->n; i++) // checked while it was read
        r->n_allow += idna_to_ascii(list->items[i].text, &b->s->mem, &allow[r->n_allow], &why) == 0;
    r->allow = allow;
}

// The site has said so, which is for its wildcards.
static void add_site(struct builder *b, const struct snapshot_site *site)
{
    const struct site_conf *conf = site->item->value;
    bool has_wildcard = false;
    if (!conf->tls.on_demand)
        return;
    for (size_t i = 0; i < site->n_names; i++) {
        if (!str_starts(site->names[i], STR("*.")))
            continue;
        has_wildcard = true;
        if (b->s->demand)
            map_set(&b->s->demand->wildcards, str_skip(site->names[i], 2), b->s);
    }
    if (!b->s->demand)
        diag_fail(b->diags, ERR_SYNTAX, site->item->place,
                  "the site '" STR_FMT "' has 'on-demand: on', but the setting 'on-demand' of the "
                  "whole doesn't say who may have certificates: give it 'allow' or 'ask'",
                  STR_ARG(site->item->name));
    else if (!has_wildcard)
        diag_warn(b->diags, site->item->place,
                  "'on-demand' does nothing for the site '" STR_FMT "': none of its names begins "
                  "with '*.'",
                  STR_ARG(site->item->name));
}

void snapshot_build_demand(struct builder *b)
{
    struct snapshot *s = b->s;
    const struct demand_conf *c = &s->settings.on_demand;
    if (c->is_on && s->doors) {
        s->demand = ARENA_NEW(&s->mem, struct demand_rules);
        s->demand->wait_ms = c->wait_ms;
        read_allow(b, s->demand);
    }
    for (size_t i = 0; i < s->n_sites; i++)
        add_site(b, &s->sites[i]);
    for (unsigned i = 0; s->demand && i < s->n_entries; i++)
        s->doors[i].demand = s->demand;
}
