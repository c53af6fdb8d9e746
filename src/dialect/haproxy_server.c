// SPDX-License-Identifier: Apache-2.0
// server, server-template and default-server (configuration manual, 5.2).
#include "base/num.h"
#include "dialect/haproxy_priv.h"
#include "upstream/server_url.h"
#include "upstream/service.h"

#define URL_MEM_BYTES ((size_t)64 << 10)
#define WEIGHT_MAX 256 // of HAProxy's

// One server, with what default-server says of it.
struct server {
    struct haproxy *h;
    struct haproxy_line *line;
    struct conf_node *service;
    struct str address;
    bool has_tls, is_h2, is_disabled, is_backup, has_weight;
    uint64_t weight, conns_max;
};

typedef void option_fn(struct server *s, struct str value);

static void number(struct server *s, struct str value, uint64_t max, uint64_t *ret)
{
    uint64_t n;
    if (num_dec(value, UINT32_MAX, &n) == ERR_OK)
        *ret = MIN(n, max);
    else
        haproxy_note_word(s->h, s->line, DRAFT_LOST, value, "it is no number");
}

static struct conf_node *tls_of(struct server *s)
{
    return draft_map(s->h->d, s->service, STR("tls"), s->line->place);
}

// The first server's word counts for all of the service.
static void set_tls(struct server *s, const char *key, struct str value)
{
    struct conf_node *tls = tls_of(s), *before = conf_node_get(tls, str_of(key));
    if (!before)
        draft_set(s->h->d, tls, str_of(key), value, s->line->place);
    else if (!str_eq(before->text, value))
        haproxy_note_word(s->h, s->line, DRAFT_CHANGED, value,
                          "servers of one service have '%s' in common: that of the first one", key);
}

static void take_tls(struct server *s, struct str value)
{
    (void)value;
    s->has_tls = true;
}

static void take_verify(struct server *s, struct str value)
{
    struct conf_node *tls = tls_of(s);
    struct conf_node *before = conf_node_get(tls, STR("verify"));
    bool is_off = str_eq(value, STR("none"));
    // Where one of them has to prove itself, all have to.
    if (!before)
        draft_set(s->h->d, tls, STR("verify"), is_off ? STR("off") : STR("on"), s->line->place);
    else if (is_off != str_eq(before->text, STR("off"))) {
        draft_set(s->h->d, tls, STR("verify"), STR("on"), before->place);
        haproxy_note_word(s->h, s->line, DRAFT_CHANGED, STR("verify"),
                          "all servers of this service have to prove who they are, since one has");
    }
}

static void take_ca(struct server *s, struct str value)
{
    if (!str_eq(value, STR("@system-ca")))
        set_tls(s, "ca", value);
}

static void take_crt(struct server *s, struct str value)
{
    set_tls(s, "cert", value);
}

static void take_verifyhost(struct server *s, struct str value)
{
    set_tls(s, "server-name", value);
}

static void take_sni(struct server *s, struct str value)
{
    if (str_starts(value, STR("str(")) && str_ends(value, STR(")")))
        set_tls(s, "server-name", str_from(value.ptr + 4, value.len - 5));
    else
        haproxy_note_word(s->h, s->line, DRAFT_CHANGED, value,
                          "servers are asked for by the host of their URL, or by 'server-name' of "
                          "the service");
}

static void take_proto(struct server *s, struct str value)
{
    s->is_h2 = str_eq(value, STR("h2"));
}

static void take_weight(struct server *s, struct str value)
{
    s->has_weight = true;
    number(s, value, WEIGHT_MAX, &s->weight);
}

static void take_maxconn(struct server *s, struct str value)
{
    number(s, value, 1000000, &s->conns_max);
}

static void take_maxqueue(struct server *s, struct str value)
{
    uint64_t n = 0;
    number(s, value, 1000000, &n);
    if (n > 0)
        haproxy_set_number(s->h, s->service, &service_section, "queue-max", n, s->line);
}

static void take_backup(struct server *s, struct str value)
{
    (void)value;
    s->is_backup = true;
}

static void take_disabled(struct server *s, struct str value)
{
    (void)value;
    s->is_disabled = true;
}

static void take_enabled(struct server *s, struct str value)
{
    (void)value;
    s->is_disabled = false;
}

static void take_slowstart(struct server *s, struct str value)
{
    haproxy_set_time(s->h, s->service, &service_section, "slow-start", value, s->line);
}

static void take_proxy(struct server *s, struct str value)
{
    struct str version = str_eq(value, STR("send-proxy")) ? STR("v1") : STR("v2");
    draft_set(s->h->d, s->service, STR("proxy-protocol"), version, s->line->place);
}

static void take_observe(struct server *s, struct str value)
{
    (void)value;
    if (!conf_node_get(s->service, STR("eject")))
        draft_set(s->h->d, s->service, STR("eject"), STR("on"), s->line->place);
}

static void take_marked_down(struct server *s, struct str value)
{
    (void)value;
    haproxy_note_word(s->h, s->line, DRAFT_LOST, STR("on-marked-down"),
                      "exchanges in progress go on when a check fails");
}

static void take_agent(struct server *s, struct str value)
{
    (void)value;
    haproxy_note_word(s->h, s->line, DRAFT_LOST, STR("agent-check"),
                      "agents aren't asked; 'health' asks the server itself");
}

static const struct option {
    const char *name;
    bool has_value;
    option_fn *take; // NULL: haproxy_health has it, or it means nothing here
} rows[] = {
    {"ssl", false, take_tls},
    {"verify", true, take_verify},
    {"ca-file", true, take_ca},
    {"crt", true, take_crt},
    {"verifyhost", true, take_verifyhost},
    {"sni", true, take_sni},
    {"proto", true, take_proto},
    {"weight", true, take_weight},
    {"maxconn", true, take_maxconn},
    {"maxqueue", true, take_maxqueue},
    {"backup", false, take_backup},
    {"disabled", false, take_disabled},
    {"enabled", false, take_enabled},
    {"slowstart", true, take_slowstart},
    {"send-proxy", false, take_proxy},
    {"send-proxy-v2", false, take_proxy},
    {"send-proxy-v2-ssl", false, take_proxy},
    {"send-proxy-v2-ssl-cn", false, take_proxy},
    {"observe", true, take_observe},
    {"on-marked-down", true, take_marked_down},
    {"agent-check", false, take_agent},
    {"check", false, NULL},
    {"no-check", false, NULL},
    {"inter", true, NULL},
    {"fastinter", true, NULL},
    {"downinter", true, NULL},
    {"rise", true, NULL},
    {"fall", true, NULL},
    {"port", true, NULL},
    {"check-ssl", false, NULL},
    {"check-sni", true, NULL},
    {"check-alpn", true, NULL},
    {"cookie", true, NULL},
    {"alpn", true, NULL},
    {"npn", true, NULL},
    {"id", true, NULL},
    {"minconn", true, NULL},
    {"resolvers", true, NULL},
    {"resolve-prefer", true, NULL},
    {"resolve-opts", true, NULL},
    {"resolve-net", true, NULL},
    {"init-addr", true, NULL},
    {"init-state", true, NULL},
    {"error-limit", true, NULL},
    {"on-marked-up", true, NULL},
    {"on-error", true, NULL},
    {"pool-max-conn", true, NULL},
    {"pool-low-conn", true, NULL},
    {"pool-purge-delay", true, NULL},
    {"max-reuse", true, NULL},
    {"ssl-min-ver", true, NULL},
    {"ssl-max-ver", true, NULL},
    {"no-sslv3", false, NULL},
    {"no-tlsv10", false, NULL},
    {"no-tlsv11", false, NULL},
    {"ciphers", true, NULL},
    {"ciphersuites", true, NULL},
    {"no-ssl-reuse", false, NULL},
    {"tfo", false, NULL},
    {"log-proto", true, NULL},
    {"agent-port", true, NULL},
    {"agent-inter", true, NULL},
    {"agent-addr", true, NULL},
    {"agent-send", true, NULL},
};

static void take_words(struct server *s, struct haproxy_line *l, unsigned i)
{
    for (; i < l->n; i++) {
        const struct option *row = NULL;
        for (size_t k = 0; k < ARRAY_LEN(rows) && !row; k++)
            row = str_eq(l->words[i], str_of(rows[k].name)) ? &rows[k] : NULL;
        if (!row) {
            haproxy_note_word(s->h, l, DRAFT_LOST, l->words[i], "servers have no such option here");
            continue;
        }
        struct str value = row->has_value ? haproxy_word(l, ++i) : l->words[i];
        if (row->take)
            row->take(s, value);
    }
}

// default-server lines of the proxy and of its defaults, those of the defaults first.
static void take_defaults(struct server *s, struct haproxy_section *at)
{
    if (at->defaults)
        take_defaults(s, at->defaults);
    for (size_t i = 0; i < at->n; i++) {
        struct haproxy_line *l = &at->lines[i];
        if (!str_eq(l->words[0], STR("default-server")))
            continue;
        struct haproxy_line *own = s->line;
        l->is_done = true;
        s->line = l;
        take_words(s, l, 1);
        s->line = own;
    }
}

// "10.0.0.1:80", "[::1]:80", "name:80", "unix@/run/app.sock" as a URL.
static struct str url_of(struct server *s, bool is_tcp)
{
    struct str a = s->address;
    const char *scheme = is_tcp ? "tcp" : s->has_tls ? "https" : s->is_h2 ? "h2c" : "http";
    if (str_starts(a, STR("unix@")))
        a = str_skip(a, 5);
    if (str_starts(a, STR("/")))
        return draft_printf(s->h->d, "unix:" STR_FMT, STR_ARG(a));
    if (str_starts(a, STR("ipv4@")) || str_starts(a, STR("ipv6@")))
        a = str_skip(a, 5);
    size_t colon = str_rfind(a, ':');
    struct str host = str_first(a, colon), port = str_skip(a, MIN(colon, a.len));
    if (str_find(host, ':') != STR_NPOS && host.ptr[0] != '[')
        host = draft_printf(s->h->d, "[" STR_FMT "]", STR_ARG(host));
    if (colon == STR_NPOS)
        haproxy_note(s->h, s->line, DRAFT_CHANGED,
                     "the port is missing, for which HAProxy takes the one that the client came "
                     "to: here it is the usual one of the URL");
    return draft_printf(s->h->d, "%s://" STR_FMT STR_FMT, scheme, STR_ARG(host), STR_ARG(port));
}

static bool is_url(struct str url)
{
    struct arena mem;
    struct server_url ignored;
    arena_init(&mem, URL_MEM_BYTES, NULL, 0);
    bool is_good =
        server_url_parse(&(struct conf_text){.text = url}, &mem, NULL, &ignored) == ERR_OK;
    arena_fini(&mem);
    return is_good;
}

static void put_server(struct server *s, struct str url)
{
    struct draft *d = s->h->d;
    struct place place = s->line->place;
    struct conf_node *servers =
        draft_list(d, s->service, STR("servers"), (struct place){.line = 0});
    bool is_plain = !s->has_weight && s->conns_max == 0 && !s->is_backup;
    if (is_plain) {
        draft_push(d, servers, url, place);
        return;
    }
    struct conf_node *server = draft_push_map(d, servers, place);
    draft_set(d, server, STR("url"), url, place);
    if (s->has_weight)
        haproxy_set_number(s->h, server, &server_section, "weight", s->weight, s->line);
    if (s->conns_max > 0)
        haproxy_set_number(s->h, server, &server_section, "max-connections", s->conns_max, s->line);
    if (s->is_backup)
        draft_set(d, server, STR("backup"), STR("yes"), place);
}

static void add_server(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service,
                       struct haproxy_line *l, unsigned address_at)
{
    struct server s = {.h = h, .line = l, .service = service, .weight = 1};
    s.address = haproxy_word(l, address_at);
    l->is_done = true;
    take_defaults(&s, p->s);
    take_words(&s, l, address_at + 1);
    if (s.is_disabled) {
        haproxy_note(h, l, DRAFT_CHANGED,
                     "it is disabled, so it is left out: add it when it is back");
        return;
    }
    struct str url = url_of(&s, p->is_tcp);
    if (p->is_tcp && s.has_tls)
        haproxy_note(h, l, DRAFT_LOST, "in mode tcp bytes pass as they are: no TLS can be put on");
    else if (!is_url(url))
        haproxy_note(h, l, DRAFT_LOST, "there can be no server at '" STR_FMT "'",
                     STR_ARG(str_first(url, 128)));
    else
        put_server(&s, url);
}

// PROXY headers can't go before requests, and a server that waits for one would refuse all.
static void check_proxy_header(struct haproxy *h, struct haproxy_proxy *p,
                               struct conf_node *service)
{
    const struct conf_node *node = conf_node_get(service, STR("proxy-protocol"));
    if (!node || p->is_tcp)
        return;
    draft_note(h->d, DRAFT_LOST, node->place, STR("send-proxy"),
               "requests tell the client's address in X-Forwarded-For: let the server take it from "
               "there, and expect no PROXY header");
    draft_remove(service, STR("proxy-protocol"));
}

void haproxy_servers(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    for (size_t i = 0; i < p->s->n; i++) {
        struct haproxy_line *l = &p->s->lines[i];
        if (str_eq(l->words[0], STR("server"))) {
            add_server(h, p, service, l, 2);
        } else if (str_eq(l->words[0], STR("server-template"))) {
            add_server(h, p, service, l, 3);
            haproxy_note(h, l, DRAFT_CHANGED,
                         "each address that the name has is a server of its own, however many "
                         "there are");
        }
    }
    check_proxy_header(h, p, service);
}
