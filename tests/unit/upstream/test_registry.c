// SPDX-License-Identifier: Apache-2.0
// The registry between threads: workers serve without a failure while snapshots and addresses
// change. To be run under ThreadSanitizer, too.
#include "upstream/registry.h"

#include <pthread.h>

#include "unit/upstream/upstream_rig.h"

#define N_WORKERS 3
#define N_FIBERS 4
#define N_SNAPSHOTS 150

struct snapshot {
    atomic_uint n_refs;
    struct arena mem;
    struct diags diags;
    struct handler *service;
};

struct world {
    struct upstream_registry *registry;
    pthread_mutex_t lock;
    struct snapshot *current; // under the lock
    atomic_bool is_over;
    atomic_uint n_served;
    pthread_barrier_t barrier;
    char urls[N_WORKERS][160];
    char name_url[64];
};

struct worker {
    struct world *world;
    struct rig r; // without a service
    struct origin origin;
    unsigned index, n_running;
    unsigned n_failed;
};

static void snapshot_drop(struct snapshot *s)
{
    if (atomic_fetch_sub(&s->n_refs, 1) > 1)
        return;
    service_release(s->service);
    arena_fini(&s->mem);
    diags_fini(&s->diags);
    free(s);
}

static struct snapshot *snapshot_take(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    struct snapshot *s = w->current;
    atomic_fetch_add(&s->n_refs, 1);
    pthread_mutex_unlock(&w->lock);
    return s;
}

static void snapshot_swap(struct world *w, struct snapshot *s)
{
    pthread_mutex_lock(&w->lock);
    struct snapshot *old = w->current;
    w->current = s;
    pthread_mutex_unlock(&w->lock);
    if (old)
        snapshot_drop(old);
}

// One server or two, and every other time the named one.
static struct conf_text retries[] = {{.text = STR_INIT("connect")}};

static struct snapshot *snapshot_new(struct world *w, unsigned i)
{
    struct snapshot *s = calloc(1, sizeof *s);
    atomic_init(&s->n_refs, 1);
    arena_init(&s->mem, 1 << 20, NULL, 0);
    static const struct service_conf defaults = {
        .connect_ms = SOON_MS,
        .head_ms = SOON_MS,
        .body_idle_ms = SOON_MS,
        .tries = 5,
        .retries = {.on = {.items = retries, .n = 1}},
        .skip_ms = 20,
        .idle_ms = SOON_MS,
        .idle_max = 4,
        .queue_max = 1000,
        .queue_ms = SOON_MS,
        .head_max_bytes = 64 * 1024,
    };
    struct service_conf conf = defaults;
    struct server_conf servers[3] = {0};
    void *items[3] = {&servers[0], &servers[1], &servers[2]};
    servers[0].url.text = str_of(w->urls[i % N_WORKERS]);
    servers[1].url.text = str_of(i % 2 ? w->name_url : w->urls[(i + 1) % N_WORKERS]);
    servers[2].url.text = str_of(w->urls[(i + 2) % N_WORKERS]);
    for (size_t j = 0; j < ARRAY_LEN(servers); j++)
        servers[j].weight = 1;
    conf.servers = (struct conf_list){.items = items, .n = 1 + i % 3};
    conf.conns_max = i % 4 == 0 ? 2 : 0;
    s->service = service_build(STR("app"), &conf, w->registry, &s->mem, &s->diags);
    ASSERT(s->service != NULL);
    return s;
}

static void serve(void *arg)
{
    struct worker *me = arg;
    while (!atomic_load(&me->world->is_over)) {
        struct snapshot *s = snapshot_take(me->world);
        struct call c = {.r = &me->r, .service = s->service, .method = METHOD_GET};
        call_run(&c);
        if (c.status == 200)
            atomic_fetch_add(&me->world->n_served, 1);
        else
            me->n_failed++;
        if (c.status != 200)
            printf("# worker %u: %u %s [%s]\n", me->index, c.status, c.detail, c.trail);
        snapshot_drop(s);
    }
    me->n_running--;
}

static void *run_worker(void *arg)
{
    struct worker *me = arg;
    me->r = (struct rig){.loop = test_loop(0)};
    static const struct http_app app;
    http_env_init(&me->r.env, &app, NULL, 100);
    origin_start(&me->origin, "a", ORIGIN_ANSWERS);
    memcpy(me->world->urls[me->index], me->origin.url, sizeof me->origin.url);
    pthread_barrier_wait(&me->world->barrier); // all listen
    pthread_barrier_wait(&me->world->barrier); // there is a snapshot
    me->r.worker = upstream_worker_new(me->world->registry, me->index, me->r.loop);
    for (me->n_running = 0; me->n_running < N_FIBERS; me->n_running++)
        fiber_start(serve, me);
    while (me->n_running > 0 || !atomic_load(&me->world->is_over))
        loop_turn(me->r.loop, 5);
    upstream_worker_free(me->r.worker);
    while (me->origin.n_open > 0)
        loop_turn(me->r.loop, 5);
    origin_stop(&me->origin);
    (void)test_run_all(me->r.loop);
    http_env_fini(&me->r.env);
    loop_free(me->r.loop);
    return NULL;
}

// Until n more exchanges have ended.
static void await_served(struct world *w, unsigned n)
{
    unsigned before = atomic_load(&w->n_served);
    while (atomic_load(&w->n_served) - before < n && !atomic_load(&w->is_over))
        sched_yield();
}

// The addresses of the name change all the time; only the first one has a server.
static void *run_resolver(void *arg)
{
    struct world *w = arg;
    struct server_state *s;
    while (!atomic_load(&w->is_over)) {
        s = registry_watch_next(w->registry);
        if (!s) {
            sched_yield();
            continue;
        }
        for (uint8_t i = 0; registry_is_wanted(s) && !atomic_load(&w->is_over); i++) {
            struct ip addrs[] = {{.bytes = {127, 0, 0, 1}, .family = 4},
                                 {.bytes = {127, 0, 1, (uint8_t)(i % 4)}, .family = 4},
                                 {.bytes = {127, 0, 2, (uint8_t)(i % 3)}, .family = 4}};
            registry_put_answer(s, addrs, 1 + i % 3, NULL);
            await_served(w, 3);
        }
        registry_unwatch(s);
    }
    return NULL;
}

static void workers_serve_without_failure_while_snapshots_and_addresses_change(void)
{
    static struct world w;
    static struct worker workers[N_WORKERS];
    pthread_t threads[N_WORKERS], resolver;
    w.registry = upstream_registry_new();
    pthread_mutex_init(&w.lock, NULL);
    pthread_barrier_init(&w.barrier, NULL, N_WORKERS + 1);
    for (unsigned i = 0; i < N_WORKERS; i++) {
        workers[i].world = &w;
        workers[i].index = i;
        CHECK(pthread_create(&threads[i], NULL, run_worker, &workers[i]) == 0);
    }
    pthread_barrier_wait(&w.barrier);
    snprintf(w.name_url, sizeof w.name_url, "http://app.test%s", strrchr(w.urls[0], ':'));
    snapshot_swap(&w, snapshot_new(&w, 0));
    pthread_barrier_wait(&w.barrier);
    CHECK(pthread_create(&resolver, NULL, run_resolver, &w) == 0);
    for (unsigned i = 0; i < N_SNAPSHOTS; i++) {
        snapshot_swap(&w, snapshot_new(&w, i));
        await_served(&w, 10);
    }
    atomic_store(&w.is_over, true);
    for (unsigned i = 0; i < N_WORKERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(workers[i].n_failed, 0);
    }
    pthread_join(resolver, NULL);
    printf("# %u exchanges\n", atomic_load(&w.n_served));
    snapshot_swap(&w, NULL);
    upstream_registry_free(w.registry); // asserts that nothing is left
    pthread_barrier_destroy(&w.barrier);
    pthread_mutex_destroy(&w.lock);
}

TEST_MAIN(TEST(workers_serve_without_failure_while_snapshots_and_addresses_change))
