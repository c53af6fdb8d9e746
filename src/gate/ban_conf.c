// SPDX-License-Identifier: Apache-2.0
#include "gate/ban_conf.h"

#include "base/ascii.h"
#include "base/num.h"

#define COUNT_FORMAT                                                                               \
    "wrong-password, denied, rate-limited, malformed, flood, slow, handshake, a status such as "   \
    "404, 4xx or 5xx"

static const char *const refuse_names[] = {
    [BAN_ANSWER] = "answer",
    [BAN_CLOSE] = "close",
    NULL,
};

static const struct conf_item rule_items[] = {
    ITEM_TEXTS(
        ban_rule_conf, count, "count", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
        .format = COUNT_FORMAT, .example = "[wrong-password, 404]",
        .doc = "What counts: a wrong password (`basic-auth`), a refusal by `allow` or `deny`, "
               "one by `rate-limit`; a message or connection that is no HTTP; a flood of "
               "HTTP/2 (rapid resets, frames that bring nothing, endless fields); what doesn't "
               "come, or isn't taken, in time; a handshake of TLS that comes to nothing; or the "
               "status of an answer, the server's as well."),
    ITEM_UINT(ban_rule_conf, times, "times", .def = "5", .min = "1", .max = "1000000",
              .since = "0.1", .apply = CONF_LIVE, .doc = "So many lead to a ban."),
    ITEM_DURATION(ban_rule_conf, in_ms, "in", .def = "10m", .min = "1s", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE, .doc = "When they come within this time."),
    ITEM_DURATION(ban_rule_conf, for_ms, "for", .def = "10m", .min = "1s", .max = "3650d",
                  .since = "0.1", .apply = CONF_LIVE, .doc = "How long the first ban lasts."),
    ITEM_DURATION(ban_rule_conf, at_most_ms, "at-most", .def = "7d", .min = "1s", .max = "3650d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "Each further ban lasts twice as long as the one before, up to this."),
    ITEM_TEXT(ban_rule_conf, match, "match", .since = "0.1", .apply = CONF_LIVE, .format = "a rule",
              .example = "Host(`a.example`) && PathPrefix(`/login`)",
              .doc = "Which requests count; by default all."),
    ITEM_BOOL(ban_rule_conf, dry_run, "dry-run", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Only tells in the log whom it would have banned."),
};

static const struct conf_section rule_section = {
    .name = "ban-rule",
    .doc = "For what a client is banned.",
    CONF_SECTION_OF(ban_rule_conf, rule_items),
    .place_offset = CONF_PLACE_AT(ban_rule_conf, place),
};

static const struct conf_item items[] = {
    ITEM_MAP(ban_conf, rules, "rules", .section = &rule_section, .since = "0.1", .apply = CONF_LIVE,
             .doc = "For what clients are banned, by name."),
    ITEM_NETS(ban_conf, never, "never", .since = "0.1", .apply = CONF_LIVE,
              .example = "[private, 192.0.2.1]",
              .doc = "Who is never refused for a ban, whatever rules and people say."),
    ITEM_ENUM(ban_conf, refuse, "refuse", .names = refuse_names, .def = "answer", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "What banned clients get: `answer` a page with the status; `close` nothing: "
                     "their connections are closed before anything is read, and before TLS. Who "
                     "comes by a trusted proxy gets the page, and TCP routes close, in any case."),
    ITEM_UINT(ban_conf, status, "status", .def = "403", .min = "400", .max = "599", .since = "0.1",
              .apply = CONF_LIVE, .doc = "The status of that page."),
    ITEM_UINT(ban_conf, v4_prefix, "ipv4-prefix", .def = "32", .min = "8", .max = "32",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "How many bits of an IPv4 address rules ban together."),
    ITEM_UINT(ban_conf, v6_prefix, "ipv6-prefix", .def = "64", .min = "16", .max = "128",
              .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "How many of an IPv6 address: whoever has one has at least the 2^64 of a /64."),
    ITEM_DURATION(ban_conf, remember_ms, "remember", .def = "1d", .max = "365d", .since = "0.1",
                  .apply = CONF_LIVE,
                  .doc = "How long after its end a ban makes the next one longer."),
    ITEM_UINT(ban_conf, clients_max, "clients-max", .def = "100000", .min = "100", .max = "1000000",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "How many bans are kept, with about 200 bytes each. The oldest go first."),
};

const struct conf_section ban_section = {
    .name = "ban",
    .doc = "Clients that misbehave are refused for a while, at all entrypoints and before anything "
           "else is done for them. Bans live through reloads, a gate's death and, where there is a "
           "state folder, restarts. `sallyport ban` lists, adds and removes them.",
    CONF_SECTION_OF(ban_conf, items),
    .place_offset = CONF_NO_PLACE,
};

// --- building ---

static const struct str exchange_events[] = {
#define X(id, text) [EXCHANGE_OFFENCE_##id] = STR_INIT(text),
    EXCHANGE_OFFENCE_LIST(X)
#undef X
};
static const struct str conn_events[] = {
#define X(id, text) [HTTP_OFFENCE_##id] = STR_INIT(text),
    HTTP_OFFENCE_LIST(X)
#undef X
};

static bool add_named(struct str text, const struct str *names, size_t n, uint32_t *events)
{
    size_t i = 0;
    while (i < n && !str_eq(text, names[i]))
        i++;
    if (i < n)
        *events |= UINT32_C(1) << i;
    return i < n;
}

// "404", "4xx".
static bool add_status(struct str text, struct ban_rule *r)
{
    uint64_t from, to;
    bool is_class = text.len == 3 && str_ieq(str_skip(text, 1), STR("xx"));
    if (text.len != 3 || num_dec(str_first(text, is_class ? 1 : 3), 999, &from) != ERR_OK)
        return false;
    to = is_class ? from * 100 + 99 : from;
    from = is_class ? from * 100 : from;
    if (from < BAN_STATUS_MIN || to > BAN_STATUS_MAX)
        return false;
    for (uint64_t status = from; status <= to; status++)
        r->statuses[status - BAN_STATUS_MIN] = true;
    return true;
}

static bool add_event(const struct conf_text *text, struct diags *diags, struct ban_rule *r)
{
    if (add_named(text->text, exchange_events, ARRAY_LEN(exchange_events), &r->exchange_events) ||
        add_named(text->text, conn_events, ARRAY_LEN(conn_events), &r->conn_events) ||
        add_status(text->text, r))
        return true;
    diag_fail(diags, ERR_SYNTAX, text->place, "'" STR_FMT "' can't be counted: write " COUNT_FORMAT,
              STR_ARG(text->text));
    return false;
}

static bool build_rule(const struct conf_map_item *item, struct arena *mem, struct diags *diags,
                       struct ban_rule *ret)
{
    const struct ban_rule_conf *c = item->value;
    *ret = (struct ban_rule){
        .name = item->name,
        .times = c->times,
        .in_ns = c->in_ms * 1000000,
        .for_s = (c->for_ms + 999) / 1000,
        .at_most_s = MAX(c->at_most_ms, c->for_ms) / 1000,
        .is_dry = c->dry_run,
    };
    bool is_fine = c->count.n > 0;
    if (!is_fine)
        diag_fail(diags, ERR_RANGE, c->place, "`count` names nothing: write " COUNT_FORMAT);
    for (size_t i = 0; i < c->count.n; i++)
        is_fine = add_event(&c->count.items[i], diags, ret) && is_fine;
    if (c->match.text.len == 0)
        return is_fine;
    ret->match = rule_parse(c->match.text, c->match.place, mem, diags);
    return is_fine && ret->match;
}

bool ban_rules_build(const struct ban_conf *c, struct arena *mem, struct diags *diags,
                     struct ban_rules *ret)
{
    *ret = (struct ban_rules){
        .closes = c->refuse == BAN_CLOSE,
        .status = c->status,
        .v4_bits = c->v4_prefix,
        .v6_bits = c->v6_prefix,
        .remember_s = c->remember_ms / 1000,
        .max = c->clients_max,
    };
    ret->items = ARENA_ARRAY(mem, struct ban_rule, c->rules.n + 1);
    if (!ret->items || ip_set_build(c->never.items, c->never.n, mem, &ret->never) != ERR_OK) {
        diag_fail(diags, ERR_LIMIT, (struct place){.source = NULL}, "bans need too much memory");
        return false;
    }
    bool is_fine = true;
    for (ret->n = 0; ret->n < c->rules.n; ret->n++)
        is_fine = build_rule(&c->rules.items[ret->n], mem, diags, &ret->items[ret->n]) && is_fine;
    return is_fine;
}

void ban_rules_fini(struct ban_rules *r)
{
    for (size_t i = 0; i < r->n; i++)
        rule_fini(r->items[i].match);
    r->n = 0;
}

// --- counting ---

bool ban_rule_counts_offence(const struct ban_rule *r, enum http_offence what,
                             const char **ret_what)
{
    *ret_what = conn_events[what].ptr;
    return !r->match && (r->conn_events >> what & 1) != 0;
}

static const char *event_of(const struct ban_rule *r, const struct exchange *x)
{
    if (x->end == EXCHANGE_END_CLIENT_PROTOCOL &&
        (r->conn_events >> HTTP_OFFENCE_MALFORMED & 1) != 0)
        return conn_events[HTTP_OFFENCE_MALFORMED].ptr;
    if (x->end == EXCHANGE_END_CLIENT_TIMEOUT && (r->conn_events >> HTTP_OFFENCE_SLOW & 1) != 0)
        return conn_events[HTTP_OFFENCE_SLOW].ptr;
    for (size_t i = 0; i < ARRAY_LEN(exchange_events); i++) {
        if ((x->offences & r->exchange_events) >> i & 1)
            return exchange_events[i].ptr;
    }
    unsigned status = x->resp.status;
    bool counts = status >= BAN_STATUS_MIN && status <= BAN_STATUS_MAX &&
                  r->statuses[status - BAN_STATUS_MIN];
    return counts ? "a status" : NULL;
}

bool ban_rule_counts(const struct ban_rule *r, const struct exchange *x, const char **ret_what)
{
    *ret_what = event_of(r, x);
    bool has_request = x->req.method.len > 0;
    return *ret_what && (!r->match || (has_request && rule_matches(r->match, x)));
}
