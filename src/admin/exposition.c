// SPDX-License-Identifier: Apache-2.0
#include "admin/exposition.h"

#include <inttypes.h>

#include "base/num.h"

static const struct {
    const char *name, *text_name;
} types[] = {
#define X(id, name_, text_name_) {.name = (name_), .text_name = (text_name_)},
    METRIC_TYPE_LIST(X)
#undef X
};

static const char *const bounds[] = {
#define X(ns, text) text,
    METRIC_BOUND_LIST(X)
#undef X
};

// --- Accept (RFC 9110 12.5.1) ---

#define WEIGHT_MAX 1000

// "0.5" is 500. What is no weight is 0: then it isn't wanted.
static unsigned parse_weight(struct str s)
{
    struct str whole = STR_NONE, part = STR_NONE;
    uint64_t w = 0, p = 0;
    bool has_part = str_cut(s, '.', &whole, &part);
    if (part.len > 3 || num_dec(whole, 1, &w) != ERR_OK ||
        (has_part && part.len > 0 && num_dec(part, 999, &p) != ERR_OK))
        return 0;
    for (size_t i = part.len; i < 3; i++)
        p *= 10;
    return MIN((unsigned)(w * WEIGHT_MAX + p), (unsigned)WEIGHT_MAX);
}

// Of a media range with its parameters.
static unsigned weight_of(struct str params)
{
    struct str param;
    while (params.len > 0) {
        str_cut(params, ';', &param, &params);
        param = str_trim(param);
        if (str_istarts(param, STR("q=")))
            return parse_weight(str_skip(param, 2));
    }
    return WEIGHT_MAX;
}

enum exposition_form exposition_choose(struct str accept)
{
    unsigned open_weight = 0, text_weight = 0;
    while (accept.len > 0) {
        struct str range, type, params = STR_NONE;
        str_cut(accept, ',', &range, &accept);
        str_cut(range, ';', &type, &params);
        type = str_trim(type);
        if (str_ieq(type, STR("application/openmetrics-text")))
            open_weight = MAX(open_weight, weight_of(params));
        else if (str_ieq(type, STR("text/plain")))
            text_weight = MAX(text_weight, weight_of(params));
    }
    return open_weight > 0 && open_weight >= text_weight ? EXPOSITION_OPENMETRICS
                                                         : EXPOSITION_PROMETHEUS;
}

struct str exposition_content_type(enum exposition_form form)
{
    return form == EXPOSITION_OPENMETRICS
               ? STR("application/openmetrics-text; version=1.0.0; charset=utf-8")
               : STR("text/plain; version=0.0.4; charset=utf-8");
}

// --- samples ---

static const char *suffix_of(const struct metric *m)
{
    return m->type == METRIC_COUNTER ? "_total" : m->type == METRIC_INFO ? "_info" : "";
}

static void put_escaped(struct text *to, struct str s, bool is_quoted)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\n')
            text_put(to, STR("\\n"));
        else if (c == '\\' || (c == '"' && is_quoted))
            text_printf(to, "\\%c", c);
        else
            text_byte(to, c);
    }
}

void exposition_head(struct exposition *e, const struct metric *m)
{
    bool is_open = e->form == EXPOSITION_OPENMETRICS;
    const char *suffix = is_open ? "" : suffix_of(m);
    text_printf(e->to, "# TYPE %s%s %s\n", m->name, suffix,
                is_open ? types[m->type].name : types[m->type].text_name);
    if (is_open && m->unit[0] != '\0')
        text_printf(e->to, "# UNIT %s %s\n", m->name, m->unit);
    text_printf(e->to, "# HELP %s%s ", m->name, suffix);
    put_escaped(e->to, str_of(m->help), is_open);
    text_byte(e->to, '\n');
}

// bound: of a bucket; NULL: it is none.
static void put_name(struct exposition *e, const struct metric *m, const char *suffix,
                     const struct metric_label *labels, size_t n_labels, const char *bound)
{
    text_put(e->to, str_of(m->name));
    text_put(e->to, str_of(suffix));
    char before = '{';
    for (size_t i = 0; i < n_labels; i++) {
        text_byte(e->to, before);
        text_put(e->to, str_of(labels[i].name));
        text_put(e->to, STR("=\""));
        put_escaped(e->to, labels[i].value, true);
        text_byte(e->to, '"');
        before = ',';
    }
    if (bound) {
        text_byte(e->to, before);
        text_put(e->to, STR("le=\""));
        text_put(e->to, str_of(bound));
        text_byte(e->to, '"');
    }
    if (n_labels > 0 || bound)
        text_byte(e->to, '}');
}

void exposition_count(struct exposition *e, const struct metric *m,
                      const struct metric_label *labels, size_t n_labels, uint64_t value)
{
    put_name(e, m, suffix_of(m), labels, n_labels, NULL);
    text_printf(e->to, " %" PRIu64 "\n", value);
}

static void put_seconds(struct text *to, int64_t ns)
{
    text_printf(to, " %" PRId64 ".%09" PRId64 "\n", ns / 1000000000, ns % 1000000000);
}

void exposition_seconds(struct exposition *e, const struct metric *m,
                        const struct metric_label *labels, size_t n_labels, int64_t ns)
{
    put_name(e, m, suffix_of(m), labels, n_labels, NULL);
    put_seconds(e->to, MAX(ns, (int64_t)0));
}

void exposition_histogram(struct exposition *e, const struct metric *m,
                          const struct metric_label *labels, size_t n_labels,
                          const struct metric_histogram *h)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
        sum += h->buckets[i];
        put_name(e, m, "_bucket", labels, n_labels, i < ARRAY_LEN(bounds) ? bounds[i] : "+Inf");
        text_printf(e->to, " %" PRIu64 "\n", sum);
    }
    put_name(e, m, "_sum", labels, n_labels, NULL);
    put_seconds(e->to, (int64_t)MIN(h->sum_ns, (uint64_t)INT64_MAX));
    put_name(e, m, "_count", labels, n_labels, NULL);
    text_printf(e->to, " %" PRIu64 "\n", sum);
}

void exposition_end(struct exposition *e)
{
    if (e->form == EXPOSITION_OPENMETRICS)
        text_put(e->to, STR("# EOF\n"));
}
