// SPDX-License-Identifier: Apache-2.0
// A backend as a service: balancing, cookies, time-outs, retries.
#include "base/ascii.h"
#include "base/num.h"
#include "dialect/haproxy_priv.h"
#include "upstream/service.h"

static void balance_hash(struct haproxy *h, struct conf_node *service, struct haproxy_line *l,
                         struct str key)
{
    draft_set(h->d, service, STR("balance"), STR("hash"), l->place);
    draft_push(h->d, draft_list(h->d, service, STR("hash-key"), l->place), key, l->place);
    haproxy_note(h, l, DRAFT_CHANGED,
                 "the same key goes to the same server, but which one that is differs from "
                 "HAProxy, as do its 'depth', 'len' and other words");
}

// "hdr(X-User)": what stands in parentheses.
static struct str in_parentheses(struct str s)
{
    size_t open = str_find(s, '('), close = str_rfind(s, ')');
    return open != STR_NPOS && close != STR_NPOS && close > open
               ? str_trim(str_from(s.ptr + open + 1, close - open - 1))
               : STR_NONE;
}

static void put_balance(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    static const struct {
        const char *name, *ours; // NULL: the default
    } same[] = {
        {"roundrobin", NULL}, {"static-rr", NULL}, {"leastconn", "least-connections"},
        {"source", "source"}, {"first", "first"},  {"random", "random-two"},
    };
    struct haproxy_line *l = haproxy_last(p->s, "balance", NULL);
    if (!l)
        return;
    struct str how = haproxy_word(l, 1), arg = in_parentheses(how);
    struct str name = str_first(how, str_find(how, '('));
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        if (!str_eq(name, str_of(same[i].name)))
            continue;
        draft_set(h->d, service, STR("balance"),
                  same[i].ours ? str_of(same[i].ours) : STR("round-robin"), l->place);
        return;
    }
    if (p->is_tcp)
        haproxy_note(h, l, DRAFT_LOST, "connections can't be balanced so; they take turns");
    else if (str_eq(name, STR("uri")))
        balance_hash(h, service, l, STR("path"));
    else if (str_eq(name, STR("hdr")) && ascii_is_token(arg))
        balance_hash(h, service, l,
                     str_ieq(arg, STR("host"))
                         ? STR("host")
                         : draft_printf(h->d, "header:" STR_FMT, STR_ARG(arg)));
    else if (str_eq(name, STR("url_param")) && ascii_is_token(haproxy_word(l, 2)))
        balance_hash(h, service, l,
                     draft_printf(h->d, "query:" STR_FMT, STR_ARG(haproxy_word(l, 2))));
    else
        haproxy_note(h, l, DRAFT_LOST, "requests can't be balanced so; they take turns");
}

static void put_hash_factor(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    struct haproxy_line *l = haproxy_last(p->s, "hash-balance-factor", NULL);
    uint64_t n;
    if (l && conf_node_get(service, STR("hash-key")) &&
        num_dec(haproxy_word(l, 1), 1000, &n) == ERR_OK && n >= 100)
        haproxy_set_number(h, service, &service_section, "hash-balance-factor", n, l);
}

static void put_sticky(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    struct haproxy_line *l = haproxy_last(p->s, "cookie", NULL);
    if (!l || p->is_tcp)
        return;
    const struct conf_section *section = conf_item_find(&service_section, STR("sticky"))->section;
    bool is_inserted = false;
    for (unsigned i = 2; i < l->n; i++)
        is_inserted = is_inserted || str_eq(l->words[i], STR("insert"));
    if (!is_inserted || !ascii_is_token(haproxy_word(l, 1))) {
        haproxy_note(h, l, DRAFT_LOST,
                     "only cookies that the proxy inserts itself have a counterpart ('sticky')");
        return;
    }
    struct conf_node *sticky = draft_map(h->d, service, STR("sticky"), l->place);
    draft_set(h->d, sticky, STR("cookie"), haproxy_word(l, 1), l->place);
    draft_set(h->d, sticky, STR("http-only"), STR("no"), l->place);
    draft_set(h->d, sticky, STR("same-site"), STR("unset"), l->place);
    for (unsigned i = 2; i < l->n; i++) {
        struct str word = l->words[i];
        if (str_eq(word, STR("httponly")))
            draft_set(h->d, sticky, STR("http-only"), STR("yes"), l->place);
        else if (str_eq(word, STR("secure")))
            draft_set(h->d, sticky, STR("secure"), STR("always"), l->place);
        else if (str_eq(word, STR("maxlife")) && i + 1 < l->n)
            haproxy_set_time(h, sticky, section, "max-age", l->words[++i], l);
        else if ((str_eq(word, STR("maxidle")) || str_eq(word, STR("domain")) ||
                  str_eq(word, STR("attr"))) &&
                 i + 1 < l->n)
            haproxy_note_word(h, l, DRAFT_LOST, l->words[++i],
                              "write it into 'sticky' of the service if it is still needed");
    }
    haproxy_note(h, l, DRAFT_CHANGED,
                 "the cookie's value is a secret of this proxy's: clients with one of HAProxy's "
                 "are given a server anew");
}

// stick on src: the client's address decides, without a table.
static void put_stick(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    struct haproxy_line *on = haproxy_last(p->s, "stick", "on");
    if (!on)
        return;
    if (str_eq(haproxy_word(on, 2), STR("src"))) {
        draft_set(h->d, service, STR("balance"), STR("source"), on->place);
        haproxy_note(h, on, DRAFT_CHANGED,
                     "the address decides by a hash, and not by who came first");
    } else {
        haproxy_note(h, on, DRAFT_LOST, "clients can stay by their address or a cookie alone");
    }
}

static void put_times(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    static const struct {
        const char *name, *key;
    } times[] = {
        {"connect", "connect-timeout"},
        {"server", "answer-timeout"},
        {"queue", "queue-timeout"},
    };
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct haproxy_line *l = haproxy_last(p->s, "timeout", times[i].name);
        if (!l || (p->is_tcp && i == 1))
            continue;
        haproxy_set_time(h, service, &service_section, times[i].key, haproxy_word(l, 2), l);
        if (i == 1)
            haproxy_set_time(h, service, &service_section, "body-timeout", haproxy_word(l, 2), l);
    }
}

// What a word of retry-on is called here.
static const char *retry_word(struct str word)
{
    static const struct {
        const char *name, *ours;
    } words[] = {
        {"conn-failure", "connect"},
        {"empty-response", "closed"},
        {"response-timeout", "timeout"},
        {"junk-response", "malformed"},
        {"500", "500"},
        {"502", "502"},
        {"503", "503"},
        {"504", "504"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(word, str_of(words[i].name)))
            return words[i].ours;
    return NULL;
}

static void put_retries(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    struct haproxy_line *n_line = haproxy_last(p->s, "retries", NULL);
    struct haproxy_line *on = haproxy_last(p->s, "retry-on", NULL);
    uint64_t n;
    if (n_line && num_dec(haproxy_word(n_line, 1), 1000, &n) == ERR_OK)
        haproxy_set_number(h, service, &service_section, "tries", n + 1, n_line);
    if (!on || p->is_tcp)
        return;
    struct conf_node *retries = draft_map(h->d, service, STR("retries"), on->place);
    struct conf_node *when = draft_list(h->d, retries, STR("when"), on->place);
    for (unsigned i = 1; i < on->n; i++) {
        const char *ours = retry_word(on->words[i]);
        if (ours) {
            draft_push(h->d, when, str_of(ours), on->place);
        } else if (str_eq(on->words[i], STR("all-retryable-errors"))) {
            static const char *const all[] = {"connect", "closed", "timeout", "malformed",
                                              "500-504"};
            for (size_t k = 0; k < ARRAY_LEN(all); k++)
                draft_push(h->d, when, str_of(all[k]), on->place);
        } else if (!str_eq(on->words[i], STR("none"))) {
            haproxy_note_word(h, on, DRAFT_LOST, on->words[i], "no retry is made after that");
        }
    }
}

void haproxy_backend(struct haproxy *h, struct haproxy_proxy *p)
{
    struct conf_node *services =
        draft_map(h->d, h->d->root, STR("services"), (struct place){.line = 0});
    struct str name = draft_name(h->d, services, p->s->name);
    struct conf_node *service = draft_map(h->d, services, name, p->s->place);
    haproxy_servers(h, p, service);
    const struct conf_node *servers = conf_node_get(service, STR("servers"));
    put_balance(h, p, service);
    put_hash_factor(h, p, service);
    put_sticky(h, p, service);
    put_stick(h, p, service);
    put_times(h, p, service);
    put_retries(h, p, service);
    haproxy_health(h, p, service);
    if (servers && servers->n > 0)
        p->service = name;
    else
        draft_remove(services, name);
}
