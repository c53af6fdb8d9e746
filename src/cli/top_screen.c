// SPDX-License-Identifier: Apache-2.0
#include "cli/top_screen.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "cli/plain.h"

#define NAME_MIN 12
#define NAME_MAX 60

// Behind the name.
#define COLUMN_LIST(X)                                                                             \
    X(REQUESTS, "req/s")                                                                           \
    X(REFUSED, "4xx/s")                                                                            \
    X(FAILED, "5xx/s")                                                                             \
    X(P50, "p50")                                                                                  \
    X(P99, "p99")                                                                                  \
    X(IN, "in/s")                                                                                  \
    X(OUT, "out/s")                                                                                \
    X(OPEN, "conns")                                                                               \
    X(STATE, "state")

enum column {
#define X(id, name) COLUMN_##id,
    COLUMN_LIST(X)
#undef X
};
#define COLUMNS (COLUMN_STATE + 1)
#define COLUMN_WIDTH 9

static const char *const column_names[] = {
#define X(id, name) name,
    COLUMN_LIST(X)
#undef X
};

static const char *const sort_names[] = {
#define X(id, name) name,
    TOP_SORT_LIST(X)
#undef X
};

// Which of them a list has.
static bool has_column(enum top_list list, enum column c)
{
    bool is_server = list == TOP_SERVERS, is_filter = list == TOP_FILTERS;
    switch (c) {
    case COLUMN_REQUESTS:
        return true;
    case COLUMN_REFUSED:
        return !is_server;
    case COLUMN_FAILED:
        return true;
    case COLUMN_P50:
    case COLUMN_P99:
    case COLUMN_IN:
    case COLUMN_OUT:
        return !is_server && !is_filter;
    case COLUMN_OPEN:
    case COLUMN_STATE:
        return is_server;
    }
    return false;
}

static int put_rate(char *buf, size_t n, double rate)
{
    if (rate == 0)
        return snprintf(buf, n, "0");
    if (rate < 10)
        return snprintf(buf, n, "%.1f", rate);
    return rate < 100000 ? snprintf(buf, n, "%.0f", rate) : snprintf(buf, n, "%.0fk", rate / 1000);
}

static int put_bytes(char *buf, size_t n, double rate)
{
    static const char units[] = {'B', 'K', 'M', 'G', 'T'};
    size_t i = 0;
    for (; rate >= 1000 && i < sizeof units - 1; i++)
        rate /= 1024;
    return snprintf(buf, n, i == 0 || rate >= 10 ? "%.0f%c" : "%.1f%c", rate, units[i]);
}

static int put_ms(char *buf, size_t n, double ms)
{
    if (ms < 0)
        return snprintf(buf, n, "-");
    if (ms < 10)
        return snprintf(buf, n, "%.1fms", ms);
    return ms < 1000 ? snprintf(buf, n, "%.0fms", ms) : snprintf(buf, n, "%.1fs", ms / 1000);
}

static void cell_text(const struct top_row *r, enum column c, char buf[static 24])
{
    switch (c) {
    case COLUMN_REQUESTS:
        put_rate(buf, 24, r->rates[TOP_REQUESTS]);
        break;
    case COLUMN_REFUSED:
        put_rate(buf, 24, r->rates[TOP_REFUSED]);
        break;
    case COLUMN_FAILED:
        put_rate(buf, 24, r->rates[TOP_FAILED]);
        break;
    case COLUMN_P50:
        put_ms(buf, 24, r->p50_ms);
        break;
    case COLUMN_P99:
        put_ms(buf, 24, r->p99_ms);
        break;
    case COLUMN_IN:
        put_bytes(buf, 24, r->rates[TOP_BYTES_IN]);
        break;
    case COLUMN_OUT:
        put_bytes(buf, 24, r->rates[TOP_BYTES_OUT]);
        break;
    case COLUMN_OPEN:
        snprintf(buf, 24, "%lld", (long long)MAX(r->n_open, (int64_t)0));
        break;
    case COLUMN_STATE:
        snprintf(buf, 24, "%s", r->state);
        break;
    }
}

// --- lines ---

// s in that many columns: cut or filled; characters of UTF-8 count once.
static void put_field(struct text *to, struct str s, size_t width)
{
    struct text clean = {.ptr = NULL};
    plain_put(&clean, s);
    struct str rest = text_str(&clean);
    size_t n = 0;
    while (rest.len > 0 && n < width) {
        uint32_t code;
        size_t len = utf8_decode(rest, &code);
        if (len == 0) {
            text_byte(to, '?');
            len = 1;
        } else {
            text_put(to, str_first(rest, len));
        }
        rest = str_skip(rest, len);
        n++;
    }
    for (; n < width; n++)
        text_byte(to, ' ');
    text_fini(&clean);
}

static void put_heads(enum top_list list, size_t name_width, size_t width, struct text *to)
{
    size_t used = name_width;
    put_field(to, str_of(top_list_name(list)), name_width);
    for (unsigned c = 0; c < COLUMNS; c++) {
        if (!has_column(list, (enum column)c) || used + COLUMN_WIDTH > width)
            continue;
        text_printf(to, "%*s", COLUMN_WIDTH, column_names[c]);
        used += COLUMN_WIDTH;
    }
}

static void put_row(const struct top_row *r, enum top_list list, size_t name_width, size_t width,
                    struct text *to)
{
    size_t used = name_width;
    put_field(to, r->name, name_width);
    for (unsigned c = 0; c < COLUMNS; c++) {
        char cell[24];
        if (!has_column(list, (enum column)c) || used + COLUMN_WIDTH > width)
            continue;
        cell_text(r, (enum column)c, cell);
        text_printf(to, "%*.*s", COLUMN_WIDTH, COLUMN_WIDTH - 1, cell);
        used += COLUMN_WIDTH;
    }
}

static size_t name_width_of(const struct top_row *rows, size_t n)
{
    size_t width = NAME_MIN;
    for (size_t i = 0; i < n; i++)
        width = MAX(width, rows[i].name.len);
    return MIN(width, (size_t)NAME_MAX);
}

static void put_total(const struct top_sample *before, const struct top_sample *after,
                      struct text *to)
{
    const struct top_row r = top_total(before, after);
    char rate[24], refused[24], failed[24], in[24], out[24], p50[24], p99[24];
    put_rate(rate, sizeof rate, r.rates[TOP_REQUESTS]);
    put_rate(refused, sizeof refused, r.rates[TOP_REFUSED]);
    put_rate(failed, sizeof failed, r.rates[TOP_FAILED]);
    put_bytes(in, sizeof in, r.rates[TOP_BYTES_IN]);
    put_bytes(out, sizeof out, r.rates[TOP_BYTES_OUT]);
    put_ms(p50, sizeof p50, r.p50_ms);
    put_ms(p99, sizeof p99, r.p99_ms);
    text_printf(to,
                "%s req/s   4xx %s/s   5xx %s/s   p50 %s   p99 %s   in %s/s   out %s/s   "
                "%lld connections, %lld idle",
                rate, refused, failed, p50, p99, in, out, (long long)after->n_conns,
                (long long)after->n_idle);
}

// Cut to the width of a line.
static void put_cut(struct text *to, const struct text *line, size_t width)
{
    struct str s = text_str(line);
    put_field(to, s, MIN(width, s.len));
}

void top_screen_put(const struct top_sample *before, const struct top_sample *after,
                    const struct top_view *view, size_t width, size_t height, struct text *to)
{
    struct text line = {.ptr = NULL};
    struct top_row *rows;
    size_t n = top_rows(before, after, view->list, view->by, &rows);
    size_t room = height > 4 ? height - 4 : 0;
    size_t first = MIN(view->first, n > room ? n - room : 0);
    size_t last = MIN(n, first + room);
    size_t name_width = MIN(name_width_of(rows, n), width);
    put_total(before, after, &line);
    put_cut(to, &line, width);
    text_put(to, STR("\n\n"));
    put_heads(view->list, name_width, width, to);
    for (size_t i = first; i < last; i++) {
        text_byte(to, '\n');
        put_row(&rows[i], view->list, name_width, width, to);
    }
    line.len = 0;
    text_printf(&line,
                "by %s%s   s sites  r routes  v services  b servers  f filters   < > sort   space "
                "pause   q quit",
                sort_names[view->by], view->is_paused ? ", paused" : "");
    text_byte(to, '\n');
    put_cut(to, &line, width);
    mem_free(rows);
    text_fini(&line);
}

void top_put_all(const struct top_sample *before, const struct top_sample *after, struct text *to)
{
    put_total(before, after, to);
    text_byte(to, '\n');
    for (unsigned list = 0; list < TOP_LISTS; list++) {
        struct top_row *rows;
        size_t n = top_rows(before, after, (enum top_list)list, TOP_BY_RATE, &rows);
        size_t name_width = name_width_of(rows, n);
        if (n > 0) {
            text_byte(to, '\n');
            put_heads((enum top_list)list, name_width, SIZE_MAX, to);
            text_byte(to, '\n');
        }
        for (size_t i = 0; i < n; i++) {
            put_row(&rows[i], (enum top_list)list, name_width, SIZE_MAX, to);
            text_byte(to, '\n');
        }
        mem_free(rows);
    }
}

// --- JSON ---

static json_t *rounded(double value)
{
    return value < 0 ? json_null() : json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static json_t *row_json(const struct top_row *r)
{
    static const char *const keys[] = {"requests_per_s", "4xx_per_s", "5xx_per_s", "bytes_in_per_s",
                                       "bytes_out_per_s"};
    json_t *j = json_object();
    json_object_set_new(j, "name", json_stringn(r->name.ptr, r->name.len));
    for (size_t i = 0; i < TOP_COUNTS; i++)
        json_object_set_new(j, keys[i], rounded(r->rates[i]));
    json_object_set_new(j, "p50_ms", rounded(r->p50_ms));
    json_object_set_new(j, "p99_ms", rounded(r->p99_ms));
    if (r->n_open >= 0)
        json_object_set_new(j, "connections", json_integer(r->n_open));
    if (r->state[0])
        json_object_set_new(j, "state", json_string(r->state));
    return j;
}

json_t *top_json(const struct top_sample *before, const struct top_sample *after)
{
    json_t *j = json_object();
    const struct top_row total = top_total(before, after);
    json_object_set_new(j, "all", row_json(&total));
    json_object_set_new(j, "connections", json_integer(after->n_conns));
    json_object_set_new(j, "idle", json_integer(after->n_idle));
    for (unsigned list = 0; list < TOP_LISTS; list++) {
        struct top_row *rows;
        json_t *items = json_array();
        size_t n = top_rows(before, after, (enum top_list)list, TOP_BY_RATE, &rows);
        for (size_t i = 0; i < n; i++)
            json_array_append_new(items, row_json(&rows[i]));
        json_object_set_new(j, top_list_name((enum top_list)list), items);
        mem_free(rows);
    }
    return j;
}
