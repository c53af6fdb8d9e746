// SPDX-License-Identifier: Apache-2.0
// Fibers ask on the aux loop and workers are threads; the test plays the keeper. To be run under
// ThreadSanitizer, too.
#include "gate/insight.h"

#include "base/list.h"
#include "gate/protocol.h"
#include "gate/questions.h"
#include "gate/worker.h"
#include "rt/channel.h"
#include "rt/file.h"
#include "unit/rt/rt_test.h"
#include "upstream/service.h"

#define N_WORKERS 2
#define N_ASKERS 20

// Made once: workers end with their process.
static struct {
    struct rt_loop *aux;
    struct arena mem;
    struct upstream_registry *registry;
    struct crew *crew;
    struct snapshot *s;
    int channel[2];
    bool is_in_force;
    unsigned n_inquiries;
    bool is_silent; // the keeper
} w;

static void on_done(void *arg)
{
    *(bool *)arg = true;
}

static void make_world(void)
{
    if (w.aux)
        return;
    struct diags diags = {.n = 0};
    w.aux = test_loop(0);
    w.registry = upstream_registry_new();
    w.crew = crew_start(N_WORKERS, w.aux,
                        &(struct worker_links){.registry = w.registry, .conns_max = 100});
    arena_init(&w.mem, 1 << 24, NULL, 0);
    struct conf_node *root =
        conf_yaml_parse(STR("sites: { a.example: http://10.0.0.1 }"), "test.yaml", &w.mem, &diags);
    w.s = snapshot_build(root, &(struct snapshot_env){.registry = w.registry}, &diags);
    CHECK(w.s != NULL);
    w.s->home = w.aux;
    atomic_fetch_add(&w.s->refs, 1); // the test's
    int64_t ignored_ns;
    crew_switch(w.crew, w.s, &ignored_ns, on_done, &w.is_in_force);
    while (!w.is_in_force)
        loop_turn(w.aux, 100);
    if (!channel_pair(w.channel))
        abort();
    fcntl(w.channel[1], F_SETFL, O_NONBLOCK);
}

struct asker {
    struct insight *insight;
    struct deadline until;
    const struct report *got;
    enum err err;
    bool is_back;
};

static void run_asker(void *arg)
{
    struct asker *a = arg;
    a->err = insight_ask(a->insight, a->until, &a->got);
    a->is_back = true;
}

static void play_keeper(struct insight *insight)
{
    struct gate_question m;
    struct gate_knowledge told = {.type = GATE_KNOWLEDGE, .n_restarts = 3};
    size_t len;
    int fd;
    while (channel_receive(w.channel[1], &m, sizeof m, &len, &fd) == IO_DONE) {
        CHECK_INT(m.type, GATE_INQUIRY);
        w.n_inquiries++;
        if (w.is_silent)
            continue;
        fd = file_sealed("test", STR("{\"version\":\"1\"}"));
        told.seq = m.seq - 1; // of another time
        insight_take(insight, &told, fd);
        told.seq = m.seq;
        insight_take(insight, &told, fd);
        close(fd);
    }
}

static void run_until_back(struct insight *insight, const struct asker *askers, size_t n)
{
    int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
    for (size_t i = 0; i < n;) {
        loop_turn(w.aux, 10);
        play_keeper(insight);
        i += askers[i].is_back;
        if (clock_exact_ns() > end_ns)
            abort();
    }
}

static struct insight *begin(struct questions *q)
{
    make_world();
    *q = (struct questions){.crew = w.crew, .in_force = w.s};
    w.n_inquiries = 0;
    w.is_silent = false;
    return insight_new(w.channel[0], q);
}

static void those_who_ask_at_once_share_a_report(void)
{
    struct questions q;
    struct insight *insight = begin(&q);
    struct asker askers[N_ASKERS];
    for (size_t i = 0; i < N_ASKERS; i++) {
        askers[i] = (struct asker){.insight = insight, .until = deadline_in(SOON_MS)};
        fiber_start(run_asker, &askers[i]);
    }
    run_until_back(insight, askers, N_ASKERS);
    const struct report *r = askers[0].got;
    CHECK_INT(r->status->n_workers, N_WORKERS);
    CHECK_STR(r->keeper, STR("{\"version\":\"1\"}"));
    CHECK(r->is_told);
    CHECK_INT(r->facts.n_restarts, 3);
    CHECK(r->at_ns > 0);
    CHECK(r->process == &q.process);
    unsigned n_reports = 1;
    for (size_t i = 0; i < N_ASKERS; i++) {
        CHECK_INT(askers[i].err, ERR_OK);
        n_reports += i > 0 && askers[i].got != askers[i - 1].got;
    }
    CHECK(n_reports <= 2); // one that was begun for the first, one for those who came meanwhile
    CHECK_INT(w.n_inquiries, n_reports);
    for (size_t i = 0; i < N_ASKERS; i++)
        report_unref(askers[i].got);
    loop_turn(w.aux, 0); // reports that nobody has any more are freed here
    insight_free(insight);
}

static void a_report_is_begun_after_the_question_and_not_too_soon(void)
{
    struct questions q;
    struct insight *insight = begin(&q);
    int64_t began_ns = clock_wall_ns();
    for (unsigned i = 0; i < 2; i++) {
        loop_turn(w.aux, 0);
        int64_t asked_ns = clock_wall_ns();
        struct asker a = {.insight = insight, .until = deadline_in(SOON_MS)};
        fiber_start(run_asker, &a);
        run_until_back(insight, &a, 1);
        CHECK(a.got->at_ns >= asked_ns);
        CHECK(i == 0 || a.got->at_ns - began_ns >= (INSIGHT_EVERY_MS - 5) * INT64_C(1000000));
        report_unref(a.got);
    }
    loop_turn(w.aux, 0); // reports that nobody has any more are freed here
    insight_free(insight);
}

static void without_the_keeper_there_is_the_rest(void)
{
    struct questions q;
    struct insight *insight = begin(&q);
    w.is_silent = true;
    struct asker a = {.insight = insight, .until = deadline_in(SOON_MS)};
    fiber_start(run_asker, &a);
    run_until_back(insight, &a, 1);
    CHECK_INT(a.err, ERR_OK);
    CHECK_INT(a.got->keeper.len, 0);
    CHECK(!a.got->is_told);
    CHECK_INT(a.got->status->n_workers, N_WORKERS);
    report_unref(a.got);
    loop_turn(w.aux, 0); // reports that nobody has any more are freed here
    insight_free(insight);
}

static void who_goes_before_the_answer_leaves_nothing_behind(void)
{
    struct questions q;
    struct insight *insight = begin(&q);
    struct asker gone = {.insight = insight, .until = deadline_in(0)};
    struct asker stays = {.insight = insight, .until = deadline_in(SOON_MS)};
    fiber_start(run_asker, &gone);
    fiber_start(run_asker, &stays);
    run_until_back(insight, &gone, 1);
    CHECK_INT(gone.err, ERR_TIMEOUT);
    run_until_back(insight, &stays, 1);
    CHECK_INT(stays.err, ERR_OK);
    report_unref(stays.got);
    loop_turn(w.aux, 0); // reports that nobody has any more are freed here
    insight_free(insight);
}

static void start_asker(struct insight *insight, struct asker *a, int64_t patience_ms)
{
    *a = (struct asker){.insight = insight, .until = deadline_in(patience_ms)};
    fiber_start(run_asker, a);
}

static void no_more_reports_are_made_than_slow_readers_may_hold(void)
{
    struct questions q;
    struct insight *insight = begin(&q);
    struct asker slow[INSIGHT_REPORTS_MAX], next;
    for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
        start_asker(insight, &slow[i], SOON_MS);
        run_until_back(insight, &slow[i], 1);
        CHECK_INT(slow[i].err, ERR_OK);
        CHECK(i == 0 || slow[i].got != slow[i - 1].got);
    }
    start_asker(insight, &next, INSIGHT_EVERY_MS * 2);
    run_until_back(insight, &next, 1);
    CHECK_INT(next.err, ERR_TIMEOUT);
    CHECK_INT(w.n_inquiries, INSIGHT_REPORTS_MAX);
    start_asker(insight, &next, SOON_MS);
    report_unref(slow[0].got); // one has read to its end
    run_until_back(insight, &next, 1);
    CHECK_INT(next.err, ERR_OK);
    for (size_t i = 1; i < ARRAY_LEN(slow); i++)
        report_unref(slow[i].got);
    report_unref(next.got);
    loop_turn(w.aux, 0);
    insight_free(insight);
}

static void more_readers_than_fit_are_refused(void)
{
    struct questions q;
    struct insight *insight = begin(&q);
    struct asker askers[INSIGHT_USERS_MAX], next;
    for (size_t i = 0; i < ARRAY_LEN(askers); i++)
        start_asker(insight, &askers[i], SOON_MS);
    run_until_back(insight, askers, ARRAY_LEN(askers));
    start_asker(insight, &next, SOON_MS);
    run_until_back(insight, &next, 1);
    CHECK_INT(next.err, ERR_LIMIT);
    report_unref(askers[0].got);
    start_asker(insight, &next, SOON_MS);
    run_until_back(insight, &next, 1);
    CHECK_INT(next.err, ERR_OK);
    for (size_t i = 1; i < ARRAY_LEN(askers); i++)
        report_unref(askers[i].got);
    report_unref(next.got);
    loop_turn(w.aux, 0);
    insight_free(insight);
}

static void before_settings_are_in_force_nothing_is_known(void)
{
    struct questions q;
    struct insight *insight = begin(&q);
    q.in_force = NULL;
    struct asker a = {.insight = insight, .until = deadline_in(SOON_MS)};
    fiber_start(run_asker, &a);
    run_until_back(insight, &a, 1);
    CHECK_INT(a.err, ERR_LIMIT);
    const struct report *r;
    CHECK_INT(insight_ask(NULL, deadline_in(SOON_MS), &r), ERR_LIMIT);
    CHECK(!insight_is_ending(NULL));
    CHECK(!insight_is_ending(insight));
    insight_set_ending(insight);
    CHECK(insight_is_ending(insight));
    loop_turn(w.aux, 0); // reports that nobody has any more are freed here
    insight_free(insight);
}

TEST_MAIN(TEST(those_who_ask_at_once_share_a_report),
          TEST(a_report_is_begun_after_the_question_and_not_too_soon),
          TEST(without_the_keeper_there_is_the_rest),
          TEST(who_goes_before_the_answer_leaves_nothing_behind),
          TEST(no_more_reports_are_made_than_slow_readers_may_hold),
          TEST(more_readers_than_fit_are_refused),
          TEST(before_settings_are_in_force_nothing_is_known))
