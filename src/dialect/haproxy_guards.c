// SPDX-License-Identifier: Apache-2.0
// Passwords (userlist, auth) and limits (stick-table, track-sc) as filters.
#include <crypt.h>

#include "base/ascii.h"
#include "base/num.h"
#include "dialect/haproxy_rules.h"
#include "filter/common.h"
#include "filter/password.h"

#define PASSWORDS_MAX 200 // in plain text, which have to be hashed here

// --- passwords ---

// The hash of a password in plain text. Empty: it can't be had.
static struct str hash(struct draft *d, struct str password)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data data = {.initialized = 0};
    struct str own = draft_text(d, password);
    if (!crypt_gensalt_rn("$6$", 5000, NULL, 0, setting, sizeof setting))
        return STR_NONE;
    const char *text = crypt_rn(own.ptr, setting, &data, (int)sizeof data);
    return text ? draft_text(d, str_of(text)) : STR_NONE;
}

static bool has_item(struct str list, struct str wanted)
{
    struct str item;
    while (str_next_item(&list, ',', &item))
        if (str_eq(item, wanted))
            return true;
    return false;
}

// Whether a user's line, or a group's, puts the user into the group.
static bool is_member(const struct haproxy_section *list, const struct haproxy_line *user,
                      struct str group)
{
    for (unsigned i = 2; i + 1 < user->n; i++)
        if (str_eq(user->words[i], STR("groups")) && has_item(user->words[i + 1], group))
            return true;
    for (size_t i = 0; i < list->n; i++) {
        const struct haproxy_line *l = &list->lines[i];
        if (str_eq(l->words[0], STR("group")) && str_eq(haproxy_word(l, 1), group) &&
            str_eq(haproxy_word(l, 2), STR("users")) &&
            has_item(haproxy_word(l, 3), haproxy_word(user, 1)))
            return true;
    }
    return false;
}

// "file:" and "env:" would be references.
static bool is_user_name(struct str name)
{
    return name.len > 0 && str_find(name, ':') == STR_NPOS && !str_eq(name, STR("file")) &&
           !str_eq(name, STR("env"));
}

struct str haproxy_user(struct haproxy *h, struct str name, struct str password)
{
    struct str value = is_user_name(name) ? hash(h->d, password) : STR_NONE;
    return value.len > 0 ? draft_printf(h->d, STR_FMT ":" STR_FMT, STR_ARG(name), STR_ARG(value))
                         : STR_NONE;
}

// "NAME:HASH". Empty: there is none that can be used.
static struct str user_entry(struct haproxy *h, struct haproxy_line *l, unsigned *n_plain)
{
    struct str name = haproxy_word(l, 1), value = STR_NONE;
    draft_hide(h->d, l->place);
    for (unsigned i = 2; i + 1 < l->n; i++) {
        if (str_eq(l->words[i], STR("password")))
            value = l->words[i + 1];
        else if (str_eq(l->words[i], STR("insecure-password")) && (*n_plain)++ < PASSWORDS_MAX)
            value = hash(h->d, l->words[i + 1]);
    }
    if (value.len == 0 || password_hash_fault(value) || !is_user_name(name)) {
        haproxy_note(h, l, DRAFT_CLOSED, "no password of the user can be carried over");
        return STR_NONE;
    }
    return draft_printf(h->d, STR_FMT ":" STR_FMT, STR_ARG(name), STR_ARG(value));
}

static size_t put_users(struct haproxy *h, struct haproxy_section *list, struct str group,
                        struct conf_node *users)
{
    unsigned n_plain = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct haproxy_line *l = &list->lines[i];
        bool is_wanted =
            str_eq(l->words[0], STR("user")) && (group.len == 0 || is_member(list, l, group));
        struct str entry = is_wanted ? user_entry(h, l, &n_plain) : STR_NONE;
        if (entry.len > 0)
            draft_push(h->d, users, entry, l->place);
    }
    return users->n;
}

static struct str realm_of(const struct haproxy_line *l, struct str otherwise)
{
    for (unsigned i = 1; i + 1 < l->n; i++)
        if (str_eq(l->words[i], STR("realm")))
            return l->words[i + 1];
    return otherwise;
}

struct str haproxy_password(struct haproxy_run *r, struct haproxy_line *l,
                            const struct haproxy_expr *auth)
{
    struct haproxy *h = r->h;
    struct haproxy_section *list = haproxy_section(h, HAPROXY_USERLIST, auth->list);
    struct conf_node *map;
    if (!list)
        return STR_NONE;
    struct str realm = realm_of(l, r->proxy->s->name);
    struct str key = draft_printf(h->d, "password " STR_FMT "\n" STR_FMT "\n" STR_FMT,
                                  STR_ARG(auth->list), STR_ARG(auth->group), STR_ARG(realm));
    struct str name = haproxy_filter(
        h, key, draft_printf(h->d, STR_FMT "-login", STR_ARG(list->name)), l->place, &map);
    if (!map)
        return name;
    struct conf_node *basic = draft_map(h->d, map, STR("basic-auth"), l->place);
    struct conf_node *users = draft_list(h->d, basic, STR("users"), list->place);
    if (put_users(h, list, auth->group, users) == 0) {
        // Nobody can log in: whoever asks for this filter refuses instead.
        static struct str none;
        draft_remove(draft_map(h->d, h->d->root, STR("filters"), l->place), name);
        map_set(&h->filters, key, &none);
        return STR_NONE;
    }
    draft_set(h->d, basic, STR("realm"), realm, l->place);
    draft_set(h->d, basic, STR("strip"), STR("no"), l->place);
    if (!str_eq(haproxy_word(l, 1), STR("auth")))
        haproxy_note(h, l, DRAFT_CHANGED, "who has no password is asked for it, with 401");
    return name;
}

// --- limits ---

// The line that counts for a counter, and the table that it counts in.
static struct haproxy_line *tracking_line(struct haproxy_run *r, unsigned counter)
{
    struct haproxy_section *sections[] = {r->proxy->s, r->front->s};
    for (size_t k = 0; k < ARRAY_LEN(sections); k++) {
        for (size_t i = 0; i < sections[k]->n; i++) {
            struct haproxy_line *l = &sections[k]->lines[i];
            struct str name = haproxy_word(l, str_eq(l->words[0], STR("tcp-request")) ? 2 : 1);
            struct str wanted = draft_printf(r->h->d, "track-sc%u", counter);
            if (str_eq(name, wanted) || (str_eq(name, STR("track-sc")) && counter == 0))
                return l;
        }
    }
    return NULL;
}

static struct haproxy_line *table_of(struct haproxy_run *r, struct str name)
{
    struct haproxy_proxy *p = r->proxy;
    struct haproxy_section *s = p->s;
    for (size_t i = 0; name.len > 0 && i < r->h->file.n; i++)
        if (str_eq(r->h->file.sections[i].name, name) &&
            r->h->file.sections[i].kind <= HAPROXY_LISTEN)
            s = &r->h->file.sections[i];
    struct haproxy_line *l = haproxy_last(s, "stick-table", NULL);
    return l || s == r->front->s ? l : haproxy_last(r->front->s, "stick-table", NULL);
}

// "http_req_rate(10s)" in what a table stores: the time, in milliseconds. 0: it isn't there.
static uint64_t period_of(const struct haproxy_line *table, const char *what)
{
    for (unsigned i = 1; i + 1 < table->n; i++) {
        struct str list = table->words[i + 1], item;
        if (!str_eq(table->words[i], STR("store")))
            continue;
        while (str_next_item(&list, ',', &item)) {
            uint64_t us;
            if (!str_starts(item, str_of(what)) || !str_ends(item, STR(")")))
                continue;
            size_t open = str_find(item, '(');
            if (open != STR_NPOS &&
                haproxy_time(str_from(item.ptr + open + 1, item.len - open - 2), &us))
                return us / 1000;
        }
    }
    return 0;
}

// What requests are counted by. Empty: there is no such key here.
static struct str key_of(struct draft *d, struct str fetch)
{
    if (str_eq(fetch, STR("src")))
        return STR("client-ip");
    if (str_eq(fetch, STR("path")))
        return STR("path");
    if (str_ieq(fetch, STR("hdr(host)")) || str_ieq(fetch, STR("req.hdr(host)")))
        return STR("host");
    bool is_field = str_starts(fetch, STR("hdr(")) || str_starts(fetch, STR("req.hdr("));
    struct str name = str_skip(fetch, str_find(fetch, '(') + 1);
    if (!is_field || !str_ends(name, STR(")")) || str_find(name, ',') != STR_NPOS)
        return STR_NONE;
    name.len--;
    return ascii_is_token(name) ? draft_printf(d, "header:" STR_FMT, STR_ARG(name)) : STR_NONE;
}

static const char *const stored[] = {"http_req_rate", "conn_rate", "conn_cur", "http_err_rate"};

// N in a period, as a rate in the smallest unit that keeps it whole.
static struct str rate_text(struct draft *d, uint64_t n, uint64_t period_ms)
{
    static const struct {
        uint64_t ms;
        char unit;
    } units[] = {{1000, 's'}, {60000, 'm'}, {3600000, 'h'}, {86400000, 'd'}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (n * units[i].ms % period_ms == 0)
            return draft_printf(d, "%ju/%c", (uintmax_t)(n * units[i].ms / period_ms),
                                units[i].unit);
    return draft_printf(d, "%ju/d", (uintmax_t)MAX(n * 86400000 / period_ms, (uint64_t)1));
}

static const char *limit_note(enum haproxy_rate_kind kind)
{
    switch (kind) {
    case HAPROXY_RATE_REQUESTS:
        return "what may come at once is the same; after that, requests are let in as time goes "
               "by, "
               "and those that are refused don't count";
    case HAPROXY_RATE_CONNS:
        return "requests are limited, of which a connection may have many: raise 'rate' and "
               "'burst' to what one page needs";
    case HAPROXY_RATE_CONNS_NOW:
        return "requests in progress are limited, and not connections";
    case HAPROXY_RATE_ERRORS:
        break;
    }
    return "";
}

static void put_limit(struct haproxy_run *r, struct haproxy_line *l, struct conf_node *map,
                      const struct haproxy_expr *rate, uint64_t period_ms, unsigned status,
                      struct str key)
{
    struct draft *d = r->h->d;
    bool is_now = rate->rate == HAPROXY_RATE_CONNS_NOW;
    struct conf_node *limit =
        draft_map(d, map, is_now ? STR("concurrency") : STR("rate-limit"), l->place);
    struct str max = draft_printf(d, "%ju", (uintmax_t)rate->max);
    if (is_now) {
        draft_set(d, limit, STR("max"), max, l->place);
    } else {
        draft_set(d, limit, STR("rate"), rate_text(d, rate->max, period_ms), l->place);
        draft_set(d, limit, STR("burst"), max, l->place);
    }
    if (!str_eq(key, STR("client-ip")))
        draft_push(d, draft_list(d, limit, STR("key"), l->place), key, l->place);
    if (status != 429 && status >= 400)
        draft_set(d, limit, STR("status"), draft_printf(d, "%u", status), l->place);
}

struct str haproxy_limit(struct haproxy_run *r, struct haproxy_line *l,
                         const struct haproxy_expr *rate, unsigned status)
{
    struct draft *d = r->h->d;
    struct haproxy_line *tracking =
        rate->counter == UINT32_MAX ? NULL : tracking_line(r, rate->counter);
    bool is_tcp_rule = tracking && str_eq(tracking->words[0], STR("tcp-request"));
    struct str fetch = tracking ? haproxy_word(tracking, is_tcp_rule ? 3 : 2) : STR("src");
    struct str table_name = rate->list;
    for (unsigned i = 1; tracking && i + 1 < tracking->n; i++)
        if (str_eq(tracking->words[i], STR("table")))
            table_name = tracking->words[i + 1];
    struct haproxy_line *table = table_of(r, table_name);
    struct str key = key_of(d, fetch);
    uint64_t period_ms = table ? period_of(table, stored[rate->rate]) : 0;
    bool needs_period = rate->rate != HAPROXY_RATE_CONNS_NOW;
    bool is_whole = rate->rate != HAPROXY_RATE_ERRORS && key.len > 0 && table &&
                    (rate->counter == UINT32_MAX || tracking) && rate->max >= 1 &&
                    (!needs_period || (period_ms > 0 && period_ms <= 86400000));
    if (!is_whole || (needs_period && rate->max * 1000 / period_ms > 1000000))
        return STR_NONE;
    struct conf_node *map;
    struct str name_key =
        draft_printf(d, "limit %d %ju %ju %u " STR_FMT, (int)rate->rate, (uintmax_t)rate->max,
                     (uintmax_t)period_ms, status, STR_ARG(key));
    struct str name = haproxy_filter(r->h, name_key,
                                     draft_printf(d, STR_FMT "-limit", STR_ARG(r->proxy->s->name)),
                                     l->place, &map);
    if (map) {
        put_limit(r, l, map, rate, period_ms, status, key);
        draft_also(d, map, table->place);
        if (tracking)
            draft_also(d, map, tracking->place);
    }
    haproxy_note(r->h, l, DRAFT_CHANGED, "%s", limit_note(rate->rate));
    return name;
}
