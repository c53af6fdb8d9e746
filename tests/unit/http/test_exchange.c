// SPDX-License-Identifier: Apache-2.0
#include "http/exchange.h"

#include "http/tunnel.h"
#include "unit/test.h"

static char home[16384];

static void open_exchange(struct exchange *x, struct arena *mem, size_t n)
{
    arena_init(mem, 0, home, n);
    *x = (struct exchange){.mem = mem, .request_id = STR("id-1")};
    headers_init(&x->req.headers, mem);
    headers_init(&x->resp.headers, mem);
}

static struct str body_text(struct exchange *x)
{
    struct str piece = STR_NONE, more;
    if (x->resp.body && body_read(x->resp.body, &piece, BODY_NO_WAIT) == IO_DONE)
        CHECK(body_read(x->resp.body, &more, BODY_NO_WAIT) == IO_EOF);
    return piece;
}

static void a_failure_gives_a_neutral_page_with_the_id(void)
{
    struct arena mem;
    struct exchange x;
    open_exchange(&x, &mem, sizeof home);
    exchange_fail(&x, 502, EXCHANGE_END_SERVER_CONNECT, "%s refused", "10.0.0.1:80");
    CHECK_INT(x.resp.status, 502);
    CHECK(x.resp.is_internal);
    CHECK_STR(body_text(&x), STR("502 Bad Gateway\nrequest id-1\n"));
    CHECK_STR(headers_get(&x.resp.headers, FIELD_CONTENT_TYPE), STR("text/plain; charset=utf-8"));
    CHECK_STR(x.end_detail, STR("10.0.0.1:80 refused"));
    CHECK_INT(x.end, EXCHANGE_END_SERVER_CONNECT);
    arena_fini(&mem);
}

static void browsers_get_html(void)
{
    struct arena mem;
    struct exchange x;
    open_exchange(&x, &mem, sizeof home);
    CHECK(headers_add(&x.req.headers, FIELD_ACCEPT, STR("text/html,*/*;q=0.8")) == ERR_OK);
    exchange_fail(&x, 404, EXCHANGE_END_NO_ROUTE, "none");
    struct str page = body_text(&x);
    CHECK(str_starts(page, STR("<!doctype html>")));
    CHECK(str_search(page, STR("404 Not Found")) != STR_NPOS);
    CHECK(str_search(page, STR("id-1")) != STR_NPOS);
    arena_fini(&mem);
}

static unsigned n_fini, n_released;

static enum io no_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)b, (void)ret_piece, (void)until;
    return IO_FAIL;
}

static void count_fini(struct body *b)
{
    (void)b;
    n_fini++;
}

static void count_release(struct tunnel_side *s)
{
    (void)s;
    n_released++;
}

static void a_failure_drops_the_answer_that_was_there(void)
{
    static const struct body_ops ops = {.name = "x", .read = no_read, .fini = count_fini};
    struct arena mem;
    struct exchange x;
    open_exchange(&x, &mem, sizeof home);
    struct body b = {.ops = &ops};
    struct tunnel_side side = {.release = count_release};
    x.resp.body = &b;
    x.resp.tunnel = &side;
    x.resp.must_close = true;
    CHECK(headers_add(&x.resp.headers, FIELD_SERVER, STR("inside/1.0")) == ERR_OK);
    exchange_fail(&x, 500, EXCHANGE_END_RESOURCES, "x");
    CHECK_INT(n_fini, 1);
    CHECK_INT(n_released, 1);
    CHECK(x.resp.tunnel == NULL && x.resp.must_close);
    CHECK(headers_find(&x.resp.headers, FIELD_SERVER) == NULL);
    arena_fini(&mem);
}

static void a_failure_without_memory_still_has_its_status(void)
{
    for (size_t n = 64; n < 2048; n += 64) {
        struct arena mem;
        struct exchange x;
        open_exchange(&x, &mem, n);
        exchange_fail(&x, 503, EXCHANGE_END_NO_SERVER, "none");
        CHECK_INT(x.resp.status, 503);
        if (x.resp.body)
            CHECK(x.resp.body->length == (int64_t)body_text(&x).len);
        arena_fini(&mem);
    }
}

static void ends_have_names_texts_and_a_status(void)
{
    CHECK_STR(str_of(exchange_end_name(EXCHANGE_END_SERVER_TIMEOUT)), STR("server-timeout"));
    CHECK_INT(exchange_end_status(EXCHANGE_END_CLIENT_LIMIT), 413);
    CHECK(strlen(exchange_end_text(EXCHANGE_END_RESOURCES)) > 0);
}

TEST_MAIN(TEST(a_failure_gives_a_neutral_page_with_the_id), TEST(browsers_get_html),
          TEST(a_failure_drops_the_answer_that_was_there),
          TEST(a_failure_without_memory_still_has_its_status),
          TEST(ends_have_names_texts_and_a_status))
