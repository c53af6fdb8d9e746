// SPDX-License-Identifier: Apache-2.0
// What can be said of rules without a request: which hosts one needs, whether one covers another.
// Recursion is bounded by RULE_NESTING_MAX.
#include "route/rule_priv.h"

// --- hosts ---

static bool takes_any(const struct rule_node *n)
{
    for (size_t i = 0; i < n->n_values; i++)
        if (n->values[i].is_any)
            return true;
    return false;
}

static bool hosts_of(const struct rule_node *n, struct arena *mem, struct rule_hosts *ret);

// The smallest set of an AND's parts: each of them must hold, so any may stand for all.
static bool hosts_of_and(const struct rule_node *n, struct arena *mem, struct rule_hosts *ret)
{
    *ret = (struct rule_hosts){.is_any = true};
    for (const struct rule_node *c = n->first; c; c = c->next) {
        struct rule_hosts one;
        if (!hosts_of(c, mem, &one))
            return false;
        if (!one.is_any && (ret->is_any || one.n < ret->n))
            *ret = one;
    }
    return true;
}

static bool hosts_of_or(const struct rule_node *n, struct arena *mem, struct rule_hosts *ret)
{
    *ret = (struct rule_hosts){.n = 0};
    for (const struct rule_node *c = n->first; c; c = c->next) {
        struct rule_hosts one;
        if (!hosts_of(c, mem, &one))
            return false;
        if (one.is_any) {
            *ret = one;
            return true;
        }
        const struct rule_value **both =
            ARENA_ARRAY(mem, const struct rule_value *, ret->n + one.n);
        if (!both)
            return false;
        for (size_t i = 0; i < ret->n; i++)
            both[i] = ret->items[i];
        for (size_t i = 0; i < one.n; i++)
            both[ret->n + i] = one.items[i];
        *ret = (struct rule_hosts){.n = ret->n + one.n, .items = both};
    }
    return true;
}

static bool hosts_of(const struct rule_node *n, struct arena *mem, struct rule_hosts *ret)
{
    if (n->kind == RULE_AND)
        return hosts_of_and(n, mem, ret);
    if (n->kind == RULE_OR)
        return hosts_of_or(n, mem, ret);
    *ret = (struct rule_hosts){.is_any = (n->kind != RULE_HOST && n->kind != RULE_HOST_SNI) ||
                                         takes_any(n)};
    if (ret->is_any)
        return true;
    ret->items = ARENA_ARRAY(mem, const struct rule_value *, n->n_values);
    if (!ret->items)
        return false;
    for (ret->n = 0; ret->n < n->n_values; ret->n++)
        ret->items[ret->n] = &n->values[ret->n];
    return true;
}

bool rule_hosts(const struct rule *r, struct arena *mem, struct rule_hosts *ret)
{
    return hosts_of(r->root, mem, ret);
}

size_t rule_names(const struct rule *r, struct arena *mem, struct str **ret)
{
    struct rule_hosts hosts;
    if (!rule_hosts(r, mem, &hosts) || hosts.is_any)
        return 0;
    struct str *names = ARENA_ARRAY(mem, struct str, MAX(hosts.n, (size_t)1));
    for (size_t i = 0; names && i < hosts.n; i++) {
        const struct rule_value *v = hosts.items[i];
        names[i] = v->is_wildcard ? arena_concat(mem, STR("*"), v->text, STR_NONE) : v->text;
    }
    *ret = names;
    return names ? hosts.n : 0;
}

static bool needs_only_host(const struct rule_node *n)
{
    if (n->kind != RULE_OR)
        return n->kind == RULE_HOST || n->kind == RULE_HOST_SNI;
    for (const struct rule_node *c = n->first; c; c = c->next)
        if (!needs_only_host(c))
            return false;
    return true;
}

bool rule_needs_only_host(const struct rule *r)
{
    return needs_only_host(r->root);
}

static bool needs_name(const struct rule_node *n)
{
    if (n->kind == RULE_HOST_SNI)
        return !takes_any(n);
    if (n->kind == RULE_HOST_SNI_REGEXP)
        return true;
    for (const struct rule_node *c = n->first; c; c = c->next)
        if (needs_name(c))
            return true;
    return false;
}

bool rule_needs_name(const struct rule *r)
{
    return needs_name(r->root);
}

// --- covering ---

// What a matcher looks at: only values of one subject can cover or exclude each other.
enum subject {
    SUBJECT_OTHER,
    SUBJECT_HOST,
    SUBJECT_PATH,
    SUBJECT_METHOD,
    SUBJECT_CLIENT,
};

static enum subject subject_of(enum rule_kind kind)
{
    switch (kind) {
    case RULE_HOST:
    case RULE_HOST_REGEXP:
    case RULE_HOST_SNI:
    case RULE_HOST_SNI_REGEXP:
        return SUBJECT_HOST;
    case RULE_PATH:
    case RULE_PATH_PREFIX:
    case RULE_PATH_REGEXP:
        return SUBJECT_PATH;
    case RULE_METHOD:
        return SUBJECT_METHOD;
    case RULE_CLIENT_IP:
        return SUBJECT_CLIENT;
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
    return SUBJECT_OTHER;
}

// Both are of one subject. True when whatever v matches, w matches.
static bool value_covers(enum rule_kind wide, const struct rule_value *w, enum rule_kind narrow,
                         const struct rule_value *v)
{
    if (w->is_any || v->is_any)
        return w->is_any;
    if (wide == RULE_HOST_REGEXP || wide == RULE_HOST_SNI_REGEXP || wide == RULE_PATH_REGEXP) {
        if (narrow == wide)
            return str_eq(v->text, w->text);
        bool is_name = narrow == RULE_HOST || narrow == RULE_HOST_SNI;
        bool is_one_text = (is_name && !v->is_wildcard) || narrow == RULE_PATH;
        return is_one_text && regex_match(w->regex, v->text) == REGEX_YES;
    }
    if (wide == RULE_PATH_PREFIX)
        return narrow != RULE_PATH_REGEXP && str_starts(v->text, w->text);
    if (narrow != wide)
        return false;
    if (wide == RULE_CLIENT_IP)
        return w->net.bits <= v->net.bits && ip_net_contains(&w->net, &v->net.ip);
    if (w->is_wildcard && !v->is_wildcard)
        return rule_host_matches(w, v->text);
    return w->is_wildcard == v->is_wildcard && str_eq(v->text, w->text);
}

static bool leaf_implies(const struct rule_node *narrow, const struct rule_node *wide)
{
    // Every path begins so.
    if (wide->kind == RULE_PATH_PREFIX)
        for (size_t i = 0; i < wide->n_values; i++)
            if (str_eq(wide->values[i].text, STR("/")))
                return true;
    enum subject subject = subject_of(wide->kind);
    if (subject == SUBJECT_OTHER)
        return narrow->kind == wide->kind && str_eq(narrow->key, wide->key) &&
               (narrow->values[0].regex != NULL) == (wide->values[0].regex != NULL) &&
               str_eq(narrow->values[0].text, wide->values[0].text);
    if (subject != subject_of(narrow->kind))
        return false;
    for (size_t i = 0; i < narrow->n_values; i++) {
        size_t j = 0;
        while (j < wide->n_values &&
               !value_covers(wide->kind, &wide->values[j], narrow->kind, &narrow->values[i]))
            j++;
        if (j == wide->n_values)
            return false;
    }
    return true;
}

// One way through both trees, so at most all pairs of nodes are compared.
static bool implies(const struct rule_node *narrow, const struct rule_node *wide)
{
    if (wide->kind == RULE_AND) {
        for (const struct rule_node *c = wide->first; c; c = c->next)
            if (!implies(narrow, c))
                return false;
        return true;
    }
    if (narrow->kind == RULE_OR) {
        for (const struct rule_node *c = narrow->first; c; c = c->next)
            if (!implies(c, wide))
                return false;
        return true;
    }
    if (wide->kind == RULE_OR) {
        for (const struct rule_node *c = wide->first; c; c = c->next)
            if (implies(narrow, c))
                return true;
        return false;
    }
    if (narrow->kind == RULE_AND) {
        for (const struct rule_node *c = narrow->first; c; c = c->next)
            if (implies(c, wide))
                return true;
        return false;
    }
    if (wide->kind == RULE_NOT)
        return narrow->kind == RULE_NOT && implies(wide->first, narrow->first);
    return narrow->kind != RULE_NOT && leaf_implies(narrow, wide);
}

bool rule_implies(const struct rule *narrow, const struct rule *wide)
{
    return implies(narrow->root, wide->root);
}

// --- contradictions ---

static bool exclude_each_other(const struct rule_node *a, const struct rule_node *b)
{
    enum subject subject = subject_of(a->kind);
    if (subject == SUBJECT_OTHER || subject != subject_of(b->kind))
        return false;
    for (size_t i = 0; i < a->n_values; i++) {
        for (size_t j = 0; j < b->n_values; j++) {
            const struct rule_value *v = &a->values[i], *w = &b->values[j];
            if (v->regex || w->regex || value_covers(a->kind, v, b->kind, w) ||
                value_covers(b->kind, w, a->kind, v))
                return false;
        }
    }
    return true;
}

static bool is_impossible(const struct rule_node *n)
{
    if (n->kind == RULE_OR) {
        for (const struct rule_node *c = n->first; c; c = c->next)
            if (!is_impossible(c))
                return false;
        return true;
    }
    if (n->kind != RULE_AND)
        return false;
    for (const struct rule_node *c = n->first; c; c = c->next) {
        if (is_impossible(c))
            return true;
        for (const struct rule_node *d = c->next; d; d = d->next)
            if (exclude_each_other(c, d))
                return true;
    }
    return false;
}

bool rule_is_impossible(const struct rule *r)
{
    return is_impossible(r->root);
}
