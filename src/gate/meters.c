// SPDX-License-Identifier: Apache-2.0
#include "gate/meters.h"

#include <string.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/mem.h"

#define CHAINS 4096 // of the registry's table
// In a turn, where looking at a meter costs 1, and adding its row, which has ten cache lines, more.
#define PIECE_MAX 1024
#define COST_OF_ROW 16

struct meters {
    struct list chains[CHAINS];
    struct list idle; // those that no snapshot has, the longest idle first
    uint32_t n;
    uint64_t n_lists, n_lives;
};

struct meters *meters_new(void)
{
    struct meters *m = MEM_NEW(struct meters);
    for (size_t i = 0; i < CHAINS; i++)
        list_init(&m->chains[i]);
    list_init(&m->idle);
    return m;
}

static struct str own(struct str s)
{
    return str_from(mem_copy(s.ptr, s.len), s.len);
}

static void disown(struct str s)
{
    mem_free((void *)(uintptr_t)s.ptr);
}

static void drop_names(struct meter *m)
{
    list_remove(&m->chain);
    list_remove(&m->idle);
    disown(m->name);
    disown(m->site);
    disown(m->service);
}

void meters_free(struct meters *m)
{
    if (!m)
        return;
    LIST_FOR_SAFE (n, &m->idle) {
        struct meter *meter = CONTAINER_OF(n, struct meter, idle);
        drop_names(meter);
        mem_free(meter);
    }
    mem_free(m);
}

static struct list *chain_of(struct meters *m, enum meter_kind kind, struct str name,
                             struct str site, struct str service)
{
    uint64_t hash = hash_str(name) + hash_str(site) * 3 + hash_str(service) * 5 + kind;
    return &m->chains[hash % CHAINS];
}

static struct meter *find(const struct list *chain, enum meter_kind kind, struct str name,
                          struct str site, struct str service)
{
    LIST_FOR (n, chain) {
        struct meter *m = CONTAINER_OF(n, struct meter, chain);
        if (m->kind == kind && str_eq(m->name, name) && str_eq(m->site, site) &&
            str_eq(m->service, service))
            return m;
    }
    return NULL;
}

// One with a number of its own; NULL: all are in use.
static struct meter *new_meter(struct meters *m)
{
    struct list_node *longest = list_first(&m->idle);
    if (m->n < METERS_MAX) {
        struct meter *meter = MEM_NEW(struct meter);
        meter->id = m->n++;
        return meter;
    }
    if (!longest)
        return NULL;
    struct meter *meter = CONTAINER_OF(longest, struct meter, idle);
    drop_names(meter);
    return meter;
}

static struct meter *find_or_add(struct meters *m, enum meter_kind kind, struct str name,
                                 struct str site, struct str service)
{
    struct list *chain = chain_of(m, kind, name, site, service);
    struct meter *meter = find(chain, kind, name, site, service);
    if (meter)
        return meter;
    meter = new_meter(m);
    if (!meter)
        return NULL;
    *meter = (struct meter){.id = meter->id,
                            .life = ++m->n_lives,
                            .kind = kind,
                            .name = own(name),
                            .site = own(site),
                            .service = own(service),
                            .of = m};
    list_push_back(chain, &meter->chain);
    return meter;
}

// --- lists ---

void meter_list_init(struct meter_list *l, struct meters *of)
{
    *l = (struct meter_list){.of = of};
    if (!of)
        return;
    l->number = ++of->n_lists;
    (void)meter_list_place(l, METER_ROUTE, STR_NONE, STR_NONE, STR_NONE);
    (void)meter_list_place(l, METER_ROUTE, STR("other"), STR_NONE, STR_NONE);
}

void meter_list_fini(struct meter_list *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct meter *m = l->items[i];
        if (--m->n_lists == 0)
            list_push_back(&m->of->idle, &m->idle);
    }
    mem_free(l->items);
    *l = (struct meter_list){.of = NULL};
}

uint32_t meter_list_place(struct meter_list *l, enum meter_kind kind, struct str name,
                          struct str site, struct str service)
{
    if (!l->of)
        return METER_NO_ROUTE;
    struct meter *m = find_or_add(l->of, kind, name, site, service);
    if (!m)
        return METER_OTHER;
    if (m->last_list == l->number)
        return m->last_place;
    if (l->n == l->cap) {
        l->cap = MAX(l->cap * 2, (uint32_t)16);
        l->items = mem_resize(l->items, l->cap, sizeof *l->items);
    }
    list_remove(&m->idle);
    m->n_lists++;
    m->last_list = l->number;
    m->last_place = l->n;
    l->items[l->n] = m;
    return l->n++;
}

// --- counting ---

void meter_rows_fini(struct meter_rows *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        mem_free(r->items[i]);
    mem_free(r->items);
    *r = (struct meter_rows){.items = NULL};
}

// The first time that m counts here, or after its number was another's.
static struct meter_row *begin_row(struct meter_rows *rows, const struct meter *m)
{
    if (m->id >= rows->n) {
        uint32_t n = MAX(m->id + 1, rows->n * 2);
        rows->items = mem_resize(rows->items, n, sizeof *rows->items);
        memset(rows->items + rows->n, 0, (n - rows->n) * sizeof(struct meter_row *));
        rows->n = n;
    }
    struct meter_row *row = rows->items[m->id];
    if (!row)
        row = rows->items[m->id] = MEM_NEW(struct meter_row);
    *row = (struct meter_row){.life = m->life};
    return row;
}

static struct meter_row *row_of(struct meter_rows *rows, const struct meter *m)
{
    struct meter_row *row = m->id < rows->n ? rows->items[m->id] : NULL;
    return LIKELY(row && row->life == m->life) ? row : begin_row(rows, m);
}

// By class; what no server may send is refused before.
static unsigned class_of(const struct exchange *x)
{
    unsigned class = x->resp.status / 100u;
    return class < METER_STATUSES ? class : 0;
}

void meter_count(struct meter_rows *rows, const struct meter *m, const struct exchange *x)
{
    struct meter_row *row = row_of(rows, m);
    rows->ends[x->end]++;
    row->requests[x->req.method_id][class_of(x)]++;
    row->bytes_in += x->wire_in;
    row->bytes_out += x->wire_out;
    if (UNLIKELY(x->n_tries > 1))
        row->retries += x->n_tries - 1;
    // A tunnel lasts as long as its ends like.
    int64_t ns = x->times.finished - x->times.accepted;
    if (LIKELY(x->resp.status != 101 && !x->req.is_raw && ns >= 0)) {
        row->durations.buckets[metric_bucket_of(ns)]++;
        row->durations.sum_ns += (uint64_t)ns;
    }
}

void meter_count_filtered(struct meter_rows *rows, const struct meter *m, const struct exchange *x)
{
    row_of(rows, m)->requests[METHOD_OTHER][class_of(x)]++;
}

// --- sums ---

void meter_sums_init(struct meter_sums *s, const struct meter_list *l)
{
    *s = (struct meter_sums){.n = l->n, .items = MEM_ARRAY(struct meter_row *, MAX(l->n, 1u))};
}

void meter_sums_fini(struct meter_sums *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        mem_free(s->items[i]);
    mem_free(s->items);
    *s = (struct meter_sums){.items = NULL};
}

static void add_all(uint64_t *to, const uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

static void add_histogram(struct metric_histogram *to, const struct metric_histogram *from)
{
    add_all(to->buckets, from->buckets, METRIC_BUCKETS);
    to->sum_ns += from->sum_ns;
}

static void add_row(struct meter_row *to, const struct meter_row *from)
{
    add_all(to->requests[0], from->requests[0], (size_t)METER_METHODS * METER_STATUSES);
    add_histogram(&to->durations, &from->durations);
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    to->retries += from->retries;
}

bool meter_sums_add(struct meter_sums *s, const struct meter_list *l, const struct meter_rows *rows)
{
    for (unsigned cost = 0; s->next < s->n && cost < PIECE_MAX; s->next++, cost++) {
        const struct meter *m = l->items[s->next];
        const struct meter_row *row = m->id < rows->n ? rows->items[m->id] : NULL;
        if (!row || row->life != m->life)
            continue;
        if (!s->items[s->next])
            s->items[s->next] = MEM_NEW(struct meter_row);
        add_row(s->items[s->next], row);
        add_histogram(&s->durations, &row->durations);
        cost += COST_OF_ROW;
    }
    if (s->next < s->n)
        return false;
    s->next = 0; // for the next worker
    add_all(s->ends, rows->ends, EXCHANGE_END_COUNT);
    return true;
}
