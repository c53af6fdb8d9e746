// SPDX-License-Identifier: Apache-2.0
#include "codec/base64.h"

#include "unit/test.h"

static const struct {
    struct str bytes, text, url_text;
} vectors[] = {
    // RFC 4648 10
    {STR_INIT(""), STR_INIT(""), STR_INIT("")},
    {STR_INIT("f"), STR_INIT("Zg=="), STR_INIT("Zg")},
    {STR_INIT("fo"), STR_INIT("Zm8="), STR_INIT("Zm8")},
    {STR_INIT("foo"), STR_INIT("Zm9v"), STR_INIT("Zm9v")},
    {STR_INIT("foob"), STR_INIT("Zm9vYg=="), STR_INIT("Zm9vYg")},
    {STR_INIT("fooba"), STR_INIT("Zm9vYmE="), STR_INIT("Zm9vYmE")},
    {STR_INIT("foobar"), STR_INIT("Zm9vYmFy"), STR_INIT("Zm9vYmFy")},
    {STR_INIT("\xfb\xff\xfe"), STR_INIT("+//+"), STR_INIT("-__-")},
    {STR_INIT("\0\0\0"), STR_INIT("AAAA"), STR_INIT("AAAA")},
};

static void check_decodes(struct str text, bool is_url, struct str wanted)
{
    char buf[64];
    size_t len = 0;
    CHECK_INT(base64_decode(text, is_url, buf, &len), ERR_OK);
    CHECK_STR(str_from(buf, len), wanted);
}

static void bytes_become_text_and_bytes_again(void)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        char buf[64];
        CHECK_STR(str_from(buf, base64_encode(vectors[i].bytes, false, buf)), vectors[i].text);
        CHECK_STR(str_from(buf, base64_encode(vectors[i].bytes, true, buf)), vectors[i].url_text);
        check_decodes(vectors[i].text, false, vectors[i].bytes);
        check_decodes(vectors[i].url_text, true, vectors[i].bytes);
    }
}

static void padding_may_be_absent_or_present_in_both_alphabets(void)
{
    check_decodes(STR("Zg"), false, STR("f"));
    check_decodes(STR("Zm8"), false, STR("fo"));
    check_decodes(STR("Zg=="), true, STR("f"));
}

static void malformed_text_is_refused(void)
{
    static const struct {
        const char *text;
        bool is_url;
    } bad[] = {
        {"Z", false},         {"Zm9vY", false},    {"=", false},        {"==", false},
        {"====", false},      {"Zg=", false},      {"Zg===", false},    {"Z===", false},
        {"Zm8==", false},     {"Zm9v====", false}, {"Zg==Zg==", false}, {"Z=g=", false},
        {"Zm9v Zg==", false}, {"Zm9v\n", false},   {"Zm-v", false},     {"Zm_v", false},
        {"Zm+v", true},       {"Zm/v", true},      {"Zm9\x80", false},  {"Zh==", false},
        {"Zm9=", false},      {"Zh", true},        {"Zm9", true},       {"Zm.v", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char buf[64];
        size_t len = 77;
        enum err err = base64_decode(str_of(bad[i].text), bad[i].is_url, buf, &len);
        if (err == ERR_OK)
            printf("# '%s' was accepted\n", bad[i].text);
        CHECK_INT(err, ERR_SYNTAX);
        CHECK_INT(len, 77);
    }
}

static void every_byte_survives_at_every_length(void)
{
    char bytes[260], text[352], back[264];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 3);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (int is_url = 0; is_url < 2; is_url++) {
            size_t n_text = base64_encode(str_from(bytes, len), is_url, text);
            CHECK(n_text <= (len + 2) / 3 * 4);
            size_t n_back = 0;
            CHECK_INT(base64_decode(str_from(text, n_text), is_url, back, &n_back), ERR_OK);
            CHECK_STR(str_from(back, n_back), str_from(bytes, len));
        }
    }
}

TEST_MAIN(TEST(bytes_become_text_and_bytes_again),
          TEST(padding_may_be_absent_or_present_in_both_alphabets), TEST(malformed_text_is_refused),
          TEST(every_byte_survives_at_every_length))
