// SPDX-License-Identifier: Apache-2.0
// Ports and the addresses that are bound as entrypoints.
#include "codec/ip.h"
#include "dialect/caddy_priv.h"

// Whether a matcher's line, or one of those in its block, names a path.
static bool names_path(const struct caddy_line *l)
{
    for (size_t i = 0; i < l->n_words; i++)
        if (str_starts(caddy_word(l, i), STR("path")))
            return true;
    for (const struct caddy_line *sub = l->first; sub; sub = sub->next)
        if (names_path(sub))
            return true;
    return false;
}

static bool looks_at_path(const struct caddy_line *l)
{
    if (str_starts(caddy_word(l, 0), STR("@")))
        return names_path(l);
    return caddy_args(l) == 2 && str_starts(caddy_word(l, 1), STR("/"));
}

static void survey(const struct caddy_line *block, bool *ret_paths, bool *ret_guards)
{
    for (const struct caddy_line *l = block->first; l; l = l->next) {
        *ret_paths |= looks_at_path(l);
        *ret_guards |= caddy_is_guard(l);
        if (caddy_is(l, "handle") || caddy_is(l, "handle_path") || caddy_is(l, "route"))
            survey(l, ret_paths, ret_guards);
    }
}

// Paths as Caddy's matchers see them.
static void put_paths(struct caddy *c, const struct caddy_line *block, struct conf_node *entry)
{
    bool has_paths = false, has_guards = false;
    survey(block, &has_paths, &has_guards);
    if (has_paths)
        draft_remove(entry, STR("merge-slashes"));
    if (!has_paths || !has_guards || conf_node_get(entry, STR("encoded-slash")))
        return;
    draft_set(c->d, entry, STR("encoded-slash"), STR("decode"), entry->place);
    draft_remark(c->d, entry,
                 "As Caddy matches paths, \"%%2F\" is a slash; servers get one, too. Without "
                 "'encoded-slash' it would lead past what only some paths refuse.");
}

static void put_trusted(struct caddy *c, struct conf_node *entry)
{
    struct caddy_line *l = c->trusted;
    for (size_t i = 2; l && i < l->n_words; i++) {
        struct conf_node *list = draft_list(c->d, entry, STR("trusted-proxies"), l->place);
        struct str network;
        if (str_eq(caddy_word(l, i), STR("private_ranges")))
            for (size_t k = 0; caddy_private[k]; k++)
                draft_push(c->d, list, str_of(caddy_private[k]), l->place);
        else if (caddy_network(c, caddy_word(l, i), &network))
            draft_push(c->d, list, network, l->place);
        else
            caddy_note(c, l, DRAFT_LOST, "'" STR_FMT "' is no network", STR_ARG(caddy_word(l, i)));
    }
}

static struct conf_node *put_entry(struct caddy *c, struct str listen, struct str port, bool is_tls,
                                   struct place place)
{
    struct draft *d = c->d;
    struct conf_node *all = draft_map(d, d->root, STR("entrypoints"), place);
    struct conf_node *e = all->first;
    while (e && !str_eq(conf_node_get(e, STR("listen"))->text, listen))
        e = e->next;
    if (!e) {
        struct str name = draft_printf(d, "port-" STR_FMT, STR_ARG(port));
        if (str_eq(port, STR("80")))
            name = STR("web");
        else if (str_eq(port, STR("443")))
            name = STR("websecure");
        e = draft_map(d, all, draft_name(d, all, name), place);
        draft_set(d, e, STR("listen"), listen, place);
        draft_set(d, e, STR("merge-slashes"), STR("no"), place); // until a matcher looks at paths
        if (c->trusted && str_eq(caddy_word(c->trusted, 1), STR("static")))
            put_trusted(c, e);
    }
    if (is_tls && !conf_node_get(e, STR("tls")))
        draft_set(d, e, STR("tls"), STR("on"), place);
    return e;
}

bool caddy_put_entries(struct caddy *c, const struct caddy_line *block, struct str port,
                       bool is_tls, struct conf_node *list)
{
    struct caddy_line *bind = c->bind;
    struct draft *d = c->d;
    for (struct caddy_line *l = block->first; l; l = l->next)
        if (caddy_is(l, "bind"))
            bind = l;
    for (size_t i = 1; i < (bind ? bind->n_words : 2); i++) {
        struct str host = bind ? caddy_word(bind, i) : STR_NONE, listen;
        struct ip ip;
        bool is_v6 = str_find(host, ':') != STR_NPOS;
        if (is_v6 && str_starts(host, STR("[")))
            host = str_from(host.ptr + 1, host.len - 1 - str_ends(host, STR("]")));
        if (str_eq(host, STR("localhost")))
            host = STR("127.0.0.1");
        if (bind && ip_parse(host, &ip) != ERR_OK) {
            caddy_note(c, bind, DRAFT_LOST,
                       "'" STR_FMT "' is no address that can be listened to here", STR_ARG(host));
            continue;
        }
        listen = draft_printf(d, is_v6 ? "[" STR_FMT "]:" STR_FMT : STR_FMT ":" STR_FMT,
                              STR_ARG(host), STR_ARG(port));
        struct conf_node *e = put_entry(c, listen, port, is_tls, bind ? bind->place : block->place);
        put_paths(c, block, e);
        draft_push(d, list, e->key, block->place);
    }
    return list->first != NULL;
}
