// SPDX-License-Identifier: Apache-2.0
#include "tls/pem.h"

#include "unit/test.h"

static void blocks_come_in_order_with_text_between_skipped(void)
{
    const char *text = "subject=CN = a\n"
                       "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"
                       "a line with -----BEGIN CERTIFICATE----- within it\n"
                       "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                       "-----END EC PARAMETERS-----\r\n"
                       "-----BEGIN PRIVATE KEY-----  \r\nBA U\r\nGBwg=\r\n"
                       "-----END PRIVATE KEY-----";
    struct arena mem;
    struct str rest = str_of(text);
    struct tls_pem_block block;
    const char *why = NULL;
    arena_init(&mem, 4096, NULL, 0);
    CHECK_INT(tls_pem_next(&rest, &mem, &block, &why), IO_DONE);
    CHECK_INT(block.kind, TLS_PEM_CERTIFICATE);
    CHECK_STR(block.der, STR("\1\2\3"));
    CHECK(str_starts(block.text, STR("-----BEGIN C")) && str_ends(block.text, STR("-----\n")));
    CHECK_INT(tls_pem_next(&rest, &mem, &block, &why), IO_DONE);
    CHECK_INT(block.kind, TLS_PEM_OTHER);
    CHECK_INT(block.der.len, 0);
    CHECK_INT(tls_pem_next(&rest, &mem, &block, &why), IO_DONE);
    CHECK_INT(block.kind, TLS_PEM_KEY);
    CHECK_STR(block.der, STR("\4\5\6\7\10"));
    CHECK_INT(tls_pem_next(&rest, &mem, &block, &why), IO_EOF);
    arena_wipe(&mem);
}

static void encrypted_keys_are_told_apart(void)
{
    static const char *const texts[] = {
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,7B\n\n"
        "AQID\n-----END RSA PRIVATE KEY-----\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str rest = str_of(texts[i]);
        struct tls_pem_block block;
        struct arena mem;
        const char *why = NULL;
        arena_init(&mem, 4096, NULL, 0);
        CHECK_INT(tls_pem_next(&rest, &mem, &block, &why), IO_DONE);
        CHECK_INT(block.kind, TLS_PEM_ENCRYPTED_KEY);
        arena_fini(&mem);
    }
}

static void malformed_blocks_fail_and_say_why(void)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"-----BEGIN CERTIFICATE-----\nAQID\n", "a PEM block has no end"},
        {"-----BEGIN CERTIFICATE", "a PEM line with BEGIN is malformed"},
        {"-----BEGIN CERTIFICATE-----x\nAQID\n-----END CERTIFICATE-----\n",
         "a PEM line with BEGIN is malformed"},
        {"-----BEGIN CERTIFICATE-----\nAQID\n-----END PRIVATE KEY-----\n",
         "a PEM block ends as another one than it begins"},
        {"-----BEGIN CERTIFICATE-----\nAQ!D\n-----END CERTIFICATE-----\n", "its PEM is not base64"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "its PEM is not base64"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str rest = str_of(cases[i].text);
        struct tls_pem_block block;
        struct arena mem;
        const char *why = "";
        arena_init(&mem, 4096, NULL, 0);
        CHECK_INT(tls_pem_next(&rest, &mem, &block, &why), IO_FAIL);
        CHECK_STR(str_of(why), str_of(cases[i].why));
        arena_fini(&mem);
    }
}

static void what_is_put_is_read_again(void)
{
    char bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (size_t len = 1; len <= sizeof bytes; len++) {
        struct text text = {0};
        struct arena mem;
        struct tls_pem_block block;
        const char *why = NULL;
        arena_init(&mem, 4096, NULL, 0);
        tls_pem_put(&text, STR("CERTIFICATE"), str_from(bytes, len));
        struct str rest = text_str(&text);
        CHECK_INT(tls_pem_next(&rest, &mem, &block, &why), IO_DONE);
        CHECK_STR(block.der, str_from(bytes, len));
        CHECK_STR(block.text, text_str(&text));
        arena_fini(&mem);
        text_fini(&text);
    }
}

TEST_MAIN(TEST(blocks_come_in_order_with_text_between_skipped), TEST(encrypted_keys_are_told_apart),
          TEST(malformed_blocks_fail_and_say_why), TEST(what_is_put_is_read_again))
