// SPDX-License-Identifier: Apache-2.0
// What a question fetches, how it compares, with what (configuration manual, 7.1 to 7.3).
#include "dialect/haproxy_question.h"

#include "base/ascii.h"
#include "base/num.h"

#define VALUES_MAX 1024

static const struct {
    const char *name;
    enum haproxy_source source;
    enum haproxy_rate_kind rate;
} sources[] = {
    {"always_true", HAPROXY_SOURCE_TRUE, 0},
    {"always_false", HAPROXY_SOURCE_FALSE, 0},
    {"path", HAPROXY_SOURCE_PATH, 0},
    {"hdr", HAPROXY_SOURCE_HEADER, 0},
    {"req.hdr", HAPROXY_SOURCE_HEADER, 0},
    {"req.fhdr", HAPROXY_SOURCE_FIELD, 0},
    {"hdr_cnt", HAPROXY_SOURCE_HEADER_COUNT, 0},
    {"req.hdr_cnt", HAPROXY_SOURCE_HEADER_COUNT, 0},
    {"req.fhdr_cnt", HAPROXY_SOURCE_HEADER_COUNT, 0},
    {"cook", HAPROXY_SOURCE_COOKIE, 0},
    {"req.cook", HAPROXY_SOURCE_COOKIE, 0},
    {"url_param", HAPROXY_SOURCE_PARAM, 0},
    {"urlp", HAPROXY_SOURCE_PARAM, 0},
    {"method", HAPROXY_SOURCE_METHOD, 0},
    {"src", HAPROXY_SOURCE_CLIENT, 0},
    {"ssl_fc", HAPROXY_SOURCE_HAS_TLS, 0},
    {"dst_port", HAPROXY_SOURCE_PORT, 0},
    {"fc_dst_port", HAPROXY_SOURCE_PORT, 0},
    {"ssl_fc_sni", HAPROXY_SOURCE_NAME, 0},
    {"req.ssl_sni", HAPROXY_SOURCE_NAME, 0},
    {"req_ssl_sni", HAPROXY_SOURCE_NAME, 0},
    {"req.ssl_hello_type", HAPROXY_SOURCE_TCP, 0},
    {"req_ssl_hello_type", HAPROXY_SOURCE_TCP, 0},
    {"req.len", HAPROXY_SOURCE_TCP, 0},
    {"req_len", HAPROXY_SOURCE_TCP, 0},
    {"wait_end", HAPROXY_SOURCE_TRUE, 0},
    {"req.proto_http", HAPROXY_SOURCE_HTTP, 0},
    {"req_proto_http", HAPROXY_SOURCE_HTTP, 0},
    {"http_auth", HAPROXY_SOURCE_USER, 0},
    {"http_auth_group", HAPROXY_SOURCE_GROUP, 0},
    {"http_req_rate", HAPROXY_SOURCE_RATE, HAPROXY_RATE_REQUESTS},
    {"conn_rate", HAPROXY_SOURCE_RATE, HAPROXY_RATE_CONNS},
    {"conn_cur", HAPROXY_SOURCE_RATE, HAPROXY_RATE_CONNS_NOW},
    {"http_err_rate", HAPROXY_SOURCE_RATE, HAPROXY_RATE_ERRORS},
};

static const char *const match_names[] = {"str", "beg", "end", "sub", "dir", "dom", "reg", "found"};

static bool add_value(struct haproxy_question *q, struct str value)
{
    struct str *values = ARENA_GROW(&q->d->mem, struct str, q->values, q->n, &q->cap);
    if (!values || q->n == VALUES_MAX)
        return false;
    q->values = values;
    q->values[q->n++] = value;
    return true;
}

static enum haproxy_match find_match(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(match_names); i++)
        if (str_eq(name, str_of(match_names[i])))
            return (enum haproxy_match)i;
    bool is_other = str_eq(name, STR("bool")) || str_eq(name, STR("int")) ||
                    str_eq(name, STR("ip")) || str_eq(name, STR("addr"));
    return is_other ? HAPROXY_MATCH_OTHER : HAPROXY_MATCH_NONE;
}

static bool find_source(struct haproxy_question *q, struct str name)
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
static bool find_counter(struct haproxy_question *q, struct str name)
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
    return find_source(q, rest) && q->source == HAPROXY_SOURCE_RATE;
}

// What may follow a fetch behind commas without changing what is asked here.
static bool take_converter(struct haproxy_question *q, struct str name)
{
    bool is_host = q->source == HAPROXY_SOURCE_HEADER && str_ieq(q->arg, STR("host"));
    if (str_eq(name, STR("lower")) || str_eq(name, STR("upper"))) {
        q->ignore_case = true;
        return true;
    }
    return is_host && (str_eq(name, STR("host_only")) || str_eq(name, STR("field(1,:)")) ||
                       str_eq(name, STR("word(1,:)")));
}

// "hdr_beg(host)", "req.hdr(host),lower", "path_reg".
static bool read_fetch(struct haproxy_question *q, struct str word)
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
    q->match = HAPROXY_MATCH_OTHER;
    if (!find_source(q, name) && !find_counter(q, name)) {
        size_t cut = str_rfind(name, '_');
        q->match = cut == STR_NPOS ? HAPROXY_MATCH_NONE : find_match(str_skip(name, cut + 1));
        if (q->match >= HAPROXY_MATCH_OTHER || !find_source(q, str_first(name, cut)))
            return false;
    } else if (q->source == HAPROXY_SOURCE_RATE && str_starts(name, STR("src")) == false &&
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
static bool read_values(struct haproxy_question *q, struct str path)
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
static const char *read_flags(struct haproxy_question *q, const struct str *words, unsigned n)
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
    return q->match == HAPROXY_MATCH_NONE ? "it compares in a way that has no counterpart here"
                                          : NULL;
}

struct str haproxy_question_read(struct haproxy_question *q, const struct str *words, unsigned n)
{
    if (!read_fetch(q, words[0]))
        return draft_printf(q->d, "'" STR_FMT "' can't be asked here",
                            STR_ARG(str_first(words[0], 64)));
    const char *why = read_flags(q, words + 1, n - 1);
    return why ? str_of(why) : STR_NONE;
}
