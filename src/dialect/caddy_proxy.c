// SPDX-License-Identifier: Apache-2.0
// reverse_proxy as a service.
#include "base/ascii.h"
#include "base/num.h"
#include "dialect/caddy_priv.h"
#include "upstream/server_url.h"

bool caddy_url(struct caddy *c, struct str upstream, bool is_tls, struct str *ret)
{
    static const char *const schemes[] = {"http://", "https://", "h2c://"};
    struct str scheme = is_tls ? STR("https://") : STR("http://");
    if (!caddy_is_plain(upstream) || upstream.len == 0)
        return false;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (str_starts(upstream, str_of(schemes[i]))) {
            scheme = i == 0 && is_tls ? scheme : str_of(schemes[i]);
            upstream = str_skip(upstream, str_of(schemes[i]).len);
            break;
        }
    if (str_starts(upstream, STR("unix/"))) {
        *ret = draft_printf(c->d, "unix:" STR_FMT, STR_ARG(str_skip(upstream, 5)));
        return !is_tls;
    }
    const char *host = str_starts(upstream, STR(":")) ? "localhost" : "";
    *ret = draft_printf(c->d, STR_FMT "%s" STR_FMT, STR_ARG(scheme), host, STR_ARG(upstream));
    struct server_url url;
    struct diags diags = {.n = 0};
    bool is_fine =
        server_url_parse(&(struct conf_text){.text = *ret}, &c->d->mem, &diags, &url) == ERR_OK;
    diags_fini(&diags);
    return is_fine;
}

static void put_policy(struct caddy_site *s, struct caddy_line *l, struct conf_node *service)
{
    static const struct {
        const char *name, *balance, *key;
    } policies[] = {
        {"random", "round-robin", NULL}, {"round_robin", "round-robin", NULL},
        {"first", "first", NULL},        {"least_conn", "least-connections", NULL},
        {"ip_hash", "source", NULL},     {"random_choose", "random-two", NULL},
        {"uri_hash", "hash", "path"},    {"client_ip_hash", "source", NULL},
    };
    struct draft *d = s->c->d;
    struct str name = caddy_word(l, 1);
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        if (!str_eq(name, str_of(policies[i].name)))
            continue;
        draft_set(d, service, STR("balance"), str_of(policies[i].balance), l->place);
        if (policies[i].key)
            draft_set(d, service, STR("hash-key"), str_of(policies[i].key), l->place);
        return;
    }
    if (str_eq(name, STR("header")) && l->n_words > 2) {
        draft_set(d, service, STR("balance"), STR("hash"), l->place);
        draft_set(d, service, STR("hash-key"),
                  draft_printf(d, "header:" STR_FMT, STR_ARG(caddy_word(l, 2))), l->place);
    } else if (str_eq(name, STR("query")) && l->n_words > 2) {
        draft_set(d, service, STR("balance"), STR("hash"), l->place);
        draft_set(d, service, STR("hash-key"),
                  draft_printf(d, "query:" STR_FMT, STR_ARG(caddy_word(l, 2))), l->place);
    } else if (str_eq(name, STR("cookie"))) {
        struct conf_node *sticky = draft_map(d, service, STR("sticky"), l->place);
        draft_set(d, sticky, STR("cookie"), l->n_words > 2 ? caddy_word(l, 2) : STR("lb"),
                  l->place);
    } else {
        caddy_note(s->c, l, DRAFT_CHANGED, "requests are shared in turn; see 'balance'");
    }
}

static struct conf_node *section(struct caddy_site *s, struct caddy_line *l,
                                 struct conf_node *service, const char *name)
{
    return draft_map(s->c->d, service, str_of(name), l->place);
}

// "2xx" as a range.
static struct str statuses(struct draft *d, struct str value)
{
    bool is_class = value.len == 3 && str_ends(value, STR("xx"));
    return is_class ? draft_printf(d, "%c00-%c99", value.ptr[0], value.ptr[0]) : value;
}

static void put_health_fields(struct caddy_site *s, struct caddy_line *l, struct conf_node *health)
{
    for (struct caddy_line *sub = l->first; sub; sub = sub->next) {
        struct str name = caddy_word(sub, 0), value = caddy_word(sub, 1);
        if (sub->n_words == 2 && str_ieq(name, STR("Host")) && caddy_is_plain(value))
            draft_set(s->c->d, health, STR("host"), value, sub->place);
        else if (sub->n_words == 2 && caddy_is_plain(value) &&
                 !filter_field_fault(name, FILTER_REQUEST) && !filter_value_fault(value))
            draft_set(s->c->d, draft_map(s->c->d, health, STR("headers"), l->place), name, value,
                      sub->place);
        else
            caddy_note(s->c, sub, DRAFT_LOST, "see 'headers' of 'health'");
    }
}

// Caddy's duration in ours: the same, but for fractions. Empty: it is none.
static struct str duration(struct caddy_site *s, struct caddy_line *l, struct str value)
{
    if (value.len > 0 && ascii_all(value, ASCII_ALPHA | ASCII_DIGIT) &&
        !ascii_is(value.ptr[value.len - 1], ASCII_DIGIT))
        return value;
    caddy_note(s->c, l, DRAFT_LOST, "such a time isn't understood");
    return STR_NONE;
}

// True: it is about checks.
static bool put_health(struct caddy_site *s, struct caddy_line *l, struct conf_node *service)
{
    static const struct {
        const char *name, *key;
        bool is_time;
    } keys[] = {{"health_uri", "path", false},       {"health_path", "path", false},
                {"health_port", "port", false},      {"health_interval", "every", true},
                {"health_timeout", "timeout", true}, {"health_body", "body-regex", false},
                {"health_passes", "rise", false},    {"health_fails", "fall", false},
                {"health_method", "method", false}};
    struct draft *d = s->c->d;
    struct str value = caddy_word(l, 1);
    if (caddy_is(l, "health_status")) {
        draft_push(d, draft_list(d, section(s, l, service, "health"), STR("status"), l->place),
                   statuses(d, value), l->place);
        return true;
    }
    if (caddy_is(l, "health_headers")) {
        put_health_fields(s, l, section(s, l, service, "health"));
        return true;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (caddy_is(l, keys[i].name)) {
            value = keys[i].is_time ? duration(s, l, value) : value;
            if (value.len > 0)
                draft_set(d, section(s, l, service, "health"), str_of(keys[i].key), value,
                          l->place);
            return true;
        }
    return false;
}

// Servers that fail requests: with Caddy only where 'fail_duration' says for how long they count.
static void put_failures(struct caddy_site *s, struct caddy_line *l, struct conf_node *service)
{
    struct draft *d = s->c->d;
    struct caddy_line *time = NULL, *max = NULL, *status = NULL;
    for (struct caddy_line *sub = l->first; sub; sub = sub->next) {
        time = caddy_is(sub, "fail_duration") ? sub : time;
        max = caddy_is(sub, "max_fails") ? sub : max;
        status = caddy_is(sub, "unhealthy_status") ? sub : status;
        if (caddy_is(sub, "unhealthy_latency") || caddy_is(sub, "unhealthy_request_count"))
            caddy_note(s->c, sub, DRAFT_LOST, "see 'breaker', and 'max-connections' of servers");
    }
    struct str value = time ? duration(s, time, caddy_word(time, 1)) : STR_NONE;
    if (value.len == 0 || str_eq(value, STR("0")))
        return;
    struct conf_node *eject = section(s, time, service, "eject");
    draft_set(d, eject, STR("failures"), max ? caddy_word(max, 1) : STR("1"),
              max ? max->place : time->place);
    draft_set(d, eject, STR("time"), value, time->place);
    draft_set(d, eject, STR("time-max"), value, time->place);
    if (!status)
        return;
    struct conf_node *when = draft_list(d, eject, STR("when"), status->place);
    draft_push(d, when, STR("connect"), status->place);
    for (size_t i = 1; i < status->n_words; i++)
        draft_push(d, when, statuses(d, caddy_word(status, i)), status->place);
}

// Whether nothing has to be said of an option of the transport.
static bool put_transport_time(struct caddy_site *s, struct caddy_line *l,
                               struct conf_node *service)
{
    static const struct {
        const char *name, *key;
    } times[] = {{"dial_timeout", "connect-timeout"},
                 {"response_header_timeout", "answer-timeout"},
                 {"read_timeout", "body-timeout"}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (caddy_is(l, times[i].name)) {
            struct str value = duration(s, l, caddy_word(l, 1));
            if (value.len > 0)
                draft_set(s->c->d, service, str_of(times[i].key), value, l->place);
            return true;
        }
    return false;
}

// False: servers can't be reached in this way.
static bool put_transport_tls(struct caddy_site *s, struct caddy_line *l, struct conf_node *service)
{
    static const struct {
        const char *name, *key;
    } keys[] = {{"tls_server_name", "server-name"}, {"tls_trusted_ca_certs", "ca"}};
    struct draft *d = s->c->d;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (caddy_is(l, keys[i].name) && l->n_words == 2 && caddy_is_plain(caddy_word(l, 1))) {
            draft_set(d, section(s, l, service, "tls"), str_of(keys[i].key), caddy_word(l, 1),
                      l->place);
            return true;
        }
    if (caddy_is(l, "tls_insecure_skip_verify")) {
        draft_set(d, section(s, l, service, "tls"), STR("verify"), STR("off"), l->place);
    } else if (caddy_is(l, "tls_client_auth") && l->n_words == 3) {
        draft_set(d, section(s, l, service, "tls"), STR("cert"), caddy_word(l, 1), l->place);
        draft_set(d, section(s, l, service, "tls"), STR("key"), caddy_word(l, 2), l->place);
    } else if (caddy_is(l, "tls_timeout") || caddy_is(l, "tls_renegotiation")) {
        caddy_note(s->c, l, DRAFT_LOST, "'connect-timeout' is for the handshake, too");
    } else {
        return caddy_is(l, "tls");
    }
    return true;
}

// False: servers can't be reached in this way.
static bool put_transport(struct caddy_site *s, struct caddy_line *l, struct conf_node *service)
{
    struct draft *d = s->c->d;
    if (!str_eq(caddy_word(l, 1), STR("http")))
        return false;
    for (struct caddy_line *sub = l->first; sub; sub = sub->next) {
        if (str_starts(caddy_word(sub, 0), STR("tls"))) {
            if (!put_transport_tls(s, sub, service))
                return false;
        } else if (caddy_is(sub, "versions")) {
            bool is_one = sub->n_words == 2;
            if (is_one && str_eq(caddy_word(sub, 1), STR("1.1")))
                draft_set(d, service, STR("http"), STR("1.1"), sub->place);
            else if (is_one || str_eq(caddy_word(sub, 1), STR("h2c")))
                draft_set(d, service, STR("http"), STR("2"), sub->place);
        } else if (caddy_is(sub, "keepalive") && str_eq(caddy_word(sub, 1), STR("off"))) {
            draft_set(d, service, STR("idle-timeout"), STR("0"), sub->place);
        } else if (caddy_is(sub, "keepalive") && sub->n_words == 2) {
            struct str value = duration(s, sub, caddy_word(sub, 1));
            if (value.len > 0)
                draft_set(d, service, STR("idle-timeout"), value, sub->place);
        } else if (caddy_is(sub, "max_conns_per_host") && sub->n_words == 2) {
            draft_set(d, service, STR("connections-max"), caddy_word(sub, 1), sub->place);
        } else if (!put_transport_time(s, sub, service)) {
            caddy_note(s->c, sub, DRAFT_LOST, "see the settings of services");
        }
    }
    return true;
}

static bool has_tls(const struct caddy_line *l)
{
    for (const struct caddy_line *t = l->first; t; t = t->next)
        for (const struct caddy_line *sub = caddy_is(t, "transport") ? t->first : NULL; sub;
             sub = sub->next)
            if (str_starts(caddy_word(sub, 0), STR("tls")))
                return true;
    return false;
}

// False: it protects, and can't be had.
static bool put_field(struct caddy_site *s, struct caddy_line *l, struct conf_node *headers,
                      struct conf_node *service)
{
    struct draft *d = s->c->d;
    struct str name = caddy_word(l, 1), value = caddy_word(l, 2);
    bool is_up = caddy_is(l, "header_up");
    if (is_up && caddy_is_forwarding(name) && !caddy_is_plain(value)) {
        caddy_note(s->c, l, DRAFT_NEEDLESS, "servers are always told the client's address");
        return true;
    }
    if (is_up && str_ieq(name, STR("Host"))) {
        bool is_server = str_search(value, STR("upstream")) != STR_NPOS;
        if (is_server || caddy_is_plain(value))
            draft_set(d, service, STR("host"), is_server ? STR("server") : value, l->place);
        else
            caddy_note(s->c, l, DRAFT_NEEDLESS, "servers get the client's Host in any case");
        return true;
    }
    return caddy_put_field(
        s, l, 1, is_up ? FILTER_REQUEST : FILTER_RESPONSE,
        draft_map(d, headers, is_up ? STR("request") : STR("response"), l->place));
}

static void put_tries(struct caddy_site *s, struct caddy_line *l, struct conf_node *service)
{
    uint64_t n;
    if (num_dec(caddy_word(l, 1), 9, &n) == ERR_OK)
        draft_set(s->c->d, service, STR("tries"), draft_printf(s->c->d, "%u", (unsigned)n + 1),
                  l->place);
    else
        caddy_note(s->c, l, DRAFT_CHANGED, "at most three servers are tried; see 'tries'");
}

// What has nothing to be made of it. False: it may change who gets what.
static bool note_option(struct caddy_site *s, struct caddy_line *l)
{
    struct str name = caddy_word(l, 0);
    if (caddy_is(l, "flush_interval") || str_search(name, STR("buffer")) != STR_NPOS)
        caddy_note(s->c, l, DRAFT_NEEDLESS, "bodies flow as they come");
    else if (str_starts(name, STR("lb_try_")))
        caddy_note(s->c, l, DRAFT_CHANGED, "another server is tried at once; see 'retries'");
    else if (str_starts(name, STR("lb_")) || str_starts(name, STR("health_")) ||
             str_starts(name, STR("stream_")) || caddy_is(l, "verbose_logs"))
        caddy_note(s->c, l, DRAFT_LOST, "see 'health', 'eject' and 'retries' of services");
    else if (caddy_is(l, "trusted_proxies"))
        caddy_note(s->c, l, DRAFT_LOST, "see 'trusted-proxies' of entrypoints");
    else
        return caddy_is(l, "to") || caddy_is(l, "fail_duration") || caddy_is(l, "max_fails") ||
               str_starts(name, STR("unhealthy_"));
    return true;
}

static bool put_option(struct caddy_site *s, struct caddy_line *l, struct conf_node *headers,
                       struct conf_node *service)
{
    if (put_health(s, l, service))
        return true;
    if (caddy_is(l, "header_up") || caddy_is(l, "header_down"))
        return put_field(s, l, headers, service);
    if (caddy_is(l, "transport"))
        return put_transport(s, l, service);
    if (caddy_is(l, "lb_policy"))
        put_policy(s, l, service);
    else if (caddy_is(l, "lb_retries"))
        put_tries(s, l, service);
    else
        return note_option(s, l);
    return true;
}

void caddy_put_proxy(struct caddy_site *s, struct caddy_line *l)
{
    struct draft *d = s->c->d;
    if (l->service.len > 0 || l->is_refused)
        return;
    struct conf_node *services = draft_map(d, d->root, STR("services"), l->place);
    struct str name = draft_name(d, services, s->shown);
    struct conf_node *service = draft_map(d, services, name, l->place);
    struct conf_node *servers = draft_list(d, service, STR("servers"), l->place);
    struct conf_node *headers = caddy_filter(s, l, "headers");
    bool is_fine = true, is_tls = has_tls(l);
    for (const struct caddy_line *from = l; from; from = from == l ? l->first : from->next) {
        size_t at = from == l ? caddy_args(l) : caddy_is(from, "to") ? 1 : from->n_words;
        for (struct str url; at < from->n_words; at++) {
            is_fine = is_fine && caddy_url(s->c, caddy_word(from, at), is_tls, &url);
            if (is_fine)
                draft_push(d, servers, url, from->place);
        }
    }
    for (struct caddy_line *sub = l->first; sub && is_fine; sub = sub->next)
        is_fine = put_option(s, sub, headers, service);
    put_failures(s, l, service);
    for (struct conf_node *side = headers->first, *next; side; side = next) {
        next = side->next;
        if (!side->first)
            draft_remove(headers, side->key);
    }
    if (!headers->first || !is_fine) {
        draft_remove(conf_node_get(d->root, STR("filters")), l->filter);
        l->filter = STR_NONE;
    }
    if (is_fine && servers->first) {
        l->service = name;
        return;
    }
    draft_remove(services, name);
    l->is_refused = true;
    caddy_note(s->c, l, DRAFT_CLOSED, "its servers or options can't be had here as they are");
}
