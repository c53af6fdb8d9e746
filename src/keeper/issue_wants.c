// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/mem.h"
#include "keeper/issue_priv.h"

#define WISH_MEM_BYTES ((size_t)256 << 20)

static void *must(void *array)
{
    if (!array)
        panic("the settings want more certificates than fit");
    return array;
}

static struct str *copy_texts(struct arena *mem, const struct str *texts, size_t n)
{
    struct str *copy = must(ARENA_ARRAY(mem, struct str, n + 1));
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_dup(mem, texts[i]);
    return copy;
}

static void copy_issuer(struct arena *mem, const struct issue_issuer *from, struct issue_issuer *to)
{
    *to = *from;
    to->name = arena_dup(mem, from->name);
    to->directory = arena_dup(mem, from->directory);
    to->contacts = copy_texts(mem, from->contacts, from->n_contacts);
    to->profile = arena_dup(mem, from->profile);
    to->preferred_chain = arena_dup(mem, from->preferred_chain);
    to->ca_pem = arena_dup(mem, from->ca_pem);
    to->eab_kid = arena_dup(mem, from->eab_kid);
    to->eab_key = arena_dup(mem, from->eab_key);
    to->dns_hook = arena_dup(mem, from->dns_hook);
    to->dns_update.server = arena_dup(mem, from->dns_update.server);
    to->dns_update.zone = arena_dup(mem, from->dns_update.zone);
    to->dns_update.key_name = arena_dup(mem, from->dns_update.key_name);
    to->dns_update.secret_base64 = arena_dup(mem, from->dns_update.secret_base64);
    to->dns_resolver = arena_dup(mem, from->dns_resolver);
    to->dns_servers = copy_texts(mem, from->dns_servers, from->n_dns_servers);
}

const struct issue_issuer *issue_wants_issuer(const struct issue_wants *w, struct str name)
{
    for (size_t i = 0; w && i < w->n_issuers; i++) {
        if (str_eq(w->issuers[i].name, name))
            return &w->issuers[i];
    }
    return NULL;
}

// Those of the need's sources that settings have.
static void add_sources(struct issue_wants *w, const struct issue_need *need,
                        struct issue_item *item)
{
    struct issue_source *sources =
        must(ARENA_ARRAY(&w->mem, struct issue_source, need->n_sources + 1));
    item->attempts = must(ARENA_ARRAY(&w->mem, struct issue_attempt, need->n_sources + 1));
    item->need.sources = sources;
    for (size_t i = 0; i < MIN(need->n_sources, (size_t)ISSUE_SOURCES_MAX); i++) {
        const struct issue_issuer *issuer = issue_wants_issuer(w, need->sources[i].issuer);
        size_t n = item->need.n_sources;
        if (!issuer)
            continue;
        sources[n] = (struct issue_source){.issuer = issuer->name, .directory = issuer->directory};
        item->attempts[n] = (struct issue_attempt){.issuer = issuer};
        item->need.n_sources++;
    }
}

static void add_item(struct issue_wants *w, const struct issue_need *need)
{
    struct issue_item *item = &w->items[w->n_items];
    *item = (struct issue_item){.why = ""};
    add_sources(w, need, item);
    if (item->need.n_sources == 0 || map_get(&w->ids, need->id))
        return;
    item->need.id = arena_dup(&w->mem, need->id);
    item->need.names = copy_texts(&w->mem, need->names, need->n_names);
    item->need.n_names = need->n_names;
    map_set(&w->ids, item->need.id, item);
    w->n_items++;
}

struct issue_wants *issue_wants_new(const struct issue_wish *wish)
{
    struct issue_wants *w = MEM_NEW(struct issue_wants);
    w->refs = 1;
    arena_init(&w->mem, WISH_MEM_BYTES, NULL, 0);
    w->issuers = must(ARENA_ARRAY(&w->mem, struct issue_issuer, wish->n_issuers + 1));
    w->items = must(ARENA_ARRAY(&w->mem, struct issue_item, wish->n_needs + 1));
    for (size_t i = 0; i < wish->n_issuers; i++)
        copy_issuer(&w->mem, &wish->issuers[i], &w->issuers[w->n_issuers++]);
    for (size_t i = 0; i < wish->n_needs; i++)
        add_item(w, &wish->needs[i]);
    return w;
}

void issue_wants_free(struct issue_wants *w)
{
    map_fini(&w->ids);
    arena_wipe(&w->mem); // keys of external accounts and name servers
    mem_free(w);
}

struct issue_item *issue_wants_find(const struct issue_wants *w, struct str id)
{
    return w ? map_get(&w->ids, id) : NULL;
}

static bool is_same_issuer(const struct issue_issuer *a, const struct issue_issuer *b)
{
    return str_eq(a->name, b->name) && str_eq(a->directory, b->directory);
}

struct issue_attempt *issue_wants_attempt(const struct issue_item *item,
                                          const struct issue_issuer *issuer)
{
    for (size_t i = 0; i < item->need.n_sources; i++) {
        if (is_same_issuer(item->attempts[i].issuer, issuer))
            return &item->attempts[i];
    }
    return NULL;
}

const struct issue_issuer *issue_wants_signer(const struct issue_wants *w,
                                              const struct issue_item *item,
                                              const struct certs_meta *meta)
{
    size_t k = issue_signer(&item->need, meta);
    if (k < item->need.n_sources)
        return item->attempts[k].issuer;
    for (size_t i = 0; i < w->n_issuers; i++) {
        const struct issue_source source = {.issuer = w->issuers[i].name,
                                            .directory = w->issuers[i].directory};
        if (issue_is_from(&source, meta))
            return &w->issuers[i];
    }
    return NULL;
}

void issue_wants_take_over(struct issue_item *item, const struct issue_item *was)
{
    const struct issue_item is = *item;
    *item = *was;
    item->need = is.need;
    item->attempts = is.attempts;
    item->turn = 0;
    for (size_t i = 0; i < was->need.n_sources; i++) {
        struct issue_attempt *now = issue_wants_attempt(item, was->attempts[i].issuer);
        if (!now)
            continue;
        const struct issue_issuer *issuer = now->issuer;
        *now = was->attempts[i];
        now->issuer = issuer;
        if (i == was->turn)
            item->turn = (size_t)(now - item->attempts);
    }
    if (item->has_next)
        item->next.id = is.need.id;
}

bool issue_wants_is_same(const struct issue_item *a, const struct issue_item *b)
{
    bool is_same = a->need.n_names == b->need.n_names && a->need.n_sources == b->need.n_sources;
    for (size_t n = 0; is_same && n < a->need.n_names; n++)
        is_same = str_eq(a->need.names[n], b->need.names[n]);
    for (size_t n = 0; is_same && n < a->need.n_sources; n++)
        is_same = is_same_issuer(a->attempts[n].issuer, b->attempts[n].issuer);
    return is_same;
}
