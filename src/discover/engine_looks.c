// SPDX-License-Identifier: Apache-2.0
#include "discover/engine_looks.h"

#include <stdio.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "discover/engine_json.h"
#include "rt/clock.h"

#define ASKED_MAX 32       // at once, but for those that take longer than SLOW_MS
#define ASKED_ALL_MAX 256  // with them
#define ASKED_AGAIN_MAX 16 // of those that have failed before, which may all hang
#define SLOW_MS 150
#define JOIN_MS 15 // what follows so closely is one: "create", "start"
#define EARLY_MS 300
#define TIMEOUT_MIN_MS 2000
#define TIMEOUT_MAX_MS 10000 // after some failures: an engine may just be slow
#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 30000
#define ANSWER_MAX_BYTES ((size_t)4 << 20)
#define MEM_MAX_BYTES ((size_t)16 << 20)

struct look {
    struct list_node node; // in waiting, failed or asked
    struct engine_looks *of;
    char id[CONTAINER_ID_MAX_BYTES + 1];
    int64_t due_ms;    // or when it was asked
    unsigned n_failed; // in a row
    bool is_asked;
    bool is_marked; // again, since it was asked
    bool is_early;  // and once more afterwards: the engine may not know yet
    bool is_listed;
};

struct engine_looks {
    struct engine_http *http; // borrows
    unsigned api;
    engine_say_fn *say;
    struct map by_id;    // of struct look, owns
    struct list waiting; // by time
    struct list failed;  // by time
    struct list asked;   // by time
    unsigned n_asked, n_asked_again;
    size_t n_listed;
};

struct engine_looks *engine_looks_new(struct engine_http *http, unsigned api, engine_say_fn *say)
{
    struct engine_looks *l = MEM_NEW(struct engine_looks);
    *l = (struct engine_looks){.http = http, .api = api, .say = say};
    list_init(&l->waiting);
    list_init(&l->failed);
    list_init(&l->asked);
    return l;
}

// --- what is to be looked at ---

static void wait_until(struct look *k, struct list *in, int64_t due_ms)
{
    list_remove(&k->node);
    struct list_node *at = in->head.prev;
    while (at != &in->head && CONTAINER_OF(at, struct look, node)->due_ms > due_ms)
        at = at->prev;
    k->due_ms = due_ms;
    list_insert_after(at, &k->node);
}

static struct look *mark(struct engine_looks *l, struct str id)
{
    struct look *k = map_get(&l->by_id, id);
    int64_t due_ms = clock_now_ms() + JOIN_MS;
    if (!k && l->by_id.n >= CONTAINERS_MAX)
        return NULL;
    if (!k) {
        k = MEM_NEW(struct look);
        k->of = l;
        *str_copy(k->id, str_first(id, CONTAINER_ID_MAX_BYTES)) = '\0';
        map_set(&l->by_id, str_of(k->id), k);
        wait_until(k, &l->waiting, due_ms);
    } else if (k->is_asked) {
        k->is_marked = true;
    } else if (k->due_ms > due_ms) { // what has happened may be its recovery
        wait_until(k, k->n_failed > 0 ? &l->failed : &l->waiting, due_ms);
    }
    return k;
}

bool engine_looks_mark(struct engine_looks *l, struct str id, bool is_early)
{
    struct look *k = mark(l, id);
    if (k)
        k->is_early = k->is_early || is_early;
    return k != NULL;
}

bool engine_looks_mark_listed(struct engine_looks *l, struct str id)
{
    struct look *k = mark(l, id);
    l->n_listed += k && !k->is_listed;
    if (k)
        k->is_listed = true;
    return k != NULL;
}

size_t engine_looks_n_listed(const struct engine_looks *l)
{
    return l->n_listed;
}

// --- what was seen ---

static void tell(struct look *k, struct message m)
{
    m.id = str_of(k->id);
    k->of->n_listed -= k->is_listed;
    k->is_listed = false;
    k->of->say(m);
}

static void tell_answer(struct look *k, struct str body)
{
    struct message m = {.kind = MESSAGE_REFUSED};
    struct arena mem;
    const char *why = "";
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    bool is_fine = engine_json_container(body, &mem, &m.container, &why);
    if (is_fine && str_eq(m.container.id, str_of(k->id)))
        m.kind = MESSAGE_CONTAINER;
    else
        m.why = str_of(is_fine ? "the engine tells of another one" : why);
    tell(k, m);
    arena_fini(&mem);
}

// What is known of it stays, and it is tried again.
static void put_off(struct look *k, const char *why)
{
    char text[MESSAGE_WHY_MAX_BYTES];
    int64_t wait_ms = (int64_t)BACKOFF_MIN_MS << MIN(k->n_failed, 6u);
    snprintf(text, sizeof text, "the engine doesn't tell how it is, and is asked again: %s", why);
    if (k->n_failed++ == 0 || k->is_listed)
        tell(k, (struct message){.kind = MESSAGE_KEPT, .why = str_of(text)});
    wait_ms = k->is_marked ? JOIN_MS : MIN(wait_ms, (int64_t)BACKOFF_MAX_MS);
    wait_until(k, &k->of->failed, clock_now_ms() + wait_ms);
}

static void forget(struct look *k)
{
    list_remove(&k->node);
    map_remove(&k->of->by_id, str_of(k->id));
    mem_free(k);
}

static void on_answer(void *arg, const struct engine_answer *answer, const char *why)
{
    struct look *k = arg;
    char text[64];
    k->is_asked = false;
    k->of->n_asked--;
    k->of->n_asked_again -= k->n_failed > 0;
    if (answer && answer->status == 200) {
        tell_answer(k, text_str(&answer->body));
    } else if (answer && answer->status == 404) {
        tell(k, (struct message){.kind = MESSAGE_GONE});
    } else {
        if (answer)
            snprintf(text, sizeof text, "it answers %u", answer->status);
        put_off(k, answer ? text : why);
        k->is_marked = false;
        return;
    }
    k->n_failed = 0;
    if (!k->is_marked && !k->is_early) {
        forget(k);
        return;
    }
    wait_until(k, &k->of->waiting, clock_now_ms() + (k->is_marked ? JOIN_MS : EARLY_MS));
    k->is_early = k->is_marked && k->is_early;
}

// --- looking ---

static void look_at(struct engine_looks *l, struct look *k)
{
    char path[CONTAINER_ID_MAX_BYTES + 64];
    const struct engine_limits limits = {
        .max_bytes = ANSWER_MAX_BYTES,
        .timeout_ms = MIN((int64_t)TIMEOUT_MIN_MS << MIN(k->n_failed, 3u), (int64_t)TIMEOUT_MAX_MS),
    };
    snprintf(path, sizeof path, "/v1.%u/containers/%s/json", l->api, k->id);
    wait_until(k, &l->asked, clock_now_ms());
    k->is_marked = false;
    k->is_asked = true;
    l->n_asked++;
    l->n_asked_again += k->n_failed > 0;
    if (!engine_http_ask(l->http, path, limits, on_answer, k))
        on_answer(k, NULL, "no memory");
}

// The first one of the list when it is due; else NULL, and *next_ms is lowered to its time.
static struct look *take_due(const struct list *list, int64_t now_ms, int64_t *next_ms)
{
    struct look *k = list_is_empty(list) ? NULL : CONTAINER_OF(list->head.next, struct look, node);
    if (!k || k->due_ms <= now_ms)
        return k;
    *next_ms = MIN(*next_ms, k->due_ms);
    return NULL;
}

// Whether another one may be asked about. Those that take long don't count: they may hang. *next_ms
// is lowered to when there may be room.
static bool has_room(const struct engine_looks *l, int64_t now_ms, int64_t *next_ms)
{
    struct list_node *at = l->asked.head.prev;
    for (unsigned n = 1; at != &l->asked.head; at = at->prev, n++) {
        int64_t slow_ms = CONTAINER_OF(at, struct look, node)->due_ms + SLOW_MS;
        if (slow_ms <= now_ms)
            break;
        if (n < ASKED_MAX)
            continue;
        *next_ms = MIN(*next_ms, slow_ms);
        return false;
    }
    return l->n_asked < ASKED_ALL_MAX; // else an answer is next
}

int64_t engine_looks_begin(struct engine_looks *l)
{
    int64_t now_ms = clock_now_ms(), next_ms = INT64_MAX;
    struct look *k;
    while ((k = take_due(&l->waiting, now_ms, &next_ms)) != NULL && has_room(l, now_ms, &next_ms))
        look_at(l, k);
    while (l->n_asked_again < ASKED_AGAIN_MAX &&
           (k = take_due(&l->failed, now_ms, &next_ms)) != NULL && has_room(l, now_ms, &next_ms))
        look_at(l, k);
    return next_ms;
}
