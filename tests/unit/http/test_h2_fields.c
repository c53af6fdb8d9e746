// SPDX-License-Identifier: Apache-2.0
#include "http/h2_fields.h"

#include "unit/test.h"

static char home[16384];

static const struct h1_limits limits = {
    .line_max_bytes = 64, .head_max_bytes = 1024, .fields_max = 12};

struct fixture {
    struct arena mem;
    struct headers h;
    struct h2_section s;
};

static void open_as(struct fixture *f, enum h2_section_kind kind)
{
    arena_init(&f->mem, 65536, home, sizeof home);
    headers_init(&f->h, &f->mem);
    h2_section_init(&f->s, kind, &f->h, &limits);
}

// "name=value|name=value"; each value goes to its end as it is.
static enum h2_error feed(struct fixture *f, const char *text)
{
    struct str rest = str_of(text), item;
    while (rest.len > 0) {
        str_cut(rest, '|', &item, &rest);
        size_t at = str_find(item, '=');
        h2_section_add(&f->s, str_first(item, at), str_skip(item, at + 1));
    }
    return h2_section_end(&f->s);
}

// "Name: value|Name: value|"
static struct str dump(const struct headers *h)
{
    static char text[4096];
    size_t n = 0;
    text[0] = '\0';
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
        n += (size_t)snprintf(text + n, sizeof text - n, STR_FMT ": " STR_FMT "|", STR_ARG(f->name),
                              STR_ARG(f->value));
    return str_from(text, n);
}

#define GET ":method=GET|:scheme=https|:authority=a.example|:path=/|"

static void a_request_becomes_an_exchanges_fields(void)
{
    struct fixture f;
    open_as(&f, H2_SECTION_REQUEST);
    CHECK(feed(&f, ":method=POST|:scheme=https|:authority=A.example:81|:path=/x?y|accept=*/*|"
                   "x-one=1|te=trailers|content-length=7|expect=100-continue") == H2_ERROR_NONE);
    CHECK_STR(f.s.method, STR("POST"));
    CHECK_STR(f.s.scheme, STR("https"));
    CHECK_STR(f.s.path, STR("/x?y"));
    CHECK_STR(f.s.protocol, STR(""));
    CHECK(f.s.takes_trailers && f.s.expects_continue);
    CHECK_INT(f.s.length, 7);
    CHECK_STR(dump(&f.h), STR("Accept: */*|x-one: 1|TE: trailers|Content-Length: 7|"
                              "Expect: 100-continue|Host: A.example:81|"));
    arena_fini(&f.mem);
}

static void cookies_are_joined_to_one_field(void)
{
    struct fixture f;
    open_as(&f, H2_SECTION_REQUEST);
    CHECK(feed(&f, GET "cookie=a=1|x-one=1|cookie=|cookie=b=2; c=3|cookie=d") == H2_ERROR_NONE);
    CHECK_STR(dump(&f.h), STR("Cookie: a=1; b=2; c=3; d|x-one: 1|Host: a.example|"));
    arena_fini(&f.mem);
}

static void host_stands_in_for_a_missing_authority_and_must_agree_with_it(void)
{
    struct fixture f;
    open_as(&f, H2_SECTION_REQUEST);
    CHECK(feed(&f, ":method=GET|:scheme=http|:path=/|host=a.example") == H2_ERROR_NONE);
    CHECK_STR(dump(&f.h), STR("Host: a.example|"));
    arena_fini(&f.mem);
    open_as(&f, H2_SECTION_REQUEST);
    CHECK(feed(&f, GET "host=A.EXAMPLE") == H2_ERROR_NONE);
    CHECK_STR(dump(&f.h), STR("Host: a.example|"));
    arena_fini(&f.mem);
}

static void a_port_that_is_the_schemes_makes_no_other_host(void)
{
    static const char *const same[] = {
        GET "host=a.example:443",
        GET "host=a.example:",
        ":method=GET|:scheme=http|:authority=a.example:80|:path=/|host=A.example",
        ":method=GET|:scheme=http|:authority=[::1]|:path=/|host=[::1]:80",
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        struct fixture f;
        open_as(&f, H2_SECTION_REQUEST);
        CHECK(feed(&f, same[i]) == H2_ERROR_NONE);
        arena_fini(&f.mem);
    }
}

struct refusal {
    const char *fields;
    enum h2_error error;
};

static void check_refusals(enum h2_section_kind kind, const struct refusal *cases, size_t n)
{
    for (const struct refusal *c = cases; c < cases + n; c++) {
        struct fixture f;
        open_as(&f, kind);
        enum h2_error e = feed(&f, c->fields);
        if (e != c->error)
            printf("# %s: %s\n", c->fields, h2_error_name(e));
        CHECK_INT(e, c->error);
        CHECK_INT(h2_section_end(&f.s), c->error);
        arena_fini(&f.mem);
    }
}

static void requests_that_break_the_rules_are_refused_by_name(void)
{
    static const struct refusal cases[] = {
        {GET "Accept=1", H2_ERROR_NAME}, // RFC 9113 8.2.1
        {GET "=1", H2_ERROR_NAME},
        {GET "a b=1", H2_ERROR_NAME},
        {GET "a:b=1", H2_ERROR_NAME},
        {GET "a\x80=1", H2_ERROR_NAME},
        {GET "a=1\r\nb: 2", H2_ERROR_VALUE},
        {GET "a=1\n", H2_ERROR_VALUE},
        {GET "a=\x7f", H2_ERROR_VALUE},
        {":method=GET|:scheme=https|:authority=a|:path=/\r", H2_ERROR_VALUE},
        {GET "a= 1", H2_ERROR_SPACE},
        {GET "a=1\t", H2_ERROR_SPACE},
        {GET "connection=close", H2_ERROR_HOP}, // 8.2.2
        {GET "proxy-connection=close", H2_ERROR_HOP},
        {GET "keep-alive=1", H2_ERROR_HOP},
        {GET "transfer-encoding=chunked", H2_ERROR_HOP},
        {GET "upgrade=websocket", H2_ERROR_HOP},
        {GET "http2-settings=x", H2_ERROR_HOP},
        {GET "te=gzip", H2_ERROR_TE},
        {GET "te=trailers, gzip", H2_ERROR_TE},
        {GET ":other=1", H2_ERROR_PSEUDO}, // 8.3
        {GET ":status=200", H2_ERROR_PSEUDO},
        {GET ":method=GET", H2_ERROR_PSEUDO_TWICE},
        {":method=GET|:scheme=https|a=1|:path=/", H2_ERROR_PSEUDO_ORDER},
        {":scheme=https|:authority=a|:path=/", H2_ERROR_PSEUDO_MISSING}, // 8.3.1
        {":method=GET|:authority=a|:path=/", H2_ERROR_PSEUDO_MISSING},
        {":method=GET|:scheme=https|:authority=a", H2_ERROR_PSEUDO_MISSING},
        {":method=G T|:scheme=https|:authority=a|:path=/", H2_ERROR_METHOD},
        {":method=|:scheme=https|:authority=a|:path=/", H2_ERROR_METHOD},
        {":method=GET|:scheme=ftp|:authority=a|:path=/", H2_ERROR_SCHEME},
        {":method=GET|:scheme=https|:authority=a|:path=", H2_ERROR_PATH},
        {":method=GET|:scheme=https|:authority=a|:path=http://b/", H2_ERROR_PATH},
        {":method=GET|:scheme=https|:authority=a|:path=*", H2_ERROR_PATH},
        {":method=GET|:scheme=https|:authority=a|:path=/ HTTP/1.1", H2_ERROR_PATH},
        {":method=GET|:scheme=https|:authority=a|"
         ":path=/234567890123456789012345678901234567890123456789012",
         H2_ERROR_PATH_LENGTH},
        {":method=GET|:scheme=https|:authority=|:path=/", H2_ERROR_HOST_MISSING},
        {":method=GET|:scheme=https|:path=/", H2_ERROR_HOST_MISSING},
        {":method=GET|:scheme=https|:path=/|host=", H2_ERROR_HOST_MISSING},
        {":method=GET|:scheme=https|:authority=a b|:path=/", H2_ERROR_HOST_FORM},
        {":method=GET|:scheme=https|:path=/|host=a b", H2_ERROR_HOST_FORM},
        {":method=CONNECT|:authority=a\xf8:443", H2_ERROR_HOST_FORM},
        {GET "host=a.example|host=a.example", H2_ERROR_HOST_TWICE},
        {GET "host=b.example", H2_ERROR_HOST_DIFFERS},
        {GET "host=a.example:80", H2_ERROR_HOST_DIFFERS},
        {GET "host=a.example:4443", H2_ERROR_HOST_DIFFERS},
        {":method=CONNECT|:scheme=https|:authority=a|:path=/", H2_ERROR_CONNECT}, // 8.5
        {":method=CONNECT", H2_ERROR_CONNECT},
        {GET ":protocol=websocket", H2_ERROR_CONNECT}, // RFC 8441 4
        {":method=CONNECT|:protocol=websocket|:scheme=https|:path=/", H2_ERROR_CONNECT},
        {":method=CONNECT|:protocol=websocket|:authority=a|:path=/", H2_ERROR_PSEUDO_MISSING},
        {":method=CONNECT|:protocol=a b|:authority=a|:scheme=https|:path=/", H2_ERROR_CONNECT},
        {GET "content-length=1|content-length=1", H2_ERROR_LENGTH_FORM},
        {GET "content-length=+1", H2_ERROR_LENGTH_FORM},
        {GET "content-length=1, 1", H2_ERROR_LENGTH_FORM},
        {GET "content-length=9223372036854775808", H2_ERROR_LENGTH_FORM},
        {GET "a=1|a=1|a=1|a=1|a=1|a=1|a=1|a=1|a=1", H2_ERROR_FIELD_COUNT},
    };
    check_refusals(H2_SECTION_REQUEST, cases, ARRAY_LEN(cases));
}

static void a_connect_is_one_of_its_two_kinds(void)
{
    struct fixture f;
    open_as(&f, H2_SECTION_REQUEST);
    CHECK(feed(&f, ":method=CONNECT|:authority=a:1") == H2_ERROR_NONE);
    arena_fini(&f.mem);
    open_as(&f, H2_SECTION_REQUEST);
    CHECK(feed(&f, ":method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=a") ==
          H2_ERROR_NONE);
    CHECK_STR(f.s.protocol, STR("websocket"));
    arena_fini(&f.mem);
}

static void a_long_section_is_refused_and_counted_on(void)
{
    struct fixture f;
    char value[300];
    memset(value, 'x', sizeof value);
    open_as(&f, H2_SECTION_REQUEST);
    for (int i = 0; i < 10; i++)
        h2_section_add(&f.s, STR("a"), str_from(value, sizeof value));
    CHECK_INT(h2_section_end(&f.s), H2_ERROR_HEAD_LENGTH);
    CHECK_INT(f.s.bytes, 10 * (1 + sizeof value + 32));
    CHECK(f.h.n == 3);
    arena_fini(&f.mem);
}

static void a_nul_is_refused_in_names_and_values(void)
{
    struct fixture f;
    open_as(&f, H2_SECTION_TRAILERS);
    h2_section_add(&f.s, STR("a"), STR("b\0c"));
    CHECK_INT(f.s.error, H2_ERROR_VALUE);
    arena_fini(&f.mem);
    open_as(&f, H2_SECTION_TRAILERS);
    h2_section_add(&f.s, STR("a\0b"), STR("c"));
    CHECK_INT(f.s.error, H2_ERROR_NAME);
    arena_fini(&f.mem);
}

static void a_full_arena_is_an_error(void)
{
    char small[256];
    struct arena mem;
    struct headers h;
    struct h2_section s;
    arena_init(&mem, 0, small, sizeof small);
    headers_init(&h, &mem);
    h2_section_init(&s, H2_SECTION_RESPONSE, &h, &limits);
    h2_section_add(&s, STR(":status"), STR("200"));
    h2_section_add(&s, STR("a"), STR("1"));
    CHECK_INT(h2_section_end(&s), H2_ERROR_MEMORY);
    struct h2_list l;
    h2_list_init(&l, &mem, NULL, 20, NULL);
    h2_list_add(&l, STR("a"), STR("1"));
    CHECK(l.is_failed && l.n == 0);
    arena_fini(&mem);
}

static void answers_have_a_status_and_nothing_of_requests(void)
{
    static const struct refusal cases[] = {
        {":status=200|server=x|te=trailers", H2_ERROR_HOP},
        {":status=200|connection=close", H2_ERROR_HOP},
        {":status=99", H2_ERROR_STATUS},
        {":status=600", H2_ERROR_STATUS},
        {":status=0200", H2_ERROR_STATUS},
        {":status=2 0", H2_ERROR_STATUS},
        {":status=101", H2_ERROR_STATUS}, // RFC 9113 8.6
        {":status=200|:path=/", H2_ERROR_PSEUDO},
        {"a=1", H2_ERROR_PSEUDO_MISSING},
        {":status=200|content-length=1|content-length=2", H2_ERROR_LENGTH_FORM},
        {":status=103|link=x", H2_ERROR_NONE},
    };
    check_refusals(H2_SECTION_RESPONSE, cases, ARRAY_LEN(cases));
    struct fixture f;
    open_as(&f, H2_SECTION_RESPONSE);
    CHECK(feed(&f, ":status=404|set-cookie=a|set-cookie=b|content-length=0") == H2_ERROR_NONE);
    CHECK_INT(f.s.status, 404);
    CHECK_INT(f.s.length, 0);
    CHECK_STR(dump(&f.h), STR("Set-Cookie: a|Set-Cookie: b|Content-Length: 0|"));
    arena_fini(&f.mem);
}

static void trailers_have_no_pseudo_headers_and_no_framing(void)
{
    static const struct refusal cases[] = {
        {":status=200", H2_ERROR_PSEUDO},       {":path=/", H2_ERROR_PSEUDO},
        {"content-length=1", H2_ERROR_TRAILER}, {"host=a", H2_ERROR_TRAILER},
        {"te=trailers", H2_ERROR_HOP},          {"transfer-encoding=chunked", H2_ERROR_HOP},
        {"sec-x=1", H2_ERROR_TRAILER},          {"grpc-status=0|grpc-message=", H2_ERROR_NONE},
    };
    check_refusals(H2_SECTION_TRAILERS, cases, ARRAY_LEN(cases));
}

static void priorities_are_read_and_what_is_malformed_is_ignored(void)
{
    static const struct {
        const char *value;
        uint32_t urgency;
        int inc;
    } cases[] = {
        {"", 3, 0},         {"u=0", 0, 0},       {"u=7, i", 7, 1},   {"i", 3, 1},
        {"i=?1,u=1", 1, 1}, {"i, i=?0", 3, 0},   {"u=8", 3, 0},      {"u=-1", 3, 0},
        {"u", 3, 0},        {"u=11, i=1", 3, 0}, {"x=5, u=2", 2, 0}, {",,u=2;a=b,u=4", 4, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        nghttp2_extpri p = h2_priority_parse(str_of(cases[i].value));
        CHECK_INT(p.urgency, cases[i].urgency);
        CHECK_INT(p.inc, cases[i].inc);
    }
}

static void data_is_held_against_the_length(void)
{
    struct h2_length any = {.wanted = -1}, five = {.wanted = 5};
    CHECK(h2_length_add(&any, 100) && h2_length_is_whole(&any));
    CHECK(h2_length_add(&five, 3) && !h2_length_is_whole(&five));
    CHECK(h2_length_add(&five, 2) && h2_length_is_whole(&five));
    CHECK(!h2_length_add(&five, 1) && !h2_length_is_whole(&five));
}

static struct str list_text(const struct h2_list *l)
{
    static char text[1024];
    size_t n = 0;
    for (const nghttp2_nv *v = l->items; v < l->items + l->n; v++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s=%.*s%s|", (int)v->namelen,
                              (const char *)v->name, (int)v->valuelen, (const char *)v->value,
                              v->flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "");
    return str_from(text, n);
}

static void fields_are_sent_in_lower_case_without_those_of_the_hop(void)
{
    struct fixture f;
    open_as(&f, H2_SECTION_RESPONSE);
    const struct field fields[] = {
        FIELD(FIELD_CONNECTION, STR("close")),
        FIELD(FIELD_STRICT_TRANSPORT_SECURITY, STR("max-age=1")),
        {.name = STR("X-One"), .value = STR("1")},
        {.name = STR("x-two"), .value = STR("")},
        FIELD(FIELD_TRANSFER_ENCODING, STR("chunked")),
        FIELD(FIELD_SET_COOKIE, STR("a=1")),
        FIELD(FIELD_VIA, STR("b")),
        FIELD(FIELD_COOKIE, STR("short")),
        FIELD(FIELD_COOKIE, STR("longer-than-anyone-guesses")),
        FIELD(FIELD_AUTHORIZATION, STR("c")),
    };
    CHECK(headers_take(&f.h, fields, ARRAY_LEN(fields)) == ERR_OK);
    struct h2_list l;
    h2_list_init(&l, &f.mem, NULL, 2, &f.h);
    h2_list_add(&l, STR(":status"), STR("200"));
    h2_list_add_number(&l, STR("content-length"), 18446744073709551615u);
    h2_list_add_headers(&l, &f.h, FIELD_BIT(FIELD_VIA));
    CHECK(!l.is_failed);
    CHECK_STR(list_text(&l),
              STR(":status=200|content-length=18446744073709551615|"
                  "strict-transport-security=max-age=1|x-one=1|x-two=|set-cookie=a=1!|"
                  "cookie=short!|cookie=longer-than-anyone-guesses|authorization=c!|"));
    arena_fini(&f.mem);
}

TEST_MAIN(TEST(a_request_becomes_an_exchanges_fields), TEST(cookies_are_joined_to_one_field),
          TEST(host_stands_in_for_a_missing_authority_and_must_agree_with_it),
          TEST(a_port_that_is_the_schemes_makes_no_other_host),
          TEST(requests_that_break_the_rules_are_refused_by_name),
          TEST(a_connect_is_one_of_its_two_kinds), TEST(a_long_section_is_refused_and_counted_on),
          TEST(a_nul_is_refused_in_names_and_values), TEST(a_full_arena_is_an_error),
          TEST(answers_have_a_status_and_nothing_of_requests),
          TEST(trailers_have_no_pseudo_headers_and_no_framing),
          TEST(priorities_are_read_and_what_is_malformed_is_ignored),
          TEST(data_is_held_against_the_length),
          TEST(fields_are_sent_in_lower_case_without_those_of_the_hop))
