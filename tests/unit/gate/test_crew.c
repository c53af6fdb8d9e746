// SPDX-License-Identifier: Apache-2.0
// Workers on threads of their own. To be run under ThreadSanitizer, too.
#include "gate/crew.h"

#include <pthread.h>

#include "gate/worker.h"
#include "unit/rt/rt_test.h"
#include "upstream/service.h"

#define N_WORKERS 3

// Made once: workers end with their process.
static struct rt_loop *aux;
static struct upstream_registry *registry;
static struct crew *crew;

static void make_crew(void)
{
    if (crew)
        return;
    aux = test_loop(0);
    registry = upstream_registry_new();
    crew =
        crew_start(N_WORKERS, aux, &(struct worker_links){.registry = registry, .conns_max = 100});
}

struct visits {
    unsigned n_wanted; // of each worker
    unsigned n;
    pthread_t threads[32];
    const struct worker *workers[32];
    pthread_mutex_t *gate; // NULL: none
    bool is_done;
};

// Not atomic on purpose: never two threads are here.
static bool visit(void *arg, const struct worker *w)
{
    struct visits *v = arg;
    if (v->gate) {
        pthread_mutex_lock(v->gate);
        pthread_mutex_unlock(v->gate);
    }
    v->threads[v->n] = pthread_self();
    v->workers[v->n] = w;
    v->n++;
    return v->n % v->n_wanted == 0;
}

static void on_done(void *arg)
{
    ((struct visits *)arg)->is_done = true;
}

static bool wait_until_done(struct visits *v)
{
    int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
    while (!v->is_done && clock_exact_ns() < end_ns)
        loop_turn(aux, 100);
    return v->is_done;
}

static void a_visit_goes_to_each_worker_on_its_own_thread(void)
{
    make_crew();
    struct visits v = {.n_wanted = 4};
    crew_visit(crew, visit, on_done, &v);
    CHECK(wait_until_done(&v));
    CHECK_INT(v.n, N_WORKERS * v.n_wanted);
    for (unsigned i = 0; i < v.n; i++) {
        unsigned first = i / v.n_wanted * v.n_wanted;
        CHECK(pthread_equal(v.threads[i], v.threads[first]));
        CHECK(v.workers[i] == v.workers[first]);
        CHECK(!pthread_equal(v.threads[i], pthread_self()));
        CHECK(i < v.n_wanted || !pthread_equal(v.threads[i], v.threads[i - v.n_wanted]));
    }
}

static void a_worker_that_hangs_keeps_the_visit_from_ending(void)
{
    make_crew();
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&gate);
    struct visits held = {.n_wanted = 1, .gate = &gate};
    struct visits behind = {.n_wanted = 1};
    crew_visit(crew, visit, on_done, &held);
    crew_visit(crew, visit, on_done, &behind);
    for (int i = 0; i < 20; i++)
        loop_turn(aux, 1);
    CHECK(!held.is_done);
    CHECK(!behind.is_done);
    pthread_mutex_unlock(&gate);
    CHECK(wait_until_done(&held));
    CHECK(wait_until_done(&behind));
}

static void a_switch_tells_how_long_the_slowest_took(void)
{
    make_crew();
    static struct arena mem; // the workers keep the snapshot, which borrows from it
    struct diags diags = {.n = 0};
    arena_init(&mem, 1 << 24, NULL, 0);
    struct conf_node *root = conf_yaml_parse(STR(""), "test.yaml", &mem, &diags);
    struct snapshot *s = snapshot_build(root, &(struct snapshot_env){.registry = registry}, &diags);
    CHECK(s != NULL);
    struct visits v = {.n_wanted = 1};
    int64_t slowest_ns = -1;
    s->home = aux;
    crew_switch(crew, s, &slowest_ns, on_done, &v);
    CHECK(wait_until_done(&v));
    CHECK(slowest_ns > 0 && slowest_ns < (int64_t)SOON_MS * 1000000);
}

TEST_MAIN(TEST(a_visit_goes_to_each_worker_on_its_own_thread),
          TEST(a_worker_that_hangs_keeps_the_visit_from_ending),
          TEST(a_switch_tells_how_long_the_slowest_took))
