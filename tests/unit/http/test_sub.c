// SPDX-License-Identifier: Apache-2.0
#include "http/sub.h"

#include "http/env.h"
#include "http/handler.h"
#include "unit/rt/rt_test.h"
#include "unit/test.h"

// A handler that is made up, and what it saw.
struct origin {
    struct handler handler;
    enum err (*answer)(struct origin *o, struct exchange *x);
    unsigned n_asked, n_ended;
    bool is_cancelled, has_moved_on;
    char text[1024]; // of the request
    struct exchange *x;
};

static enum err origin_serve(const struct handler *h, struct exchange *x)
{
    struct origin *o = (struct origin *)(uintptr_t)h;
    o->n_asked++;
    o->x = x;
    struct writer w;
    writer_init(&w, o->text, sizeof o->text - 1);
    writer_put(&w, x->req.method);
    writer_byte(&w, ' ');
    writer_put(&w, x->req.authority);
    writer_put(&w, x->req.path);
    if (x->req.has_query) {
        writer_byte(&w, '?');
        writer_put(&w, x->req.query);
    }
    writer_byte(&w, '\n');
    headers_write(&w, &x->req.headers, 0);
    struct str piece;
    while (x->req.body && body_read(x->req.body, &piece, deadline_at(INT64_MAX)) == IO_DONE)
        writer_put(&w, piece);
    o->text[w.len] = '\0';
    enum err err = o->answer(o, x);
    o->n_ended++;
    return err;
}

static const struct handler_type origin_type = {.name = "origin", .serve = origin_serve};

static enum err answer_hello(struct origin *o, struct exchange *x)
{
    (void)o;
    CHECK_INT(exchange_respond(x, 200, STR("text/plain"), STR("hello, world")), ERR_OK);
    x->resp.is_internal = false;
    x->server_name = STR("10.0.0.9:80");
    return headers_add_named(&x->resp.headers, STR("X-User"), STR("ada"));
}

static enum err fail_to_answer(struct origin *o, struct exchange *x)
{
    (void)o;
    exchange_fail(x, 502, EXCHANGE_END_SERVER_CONNECT, "server 10.0.0.9:80: refused");
    return ERR_OK;
}

static enum err wait_for_ever(struct origin *o, struct exchange *x)
{
    exchange_watch(x);
    o->is_cancelled = fiber_wait(deadline_at(INT64_MAX)) == FIBER_CANCELLED;
    return ERR_CANCELLED;
}

static enum err wait_for_leave(struct origin *o, struct exchange *x)
{
    while (!o->has_moved_on && fiber_sleep(1) != FIBER_CANCELLED)
        ;
    return answer_hello(o, x);
}

// A body of many pieces, of unknown length, that may break off.
struct pieces {
    struct body body;
    unsigned n_left;
    bool is_cut, *is_ended;
};

static enum io read_pieces(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)until;
    struct pieces *p = CONTAINER_OF(b, struct pieces, body);
    if (p->n_left == 0)
        return p->is_cut ? IO_FAIL : IO_EOF;
    p->n_left--;
    *ret_piece = STR("0123456789");
    return IO_DONE;
}

static void end_pieces(struct body *b)
{
    *CONTAINER_OF(b, struct pieces, body)->is_ended = true;
}

static const struct body_ops pieces_ops = {
    .name = "pieces", .read = read_pieces, .fini = end_pieces};

static enum err answer_pieces(struct origin *o, struct exchange *x)
{
    struct pieces *p = ARENA_NEW(x->mem, struct pieces);
    CHECK(p != NULL);
    p->body = (struct body){.ops = &pieces_ops, .length = -1};
    p->n_left = 50;
    p->is_ended = &o->has_moved_on;
    x->resp.status = 200;
    x->resp.body = &p->body;
    return ERR_OK;
}

static enum err answer_cut_pieces(struct origin *o, struct exchange *x)
{
    enum err err = answer_pieces(o, x);
    CONTAINER_OF(x->resp.body, struct pieces, body)->is_cut = true;
    x->end_detail = STR("closed in the middle of the answer's body");
    return err;
}

// --- the original ---

struct rig {
    struct rt_loop *loop;
    struct http_env env;
    struct http_entry entry;
    struct origin origin;
    int64_t timeout_ms;
    size_t answer_max_bytes;
    const char *body;
    struct fiber *fiber;
    enum sub_end end;
    struct sub_answer answer;
    char got[1024];
    bool is_done, is_sent, keeps_answer;
    unsigned n_watched, n_sent_done;
    enum sub_end sent_end;
    int n_held; // of the snapshot
    char why[64];
};

static void hold(struct http_env *env, void *snapshot)
{
    (void)env;
    ((struct rig *)snapshot)->n_held++;
}

static void let_go(struct http_env *env, void *snapshot)
{
    (void)env;
    ((struct rig *)snapshot)->n_held--;
}

static const struct http_app app = {.hold = hold, .release = let_go};

static void on_watch(struct exchange *x)
{
    ((struct rig *)x->snapshot)->n_watched++;
}

static const struct exchange_ops client_ops = {.watch = on_watch};

static struct rig *rig_new(enum err (*answer)(struct origin *o, struct exchange *x))
{
    struct rig *r = calloc(1, sizeof *r);
    r->loop = test_loop(0);
    http_env_init(&r->env, &app, NULL, 10);
    r->entry.exchange_mem_bytes = 1 << 20;
    r->origin = (struct origin){.handler.type = &origin_type, .answer = answer};
    r->timeout_ms = SOON_MS;
    r->answer_max_bytes = SUB_ANSWER_MAX_BYTES;
    return r;
}

static void rig_free(struct rig *r)
{
    CHECK(test_run_all(r->loop));
    CHECK_INT(r->env.stats.counters[HTTP_COUNTER_SUBS_OPEN], 0);
    CHECK_INT(r->env.blocks.n_out, 0);
    CHECK_INT(r->n_held, 0);
    http_env_fini(&r->env);
    loop_free(r->loop);
    free(r);
}

static void init_original(struct rig *r, struct exchange *x, struct arena *mem)
{
    arena_init(mem, 1 << 20, NULL, 0);
    *x = (struct exchange){.mem = mem,
                           .env = &r->env,
                           .entry = &r->entry,
                           .ops = &client_ops,
                           .snapshot = r,
                           .request_id = STR("the-id")};
    x->req.method = STR("POST");
    x->req.authority = STR("a.example");
    x->req.path = STR("/a");
    x->req.query = STR("b=c");
    x->req.has_query = true;
    headers_init(&x->req.headers, mem);
    headers_init(&x->resp.headers, mem);
    static const char *const fields[][2] = {
        {"Host", "a.example"},     {"Cookie", "k=v"},   {"Content-Type", "text/plain"},
        {"Content-Length", "100"}, {"X-Other", "1, 2"}, {"Expect", "100-continue"},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        CHECK_INT(headers_add_named(&x->req.headers, str_of(fields[i][0]), str_of(fields[i][1])),
                  ERR_OK);
}

static struct sub_request request_of(struct rig *r, struct exchange *x)
{
    struct sub_request req = sub_request_to(x, &r->origin.handler);
    CHECK_INT(sub_copy_fields(&req, x, r->body != NULL), ERR_OK);
    req.timeout_ms = r->timeout_ms;
    req.answer_max_bytes = r->answer_max_bytes;
    if (r->body) {
        req.method = STR("POST");
        req.body = str_of(r->body);
    }
    return req;
}

static void keep_text(char *to, size_t cap, struct str s)
{
    snprintf(to, cap, STR_FMT, STR_ARG(s));
}

static void ask(void *arg)
{
    struct rig *r = arg;
    struct arena mem;
    struct exchange x;
    init_original(r, &x, &mem);
    struct sub_request req = request_of(r, &x);
    r->fiber = fiber_self();
    r->end = sub_ask(&x, &req, &r->answer);
    keep_text(r->got, sizeof r->got, r->answer.body);
    keep_text(r->why, sizeof r->why, r->answer.why);
    if (r->end == SUB_ANSWERED && r->answer.headers.n > 1)
        CHECK_STR(headers_find_named(&r->answer.headers, STR("x-user"))->value, STR("ada"));
    CHECK_INT(x.resp.status, 0);
    CHECK_INT(x.end, EXCHANGE_END_OK);
    CHECK_INT(x.trail.n, 0);
    CHECK(!r->origin.x || str_eq(r->origin.x->request_id, STR("the-id")));
    arena_fini(&mem);
    r->fiber = NULL;
    r->is_done = true;
}

static void run_until(struct rig *r, const bool *done)
{
    int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
    while (!*done && clock_exact_ns() < end_ns)
        loop_turn(r->loop, 10);
    CHECK(*done);
}

static void run_ask(struct rig *r)
{
    CHECK(fiber_start(ask, r) != NULL);
    run_until(r, &r->is_done);
}

// --- asking ---

static void an_answer_comes_whole_and_leaves_the_original_alone(void)
{
    struct rig *r = rig_new(answer_hello);
    run_ask(r);
    CHECK_INT(r->end, SUB_ANSWERED);
    CHECK_INT(r->answer.status, 200);
    CHECK(!r->answer.is_cut);
    CHECK_STR(str_of(r->got), STR("hello, world"));
    CHECK_STR(str_of(r->origin.text), STR("GET a.example/a?b=c\nCookie: k=v\r\nX-Other: 1, 2\r\n"));
    CHECK_INT(r->env.stats.counters[HTTP_COUNTER_SUBS], 1);
    CHECK_INT(r->env.stats.counters[HTTP_COUNTER_SUBS_FAILED], 0);
    CHECK_INT(r->env.stats.counters[HTTP_COUNTER_EXCHANGES], 0);
    rig_free(r);
}

static void a_given_body_goes_along_with_what_describes_it(void)
{
    struct rig *r = rig_new(answer_hello);
    r->body = "some bytes";
    run_ask(r);
    CHECK_STR(str_of(r->origin.text),
              STR("POST a.example/a?b=c\nCookie: k=v\r\nContent-Type: text/plain\r\n"
                  "Content-Length: 100\r\nX-Other: 1, 2\r\nsome bytes"));
    rig_free(r);
}

static void a_long_answer_is_cut_at_the_limit(void)
{
    static const struct {
        size_t max, wanted;
        bool is_cut;
    } cases[] = {
        {500, 500, false}, {501, 500, false}, {499, 499, true}, {15, 15, true}, {0, 0, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = rig_new(answer_pieces);
        r->answer_max_bytes = cases[i].max;
        run_ask(r);
        CHECK_INT(r->end, SUB_ANSWERED);
        CHECK_INT(strlen(r->got), cases[i].wanted);
        CHECK_INT(r->answer.is_cut, cases[i].is_cut);
        CHECK(strncmp(r->got, "01234567890123456789", MIN(cases[i].wanted, (size_t)20)) == 0);
        CHECK(r->origin.has_moved_on); // its body was ended
        rig_free(r);
    }
}

static void an_answer_of_our_own_about_a_failure_is_none(void)
{
    struct rig *r = rig_new(fail_to_answer);
    run_ask(r);
    CHECK_INT(r->end, SUB_FAILED);
    CHECK_STR(str_of(r->why), STR("server 10.0.0.9:80: refused"));
    CHECK_INT(r->env.stats.counters[HTTP_COUNTER_SUBS_FAILED], 1);
    rig_free(r);
}

static void an_answer_that_breaks_off_is_none(void)
{
    struct rig *r = rig_new(answer_cut_pieces);
    run_ask(r);
    CHECK_INT(r->end, SUB_FAILED);
    CHECK_STR(str_of(r->why), STR("closed in the middle of the answer's body"));
    CHECK(r->origin.has_moved_on);
    rig_free(r);
}

static void the_time_out_ends_all_waits_of_the_handler(void)
{
    struct rig *r = rig_new(wait_for_ever);
    r->timeout_ms = 20;
    run_ask(r);
    CHECK_INT(r->end, SUB_FAILED);
    CHECK_STR(str_of(r->why), STR("no answer in time"));
    CHECK(r->origin.is_cancelled);
    CHECK_INT(r->origin.n_ended, 1);
    CHECK_INT(r->n_watched, 1);
    rig_free(r);
}

static void a_client_that_goes_ends_what_was_asked_for_it(void)
{
    struct rig *r = rig_new(wait_for_ever);
    CHECK(fiber_start(ask, r) != NULL);
    while (r->origin.n_asked == 0)
        loop_turn(r->loop, 10);
    fiber_cancel(r->fiber);
    run_until(r, &r->is_done);
    CHECK_INT(r->end, SUB_CANCELLED);
    CHECK_INT(r->origin.n_ended, 1);
    CHECK_INT(r->env.stats.counters[HTTP_COUNTER_SUBS_FAILED], 0);
    rig_free(r);
}

// --- sending ---

static void on_sent(void *arg, enum sub_end end, const struct sub_answer *answer)
{
    struct rig *r = arg;
    r->n_sent_done++;
    r->sent_end = end;
    r->answer.status = answer->status;
    keep_text(r->got, sizeof r->got, answer->body);
}

static void send_one(void *arg)
{
    struct rig *r = arg;
    struct arena mem;
    struct exchange x;
    init_original(r, &x, &mem);
    struct sub_request req = request_of(r, &x);
    req.keeps_answer = r->keeps_answer;
    r->is_sent = sub_send(&x, &req, on_sent, r);
    arena_fini(&mem); // it has a copy
    r->is_done = true;
}

static void run_send(struct rig *r)
{
    r->is_done = false;
    CHECK(fiber_start(send_one, r) != NULL);
    run_until(r, &r->is_done);
}

static void what_was_sent_outlives_its_original_and_keeps_the_snapshot(void)
{
    struct rig *r = rig_new(wait_for_leave);
    r->body = "shadow";
    run_send(r);
    CHECK(r->is_sent);
    CHECK_INT(r->n_held, 1);
    while (r->origin.n_asked == 0)
        loop_turn(r->loop, 10);
    CHECK(strstr(r->origin.text, "X-Other: 1, 2\r\nshadow") != NULL);
    CHECK_STR(r->origin.x->request_id, STR("the-id"));
    CHECK_INT(r->n_sent_done, 0);
    r->origin.has_moved_on = true;
    CHECK(test_run_all(r->loop));
    CHECK_INT(r->n_sent_done, 1);
    CHECK_INT(r->sent_end, SUB_ANSWERED);
    CHECK_INT(r->answer.status, 200);
    CHECK_INT(r->env.n_subs, 0);
    rig_free(r);
}

static void the_answer_to_what_was_sent_is_kept_if_wanted(void)
{
    for (unsigned keeps = 0; keeps < 2; keeps++) {
        struct rig *r = rig_new(answer_hello);
        r->keeps_answer = keeps;
        run_send(r);
        CHECK(test_run_all(r->loop));
        CHECK_STR(str_of(r->got), keeps ? STR("hello, world") : STR(""));
        rig_free(r);
    }
}

static void no_more_are_sent_than_may_run_at_a_time(void)
{
    struct rig *r = rig_new(wait_for_leave);
    for (unsigned i = 0; i < HTTP_SUBS_MAX; i++) {
        r->keeps_answer = i >= HTTP_SUBS_MAX - HTTP_SUBS_FOR_ANSWERS;
        if (i == HTTP_SUBS_MAX - HTTP_SUBS_FOR_ANSWERS) { // the rest is for these
            r->keeps_answer = false;
            run_send(r);
            CHECK(!r->is_sent);
            r->keeps_answer = true;
        }
        run_send(r);
        CHECK(r->is_sent);
    }
    run_send(r);
    CHECK(!r->is_sent);
    CHECK_INT(r->env.stats.counters[HTTP_COUNTER_SUBS], HTTP_SUBS_MAX);
    r->origin.has_moved_on = true;
    CHECK(test_run_all(r->loop));
    CHECK_INT(r->n_sent_done, HTTP_SUBS_MAX);
    rig_free(r);
}

static void a_stop_ends_what_was_sent(void)
{
    struct rig *r = rig_new(wait_for_ever);
    run_send(r);
    while (r->origin.n_asked == 0)
        loop_turn(r->loop, 10);
    http_env_abort(&r->env);
    CHECK(test_run_all(r->loop));
    CHECK_INT(r->n_sent_done, 1);
    CHECK_INT(r->sent_end, SUB_CANCELLED);
    rig_free(r);
}

static void without_a_free_fiber_nothing_is_asked(void)
{
    struct rig *r = rig_new(answer_hello);
    loop_free(r->loop);
    r->loop = test_loop(1);
    run_ask(r);
    CHECK_INT(r->end, SUB_FAILED);
    CHECK_INT(r->origin.n_asked, 0);
    run_send(r);
    CHECK(!r->is_sent);
    rig_free(r);
}

TEST_MAIN(TEST(an_answer_comes_whole_and_leaves_the_original_alone),
          TEST(a_given_body_goes_along_with_what_describes_it),
          TEST(a_long_answer_is_cut_at_the_limit),
          TEST(an_answer_of_our_own_about_a_failure_is_none),
          TEST(an_answer_that_breaks_off_is_none), TEST(the_time_out_ends_all_waits_of_the_handler),
          TEST(a_client_that_goes_ends_what_was_asked_for_it),
          TEST(what_was_sent_outlives_its_original_and_keeps_the_snapshot),
          TEST(the_answer_to_what_was_sent_is_kept_if_wanted),
          TEST(no_more_are_sent_than_may_run_at_a_time), TEST(a_stop_ends_what_was_sent),
          TEST(without_a_free_fiber_nothing_is_asked))
