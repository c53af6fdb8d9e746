// SPDX-License-Identifier: Apache-2.0
#include "gate/recent.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"
#include "http/env.h"

// The newest of one kind, round and round.
struct ring {
    struct recent_item *items[RECENT_KEPT_MAX]; // owns; NULL: not used yet
    size_t next;
};

struct recent {
    struct ring rings[RECENT_FAILED + 1];
};

static const struct {
    const char *name;
    size_t max_bytes;
} texts[] = {
#define X(id, name_, max) {.name = name_, .max_bytes = max},
    RECENT_TEXT_LIST(X)
#undef X
};

const char *recent_kind_name(enum recent_kind kind)
{
    return kind == RECENT_FAILED ? "failed" : "refused";
}

struct recent *recent_new(void)
{
    return MEM_NEW(struct recent);
}

void recent_free(struct recent *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < ARRAY_LEN(r->rings); i++)
        for (size_t k = 0; k < RECENT_KEPT_MAX; k++)
            mem_free(r->rings[i].items[k]);
    mem_free(r);
}

static enum recent_kind kind_of(const struct exchange *x)
{
    switch (x->end) {
    case EXCHANGE_END_OK: // a server's answer
    case EXCHANGE_END_FILTERED:
        return x->resp.status >= 500 ? RECENT_FAILED : RECENT_REFUSED;
    case EXCHANGE_END_CLIENT_PROTOCOL:
    case EXCHANGE_END_CLIENT_LIMIT:
    case EXCHANGE_END_CLIENT_TIMEOUT:
    case EXCHANGE_END_CLIENT_GONE:
    case EXCHANGE_END_MISDIRECTED:
    case EXCHANGE_END_EARLY:
    case EXCHANGE_END_NO_ROUTE:
        return RECENT_REFUSED;
    case EXCHANGE_END_NO_SERVER:
    case EXCHANGE_END_SERVER_CONNECT:
    case EXCHANGE_END_SERVER_CONNECT_TIMEOUT:
    case EXCHANGE_END_SERVER_TLS:
    case EXCHANGE_END_SERVER_TIMEOUT:
    case EXCHANGE_END_SERVER_PROTOCOL:
    case EXCHANGE_END_SERVER_GONE:
    case EXCHANGE_END_BREAKER:
    case EXCHANGE_END_SHUTDOWN:
    case EXCHANGE_END_RESOURCES:
        break;
    }
    return RECENT_FAILED;
}

// Who has decided: the last step tells.
static struct str decider_of(const struct trail *t)
{
    unsigned n = MIN(t->n, (unsigned)TRAIL_MAX);
    return n > 0 ? t->steps[n - 1].who : STR_NONE;
}

static struct recent_item *make_item(const struct exchange *x, int64_t wall_ns)
{
    char client[46], trail[2048];
    struct writer w;
    writer_init(&w, trail, sizeof trail);
    trail_write(&x->trail, &w);
    const struct str values[] = {
        [RECENT_ID] = x->request_id,
        [RECENT_METHOD] = x->req.method,
        [RECENT_HOST] = x->req.host,
        [RECENT_PATH] = x->req.path,
        [RECENT_CLIENT] = x->client.family > 0 ? ip_text(&x->client, client) : STR_NONE,
        [RECENT_ENTRYPOINT] = x->entry->name,
        [RECENT_ROUTE] = x->route_name,
        [RECENT_SERVICE] = x->service_name,
        [RECENT_SERVER] = x->server_name,
        [RECENT_USER] = x->user,
        [RECENT_BY] = decider_of(&x->trail),
        [RECENT_REASON] = x->end_detail,
        [RECENT_TRAIL] = writer_str(&w),
    };
    size_t n_bytes = 0;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        n_bytes += MIN(values[i].len, texts[i].max_bytes);
    struct recent_item *item = mem_alloc(1, sizeof *item + n_bytes);
    char *at = item->bytes;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        at = str_copy(at, str_first(values[i], texts[i].max_bytes));
        item->ends[i] = (uint16_t)(at - item->bytes);
    }
    item->at_ns = wall_ns;
    item->took_ns = x->times.finished > 0 ? x->times.finished - x->times.accepted : 0;
    item->status = x->resp.status;
    item->n_tries = x->n_tries;
    item->end = x->end;
    item->kind = kind_of(x);
    return item;
}

void recent_add(struct recent *r, const struct exchange *x, int64_t wall_ns)
{
    struct recent_item *item = make_item(x, wall_ns);
    struct ring *ring = &r->rings[item->kind];
    mem_free(ring->items[ring->next]);
    ring->items[ring->next] = item;
    ring->next = (ring->next + 1) % RECENT_KEPT_MAX;
}

struct str recent_text(const struct recent_item *item, enum recent_text which)
{
    size_t from = which > 0 ? item->ends[which - 1] : 0;
    return str_from(item->bytes + from, item->ends[which] - from);
}

// --- what several workers have ---

static void add_copy(const struct recent_item *item, struct recent_set *to)
{
    if (to->n == to->cap) {
        to->cap = MAX(to->cap * 2, (size_t)RECENT_KEPT_MAX);
        to->items = mem_resize(to->items, to->cap, sizeof *to->items);
    }
    size_t n_bytes = sizeof *item + item->ends[RECENT_N_TEXTS - 1];
    to->items[to->n++] = memcpy(mem_alloc_raw(n_bytes), item, n_bytes);
}

void recent_collect(const struct recent *r, struct str id, struct recent_set *to)
{
    for (size_t i = 0; i < ARRAY_LEN(r->rings); i++) {
        for (size_t k = 0; k < RECENT_KEPT_MAX; k++) {
            const struct recent_item *item = r->rings[i].items[k];
            if (item && (id.len == 0 || str_eq(recent_text(item, RECENT_ID), id)))
                add_copy(item, to);
        }
    }
}

static int compare(const void *a, const void *b)
{
    const struct recent_item *const *x = a, *const *y = b;
    return ((*x)->at_ns < (*y)->at_ns) - ((*x)->at_ns > (*y)->at_ns);
}

void recent_sort(struct recent_set *s)
{
    if (s->n > 0)
        qsort(s->items, s->n, sizeof s->items[0], compare);
}

void recent_set_fini(struct recent_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        mem_free(s->items[i]);
    mem_free(s->items);
    *s = (struct recent_set){.n = 0};
}

void recent_put(const struct recent_item *item, struct text *to)
{
    text_byte(to, '{');
    json_text_time(to, "at", item->at_ns);
    json_text_put(to, "kind", str_of(recent_kind_name(item->kind)));
    json_text_uint(to, "status", item->status);
    json_text_put(to, "end", str_of(exchange_end_name(item->end)));
    json_text_put(to, "text", str_of(exchange_end_text(item->end)));
    json_text_uint(to, "took_us", (uint64_t)MAX(item->took_ns, 0) / 1000);
    json_text_uint(to, "tries", item->n_tries);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str value = recent_text(item, (enum recent_text)i);
        if (value.len > 0 || i == RECENT_ID)
            json_text_put(to, texts[i].name, value);
    }
    text_byte(to, '}');
}
