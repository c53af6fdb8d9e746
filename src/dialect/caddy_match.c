// SPDX-License-Identifier: Apache-2.0
// Matchers as rules. One that can't be had whole is none at all: what stands behind it is refused.
#include "base/num.h"
#include "codec/ip.h"
#include "dialect/caddy_priv.h"

static bool is_matcher(struct str word)
{
    return str_eq(word, STR("*")) || str_starts(word, STR("/")) || str_starts(word, STR("@"));
}

size_t caddy_args(const struct caddy_line *l)
{
    // The only word of these is where it leads to.
    if (l->n_words == 2 && (caddy_is(l, "redir") || caddy_is(l, "rewrite")))
        return 1;
    return l->n_words > 1 && is_matcher(caddy_word(l, 1)) ? 2 : 1;
}

// The matcher of this name in the nearest block around a line.
static const struct caddy_line *named(const struct caddy_line *from, struct str name)
{
    for (const struct caddy_line *block = from->parent; block; block = block->parent)
        for (const struct caddy_line *l = block->n_words > 0 ? block->first : NULL; l; l = l->next)
            if (str_eq(caddy_word(l, 0), name))
                return l;
    return NULL;
}

// The only path that a directive's matcher names; empty: none, or several.
struct str caddy_path(const struct caddy_line *l, bool *ret_is_alone)
{
    struct str word = caddy_args(l) == 2 ? caddy_word(l, 1) : STR_NONE;
    *ret_is_alone = true;
    if (!str_starts(word, STR("@")))
        return str_starts(word, STR("/")) ? word : STR_NONE;
    const struct caddy_line *set = named(l, word), *path = NULL;
    size_t at = 1;
    if (set && set->n_words > 1) {
        path = str_eq(caddy_word(set, 1), STR("path")) ? set : NULL;
    } else if (set) {
        at = 0;
        for (const struct caddy_line *k = set->first; k; k = k->next) {
            bool is_path = caddy_is(k, "path");
            if (is_path && path)
                return STR_NONE;
            path = is_path ? k : path;
        }
        *ret_is_alone = set->first && !set->first->next;
    }
    return path && path->n_words == at + 2 ? caddy_word(path, at + 1) : STR_NONE;
}

bool caddy_path_regexp(const struct caddy_line *l, struct str *ret_name, struct str *ret_pattern)
{
    const struct caddy_line *set = caddy_args(l) == 2 && str_starts(caddy_word(l, 1), STR("@"))
                                       ? named(l, caddy_word(l, 1))
                                       : NULL;
    size_t at = set && set->n_words > 1 ? 1 : 0;
    if (set && at == 0)
        for (set = set->first; set && !caddy_is(set, "path_regexp");)
            set = set->next;
    if (!set || !str_eq(caddy_word(set, at), STR("path_regexp")) || set->n_words < at + 2 ||
        set->n_words > at + 3)
        return false;
    *ret_name = set->n_words == at + 3 ? caddy_word(set, at + 1) : STR_NONE;
    *ret_pattern = set->words[set->n_words - 1].text;
    return true;
}

// A text between backticks. False: it has one.
static bool put_text(struct text *to, struct str s)
{
    text_byte(to, '`');
    text_put(to, s);
    text_byte(to, '`');
    return str_find(s, '`') == STR_NPOS && str_find(s, '\n') == STR_NPOS;
}

// The text as an expression, in which '*' is what star says.
void caddy_put_escaped(struct text *to, struct str s, const char *star)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '*') {
            text_put(to, str_of(star));
            continue;
        }
        if (memchr(".^$+?()[]{}|\\", s.ptr[i], 13))
            text_byte(to, '\\');
        text_byte(to, s.ptr[i]);
    }
}

static bool is_alnum(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

// A path in letters of either case, with '*' at its ends for anything, and elsewhere for anything
// without a slash.
static bool put_path(struct text *to, const struct caddy_state *state, struct str path)
{
    if (state->is_rewritten || path.len == 0)
        return false;
    if (state->prefix.len == 0 && (str_eq(path, STR("/*")) || str_eq(path, STR("*")))) {
        text_put(to, STR("PathPrefix(`/`)"));
        return true;
    }
    for (size_t i = 0; i < path.len; i++)
        if (!is_alnum(path.ptr[i]) && !memchr("/-._~!&,;=:@*+", path.ptr[i], 14))
            return false;
    bool is_open = str_starts(path, STR("*"));
    size_t stars = 0;
    for (size_t i = 0; i < path.len; i++)
        stars += path.ptr[i] == '*';
    bool is_end = str_ends(path, STR("*"));
    bool is_simple = stars == (size_t)is_open + (size_t)(is_end && path.len > 1);
    if (!is_open && path.ptr[0] != '/')
        return false;
    text_put(to, STR("PathRegexp(`(?i)^"));
    caddy_put_escaped(to, state->prefix, "");
    path.len -= is_simple && is_end;
    caddy_put_escaped(to, path, is_simple ? ".*" : "[^/]*");
    text_put(to, is_simple && is_end ? STR("`)") : STR("$`)"));
    return true;
}

static bool put_host(struct text *to, struct str host)
{
    if (!caddy_is_plain(host) || host.len == 0)
        return false;
    bool has_star = str_find(host, '*') != STR_NPOS;
    if (!has_star) {
        text_put(to, STR("Host("));
        bool is_fine = put_text(to, host);
        text_byte(to, ')');
        return is_fine;
    }
    text_put(to, STR("HostRegexp(`(?i)^"));
    caddy_put_escaped(to, host, "[^.]*");
    text_put(to, STR("$`)"));
    return str_find(host, '`') == STR_NPOS;
}

static bool put_method(struct text *to, struct str method)
{
    text_put(to, STR("Method("));
    bool is_fine = put_text(to, method);
    text_byte(to, ')');
    return is_fine && caddy_is_plain(method);
}

// A network as rules take it, without bits of a host.
bool caddy_network(struct caddy *c, struct str range, struct str *ret)
{
    struct str address = range, length;
    struct ip ip;
    uint64_t bits = 0;
    char buf[46];
    bool has_bits = str_cut(range, '/', &address, &length);
    if (ip_parse(address, &ip) != ERR_OK)
        return false;
    uint64_t max = ip.family == 4 ? 32 : 128;
    if (has_bits && num_dec(length, max, &bits) != ERR_OK)
        return false;
    bits = has_bits ? bits : max;
    for (uint64_t bit = bits; bit < max; bit++)
        ip.bytes[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
    struct str text = ip_text(&ip, buf);
    *ret = draft_printf(c->d, STR_FMT "/%u", STR_ARG(text), (unsigned)bits);
    return true;
}

const char *const caddy_private[] = {"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.0/8",
                                     "fd00::/8",       "::1",           NULL};

static bool put_address(struct caddy *c, struct text *to, struct str range)
{
    if (!str_eq(range, STR("private_ranges"))) {
        bool is_fine = caddy_network(c, range, &range);
        text_printf(to, "ClientIP(`" STR_FMT "`)", STR_ARG(range));
        return is_fine;
    }
    for (size_t i = 0; caddy_private[i]; i++)
        text_printf(to, "%sClientIP(`%s`)", i > 0 ? " || " : "", caddy_private[i]);
    return true;
}

static bool put_header(struct text *to, const struct caddy_line *l, size_t at)
{
    struct str name = caddy_word(l, at), value = caddy_word(l, at + 1);
    bool is_absent = str_starts(name, STR("!")), is_fine = caddy_is_plain(value);
    name = str_skip(name, is_absent);
    if (l->n_words > at + 2 || name.len == 0 || !caddy_is_plain(name) ||
        str_ieq(name, STR("Host")) || (is_absent && value.len > 0))
        return false;
    if (l->n_words == at + 1)
        value = STR("*");
    // Only at its ends is '*' anything.
    bool is_open = str_starts(value, STR("*"));
    bool is_end = str_ends(value, STR("*")) && value.len > is_open;
    struct str inner = str_from(value.ptr + is_open, value.len - is_open - is_end);
    text_put(to, is_absent ? STR("!HeaderRegexp(") : STR("HeaderRegexp("));
    is_fine &= put_text(to, name);
    text_put(to, is_open ? STR(", `") : STR(", `^"));
    caddy_put_escaped(to, inner, "\\*");
    text_put(to, is_end || (is_open && inner.len == 0) ? STR("`)") : STR("$`)"));
    return is_fine && str_find(value, '`') == STR_NPOS;
}

static bool put_query(struct text *to, struct str pair)
{
    struct str key, value;
    if (!str_cut(pair, '=', &key, &value) || !caddy_is_plain(pair) || key.len == 0)
        return false;
    bool is_any = str_eq(value, STR("*"));
    text_put(to, is_any ? STR("QueryRegexp(") : STR("Query("));
    bool is_fine = put_text(to, key);
    text_put(to, STR(", "));
    is_fine &= put_text(to, is_any ? STR(".*") : value);
    text_byte(to, ')');
    return is_fine;
}

// Pairs of one key: versions of Caddy have different minds about several.
static bool put_queries(struct text *to, const struct caddy_line *l, size_t at)
{
    struct str key = STR_NONE, first = STR_NONE, value;
    bool is_fine = true;
    for (size_t i = at; i < l->n_words && is_fine; i++) {
        (void)str_cut(caddy_word(l, i), '=', &key, &value);
        first = i == at ? key : first;
        text_put(to, i > at ? STR(" || ") : STR(""));
        is_fine = str_eq(key, first) && put_query(to, caddy_word(l, i));
    }
    return is_fine;
}

// name and expression, or the expression alone; of a field: its name in front.
static bool put_regex(struct text *to, const struct caddy_line *l, size_t at, bool is_header)
{
    size_t n = l->n_words - at, wanted = is_header ? 2 : 1;
    if (n != wanted && n != wanted + 1)
        return false;
    at += n - wanted; // the name is for placeholders
    text_put(to, is_header ? STR("HeaderRegexp(") : STR("PathRegexp("));
    bool is_fine = !is_header || put_text(to, caddy_word(l, at));
    if (is_header)
        text_put(to, STR(", "));
    is_fine &= put_text(to, caddy_word(l, at + is_header));
    text_byte(to, ')');
    return is_fine;
}

static bool put_set(struct caddy_site *s, const struct caddy_state *state,
                    const struct caddy_line *block, size_t at, struct text *to);

static bool put_protocol(const struct caddy_site *s, struct str protocol, struct text *to)
{
    bool is_https = str_eq(protocol, STR("https"));
    text_put(to, is_https == s->is_tls ? STR("PathPrefix(`/`)") : STR("!PathPrefix(`/`)"));
    return is_https || str_eq(protocol, STR("http"));
}

// The words of which one has to fit.
static bool put_words(struct caddy_site *s, const struct caddy_state *state,
                      const struct caddy_line *l, size_t at, struct text *to)
{
    struct str kind = caddy_word(l, at++);
    bool is_fine = l->n_words > at;
    for (size_t i = at; is_fine && i < l->n_words; i++) {
        struct str word = caddy_word(l, i);
        if (i > at)
            text_put(to, STR(" || "));
        if (str_eq(kind, STR("path")))
            is_fine = put_path(to, state, word);
        else if (str_eq(kind, STR("host")))
            is_fine = put_host(to, word);
        else if (str_eq(kind, STR("method")))
            is_fine = put_method(to, word);
        else if (str_eq(kind, STR("client_ip")) ||
                 (str_eq(kind, STR("remote_ip")) && !s->c->trusted))
            is_fine = put_address(s->c, to, word);
        else
            is_fine = false;
    }
    return is_fine;
}

// One kind of matcher.
static bool put_line(struct caddy_site *s, const struct caddy_state *state,
                     const struct caddy_line *l, size_t at, struct text *to)
{
    struct str kind = caddy_word(l, at);
    bool is_fine = l->n_words > at + 1;
    text_byte(to, '(');
    if (str_eq(kind, STR("not"))) {
        text_byte(to, '!');
        is_fine = put_set(s, state, l, at + 1, to);
    } else if (str_eq(kind, STR("header"))) {
        is_fine &= put_header(to, l, at + 1);
    } else if (str_eq(kind, STR("header_regexp"))) {
        is_fine &= put_regex(to, l, at + 1, true);
    } else if (str_eq(kind, STR("path_regexp"))) {
        is_fine &=
            put_regex(to, l, at + 1, false) && !state->is_rewritten && state->prefix.len == 0;
    } else if (str_eq(kind, STR("protocol"))) {
        is_fine &= put_protocol(s, caddy_word(l, at + 1), to);
    } else if (str_eq(kind, STR("query"))) {
        is_fine &= put_queries(to, l, at + 1);
    } else {
        is_fine = put_words(s, state, l, at, to);
    }
    text_byte(to, ')');
    return is_fine;
}

// Kinds of which several lines are one, with all their words.
static bool is_joined(const struct caddy_line *l)
{
    return caddy_is(l, "path") || caddy_is(l, "host") || caddy_is(l, "method") ||
           caddy_is(l, "client_ip") || caddy_is(l, "remote_ip");
}

// The line, and those further down that are one with it. Other kinds aren't had twice.
static bool put_lines(struct caddy_site *s, const struct caddy_state *state,
                      const struct caddy_line *l, struct text *to)
{
    bool is_fine = put_line(s, state, l, 0, to);
    for (const struct caddy_line *k = l->next; k && is_fine; k = k->next) {
        if (caddy_is(l, "not") || !str_eq(caddy_word(k, 0), caddy_word(l, 0)))
            continue;
        if (is_joined(l)) {
            text_put(to, STR(" || "));
            is_fine = put_line(s, state, k, 0, to);
        } else {
            is_fine = caddy_is(l, "header") && !str_ieq(caddy_word(k, 1), caddy_word(l, 1));
        }
    }
    return is_fine;
}

// All matchers of a set: in one line behind a name, or the lines of a block.
static bool put_set(struct caddy_site *s, const struct caddy_state *state,
                    const struct caddy_line *block, size_t at, struct text *to)
{
    if (block->n_words > at)
        return !block->is_block && put_line(s, state, block, at, to);
    bool is_fine = block->first != NULL;
    text_byte(to, '(');
    for (const struct caddy_line *l = block->first; l && is_fine; l = l->next) {
        const struct caddy_line *k = block->first;
        while (k != l && !(is_joined(l) && str_eq(caddy_word(k, 0), caddy_word(l, 0))))
            k = k->next;
        if (k != l)
            continue;
        text_put(to, l != block->first ? STR(" && (") : STR("("));
        is_fine = put_lines(s, state, l, to);
        text_byte(to, ')');
    }
    text_byte(to, ')');
    return is_fine;
}

// --- what is known of the path ---

// Whether the path that fits `known` always or never fits `path`: both in letters of either case,
// with one '*' at most, at the end.
static enum caddy_fit relate(struct str known, struct str path)
{
    bool is_open = str_ends(known, STR("*")), is_prefix = str_ends(path, STR("*"));
    known.len -= is_open;
    path.len -= is_prefix;
    if (known.len == 0 || str_find(known, '*') != STR_NPOS || str_find(path, '*') != STR_NPOS)
        return CADDY_PERHAPS;
    size_t n = known.len < path.len ? known.len : path.len;
    if (!str_ieq(str_first(known, n), str_first(path, n)) || (!is_open && n < path.len) ||
        (!is_prefix && n < known.len) || (!is_open && !is_prefix && known.len != path.len))
        return CADDY_NEVER;
    return n == path.len && (is_prefix || !is_open) ? CADDY_ALWAYS : CADDY_PERHAPS;
}

bool caddy_match(struct caddy_site *s, const struct caddy_state *state, struct caddy_line *l,
                 struct caddy_cond *ret)
{
    struct str word = caddy_args(l) == 2 ? caddy_word(l, 1) : STR("*");
    struct text to = {0};
    bool is_fine = true, is_alone;
    struct str path = caddy_path(l, &is_alone);
    *ret = (struct caddy_cond){.fit = CADDY_PERHAPS};
    // Rules see the request's own path; what it has become may be known all the same.
    if (state->is_rewritten && str_starts(path, STR("/")))
        ret->fit = relate(state->path, path);
    if (ret->fit == CADDY_NEVER || (ret->fit == CADDY_ALWAYS && is_alone))
        return true;
    if (str_starts(word, STR("@"))) {
        const struct caddy_line *set = named(l, word);
        is_fine = set && put_set(s, state, set, 1, &to);
    } else if (!str_eq(word, STR("*"))) {
        is_fine = put_path(&to, state, word);
    }
    ret->rule = draft_text(s->c->d, text_str(&to));
    text_fini(&to);
    if (str_starts(path, STR("/")) && is_fine && !state->is_rewritten) {
        ret->path = draft_printf(s->c->d, STR_FMT STR_FMT, STR_ARG(state->prefix), STR_ARG(path));
        ret->fit = relate(state->path, ret->path);
    }
    if (ret->fit == CADDY_ALWAYS && is_alone)
        ret->rule = STR_NONE;
    return is_fine;
}
