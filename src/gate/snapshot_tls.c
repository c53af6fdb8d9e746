// SPDX-License-Identifier: Apache-2.0
// TLS of a snapshot: the policies of entrypoints, and those of sites with words of their own.
#include "base/text.h"
#include "gate/snapshot_priv.h"

// Policies with the same settings are one: ten thousand sites may say the same.
static void put_texts(struct text *key, const struct conf_texts *list)
{
    for (size_t i = 0; i < list->n; i++) {
        text_put(key, list->items[i].text);
        text_byte(key, ':');
    }
    text_byte(key, '\n');
}

static struct str key_of(const struct tls_conf *c, struct arena *mem)
{
    struct text key = {.ptr = NULL};
    text_printf(&key, "%u %u %u %u %d %d\n", c->preset, c->min, c->max, c->client_auth, c->tickets,
                c->early_data);
    put_texts(&key, &c->ciphers);
    put_texts(&key, &c->suites);
    put_texts(&key, &c->groups);
    if (c->client_auth != TLS_CLIENT_AUTH_NONE) {
        text_printf(&key, "%zu\n", c->client_ca.content.len);
        text_put(&key, c->client_ca.content);
        text_put(&key, c->client_crl.content);
    }
    struct str copy = arena_dup(mem, text_str(&key));
    text_fini(&key);
    return copy;
}

static void own_policy(struct snapshot *s, struct tls_policy *p, size_t *cap)
{
    if (s->n_policies == *cap) {
        size_t bigger_cap = MAX(*cap * 2, (size_t)8);
        struct tls_policy **bigger = ARENA_ARRAY(&s->mem, struct tls_policy *, bigger_cap);
        if (s->n_policies > 0)
            memcpy(bigger, s->policies, s->n_policies * sizeof(struct tls_policy *));
        s->policies = bigger;
        *cap = bigger_cap;
    }
    s->policies[s->n_policies++] = p;
}

// NULL with an error.
static struct tls_policy *build_policy(struct builder *b, const struct tls_conf *conf)
{
    struct str key = key_of(conf, &b->s->mem);
    struct tls_policy *p = map_get(&b->policies, key);
    if (p)
        return p;
    p = tls_policy_build(conf, b->diags);
    if (!p)
        return NULL;
    own_policy(b->s, p, &b->policies_cap);
    map_set(&b->policies, key, p);
    return p;
}

void snapshot_build_doors(struct builder *b)
{
    struct snapshot *s = b->s;
    const struct conf_map *map = &s->settings.entrypoints;
    for (unsigned i = 0; i < s->n_entries; i++) {
        const struct entry_tls_conf *c = &((struct entrypoint_conf *)map->items[i].value)->tls;
        if (!c->is_on)
            continue;
        if (!s->doors)
            s->doors = (struct door_conf *)arena_zalloc(&s->mem, s->n_entries, sizeof *s->doors,
                                                        alignof(struct door_conf));
        s->doors[i].policy = build_policy(b, &c->policy);
        s->doors[i].strict_sni = c->strict_sni;
        s->doors[i].http2 = ((struct entrypoint_conf *)map->items[i].value)->http2;
        s->doors[i].handshake_ms = c->handshake_ms;
        s->entries[i].is_tls = true;
        b->tls_entries |= (uint64_t)1 << i;
    }
}

// Certificates and their issuer are everybody's; all else makes a policy of its own.
static const struct conf_node *own_word(const struct conf_node *tls)
{
    if (!tls || tls->kind != CONF_NODE_MAP)
        return NULL;
    for (const struct conf_node *n = tls->first; n; n = n->next) {
        if (!str_eq(n->key, STR("certificates")) && !str_eq(n->key, STR("issuer")) &&
            !str_eq(n->key, STR("on-demand")))
            return n;
    }
    return NULL;
}

// The site's words over the entrypoint's.
static void add_policy(struct builder *b, const struct snapshot_site *site,
                       const struct conf_node *tls, unsigned entry)
{
    struct snapshot *s = b->s;
    const struct entrypoint_conf *e = s->settings.entrypoints.items[entry].value;
    const struct site_tls_conf parent = {.is_on = true, .policy = e->tls.policy};
    struct site_tls_conf merged;
    if (conf_read(&site_tls_section, tls, &parent, &s->mem, b->diags, &merged) != ERR_OK)
        return;
    struct tls_policy *policy = build_policy(b, &merged.policy);
    if (!policy || policy == s->doors[entry].policy)
        return;
    for (size_t i = 0; i < site->n_names; i++)
        map_set(&s->doors[entry].policies, site->names[i], policy);
}

void snapshot_build_site_policies(struct builder *b)
{
    struct snapshot *s = b->s;
    const struct conf_node *sites = conf_node_get(b->root, STR("sites"));
    size_t i = 0;
    if (!s->doors || !sites)
        return;
    for (const struct conf_node *node = sites->first; node && i < s->n_sites; node = node->next) {
        const struct snapshot_site *site = &s->sites[i];
        if (site->item->name.ptr != node->key.ptr)
            continue; // an error: there is no site of this name
        i++;
        const struct conf_node *tls = conf_node_get(node, STR("tls"));
        if (!own_word(tls))
            continue;
        for (unsigned entry = 0; entry < s->n_entries; entry++) {
            if ((site->tls_entries >> entry & 1) != 0)
                add_policy(b, site, tls, entry);
        }
    }
}

static void add_route_policy(struct builder *b, const struct conf_node *tls,
                             const struct str *names, size_t n, unsigned entry)
{
    struct snapshot *s = b->s;
    const struct entrypoint_conf *e = s->settings.entrypoints.items[entry].value;
    const struct route_tls_conf parent = {.policy = e->tls.policy};
    struct route_tls_conf merged;
    if (conf_read(&route_tls_section, tls, &parent, &s->mem, b->diags, &merged) != ERR_OK)
        return;
    struct tls_policy *policy = build_policy(b, &merged.policy);
    for (size_t i = 0; policy && i < n; i++) {
        const struct tls_policy *other = map_set(&s->doors[entry].policies, names[i], policy);
        if (other && other != policy)
            diag_fail(b->diags, ERR_SYNTAX, tls->place,
                      "'" STR_FMT "' has one kind of TLS, and another route says other things "
                      "of it: say the same in both, or say it in one",
                      STR_ARG(names[i]));
    }
}

void snapshot_build_route_policies(struct builder *b, const struct conf_node *tls,
                                   const struct str *names, size_t n, uint64_t entries)
{
    const struct conf_node *word = own_word(tls);
    if (!word || !b->s->doors)
        return;
    if (n == 0) // a client's certificate would be asked of nobody
        diag_fail(b->diags, ERR_SYNTAX, word->place,
                  "'" STR_FMT "' would do nothing: the rule has no Host that is no site's, or no "
                  "entrypoint of the route speaks TLS",
                  STR_ARG(word->key));
    for (unsigned entry = 0; entry < b->s->n_entries; entry++) {
        if (((entries & b->tls_entries) >> entry & 1) != 0)
            add_route_policy(b, tls, names, n, entry);
    }
}
