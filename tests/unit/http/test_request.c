// SPDX-License-Identifier: Apache-2.0
#include "http/request.h"

#include "http/env.h"
#include "unit/test.h"

// What a handler sees of a request, or the status that refuses it.
struct request_case {
    const char *method, *target, *host; // host NULL: no Host field
    unsigned status;                    // 0: accepted
    const char *want_path, *want_host, *want_query;
    unsigned want_port;
};

struct fixture {
    struct http_env env;
    struct http_entry entry;
    struct arena mem;
    struct exchange x;
    char home[8192];
};

static struct exchange *open_request(struct fixture *f, const char *method, const char *target,
                                     const char *host)
{
    memset(f, 0, sizeof *f);
    arena_init(&f->mem, 65536, f->home, sizeof f->home);
    f->x.mem = &f->mem;
    f->x.env = &f->env;
    f->x.entry = &f->entry;
    f->x.peer = (struct ip){.bytes = {192, 0, 2, 1}, .family = 4};
    headers_init(&f->x.req.headers, &f->mem);
    headers_init(&f->x.resp.headers, &f->mem);
    f->x.req.method = str_of(method);
    f->x.req.method_id = method_of(f->x.req.method);
    f->x.req.target = str_of(target);
    f->x.req.version = HTTP_1_1;
    if (host)
        CHECK(headers_add(&f->x.req.headers, FIELD_HOST, str_of(host)) == ERR_OK);
    return &f->x;
}

static void targets_become_canonical(void)
{
    static const struct request_case cases[] = {
        {"GET", "/", "a.example", 0, "/", "a.example", "", 0},
        {"GET", "/a/./b/../c?x=%41&y", "A.Example.:8080", 0, "/a/c", "a.example", "x=%41&y", 8080},
        {"GET", "/%61%2fb", "a", 0, "/a%2Fb", "a", "", 0},
        {"GET", "/", "[2001:DB8::1]:80", 0, "/", "[2001:db8::1]", "", 80},
        {"GET", "http://B.example:81/x?", "a.example", 0, "/x", "b.example", "", 81},
        {"GET", "HTTPS://b.example", "a.example", 0, "/", "b.example", "", 0},
        {"GET", "/", NULL, 0, "/", "", "", 0},
        {"OPTIONS", "*", "a.example", 0, "*", "a.example", "", 0},
        {"GET", "*", "a.example", 400, "", "", "", 0},
        {"GET", "a.example:80", "a.example", 400, "", "", "", 0},
        {"CONNECT", "a.example:80", "a.example", 405, "", "", "", 0},
        {"GET", "ftp://a.example/", "a.example", 400, "", "", "", 0},
        {"GET", "http:///x", "a.example", 400, "", "", "", 0},
        {"GET", "http://u@b.example/x", "a.example", 400, "", "", "", 0},
        {"GET", "/%", "a.example", 400, "", "", "", 0},
        {"GET", "/%00", "a.example", 400, "", "", "", 0},
        {"GET", "/../x", "a.example", 400, "", "", "", 0},
        {"GET", "/#x", "a.example", 400, "", "", "", 0},
        {"GET", "/", "a b", 400, "", "", "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct fixture f;
        struct exchange *x = open_request(&f, cases[i].method, cases[i].target, cases[i].host);
        enum err err = request_prepare(x);
        CHECK_INT(err, cases[i].status == 0 ? ERR_OK : ERR_PROTOCOL);
        CHECK_INT(x->resp.status, cases[i].status);
        CHECK_INT(x->request_id.len, 26);
        if (err == ERR_OK) {
            CHECK_STR(x->req.path, str_of(cases[i].want_path));
            CHECK_STR(x->req.host, str_of(cases[i].want_host));
            CHECK_STR(x->req.query, str_of(cases[i].want_query));
            CHECK_INT(x->req.port, cases[i].want_port);
        } else {
            CHECK_INT(x->end, EXCHANGE_END_CLIENT_PROTOCOL);
            CHECK(x->end_detail.len > 0);
        }
        arena_fini(&f.mem);
    }
}

static void forwards_are_counted_down(void)
{
    static const struct {
        const char *method, *field, *want;
        unsigned status;
    } cases[] = {
        {"OPTIONS", "2", "1", 0}, {"TRACE", "1", "0", 0}, {"OPTIONS", "0", "0", 200},
        {"TRACE", "0", "0", 405}, {"GET", "0", "0", 0},   {"OPTIONS", "x", "x", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct fixture f;
        struct exchange *x = open_request(&f, cases[i].method, "/", "a.example");
        CHECK(headers_add(&x->req.headers, FIELD_MAX_FORWARDS, str_of(cases[i].field)) == ERR_OK);
        CHECK_INT(request_prepare(x), cases[i].status == 0 ? ERR_OK : ERR_PROTOCOL);
        CHECK_INT(x->resp.status, cases[i].status);
        CHECK_STR(headers_get(&x->req.headers, FIELD_MAX_FORWARDS), str_of(cases[i].want));
        arena_fini(&f.mem);
    }
}

static void an_upgrade_is_remembered_when_its_fields_go(void)
{
    static struct fixture f;
    struct exchange *x = open_request(&f, "GET", "/", "a.example");
    x->req.is_upgrade = true;
    CHECK(headers_add(&x->req.headers, FIELD_UPGRADE, STR("websocket")) == ERR_OK);
    CHECK(headers_add(&x->req.headers, FIELD_CONNECTION, STR("upgrade")) == ERR_OK);
    CHECK_INT(request_prepare(x), ERR_OK);
    CHECK_STR(x->req.upgrade, STR("websocket"));
    CHECK(!headers_find(&x->req.headers, FIELD_UPGRADE));
    CHECK(!headers_find(&x->req.headers, FIELD_CONNECTION));
    arena_fini(&f.mem);
}

static void an_upgrade_to_http_2_is_none(void)
{
    static const char *const protocols[] = {"h2c", "H2C", "h2", "websocket, h2c"};
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        static struct fixture f;
        struct exchange *x = open_request(&f, "GET", "/", "a.example");
        x->req.is_upgrade = true;
        CHECK(headers_add(&x->req.headers, FIELD_UPGRADE, str_of(protocols[i])) == ERR_OK);
        CHECK_INT(request_prepare(x), ERR_OK);
        CHECK(!x->req.is_upgrade && x->req.upgrade.len == 0);
        CHECK(!headers_find(&x->req.headers, FIELD_UPGRADE));
        arena_fini(&f.mem);
    }
}

// The n-th allocation fails, for every n: an answer in any case, never a request half made.
static void a_full_arena_refuses_the_request(void)
{
    unsigned n_refused = 0, n_accepted = 0;
    for (size_t n = 0; n < 4096; n += 16) {
        static struct fixture f;
        struct exchange *x = open_request(&f, "GET", "/%61", "A.example:81");
        f.entry.x_forwarded = f.entry.x_real_ip = f.entry.forwarded = true;
        f.entry.via = STR("gate");
        arena_fini(&f.mem);
        arena_init(&f.mem, 0, f.home, n);
        headers_init(&x->req.headers, &f.mem);
        headers_init(&x->resp.headers, &f.mem);
        if (headers_add(&x->req.headers, FIELD_HOST, STR("A.example:81")) == ERR_OK) {
            enum err err = request_prepare(x);
            n_accepted += err == ERR_OK;
            n_refused += err != ERR_OK;
            CHECK_INT(x->resp.status, err == ERR_OK ? 0 : 431);
        }
        arena_fini(&f.mem);
    }
    CHECK(n_refused > 0 && n_accepted > 0);
}

TEST_MAIN(TEST(targets_become_canonical), TEST(forwards_are_counted_down),
          TEST(an_upgrade_is_remembered_when_its_fields_go), TEST(an_upgrade_to_http_2_is_none),
          TEST(a_full_arena_refuses_the_request))
