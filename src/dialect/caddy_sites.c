// SPDX-License-Identifier: Apache-2.0
// Addresses of blocks as sites, or as routes of none where a site has the name already. Those with
// TLS come first: plain requests for their names are part of them, unless a block is for these.
#include "base/num.h"
#include "dialect/caddy_priv.h"

#define PRIORITY_HOST 3000000
#define PRIORITY_WILD 2000

struct address {
    struct caddy_line *block;
    struct str host, port;
    bool is_tls, is_wild, is_done;
    bool has_plain; // a block of its own for plain requests
};

struct addresses {
    struct address *all;
    size_t n, cap;
};

static bool has_tls(const struct caddy_line *block)
{
    const struct caddy_line *l = block->first;
    while (l && !caddy_is(l, "tls"))
        l = l->next;
    return l != NULL;
}

// False: it isn't understood.
static bool parse(struct caddy *c, struct caddy_line *block, struct str s, struct address *ret)
{
    struct str scheme = STR_NONE;
    uint64_t number;
    size_t at = str_search(s, STR("://"));
    if (at != STR_NPOS) {
        scheme = str_first(s, at);
        s = str_skip(s, at + 3);
    }
    bool is_http = str_eq(scheme, STR("http"));
    if (scheme.len > 0 && !is_http && !str_eq(scheme, STR("https")))
        return false;
    size_t colon = s.len;
    while (colon > 0 && s.ptr[colon - 1] != ':' && s.ptr[colon - 1] != ']')
        colon--;
    bool has_port = colon > 0 && s.ptr[colon - 1] == ':';
    *ret = (struct address){.block = block,
                            .host = has_port ? str_first(s, colon - 1) : s,
                            .port = has_port ? str_skip(s, colon) : STR_NONE};
    if (str_eq(ret->host, STR("*")))
        ret->host = STR_NONE;
    if (has_port && (num_dec(ret->port, 65535, &number) != ERR_OK || number == 0))
        return false;
    if (!caddy_is_plain(s) || str_find(s, '/') != STR_NPOS || (s.len == 0 && scheme.len == 0))
        return false;
    bool is_plain_port = str_eq(ret->port, c->http_port);
    ret->is_tls =
        !is_http && !is_plain_port &&
        (ret->host.len > 0 || scheme.len > 0 || str_eq(ret->port, c->https_port) || has_tls(block));
    if (ret->port.len == 0)
        ret->port = ret->is_tls ? c->https_port : c->http_port;
    ret->is_wild = str_find(ret->host, '*') != STR_NPOS;
    return true;
}

// --- classes: the hosts of a block that are reached in the same way ---

static bool is_same(const struct address *a, const struct address *b)
{
    return a->block == b->block && a->is_tls == b->is_tls && str_eq(a->port, b->port) &&
           a->is_wild == b->is_wild && a->has_plain == b->has_plain &&
           (a->host.len > 0) == (b->host.len > 0);
}

static void put_host_rule(struct text *rule, const struct address *a)
{
    if (!a->is_wild) {
        text_printf(rule, "Host(`" STR_FMT "`)", STR_ARG(a->host));
        return;
    }
    text_put(rule, STR("HostRegexp(`(?i)^"));
    for (size_t k = 0; k < a->host.len; k++) {
        char byte = a->host.ptr[k];
        text_put(rule, byte == '*' ? STR("[^.]*") : byte == '.' ? STR("\\.") : STR_NONE);
        if (byte != '*' && byte != '.')
            text_byte(rule, byte);
    }
    text_put(rule, STR("$`)"));
}

static struct str hosts_rule(struct caddy *c, const struct addresses *list, size_t first)
{
    struct text rule = {0};
    if (list->all[first].host.len == 0)
        return STR_NONE;
    for (size_t i = first; i < list->n; i++) {
        if (!is_same(&list->all[i], &list->all[first]))
            continue;
        text_put(&rule, rule.len > 0 ? STR(" || ") : STR("("));
        put_host_rule(&rule, &list->all[i]);
    }
    text_byte(&rule, ')');
    struct str copy = draft_text(c->d, text_str(&rule));
    text_fini(&rule);
    return copy;
}

// A name that sites take: a '*' stands for its first label.
static bool is_site_name(const struct address *a)
{
    size_t star = str_find(a->host, '*');
    return a->host.len > 0 &&
           (star == STR_NPOS || (star == 0 && str_starts(a->host, STR("*.")) &&
                                 str_find(str_skip(a->host, 1), '*') == STR_NPOS));
}

// Where no site is: certificates and versions are the entrypoint's. False: they protect, and others
// are there, too.
static bool put_entry_tls(struct caddy *c, const struct addresses *list, const struct address *a,
                          const struct conf_node *entries, const struct conf_node *tls)
{
    bool is_alone = true, is_strict = false;
    for (size_t i = 0; i < list->n; i++)
        is_alone &= !list->all[i].is_tls || !str_eq(list->all[i].port, a->port) ||
                    is_same(&list->all[i], a);
    for (const struct conf_node *n = tls->first; n; n = n->next)
        is_strict |= !str_eq(n->key, STR("certificates")) && !str_eq(n->key, STR("issuer"));
    if (is_strict && !is_alone)
        return false;
    struct conf_node *all = draft_map(c->d, c->d->root, STR("entrypoints"), tls->place);
    for (const struct conf_node *name = entries->first; name && tls->first; name = name->next) {
        struct conf_node *e = draft_map(c->d, all, name->text, tls->place);
        const struct conf_node *old = conf_node_get(e, STR("tls"));
        if (old && old->kind == CONF_NODE_SCALAR)
            draft_remove(e, STR("tls"));
        struct conf_node *to = draft_map(c->d, e, STR("tls"), tls->place);
        for (const struct conf_node *n = tls->first; n; n = n->next) {
            if (n->kind == CONF_NODE_SCALAR && !str_eq(n->key, STR("issuer"))) {
                draft_set(c->d, to, n->key, n->text, n->place);
                continue;
            }
            for (const struct conf_node *cert = n->first; cert; cert = cert->next) {
                struct conf_node *copy = draft_push_map(
                    c->d, draft_list(c->d, to, STR("certificates"), n->place), cert->place);
                for (const struct conf_node *k = cert->first; k; k = k->next)
                    draft_set(c->d, copy, k->key, k->text, k->place);
            }
        }
        if (!to->first) {
            draft_remove(e, STR("tls"));
            draft_set(c->d, e, STR("tls"), STR("on"), tls->place);
        }
    }
    return true;
}

// --- sites ---

static struct conf_node *put_site(struct caddy *c, const struct addresses *list, size_t first)
{
    const struct address *a = &list->all[first];
    struct conf_node *sites = draft_map(c->d, c->d->root, STR("sites"), a->block->place);
    struct conf_node *site = draft_map(c->d, sites, a->host, a->block->place);
    for (size_t i = first; i < list->n; i++) {
        if (!is_same(&list->all[i], a))
            continue;
        map_set(&c->names, list->all[i].host, site);
        if (i != first)
            draft_push(c->d, draft_list(c->d, site, STR("aliases"), a->block->place),
                       list->all[i].host, a->block->place);
    }
    return site;
}

// What the class's names have in common.
struct class
{
    bool is_taken, is_local;
};

static struct class survey(struct caddy *c, struct addresses *list, size_t first)
{
    struct class all = {.is_local = true};
    for (size_t i = first; i < list->n; i++) {
        struct address *b = &list->all[i];
        if (!is_same(b, &list->all[first]))
            continue;
        b->is_done = true;
        all.is_taken |= !is_site_name(b) || map_get(&c->names, b->host);
        all.is_local &= caddy_is_local(b->host);
    }
    return all;
}

static void put_class(struct caddy *c, struct addresses *list, size_t first)
{
    static struct caddy_word unknown_word = {.text = {"client_auth", 11}};
    struct draft *d = c->d;
    struct address *a = &list->all[first];
    struct place place = a->block->place;
    struct class all = survey(c, list, first);
    struct conf_node *entries = conf_node_new(&d->mem, CONF_NODE_SEQ, place);
    struct conf_node *tls = conf_node_new(&d->mem, CONF_NODE_MAP, place);
    struct caddy_site s = {.c = c, .block = a->block, .is_tls = a->is_tls, .shown = a->host};
    if (s.shown.len == 0)
        s.shown = draft_printf(d, "port-" STR_FMT, STR_ARG(a->port));
    if (!entries || !tls) {
        d->is_full = true;
        return;
    }
    if (!caddy_put_entries(c, a->block, a->port, a->is_tls, entries)) {
        caddy_note(c, a->block, DRAFT_CLOSED, "nobody reaches it");
        return;
    }
    struct caddy_tls_how how = {.is_local = all.is_local && a->host.len > 0, .is_wild = a->is_wild};
    struct conf_node *site = all.is_taken ? NULL : put_site(c, list, first);
    bool is_fine = true;
    if (site) {
        struct conf_node *own = draft_list(d, site, STR("entrypoints"), place);
        if (a->is_tls) {
            tls = draft_map(d, site, STR("tls"), place);
            is_fine = caddy_put_tls(c, a->block, &how, tls);
            if (!tls->first)
                draft_remove(site, STR("tls"));
        } else {
            draft_set(d, site, STR("tls"), STR("off"), place);
        }
        for (const struct conf_node *e = entries->first; e; e = e->next)
            draft_push(d, own, e->text, place);
        if (a->is_tls && c->redirects && !a->has_plain)
            (void)caddy_put_entries(c, a->block, c->http_port, false, own);
    } else if (a->is_tls) {
        is_fine = caddy_put_tls(c, a->block, &how, tls) && put_entry_tls(c, list, a, entries, tls);
    }
    struct conf_node *routes = draft_list(d, site ? site : d->root, STR("routes"), place);
    unsigned long top = a->host.len == 0 ? 1 : a->is_wild ? PRIORITY_WILD : PRIORITY_HOST;
    struct caddy_line closed = *a->block;
    struct caddy_line unknown = {.place = place, .words = &unknown_word, .n_words = 1};
    if (!is_fine) {
        closed.first = closed.last = &unknown; // nothing here does the same: all is refused
        s.block = &closed;
    }
    caddy_put_routes(&s, routes, site ? STR_NONE : hosts_rule(c, list, first),
                     site ? NULL : entries, top);
}

static void read_addresses(struct caddy *c, struct caddy_line *block, struct addresses *list)
{
    for (size_t i = 0; i < block->n_words; i++) {
        struct str rest = caddy_word(block, i), one;
        while (rest.len > 0) {
            (void)str_cut(rest, ',', &one, &rest);
            if (one.len == 0)
                continue;
            struct address *a = &list->all[list->n];
            if (list->n + 1 == list->cap || !parse(c, block, one, a)) {
                caddy_note(c, block, DRAFT_CLOSED,
                           "'" STR_FMT "' isn't understood: nobody reaches it", STR_ARG(one));
                continue;
            }
            list->n++;
            if (!a->is_tls && str_eq(a->port, c->http_port))
                map_set(&c->plain, a->host, a);
        }
    }
}

static int pass_of(const struct caddy *c, const struct address *a)
{
    return !a->is_tls ? 2 : str_eq(a->port, c->https_port) ? 0 : 1;
}

void caddy_put_sites(struct caddy *c)
{
    struct addresses list = {.cap = 2}; // one is always free
    for (const struct caddy_line *l = c->root->first; l; l = l->next)
        for (size_t i = 0; i < l->n_words; i++) {
            struct str rest = caddy_word(l, i), one;
            for (list.cap++; str_cut(rest, ',', &one, &rest);)
                list.cap++;
        }
    list.all = ARENA_ARRAY(&c->d->mem, struct address, list.cap);
    if (!list.all) {
        c->d->is_full = true;
        return;
    }
    for (struct caddy_line *l = c->root->first; l; l = l->next)
        if (l->is_block && l->n_words > 0)
            read_addresses(c, l, &list);
        else if (!l->is_block)
            caddy_note(c, l, DRAFT_LOST, "it is no block of a site");
    for (size_t i = 0; i < list.n; i++)
        list.all[i].has_plain = list.all[i].is_tls && map_get(&c->plain, list.all[i].host);
    for (int pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < list.n; i++)
            if (!list.all[i].is_done && pass_of(c, &list.all[i]) == pass)
                put_class(c, &list, i);
}
