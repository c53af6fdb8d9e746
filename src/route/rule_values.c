// SPDX-License-Identifier: Apache-2.0
// The values of matchers: checked, and made canonical in the way that requests are, so that
// matching is comparing.
#include "base/ascii.h"
#include "codec/idna.h"
#include "codec/url.h"
#include "route/rule_parse.h"

static void fail_value(struct rule_parser *p, const struct rule_arg *a, const char *what,
                       const char *why)
{
    diag_fail(p->diags, ERR_SYNTAX, rule_place(p, a->at), "%s '" STR_FMT "' %s", what,
              STR_ARG(str_first(a->text, 128)), why);
}

// An address as requests carry it: IPv6 in brackets. False: it is none.
static bool host_address(struct rule_parser *p, const struct rule_arg *a, struct str *ret)
{
    struct str s = a->text;
    if (s.len >= 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
        s = str_from(s.ptr + 1, s.len - 2);
    struct ip ip;
    if (ip_parse(s, &ip) != ERR_OK)
        return false;
    char buf[46];
    struct str text = ip_text(&ip, buf);
    *ret = ip.family == 6 ? arena_printf(p->mem, "[" STR_FMT "]", STR_ARG(text))
                          : arena_dup(p->mem, text);
    if (!ret->ptr)
        rule_no_memory(p);
    return true;
}

static const char *host_fault(struct str s)
{
    if (s.len == 0)
        return "is empty";
    if (str_eq(s, STR("*")))
        return "would match any host: leave Host out for that";
    if (str_starts(s, STR("**.")))
        return "has more than one '*': use HostRegexp for names of any depth";
    if (str_search(s, STR("://")) != STR_NPOS || str_find(s, '/') != STR_NPOS)
        return "is not a host name alone: leave scheme and path out";
    if (str_find(s, '{') != STR_NPOS)
        return "has a placeholder, which is Traefik 2's: use HostRegexp";
    if (str_find(s, ':') != STR_NPOS)
        return "has a port: a rule's host has none, ports are the entrypoints'";
    if (str_find(str_starts(s, STR("*.")) ? str_skip(s, 2) : s, '*') != STR_NPOS)
        return "may have '*' only as the whole first label: *.example.com";
    return NULL;
}

static void fill_host(struct rule_parser *p, struct rule_value *v, const struct rule_arg *a)
{
    if (host_address(p, a, &v->text))
        return;
    const char *why = host_fault(a->text);
    struct str name = STR_NONE;
    if (!why && idna_to_ascii(a->text, p->mem, &name, &why) != ERR_OK && !why)
        why = "is not a host name";
    struct url_authority authority;
    v->is_wildcard = str_starts(name, STR("*."));
    v->text = v->is_wildcard ? str_skip(name, 1) : name;
    struct str rest = v->is_wildcard ? str_skip(name, 2) : name;
    if (!why && (url_authority_parse(rest, &authority) != ERR_OK || authority.is_ip))
        why = "is not a host name";
    if (why)
        fail_value(p, a, "the host", why);
}

// What a ClientHello may ask for (RFC 6066 3): no addresses.
static void fill_server_name(struct rule_parser *p, struct rule_value *v, const struct rule_arg *a)
{
    struct ip ip;
    v->is_any = str_eq(a->text, STR("*"));
    if (v->is_any)
        return;
    if (ip_parse(a->text, &ip) == ERR_OK)
        fail_value(p, a, "the server name",
                   "is an address, which no client sends as a name: use HostSNI(`*`)");
    else
        fill_host(p, v, a);
}

static void fill_path(struct rule_parser *p, struct rule_value *v, const struct rule_arg *a)
{
    static const struct url_path_policy strict;
    if (a->text.len == 0 || a->text.ptr[0] != '/') {
        fail_value(p, a, "the path", "doesn't begin with '/'");
        return;
    }
    if (str_find(a->text, '{') != STR_NPOS) {
        fail_value(p, a, "the path", "has a placeholder, which is Traefik 2's: use PathRegexp");
        return;
    }
    if (str_find(a->text, '?') != STR_NPOS) {
        fail_value(p, a, "the path", "has a query: use Query(`name`, `value`)");
        return;
    }
    if (url_path_canon(a->text, &strict, p->mem, &v->text) != ERR_OK) {
        fail_value(p, a, "the path", "has a malformed escape, or climbs above the root");
        return;
    }
    if (!str_eq(v->text, a->text))
        diag_warn(p->diags, rule_place(p, a->at),
                  "requests have the path '" STR_FMT "' as '" STR_FMT "': it is compared so",
                  STR_ARG(str_first(a->text, 128)), STR_ARG(str_first(v->text, 128)));
}

static void fill_regex(struct rule_parser *p, struct rule_value *v, const struct rule_arg *a,
                       unsigned flags)
{
    if (a->text.len >= 2 && str_find(a->text, '{') != STR_NPOS) {
        // {name:expression} compiles, but matches nothing that people mean by it.
        struct str inside = str_skip(a->text, str_find(a->text, '{') + 1);
        if (inside.len > 0 && ascii_is(inside.ptr[0], ASCII_ALPHA) &&
            str_find(inside, ':') < str_find(inside, '}')) {
            fail_value(p, a, "the expression",
                       "has a placeholder, which is Traefik 2's: write the expression alone");
            return;
        }
    }
    char why[REGEX_WHY_BYTES];
    size_t at = 0;
    struct rule_regex *entry = ARENA_NEW(p->mem, struct rule_regex);
    v->regex = entry ? regex_compile(a->text, flags, p->mem, &at, why) : NULL;
    if (!entry || (!v->regex && at == SIZE_MAX)) {
        rule_no_memory(p);
        return;
    }
    v->text = a->text;
    if (!v->regex) {
        diag_fail(p->diags, ERR_SYNTAX, rule_place(p, a->at + MIN(at, a->text.len)),
                  "in the expression '" STR_FMT "': %s, at its character %zu",
                  STR_ARG(str_first(a->text, 128)), why, at + 1);
        return;
    }
    *entry = (struct rule_regex){.regex = v->regex, .next = p->rule->regexes};
    p->rule->regexes = entry;
}

static void fill_method(struct rule_parser *p, struct rule_value *v, const struct rule_arg *a)
{
    if (!ascii_is_token(a->text)) {
        fail_value(p, a, "the method", "is not a word");
        return;
    }
    char *upper = ARENA_ARRAY(p->mem, char, a->text.len);
    if (!upper) {
        rule_no_memory(p);
        return;
    }
    for (size_t i = 0; i < a->text.len; i++) {
        char c = a->text.ptr[i];
        upper[i] = (char)(c >= 'a' && c <= 'z' ? c & ~0x20 : c);
    }
    v->text = str_from(upper, a->text.len);
}

static void fill_network(struct rule_parser *p, struct rule_value *v, const struct rule_arg *a)
{
    v->text = a->text;
    switch ((int)ip_net_parse(a->text, &v->net)) {
    case ERR_OK:
        return;
    case ERR_RANGE:
        fail_value(p, a, "the network", "has bits set behind its prefix length");
        return;
    default:
        fail_value(p, a, "the address", "is neither an IP address nor a network like 10.0.0.0/8");
    }
}

static void fill_one(struct rule_parser *p, enum rule_kind kind, struct rule_value *v,
                     const struct rule_arg *a)
{
    switch (kind) {
    case RULE_HOST:
        fill_host(p, v, a);
        break;
    case RULE_HOST_SNI:
        fill_server_name(p, v, a);
        break;
    case RULE_HOST_REGEXP:
    case RULE_HOST_SNI_REGEXP:
        fill_regex(p, v, a, REGEX_IGNORE_CASE);
        break;
    case RULE_PATH:
    case RULE_PATH_PREFIX:
        fill_path(p, v, a);
        break;
    case RULE_PATH_REGEXP:
    case RULE_HEADER_REGEXP:
    case RULE_QUERY_REGEXP:
    case RULE_LABEL_REGEX:
        fill_regex(p, v, a, 0);
        break;
    case RULE_METHOD:
        fill_method(p, v, a);
        break;
    case RULE_CLIENT_IP:
        fill_network(p, v, a);
        break;
    case RULE_HEADER:
    case RULE_QUERY:
    case RULE_LABEL:
        v->text = a->text;
        break;
    case RULE_AND:
    case RULE_OR:
    case RULE_NOT:
        break;
    }
}

// The name of a field, a query parameter or a label: the first of the arguments.
static void fill_key(struct rule_parser *p, struct rule_node *n, const struct rule_arg *a)
{
    n->key = a->text;
    bool is_label = n->kind == RULE_LABEL || n->kind == RULE_LABEL_REGEX;
    if (is_label || n->kind == RULE_QUERY || n->kind == RULE_QUERY_REGEXP) {
        if (a->text.len == 0)
            fail_value(p, a, is_label ? "the label's name" : "the parameter's name", "is empty");
        return;
    }
    if (!ascii_is_token(a->text))
        fail_value(p, a, "the field name", "is not a word");
    n->field_id = (uint16_t)field_id_of(a->text);
}

static bool fits_scope(const struct rule_parser *p, enum rule_kind kind)
{
    bool is_label = kind == RULE_LABEL || kind == RULE_LABEL_REGEX;
    bool is_name = kind == RULE_HOST_SNI || kind == RULE_HOST_SNI_REGEXP;
    if (is_label || p->scope == RULE_OF_LABELS)
        return is_label && p->scope == RULE_OF_LABELS;
    return kind == RULE_CLIENT_IP || is_name == (p->scope == RULE_OF_CONNECTIONS);
}

static const char *why_not(const struct rule_parser *p, enum rule_kind kind)
{
    if (p->scope == RULE_OF_LABELS)
        return "constraints see no requests: there are only Label and LabelRegex";
    if (kind == RULE_LABEL || kind == RULE_LABEL_REGEX)
        return "Label and LabelRegex are for the setting 'constraints' of containers";
    if (p->scope == RULE_OF_CONNECTIONS)
        return "TCP routes see no requests: beside HostSNI and HostSNIRegexp there is only "
               "ClientIP";
    return "HostSNI and HostSNIRegexp are for TCP routes, which stand under 'routes': use Host";
}

void rule_values_fill(struct rule_parser *p, struct rule_node *node, const struct rule_arg *args,
                      unsigned n)
{
    if (!fits_scope(p, node->kind)) {
        diag_fail(p->diags, ERR_SYNTAX, rule_place(p, node->source.ptr), "%s",
                  why_not(p, node->kind));
        return;
    }
    bool has_key = node->kind == RULE_HEADER || node->kind == RULE_HEADER_REGEXP ||
                   node->kind == RULE_QUERY || node->kind == RULE_QUERY_REGEXP ||
                   node->kind == RULE_LABEL || node->kind == RULE_LABEL_REGEX;
    node->n_values = (uint16_t)(has_key ? 1 : n);
    node->values = (struct rule_value *)arena_zalloc(
        p->mem, node->n_values, sizeof(struct rule_value), alignof(struct rule_value));
    if (!node->values) {
        rule_no_memory(p);
        return;
    }
    if (has_key) {
        fill_key(p, node, &args[0]);
        if (n > 1)
            fill_one(p, node->kind, node->values, &args[1]);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        fill_one(p, node->kind, &node->values[i], &args[i]);
}
