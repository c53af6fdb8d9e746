// SPDX-License-Identifier: Apache-2.0
// Matching and explaining; rule_parse.c makes the tree.
#include "route/rule.h"

#include "base/ascii.h"
#include "base/assert.h"
#include "base/mem.h"
#include "codec/url.h"
#include "http/exchange.h"
#include "route/rule_priv.h"

static enum rule_verdict verdict_of(bool matches)
{
    return matches ? RULE_YES : RULE_NO;
}

static enum rule_verdict verdict_of_regex(const struct regex *re, struct str subject)
{
    switch (regex_match(re, subject)) {
    case REGEX_NO:
        return RULE_NO;
    case REGEX_YES:
        return RULE_YES;
    case REGEX_BROKEN:
        break;
    }
    return RULE_BROKEN;
}

bool rule_host_matches(const struct rule_value *v, struct str host)
{
    if (v->is_any)
        return true;
    if (!v->is_wildcard)
        return str_eq(host, v->text);
    // Exactly one more label: the first dot is the wildcard's.
    return str_ends(host, v->text) && host.len > v->text.len &&
           str_find(host, '.') == host.len - v->text.len;
}

static enum rule_verdict eval_field(const struct rule_node *n, struct str value)
{
    return n->kind == RULE_HEADER ? verdict_of(str_eq(value, n->values[0].text))
                                  : verdict_of_regex(n->values[0].regex, value);
}

static enum rule_verdict eval_header(const struct rule_node *n, const struct request *r)
{
    // Fields of the connection are gone by now; what is left of them is the wish for an upgrade.
    if (n->field_id == FIELD_UPGRADE || n->field_id == FIELD_CONNECTION)
        return !r->is_upgrade
                   ? RULE_NO
                   : eval_field(n, n->field_id == FIELD_UPGRADE ? r->upgrade : STR("Upgrade"));
    const struct headers *h = &r->headers;
    const struct field *f = n->field_id != FIELD_OTHER ? headers_find(h, (enum field_id)n->field_id)
                                                       : headers_find_named(h, n->key);
    for (; f; f = headers_next(h, f)) {
        if (n->field_id != FIELD_OTHER ? f->id != n->field_id : !str_ieq(f->name, n->key))
            continue;
        enum rule_verdict v = eval_field(n, f->value);
        if (v != RULE_NO)
            return v;
    }
    return RULE_NO;
}

// The next byte of form-encoded text, decoded; malformed escapes stand for themselves.
static char next_decoded(struct str *s)
{
    char c = s->ptr[0];
    if (c == '%' && s->len >= 3 && ascii_is(s->ptr[1], ASCII_HEX) &&
        ascii_is(s->ptr[2], ASCII_HEX)) {
        c = (char)(ascii_hex(s->ptr[1]) << 4 | ascii_hex(s->ptr[2]));
        *s = str_skip(*s, 3);
        return c;
    }
    *s = str_skip(*s, 1);
    return c == '+' ? ' ' : c;
}

static bool decodes_to(struct str encoded, struct str wanted)
{
    if (encoded.len < wanted.len)
        return false;
    for (size_t i = 0; i < wanted.len; i++)
        if (encoded.len == 0 || next_decoded(&encoded) != wanted.ptr[i])
            return false;
    return encoded.len == 0;
}

// Room for one decoded query value: as much as an expression searches.
static _Thread_local struct {
    char bytes[16 * 1024];
} scratch;

static enum rule_verdict eval_query_regex(const struct regex *re, struct str encoded)
{
    if (str_find(encoded, '%') == STR_NPOS && str_find(encoded, '+') == STR_NPOS)
        return verdict_of_regex(re, encoded);
    size_t n = 0;
    while (encoded.len > 0) {
        // WHY: a value that doesn't fit must not match by being cut.
        if (n == sizeof scratch.bytes)
            return RULE_BROKEN;
        scratch.bytes[n++] = next_decoded(&encoded);
    }
    return verdict_of_regex(re, str_from(scratch.bytes, n));
}

static enum rule_verdict eval_query(const struct rule_node *n, struct str query)
{
    struct str name, value;
    while (url_query_next(&query, &name, &value)) {
        if (!decodes_to(name, n->key))
            continue;
        const struct rule_value *wanted = &n->values[0];
        enum rule_verdict v = wanted->regex ? eval_query_regex(wanted->regex, value)
                                            : verdict_of(decodes_to(value, wanted->text));
        if (v != RULE_NO)
            return v;
    }
    return RULE_NO;
}

static enum rule_verdict eval_value(enum rule_kind kind, const struct rule_value *v,
                                    const struct exchange *x)
{
    switch (kind) {
    case RULE_HOST:
    case RULE_HOST_SNI:
        return verdict_of(rule_host_matches(v, x->req.host));
    case RULE_HOST_REGEXP:
    case RULE_HOST_SNI_REGEXP:
        return verdict_of_regex(v->regex, x->req.host);
    case RULE_PATH:
        return verdict_of(str_eq(x->req.path, v->text));
    case RULE_PATH_PREFIX:
        return verdict_of(str_starts(x->req.path, v->text));
    case RULE_PATH_REGEXP:
        return verdict_of_regex(v->regex, x->req.path);
    case RULE_METHOD:
        return verdict_of(str_eq(x->req.method, v->text));
    case RULE_CLIENT_IP:
        return verdict_of(ip_net_contains(&v->net, &x->client));
    case RULE_AND:
    case RULE_OR:
    case RULE_NOT:
    case RULE_HEADER:
    case RULE_HEADER_REGEXP:
    case RULE_QUERY:
    case RULE_QUERY_REGEXP:
    case RULE_LABEL:
    case RULE_LABEL_REGEX:
        break;
    }
    panic("rule: kind %d has no values", (int)kind);
}

static enum rule_verdict eval(const struct rule_node *n, const struct exchange *x)
{
    switch (n->kind) {
    case RULE_AND:
    case RULE_OR: {
        enum rule_verdict neutral = n->kind == RULE_AND ? RULE_YES : RULE_NO;
        for (const struct rule_node *c = n->first; c; c = c->next) {
            enum rule_verdict v = eval(c, x);
            if (v != neutral)
                return v;
        }
        return neutral;
    }
    case RULE_NOT: {
        enum rule_verdict v = eval(n->first, x);
        return v == RULE_BROKEN ? v : verdict_of(v == RULE_NO);
    }
    case RULE_HEADER:
    case RULE_HEADER_REGEXP:
        return eval_header(n, &x->req);
    case RULE_QUERY:
    case RULE_QUERY_REGEXP:
        return eval_query(n, x->req.query);
    case RULE_HOST:
    case RULE_HOST_REGEXP:
    case RULE_HOST_SNI:
    case RULE_HOST_SNI_REGEXP:
    case RULE_PATH:
    case RULE_PATH_PREFIX:
    case RULE_PATH_REGEXP:
    case RULE_METHOD:
    case RULE_CLIENT_IP:
        break;
    case RULE_LABEL:
    case RULE_LABEL_REGEX:
        return RULE_NO; // a request has none
    }
    for (size_t i = 0; i < n->n_values; i++) {
        enum rule_verdict v = eval_value(n->kind, &n->values[i], x);
        if (v != RULE_NO)
            return v;
    }
    return RULE_NO;
}

enum rule_verdict rule_eval(const struct rule *r, const struct exchange *x)
{
    return eval(r->root, x);
}

bool rule_matches(const struct rule *r, const struct exchange *x)
{
    return rule_eval(r, x) == RULE_YES;
}

// --- labels ---

static enum rule_verdict eval_labels(const struct rule_node *n, rule_label_fn *find, void *arg)
{
    if (n->kind == RULE_LABEL)
        return verdict_of(str_eq(find(arg, n->key), n->values[0].text));
    if (n->kind == RULE_LABEL_REGEX)
        return verdict_of_regex(n->values[0].regex, find(arg, n->key));
    ASSERT(n->kind <= RULE_NOT);
    enum rule_verdict neutral = n->kind == RULE_OR ? RULE_NO : RULE_YES;
    for (const struct rule_node *c = n->first; c; c = c->next) {
        enum rule_verdict v = eval_labels(c, find, arg);
        if (v == RULE_BROKEN || n->kind == RULE_NOT)
            return v == RULE_BROKEN ? v : verdict_of(v == RULE_NO);
        if (v != neutral)
            return v;
    }
    return neutral;
}

bool rule_matches_labels(const struct rule *r, rule_label_fn *find, void *arg)
{
    return eval_labels(r->root, find, arg) == RULE_YES;
}

// --- why ---

// What the request has where the matcher looked; empty when that may be a secret.
static struct str seen(enum rule_kind kind, const struct exchange *x, char buf[static 46])
{
    switch (kind) {
    case RULE_HOST:
    case RULE_HOST_REGEXP:
        return x->req.host.len > 0 ? x->req.host : STR("no host");
    case RULE_HOST_SNI:
    case RULE_HOST_SNI_REGEXP:
        return x->req.host.len > 0 ? x->req.host : STR("no server name");
    case RULE_PATH:
    case RULE_PATH_PREFIX:
    case RULE_PATH_REGEXP:
        return x->req.path;
    case RULE_METHOD:
        return x->req.method;
    case RULE_CLIENT_IP:
        return x->client.family != 0 ? ip_text(&x->client, buf) : STR("no address");
    case RULE_AND:
    case RULE_OR:
    case RULE_NOT:
    case RULE_HEADER:
    case RULE_HEADER_REGEXP:
    case RULE_QUERY:
    case RULE_QUERY_REGEXP:
    case RULE_LABEL:
    case RULE_LABEL_REGEX:
        break;
    }
    return STR_NONE;
}

// The part of n that decided: the first false one of an AND, the first true one of an OR; NULL when
// all parts together did.
static const struct rule_node *decider(const struct rule_node *n, const struct exchange *x,
                                       enum rule_verdict verdict)
{
    for (;;) {
        if (n->kind > RULE_NOT)
            return n;
        const struct rule_node *c = n->first;
        if (n->kind == RULE_NOT) {
            verdict = verdict == RULE_BROKEN ? verdict : verdict_of(verdict == RULE_NO);
        } else {
            bool all_decide = verdict == (n->kind == RULE_AND ? RULE_YES : RULE_NO);
            if (all_decide)
                return NULL;
            while (c->next && eval(c, x) != verdict)
                c = c->next;
        }
        n = c;
    }
}

struct str rule_why(const struct rule *r, const struct exchange *x, struct arena *mem)
{
    enum rule_verdict verdict = rule_eval(r, x);
    const struct rule_node *n = decider(r->root, x, verdict);
    struct str why;
    if (!n) {
        why = verdict == RULE_YES ? STR("all conditions are true") : STR("no alternative is true");
        return arena_dup(mem, why);
    }
    if (verdict == RULE_BROKEN)
        return arena_printf(mem,
                            STR_FMT " gave up: the text is too long or too many steps are needed",
                            STR_ARG(n->source));
    char buf[46];
    struct str has = seen(n->kind, x, buf);
    bool is_true = eval(n, x) == RULE_YES;
    return arena_printf(mem, STR_FMT " is %s%s" STR_FMT "%s", STR_ARG(n->source),
                        is_true ? "true" : "false", has.len > 0 ? " (" : "", STR_ARG(has),
                        has.len > 0 ? ")" : "");
}

struct rule *rule_both(const struct rule *a, struct rule *b, struct str text, struct arena *mem)
{
    ASSERT(!a->regexes);
    struct rule *r = ARENA_NEW(mem, struct rule);
    struct rule_node *both = ARENA_NEW(mem, struct rule_node);
    struct rule_node *left = ARENA_NEW(mem, struct rule_node);
    if (!r || !both || !left)
        return NULL;
    *left = *a->root;
    left->next = b->root;
    *both = (struct rule_node){.kind = RULE_AND, .first = left, .source = text};
    *r = (struct rule){.root = both, .text = text, .regexes = b->regexes};
    b->regexes = NULL;
    return r;
}

void rule_fini(struct rule *r)
{
    if (!r)
        return;
    for (struct rule_regex *re = r->regexes; re; re = re->next)
        regex_fini(re->regex);
    r->regexes = NULL;
}
