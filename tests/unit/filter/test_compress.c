// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/bodies.h"
#include "unit/test.h"
#include "zip/decoder.h"

#define LONG_BYTES 4000

static char long_text[LONG_BYTES + 1];

struct case_of {
    const char *method, *accept; // NULL: GET; no field
    unsigned status;             // 0: 200
    const char *fields[8];       // of the answer
    bool has_vary;
    const char *coding; // NULL: not packed
};

static const struct case_of answers[] = {
    // What the client takes.
    {.accept = "gzip, br, zstd",
     .fields = {"Content-Type", "text/html"},
     .has_vary = true,
     .coding = "zstd"},
    {.accept = "gzip, br",
     .fields = {"Content-Type", "text/html"},
     .has_vary = true,
     .coding = "br"},
    {.accept = "gzip", .fields = {"Content-Type", "text/html"}, .has_vary = true, .coding = "gzip"},
    {.accept = "gzip, br;q=0.5",
     .fields = {"Content-Type", "text/html"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "deflate", .fields = {"Content-Type", "text/html"}, .has_vary = true},
    {.accept = "gzip;q=0", .fields = {"Content-Type", "text/html"}, .has_vary = true},
    {.accept = "gzip;level=1", .fields = {"Content-Type", "text/html"}, .has_vary = true},
    {.fields = {"Content-Type", "text/html"}, .has_vary = true},
    // What the answer is.
    {.accept = "gzip",
     .fields = {"Content-Type", "TEXT/HTML ; charset=utf-8"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "gzip",
     .fields = {"Content-Type", "application/problem+json"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "gzip",
     .fields = {"Content-Type", "image/svg+xml"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "gzip", .fields = {"Content-Type", "image/png"}},
    {.accept = "gzip", .fields = {"Content-Type", "+json"}, .has_vary = true, .coding = "gzip"},
    {.accept = "gzip", .fields = {"Content-Type", "json"}},
    {.accept = "gzip", .fields = {"X", "no type at all"}},
    {.accept = "gzip", .fields = {"Content-Type", "text/html", "Content-Encoding", "br"}},
    {.accept = "gzip",
     .fields = {"Content-Type", "text/html", "Cache-Control", "public, No-Transform"}},
    {.accept = "gzip",
     .fields = {"Content-Type", "text/html", "Cache-Control", "public"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "gzip", .fields = {"Content-Type", "text/html", "Repr-Digest", "sha-256=:abc:"}},
    {.accept = "gzip",
     .status = 206,
     .fields = {"Content-Type", "text/html", "Content-Range", "bytes 0-9/99"}},
    {.accept = "gzip", .status = 416, .fields = {"Content-Type", "text/html"}},
    {.accept = "gzip",
     .status = 404,
     .fields = {"Content-Type", "text/html"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "gzip",
     .status = 500,
     .fields = {"Content-Type", "text/html"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "gzip",
     .method = "POST",
     .fields = {"Content-Type", "text/html"},
     .has_vary = true,
     .coding = "gzip"},
    {.accept = "gzip",
     .fields = {"Content-Type", "text/html", "Vary", "Origin, accept-encoding"},
     .has_vary = true,
     .coding = "gzip"},
};

static void check_one(const void *arg)
{
    const struct case_of *c = arg;
    struct bodies b;
    struct script s;
    const struct str pieces[] = {str_of(long_text)};
    struct exchange *x = bodies_start(&b, &filter_compress, "{}", c->method ? c->method : "GET");
    if (c->accept)
        fixture_field(&b.e, "Accept-Encoding", c->accept);
    b.server.status = c->status ? c->status : 200;
    b.server.fields = c->fields;
    b.server.body = script_init(&s, pieces, 1);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    size_t n_vary = 0;
    for (const struct field *f = headers_next(&x->resp.headers, NULL); f;
         f = headers_next(&x->resp.headers, f))
        n_vary += f->id == FIELD_VARY;
    CHECK_INT(n_vary, c->has_vary);
    bool was_packed =
        headers_find(&x->resp.headers, FIELD_CONTENT_ENCODING) != NULL && x->resp.body != &s.body;
    CHECK_INT(was_packed, c->coding != NULL);
    if (c->coding)
        CHECK_STR(bodies_field(&b, "Content-Encoding"), str_of(c->coding));
    CHECK_INT(x->resp.body->length, -1);
    CHECK_INT(x->trail.n, 1);
    CHECK_INT(b.env.stats.counters[HTTP_COUNTER_COMPRESSED], c->coding != NULL);
    enum io end;
    struct text got = bodies_read(x->resp.body, &end);
    CHECK_INT(end, IO_EOF);
    CHECK_INT(got.len < LONG_BYTES / 2, c->coding != NULL);
    text_fini(&got);
    bodies_end(&b);
    CHECK_INT(s.n_fini, 1);
}

static void what_is_packed_and_by_what(void)
{
    memset(long_text, 'a', LONG_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        bool failed = test_failed;
        test_failed = false;
        run_on_fiber(check_one, &answers[i]);
        if (test_failed)
            printf("# case %zu: %s, %s: %s\n", i, answers[i].accept, answers[i].fields[0],
                   answers[i].fields[1]);
        test_failed |= failed;
    }
}

static struct text unpack(struct str in, enum coding coding)
{
    struct zip_heap heap = {.n_kept = 0};
    struct zip_decoder *d = zip_decoder_new(&heap, coding, SIZE_MAX);
    struct text all = {.ptr = NULL};
    char room[1000];
    enum io io;
    do {
        struct writer w;
        writer_init(&w, room, sizeof room);
        io = zip_decoder_run(d, &in, &w);
        text_put(&all, writer_str(&w));
    } while (io == IO_AGAIN);
    CHECK_INT(io, IO_DONE);
    CHECK(zip_decoder_is_whole(d));
    zip_decoder_free(d);
    zip_heap_fini(&heap);
    return all;
}

static void check_bytes(const void *arg)
{
    const char *accept = arg;
    enum coding coding;
    CHECK(coding_find(str_of(accept), &coding));
    size_t n = 300000;
    char *bytes = mem_alloc_raw(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)('a' + (i * i / 7 + i / 9999) % 8);
    struct str whole = str_from(bytes, n);
    const struct str pieces[] = {
        str_first(whole, 1), {NULL, 0}, {bytes + 1, 99999}, {NULL, 0}, str_skip(whole, 100000)};
    for (int known = 0; known <= 1; known++) {
        struct bodies b;
        struct script s;
        struct exchange *x = bodies_start(&b, &filter_compress, "{}", "GET");
        fixture_field(&b.e, "Accept-Encoding", accept);
        b.server.fields = (const char *const[]){"Content-Type", "text/plain", NULL};
        b.server.body = script_init(&s, pieces, ARRAY_LEN(pieces));
        s.body.length = known ? (int64_t)n : -1;
        CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
        enum io end;
        struct text small = bodies_read(x->resp.body, &end);
        CHECK_INT(end, IO_EOF);
        CHECK(small.len < n / 2);
        struct text again = unpack(text_str(&small), coding);
        CHECK(str_eq(text_str(&again), whole));
        struct str piece;
        CHECK_INT(body_read(x->resp.body, &piece, BODY_NO_WAIT), IO_EOF);
        text_fini(&again);
        text_fini(&small);
        bodies_end(&b);
    }
    mem_free(bytes);
}

static void bytes_survive_in_pieces_and_with_pauses(void)
{
    run_on_fiber(check_bytes, "zstd");
    run_on_fiber(check_bytes, "br");
    run_on_fiber(check_bytes, "gzip");
}

// Two events and a pause behind each: the first can be read before the second has come.
static void check_pause(const void *arg)
{
    const char *accept = arg;
    enum coding coding;
    CHECK(coding_find(str_of(accept), &coding));
    const struct str pieces[] = {STR("data: one\n\n"), STR_NONE, STR("data: two\n\n"), STR_NONE};
    static const char *const seen[] = {"data: one\n\n", "data: two\n\n"};
    struct bodies b;
    struct script s;
    struct exchange *x = bodies_start(&b, &filter_compress, "{}", "GET");
    fixture_field(&b.e, "Accept-Encoding", accept);
    b.server.fields = (const char *const[]){"Content-Type", "text/event-stream", NULL};
    b.server.body = script_init(&s, pieces, ARRAY_LEN(pieces));
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    struct zip_heap heap = {.n_kept = 0};
    struct zip_decoder *d = zip_decoder_new(&heap, coding, SIZE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        struct str piece = STR_NONE;
        CHECK_INT(body_read(x->resp.body, &piece, deadline_at(INT64_MAX)), IO_DONE);
        char room[100];
        struct writer w;
        writer_init(&w, room, sizeof room);
        CHECK_INT(zip_decoder_run(d, &piece, &w), IO_DONE);
        CHECK_STR(writer_str(&w), str_of(seen[i]));
        CHECK_INT(s.at, 2 * i + 1); // the pause behind it lies still ahead
    }
    zip_decoder_free(d);
    zip_heap_fini(&heap);
    bodies_end(&b);
}

static void what_has_come_goes_out_when_the_server_pauses(void)
{
    run_on_fiber(check_pause, "zstd");
    run_on_fiber(check_pause, "br");
    run_on_fiber(check_pause, "gzip");
}

static void check_fields(const void *arg)
{
    (void)arg;
    static const struct {
        const char *etag, *wanted;
    } tags[] = {{"\"abc\"", "W/\"abc\""}, {"W/\"abc\"", "W/\"abc\""}};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        struct bodies b;
        struct script s;
        const struct str pieces[] = {str_of(long_text)};
        struct exchange *x = bodies_start(&b, &filter_compress, "{}", "GET");
        fixture_field(&b.e, "Accept-Encoding", "gzip");
        b.server.fields = (const char *const[]){"Content-Type", "text/plain",     "Accept-Ranges",
                                                "bytes",        "Content-Length", "4000",
                                                "ETag",         tags[i].etag,     NULL};
        b.server.body = script_init(&s, pieces, 1);
        s.body.length = LONG_BYTES;
        CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
        CHECK_STR(bodies_field(&b, "ETag"), str_of(tags[i].wanted));
        CHECK_STR(bodies_field(&b, "Accept-Ranges"), STR_NONE);
        CHECK_STR(bodies_field(&b, "Content-Length"), STR_NONE);
        CHECK_INT(x->resp.body->length, -1);
        bodies_end(&b);
    }
}

static void tags_are_weakened_and_lengths_and_ranges_dropped(void)
{
    run_on_fiber(check_fields, NULL);
}

static void check_head(const void *arg)
{
    (void)arg;
    static const struct {
        const char *length; // NULL: none
        bool is_packed;
    } lengths[] = {{"4000", true}, {"100", false}, {NULL, true}};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct bodies b;
        struct exchange *x = bodies_start(&b, &filter_compress, "{}", "HEAD");
        fixture_field(&b.e, "Accept-Encoding", "gzip");
        b.server.fields = (const char *const[]){"Content-Type",
                                                "text/plain",
                                                "ETag",
                                                "\"a\"",
                                                lengths[i].length ? "Content-Length" : NULL,
                                                lengths[i].length,
                                                NULL};
        CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
        CHECK_STR(bodies_field(&b, "Vary"), STR("Accept-Encoding"));
        CHECK_STR(bodies_field(&b, "Content-Encoding"),
                  lengths[i].is_packed ? STR("gzip") : STR_NONE);
        CHECK_STR(bodies_field(&b, "ETag"), lengths[i].is_packed ? STR("W/\"a\"") : STR("\"a\""));
        CHECK_STR(bodies_field(&b, "Content-Length"), lengths[i].is_packed ? STR_NONE : STR("100"));
        CHECK(!x->resp.body);
        bodies_end(&b);
    }
}

static void heads_alone_say_what_a_get_would(void)
{
    run_on_fiber(check_head, NULL);
}

static void not_modified_names_the_tag_that_the_client_has(void)
{
    static const struct {
        const char *type, *has, *tag, *wanted;
        bool has_vary;
    } cases_304[] = {
        {"text/html", "W/\"a\"", "\"a\"", "W/\"a\"", true},
        {NULL, "\"x\", W/\"a\"", "\"a\"", "W/\"a\"", true},
        {"text/html", "\"a\"", "\"a\"", "\"a\"", true},
        {"text/html", "W/\"b\"", "\"a\"", "\"a\"", true},
        {"image/png", "W/\"a\"", "\"a\"", "\"a\"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases_304); i++) {
        struct bodies b;
        struct exchange *x = bodies_start(&b, &filter_compress, "{}", "GET");
        fixture_field(&b.e, "Accept-Encoding", "gzip");
        fixture_field(&b.e, "If-None-Match", cases_304[i].has);
        b.server.status = 304;
        b.server.fields = (const char *const[]){"ETag", cases_304[i].tag,
                                                cases_304[i].type ? "Content-Type" : NULL,
                                                cases_304[i].type, NULL};
        CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
        CHECK_STR(bodies_field(&b, "ETag"), str_of(cases_304[i].wanted));
        CHECK_INT(bodies_field(&b, "Vary").len > 0, cases_304[i].has_vary);
        CHECK_STR(bodies_field(&b, "Content-Encoding"), STR_NONE);
        bodies_end(&b);
    }
}

struct short_case {
    const char *accept;
    int64_t length;
    uint8_t version;
    bool is_packed;
};

static void check_short(const void *arg)
{
    const struct short_case *c = arg;
    struct bodies b;
    struct script s;
    const struct str pieces[] = {STR("short")};
    struct exchange *x = bodies_start(&b, &filter_compress, "{}", "GET");
    x->req.version = c->version;
    fixture_field(&b.e, "Accept-Encoding", c->accept);
    b.server.fields = (const char *const[]){"Content-Type", "text/plain", NULL};
    b.server.body = script_init(&s, pieces, 1);
    s.body.length = c->length;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(bodies_field(&b, "Content-Encoding").len > 0, c->is_packed);
    CHECK_STR(bodies_field(&b, "Vary"), STR("Accept-Encoding"));
    bodies_end(&b);
}

static void short_answers_stay_unless_the_client_refuses_them_so(void)
{
    static const struct short_case short_cases[] = {
        {"gzip", 5, HTTP_1_1, false},  {"gzip, identity;q=0", 5, HTTP_1_1, true},
        {"gzip", -1, HTTP_1_1, true},  {"gzip", -1, HTTP_2, true},
        {"gzip", -1, HTTP_1_0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(short_cases); i++)
        run_on_fiber(check_short, &short_cases[i]);
}

static void check_no_transform(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    struct exchange *x = bodies_start(&b, &filter_compress, "{}", "GET");
    fixture_field(&b.e, "Accept-Encoding", "gzip");
    fixture_field(&b.e, "Cache-Control", "no-transform");
    b.server.fields = (const char *const[]){"Content-Type", "text/plain", NULL};
    b.server.body = script_init(&s, NULL, 0);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_STR(bodies_field(&b, "Content-Encoding"), STR_NONE);
    bodies_end(&b);
}

static void clients_can_forbid_it(void)
{
    run_on_fiber(check_no_transform, NULL);
}

static void check_grpc(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    struct exchange *x = bodies_start(&b, &filter_compress, "{ types: \"*\" }", "POST");
    fixture_field(&b.e, "Accept-Encoding", "gzip");
    fixture_field(&b.e, "Content-Type", "application/grpc");
    b.server.fields = (const char *const[]){"Content-Type", "application/grpc", NULL};
    b.server.body = script_init(&s, NULL, 0);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_STR(bodies_field(&b, "Content-Encoding"), STR_NONE);
    bodies_end(&b);
}

static void grpc_is_left_alone(void)
{
    run_on_fiber(check_grpc, NULL);
}

// Settings allow no less than 8 MiB; whoever holds memory already is made up.
static void check_memory(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    struct zip_share other;
    const struct str pieces[] = {str_of(long_text)};
    struct exchange *x = bodies_start(&b, &filter_compress, "{ memory-max: 8MiB }", "GET");
    CHECK(zip_share_take(&other, &b.env.zip, (8 << 20) - 1000, SIZE_MAX));
    fixture_field(&b.e, "Accept-Encoding", "gzip");
    b.server.fields = (const char *const[]){"Content-Type", "text/plain", NULL};
    b.server.body = script_init(&s, pieces, 1);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_STR(bodies_field(&b, "Content-Encoding"), STR_NONE);
    CHECK_INT(b.env.stats.counters[HTTP_COUNTER_NOT_COMPRESSED], 1);
    CHECK(x->resp.body == &s.body);
    zip_share_end(&other);
    bodies_end(&b);
}

static void beyond_its_memory_answers_go_out_as_they_are_and_are_counted(void)
{
    run_on_fiber(check_memory, NULL);
}

static void check_broken(const void *arg)
{
    const int64_t *length = arg;
    struct bodies b;
    struct script s;
    const struct str pieces[] = {str_of(long_text)};
    struct exchange *x = bodies_start(&b, &filter_compress, "{ codings: zstd }", "GET");
    fixture_field(&b.e, "Accept-Encoding", "zstd");
    b.server.fields = (const char *const[]){"Content-Type", "text/plain", NULL};
    b.server.body = script_init(&s, pieces, 1);
    s.body.length = *length;
    s.fails = *length < 0;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    enum io end;
    struct text got = bodies_read(x->resp.body, &end);
    CHECK_INT(end, IO_FAIL);
    struct str piece;
    CHECK_INT(body_read(x->resp.body, &piece, BODY_NO_WAIT), IO_FAIL);
    text_fini(&got);
    bodies_end(&b);
}

static void what_breaks_off_or_has_another_length_is_never_whole(void)
{
    run_on_fiber(check_broken, (int64_t[]){-1});
    run_on_fiber(check_broken, (int64_t[]){LONG_BYTES + 1});
    run_on_fiber(check_broken, (int64_t[]){LONG_BYTES - 1});
}

static void check_offload(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct exchange *x = bodies_start(&b, &filter_compress, "{ offload: yes }", "GET");
    fixture_field(&b.e, "Accept-Encoding", "gzip");
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK(!headers_find(&x->req.headers, FIELD_ACCEPT_ENCODING));
    bodies_end(&b);
}

static void offload_keeps_servers_from_packing(void)
{
    run_on_fiber(check_offload, NULL);
}

static void explain_says_by_what(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_compress, "{}", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x),
              STR("packs nothing: the client takes none of its codings"));
    fixture_field(&e, "Accept-Encoding", "gzip, br");
    CHECK_STR(f.filter->type->explain(f.filter, x),
              STR("packs answers by br, if they are of its types"));
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case refused[] = {
        {"{ codings: [deflate] }", "can't be packed"},
        {"{ codings: [gzip, GZIP] }", "twice"},
        {"{ gzip-level: 0 }", "1"},
        {"{ gzip-level: 10 }", "9"},
        {"{ br-level: 7 }", "6"},
        {"{ zstd-level: 7 }", "6"},
        {"{ types: [html] }", "no media type"},
        {"{ types: [\"*/*\"] }", "no media type"},
        {"{ types: [text/html;q=1] }", "media type"},
        {"{ memory-max: 1MiB }", "8MiB"},
    };
    filter_check_refused(&filter_compress, refused, ARRAY_LEN(refused));
}

static void tables_are_complete(void)
{
    filter_check_tables(&filter_compress);
}

TEST_MAIN(TEST(what_is_packed_and_by_what), TEST(bytes_survive_in_pieces_and_with_pauses),
          TEST(what_has_come_goes_out_when_the_server_pauses),
          TEST(tags_are_weakened_and_lengths_and_ranges_dropped),
          TEST(heads_alone_say_what_a_get_would),
          TEST(not_modified_names_the_tag_that_the_client_has),
          TEST(short_answers_stay_unless_the_client_refuses_them_so), TEST(clients_can_forbid_it),
          TEST(grpc_is_left_alone),
          TEST(beyond_its_memory_answers_go_out_as_they_are_and_are_counted),
          TEST(what_breaks_off_or_has_another_length_is_never_whole),
          TEST(offload_keeps_servers_from_packing), TEST(explain_says_by_what),
          TEST(wrong_settings_are_refused), TEST(tables_are_complete))
