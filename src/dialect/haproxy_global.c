// SPDX-License-Identifier: Apache-2.0
// What is for the whole program: global, resolvers, logs.
#include "base/ascii.h"
#include "base/num.h"
#include "codec/ip.h"
#include "dialect/haproxy_priv.h"
#include "gate/settings.h"

static const struct place nowhere;

static void put_number(struct haproxy *h, struct haproxy_section *s, const char *word,
                       const char *key)
{
    struct haproxy_line *l = haproxy_last(s, word, NULL);
    uint64_t n;
    if (!l)
        return;
    if (num_dec(haproxy_word(l, 1), UINT32_MAX, &n) == ERR_OK)
        haproxy_set_number(h, h->d->root, &settings_section, key, n, l);
    else
        haproxy_note(h, l, DRAFT_LOST, "it is no number");
}

void haproxy_global(struct haproxy *h, struct haproxy_section *s)
{
    struct haproxy_line *threads = haproxy_last(s, "nbthread", NULL);
    struct haproxy_line *user = haproxy_last(s, "user", NULL);
    struct haproxy_line *drain = haproxy_last(s, "hard-stop-after", NULL);
    uint64_t n;
    if (threads && num_dec(haproxy_word(threads, 1), 256, &n) == ERR_OK && n > 0)
        draft_set(h->d, h->d->root, STR("workers"), haproxy_word(threads, 1), threads->place);
    if (user)
        haproxy_note(h, user, DRAFT_NEEDLESS,
                     "the package has a user of its own; 'user' names another one");
    if (drain)
        haproxy_set_time(h, h->d->root, &settings_section, "drain-timeout", haproxy_word(drain, 1),
                         drain);
    put_number(h, s, "maxconn", "connections-max");
}

void haproxy_resolvers(struct haproxy *h, struct haproxy_section *s)
{
    struct haproxy_line *timeout = haproxy_last(s, "timeout", "retry");
    for (size_t i = 0; i < s->n; i++) {
        struct haproxy_line *l = &s->lines[i];
        struct str address = haproxy_word(l, 2);
        struct ip ip;
        if (!str_eq(l->words[0], STR("nameserver"))) {
            if (!l->is_done)
                haproxy_note(h, l, DRAFT_NEEDLESS, "names are kept for as long as DNS says");
            continue;
        }
        if (str_starts(address, STR("udp@")))
            address = str_skip(address, 4);
        if (str_ends(address, STR(":53")))
            address.len -= 3;
        l->is_done = true;
        if (ip_parse(address, &ip) != ERR_OK) {
            haproxy_note(h, l, DRAFT_LOST, "name servers are addresses, and listen on port 53");
            continue;
        }
        struct conf_node *resolver = draft_map(h->d, h->d->root, STR("resolver"), s->place);
        draft_push(h->d, draft_list(h->d, resolver, STR("servers"), s->place), address, l->place);
    }
    const struct conf_node *resolver = conf_node_get(h->d->root, STR("resolver"));
    if (timeout && resolver)
        haproxy_set_time(h, conf_node_get(h->d->root, STR("resolver")),
                         conf_item_find(&settings_section, STR("resolver"))->section, "timeout",
                         haproxy_word(timeout, 2), timeout);
}

// --- logs ---

// Where a log line sends to, as our `path`. Empty: there is no such target.
static struct str target_of(struct haproxy *h, struct str address)
{
    struct str host, port;
    struct ip ip;
    uint64_t number;
    if (str_eq(address, STR("/dev/log")))
        return STR("syslog");
    if (str_starts(address, STR("/")))
        return draft_printf(h->d, "syslog:unix:" STR_FMT, STR_ARG(address));
    if (str_eq(address, STR("stdout")) || str_eq(address, STR("stderr")))
        return STR("-");
    bool has_port = str_cut(address, ':', &host, &port);
    bool is_name = host.len > 0;
    for (size_t i = 0; i < host.len; i++)
        is_name = is_name && (ascii_is(host.ptr[i], ASCII_ALPHA | ASCII_DIGIT) ||
                              host.ptr[i] == '.' || host.ptr[i] == '-');
    bool is_good = ip_parse(host, &ip) == ERR_OK || is_name;
    if (!is_good || (has_port && num_dec(port, 65535, &number) != ERR_OK))
        return STR_NONE;
    return draft_printf(h->d, "syslog:udp://" STR_FMT, STR_ARG(address));
}

static bool is_facility(struct str s)
{
    const struct conf_section *log = conf_item_find(&settings_section, STR("access-log"))->section;
    const struct conf_item *item = conf_item_find(log, STR("facility"));
    for (size_t i = 0; item->names[i]; i++)
        if (str_eq(s, str_of(item->names[i])))
            return true;
    return false;
}

// HAProxy's own line, as far as fields go.
#define HTTPLOG                                                                                    \
    "{peer}:{peer-port} [{date}] {entrypoint} {service}/{server} "                                 \
    "{ms-head}/{ms-filters}/{ms-connect}/{ms-server}/{ms-total} {status} {bytes-out} {end} "       \
    "\"{request}\""

// The first target of all: there is one for each of our two logs.
static void take_log(struct haproxy *h, struct haproxy_line *l)
{
    struct conf_node *root = h->d->root;
    struct str address = haproxy_word(l, 1), facility = STR_NONE;
    l->is_done = true;
    if (str_eq(address, STR("global")) || address.len == 0)
        return;
    struct str path = target_of(h, address);
    const struct conf_node *log = conf_node_get(root, STR("access-log"));
    if (log && str_eq(conf_node_get(log, STR("path"))->text, path)) {
        haproxy_note(h, l, DRAFT_NEEDLESS, "both logs go there");
        return;
    }
    if (log) {
        haproxy_note(h, l, DRAFT_LOST, "there is one error log and one access log");
        return;
    }
    if (path.len == 0) {
        haproxy_note(h, l, DRAFT_LOST, "'path' of 'log' and 'access-log' says where logs can go");
        return;
    }
    for (unsigned i = 2; i < l->n && facility.len == 0; i++)
        if (is_facility(l->words[i]))
            facility = l->words[i];
    static const char *const logs[] = {"log", "access-log"};
    for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
        struct conf_node *map = draft_map(h->d, root, str_of(logs[i]), l->place);
        draft_set(h->d, map, STR("path"), path, l->place);
        if (facility.len > 0 && str_starts(path, STR("syslog")))
            draft_set(h->d, map, STR("facility"), facility, l->place);
    }
}

void haproxy_logs(struct haproxy *h)
{
    struct haproxy_line *format = NULL;
    for (size_t i = 0; i < h->file.n; i++) {
        struct haproxy_section *s = &h->file.sections[i];
        for (size_t k = 0; k < s->n && s->kind <= HAPROXY_LISTEN; k++)
            if (str_eq(s->lines[k].words[0], STR("log")))
                take_log(h, &s->lines[k]);
        bool is_front = s->kind == HAPROXY_FRONTEND || s->kind == HAPROXY_LISTEN;
        struct haproxy_line *httplog = is_front ? haproxy_option(s, "httplog") : NULL;
        format = format ? format : httplog;
    }
    if (format)
        draft_set(h->d, draft_map(h->d, h->d->root, STR("access-log"), nowhere), STR("format"),
                  STR(HTTPLOG), format->place);
}
