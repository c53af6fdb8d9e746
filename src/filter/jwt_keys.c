// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt_keys.h"

#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/log.h"

#define POLL_MIN_MS 5 // between two looks whether keys have come: a little longer each time
#define POLL_MAX_MS 100
#define ANSWER_MAX_BYTES ((size_t)256 * 1024)

struct jwt_keys {
    struct filter_state state;
    pthread_mutex_t lock; // of all below; held for a moment, never across a wait
    struct jwk_set *set;  // shares; NULL: none came yet
    uint32_t generation;  // of set; 0: none
    int64_t fetched_ms;   // when it came
    bool is_fetching;
    bool has_tried, has_missed;
    int64_t tried_ms;  // the last try
    int64_t missed_ms; // the last one for a key that a token named
};

static struct filter_state *make_keys(uint32_t room)
{
    (void)room;
    struct jwt_keys *k = MEM_NEW(struct jwt_keys);
    ASSERT(pthread_mutex_init(&k->lock, NULL) == 0);
    return &k->state;
}

static void end_keys(struct filter_state *s)
{
    struct jwt_keys *k = CONTAINER_OF(s, struct jwt_keys, state);
    jwk_set_unref(k->set);
    pthread_mutex_destroy(&k->lock);
    mem_free(k);
}

static const struct filter_state_type keys_type = {.make = make_keys, .end = end_keys};

struct jwt_keys *jwt_keys_take(struct filter_states *states, struct str url)
{
    return CONTAINER_OF(filter_states_take(states, &keys_type, url, 0), struct jwt_keys, state);
}

void jwt_keys_drop(struct jwt_keys *keys)
{
    filter_state_unref(&keys->state);
}

// --- fetching ---

// What came; NULL: nothing that can be used. Takes over the set.
static void put(struct jwt_keys *k, struct jwk_set *set)
{
    pthread_mutex_lock(&k->lock);
    struct jwk_set *old = set ? k->set : NULL;
    if (set) {
        k->set = set;
        k->generation++;
        k->fetched_ms = clock_now_ms();
    }
    k->is_fetching = false;
    k->tried_ms =
        clock_now_ms(); // its end: who has waited for a slow one doesn't wait for the next
    pthread_mutex_unlock(&k->lock);
    jwk_set_unref(old);
}

static void on_answer(void *arg, enum sub_end end, const struct sub_answer *answer)
{
    const struct jwt_source *s = arg;
    const char *why = NULL;
    struct jwk_set *set = NULL;
    char status[32];
    if (end == SUB_CANCELLED) { // the worker stops
        put(s->keys, NULL);
        return;
    }
    if (end == SUB_ANSWERED && answer->status != 200) {
        snprintf(status, sizeof status, "the answer is %u", answer->status);
        why = status;
    } else if (end == SUB_ANSWERED && answer->is_cut) {
        why = "the answer is longer than 256 KiB";
    } else if (end == SUB_ANSWERED) {
        set = jwk_set_parse(answer->body, false, &why);
    }
    if (set)
        log_debug(STR_FMT ": %zu keys came from " STR_FMT STR_FMT, STR_ARG(s->who), jwk_set_n(set),
                  STR_ARG(s->authority), STR_ARG(s->path));
    else
        log_warn(STR_FMT ": no keys from " STR_FMT STR_FMT ": " STR_FMT, STR_ARG(s->who),
                 STR_ARG(s->authority), STR_ARG(s->path), STR_ARG(why ? str_of(why) : answer->why));
    put(s->keys, set);
}

static void fetch(const struct jwt_source *s, struct exchange *x)
{
    struct sub_request r = sub_request_to(x, s->handler);
    r.authority = s->authority;
    r.path = s->path;
    r.query = s->query;
    r.has_query = s->has_query;
    r.timeout_ms = JWT_KEYS_TIMEOUT_MS;
    r.answer_max_bytes = ANSWER_MAX_BYTES;
    r.keeps_answer = true;
    bool is_sent = headers_add(&r.headers, FIELD_ACCEPT, STR("application/json")) == ERR_OK &&
                   sub_send(x, &r, on_answer, (void *)(uintptr_t)s);
    if (!is_sent)
        put(s->keys, NULL);
}

// --- getting ---

enum want {
    WANT_NOTHING,
    WANT_FETCH,
    WANT_WAIT,
};

static bool is_over(bool has_been, int64_t since_ms, int64_t wait_ms)
{
    return !has_been || clock_now_ms() - since_ms >= wait_ms;
}

// Under the lock. What has to be done for the sake of keys that are missing, or old.
static enum want look(struct jwt_keys *k, const struct jwt_source *s, uint32_t newer_than)
{
    bool is_needed = !k->set || (newer_than > 0 && k->generation == newer_than);
    if (is_needed && k->is_fetching)
        return WANT_WAIT;
    if (k->is_fetching)
        return WANT_NOTHING;
    bool is_due;
    if (!k->set)
        is_due = is_over(k->has_tried, k->tried_ms, JWT_KEYS_RETRY_MS);
    else if (is_needed)
        is_due = is_over(k->has_missed, k->missed_ms, JWT_KEYS_RETRY_LATER_MS);
    else
        is_due = is_over(true, k->fetched_ms, s->refresh_ms) &&
                 is_over(true, k->tried_ms, MIN(s->refresh_ms, JWT_KEYS_RETRY_LATER_MS));
    if (!is_due)
        return WANT_NOTHING;
    k->is_fetching = k->has_tried = true;
    k->tried_ms = clock_now_ms();
    if (is_needed && k->set) {
        k->has_missed = true;
        k->missed_ms = k->tried_ms;
    }
    return WANT_FETCH;
}

enum jwt_keys_got jwt_keys_get(const struct jwt_source *source, struct exchange *x,
                               uint32_t newer_than, struct jwk_set **ret, uint32_t *ret_generation)
{
    struct jwt_keys *k = source->keys;
    for (int64_t wait_ms = POLL_MIN_MS;; wait_ms = MIN(wait_ms * 2, POLL_MAX_MS)) {
        pthread_mutex_lock(&k->lock);
        enum want want = look(k, source, newer_than);
        bool is_needed = !k->set || (newer_than > 0 && k->generation == newer_than);
        bool is_done = want == WANT_NOTHING || !is_needed;
        *ret = is_done && k->set ? jwk_set_ref(k->set) : NULL;
        *ret_generation = k->generation;
        pthread_mutex_unlock(&k->lock);
        if (want == WANT_FETCH)
            fetch(source, x);
        if (is_done)
            return *ret ? JWT_KEYS_GOT : JWT_KEYS_NONE;
        if (wait_ms == POLL_MIN_MS)
            exchange_watch(x);
        if (fiber_sleep(wait_ms) == FIBER_CANCELLED)
            return JWT_KEYS_CANCELLED;
    }
}
