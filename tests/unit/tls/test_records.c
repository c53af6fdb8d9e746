// SPDX-License-Identifier: Apache-2.0
#include "tls/records.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/attr.h"
#include "unit/test.h"

#define SUITE 0x1301

// Both ends: what `peer` seals, `r` reads, from a wire that has no more than it was given.
struct ends {
    struct tls_records *r, *peer;
    struct rt_sock sock; // nothing is ever there
    struct tls_wire wire;
    char buf[200000];
    size_t n;
};

static void begin(struct ends *e)
{
    static const uint8_t a[32] = {1}, b[32] = {2};
    *e = (struct ends){.sock = {.fd = -1}};
    e->wire.sock = &e->sock;
    e->r = tls_records_new(SUITE, a, b, sizeof a, 0);
    e->peer = tls_records_new(SUITE, b, a, sizeof a, 0);
    CHECK(e->r && e->peer);
}

static void end(struct ends *e)
{
    tls_records_free(e->r);
    tls_records_free(e->peer);
    tls_wire_fini(&e->wire);
}

static void give(struct ends *e, unsigned content, struct str text)
{
    e->n += tls_record_seal(&e->peer->out, content, text, e->buf + e->n);
}

// Anything that a peer could seal: the type stands in `inner`, and padding may.
static void give_raw(struct ends *e, const char *inner, size_t n)
{
    struct tls_record_key *k = &e->peer->out;
    uint8_t *to = (uint8_t *)e->buf + e->n, *at = to + TLS_RECORD_HEAD_BYTES;
    uint8_t nonce[TLS_NONCE_BYTES];
    int put;
    memcpy(nonce, k->nonce, sizeof nonce);
    nonce[TLS_NONCE_BYTES - 1] ^= (uint8_t)k->n_records++; // fewer than 256 in these tests
    memcpy(to, (uint8_t[]){23, 3, 3, (uint8_t)((n + 16) >> 8), (uint8_t)(n + 16)}, 5);
    OSSL_PARAM tag[] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, at + n, 16),
                        OSSL_PARAM_construct_end()};
    CHECK(EVP_EncryptInit_ex2(k->cipher, NULL, NULL, nonce, NULL) == 1 &&
          EVP_EncryptUpdate(k->cipher, NULL, &put, to, TLS_RECORD_HEAD_BYTES) == 1 &&
          EVP_EncryptUpdate(k->cipher, at, &put, (const uint8_t *)inner, (int)n) == 1 &&
          EVP_EncryptFinal_ex(k->cipher, at + put, &put) == 1 &&
          EVP_CIPHER_CTX_get_params(k->cipher, tag) == 1);
    e->n += TLS_RECORD_HEAD_BYTES + n + 16;
}

// What was sent arrives.
static void deliver(struct ends *e)
{
    e->wire.early = str_from(e->buf, e->n);
    e->n = 0;
}

static enum tls_record_alert alert;

static enum io read_some(struct ends *e, char *to, size_t n, struct str *ret)
{
    size_t got = 0;
    enum io io = tls_records_read(e->r, &e->wire, to, n, &got, &alert);
    *ret = str_from(to, got);
    return io;
}

static void check_text(struct ends *e, struct str wanted)
{
    char to[100];
    struct str got;
    CHECK_INT(read_some(e, to, sizeof to, &got), IO_DONE);
    CHECK_STR(got, wanted);
}

static void check_io(struct ends *e, enum io wanted)
{
    char to[100];
    struct str got;
    CHECK_INT(read_some(e, to, sizeof to, &got), wanted);
}

// --- reading ---

static void records_are_read_however_they_arrive(void)
{
    static struct ends e;
    char all[8], to[1];
    for (size_t piece = 1; piece < 80; piece++) {
        begin(&e);
        give(&e, TLS_CONTENT_DATA, STR("ab"));
        give(&e, TLS_CONTENT_DATA, STR_NONE);
        give(&e, TLS_CONTENT_DATA, STR("cde"));
        struct str rest = str_from(e.buf, e.n), got;
        size_t n = 0;
        while (rest.len > 0) {
            e.wire.early = str_first(rest, MIN(piece, rest.len));
            rest = str_skip(rest, e.wire.early.len);
            enum io io;
            while ((io = read_some(&e, to, sizeof to, &got)) == IO_DONE && n < sizeof all)
                all[n++] = to[0];
            CHECK_INT(io, IO_AGAIN);
            CHECK(!tls_records_has_pending(e.r));
        }
        CHECK_STR(str_from(all, n), STR("abcde"));
        CHECK(e.r->kept == NULL); // at rest nothing is held
        end(&e);
    }
}

static void what_is_left_of_a_record_is_pending(void)
{
    static struct ends e;
    char to[3];
    struct str got;
    begin(&e);
    give(&e, TLS_CONTENT_DATA, STR("abcd"));
    give(&e, TLS_CONTENT_DATA, STR("efg"));
    deliver(&e);
    CHECK(!tls_records_has_pending(e.r));
    CHECK_INT(read_some(&e, to, 3, &got), IO_DONE);
    CHECK_STR(got, STR("abc"));
    CHECK(tls_records_has_pending(e.r)); // text
    CHECK_INT(read_some(&e, to, 3, &got), IO_DONE);
    CHECK_STR(got, STR("d"));
    CHECK(tls_records_has_pending(e.r)); // a record
    CHECK_INT(read_some(&e, to, 3, &got), IO_DONE);
    CHECK_STR(got, STR("efg"));
    CHECK(!tls_records_has_pending(e.r));
    end(&e);
}

static void padding_is_taken_off(void)
{
    static struct ends e;
    begin(&e);
    give_raw(&e, "text\x17\0\0\0\0\0", 10);
    deliver(&e);
    check_text(&e, STR("text"));
    end(&e);
}

// --- what is no data ---

static void what_a_peer_may_not_send_ends_the_connection(void)
{
    static const struct {
        unsigned content;
        const char *text;
        size_t n;
        enum tls_record_alert alert;
    } cases[] = {
        {20, "\1", 1, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE},
        {24, "heart", 5, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE},
        {0, "", 0, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE}, // nothing but padding
        {21, "\2", 1, TLS_RECORD_ALERT_DECODE_ERROR},
        {21, "\1\0\0", 3, TLS_RECORD_ALERT_DECODE_ERROR},
        {22, "", 0, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE},
        {22, "\1\0\0\0", 4, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE},         // ClientHello
        {22, "\x18\0\0\1\2", 5, TLS_RECORD_ALERT_ILLEGAL_PARAMETER},      // no such request
        {22, "\x18\0\0\2\0", 5, TLS_RECORD_ALERT_DECODE_ERROR},           // length
        {22, "\x18\0\0\1\0\x18", 6, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE}, // more behind it
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct ends e;
        char inner[20];
        begin(&e);
        memcpy(inner, cases[i].text, cases[i].n);
        inner[cases[i].n] = (char)cases[i].content;
        give_raw(&e, inner, cases[i].n + 1);
        deliver(&e);
        check_io(&e, IO_FAIL);
        CHECK_INT(alert, cases[i].alert);
        end(&e);
    }
}

static void too_much_text_in_a_record_is_refused(void)
{
    static struct ends e;
    static char inner[TLS_RECORD_PLAIN_MAX_BYTES + 2];
    begin(&e);
    memset(inner, 'x', sizeof inner);
    inner[sizeof inner - 1] = TLS_CONTENT_DATA;
    give_raw(&e, inner, sizeof inner);
    deliver(&e);
    check_io(&e, IO_FAIL);
    CHECK_INT(alert, TLS_RECORD_ALERT_OVERFLOW);
    end(&e);
}

static void check_bytes(const char *bytes, size_t n, enum tls_record_alert wanted)
{
    static struct ends e;
    begin(&e);
    e.wire.early = str_from(bytes, n);
    check_io(&e, IO_FAIL);
    CHECK_INT(alert, wanted);
    end(&e);
}

static void what_isnt_sealed_is_refused(void)
{
    check_bytes("\x17\x03\x03\xff\xff", 5, TLS_RECORD_ALERT_OVERFLOW);
    check_bytes("\x15\x03\x03\x00\x02\x01\x00", 7, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE);
    check_bytes("\x17\x03\x03\x00\x00", 5, TLS_RECORD_ALERT_BAD_MAC);
    check_bytes("\x17\x03\x03\x00\x11"
                "12345678901234567",
                22, TLS_RECORD_ALERT_BAD_MAC);
}

static void who_sends_nothing_again_and_again_is_refused(void)
{
    static struct ends e;
    begin(&e);
    for (unsigned i = 0; i < 32; i++)
        give(&e, TLS_CONTENT_DATA, STR_NONE);
    give(&e, TLS_CONTENT_DATA, STR("x"));
    for (unsigned i = 0; i < 33; i++)
        give(&e, TLS_CONTENT_DATA, STR_NONE);
    deliver(&e);
    check_text(&e, STR("x"));
    check_io(&e, IO_FAIL);
    CHECK_INT(alert, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE);
    end(&e);
}

// --- ends ---

static void close_notify_is_the_end(void)
{
    static struct ends e;
    begin(&e);
    give(&e, TLS_CONTENT_DATA, STR("last"));
    give(&e, TLS_CONTENT_ALERT, STR("\1\x5a")); // user_canceled
    e.n += tls_records_seal_alert(e.peer, 0, e.buf + e.n);
    give(&e, TLS_CONTENT_DATA, STR("more"));
    deliver(&e);
    check_text(&e, STR("last"));
    check_io(&e, IO_EOF);
    check_io(&e, IO_EOF);
    end(&e);
}

static void the_alert_of_a_peer_is_kept(void)
{
    static struct ends e;
    begin(&e);
    e.n += tls_records_seal_alert(e.peer, 42, e.buf);
    deliver(&e);
    check_io(&e, IO_FAIL);
    CHECK_INT(alert, TLS_RECORD_ALERT_NONE); // nothing to be said
    CHECK_INT(e.r->alert, 42);
    end(&e);
}

// --- keys ---

static void a_key_changes_in_pieces_and_the_answer_is_ours(void)
{
    static struct ends e;
    static char answer[200];
    begin(&e);
    give(&e, TLS_CONTENT_DATA, STR("old"));
    give(&e, TLS_CONTENT_HANDSHAKE, str_from("\x18\0", 2));
    give(&e, TLS_CONTENT_HANDSHAKE, str_from("\0\1\1", 3)); // asks for ours
    tls_record_key_update(&e.peer->out);
    give(&e, TLS_CONTENT_DATA, STR("new"));
    deliver(&e);
    check_text(&e, STR("old"));
    check_text(&e, STR("new"));
    CHECK(tls_records_place(e.r, answer) > answer + TLS_RECORD_HEAD_BYTES);
    size_t n = tls_records_seal(e.r, STR("updated"), answer);
    CHECK(tls_records_place(e.r, answer) == answer + TLS_RECORD_HEAD_BYTES);
    n += tls_records_seal(e.r, STR(", as asked"), answer + n);
    // The peer reads it.
    struct tls_wire wire = {.sock = &e.sock, .early = str_from(answer, n)};
    char to[20];
    size_t got = 0;
    CHECK_INT(tls_records_read(e.peer, &wire, to, sizeof to, &got, &alert), IO_DONE);
    CHECK_STR(str_from(to, got), STR("updated"));
    CHECK_INT(tls_records_read(e.peer, &wire, to, sizeof to, &got, &alert), IO_DONE);
    CHECK_STR(str_from(to, got), STR(", as asked"));
    CHECK(!e.peer->owes_update);
    end(&e);
}

static void nothing_comes_between_the_pieces_of_a_message(void)
{
    static struct ends e;
    begin(&e);
    give(&e, TLS_CONTENT_HANDSHAKE, str_from("\x18\0", 2));
    give(&e, TLS_CONTENT_DATA, STR("x"));
    deliver(&e);
    check_io(&e, IO_FAIL);
    CHECK_INT(alert, TLS_RECORD_ALERT_UNEXPECTED_MESSAGE);
    end(&e);
}

static void a_key_isnt_used_beyond_its_limit(void)
{
    static struct ends e;
    char record[200];
    begin(&e);
    e.r->out.n_records = (1 << 24) - 1;
    e.peer->in.n_records = (1 << 24) - 1;
    size_t n = tls_records_seal(e.r, STR("last"), record);
    n += tls_records_seal(e.r, STR("first"), record + n);
    CHECK_INT(e.r->out.n_records, 1);
    struct tls_wire wire = {.sock = &e.sock, .early = str_from(record, n)};
    char to[20];
    size_t got = 0;
    CHECK_INT(tls_records_read(e.peer, &wire, to, sizeof to, &got, &alert), IO_DONE);
    CHECK_STR(str_from(to, got), STR("last"));
    CHECK_INT(tls_records_read(e.peer, &wire, to, sizeof to, &got, &alert), IO_DONE);
    CHECK_STR(str_from(to, got), STR("first"));
    end(&e);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(records_are_read_however_they_arrive),
        TEST(what_is_left_of_a_record_is_pending),
        TEST(padding_is_taken_off),
        TEST(what_a_peer_may_not_send_ends_the_connection),
        TEST(too_much_text_in_a_record_is_refused),
        TEST(what_isnt_sealed_is_refused),
        TEST(who_sends_nothing_again_and_again_is_refused),
        TEST(close_notify_is_the_end),
        TEST(the_alert_of_a_peer_is_kept),
        TEST(a_key_changes_in_pieces_and_the_answer_is_ours),
        TEST(nothing_comes_between_the_pieces_of_a_message),
        TEST(a_key_isnt_used_beyond_its_limit),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
