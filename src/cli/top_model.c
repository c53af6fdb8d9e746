// SPDX-License-Identifier: Apache-2.0
#include "cli/top_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const list_names[] = {
#define X(id, name, letter) name,
    TOP_LIST_LIST(X)
#undef X
};

static const char *const count_names[] = {
#define X(id, name) name,
    TOP_COUNT_LIST(X)
#undef X
};

const char *top_list_name(enum top_list list)
{
    return list_names[list];
}

// --- reading ---

static uint64_t number_at(const json_t *j, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(j, key));
    return n > 0 ? (uint64_t)n : 0;
}

static void read_counts(const json_t *j, struct top_counts *ret)
{
    size_t i;
    const json_t *bucket, *open = json_object_get(j, "connections");
    const char *state = json_string_value(json_object_get(j, "state"));
    for (i = 0; i < TOP_COUNTS; i++)
        ret->n[i] += number_at(j, count_names[i]);
    json_array_foreach(json_object_get(j, "durations"), i, bucket)
    {
        if (i < TOP_BUCKETS_MAX && json_integer_value(bucket) > 0)
            ret->buckets[i] += (uint64_t)json_integer_value(bucket);
    }
    ret->n_open = json_is_integer(open) ? json_integer_value(open) : -1;
    if (state)
        (void)str_copy(ret->state, str_first(str_of(state), sizeof ret->state - 1));
}

// The counts of a name, added to where there are some already. An empty name has none.
static void add(struct top_sample *s, enum top_list list, const char *name, const json_t *j)
{
    if (!name || name[0] == '\0')
        return;
    struct map *m = &s->lists[list];
    struct top_counts *counts = map_get(m, str_of(name));
    if (!counts) {
        size_t len = strlen(name);
        counts = MEM_NEW(struct top_counts);
        map_set(m, str_from(mem_copy(name, len), len), counts);
    }
    read_counts(j, counts);
}

static const char *text_at(const json_t *j, const char *key)
{
    return json_string_value(json_object_get(j, key));
}

static void read_routes(const json_t *list, struct top_sample *s)
{
    size_t i;
    const json_t *j;
    json_array_foreach(list, i, j)
    {
        const char *site = text_at(j, "site");
        add(s, TOP_ROUTES, text_at(j, "name"), j);
        add(s, TOP_SITES, site && site[0] ? site : text_at(j, "name"), j);
        add(s, TOP_SERVICES, text_at(j, "service"), j);
    }
}

static void read_servers(const json_t *list, struct top_sample *s)
{
    size_t i;
    const json_t *j;
    json_array_foreach(list, i, j)
    {
        const char *service = text_at(j, "service"), *server = text_at(j, "server");
        if (!service || !server)
            continue;
        size_t n = strlen(service) + strlen(server) + 2;
        char *name = mem_alloc(1, n);
        // A service that is its only server's URL needs no name.
        bool is_same = strcmp(service, server) == 0;
        char *at = str_copy(name, is_same ? STR_NONE : str_of(service));
        if (!is_same)
            *at++ = ' ';
        (void)str_copy(at, str_of(server));
        add(s, TOP_SERVERS, name, j);
        mem_free(name);
    }
}

static void read_filters(const json_t *list, struct top_sample *s)
{
    size_t i;
    const json_t *j;
    json_array_foreach(list, i, j)
    {
        add(s, TOP_FILTERS, text_at(j, "name"), j);
    }
}

bool top_sample_read(const json_t *traffic, struct top_sample *ret)
{
    size_t i;
    const json_t *bound;
    *ret = (struct top_sample){.at_ms = (int64_t)number_at(traffic, "at_ms"),
                               .gate = (int64_t)number_at(traffic, "gate_started_ms")};
    if (ret->at_ms == 0)
        return false;
    json_array_foreach(json_object_get(traffic, "bounds_s"), i, bound)
    {
        if (ret->n_bounds < TOP_BUCKETS_MAX)
            ret->bounds_ms[ret->n_bounds++] = json_number_value(bound) * 1000;
    }
    ret->n_conns = (int64_t)number_at(traffic, "connections");
    ret->n_idle = (int64_t)number_at(traffic, "idle");
    read_counts(json_object_get(traffic, "all"), &ret->all);
    read_routes(json_object_get(traffic, "routes"), ret);
    read_servers(json_object_get(traffic, "servers"), ret);
    read_filters(json_object_get(traffic, "filters"), ret);
    return true;
}

void top_sample_fini(struct top_sample *s)
{
    for (size_t i = 0; i < TOP_LISTS; i++) {
        MAP_FOR(e, &s->lists[i])
        {
            mem_free((void *)(uintptr_t)e->key.ptr);
            mem_free(e->value);
        }
        map_fini(&s->lists[i]);
    }
    *s = (struct top_sample){.at_ms = 0};
}

// --- rates ---

// What came since. A counter that went back began anew.
static uint64_t growth(uint64_t before, uint64_t after)
{
    return after >= before ? after - before : after;
}

// The value below which that part of the durations lies: inside its bucket they are taken as spread
// evenly.
static double quantile(const struct top_sample *s, const uint64_t buckets[TOP_BUCKETS_MAX],
                       double part)
{
    double total = 0, seen = 0;
    for (size_t i = 0; i < TOP_BUCKETS_MAX; i++)
        total += (double)buckets[i];
    if (total <= 0 || s->n_bounds == 0)
        return -1;
    for (size_t i = 0; i < TOP_BUCKETS_MAX; i++) {
        double n = (double)buckets[i];
        if (n > 0 && seen + n >= total * part) {
            double low = i > 0 ? s->bounds_ms[MIN(i, s->n_bounds) - 1] : 0;
            double high = s->bounds_ms[MIN(i, s->n_bounds - 1)];
            return low + (high - low) * (total * part - seen) / n;
        }
        seen += n;
    }
    return s->bounds_ms[s->n_bounds - 1];
}

static struct top_row make_row(const struct top_sample *s, struct str name, double seconds,
                               const struct top_counts *before, const struct top_counts *after)
{
    static const struct top_counts none;
    struct top_row r = {.name = name, .state = after->state, .n_open = after->n_open};
    uint64_t buckets[TOP_BUCKETS_MAX];
    if (!before)
        before = &none;
    for (size_t i = 0; i < TOP_COUNTS; i++)
        r.rates[i] = seconds > 0 ? (double)growth(before->n[i], after->n[i]) / seconds : 0;
    for (size_t i = 0; i < TOP_BUCKETS_MAX; i++)
        buckets[i] = growth(before->buckets[i], after->buckets[i]);
    r.p50_ms = quantile(s, buckets, 0.5);
    r.p99_ms = quantile(s, buckets, 0.99);
    return r;
}

// One of the same gate: another one has other counters.
static const struct top_sample *comparable(const struct top_sample *before,
                                           const struct top_sample *after)
{
    return before && before->at_ms > 0 && before->gate == after->gate &&
                   before->at_ms < after->at_ms
               ? before
               : NULL;
}

static double seconds_between(const struct top_sample *before, const struct top_sample *after)
{
    return before ? (double)(after->at_ms - before->at_ms) / 1000 : 0;
}

static int compare_names(const struct top_row *a, const struct top_row *b)
{
    return str_cmp(a->name, b->name);
}

static double value_of(const struct top_row *r, enum top_sort by)
{
    switch (by) {
    case TOP_BY_RATE:
        return r->rates[TOP_REQUESTS];
    case TOP_BY_P99:
        return r->p99_ms;
    case TOP_BY_ERRORS:
        return r->rates[TOP_FAILED];
    case TOP_BY_BYTES:
        return r->rates[TOP_BYTES_OUT];
    case TOP_BY_NAME:
        break;
    }
    return 0;
}

static int compare_rows(const void *x, const void *y, void *arg)
{
    const struct top_row *a = x, *b = y;
    enum top_sort by = *(const enum top_sort *)arg;
    double va = value_of(a, by), vb = value_of(b, by);
    return va < vb ? 1 : va > vb ? -1 : compare_names(a, b);
}

size_t top_rows(const struct top_sample *before, const struct top_sample *after, enum top_list list,
                enum top_sort by, struct top_row **ret_rows)
{
    const struct map *now = &after->lists[list];
    struct top_row *rows = MEM_ARRAY(struct top_row, MAX(now->n, (size_t)1));
    size_t n = 0;
    before = comparable(before, after);
    double seconds = seconds_between(before, after);
    MAP_FOR(e, now)
    rows[n++] = make_row(after, e->key, seconds,
                         before ? map_get(&before->lists[list], e->key) : NULL, e->value);
    qsort_r(rows, n, sizeof *rows, compare_rows, &by);
    *ret_rows = rows;
    return n;
}

struct top_row top_total(const struct top_sample *before, const struct top_sample *after)
{
    before = comparable(before, after);
    return make_row(after, STR("all"), seconds_between(before, after), before ? &before->all : NULL,
                    &after->all);
}
