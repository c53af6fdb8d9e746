// SPDX-License-Identifier: Apache-2.0
// bind: entrypoints, and how they speak TLS (configuration manual, 5.1).
#include <stdio.h>

#include "base/num.h"
#include "dialect/haproxy_bind.h"
#include "gate/settings.h"
#include "tls/policy.h"

#define PORTS_MAX 64 // of one range

// One address of a bind line.
struct address {
    struct str host; // as `listen` has it; empty: all
    unsigned first, last;
};

static struct conf_node *entrypoints(struct haproxy *h)
{
    return draft_map(h->d, h->d->root, STR("entrypoints"), (struct place){.line = 0});
}

// "*:80", ":80", "10.0.0.1:8000-8010", "[::]:443", "ipv4@…". NULL, or why it can't be listened on.
static const char *read_address(struct haproxy *h, struct str s, struct address *ret)
{
    bool is_v4 = str_starts(s, STR("ipv4@")), is_v6 = str_starts(s, STR("ipv6@"));
    s = is_v4 || is_v6 ? str_skip(s, 5) : s;
    size_t colon = str_rfind(s, ':');
    uint64_t first, last;
    struct str low, high;
    if (str_find(s, '@') != STR_NPOS || str_starts(s, STR("/")))
        return "only addresses and ports can be listened on";
    if (colon == STR_NPOS)
        return "the port is missing";
    bool is_range = str_cut(str_skip(s, colon + 1), '-', &low, &high);
    if (num_dec(low, 65535, &first) != ERR_OK ||
        num_dec(is_range ? high : low, 65535, &last) != ERR_OK || first == 0 || last < first ||
        last - first >= PORTS_MAX)
        return "its ports aren't numbers, or are more than 64";
    struct str host = str_first(s, colon);
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = str_from(host.ptr + 1, host.len - 2);
    struct ip ip;
    bool is_any = host.len == 0 || str_eq(host, STR("*")) || str_eq(host, STR("::"));
    if (is_any)
        host = is_v4 ? STR("0.0.0.0") : STR_NONE;
    else if (ip_parse(host, &ip) != ERR_OK)
        return "an address is needed, and no name";
    else if (ip.family == 6)
        host = draft_printf(h->d, "[" STR_FMT "]", STR_ARG(host));
    *ret = (struct address){.host = host, .first = (unsigned)first, .last = (unsigned)last};
    return NULL;
}

// Whether another entrypoint has the address.
static bool is_taken(struct haproxy *h, struct str listen)
{
    for (const struct conf_node *e = entrypoints(h)->first; e; e = e->next) {
        const struct conf_node *l = conf_node_get(e, STR("listen"));
        if (l && str_eq(l->text, listen))
            return true;
    }
    return false;
}

static struct str entry_name(struct haproxy *h, struct haproxy_proxy *p, struct haproxy_line *l,
                             unsigned port, bool has_tls)
{
    struct str given = STR_NONE;
    for (unsigned i = 2; i + 1 < l->n; i++)
        if (str_eq(l->words[i], STR("name")))
            given = l->words[i + 1];
    struct str wanted = given;
    if (given.len == 0 && !p->is_tcp && port == 80 && !has_tls)
        wanted = STR("web");
    else if (given.len == 0 && !p->is_tcp && port == 443 && has_tls)
        wanted = STR("websecure");
    else if (given.len == 0)
        wanted = draft_printf(h->d, STR_FMT "-%u", STR_ARG(p->s->name), port);
    return draft_name(h->d, entrypoints(h), wanted);
}

// Time-outs of the frontend.
static void put_times(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *e)
{
    static const struct {
        const char *name, *key;
    } times[] = {
        {"http-keep-alive", "idle-timeout"},
        {"http-request", "head-timeout"},
        {"client", "body-timeout"},
        {"tunnel", "tunnel-timeout"},
    };
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct haproxy_line *l = haproxy_last(p->s, "timeout", times[i].name);
        const char *key = p->is_tcp && i == 2 ? "tunnel-timeout" : times[i].key;
        if (l)
            haproxy_set_time(h, e, &entrypoint_section, key, haproxy_word(l, 2), l);
    }
}

// Clients before whom "forwardfor except" stays silent are those whose own fields are believed.
static void put_forward(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *e)
{
    struct haproxy_line *l = haproxy_option(p->s, "forwardfor");
    if (!l)
        return;
    for (unsigned i = 2; i < l->n; i++) {
        if (str_eq(l->words[i], STR("except")) && i + 1 < l->n) {
            struct ip_net net;
            struct str word = l->words[++i];
            if (ip_net_parse(word, &net) == ERR_OK)
                draft_push(h->d, draft_list(h->d, e, STR("trusted-proxies"), l->place), word,
                           l->place);
            haproxy_note_word(h, l, DRAFT_CHANGED, STR("except"),
                              "these clients are trusted proxies here: what they say of others "
                              "in X-Forwarded-For is believed");
        } else if (str_eq(l->words[i], STR("header")) && i + 1 < l->n) {
            struct str word = l->words[++i];
            if (!str_ieq(word, STR("X-Forwarded-For")) && !str_ieq(word, STR("X-Real-IP")))
                haproxy_note_word(h, l, DRAFT_LOST, word,
                                  "servers get the address as X-Forwarded-For and X-Real-IP alone");
        }
    }
    haproxy_note(h, l, DRAFT_NEEDLESS,
                 "servers always get X-Forwarded-For; what strangers send in it is dropped, and "
                 "that of 'trusted-proxies' is believed");
}

// "http-request normalize-uri path-merge-slashes", whatever its conditions are.
static bool merges_slashes(const struct haproxy_section *s)
{
    for (const struct haproxy_section *at = s; at; at = at->defaults) {
        for (size_t i = 0; i < at->n; i++) {
            const struct haproxy_line *l = &at->lines[i];
            if (str_eq(haproxy_word(l, 0), STR("http-request")) &&
                str_eq(haproxy_word(l, 1), STR("normalize-uri")) &&
                str_eq(haproxy_word(l, 2), STR("path-merge-slashes")))
                return true;
        }
    }
    return false;
}

static void add_entry(struct haproxy *h, struct haproxy_proxy *p, struct haproxy_line *l,
                      struct str listen, unsigned port)
{
    bool has_tls = haproxy_bind_has_tls(l);
    struct haproxy_bind *binds =
        ARENA_GROW(&h->d->mem, struct haproxy_bind, p->binds, p->n_binds, &p->cap_binds);
    if (!binds) {
        h->d->is_full = true;
        return;
    }
    struct str name = entry_name(h, p, l, port, has_tls);
    struct conf_node *e = draft_map(h->d, entrypoints(h), name, l->place);
    draft_set(h->d, e, STR("listen"), listen, l->place);
    if (p->is_tcp)
        draft_set(h->d, e, STR("protocol"), STR("tcp"), l->place);
    else if (!merges_slashes(p->s))
        draft_set(h->d, e, STR("merge-slashes"), STR("no"), l->place); // rules see them there
    haproxy_bind_options(h, p, l, e);
    put_times(h, p, e);
    if (!p->is_tcp)
        put_forward(h, p, e);
    p->binds = binds;
    p->binds[p->n_binds++] = (struct haproxy_bind){.name = name, .has_tls = has_tls, .port = port};
}

static void add_bind(struct haproxy *h, struct haproxy_proxy *p, struct haproxy_line *l)
{
    struct str rest = haproxy_word(l, 1), word;
    l->is_done = true;
    if (p->is_tcp && haproxy_bind_has_tls(l)) {
        haproxy_note(h, l, DRAFT_CLOSED,
                     "TLS can't be ended in mode tcp: leave it to the server (a route with "
                     "HostSNI), or use mode http; nothing listens here now");
        return;
    }
    while (str_next_item(&rest, ',', &word)) {
        struct address a;
        const char *why = read_address(h, word, &a);
        if (why) {
            haproxy_note_word(h, l, DRAFT_LOST, word, "%s", why);
            continue;
        }
        for (unsigned port = a.first; port <= a.last; port++) {
            struct str listen = draft_printf(h->d, STR_FMT ":%u", STR_ARG(a.host), port);
            if (is_taken(h, listen))
                haproxy_note_word(h, l, DRAFT_LOST, word, "port %u is listened on already", port);
            else
                add_entry(h, p, l, listen, port);
        }
    }
}

void haproxy_binds(struct haproxy *h, struct haproxy_proxy *p)
{
    for (size_t i = 0; i < p->s->n; i++)
        if (str_eq(p->s->lines[i].words[0], STR("bind")))
            add_bind(h, p, &p->s->lines[i]);
}
