// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include "codec/h1.h"
#include "unit/test.h"

static char home[16384];

struct fixture {
    struct arena mem;
    struct headers h;
};

static void open_with(struct fixture *f, const struct field *fields, size_t n)
{
    arena_init(&f->mem, 65536, home, sizeof home);
    headers_init(&f->h, &f->mem);
    CHECK(headers_take(&f->h, fields, n) == ERR_OK);
}

// "Name: value|Name: value|"
static struct str dump(const struct headers *h)
{
    static char text[4096];
    size_t n = 0;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
        n += (size_t)snprintf(text + n, sizeof text - n, STR_FMT ": " STR_FMT "|", STR_ARG(f->name),
                              STR_ARG(f->value));
    return str_from(text, n);
}

#define OTHER(name_, value_)                                                                       \
    ((struct field){.name = STR(name_), .value = STR(value_), .id = FIELD_OTHER})

static void names_compare_in_any_case(void)
{
    struct fixture f;
    const struct field fields[] = {FIELD(FIELD_HOST, STR("a")), OTHER("X-One", "1")};
    open_with(&f, fields, 2);
    CHECK_STR(headers_get(&f.h, FIELD_HOST), STR("a"));
    CHECK_STR(headers_get(&f.h, FIELD_COOKIE), STR(""));
    CHECK(headers_find_named(&f.h, STR("x-one")) != NULL);
    CHECK(headers_find_named(&f.h, STR("HOST")) == headers_find(&f.h, FIELD_HOST));
    CHECK(headers_find_named(&f.h, STR("X-Two")) == NULL);
    arena_fini(&f.mem);
}

static void set_replaces_all_of_a_name_in_place(void)
{
    struct fixture f;
    const struct field fields[] = {
        OTHER("A", "1"),
        FIELD(FIELD_VIA, STR("x")),
        OTHER("a", "2"),
        FIELD(FIELD_VIA, STR("y")),
    };
    open_with(&f, fields, ARRAY_LEN(fields));
    CHECK(headers_set(&f.h, FIELD_VIA, STR("z")) == ERR_OK);
    CHECK(headers_set_named(&f.h, STR("A"), STR("3")) == ERR_OK);
    CHECK(headers_set_named(&f.h, STR("age"), STR("4")) == ERR_OK);
    CHECK_STR(dump(&f.h), STR("A: 3|Via: z|age: 4|"));
    CHECK_STR(headers_get(&f.h, FIELD_AGE), STR("4"));
    arena_fini(&f.mem);
}

static void removed_fields_are_gone_and_can_come_back(void)
{
    struct fixture f;
    const struct field fields[] = {OTHER("A", "1"), FIELD(FIELD_VIA, STR("x")), OTHER("a", "2")};
    open_with(&f, fields, ARRAY_LEN(fields));
    CHECK_INT(headers_remove_named(&f.h, STR("a")), 2);
    CHECK_INT(headers_remove(&f.h, FIELD_VIA), 1);
    CHECK_INT(headers_remove(&f.h, FIELD_VIA), 0);
    CHECK_STR(dump(&f.h), STR(""));
    CHECK(headers_find_named(&f.h, STR("")) == NULL);
    CHECK(headers_add(&f.h, FIELD_VIA, STR("y")) == ERR_OK);
    CHECK_STR(headers_get(&f.h, FIELD_VIA), STR("y"));
    arena_fini(&f.mem);
}

static void hop_by_hop_fields_and_what_connection_names_are_removed(void)
{
    struct fixture f;
    const struct field fields[] = {
        FIELD(FIELD_CONNECTION, STR("close, x-hop ,Host,, Cookie")),
        FIELD(FIELD_HOST, STR("h")),
        OTHER("X-Hop", "1"),
        OTHER("X-End", "2"),
        FIELD(FIELD_CONNECTION, STR("X-Hop-Too")),
        OTHER("x-hop-too", "3"),
        FIELD(FIELD_COOKIE, STR("c")),
        FIELD(FIELD_KEEP_ALIVE, STR("5")),
        FIELD(FIELD_TE, STR("trailers")),
        FIELD(FIELD_TRAILER, STR("X")),
        FIELD(FIELD_TRANSFER_ENCODING, STR("chunked")),
        FIELD(FIELD_UPGRADE, STR("x")),
        FIELD(FIELD_PROXY_AUTHORIZATION, STR("x")),
        FIELD(FIELD_HTTP2_SETTINGS, STR("x")),
    };
    open_with(&f, fields, ARRAY_LEN(fields));
    headers_remove_hop_by_hop(&f.h);
    CHECK_STR(dump(&f.h), STR("Host: h|X-End: 2|Cookie: c|Trailer: X|"));
    arena_fini(&f.mem);
}

static void a_full_arena_is_an_error_and_leaves_what_was_there(void)
{
    struct arena mem;
    struct headers h;
    static char small[800];
    arena_init(&mem, 0, small, sizeof small);
    headers_init(&h, &mem);
    size_t n = 0;
    while (headers_add(&h, FIELD_VIA, STR("x")) == ERR_OK)
        n++;
    CHECK(n > 0 && n < 30);
    CHECK_INT(headers_remove(&h, FIELD_VIA), n);
    arena_fini(&mem);
}

static void fields_are_written_as_received_or_anew(void)
{
    static const char head[] =
        "GET / HTTP/1.1\r\nHost: a\r\nAge: 1\r\nX-One:  2\r\nVia: b\r\nX-Two:\r\nDate: c\r\n\r\n";
    static const char wanted[] =
        "Host: a\r\nX-One: 2\r\nVia: d\r\nX-Two: \r\nDate: c\r\nX-Three: 3\r\n";
    const struct h1_limits limits = {
        .line_max_bytes = 80, .head_max_bytes = 4096, .fields_max = 16};
    struct field fields[16];
    struct h1_request r;
    size_t used;
    enum h1_error error;
    CHECK(h1_request_parse(str_of(head), &limits, fields, &r, &used, &error) == IO_DONE);
    CHECK(fields[0].line_bytes == 9 && fields[2].line_bytes == 0);

    struct fixture f;
    open_with(&f, fields, r.n_fields);
    CHECK(headers_set(&f.h, FIELD_VIA, STR("d")) == ERR_OK);
    CHECK(headers_add_named(&f.h, STR("X-Three"), STR("3")) == ERR_OK);
    char text[128];
    for (size_t cap = 0; cap <= sizeof text; cap++) {
        struct writer w;
        writer_init(&w, text, cap);
        headers_write(&w, &f.h, FIELD_BIT(FIELD_AGE));
        CHECK(w.overflowed == (cap < sizeof wanted - 1));
        if (!w.overflowed)
            CHECK_STR(writer_str(&w), str_of(wanted));
    }
    CHECK(headers_bytes(&f.h) == sizeof wanted - 1 + STR("Age: 1\r\n").len);
    CHECK(headers_remove(&f.h, FIELD_HOST) == 1);
    f.h.items[5].value = STR("other");
    struct writer w;
    writer_init(&w, text, sizeof text);
    headers_write(&w, &f.h, 0);
    CHECK_STR(writer_str(&w), STR("Age: 1\r\nX-One: 2\r\nVia: d\r\nX-Two: \r\nDate: other\r\n"
                                  "X-Three: 3\r\n"));
    arena_fini(&f.mem);
}

TEST_MAIN(TEST(names_compare_in_any_case), TEST(set_replaces_all_of_a_name_in_place),
          TEST(removed_fields_are_gone_and_can_come_back),
          TEST(hop_by_hop_fields_and_what_connection_names_are_removed),
          TEST(a_full_arena_is_an_error_and_leaves_what_was_there),
          TEST(fields_are_written_as_received_or_anew))
