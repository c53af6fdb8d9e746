// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/bodies.h"
#include "unit/test.h"
#include "zip/encoder.h"

// Packed by these, the first one first. Owned by the caller.
static struct text pack(struct str in, const enum coding *codings, size_t n)
{
    struct text all = {.ptr = NULL};
    text_put(&all, in);
    for (size_t i = 0; i < n; i++) {
        struct zip_heap heap = {.n_kept = 0};
        const struct zip_options o = {.coding = codings[i], .level = 1, .length = -1};
        struct zip_encoder *e = zip_encoder_new(&heap, &o, SIZE_MAX);
        struct text to = {.ptr = NULL};
        struct str rest = text_str(&all);
        char room[4096];
        enum io io;
        do {
            struct writer w;
            writer_init(&w, room, sizeof room);
            io = zip_encoder_run(e, &rest, &w, ZIP_FINISH);
            text_put(&to, writer_str(&w));
        } while (io == IO_AGAIN);
        CHECK_INT(io, IO_DONE);
        zip_encoder_free(e);
        zip_heap_fini(&heap);
        text_fini(&all);
        all = to;
    }
    return all;
}

struct visit {
    const char *settings, *encoding;
    struct str body;
    unsigned status;
    enum exchange_end end;
    struct str received; // what the server read
    enum io server_end;
};

static void check_visit(const void *arg)
{
    const struct visit *v = arg;
    struct bodies b;
    struct script s;
    struct str pieces[3] = {str_first(v->body, 5), STR_NONE, str_skip(v->body, 5)};
    struct exchange *x =
        bodies_start(&b, &filter_decompress_request, v->settings ? v->settings : "{}", "POST");
    if (v->encoding)
        fixture_field(&b.e, "Content-Encoding", v->encoding);
    fixture_field(&b.e, "Content-Length", "1");
    fixture_field(&b.e, "Content-MD5", "x");
    x->req.body = script_init(&s, pieces, ARRAY_LEN(pieces));
    s.body.length = (int64_t)v->body.len;
    b.server.reads_request = true;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, v->status);
    CHECK_INT(x->end, v->end);
    CHECK_INT(x->trail.n, 1);
    CHECK_INT(b.server.n_served, v->status == 200);
    if (v->status == 200) {
        CHECK_STR(text_str(&b.server.request), v->received);
        CHECK_INT(b.server.request_end, v->server_end);
    } else if (v->status == 415) {
        CHECK(bodies_field(&b, "Accept-Encoding").len > 0);
    }
    bool is_unpacked = v->status == 200 && v->encoding;
    CHECK_INT(headers_find(&x->req.headers, FIELD_CONTENT_ENCODING) == NULL,
              is_unpacked || !v->encoding);
    CHECK_INT(headers_find(&x->req.headers, FIELD_CONTENT_LENGTH) == NULL, is_unpacked);
    CHECK_INT(headers_find_named(&x->req.headers, STR("Content-MD5")) == NULL, is_unpacked);
    bodies_end(&b);
    CHECK_INT(s.n_fini, 1);
}

static void servers_get_what_was_packed(void)
{
    static const enum coding each[] = {CODING_GZIP, CODING_BR, CODING_ZSTD};
    for (size_t i = 0; i < ARRAY_LEN(each); i++) {
        struct text packed = pack(STR("{\"a\":1}"), &each[i], 1);
        run_on_fiber(check_visit, &(struct visit){
                                      .encoding = coding_name(each[i]).ptr,
                                      .body = text_str(&packed),
                                      .status = 200,
                                      .received = STR("{\"a\":1}"),
                                      .server_end = IO_EOF,
                                  });
        text_fini(&packed);
    }
    run_on_fiber(check_visit, &(struct visit){
                                  .body = STR("as it is"),
                                  .status = 200,
                                  .received = STR("as it is"),
                                  .server_end = IO_EOF,
                              });
}

static void two_layers_are_taken_off_in_their_order(void)
{
    struct text packed = pack(STR("twice"), (const enum coding[]){CODING_GZIP, CODING_ZSTD}, 2);
    struct visit v = {
        .encoding = "gzip, zstd",
        .body = text_str(&packed),
        .status = 200,
        .received = STR("twice"),
        .server_end = IO_EOF,
    };
    run_on_fiber(check_visit, &v);
    v.encoding = "zstd, gzip";
    v.received = STR_NONE;
    v.server_end = IO_FAIL;
    v.end = EXCHANGE_END_CLIENT_PROTOCOL;
    run_on_fiber(check_visit, &v);
    text_fini(&packed);
}

static void other_codings_and_too_many_are_refused(void)
{
    static const struct {
        const char *encoding, *settings;
    } cases[] = {
        {"compress", NULL},       {"aes128gcm", NULL}, {"gzip, gzip, gzip", NULL},
        {"gzip, compress", NULL}, {"gzip;q=1", NULL},  {"br", "{ codings: [gzip] }"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        run_on_fiber(check_visit, &(struct visit){
                                      .encoding = cases[i].encoding,
                                      .settings = cases[i].settings,
                                      .body = STR("whatever it is"),
                                      .status = 415,
                                      .end = EXCHANGE_END_FILTERED,
                                  });
}

static void what_is_malformed_or_cut_fails_as_the_client_s_mistake(void)
{
    struct text packed = pack(STR("whole"), (const enum coding[]){CODING_GZIP}, 1);
    struct visit v = {
        .encoding = "gzip",
        .body = STR("not packed at all"),
        .status = 200,
        .end = EXCHANGE_END_CLIENT_PROTOCOL,
        .server_end = IO_FAIL,
    };
    run_on_fiber(check_visit, &v);
    v.body = text_str(&packed);
    v.body.len -= 3;
    v.received = STR("whole");
    run_on_fiber(check_visit, &v);
    text_fini(&packed);
}

// Clients that say of every body that it is packed say it of those with no byte, too.
static void a_body_of_nothing_is_nothing(void)
{
    static const char *const encodings[] = {"gzip", "deflate", "br", "zstd", "gzip, zstd"};
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++)
        run_on_fiber(check_visit, &(struct visit){
                                      .encoding = encodings[i],
                                      .body = STR(""),
                                      .status = 200,
                                      .server_end = IO_EOF,
                                  });
}

struct bomb {
    const char *settings, *encoding;
    size_t n_layers, got_max_bytes;
};

// Whatever a bomb says, the server gets no more than the limits say.
static void check_bomb(const void *arg)
{
    const struct bomb *bomb = arg;
    struct text zeros = {.ptr = NULL};
    for (int i = 0; i < 20000; i++)
        text_put(&zeros, STR("0000000000000000000000000000000000000000000000000000000000000000"));
    struct text packed =
        pack(text_str(&zeros), (const enum coding[]){CODING_GZIP, CODING_GZIP}, bomb->n_layers);
    struct bodies b;
    struct script s;
    struct str piece = text_str(&packed);
    struct exchange *x = bodies_start(&b, &filter_decompress_request, bomb->settings, "POST");
    fixture_field(&b.e, "Content-Encoding", bomb->encoding);
    x->req.body = script_init(&s, &piece, 1);
    b.server.reads_request = true;
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(x->end, EXCHANGE_END_CLIENT_LIMIT);
    CHECK_INT(exchange_end_status(x->end), 413);
    CHECK_INT(b.server.request_end, IO_FAIL);
    CHECK(b.server.request.len <= bomb->got_max_bytes);
    struct str more;
    CHECK_INT(body_read(x->req.body, &more, BODY_NO_WAIT), IO_FAIL);
    bodies_end(&b);
    text_fini(&zeros);
    text_fini(&packed);
}

static void bombs_get_no_further_than_the_limits(void)
{
    static const struct bomb bombs[] = {
        {"{ max-size: 100KiB, ratio-max: 100000 }", "gzip", 1, 100 * 1024},
        {"{ max-size: 1GiB, ratio-max: 2 }", "gzip", 1, 100 * 1024},
        // Each layer alone is within the ratio.
        {"{ max-size: 1GiB, ratio-max: 500 }", "gzip, gzip", 2, 512 * 1024},
    };
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++)
        run_on_fiber(check_bomb, &bombs[i]);
}

static void check_memory(const void *arg)
{
    (void)arg;
    struct bodies b;
    struct script s;
    struct zip_share other;
    struct exchange *x =
        bodies_start(&b, &filter_decompress_request, "{ memory-max: 8MiB }", "POST");
    CHECK(zip_share_take(&other, &b.env.zip, 4 << 20, SIZE_MAX));
    fixture_field(&b.e, "Content-Encoding", "gzip, br"); // the first of which still fits
    x->req.body = script_init(&s, NULL, 0);
    CHECK_INT(handler_serve(b.f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 503);
    CHECK_INT(x->end, EXCHANGE_END_RESOURCES);
    zip_share_end(&other);
    bodies_end(&b);
}

static void beyond_the_memory_requests_are_refused(void)
{
    run_on_fiber(check_memory, NULL);
}

static void explain_names_the_codings(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_decompress_request, "{ codings: [gzip, x-gzip, br] }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x), STR("unpacks bodies by gzip, gzip, br"));
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case refused[] = {
        {"{ codings: [compress] }", "can't be unpacked"},
        {"{ codings: [identity] }", "can't be unpacked"},
        {"{ ratio-max: 1 }", "2"},
        {"{ max-size: 1 }", "1KiB"},
        {"{ memory-max: 1MiB }", "8MiB"},
    };
    filter_check_refused(&filter_decompress_request, refused, ARRAY_LEN(refused));
}

static void tables_are_complete(void)
{
    filter_check_tables(&filter_decompress_request);
}

TEST_MAIN(TEST(servers_get_what_was_packed), TEST(two_layers_are_taken_off_in_their_order),
          TEST(other_codings_and_too_many_are_refused),
          TEST(what_is_malformed_or_cut_fails_as_the_client_s_mistake),
          TEST(a_body_of_nothing_is_nothing), TEST(bombs_get_no_further_than_the_limits),
          TEST(beyond_the_memory_requests_are_refused), TEST(explain_names_the_codings),
          TEST(wrong_settings_are_refused), TEST(tables_are_complete))
