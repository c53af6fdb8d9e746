// SPDX-License-Identifier: Apache-2.0
#include "gate/internal.h"

#include "http/exchange.h"
#include "unit/test.h"

static struct exchange x;
static struct arena mem;

static void begin(enum method method)
{
    arena_init(&mem, 1 << 16, NULL, 0);
    x = (struct exchange){.mem = &mem, .req = {.method_id = method, .method = STR("M")}};
    headers_init(&x.req.headers, &mem);
    headers_init(&x.resp.headers, &mem);
}

static void each_is_found_by_its_name(void)
{
    for (size_t i = 0; internal_types[i]; i++) {
        const struct handler *h = &internal_types[i]->handler;
        CHECK(internal_is_name(h->name));
        CHECK_STR(str_of(h->type->name), h->name);
        CHECK(internal_find(h->name) == internal_types[i]);
        CHECK(internal_types[i]->doc && h->type->serve && h->type->explain);
    }
    CHECK(internal_find(STR("ping@internal")) == &internal_ping);
    CHECK(!internal_find(STR("ping")));
    CHECK(!internal_find(STR("@internal")));
    CHECK(!internal_is_name(STR("ping@docker")));
}

static void they_can_only_be_read(void)
{
    static const struct {
        enum method method;
        unsigned status; // 0: it may go on
    } cases[] = {{METHOD_GET, 0}, {METHOD_HEAD, 0}, {METHOD_POST, 405}, {METHOD_OPTIONS, 405}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin(cases[i].method);
        CHECK_INT(internal_is_read(&internal_ping.handler, &x), cases[i].status == 0);
        CHECK_INT(x.resp.status, cases[i].status);
        CHECK_STR(headers_get(&x.resp.headers, FIELD_ALLOW),
                  cases[i].status > 0 ? STR("GET, HEAD") : STR_NONE);
        arena_fini(&mem);
    }
}

static void a_failure_tells_clients_nothing_of_its_reason(void)
{
    begin(METHOD_GET);
    internal_fail(&internal_ping.handler, &x, "the workers are silent");
    CHECK_INT(x.resp.status, 503);
    struct str body;
    CHECK(body_read(x.resp.body, &body, BODY_NO_WAIT) == IO_DONE);
    CHECK(str_search(body, STR("workers")) == STR_NPOS);
    CHECK(str_search(x.end_detail, STR("the workers are silent")) != STR_NPOS);
    arena_fini(&mem);
}

TEST_MAIN(TEST(each_is_found_by_its_name), TEST(they_can_only_be_read),
          TEST(a_failure_tells_clients_nothing_of_its_reason))
