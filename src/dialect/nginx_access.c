// SPDX-License-Identifier: Apache-2.0
// Who may pass, and how often: what protects. Each of these is carried over whole, or stricter, or
// the location is closed.
#include "base/num.h"
#include "dialect/nginx_priv.h"

// --- allow and deny ---

// Rules are asked in order, and the first that fits decides. A run of "deny", then one of "allow",
// then "deny all" is a filter for each; an exception behind what it is an exception from can't be
// had, and is left out, which is stricter.
// True: nobody passes.
static bool put_addresses(struct nginx_server *s, struct nginx_directive *level,
                          struct conf_node *target)
{
    struct draft *d = s->n->d;
    struct conf_node *denied = NULL, *allowed = NULL;
    bool denies_all = false, allows_all = false;
    for (struct nginx_directive *rule = level->first; rule; rule = rule->next) {
        bool is_allow = nginx_is(rule, "allow");
        if (!is_allow && !nginx_is(rule, "deny"))
            continue;
        struct str who = nginx_word(rule, 1);
        rule->is_done = true;
        if (denies_all || allows_all)
            continue; // never reached
        if (str_eq(who, STR("all"))) {
            denies_all = !is_allow;
            allows_all = is_allow;
        } else if (str_eq(who, STR("unix:"))) {
            nginx_note(s->n, rule, DRAFT_NEEDLESS, "clients come by TCP alone");
        } else if (!is_allow) {
            if (allowed)
                nginx_note(s->n, rule, DRAFT_CHANGED,
                           "all of them are refused, also those that an 'allow' above lets pass");
            if (!denied)
                denied = draft_list(d, nginx_filter(s, target, "deny", rule->place),
                                    STR("addresses"), rule->place);
            draft_push(d, denied, who, rule->place);
        } else {
            if (!allowed)
                allowed = draft_list(d, nginx_filter(s, target, "allow", rule->place),
                                     STR("addresses"), rule->place);
            draft_push(d, allowed, who, rule->place);
        }
        if (denies_all && !allowed) {
            struct conf_node *settings = nginx_filter(s, target, "respond", rule->place);
            draft_set(d, settings, STR("status"), STR("403"), rule->place);
            draft_set(d, settings, STR("body"), STR("Forbidden.\n"), rule->place);
        }
    }
    return denies_all && !allowed;
}

// What only makes exceptions lets everybody pass that no rule denies: then "allow" isn't a filter.
static bool ends_with_deny_all(const struct nginx_directive *level)
{
    for (const struct nginx_directive *rule = level->first; rule; rule = rule->next)
        if ((nginx_is(rule, "deny") || nginx_is(rule, "allow")) &&
            str_eq(nginx_word(rule, 1), STR("all")))
            return nginx_is(rule, "deny");
    return false;
}

static void put_denied_alone(struct nginx_server *s, struct nginx_directive *level,
                             struct conf_node *target)
{
    struct draft *d = s->n->d;
    struct conf_node *denied = NULL;
    for (struct nginx_directive *rule = level->first; rule; rule = rule->next) {
        struct str who = nginx_word(rule, 1);
        if (nginx_is(rule, "allow") && !str_eq(who, STR("all")))
            nginx_note(
                s->n, rule, DRAFT_CHANGED,
                "an exception from what is denied below isn't made; who isn't denied passes");
        rule->is_done |= nginx_is(rule, "allow");
        if (!nginx_is(rule, "deny"))
            continue;
        rule->is_done = true;
        if (str_eq(who, STR("unix:"))) {
            nginx_note(s->n, rule, DRAFT_NEEDLESS, "clients come by TCP alone");
            continue;
        }
        if (!denied)
            denied = draft_list(d, nginx_filter(s, target, "deny", rule->place), STR("addresses"),
                                rule->place);
        draft_push(d, denied, who, rule->place);
    }
}

static bool put_allow_deny(struct nginx_server *s, struct nginx_directive *block,
                           struct conf_node *target)
{
    // Both names are one list: the nearest block with either has all of it.
    struct nginx_directive *level = block;
    while (level && !nginx_get(level, "allow") && !nginx_get(level, "deny"))
        level = level->parent;
    if (level && ends_with_deny_all(level))
        return put_addresses(s, level, target);
    if (level)
        put_denied_alone(s, level, target);
    return false;
}

// --- passwords and auth servers ---

static void put_basic(struct nginx_server *s, struct nginx_directive *block,
                      struct conf_node *target)
{
    struct draft *d = s->n->d;
    struct nginx_directive *realm = nginx_setting(block, "auth_basic");
    struct nginx_directive *file = nginx_setting(block, "auth_basic_user_file");
    if (!realm || str_eq(nginx_word(realm, 1), STR("off")))
        return;
    if (!file || !nginx_is_plain(nginx_word(file, 1))) {
        nginx_note(s->n, realm, DRAFT_CLOSED, "there is no file with passwords that can be named");
        nginx_close(s, target, realm);
        return;
    }
    struct conf_node *settings = nginx_filter(s, target, "basic-auth", realm->place);
    draft_set(d, settings, STR("users-file"), nginx_word(file, 1), file->place);
    draft_set(d, settings, STR("realm"), nginx_word(realm, 1), realm->place);
    draft_set(d, settings, STR("strip"), STR("no"), realm->place); // as nginx passes it on
}

// The location that answers a path by itself, in the block's server.
static struct nginx_directive *location_of(struct nginx_server *s, struct str path)
{
    struct nginx_directive *l = nginx_get(s->block, "location");
    for (; l; l = l->same) {
        bool is_exact = str_eq(nginx_word(l, 1), STR("=")) && str_eq(nginx_word(l, 2), path);
        if (is_exact || str_eq(nginx_word(l, 1), path))
            return l;
    }
    return NULL;
}

// Fields that servers get from the auth server's answer: "auth_request_set $user
// $upstream_http_remote_user" and "proxy_set_header Remote-User $user".
static void put_auth_fields(struct nginx_server *s, struct nginx_directive *block,
                            struct conf_node *settings)
{
    struct nginx_directive *level = nginx_level(block, "auth_request_set");
    struct nginx_directive *sets = level ? nginx_get(level, "auth_request_set") : NULL;
    struct nginx_directive *fields = nginx_level(block, "proxy_set_header");
    for (; sets; sets = sets->same) {
        sets->is_done = true;
        struct nginx_directive *f = fields ? nginx_get(fields, "proxy_set_header") : NULL;
        for (; f; f = f->same) {
            if (!str_eq(nginx_word(f, 2), nginx_word(sets, 1)))
                continue;
            struct str from = nginx_word(sets, 2);
            bool is_field = str_starts(from, STR("$upstream_http_"));
            struct str key = is_field ? nginx_field_name(s->n, str_skip(from, 15)) : STR_NONE;
            if (is_field && str_ieq(key, nginx_word(f, 1))) {
                draft_push(s->n->d,
                           draft_list(s->n->d, settings, STR("auth-response-headers"), f->place),
                           nginx_word(f, 1), f->place);
                f->is_done = true;
            } else {
                nginx_note(s->n, f, DRAFT_LOST,
                           "servers get fields of the auth server under their own names alone");
            }
        }
    }
}

static void put_auth_request(struct nginx_server *s, struct nginx_directive *block,
                             struct conf_node *target)
{
    struct nginx_directive *auth = nginx_setting(block, "auth_request");
    if (!auth || str_eq(nginx_word(auth, 1), STR("off")))
        return;
    struct nginx_directive *l = location_of(s, nginx_word(auth, 1));
    struct nginx_directive *pass = l ? nginx_get(l, "proxy_pass") : NULL;
    if (!pass || !nginx_is_plain(nginx_word(pass, 1))) {
        nginx_note(s->n, auth, DRAFT_CLOSED, "the location that it names asks no server");
        nginx_close(s, target, auth);
        return;
    }
    struct str url = nginx_word(pass, 1);
    size_t host = str_search(url, STR("://"));
    bool has_path = host != STR_NPOS && str_find(str_skip(url, host + 3), '/') != STR_NPOS;
    if (!has_path)
        url = draft_printf(s->n->d, STR_FMT STR_FMT, STR_ARG(url), STR_ARG(nginx_word(auth, 1)));
    struct conf_node *settings = nginx_filter(s, target, "forward-auth", auth->place);
    draft_set(s->n->d, settings, STR("address"), url, auth->place);
    draft_also(s->n->d, settings, pass->place);
    nginx_note(
        s->n, auth, DRAFT_CHANGED,
        "the auth server gets X-Forwarded-Method, -Proto, -Host and -Uri, and what it answers "
        "but 2xx goes to the client");
    put_auth_fields(s, block, settings);
}

// --- limits ---

static struct nginx_directive *zone_of(struct nginx *n, const char *kind, struct str name)
{
    struct nginx_directive *d = nginx_get(n->http, kind);
    for (; d; d = d->same)
        for (size_t i = 1; i < d->n_words; i++) {
            struct str key, value, zone, size;
            if (!str_cut(nginx_word(d, i), '=', &key, &value) || !str_eq(key, STR("zone")))
                continue;
            str_cut(value, ':', &zone, &size);
            if (str_eq(zone, name))
                return d;
        }
    return NULL;
}

static struct str option_of(const struct nginx_directive *d, const char *name)
{
    for (size_t i = 1; i < d->n_words; i++) {
        struct str key, value;
        if (str_cut(nginx_word(d, i), '=', &key, &value) && str_eq(key, str_of(name)))
            return value;
    }
    return STR_NONE;
}

static void put_key(struct nginx_server *s, struct nginx_directive *zone,
                    struct conf_node *settings)
{
    struct str of = nginx_word(zone, 1), key = STR_NONE;
    zone->is_done = true;
    if (str_eq(of, STR("$binary_remote_addr")) || str_eq(of, STR("$remote_addr")))
        return; // as ours
    if (str_eq(of, STR("$server_name")))
        key = STR("all");
    else if (str_eq(of, STR("$host")) || str_eq(of, STR("$http_host")))
        key = STR("host");
    else if (str_eq(of, STR("$uri")) || str_eq(of, STR("$document_uri")))
        key = STR("path");
    else if (str_starts(of, STR("$http_")))
        key = nginx_field_key(s->n, of);
    else if (str_starts(of, STR("$cookie_")))
        key = draft_printf(s->n->d, "cookie:" STR_FMT, STR_ARG(str_skip(of, 8)));
    else if (str_starts(of, STR("$arg_")))
        key = draft_printf(s->n->d, "query:" STR_FMT, STR_ARG(str_skip(of, 5)));
    if (key.len > 0)
        draft_set(s->n->d, settings, STR("key"), key, zone->place);
    else
        nginx_note(s->n, zone, DRAFT_CHANGED,
                   "each client's address has a limit of its own instead");
}

static void put_status(struct nginx_server *s, struct nginx_directive *block, const char *name,
                       struct conf_node *settings, struct place place)
{
    struct nginx_directive *status = nginx_setting(block, name);
    draft_set(s->n->d, settings, STR("status"), status ? nginx_word(status, 1) : STR("503"),
              status ? status->place : place);
}

static void put_rate(struct nginx_server *s, struct nginx_directive *block,
                     struct nginx_directive *limit, struct conf_node *target)
{
    struct draft *d = s->n->d;
    struct nginx_directive *zone = zone_of(s->n, "limit_req_zone", option_of(limit, "zone"));
    struct str rate = zone ? option_of(zone, "rate") : STR_NONE, number, unit;
    uint64_t burst = 0, per_s;
    limit->is_done = true;
    if (!str_cut(rate, 'r', &number, &unit) || num_dec(number, 1000000, &per_s) != ERR_OK) {
        nginx_note(s->n, limit, DRAFT_CLOSED, "its zone, or the zone's rate, isn't there");
        nginx_close(s, target, limit);
        return;
    }
    if (num_dec(option_of(limit, "burst"), 1000000, &burst) != ERR_OK)
        burst = 0;
    struct conf_node *settings = nginx_filter(s, target, "rate-limit", limit->place);
    draft_also(d, settings, zone->place);
    draft_set(d, settings, STR("rate"),
              draft_printf(d, STR_FMT STR_FMT, STR_ARG(number), STR_ARG(unit)), zone->place);
    // One more than what may wait goes at once.
    draft_set(d, settings, STR("burst"), draft_printf(d, "%llu", (unsigned long long)burst + 1),
              limit->place);
    put_key(s, zone, settings);
    put_status(s, block, "limit_req_status", settings, limit->place);
    if (nginx_is_on(block, "limit_req_dry_run"))
        draft_set(d, settings, STR("dry-run"), STR("yes"), limit->place);
    bool delays = burst > 0 && !str_eq(limit->words[limit->n_words - 1].text, STR("nodelay"));
    if (delays)
        nginx_note(
            s->n, limit, DRAFT_CHANGED,
            "those within the burst are served at once; 'delay' makes them wait for their turn");
}

static void put_limits(struct nginx_server *s, struct nginx_directive *block,
                       struct conf_node *target)
{
    struct draft *d = s->n->d;
    struct nginx_directive *level = nginx_level(block, "limit_req");
    for (struct nginx_directive *l = level ? nginx_get(level, "limit_req") : NULL; l; l = l->same)
        put_rate(s, block, l, target);
    level = nginx_level(block, "limit_conn");
    for (struct nginx_directive *l = level ? nginx_get(level, "limit_conn") : NULL; l;
         l = l->same) {
        struct nginx_directive *zone = zone_of(s->n, "limit_conn_zone", nginx_word(l, 1));
        struct conf_node *settings = nginx_filter(s, target, "concurrency", l->place);
        l->is_done = true;
        draft_set(d, settings, STR("max"), nginx_word(l, 2), l->place);
        if (zone)
            put_key(s, zone, settings);
        put_status(s, block, "limit_conn_status", settings, l->place);
    }
    struct nginx_directive *body = nginx_setting(block, "client_max_body_size");
    struct str max = body ? nginx_size(s->n, nginx_word(body, 1)) : STR_NONE;
    if (max.len > 0)
        draft_set(d, nginx_filter(s, target, "body-limit", body->place), STR("max"), max,
                  body->place);
    struct nginx_directive *rate = nginx_setting(block, "limit_rate");
    struct str down = rate ? nginx_size(s->n, nginx_word(rate, 1)) : STR_NONE;
    if (down.len == 0)
        return;
    struct conf_node *settings = nginx_filter(s, target, "bandwidth", rate->place);
    draft_set(d, settings, STR("down"), down, rate->place);
    draft_set(d, settings, STR("per"), STR("exchange"), rate->place);
    struct nginx_directive *after = nginx_setting(block, "limit_rate_after");
    struct str burst = after ? nginx_size(s->n, nginx_word(after, 1)) : STR_NONE;
    if (burst.len > 0)
        draft_set(d, settings, STR("burst"), burst, after->place);
}

// A file that isn't there may have said who passes.
static void close_for_missing(struct nginx_server *s, struct nginx_directive *block,
                              struct conf_node *target)
{
    for (; block; block = block == s->n->http ? NULL : block->parent)
        for (struct nginx_directive *d = nginx_get(block, "include"); d; d = d->same) {
            if (d->missing.len == 0)
                continue;
            nginx_note(s->n, d, DRAFT_CLOSED, STR_FMT, STR_ARG(d->missing));
            nginx_close(s, target, d);
        }
}

bool nginx_put_access(struct nginx_server *s, struct nginx_directive *block,
                      struct conf_node *target)
{
    // What only another language, or a module, can decide.
    static const char *const guards[] = {
        "access_by_lua_block", "access_by_lua_file", "js_access",     "modsecurity_rules",
        "secure_link",         "valid_referers",     "auth_jwt",      "auth_ldap",
        "auth_digest",         "geoip2_deny",        "access_by_lua", "auth_delay",
        "limit_except",
    };
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++) {
        struct nginx_directive *d = nginx_setting(block, guards[i]);
        if (!d)
            continue;
        nginx_note(s->n, d, DRAFT_CLOSED,
                   "nothing here does the same; see 'sallyport print settings'");
        nginx_mark_done(d);
        nginx_close(s, target, d);
    }
    close_for_missing(s, block, target);
    struct nginx_directive *satisfy = nginx_setting(block, "satisfy");
    if (satisfy && str_eq(nginx_word(satisfy, 1), STR("any")))
        nginx_note(s->n, satisfy, DRAFT_CHANGED, "here all conditions have to be met, not any");
    put_limits(s, block, target);
    bool is_shut = put_allow_deny(s, block, target);
    put_basic(s, block, target);
    put_auth_request(s, block, target);
    return is_shut;
}
