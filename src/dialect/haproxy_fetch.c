// SPDX-License-Identifier: Apache-2.0
// One question of a condition: what is fetched from the request, how it is compared, with what
// (configuration manual, 7.1 to 7.3).
#include "base/ascii.h"
#include "base/num.h"
#include "codec/ip.h"
#include "dialect/haproxy_cond.h"
#include "route/rule.h"

#define RULE_MEM_BYTES ((size_t)8 << 20)
#define VALUES_MAX 1024

enum source {
    SOURCE_NONE,
    SOURCE_TRUE,
    SOURCE_FALSE,
    SOURCE_PATH,
    SOURCE_HEADER, // each value of a list
    SOURCE_FIELD,  // a whole line
    SOURCE_HEADER_COUNT,
    SOURCE_COOKIE,
    SOURCE_PARAM,
    SOURCE_METHOD,
    SOURCE_CLIENT,
    SOURCE_HAS_TLS,
    SOURCE_PORT,
    SOURCE_NAME, // SNI
    SOURCE_TCP,  // true while a connection is looked into
    SOURCE_HTTP,
    SOURCE_USER,
    SOURCE_GROUP,
    SOURCE_RATE,
};

static const struct {
    const char *name;
    enum source source;
    enum haproxy_rate_kind rate;
} sources[] = {
    {"always_true", SOURCE_TRUE, 0},
    {"always_false", SOURCE_FALSE, 0},
    {"path", SOURCE_PATH, 0},
    {"hdr", SOURCE_HEADER, 0},
    {"req.hdr", SOURCE_HEADER, 0},
    {"req.fhdr", SOURCE_FIELD, 0},
    {"hdr_cnt", SOURCE_HEADER_COUNT, 0},
    {"req.hdr_cnt", SOURCE_HEADER_COUNT, 0},
    {"req.fhdr_cnt", SOURCE_HEADER_COUNT, 0},
    {"cook", SOURCE_COOKIE, 0},
    {"req.cook", SOURCE_COOKIE, 0},
    {"url_param", SOURCE_PARAM, 0},
    {"urlp", SOURCE_PARAM, 0},
    {"method", SOURCE_METHOD, 0},
    {"src", SOURCE_CLIENT, 0},
    {"ssl_fc", SOURCE_HAS_TLS, 0},
    {"dst_port", SOURCE_PORT, 0},
    {"fc_dst_port", SOURCE_PORT, 0},
    {"ssl_fc_sni", SOURCE_NAME, 0},
    {"req.ssl_sni", SOURCE_NAME, 0},
    {"req_ssl_sni", SOURCE_NAME, 0},
    {"req.ssl_hello_type", SOURCE_TCP, 0},
    {"req_ssl_hello_type", SOURCE_TCP, 0},
    {"req.len", SOURCE_TCP, 0},
    {"req_len", SOURCE_TCP, 0},
    {"wait_end", SOURCE_TRUE, 0},
    {"req.proto_http", SOURCE_HTTP, 0},
    {"req_proto_http", SOURCE_HTTP, 0},
    {"http_auth", SOURCE_USER, 0},
    {"http_auth_group", SOURCE_GROUP, 0},
    {"http_req_rate", SOURCE_RATE, HAPROXY_RATE_REQUESTS},
    {"conn_rate", SOURCE_RATE, HAPROXY_RATE_CONNS},
    {"conn_cur", SOURCE_RATE, HAPROXY_RATE_CONNS_NOW},
    {"http_err_rate", SOURCE_RATE, HAPROXY_RATE_ERRORS},
};

enum match {
    MATCH_STR,
    MATCH_BEG,
    MATCH_END,
    MATCH_SUB,
    MATCH_DIR,
    MATCH_DOM,
    MATCH_REG,
    MATCH_FOUND,
    MATCH_OTHER, // bool, int, ip: as the source has it
    MATCH_NONE,  // there is no such thing here
};

static const char *const match_names[] = {"str", "beg", "end", "sub", "dir", "dom", "reg", "found"};

struct question {
    struct haproxy_asked *asked;
    struct draft *d;
    enum source source;
    enum haproxy_rate_kind rate;
    unsigned counter;
    struct str arg; // in parentheses
    enum match match;
    bool ignore_case;
    struct str *values;
    size_t n, cap;
};

static bool add_value(struct question *q, struct str value)
{
    struct str *values = ARENA_GROW(&q->d->mem, struct str, q->values, q->n, &q->cap);
    if (!values || q->n == VALUES_MAX)
        return false;
    q->values = values;
    q->values[q->n++] = value;
    return true;
}

static enum match find_match(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(match_names); i++)
        if (str_eq(name, str_of(match_names[i])))
            return (enum match)i;
    bool is_other = str_eq(name, STR("bool")) || str_eq(name, STR("int")) ||
                    str_eq(name, STR("ip")) || str_eq(name, STR("addr"));
    return is_other ? MATCH_OTHER : MATCH_NONE;
}

static bool find_source(struct question *q, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (!str_eq(name, str_of(sources[i].name)))
            continue;
        q->source = sources[i].source;
        q->rate = sources[i].rate;
        return true;
    }
    return false;
}

// "sc0_http_req_rate", "sc_http_req_rate(0,table)", "src_http_req_rate(table)".
static bool find_counter(struct question *q, struct str name)
{
    struct str rest = name, table = STR_NONE;
    q->counter = 0;
    if (str_starts(name, STR("src_"))) {
        q->counter = UINT32_MAX;
        rest = str_skip(name, 4);
    } else if (str_starts(name, STR("sc_"))) {
        struct str number;
        rest = str_skip(name, 3);
        str_cut(q->arg, ',', &number, &table);
        uint64_t n;
        if (num_dec(str_trim(number), 99, &n) != ERR_OK)
            return false;
        q->counter = (unsigned)n;
        q->arg = table;
    } else if (name.len > 4 && str_starts(name, STR("sc")) && ascii_is(name.ptr[2], ASCII_DIGIT) &&
               name.ptr[3] == '_') {
        q->counter = (unsigned)(name.ptr[2] - '0');
        rest = str_skip(name, 4);
    } else {
        return false;
    }
    return find_source(q, rest) && q->source == SOURCE_RATE;
}

// What may follow a fetch behind commas without changing what is asked here.
static bool take_converter(struct question *q, struct str name)
{
    bool is_host = q->source == SOURCE_HEADER && str_ieq(q->arg, STR("host"));
    if (str_eq(name, STR("lower")) || str_eq(name, STR("upper"))) {
        q->ignore_case = true;
        return true;
    }
    return is_host && (str_eq(name, STR("host_only")) || str_eq(name, STR("field(1,:)")) ||
                       str_eq(name, STR("word(1,:)")));
}

// "hdr_beg(host)", "req.hdr(host),lower", "path_reg".
static bool read_fetch(struct question *q, struct str word)
{
    size_t open = str_find(word, '('), comma = str_find(word, ',');
    size_t end = MIN(MIN(open, comma), word.len);
    struct str name = str_first(word, end), rest = str_skip(word, end);
    if (rest.len > 0 && rest.ptr[0] == '(') {
        size_t close = str_find(rest, ')');
        if (close == STR_NPOS)
            return false;
        q->arg = str_trim(str_from(rest.ptr + 1, close - 1));
        rest = str_skip(rest, close + 1);
    }
    q->match = MATCH_OTHER;
    if (!find_source(q, name) && !find_counter(q, name)) {
        size_t cut = str_rfind(name, '_');
        q->match = cut == STR_NPOS ? MATCH_NONE : find_match(str_skip(name, cut + 1));
        if (q->match >= MATCH_OTHER || !find_source(q, str_first(name, cut)))
            return false;
    } else if (q->source == SOURCE_RATE && str_starts(name, STR("src")) == false &&
               str_starts(name, STR("sc")) == false) {
        return false;
    }
    while (rest.len > 0) {
        // A converter's own commas are in parentheses.
        size_t n = 1;
        for (int depth = 0; n < rest.len && (depth > 0 || rest.ptr[n] != ','); n++)
            depth += rest.ptr[n] == '(' ? 1 : rest.ptr[n] == ')' ? -1 : 0;
        if (rest.ptr[0] != ',' || !take_converter(q, str_from(rest.ptr + 1, n - 1)))
            return false;
        rest = str_skip(rest, n);
    }
    return true;
}

// The lines of a file of values.
static bool read_values(struct question *q, struct str path)
{
    struct str text, line;
    const char *why;
    const struct conf_resolver *files = q->asked->files;
    if (!files->read_file || !files->read_file(files->arg, path, &q->d->mem, &text, &why) ||
        text.len > DIALECT_FILE_MAX_BYTES)
        return false;
    while (text.len > 0) {
        str_cut(text, '\n', &line, &text);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        line = str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (!add_value(q, line))
            return false;
    }
    return true;
}

// Flags and values behind the fetch. NULL, or why it can't be asked.
static const char *read_flags(struct question *q, const struct str *words, unsigned n)
{
    unsigned i = 0;
    for (; i < n && words[i].len == 2 && words[i].ptr[0] == '-'; i++) {
        char flag = words[i].ptr[1];
        if (flag == '-') {
            i++;
            break;
        }
        if (flag == 'i') {
            q->ignore_case = true;
        } else if (flag == 'm' && i + 1 < n) {
            q->match = find_match(words[++i]);
        } else if (flag == 'f' && i + 1 < n) {
            if (!read_values(q, words[++i]))
                return "its file can't be read, or has more than 1024 values";
        } else if (flag == 'u' && i + 1 < n) {
            i++;
        } else if (flag != 'n') {
            return "it has a flag that has no counterpart here";
        }
    }
    for (; i < n; i++)
        if (!add_value(q, words[i]))
            return "it has more than 1024 values";
    return q->match == MATCH_NONE ? "it compares in a way that has no counterpart here" : NULL;
}

static const struct haproxy_expr *unknown(const struct question *q, const char *why)
{
    return haproxy_unknown(q->d, str_of(why));
}

// A rule's part, if rules take it; it may be too long, or have an expression that isn't one.
static const struct haproxy_expr *rule(const struct question *q, struct str text)
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

struct str haproxy_quote(struct draft *d, struct str text)
{
    struct text t = {.len = 0};
    if (str_find(text, '`') == STR_NPOS) {
        text_printf(&t, "`" STR_FMT "`", STR_ARG(text));
    } else {
        text_byte(&t, '"');
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '"' || text.ptr[i] == '\\')
                text_byte(&t, '\\');
            text_byte(&t, text.ptr[i]);
        }
        text_byte(&t, '"');
    }
    struct str own = draft_text(d, text_str(&t));
    text_fini(&t);
    return own;
}

// What is no part of an expression's language stays, the rest is escaped; '{' by its number, since
// rules take "{name:" for a mistake.
static void put_literal(struct str s, struct text *to)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '{' || s.ptr[i] == '}')
            text_printf(to, "\\x%02x", (unsigned)s.ptr[i]);
        else if (strchr("\\^$.|?*+()[]", s.ptr[i]) && s.ptr[i] != '\0')
            text_printf(to, "\\%c", s.ptr[i]);
        else
            text_byte(to, s.ptr[i]);
    }
}

static struct str without_slashes(struct str s)
{
    while (s.len > 0 && s.ptr[0] == '/')
        s = str_skip(s, 1);
    while (s.len > 0 && s.ptr[s.len - 1] == '/')
        s.len--;
    return s;
}

// How an element of what is looked at begins and ends: "^" and "$", but for lists.
struct bounds {
    const char *begin, *end, *any; // any: what may stand inside an element
};

static void put_value(const struct question *q, struct str v, struct bounds b, struct text *to)
{
    bool from_begin = q->match == MATCH_STR || q->match == MATCH_BEG || q->match == MATCH_OTHER;
    bool to_end = q->match == MATCH_STR || q->match == MATCH_END || q->match == MATCH_OTHER;
    if (q->match == MATCH_REG) {
        bool is_open = v.len == 0 || v.ptr[0] != '^';
        bool is_closed = str_ends(v, STR("$")) && !str_ends(v, STR("\\$"));
        struct str inner = str_skip(v, !is_open);
        inner.len -= is_closed;
        text_printf(to, "%s%s(?:" STR_FMT ")%s", is_open && b.any[0] == '\0' ? "" : b.begin,
                    is_open ? b.any : "", STR_ARG(inner), is_closed ? b.end : "");
        return;
    }
    if (q->match == MATCH_DIR || q->match == MATCH_DOM) {
        text_put(to, q->match == MATCH_DIR ? STR("(?:^|[/?])") : STR("(?:^|[/?.:])"));
        put_literal(q->match == MATCH_DIR ? without_slashes(v) : v, to);
        text_put(to, q->match == MATCH_DIR ? STR("(?:[/?]|$)") : STR("(?:[/?.:]|$)"));
        return;
    }
    text_put(to, str_of(from_begin || b.any[0] != '\0' ? b.begin : ""));
    text_put(to, str_of(from_begin ? "" : b.any));
    put_literal(v, to);
    if (to_end)
        text_put(to, str_of(b.end));
}

// All values as one expression.
static struct str pattern(const struct question *q, struct str before, struct bounds b)
{
    struct text t = {.len = 0};
    if (q->ignore_case)
        text_put(&t, STR("(?i)"));
    text_put(&t, before);
    if (q->n > 1)
        text_put(&t, STR("(?:"));
    for (size_t i = 0; i < q->n; i++) {
        if (i > 0)
            text_byte(&t, '|');
        put_value(q, q->values[i], b, &t);
    }
    if (q->n > 1)
        text_byte(&t, ')');
    struct str own = draft_text(q->d, text_str(&t));
    text_fini(&t);
    return own;
}

// Name(`a`, `b`).
static struct str call(const struct question *q, const char *name)
{
    struct text t = {.len = 0};
    text_printf(&t, "%s(", name);
    for (size_t i = 0; i < q->n; i++) {
        struct str quoted = haproxy_quote(q->d, q->values[i]);
        text_printf(&t, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(quoted));
    }
    text_byte(&t, ')');
    struct str own = draft_text(q->d, text_str(&t));
    text_fini(&t);
    return own;
}

static struct str call_with(const struct question *q, const char *name, struct str key,
                            struct str value)
{
    struct str quoted_key = haproxy_quote(q->d, key), quoted = haproxy_quote(q->d, value);
    return key.len > 0 ? draft_printf(q->d, "%s(" STR_FMT ", " STR_FMT ")", name,
                                      STR_ARG(quoted_key), STR_ARG(quoted))
                       : draft_printf(q->d, "%s(" STR_FMT ")", name, STR_ARG(quoted));
}

static const struct bounds whole = {"^", "$", ""};

static const struct haproxy_expr *ask_path(struct question *q)
{
    bool is_exact = q->match == MATCH_STR || q->match == MATCH_OTHER;
    bool is_plain = !q->ignore_case && (is_exact || q->match == MATCH_BEG);
    if (q->asked->changed & HAPROXY_CHANGED_PATH)
        return unknown(q, "the path was changed before, and rules see the one that came");
    if (q->match == MATCH_FOUND)
        return &haproxy_true;
    for (size_t i = 0; i < q->n && is_plain; i++)
        is_plain = str_starts(q->values[i], STR("/")) && str_find(q->values[i], '{') == STR_NPOS;
    if (is_plain)
        return rule(q, call(q, is_exact ? "Path" : "PathPrefix"));
    return rule(q, call_with(q, "PathRegexp", STR_NONE, pattern(q, STR_NONE, whole)));
}

// A host may be asked for with its port; rules see it without.
static void drop_ports(struct question *q)
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

static const struct haproxy_expr *ask_host(struct question *q)
{
    if (q->asked->changed & HAPROXY_CHANGED_HOST)
        return unknown(q, "Host was changed before, and rules see the one that came");
    if (q->match == MATCH_FOUND)
        return &haproxy_true; // there is no request without
    const char *exact = q->asked->is_tcp ? "HostSNI" : "Host";
    const char *other = q->asked->is_tcp ? "HostSNIRegexp" : "HostRegexp";
    q->ignore_case = false; // these are so in any case
    if (q->match != MATCH_REG)
        drop_ports(q);
    if (q->match == MATCH_STR || q->match == MATCH_OTHER) {
        bool has_star = false;
        for (size_t i = 0; i < q->n; i++)
            has_star = has_star || str_find(q->values[i], '*') != STR_NPOS;
        const struct haproxy_expr *e = has_star ? NULL : rule(q, call(q, exact));
        if (e && e->kind == HAPROXY_RULE)
            return e;
    }
    return rule(q, call_with(q, other, STR_NONE, pattern(q, STR_NONE, whole)));
}

static bool is_changed(const struct question *q, struct str field)
{
    for (const struct haproxy_names *n = q->asked->fields; n; n = n->before)
        if (str_ieq(n->name, field))
            return true;
    return false;
}

static const struct haproxy_expr *ask_header(struct question *q)
{
    static const struct bounds element = {"(?:^|,)[ \\t]*", "[ \\t]*(?:,|$)", "[^,]*?"};
    static const struct bounds inner = {"", "[ \\t]*(?:,|$)", ""};
    if (str_ieq(q->arg, STR("host")))
        return ask_host(q);
    if (q->arg.len == 0 || str_find(q->arg, ',') != STR_NPOS)
        return unknown(q, "only all lines of one field can be asked at once");
    if (is_changed(q, q->arg))
        return unknown(q, "the field was changed before, and rules see the one that came");
    if (q->match == MATCH_FOUND)
        return rule(q, call_with(q, "HeaderRegexp", q->arg, STR("^")));
    struct bounds b = q->source == SOURCE_FIELD ? whole : element;
    // What is only somewhere inside has no need to know where its element begins.
    if (q->source == SOURCE_HEADER && (q->match == MATCH_SUB || q->match == MATCH_END))
        b = inner;
    return rule(q, call_with(q, "HeaderRegexp", q->arg, pattern(q, STR_NONE, b)));
}

static const struct haproxy_expr *ask_cookie(struct question *q)
{
    static const struct bounds value = {"", "\"?[ \\t]*(?:;|$)", "[^;]*?"};
    struct text t = {.len = 0};
    if (q->arg.len == 0)
        return unknown(q, "only a cookie with a name can be asked");
    if (is_changed(q, STR("cookie")))
        return unknown(q, "cookies were changed before, and rules see those that came");
    text_put(&t, STR("(?:^|;)[ \\t]*"));
    put_literal(q->arg, &t);
    text_put(&t, STR("=\"?"));
    struct str before = draft_text(q->d, text_str(&t));
    text_fini(&t);
    struct str expression = q->match == MATCH_FOUND ? before : pattern(q, before, value);
    return rule(q, call_with(q, "HeaderRegexp", STR("Cookie"), expression));
}

static const struct haproxy_expr *ask_param(struct question *q)
{
    if (q->arg.len == 0 || str_find(q->arg, ',') != STR_NPOS)
        return unknown(q, "only a parameter with a name can be asked");
    if (q->asked->changed & HAPROXY_CHANGED_QUERY)
        return unknown(q, "the query was changed before, and rules see the one that came");
    if (q->match == MATCH_FOUND)
        return rule(q, call_with(q, "QueryRegexp", q->arg, STR("^")));
    return rule(q, call_with(q, "QueryRegexp", q->arg, pattern(q, STR_NONE, whole)));
}

static const struct haproxy_expr *ask_client(struct question *q)
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
    return q->n > 0 ? rule(q, call(q, "ClientIP")) : &haproxy_false;
}

// "443", "gt 1023", "8000:8010": whether number is one of these.
static bool compare(struct question *q, uint64_t number, bool *ret)
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

static const struct haproxy_expr *ask_port(struct question *q)
{
    bool is_it;
    q->asked->used_bind = true;
    if (!compare(q, q->asked->port, &is_it))
        return unknown(q, "it compares with what is no number");
    return is_it ? &haproxy_true : &haproxy_false;
}

// Only "is there one" can be asked: what is true for 1 and 2 alike, and false for 0.
static const struct haproxy_expr *ask_count(struct question *q)
{
    bool with_none, with_one, with_many;
    if (!compare(q, 0, &with_none) || !compare(q, 1, &with_one) || !compare(q, 100, &with_many) ||
        with_one != with_many || with_none == with_one)
        return unknown(q, "lines of a field can't be counted");
    q->n = 0;
    q->match = MATCH_FOUND;
    q->source = SOURCE_HEADER;
    const struct haproxy_expr *e = ask_header(q);
    return with_one ? e : haproxy_not(q->d, e);
}

static const struct haproxy_expr *ask_rate(struct question *q)
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

static const struct haproxy_expr *ask_user(struct question *q)
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

static const struct haproxy_expr *ask(struct question *q)
{
    struct haproxy_asked *a = q->asked;
    bool is_of_request = q->source >= SOURCE_PATH && q->source <= SOURCE_METHOD;
    if (is_of_request && a->is_answer)
        return unknown(q, "an answer's rule can't ask for the request here");
    if (is_of_request && a->is_tcp)
        return unknown(q, "there are no requests in mode tcp");
    if (is_of_request && q->source != SOURCE_HEADER_COUNT && q->n == 0 && q->match != MATCH_FOUND)
        return unknown(q, "it compares with nothing");
    switch (q->source) {
    case SOURCE_TRUE:
        return &haproxy_true;
    case SOURCE_FALSE:
        return &haproxy_false;
    case SOURCE_PATH:
        return ask_path(q);
    case SOURCE_HEADER:
    case SOURCE_FIELD:
        return ask_header(q);
    case SOURCE_HEADER_COUNT:
        return ask_count(q);
    case SOURCE_COOKIE:
        return ask_cookie(q);
    case SOURCE_PARAM:
        return ask_param(q);
    case SOURCE_METHOD:
        if (a->changed & HAPROXY_CHANGED_METHOD)
            return unknown(q, "the method was changed before");
        return rule(q, call(q, "Method"));
    case SOURCE_CLIENT:
        return ask_client(q);
    case SOURCE_HAS_TLS:
        a->used_bind = true;
        return a->has_tls ? &haproxy_true : &haproxy_false;
    case SOURCE_PORT:
        return ask_port(q);
    case SOURCE_NAME:
        return ask_host(q);
    case SOURCE_TCP:
        return a->is_tcp ? &haproxy_true : unknown(q, "it looks into connections");
    case SOURCE_HTTP:
        return a->is_tcp ? unknown(q, "it looks into connections") : &haproxy_true;
    case SOURCE_USER:
    case SOURCE_GROUP:
        return ask_user(q);
    case SOURCE_RATE:
        return ask_rate(q);
    case SOURCE_NONE:
        break;
    }
    return unknown(q, "it asks for something that rules can't ask here");
}

const struct haproxy_expr *haproxy_ask(struct haproxy_asked *asked, const struct str *words,
                                       unsigned n)
{
    struct question *q = ARENA_NEW(&asked->d->mem, struct question);
    if (!q) {
        asked->d->is_full = true;
        return &haproxy_false;
    }
    q->asked = asked;
    q->d = asked->d;
    if (!read_fetch(q, words[0]))
        return haproxy_unknown(asked->d, draft_printf(asked->d, "'" STR_FMT "' can't be asked here",
                                                      STR_ARG(str_first(words[0], 64))));
    const char *why = read_flags(q, words + 1, n - 1);
    return why ? unknown(q, why) : ask(q);
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
