// SPDX-License-Identifier: Apache-2.0
#include "gate/access_log.h"

#include "gate/settings.h"
#include "http/env.h"
#include "unit/test.h"

#define WALL_NS 971186136123000000 // 2000-10-10T13:55:36.123Z

static struct arena mem;
static struct exchange x;
static struct http_entry entry = {.name = STR_INIT("web")};
static struct conf_text secrets[] = {{.text = STR_INIT("token")}, {.text = STR_INIT("Cookie")}};

static void fill_exchange(void)
{
    arena_fini(&mem);
    arena_init(&mem, 1 << 20, NULL, 0);
    x = (struct exchange){.mem = &mem, .entry = &entry};
    headers_init(&x.req.headers, &mem);
    headers_init(&x.resp.headers, &mem);
    x.req.method = STR("GET");
    x.req.version = HTTP_1_1;
    x.req.target = STR("/a?b=1&token=abc&c=2");
    x.req.host = STR("app.example");
    x.req.path = STR("/a");
    CHECK_INT(ip_parse(STR("192.0.2.7"), &x.client), ERR_OK);
    x.peer = x.client;
    x.resp.status = 200;
    x.response_bytes = 1024;
    x.request_id = STR("id1");
    x.times = (struct exchange_times){.accepted = 1000000, .finished = 3512345};
}

static struct str line_of(const char *format)
{
    static char buf[ACCESS_LOG_LINE_MAX_BYTES];
    struct access_log_conf conf = {
        .is_on = true,
        .format = {.text = str_of(format)},
        .redact = {.items = secrets, .n = ARRAY_LEN(secrets)},
    };
    struct access_log *log = access_log_build(&conf, &mem);
    CHECK(log != NULL);
    return str_from(buf, access_log_write(log, &x, WALL_NS, buf, sizeof buf));
}

static void common_lines_look_as_those_of_apache(void)
{
    fill_exchange();
    CHECK_STR(line_of("common"), STR("192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "
                                     "\"GET /a?b=1&token=***&c=2 HTTP/1.1\" 200 1024\n"));
}

static void combined_lines_end_with_referer_and_agent(void)
{
    fill_exchange();
    CHECK_INT(headers_add(&x.req.headers, FIELD_REFERER, STR("http://r/?token=xyz")), ERR_OK);
    CHECK_INT(headers_add(&x.req.headers, FIELD_USER_AGENT, STR("a\"b\x1b")), ERR_OK);
    CHECK(str_ends(line_of("combined"), STR("\"http://r/?token=***\" \"a\\x22b\\x1b\"\n")));
}

static void secrets_are_redacted_however_their_names_are_written(void)
{
    static const struct {
        const char *target, *wanted;
    } cases[] = {
        {"/?token=a", "/?token=***\n"},
        {"/?TOKEN=abc", "/?TOKEN=***\n"},
        {"/?t%6Fken=abc", "/?t%6Fken=***\n"},
        {"/?a=1&token=", "/?a=1&token=\n"},
        {"/?token", "/?token\n"},
        {"/?tokens=abc", "/?tokens=abc\n"},
        {"/?x=1?token=2&y", "/?x=1?token=2&y\n"},
        {"/?&&token=abcdef&", "/?&&token=***&\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fill_exchange();
        x.req.target = str_of(cases[i].target);
        CHECK_STR(line_of("{target}"), str_of(cases[i].wanted));
    }
}

static void own_formats_name_fields_and_headers(void)
{
    fill_exchange();
    CHECK_INT(headers_add(&x.req.headers, FIELD_COOKIE, STR("session=1")), ERR_OK);
    CHECK_INT(headers_add_named(&x.resp.headers, STR("X-Cache"), STR("hit")), ERR_OK);
    CHECK_STR(line_of("{request-id} {method} {host}{path} {ms-total} {ms-connect} "
                      "{header:Cookie} {answer-header:x-cache} {header:Via}"),
              STR("id1 GET app.example/a 2.512 - *** hit -\n"));
}

static void json_lines_have_every_field_with_its_type(void)
{
    fill_exchange();
    trail_add(&x.trail, STR("route"), "matched", STR("a"));
    struct str line = line_of("json");
    CHECK(str_starts(line, STR("{\"time\":\"2000-10-10T13:55:36.123Z\",\"request-id\":\"id1\"")));
    CHECK(str_search(line, STR("\"status\":200,")) != STR_NPOS);
    CHECK(str_search(line, STR("\"ms-connect\":null,")) != STR_NPOS);
    CHECK(str_search(line, STR("\"target\":\"/a?b=1&token=***&c=2\"")) != STR_NPOS);
    CHECK(str_search(line, STR("\"trail\":\"route matched (a)\"")) != STR_NPOS);
    CHECK(str_ends(line, STR("}\n")));
}

static void an_exchange_without_a_request_has_a_line_too(void)
{
    fill_exchange();
    x.req = (struct request){.version = HTTP_1_1};
    headers_init(&x.req.headers, &mem);
    x.resp.status = 400;
    CHECK(str_search(line_of("common"), STR("\"-\" 400")) != STR_NPOS);
}

static void wrong_formats_are_refused_with_what_is_allowed(void)
{
    static const char *const cases[] = {"combinde",  "{nothing}", "{status",
                                        "{header:}", "{a:b}",     ""};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags diags = {.n = 0};
        struct conf_text text = {.text = str_of(cases[i])};
        CHECK(access_log_check_format(&text, &diags) != ERR_OK);
        CHECK_INT(diags.n_errors, 1);
        diags_fini(&diags);
    }
}

static void a_line_that_does_not_fit_is_not_written(void)
{
    fill_exchange();
    struct access_log_conf conf = {.is_on = true, .format = {.text = STR("common")}};
    struct access_log *log = access_log_build(&conf, &mem);
    char buf[64];
    CHECK_INT(access_log_write(log, &x, WALL_NS, buf, sizeof buf), 0);
    arena_fini(&mem);
}

TEST_MAIN(TEST(common_lines_look_as_those_of_apache),
          TEST(combined_lines_end_with_referer_and_agent),
          TEST(secrets_are_redacted_however_their_names_are_written),
          TEST(own_formats_name_fields_and_headers),
          TEST(json_lines_have_every_field_with_its_type),
          TEST(an_exchange_without_a_request_has_a_line_too),
          TEST(wrong_formats_are_refused_with_what_is_allowed),
          TEST(a_line_that_does_not_fit_is_not_written))
