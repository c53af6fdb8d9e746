// SPDX-License-Identifier: Apache-2.0
#include "codec/idna.h"

#include "unit/test.h"

static void names_become_labels_of_ascii(void)
{
    static const struct {
        const char *in, *wanted;
    } cases[] = {
        {"example.com", "example.com"},
        {"Example.COM.", "example.com"},
        {"my_app.local", "my_app.local"},
        {"_dmarc.example", "_dmarc.example"},
        {"r3---sn.example", "r3---sn.example"},
        {"*.example.com", "*.example.com"},
        {"localhost", "localhost"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"B\xc3\x9c"
         "CHER.Example.",
         "xn--bcher-kva.example"},
        {"*.b\xc3\xbc"
         "cher.example",
         "*.xn--bcher-kva.example"},
        {"bu\xcc\x88"
         "cher.example",
         "xn--bcher-kva.example"},                                    // composed first
        {"fa\xc3\x9f.de", "xn--fa-hia.de"},                           // non-transitional
        {"\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82jp", "xn--r8jz45g.jp"}, // an ideographic full stop
        {"my_b\xc3\xbc"
         "cher.local",
         "xn--my_bcher-95a.local"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 16, NULL, 0);
        struct str got = STR("refused");
        const char *why = "";
        enum err err = idna_to_ascii(str_of(cases[i].in), &mem, &got, &why);
        if (err != ERR_OK)
            printf("# '%s': %s\n", cases[i].in, why);
        CHECK_INT(err, ERR_OK);
        CHECK_STR(got, str_of(cases[i].wanted));
        arena_fini(&mem);
    }
}

static void what_is_no_name_is_refused_with_a_reason(void)
{
    static const struct str cases[] = {
        STR_INIT(""),
        STR_INIT("."),
        STR_INIT("*."),
        STR_INIT("*"),
        STR_INIT("a.*.b"),
        STR_INIT("*.*.example"),
        STR_INIT("a..b"),
        STR_INIT("a b"),
        STR_INIT("a/b"),
        STR_INIT("example.com:80"),
        STR_INIT("http://example.com"),
        STR_INIT("a\0b"),
        STR_INIT("b\xc3\xbc\0b"),
        STR_INIT("\xff"),
        STR_INIT("b\xc3"),
        STR_INIT("\xe2\x84\x80.example"), // U+2100 maps to "a/c"
        STR_INIT("b\xc3\xbc cher.example"),
        STR_INIT("b\xc3\xbc..example"),
        STR_INIT("a12345678901234567890123456789012345678901234567890123456789012x.example"),
        STR_INIT("\xc3\xbc"
                 "12345678901234567890123456789012345678901234567890123456789012x.example"),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 16, NULL, 0);
        struct str got = STR("untouched");
        const char *why = NULL;
        CHECK_INT(idna_to_ascii(cases[i], &mem, &got, &why), ERR_SYNTAX);
        CHECK(why != NULL);
        CHECK_STR(got, STR("untouched"));
        arena_fini(&mem);
    }
}

static void names_beyond_all_limits_are_refused(void)
{
    char name[5000];
    memset(name, 'a', sizeof name);
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    struct str got;
    const char *why = NULL;
    CHECK_INT(idna_to_ascii(str_from(name, sizeof name), &mem, &got, &why), ERR_SYNTAX);
    CHECK(why != NULL);
    arena_fini(&mem);
    arena_init(&mem, 4, NULL, 0);
    CHECK_INT(idna_to_ascii(STR("example.com"), &mem, &got, &why), ERR_SYNTAX);
    CHECK_INT(idna_to_ascii(STR("b\xc3\xbc"
                                "cher"),
                            &mem, &got, &why),
              ERR_SYNTAX);
    arena_fini(&mem);
}

TEST_MAIN(TEST(names_become_labels_of_ascii), TEST(what_is_no_name_is_refused_with_a_reason),
          TEST(names_beyond_all_limits_are_refused))
