// SPDX-License-Identifier: Apache-2.0
#include "dialect/toml.h"

#include "base/ascii.h"
#include "base/map.h"

struct toml {
    const char *at, *end;
    const char *line_start;
    unsigned line;
    const char *source;
    struct arena *mem;
    struct diags *diags;
    struct conf_node *root, *table;
    // Pointers of tables (as bytes): those that a header or braces have defined, and those that
    // came of dotted keys, which no header may name.
    struct map closed, dotted;
    size_t n_nodes;
    bool has_failed;
};

static struct place place_of(const struct toml *t, const char *at)
{
    return (struct place){
        .source = t->source, .line = t->line, .column = (unsigned)(at - t->line_start) + 1};
}

// The first error is told; NULL.
static void *fail_at(struct toml *t, struct place place, const char *text)
{
    if (!t->has_failed)
        (void)diag_fail(t->diags, ERR_SYNTAX, place, "%s", text);
    t->has_failed = true;
    return NULL;
}

static void *fail(struct toml *t, const char *text)
{
    return fail_at(t, place_of(t, t->at), text);
}

static bool is_end(const struct toml *t)
{
    return t->at == t->end;
}

static char peek(const struct toml *t)
{
    return t->at < t->end ? *t->at : '\0';
}

static bool take(struct toml *t, struct str token)
{
    if (!str_starts(str_from(t->at, (size_t)(t->end - t->at)), token))
        return false;
    t->at += token.len;
    return true;
}

static void next_line(struct toml *t)
{
    t->at++;
    t->line++;
    t->line_start = t->at;
}

static void skip_space(struct toml *t)
{
    while (peek(t) == ' ' || peek(t) == '\t')
        t->at++;
}

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

// Whether a line ends here: "\n" or "\r\n".
static bool is_line_end(const struct toml *t)
{
    return peek(t) == '\n' || (peek(t) == '\r' && t->end - t->at > 1 && t->at[1] == '\n');
}

// Up to the line's end.
static void skip_comment(struct toml *t)
{
    while (!is_end(t) && !is_control(*t->at))
        t->at++;
    if (!is_end(t) && !is_line_end(t))
        (void)fail(t, "a control byte in a comment");
}

// Spaces, comments and ends of lines.
static void skip_lines(struct toml *t)
{
    for (skip_space(t); !is_end(t) && !t->has_failed; skip_space(t)) {
        if (peek(t) == '#') {
            skip_comment(t);
        } else if (peek(t) == '\n') {
            next_line(t);
        } else if (is_line_end(t)) {
            t->at++; // the '\r'
        } else {
            return;
        }
    }
}

static struct conf_node *new_node(struct toml *t, enum conf_node_kind kind, struct place place)
{
    struct conf_node *node =
        ++t->n_nodes <= CONF_NODES_MAX ? conf_node_new(t->mem, kind, place) : NULL;
    return node ? node : fail(t, "the file has more values than are allowed");
}

// --- closed tables ---

static bool has_table(const struct map *tables, const struct conf_node *node)
{
    return map_get(tables, str_from((const char *)&node, sizeof node)) != NULL;
}

static void add_table(struct toml *t, struct map *tables, struct conf_node *node)
{
    struct str key = arena_dup(t->mem, str_from((const char *)&node, sizeof node));
    if (!key.ptr)
        (void)fail(t, "the file needs more memory than is allowed for it");
    else
        map_set(tables, key, node);
}

static bool is_closed(const struct toml *t, const struct conf_node *node)
{
    return has_table(&t->closed, node);
}

static void close_table(struct toml *t, struct conf_node *node)
{
    add_table(t, &t->closed, node);
}

// --- strings ---

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

// "\uXXXX" and "\UXXXXXXXX", at behind the letter. 0: it's none.
static size_t put_unicode(struct toml *t, size_t n_digits, char *to)
{
    uint32_t c = 0;
    for (size_t i = 0; i < n_digits; i++, t->at++) {
        int digit = is_end(t) ? -1 : ascii_hex(*t->at);
        if (digit < 0)
            return 0;
        c = c << 4 | (uint32_t)digit;
    }
    return c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : put_utf8(to, c);
}

// What a backslash begins; at behind it. 0: nothing that is allowed.
static size_t put_escape(struct toml *t, char *to)
{
    static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    char c = peek(t);
    size_t i = str_find(str_from(letters, sizeof letters - 1), c);
    if (is_end(t))
        return 0;
    t->at++;
    if (c == 'u' || c == 'U')
        return put_unicode(t, c == 'u' ? 4 : 8, to);
    if (i == STR_NPOS)
        return 0;
    *to = values[i];
    return 1;
}

// A line that ends with a backslash goes on with the next word.
static bool skip_folded(struct toml *t)
{
    const char *at = t->at;
    while (at < t->end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    if (at == t->end || *at != '\n')
        return false;
    t->at = at;
    while (peek(t) == '\n' || peek(t) == ' ' || peek(t) == '\t' || peek(t) == '\r') {
        if (peek(t) == '\n')
            next_line(t);
        else
            t->at++;
    }
    return true;
}

// From behind the opening quotes to behind the closing ones. quote: ", ', """ or '''.
static bool read_string(struct toml *t, struct str quote, struct str *ret)
{
    bool is_long = quote.len == 3, has_escapes = quote.ptr[0] == '"';
    struct place start = place_of(t, t->at - quote.len);
    char *buf = ARENA_ARRAY(t->mem, char, (size_t)(t->end - t->at) + 1);
    size_t n = 0;
    if (!buf)
        return fail(t, "the file needs more memory than is allowed for it");
    if (is_long && take(t, STR("\r")) && peek(t) != '\n')
        return fail(t, "a lone carriage return");
    if (is_long && peek(t) == '\n')
        next_line(t);
    while (!take(t, quote)) {
        char c = peek(t);
        if (is_end(t) || (!is_long && is_line_end(t)))
            return fail_at(t, start, "a text without its closing quote");
        if (is_control(c) && !is_line_end(t))
            return fail(t, "a control byte in a text");
        if (c == '\n') {
            next_line(t);
        } else {
            t->at++;
        }
        if (c == '\\' && has_escapes && is_long && skip_folded(t))
            continue;
        if (c != '\\' || !has_escapes) {
            buf[n++] = c;
            continue;
        }
        size_t n_put = put_escape(t, buf + n);
        if (n_put == 0)
            return fail(t, "expected \\b, \\t, \\n, \\f, \\r, \\\", \\\\, \\uXXXX or \\UXXXXXXXX");
        n += n_put;
    }
    // Up to two quotes may stand before the closing ones.
    for (int i = 0; is_long && i < 2 && peek(t) == quote.ptr[0]; i++, t->at++)
        buf[n++] = quote.ptr[0];
    *ret = str_from(buf, n);
    return true;
}

// A quoted text at this place. False: there is none (or an error).
static bool take_string(struct toml *t, bool may_be_long, struct str *ret)
{
    static const struct str quotes[] = {STR_INIT("\"\"\""), STR_INIT("'''"), STR_INIT("\""),
                                        STR_INIT("'")};
    for (size_t i = may_be_long ? 0 : 2; i < ARRAY_LEN(quotes); i++) {
        if (take(t, quotes[i]))
            return read_string(t, quotes[i], ret);
    }
    return false;
}

// --- keys ---

// One part of a dotted key.
static bool read_part(struct toml *t, struct str *ret)
{
    const char *start = t->at;
    if (take_string(t, false, ret))
        return ret->len > 0 || fail(t, "a key can't be empty");
    while (ascii_is(peek(t), ASCII_ALPHA | ASCII_DIGIT) || peek(t) == '_' || peek(t) == '-')
        t->at++;
    *ret = str_from(start, (size_t)(t->at - start));
    return ret->len > 0 || fail(t, "expected a key of letters, digits, '-' and '_', or in quotes");
}

// The map below `map` that a part of a key leads into; of an array of tables its last one.
static struct conf_node *step_into(struct toml *t, struct conf_node *map, struct str part,
                                   struct place place, bool is_header)
{
    struct conf_node *child = conf_node_get(map, part);
    if (!child) {
        child = new_node(t, CONF_NODE_MAP, place);
        if (child)
            conf_node_put(map, part, child);
        if (child && !is_header)
            add_table(t, &t->dotted, child);
        return child;
    }
    if (child->kind == CONF_NODE_SEQ && is_header && child->last &&
        child->last->kind == CONF_NODE_MAP && !is_closed(t, child))
        return child->last;
    if (child->kind != CONF_NODE_MAP || (!is_header && is_closed(t, child)))
        return fail_at(t, place, "this key has a value already");
    return child;
}

// Reads a dotted key but for its last part, which is *ret_last of the map that is returned.
static struct conf_node *read_key(struct toml *t, struct conf_node *map, bool is_header,
                                  struct str *ret_last, struct place *ret_place)
{
    for (size_t depth = 0;; depth++) {
        skip_space(t);
        *ret_place = place_of(t, t->at);
        if (!read_part(t, ret_last))
            return NULL;
        skip_space(t);
        if (!take(t, STR(".")))
            return map;
        if (depth == CONF_DEPTH_MAX)
            return fail(t, "a key with too many parts");
        map = step_into(t, map, *ret_last, *ret_place, is_header);
        if (!map)
            return NULL;
    }
}

// --- values ---

static struct conf_node *read_value(struct toml *t, unsigned depth);

static bool read_pair(struct toml *t, struct conf_node *map, unsigned depth)
{
    struct str key;
    struct place place;
    struct conf_node *to = read_key(t, map, false, &key, &place);
    if (!to)
        return false;
    if (!take(t, STR("=")))
        return fail(t, "expected '='");
    if (conf_node_get(to, key))
        return fail_at(t, place, "this key has a value already");
    skip_space(t);
    struct conf_node *value = read_value(t, depth);
    if (!value)
        return false;
    value->key_place = place;
    conf_node_put(to, key, value);
    return true;
}

static struct conf_node *read_array(struct toml *t, struct conf_node *array, unsigned depth)
{
    for (skip_lines(t); !take(t, STR("]")); skip_lines(t)) {
        struct conf_node *value = read_value(t, depth);
        if (!value)
            return NULL;
        conf_node_append(array, value);
        skip_lines(t);
        if (!take(t, STR(",")) && peek(t) != ']')
            return fail(t, "expected ',' or ']'");
    }
    close_table(t, array);
    return array;
}

static struct conf_node *read_inline(struct toml *t, struct conf_node *map, unsigned depth)
{
    skip_space(t);
    if (!take(t, STR("}"))) {
        do {
            if (!read_pair(t, map, depth))
                return NULL;
            skip_space(t);
        } while (take(t, STR(",")));
        if (!take(t, STR("}")))
            return fail(t, "expected ',' or '}' on the same line");
    }
    close_table(t, map);
    return map;
}

// Digits with single underscores between them, off *s. False: there are none.
static bool skip_digits(struct str *s, unsigned base)
{
    size_t n = 0;
    for (; n < s->len; n++) {
        int digit = ascii_hex(s->ptr[n]);
        bool joins = s->ptr[n] == '_' && n > 0 && s->ptr[n - 1] != '_';
        if (!joins && (digit < 0 || (unsigned)digit >= base))
            break;
    }
    bool is_fine = n > 0 && s->ptr[n - 1] != '_';
    *s = str_skip(*s, n);
    return is_fine;
}

static bool skip_one(struct str *s, const char *among)
{
    bool is_there = s->len > 0 && str_find(str_of(among), s->ptr[0]) != STR_NPOS;
    *s = str_skip(*s, is_there);
    return is_there;
}

static bool is_number(struct str s)
{
    static const struct {
        struct str prefix;
        unsigned base;
    } forms[] = {{STR_INIT("0x"), 16}, {STR_INIT("0o"), 8}, {STR_INIT("0b"), 2}};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (!str_starts(s, forms[i].prefix))
            continue;
        s = str_skip(s, forms[i].prefix.len);
        return skip_digits(&s, forms[i].base) && s.len == 0;
    }
    (void)skip_one(&s, "+-");
    if (str_eq(s, STR("inf")) || str_eq(s, STR("nan")))
        return true;
    bool has_zero = str_starts(s, STR("0")) && s.len > 1 &&
                    (ascii_is(s.ptr[1], ASCII_DIGIT) || s.ptr[1] == '_');
    if (has_zero || !skip_digits(&s, 10) || (skip_one(&s, ".") && !skip_digits(&s, 10)))
        return false;
    if (!skip_one(&s, "eE"))
        return s.len == 0;
    (void)skip_one(&s, "+-");
    return skip_digits(&s, 10) && s.len == 0;
}

// Whether *s begins as the pattern says, in which '0' is a digit; that is passed over then.
static bool skip_pattern(struct str *s, struct str pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        char want = pattern.ptr[i];
        if (i == s->len || (want == '0' ? !ascii_is(s->ptr[i], ASCII_DIGIT) : s->ptr[i] != want))
            return false;
    }
    *s = str_skip(*s, pattern.len);
    return true;
}

// A date, a time, or both. No setting is one, so that months of 40 days don't matter.
static bool is_date(struct str s)
{
    bool has_date = skip_pattern(&s, STR("0000-00-00"));
    if (has_date && s.len == 0)
        return true;
    if ((has_date && !skip_one(&s, "Tt ")) || !skip_pattern(&s, STR("00:00:00")))
        return false;
    if (skip_one(&s, ".") && !skip_digits(&s, 10))
        return false;
    if (has_date && !skip_one(&s, "Zz") && skip_one(&s, "+-"))
        return skip_pattern(&s, STR("00:00")) && s.len == 0;
    return s.len == 0;
}

static void skip_bare(struct toml *t)
{
    while (ascii_is(peek(t), ASCII_ALPHA | ASCII_DIGIT) ||
           (!is_end(t) && str_find(STR("+-_.:"), peek(t)) != STR_NPOS))
        t->at++;
}

// A number, a boolean or a date, as it stands.
static bool read_bare(struct toml *t, struct str *ret)
{
    const char *start = t->at;
    skip_bare(t);
    // Between date and time there may be a space.
    struct str date = str_from(start, (size_t)(t->at - start));
    struct str rest = str_from(t->at, (size_t)(t->end - t->at));
    if (skip_pattern(&date, STR("0000-00-00")) && date.len == 0 &&
        skip_pattern(&rest, STR(" 00:00:00"))) {
        t->at = rest.ptr;
        skip_bare(t);
    }
    *ret = str_from(start, (size_t)(t->at - start));
    if (str_eq(*ret, STR("true")) || str_eq(*ret, STR("false")) || is_number(*ret) || is_date(*ret))
        return true;
    t->at = start;
    return fail(t, "expected a value: a text in quotes, a number, true or false, [ … ] or { … }");
}

// "1_000" is 1000.
static struct str without_underscores(struct toml *t, struct str s)
{
    char *copy = ARENA_ARRAY(t->mem, char, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; copy && i < s.len; i++) {
        if (s.ptr[i] != '_')
            copy[n++] = s.ptr[i];
    }
    return str_from(copy, n);
}

static struct conf_node *read_value(struct toml *t, unsigned depth)
{
    struct place place = place_of(t, t->at);
    struct str text;
    if (depth == CONF_DEPTH_MAX)
        return fail(t, "arrays and tables too deep inside each other");
    bool is_array = take(t, STR("[")), is_table = !is_array && take(t, STR("{"));
    struct conf_node *node = new_node(t,
                                      is_array   ? CONF_NODE_SEQ
                                      : is_table ? CONF_NODE_MAP
                                                 : CONF_NODE_SCALAR,
                                      place);
    if (!node)
        return NULL;
    if (is_array)
        return read_array(t, node, depth + 1);
    if (is_table)
        return read_inline(t, node, depth + 1);
    node->is_quoted = take_string(t, true, &text);
    if (!node->is_quoted && (t->has_failed || !read_bare(t, &text)))
        return NULL;
    node->text = node->is_quoted ? text : without_underscores(t, text);
    return node;
}

// --- tables ---

static bool begin_table(struct toml *t, struct conf_node *map, struct str key, struct place place)
{
    const struct conf_node *there = conf_node_get(map, key);
    if (there && there->kind != CONF_NODE_MAP)
        return fail_at(t, place, "this key has a value already");
    struct conf_node *table = step_into(t, map, key, place, true);
    if (!table)
        return false;
    if (is_closed(t, table) || has_table(&t->dotted, table))
        return fail_at(t, place, "this table is here already");
    close_table(t, table);
    t->table = table;
    return true;
}

static bool begin_element(struct toml *t, struct conf_node *map, struct str key, struct place place)
{
    struct conf_node *list = conf_node_get(map, key);
    if (!list) {
        list = new_node(t, CONF_NODE_SEQ, place);
        if (!list)
            return false;
        conf_node_put(map, key, list);
    }
    if (list->kind != CONF_NODE_SEQ || is_closed(t, list))
        return fail_at(t, place, "this key has a value already");
    t->table = new_node(t, CONF_NODE_MAP, place);
    if (!t->table)
        return false;
    conf_node_append(list, t->table);
    return true;
}

static bool read_header(struct toml *t)
{
    struct str key;
    struct place place;
    bool is_element = take(t, STR("["));
    struct conf_node *map = read_key(t, t->root, true, &key, &place);
    if (!map)
        return false;
    if (!take(t, is_element ? STR("]]") : STR("]")))
        return fail(t, is_element ? "expected ']]'" : "expected ']'");
    return is_element ? begin_element(t, map, key, place) : begin_table(t, map, key, place);
}

static bool read_line(struct toml *t)
{
    bool is_fine = take(t, STR("[")) ? read_header(t) : read_pair(t, t->table, 0);
    if (!is_fine)
        return false;
    skip_space(t);
    bool has_end = is_end(t) || peek(t) == '#' || is_line_end(t);
    return has_end || fail(t, "expected the end of the line");
}

struct conf_node *toml_parse(struct str text, const char *source, struct arena *mem,
                             struct diags *diags)
{
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_skip(text, 3);
    const char *start = text.len > 0 ? text.ptr : "";
    struct toml t = {.at = start,
                     .end = start + text.len,
                     .line_start = start,
                     .line = 1,
                     .source = source,
                     .mem = mem,
                     .diags = diags};
    t.root = t.table = new_node(&t, CONF_NODE_MAP, place_of(&t, start));
    for (skip_lines(&t); !t.has_failed && !is_end(&t); skip_lines(&t)) {
        if (!read_line(&t))
            (void)fail(&t, "expected a key or a table");
    }
    map_fini(&t.closed);
    map_fini(&t.dotted);
    return t.has_failed ? NULL : t.root;
}
