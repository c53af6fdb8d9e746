// SPDX-License-Identifier: Apache-2.0
// Questions of conditions as parts of rules.
#include "base/ascii.h"
#include "base/num.h"
#include "codec/ip.h"
#include "dialect/haproxy_question.h"
#include "route/rule.h"

#define RULE_MEM_BYTES ((size_t)8 << 20)

static const struct haproxy_expr *unknown(const struct haproxy_question *q, const char *why)
{
    return haproxy_unknown(q->d, str_of(why));
}

// A rule's part, if rules take it; it may be too long, or have an expression that isn't one.
static const struct haproxy_expr *rule(const struct haproxy_question *q, struct str text)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, RULE_MEM_BYTES, NULL, 0);
    struct rule *r = rule_is_tcp(text) || q->asked->is_tcp
                         ? rule_parse_tcp(text, (struct place){.line = 0}, &mem, &diags)
                         : rule_parse(text, (struct place){.line = 0}, &mem, &diags);
    const struct haproxy_expr *e =
        r ? haproxy_rule(q->d, text)
          : haproxy_unknown(q->d, draft_text(q->d, str_of(diags.n > 0 ? diags.items[0].text
                                                                      : "it is no rule here")));
    rule_fini(r);
    diags_fini(&diags);
    arena_fini(&mem);
    return e;
}

static const struct haproxy_bounds whole = {"^", "$", ""};

static const struct haproxy_expr *ask_path(struct haproxy_question *q)
{
    bool is_exact = q->match == HAPROXY_MATCH_STR || q->match == HAPROXY_MATCH_OTHER;
    bool is_plain = !q->ignore_case && (is_exact || q->match == HAPROXY_MATCH_BEG);
    if (q->asked->changed & HAPROXY_CHANGED_PATH)
        return unknown(q, "the path was changed before, and rules see the one that came");
    if (q->match == HAPROXY_MATCH_FOUND)
        return &haproxy_true;
    for (size_t i = 0; i < q->n && is_plain; i++)
        is_plain = str_starts(q->values[i], STR("/")) && str_find(q->values[i], '{') == STR_NPOS;
    if (is_plain)
        return rule(q, haproxy_call(q, is_exact ? "Path" : "PathPrefix"));
    return rule(q,
                haproxy_call_with(q, "PathRegexp", STR_NONE, haproxy_pattern(q, STR_NONE, whole)));
}

// A host may be asked for with its port; rules see it without.
static void drop_ports(struct haproxy_question *q)
{
    for (size_t i = 0; i < q->n; i++) {
        struct str *v = &q->values[i];
        size_t colon = str_rfind(*v, ':');
        uint64_t port;
        if (colon != STR_NPOS && colon == str_find(*v, ':') &&
            num_dec(str_skip(*v, colon + 1), 65535, &port) == ERR_OK)
            *v = str_first(*v, colon);
    }
}

static const struct haproxy_expr *ask_host(struct haproxy_question *q)
{
    if (q->asked->changed & HAPROXY_CHANGED_HOST)
        return unknown(q, "Host was changed before, and rules see the one that came");
    if (q->match == HAPROXY_MATCH_FOUND)
        return &haproxy_true; // there is no request without
    const char *exact = q->asked->is_tcp ? "HostSNI" : "Host";
    const char *other = q->asked->is_tcp ? "HostSNIRegexp" : "HostRegexp";
    q->ignore_case = false; // these are so in any case
    if (q->match != HAPROXY_MATCH_REG)
        drop_ports(q);
    if (q->match == HAPROXY_MATCH_STR || q->match == HAPROXY_MATCH_OTHER) {
        bool has_star = false;
        for (size_t i = 0; i < q->n; i++)
            has_star = has_star || str_find(q->values[i], '*') != STR_NPOS;
        const struct haproxy_expr *e = has_star ? NULL : rule(q, haproxy_call(q, exact));
        if (e && e->kind == HAPROXY_RULE)
            return e;
    }
    return rule(q, haproxy_call_with(q, other, STR_NONE, haproxy_pattern(q, STR_NONE, whole)));
}

static bool is_changed(const struct haproxy_question *q, struct str field)
{
    for (const struct haproxy_names *n = q->asked->fields; n; n = n->before)
        if (str_ieq(n->name, field))
            return true;
    return false;
}

static const struct haproxy_expr *ask_header(struct haproxy_question *q)
{
    static const struct haproxy_bounds element = {"(?:^|,)[ \\t]*", "[ \\t]*(?:,|$)", "[^,]*?"};
    static const struct haproxy_bounds inner = {"", "[ \\t]*(?:,|$)", ""};
    if (str_ieq(q->arg, STR("host")))
        return ask_host(q);
    if (q->arg.len == 0 || str_find(q->arg, ',') != STR_NPOS)
        return unknown(q, "only all lines of one field can be asked at once");
    if (is_changed(q, q->arg))
        return unknown(q, "the field was changed before, and rules see the one that came");
    if (q->match == HAPROXY_MATCH_FOUND)
        return rule(q, haproxy_call_with(q, "HeaderRegexp", q->arg, STR("^")));
    struct haproxy_bounds b = q->source == HAPROXY_SOURCE_FIELD ? whole : element;
    // What is only somewhere inside has no need to know where its element begins.
    if (q->source == HAPROXY_SOURCE_HEADER &&
        (q->match == HAPROXY_MATCH_SUB || q->match == HAPROXY_MATCH_END))
        b = inner;
    return rule(q, haproxy_call_with(q, "HeaderRegexp", q->arg, haproxy_pattern(q, STR_NONE, b)));
}

static const struct haproxy_expr *ask_cookie(struct haproxy_question *q)
{
    static const struct haproxy_bounds value = {"", "\"?[ \\t]*(?:;|$)", "[^;]*?"};
    struct text t = {.len = 0};
    if (q->arg.len == 0)
        return unknown(q, "only a cookie with a name can be asked");
    if (is_changed(q, STR("cookie")))
        return unknown(q, "cookies were changed before, and rules see those that came");
    text_put(&t, STR("(?:^|;)[ \\t]*"));
    haproxy_put_literal(q->arg, &t);
    text_put(&t, STR("=\"?"));
    struct str before = draft_text(q->d, text_str(&t));
    text_fini(&t);
    struct str expression =
        q->match == HAPROXY_MATCH_FOUND ? before : haproxy_pattern(q, before, value);
    return rule(q, haproxy_call_with(q, "HeaderRegexp", STR("Cookie"), expression));
}

static const struct haproxy_expr *ask_param(struct haproxy_question *q)
{
    if (q->arg.len == 0 || str_find(q->arg, ',') != STR_NPOS)
        return unknown(q, "only a parameter with a name can be asked");
    if (q->asked->changed & HAPROXY_CHANGED_QUERY)
        return unknown(q, "the query was changed before, and rules see the one that came");
    if (q->match == HAPROXY_MATCH_FOUND)
        return rule(q, haproxy_call_with(q, "QueryRegexp", q->arg, STR("^")));
    return rule(q,
                haproxy_call_with(q, "QueryRegexp", q->arg, haproxy_pattern(q, STR_NONE, whole)));
}

static const struct haproxy_expr *ask_client(struct haproxy_question *q)
{
    for (size_t i = 0; i < q->n; i++) {
        // HAProxy takes networks with bits behind their prefix.
        struct str address, length;
        struct ip ip;
        struct ip_net net;
        uint64_t bits = 0;
        if (ip_net_parse(q->values[i], &net) == ERR_OK)
            continue;
        if (!str_cut(q->values[i], '/', &address, &length) || ip_parse(address, &ip) != ERR_OK ||
            num_dec(length, ip.family == 6 ? 128 : 32, &bits) != ERR_OK)
            return unknown(q, "it names an address that is none");
        for (size_t k = 0; k < (ip.family == 6 ? 16u : 4u); k++) {
            size_t left = bits > 8 * k ? bits - 8 * k : 0;
            ip.bytes[k] &= (uint8_t)(left >= 8 ? 0xff : 0xff00 >> left);
        }
        char buf[46];
        struct str text = ip_text(&ip, buf);
        q->values[i] = draft_printf(q->d, STR_FMT "/%u", STR_ARG(text), (unsigned)bits);
    }
    return q->n > 0 ? rule(q, haproxy_call(q, "ClientIP")) : &haproxy_false;
}

// "443", "gt 1023", "8000:8010": whether number is one of these.
static bool compare(struct haproxy_question *q, uint64_t number, bool *ret)
{
    static const char *const words[] = {"eq", "ge", "gt", "le", "lt"};
    unsigned how = 0;
    *ret = false;
    for (size_t i = 0; i < q->n; i++) {
        struct str v = q->values[i], low, high;
        uint64_t a, b;
        bool is_word = false;
        for (unsigned k = 0; k < ARRAY_LEN(words) && !is_word; k++) {
            is_word = str_eq(v, str_of(words[k]));
            how = is_word ? k : how;
        }
        if (is_word)
            continue;
        bool is_range = str_cut(v, ':', &low, &high);
        if (num_dec(low, UINT32_MAX, &a) != ERR_OK ||
            (is_range && num_dec(high, UINT32_MAX, &b) != ERR_OK))
            return false;
        if (is_range)
            *ret = *ret || (number >= a && number <= b);
        else
            *ret = *ret || (how == 0   ? number == a
                            : how == 1 ? number >= a
                            : how == 2 ? number > a
                            : how == 3 ? number <= a
                                       : number < a);
    }
    return true;
}

static const struct haproxy_expr *ask_port(struct haproxy_question *q)
{
    bool is_it;
    q->asked->used_bind = true;
    if (!compare(q, q->asked->port, &is_it))
        return unknown(q, "it compares with what is no number");
    return is_it ? &haproxy_true : &haproxy_false;
}

// Only "is there one" can be asked: what is true for 1 and 2 alike, and false for 0.
static const struct haproxy_expr *ask_count(struct haproxy_question *q)
{
    bool with_none, with_one, with_many;
    if (!compare(q, 0, &with_none) || !compare(q, 1, &with_one) || !compare(q, 100, &with_many) ||
        with_one != with_many || with_none == with_one)
        return unknown(q, "lines of a field can't be counted");
    q->n = 0;
    q->match = HAPROXY_MATCH_FOUND;
    q->source = HAPROXY_SOURCE_HEADER;
    const struct haproxy_expr *e = ask_header(q);
    return with_one ? e : haproxy_not(q->d, e);
}

static const struct haproxy_expr *ask_rate(struct haproxy_question *q)
{
    uint64_t n = 0;
    bool is_gt = q->n == 2 && str_eq(q->values[0], STR("gt"));
    bool is_ge = q->n == 2 && str_eq(q->values[0], STR("ge"));
    if ((!is_gt && !is_ge) || num_dec(q->values[1], 1000000, &n) != ERR_OK || n < (is_ge ? 2u : 1u))
        return unknown(q, "of counters only 'gt' and 'ge' a number have a counterpart here");
    const struct haproxy_expr *e = haproxy_unknown(q->d, STR("it limits a rate"));
    if (e->kind == HAPROXY_UNKNOWN && !q->d->is_full) {
        struct haproxy_expr *own = ARENA_NEW(&q->d->mem, struct haproxy_expr);
        if (!own)
            return e;
        *own = (struct haproxy_expr){.kind = HAPROXY_RATE,
                                     .text = e->text,
                                     .list = q->arg,
                                     .rate = q->rate,
                                     .counter = q->counter,
                                     .max = n - is_ge};
        return own;
    }
    return e;
}

static const struct haproxy_expr *ask_user(struct haproxy_question *q)
{
    struct haproxy_expr *own = ARENA_NEW(&q->d->mem, struct haproxy_expr);
    if (!own || q->n > 1 || q->arg.len == 0)
        return unknown(q, "it asks for a user in a way that has no counterpart here");
    *own = (struct haproxy_expr){.kind = HAPROXY_AUTH,
                                 .text = STR("it asks for a password"),
                                 .list = q->arg,
                                 .group = q->n > 0 ? q->values[0] : STR_NONE};
    return own;
}

static const struct haproxy_expr *ask(struct haproxy_question *q)
{
    struct haproxy_asked *a = q->asked;
    bool is_of_request = q->source >= HAPROXY_SOURCE_PATH && q->source <= HAPROXY_SOURCE_METHOD;
    if (is_of_request && a->is_answer)
        return unknown(q, "an answer's rule can't ask for the request here");
    if (is_of_request && a->is_tcp)
        return unknown(q, "there are no requests in mode tcp");
    if (is_of_request && q->source != HAPROXY_SOURCE_HEADER_COUNT && q->n == 0 &&
        q->match != HAPROXY_MATCH_FOUND)
        return unknown(q, "it compares with nothing");
    switch (q->source) {
    case HAPROXY_SOURCE_TRUE:
        return &haproxy_true;
    case HAPROXY_SOURCE_FALSE:
        return &haproxy_false;
    case HAPROXY_SOURCE_PATH:
        return ask_path(q);
    case HAPROXY_SOURCE_HEADER:
    case HAPROXY_SOURCE_FIELD:
        return ask_header(q);
    case HAPROXY_SOURCE_HEADER_COUNT:
        return ask_count(q);
    case HAPROXY_SOURCE_COOKIE:
        return ask_cookie(q);
    case HAPROXY_SOURCE_PARAM:
        return ask_param(q);
    case HAPROXY_SOURCE_METHOD:
        if (a->changed & HAPROXY_CHANGED_METHOD)
            return unknown(q, "the method was changed before");
        return rule(q, haproxy_call(q, "Method"));
    case HAPROXY_SOURCE_CLIENT:
        return ask_client(q);
    case HAPROXY_SOURCE_HAS_TLS:
        a->used_bind = true;
        return a->has_tls ? &haproxy_true : &haproxy_false;
    case HAPROXY_SOURCE_PORT:
        return ask_port(q);
    case HAPROXY_SOURCE_NAME:
        return ask_host(q);
    case HAPROXY_SOURCE_TCP:
        return a->is_tcp ? &haproxy_true : unknown(q, "it looks into connections");
    case HAPROXY_SOURCE_HTTP:
        return a->is_tcp ? unknown(q, "it looks into connections") : &haproxy_true;
    case HAPROXY_SOURCE_USER:
    case HAPROXY_SOURCE_GROUP:
        return ask_user(q);
    case HAPROXY_SOURCE_RATE:
        return ask_rate(q);
    case HAPROXY_SOURCE_NONE:
        break;
    }
    return unknown(q, "it asks for something that rules can't ask here");
}

const struct haproxy_expr *haproxy_ask(struct haproxy_asked *asked, const struct str *words,
                                       unsigned n)
{
    struct haproxy_question *q = ARENA_NEW(&asked->d->mem, struct haproxy_question);
    if (!q) {
        asked->d->is_full = true;
        return &haproxy_false;
    }
    q->asked = asked;
    q->d = asked->d;
    struct str why = haproxy_question_read(q, words, n);
    return why.len > 0 ? haproxy_unknown(asked->d, why) : ask(q);
}

bool haproxy_time(struct str s, uint64_t *ret_us)
{
    static const struct {
        const char *unit;
        uint64_t us;
    } units[] = {{"us", 1},       {"ms", 1000},       {"", 1000},         {"s", 1000000},
                 {"m", 60000000}, {"h", 3600000000u}, {"d", 86400000000u}};
    size_t n = 0;
    while (n < s.len && ascii_is(s.ptr[n], ASCII_DIGIT))
        n++;
    uint64_t number;
    if (n == 0 || num_dec(str_first(s, n), UINT32_MAX, &number) != ERR_OK)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!str_eq(str_skip(s, n), str_of(units[i].unit)))
            continue;
        *ret_us = number * units[i].us;
        return true;
    }
    return false;
}
