// SPDX-License-Identifier: Apache-2.0
#include "http/grpc.h"

#include "unit/test.h"

struct made {
    struct arena mem;
    struct exchange x;
};

static void made_init(struct made *m, enum field_id id, const char *name, const char *value)
{
    arena_init(&m->mem, (size_t)1 << 20, NULL, 0);
    m->x = (struct exchange){.mem = &m->mem, .request_id = STR("id1")};
    headers_init(&m->x.req.headers, &m->mem);
    headers_init(&m->x.resp.headers, &m->mem);
    enum err err = id != FIELD_OTHER
                       ? headers_add(&m->x.req.headers, id, str_of(value))
                       : headers_add_named(&m->x.req.headers, str_of(name), str_of(value));
    CHECK_INT(err, ERR_OK);
}

static void content_types_of_grpc_are_known_from_their_neighbours(void)
{
    static const struct {
        const char *type;
        bool is_grpc;
    } cases[] = {
        {"application/grpc", true},
        {"application/grpc+proto", true},
        {"application/grpc;x=y", true},
        {"Application/GRPC", true},
        {"application/grpc ; x=y", true},
        {"application/grpc-web", false},
        {"application/grpcx", false},
        {"application/grp", false},
        {"text/plain", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct made m;
        made_init(&m, FIELD_CONTENT_TYPE, NULL, cases[i].type);
        if (grpc_is(&m.x) != cases[i].is_grpc)
            printf("# %s\n", cases[i].type);
        CHECK_INT(grpc_is(&m.x), cases[i].is_grpc);
        arena_fini(&m.mem);
    }
}

static void timeouts_are_rounded_up_and_malformed_ones_mean_nothing(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1S", 1000},       {"0m", 0},      {"250m", 250},
        {"1u", 1},          {"1001u", 2},   {"1000000n", 1},
        {"1000001n", 2},    {"2M", 120000}, {"99999999H", INT64_C(359999996400000)},
        {"100000000S", -1}, // nine digits
        {"1", -1},          {"S", -1},      {"1s", -1},
        {"-1S", -1},        {"1.5S", -1},   {"", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct made m;
        made_init(&m, FIELD_OTHER, "grpc-timeout", cases[i].text);
        CHECK_INT(grpc_timeout_ms(&m.x), cases[i].ms);
        arena_fini(&m.mem);
    }
}

static void statuses_have_codes(void)
{
    static const unsigned cases[][2] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {408, 4},
                                        {413, 8},  {418, 2},  {429, 14}, {431, 8},  {500, 2},
                                        {502, 14}, {503, 14}, {504, 4}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(grpc_status_of(cases[i][0]), cases[i][1]);
}

static void an_error_of_ours_is_a_head_with_a_code(void)
{
    struct made m;
    made_init(&m, FIELD_CONTENT_TYPE, NULL, "application/grpc");
    exchange_fail(&m.x, 502, EXCHANGE_END_SERVER_CONNECT, "10.0.0.1: refused");
    CHECK_INT(m.x.resp.status, 200);
    CHECK(m.x.resp.body == NULL);
    CHECK(m.x.resp.is_internal);
    CHECK_INT(m.x.end, EXCHANGE_END_SERVER_CONNECT);
    const struct headers *h = &m.x.resp.headers;
    CHECK_STR(headers_get(h, FIELD_CONTENT_TYPE), STR("application/grpc"));
    CHECK_STR(headers_find_named(h, STR("grpc-status"))->value, STR("14"));
    CHECK_STR(headers_find_named(h, STR("grpc-message"))->value,
              STR("502 Bad Gateway, request id1"));
    arena_fini(&m.mem);
}

TEST_MAIN(TEST(content_types_of_grpc_are_known_from_their_neighbours),
          TEST(timeouts_are_rounded_up_and_malformed_ones_mean_nothing), TEST(statuses_have_codes),
          TEST(an_error_of_ours_is_a_head_with_a_code))
