// SPDX-License-Identifier: Apache-2.0
#include "tls/record.h"

#include "unit/test.h"

#define SUITE 0x1301 // AES-128-GCM, SHA-256
#define MUCH TLS_RECORD_PLAIN_MAX_BYTES

static const struct {
    uint16_t number;
    size_t secret_bytes;
} suites[] = {{0x1301, 32}, {0x1302, 48}, {0x1303, 32}};

static const uint8_t any_secret[TLS_SECRET_MAX_BYTES] = {1, 2, 3, 4, 5, 6, 7};

struct pair {
    struct tls_record_key sealer, opener;
};

static void begin(struct pair *p, size_t i_suite)
{
    size_t n = suites[i_suite].secret_bytes;
    CHECK(tls_record_key_init(&p->sealer, suites[i_suite].number, any_secret, n, 0, true));
    CHECK(tls_record_key_init(&p->opener, suites[i_suite].number, any_secret, n, 0, false));
}

static void end(struct pair *p)
{
    tls_record_key_fini(&p->sealer);
    tls_record_key_fini(&p->opener);
}

// --- the example of RFC 8448 3 ---

static void the_example_of_the_rfc_is_sealed_byte_by_byte(void)
{
    static const uint8_t secret[32] = {0x9e, 0x40, 0x64, 0x6c, 0xe7, 0x9a, 0x7f, 0x9d,
                                       0xc0, 0x5a, 0xf8, 0x88, 0x9b, 0xce, 0x65, 0x52,
                                       0x87, 0x5a, 0xfa, 0x0b, 0x06, 0xdf, 0x00, 0x87,
                                       0xf7, 0x92, 0xeb, 0xb7, 0xc1, 0x75, 0x04, 0xa5};
    static const uint8_t data[] = {
        0x17, 0x03, 0x03, 0x00, 0x43, 0xa2, 0x3f, 0x70, 0x54, 0xb6, 0x2c, 0x94, 0xd0, 0xaf, 0xfa,
        0xfe, 0x82, 0x28, 0xba, 0x55, 0xcb, 0xef, 0xac, 0xea, 0x42, 0xf9, 0x14, 0xaa, 0x66, 0xbc,
        0xab, 0x3f, 0x2b, 0x98, 0x19, 0xa8, 0xa5, 0xb4, 0x6b, 0x39, 0x5b, 0xd5, 0x4a, 0x9a, 0x20,
        0x44, 0x1e, 0x2b, 0x62, 0x97, 0x4e, 0x1f, 0x5a, 0x62, 0x92, 0xa2, 0x97, 0x70, 0x14, 0xbd,
        0x1e, 0x3d, 0xea, 0xe6, 0x3a, 0xee, 0xbb, 0x21, 0x69, 0x49, 0x15, 0xe4};
    static const uint8_t alert[] = {0x17, 0x03, 0x03, 0x00, 0x13, 0xc9, 0x87, 0x27,
                                    0x60, 0x65, 0x56, 0x66, 0xb7, 0x4d, 0x7f, 0xf1,
                                    0x15, 0x3e, 0xfd, 0x6d, 0xb6, 0xd0, 0xb0, 0xe3};
    struct tls_record_key k;
    char text[50], record[100];
    CHECK(tls_record_key_init(&k, SUITE, secret, sizeof secret, 0, true));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    size_t n = tls_record_seal(&k, TLS_CONTENT_DATA, str_from(text, sizeof text), record);
    CHECK_INT(n, sizeof data);
    CHECK(memcmp(record, data, sizeof data) == 0);
    n = tls_record_seal(&k, TLS_CONTENT_ALERT, str_from("\1\0", 2), record);
    CHECK_INT(n, sizeof alert);
    CHECK(memcmp(record, alert, sizeof alert) == 0);
    tls_record_key_fini(&k);
}

// --- both ways ---

static void check_trip(struct pair *p, struct str text, char *record)
{
    uint8_t content = 0;
    struct str got;
    size_t n = tls_record_seal(&p->sealer, TLS_CONTENT_DATA, text, record);
    CHECK_INT(n, text.len + TLS_RECORD_EXTRA_BYTES);
    CHECK_INT(tls_record_bytes(record), n);
    CHECK(tls_record_open(&p->opener, record, n, &content, &got));
    CHECK_INT(content, TLS_CONTENT_DATA);
    CHECK_INT(got.len, text.len);
}

static void what_is_sealed_is_opened_with_every_suite_and_length(void)
{
    static const size_t lengths[] = {0, 1, 15, 16, 17, 4096, 4097, MUCH - 1, MUCH};
    static char text[MUCH], record[TLS_RECORD_MAX_BYTES];
    for (size_t i = 0; i < MUCH; i++)
        text[i] = (char)(i * 7 + i / 256);
    for (size_t s = 0; s < sizeof suites / sizeof suites[0]; s++) {
        struct pair p;
        begin(&p, s);
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            size_t n = lengths[i];
            check_trip(&p, str_from(text, n), record);
            CHECK(memcmp(record + TLS_RECORD_HEAD_BYTES, text, n) == 0);
            // And in place.
            memcpy(record + TLS_RECORD_HEAD_BYTES, text, n);
            check_trip(&p, str_from(record + TLS_RECORD_HEAD_BYTES, n), record);
            CHECK(memcmp(record + TLS_RECORD_HEAD_BYTES, text, n) == 0);
        }
        end(&p);
    }
}

static void keys_follow_one_another(void)
{
    for (size_t s = 0; s < sizeof suites / sizeof suites[0]; s++) {
        struct pair p;
        char record[100];
        begin(&p, s);
        for (unsigned i = 0; i < 3; i++) {
            check_trip(&p, STR("before"), record);
            tls_record_key_update(&p.sealer);
            tls_record_key_update(&p.opener);
            check_trip(&p, STR("after"), record);
        }
        uint8_t content;
        struct str got;
        tls_record_key_update(&p.sealer); // on one side alone
        size_t n = tls_record_seal(&p.sealer, TLS_CONTENT_DATA, STR("x"), record);
        CHECK(!tls_record_open(&p.opener, record, n, &content, &got));
        end(&p);
    }
}

// --- what isn't opened ---

static void a_record_with_any_other_bit_isnt_opened(void)
{
    struct pair p;
    char record[64], copy[64];
    uint8_t content;
    struct str got;
    begin(&p, 0);
    size_t n = tls_record_seal(&p.sealer, TLS_CONTENT_DATA, STR("text"), record);
    for (size_t bit = 0; bit < n * 8; bit++) {
        memcpy(copy, record, n);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        p.opener.n_records = 0;
        CHECK(!tls_record_open(&p.opener, copy, n, &content, &got));
    }
    for (size_t i = TLS_RECORD_HEAD_BYTES; i < n; i++) {
        memcpy(copy, record, n);
        p.opener.n_records = 0;
        CHECK(!tls_record_open(&p.opener, copy, i, &content, &got));
    }
    p.opener.n_records = 0;
    CHECK(tls_record_open(&p.opener, record, n, &content, &got));
    end(&p);
}

static void a_record_out_of_turn_isnt_opened(void)
{
    struct pair p;
    char first[64], second[64];
    uint8_t content;
    struct str got;
    begin(&p, 0);
    size_t n = tls_record_seal(&p.sealer, TLS_CONTENT_DATA, STR("text"), first);
    tls_record_seal(&p.sealer, TLS_CONTENT_DATA, STR("text"), second);
    CHECK(memcmp(first, second, n) != 0);
    CHECK(!tls_record_open(&p.opener, second, n, &content, &got));
    end(&p);
}

static void heads_tell_how_long_a_record_is(void)
{
    static const struct {
        const char *head;
        size_t bytes;
    } cases[] = {
        {"\x17\x03\x03\x00\x00", 5},
        {"\x17\x03\x03\x00\x11", 22},
        {"\x17\x03\x01\x00\x11", 22}, // the version counts for nothing
        {"\x17\x03\x03\x41\x00", TLS_RECORD_MAX_BYTES},
        {"\x17\x03\x03\x41\x01", 0},
        {"\x17\x03\x03\xff\xff", 0},
        {"\x14\x03\x03\x00\x01", 0},
        {"\x15\x03\x03\x00\x02", 0},
        {"GET /", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(tls_record_bytes(cases[i].head), cases[i].bytes);
}

static void suites_that_arent_known_here_are_left_to_others(void)
{
    struct tls_record_key k = {.n_records = 0};
    CHECK(!tls_record_key_init(&k, 0x1304, any_secret, 32, 0, true)); // CCM
    CHECK(!tls_record_key_init(&k, SUITE, any_secret, 48, 0, true));
    CHECK(!tls_record_key_init(&k, SUITE, any_secret, 0, 0, true));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(the_example_of_the_rfc_is_sealed_byte_by_byte),
        TEST(what_is_sealed_is_opened_with_every_suite_and_length),
        TEST(keys_follow_one_another),
        TEST(a_record_with_any_other_bit_isnt_opened),
        TEST(a_record_out_of_turn_isnt_opened),
        TEST(heads_tell_how_long_a_record_is),
        TEST(suites_that_arent_known_here_are_left_to_others),
    };
    return test_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
