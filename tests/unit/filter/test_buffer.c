// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include "rt/offload.h"
#include "rt/slots.h"
#include "unit/filter/bodies.h"
#include "unit/test.h"

#define KIB 1024

static char kib[KIB];

// A body of n pieces of one KiB each, with a pause behind each.
static struct body *pieces_of(struct script *s, struct str *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pieces[2 * i] = str_from(kib, KIB);
        pieces[2 * i + 1] = STR_NONE;
    }
    return script_init(s, pieces, 2 * n);
}

static enum io no_inform_needed;

static enum err inform(struct exchange *x, unsigned status, const struct headers *headers)
{
    (void)x, (void)headers;
    CHECK_INT(status, 100);
    no_inform_needed = IO_EOF;
    return ERR_OK;
}

static const struct exchange_ops ops = {.inform = inform};

struct visit {
    const char *settings;
    size_t n_kib;
    int64_t length; // what the client says; -1: nothing
    unsigned status;
    int64_t server_length; // what the server is told
    bool fails;
};

static void check_request(const void *arg)
{
    const struct visit *v = arg;
    struct bodies b;
    struct script s;
    struct str pieces[2 * 300];
    struct exchange *x = bodies_start(&b, &filter_buffer, v->settings, "POST");
    x->ops = &ops;
    x->req.body = pieces_of(&s, pieces, v->n_kib);
    s.body.length = v->length;
    s.fails = v->fails;
    if (v->fails)
        x->end = EXCHANGE_END_CLIENT_TIMEOUT; // as the driver says it
    b.server.reads_request = true;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, v->status);
    CHECK_INT(b.server.n_served, v->status == 200);
    if (v->status == 200) {
        CHECK_INT(x->req.body->length, v->server_length);
        CHECK_INT(b.server.request.len, v->n_kib * KIB);
        CHECK_INT(b.server.request_end, IO_EOF);
    }
    bodies_end(&b);
    CHECK_INT(b.env.spooled_bytes, 0);
    CHECK_INT(s.n_fini, 1);
}

static void requests_are_read_before_a_server_is_asked(void)
{
    static const struct visit visits[] = {
        {"{}", 3, 3 * KIB, 200, 3 * KIB, false},
        {"{}", 3, -1, 200, 3 * KIB, false}, // what has come as a whole has a length
        {"{ request: 4KiB }", 4, -1, 200, 4 * KIB, false},
        {"{ request: 4KiB }", 40, -1, 200, -1, false}, // the rest as it comes
        {"{ request: 4KiB }", 40, 40 * KIB, 200, 40 * KIB, false},
        {"{ request: 4KiB, beyond: refuse }", 4, -1, 200, 4 * KIB, false},
        {"{ request: 4KiB, beyond: refuse }", 5, -1, 413, 0, false},
        {"{ request: 4KiB, beyond: refuse }", 5, 5 * KIB, 413, 0, false},
        {"{ request: off }", 5, 5 * KIB, 200, 5 * KIB, false},
        {"{}", 3, 9 * KIB, 408, 0, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(visits); i++) {
        bool failed = test_failed;
        test_failed = false;
        run_on_fiber(check_request, &visits[i]);
        if (test_failed)
            printf("# visit %zu\n", i);
        test_failed |= failed;
    }
}

// Asked by a server that looks at nothing until the body is there: how far was it read?
static enum err look(const struct handler *h, struct exchange *x)
{
    struct body_server *s = (struct body_server *)(uintptr_t)h;
    s->n_served++;
    s->request_end = x->env->spooled_bytes > 0 ? IO_DONE : IO_FAIL;
    return exchange_respond(x, 200, STR("text/plain"), STR("ok"));
}

static const struct handler_type looking_type = {.name = "looking", .serve = look};

static void check_before(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    struct str pieces[2 * 3];
    struct exchange *x = bodies_start(&b, &filter_buffer, "{}", "POST");
    x->ops = &ops;
    x->req.expects_continue = true;
    no_inform_needed = IO_AGAIN;
    b.server.handler.type = &looking_type;
    x->req.body = pieces_of(&s, pieces, 3);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(b.server.request_end, IO_DONE);
    CHECK_INT(s.at, s.n);
    CHECK_INT(no_inform_needed, IO_EOF); // the client was told to go on
    bodies_end(&b);
}

static void the_server_finds_it_read_and_the_client_was_told_to_go_on(void)
{
    run_on_fiber(check_before, NULL);
}

static void check_memory(const void *arg)
{
    bool refuses = *(const bool *)arg;
    struct bodies b;
    struct script s;
    struct str pieces[2 * 3];
    struct exchange *x = bodies_start(
        &b, &filter_buffer,
        refuses ? "{ memory-max: 1MiB, beyond: refuse }" : "{ memory-max: 1MiB }", "POST");
    x->ops = &ops;
    b.env.spooled_bytes = 1 << 20; // others'
    x->req.body = pieces_of(&s, pieces, 3);
    b.server.reads_request = true;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, refuses ? 503 : 200);
    CHECK_INT(b.server.request.len, refuses ? 0 : 3 * KIB);
    b.env.spooled_bytes -= 1 << 20;
    bodies_end(&b);
    CHECK_INT(b.env.spooled_bytes, 0);
}

static void beyond_the_worker_s_memory_bodies_are_passed_on_or_refused(void)
{
    run_on_fiber(check_memory, &(bool){false});
    run_on_fiber(check_memory, &(bool){true});
}

// --- a file ---

struct with_file {
    const char *settings;
    size_t n_kib, n_slots;
    unsigned status;
    int64_t server_length;
    bool is_written;
};

static void check_with_file(const void *arg)
{
    const struct with_file *v = arg;
    struct bodies b;
    struct script s, answer;
    static struct str pieces[2 * 600], answers[2 * 600];
    struct offload *disk = offload_new(1, 100);
    struct slots *slots =
        slots_new(memfd_create("spool", MFD_CLOEXEC), v->n_slots * SLOTS_BYTES, disk);
    struct exchange *x = bodies_start(&b, &filter_buffer, v->settings, "POST");
    b.env.slots = slots;
    x->ops = &ops;
    x->req.body = pieces_of(&s, pieces, v->n_kib);
    b.server.reads_request = true;
    b.server.body = pieces_of(&answer, answers, v->n_kib);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, v->status);
    CHECK_INT(b.env.stats.counters[HTTP_COUNTER_SPOOL_WRITTEN] > 0, v->is_written);
    if (v->status == 200) {
        CHECK_INT(x->req.body->length, v->server_length);
        CHECK_INT(b.server.request.len, v->n_kib * KIB);
        enum io end;
        struct text got = bodies_read(x->resp.body, &end);
        CHECK_INT(end, IO_EOF);
        CHECK_INT(got.len, v->n_kib * KIB);
        text_fini(&got);
    }
    bodies_end(&b);
    CHECK_INT(s.n_fini, 1);
    CHECK_INT(slots_used(slots), 0);
    slots_stop(slots);
    offload_free(disk);
    slots_free(slots);
}

static void beyond_memory_bodies_go_to_the_file(void)
{
    static const struct with_file cases[] = {
        {"{ memory: 64KiB }", 500, 20, 200, 500 * KIB, true},
        {"{ memory: 1MiB }", 500, 20, 200, 500 * KIB, false},
        {"{ memory: 64KiB, request: 400KiB }", 500, 20, 200, -1, true},
        {"{ memory: 64KiB, request: 400KiB, beyond: refuse }", 500, 20, 413, 0, true},
        {"{ memory: 64KiB }", 500, 3, 200, -1, true}, // more than the file takes: as it comes
        {"{ memory: 64KiB, beyond: refuse }", 500, 3, 503, 0, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool failed = test_failed;
        test_failed = false;
        run_on_fiber(check_with_file, &cases[i]);
        if (test_failed)
            printf("# case %zu\n", i);
        test_failed |= failed;
    }
}

// --- answers ---

static void check_answer(const void *arg)
{
    size_t n_first = *(const size_t *)arg; // how far it is read before the client takes a byte
    struct bodies b;
    struct script s;
    struct str pieces[2 * 300];
    struct exchange *x = bodies_start(&b, &filter_buffer, "{ response: 64KiB }", "GET");
    size_t n = n_first < 64 ? n_first : 300;
    b.server.body = pieces_of(&s, pieces, n);
    s.body.length = (int64_t)n * KIB;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(x->resp.body->length, (int64_t)n * KIB);
    struct str piece;
    CHECK_INT(body_read(x->resp.body, &piece, BODY_NO_WAIT), IO_AGAIN); // which begins it
    for (int i = 0; i < 50; i++)
        fiber_yield();
    CHECK_INT(s.at, n_first < 64 ? s.n : 2 * 64 - 1); // all, or what the limit allows
    enum io end;
    struct text got = bodies_read(x->resp.body, &end);
    CHECK_INT(end, IO_EOF);
    CHECK_INT(got.len, n * KIB);
    text_fini(&got);
    bodies_end(&b);
    CHECK_INT(s.n_fini, 1);
}

static void answers_are_read_ahead_of_their_client(void)
{
    run_on_fiber(check_answer, &(size_t){10});
    run_on_fiber(check_answer, &(size_t){64});
}

static void check_left(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    struct str pieces[2 * 300], piece;
    struct exchange *x = bodies_start(&b, &filter_buffer, "{ response: 64KiB }", "GET");
    b.server.body = pieces_of(&s, pieces, 300);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(body_read(x->resp.body, &piece, deadline_at(INT64_MAX)), IO_DONE);
    bodies_end(&b); // in the middle, with the filler waiting for room
    CHECK_INT(s.n_fini, 1);
    CHECK_INT(b.env.spooled_bytes, 0);
}

static void clients_that_leave_leave_nothing_behind(void)
{
    run_on_fiber(check_left, NULL);
}

static void check_cut(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    struct str pieces[2 * 3];
    struct exchange *x = bodies_start(&b, &filter_buffer, "{}", "GET");
    b.server.body = pieces_of(&s, pieces, 3);
    s.fails = true;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    enum io end;
    struct text got = bodies_read(x->resp.body, &end);
    CHECK_INT(end, IO_FAIL);
    CHECK_INT(got.len, 3 * KIB);
    text_fini(&got);
    bodies_end(&b);
}

static void answers_that_break_off_are_never_whole(void)
{
    run_on_fiber(check_cut, NULL);
}

static void check_trailers(const void *arg)
{
    struct bodies b;
    struct script s;
    struct str pieces[2 * 3];
    struct headers trailers = {.n = 0};
    struct exchange *x = bodies_start(&b, &filter_buffer, "{}", "GET");
    (void)arg;
    b.server.body = pieces_of(&s, pieces, 3);
    s.body.trailers = &trailers;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    enum io end;
    struct text got = bodies_read(x->resp.body, &end);
    CHECK_INT(end, IO_EOF);
    CHECK_INT(got.len, 3 * KIB);
    CHECK(x->resp.body->trailers == &trailers);
    text_fini(&got);
    bodies_end(&b);
}

static void trailers_come_through_with_and_without_a_fiber_for_them(void)
{
    run_on_fiber(check_trailers, NULL);
    run_on_few_fibers(1, check_trailers, NULL);
}

static void check_alone(const void *arg)
{
    const char *type = arg;
    struct bodies b;
    struct script s, r;
    struct str pieces[2];
    struct exchange *x = bodies_start(&b, &filter_buffer, "{}", "POST");
    fixture_field(&b.e, "Content-Type", type);
    x->req.is_upgrade = str_eq(str_of(type), STR("upgrade"));
    x->req.body = pieces_of(&r, pieces, 1);
    b.server.body = script_init(&s, NULL, 0);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK(x->req.body == &r.body);
    CHECK(x->resp.body == &s.body);
    bodies_end(&b);
}

static void grpc_and_upgrades_are_left_alone(void)
{
    run_on_fiber(check_alone, "application/grpc");
    run_on_fiber(check_alone, "upgrade");
}

static void explain_says_how_much(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_buffer, "{ request: 2MiB }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(
        f.filter->type->explain(f.filter, x),
        STR("reads ahead up to 2MiB of the request, 1GiB of the answer, 1MiB of it in memory"));
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case refused[] = {
        {"{ request: off, response: off }", "nothing ahead"},
        {"{ request: 1KiB }", "4KiB"},
        {"{ response: 1KiB }", "64KiB"},
        {"{ beyond: disk }", "stream"},
    };
    filter_check_refused(&filter_buffer, refused, ARRAY_LEN(refused));
}

static void tables_are_complete(void)
{
    filter_check_tables(&filter_buffer);
}

TEST_MAIN(TEST(requests_are_read_before_a_server_is_asked),
          TEST(the_server_finds_it_read_and_the_client_was_told_to_go_on),
          TEST(beyond_the_worker_s_memory_bodies_are_passed_on_or_refused),
          TEST(beyond_memory_bodies_go_to_the_file), TEST(answers_are_read_ahead_of_their_client),
          TEST(clients_that_leave_leave_nothing_behind),
          TEST(answers_that_break_off_are_never_whole),
          TEST(trailers_come_through_with_and_without_a_fiber_for_them),
          TEST(grpc_and_upgrades_are_left_alone), TEST(explain_says_how_much),
          TEST(wrong_settings_are_refused), TEST(tables_are_complete))
