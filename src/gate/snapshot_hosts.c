// SPDX-License-Identifier: Apache-2.0
// Names in the rules of free routes: those that are asked for by TLS and belong to no site need
// certificates of their own.
#include "gate/snapshot_priv.h"

// A site with TLS has the name, or a wildcard for its first label.
static bool is_of_site(const struct builder *b, struct str name)
{
    const struct conf_map_item *site = map_get(&b->names, name);
    struct str parent;
    if (!site && str_cut(name, '.', NULL, &parent)) {
        char *wildcard = ARENA_ARRAY(&b->s->mem, char, parent.len + 2);
        size_t n = (size_t)(str_copy(str_copy(wildcard, STR("*.")), parent) - wildcard);
        site = map_get(&b->names, str_from(wildcard, n));
    }
    return site && ((const struct site_conf *)site->value)->tls.is_on;
}

static void add_host(struct builder *b, struct str name, const struct conf_texts *issuer)
{
    struct snapshot_host *h = ARENA_NEW(&b->s->mem, struct snapshot_host);
    *h = (struct snapshot_host){.name = name, .issuer = issuer};
    *b->hosts_end = h;
    b->hosts_end = &h->next;
    b->s->n_hosts++;
    map_set(&b->hosts, name, h);
}

static bool is_same(const struct conf_texts *a, const struct conf_texts *b)
{
    bool is_same = a->n == b->n;
    for (size_t i = 0; is_same && i < a->n; i++)
        is_same = str_eq(a->items[i].text, b->items[i].text);
    return is_same;
}

// Another route has named it before.
static void join(struct builder *b, struct snapshot_host *h, const struct conf_texts *issuer)
{
    if (issuer->n == 0)
        return;
    if (h->issuer->n == 0)
        h->issuer = issuer;
    else if (!is_same(h->issuer, issuer))
        diag_fail(b->diags, ERR_SYNTAX, issuer->items[0].place,
                  "'" STR_FMT "' has one certificate: here it is to be from '" STR_FMT
                  "'%s, in line %u from '" STR_FMT "'%s",
                  STR_ARG(h->name), STR_ARG(issuer->items[0].text),
                  issuer->n > 1 ? " and others" : "", h->issuer->items[0].place.line,
                  STR_ARG(h->issuer->items[0].text), h->issuer->n > 1 ? " and others" : "");
}

void snapshot_build_hosts(struct builder *b, const struct route_conf *r,
                          const struct conf_node *node, const struct rule *rule, uint64_t entries)
{
    struct str *names = NULL;
    size_t n = (entries & b->tls_entries) != 0 ? rule_names(rule, &b->s->mem, &names) : 0;
    const struct conf_texts *issuer = &r->tls.issuer;
    size_t n_free = 0;
    for (size_t i = 0; i < n; i++) {
        struct snapshot_host *h = map_get(&b->hosts, names[i]);
        bool is_free = !is_of_site(b, names[i]);
        if (h)
            join(b, h, issuer);
        else if (is_free)
            add_host(b, names[i], issuer);
        if (is_free)
            names[n_free++] = names[i];
    }
    if (issuer->n > 0 && n_free == 0)
        diag_warn(b->diags, issuer->items[0].place,
                  "'issuer' does nothing here: the rule has no Host that is no site's, or no "
                  "entrypoint of the route speaks TLS");
    if (r->tls.policy.place.source)
        snapshot_build_route_policies(b, conf_node_get(node, STR("tls")), names, n_free, entries);
}
