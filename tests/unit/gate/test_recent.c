// SPDX-License-Identifier: Apache-2.0
#include "gate/recent.h"

#include <jansson.h>

#include "base/text.h"
#include "http/env.h"
#include "unit/test.h"

static const struct http_entry entry = {.name = STR_INIT("web")};

static struct exchange refused(const char *id)
{
    struct exchange x = {.entry = &entry, .end = EXCHANGE_END_FILTERED, .request_id = str_of(id)};
    x.resp.status = 401;
    x.req.method = STR("GET");
    x.req.host = STR("app.example");
    x.req.path = STR("/private");
    x.req.query = STR("token=secret");
    x.end_detail = STR("wrong password");
    x.route_name = STR("app");
    trail_add(&x.trail, STR("route"), "matched", STR("app"));
    trail_add(&x.trail, STR("filter gate-keeper"), "denied", STR("wrong password"));
    return x;
}

static struct exchange failed(const char *id)
{
    struct exchange x = refused(id);
    x.end = EXCHANGE_END_SERVER_TIMEOUT;
    x.resp.status = 504;
    return x;
}

static void only_what_was_refused_or_failed_is_wanted(void)
{
    static const struct {
        enum exchange_end end;
        unsigned status;
        bool is_internal, is_wanted;
    } cases[] = {
        {EXCHANGE_END_OK, 200, false, false},         {EXCHANGE_END_OK, 404, false, false},
        {EXCHANGE_END_OK, 500, false, true},          {EXCHANGE_END_FILTERED, 301, true, false},
        {EXCHANGE_END_FILTERED, 403, true, true},     {EXCHANGE_END_NO_ROUTE, 404, true, true},
        {EXCHANGE_END_CLIENT_GONE, 0, false, true},   {EXCHANGE_END_OK, 405, true, true},
        {EXCHANGE_END_SERVER_GONE, 200, false, true}, {EXCHANGE_END_OK, 200, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct exchange x = {.end = cases[i].end};
        x.resp.status = (uint16_t)cases[i].status;
        x.resp.is_internal = cases[i].is_internal;
        CHECK_INT(recent_is_wanted(&x), cases[i].is_wanted);
    }
}

static void an_item_tells_who_refused_and_why(void)
{
    struct recent *r = recent_new();
    struct recent_set set = {.n = 0};
    struct exchange x = refused("abc");
    recent_add(r, &x, 1000000000);
    recent_collect(r, STR("abc"), &set);
    CHECK_INT(set.n, 1);
    struct text t = {.ptr = NULL};
    recent_put(set.items[0], &t);
    json_t *j = json_loadb(t.ptr, t.len, JSON_REJECT_DUPLICATES, NULL);
    const char *id, *by, *reason, *kind, *at, *path;
    int status;
    CHECK_INT(json_unpack(j, "{s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "id", &id, "by", &by, "reason",
                          &reason, "kind", &kind, "at", &at, "path", &path, "status", &status),
              0);
    CHECK_STR(str_of(id), STR("abc"));
    CHECK_STR(str_of(by), STR("filter gate-keeper"));
    CHECK_STR(str_of(reason), STR("wrong password"));
    CHECK_STR(str_of(kind), STR("refused"));
    CHECK_STR(str_of(at), STR("1970-01-01T00:00:01.000Z"));
    CHECK_STR(str_of(path), STR("/private"));
    CHECK_INT(status, 401);
    CHECK(str_search(text_str(&t), STR("secret")) == STR_NPOS);
    json_decref(j);
    text_fini(&t);
    recent_set_fini(&set);
    recent_free(r);
}

static void refusals_push_no_failure_out(void)
{
    struct recent *r = recent_new();
    struct recent_set set = {.n = 0};
    struct exchange first = failed("first");
    recent_add(r, &first, 1);
    for (int i = 0; i < 3 * RECENT_KEPT_MAX; i++) {
        struct exchange x = refused("more");
        recent_add(r, &x, 2 + i);
    }
    recent_collect(r, STR_NONE, &set);
    CHECK_INT(set.n, RECENT_KEPT_MAX + 1);
    recent_sort(&set);
    CHECK_INT(set.items[0]->at_ns, 1 + 3 * RECENT_KEPT_MAX);
    CHECK_STR(recent_text(set.items[set.n - 1], RECENT_ID), STR("first"));
    CHECK_INT(set.items[set.n - 1]->kind, RECENT_FAILED);
    recent_set_fini(&set);
    recent_free(r);
}

static void long_texts_are_cut(void)
{
    static char path[4096];
    struct recent *r = recent_new();
    struct recent_set set = {.n = 0};
    struct exchange x = refused("long");
    memset(path, 'a', sizeof path);
    x.req.path = x.req.host = x.end_detail = x.route_name = str_from(path, sizeof path);
    recent_add(r, &x, 1);
    recent_collect(r, STR("long"), &set);
    CHECK_INT(recent_text(set.items[0], RECENT_PATH).len, 512);
    CHECK_INT(recent_text(set.items[0], RECENT_HOST).len, 255);
    CHECK_STR(recent_text(set.items[0], RECENT_METHOD), STR("GET"));
    recent_set_fini(&set);
    recent_free(r);
}

TEST_MAIN(TEST(only_what_was_refused_or_failed_is_wanted), TEST(an_item_tells_who_refused_and_why),
          TEST(refusals_push_no_failure_out), TEST(long_texts_are_cut))
