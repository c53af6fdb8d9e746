// SPDX-License-Identifier: Apache-2.0
#include "codec/field.h"

#include <ctype.h>

#include "unit/test.h"

static const struct {
    enum field_id id;
    struct str name;
} known[] = {
#define X(id, text) {FIELD_##id, STR_INIT(text)},
    FIELD_LIST(X)
#undef X
};

#define N_KNOWN (sizeof known / sizeof known[0])

static void every_known_name_is_found_as_written(void)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        CHECK_INT(field_id_of(known[i].name), known[i].id);
        CHECK_STR(field_name(known[i].id), known[i].name);
    }
}

static void every_known_name_is_found_in_any_case(void)
{
    char buf[64];
    for (size_t i = 0; i < N_KNOWN; i++) {
        size_t len = known[i].name.len;
        for (unsigned pattern = 0; pattern < 8; pattern++) {
            for (size_t k = 0; k < len; k++) {
                char c = known[i].name.ptr[k];
                bool is_upper = (pattern & (1u << (k % 3))) != 0;
                buf[k] = (char)(is_upper ? toupper(c) : tolower(c));
            }
            CHECK_INT(field_id_of(str_from(buf, len)), known[i].id);
        }
    }
}

// The comparison of words relies on it.
static void known_names_are_letters_digits_and_hyphens_only(void)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        for (size_t k = 0; k < known[i].name.len; k++)
            CHECK(isalnum(known[i].name.ptr[k]) || known[i].name.ptr[k] == '-');
    }
}

static bool is_known_name(struct str name)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (str_ieq(known[i].name, name))
            return true;
    }
    return false;
}

// Among them '\r' for '-', '@' for '`' and the like, which differ only in the bit of the case.
static void a_name_with_one_other_byte_is_not_known(void)
{
    char buf[64];
    for (size_t i = 0; i < N_KNOWN; i++) {
        size_t len = known[i].name.len;
        for (size_t k = 0; k < len; k++) {
            for (unsigned c = 0; c < 256; c++) {
                memcpy(buf, known[i].name.ptr, len);
                buf[k] = (char)c;
                struct str name = str_from(buf, len);
                if (is_known_name(name) != (field_id_of(name) != FIELD_OTHER)) {
                    printf("# byte %zu of " STR_FMT " as %02x\n", k, STR_ARG(known[i].name), c);
                    CHECK(false);
                }
            }
        }
    }
}

static void a_longer_or_shorter_name_is_not_known(void)
{
    char buf[64];
    for (size_t i = 0; i < N_KNOWN; i++) {
        size_t len = known[i].name.len;
        memcpy(buf, known[i].name.ptr, len);
        buf[len] = 'e';
        CHECK_INT(field_id_of(str_from(buf, len + 1)), FIELD_OTHER);
        struct str shorter = str_from(buf, len - 1);
        CHECK_INT(field_id_of(shorter) != FIELD_OTHER, is_known_name(shorter));
        struct str tail = str_from(buf + 1, len - 1);
        CHECK_INT(field_id_of(tail) != FIELD_OTHER, is_known_name(tail));
    }
}

static void odd_names_are_not_known(void)
{
    static const struct str odd[] = {
        STR_INIT(""),
        STR_INIT("A"),
        STR_INIT("Hos"),
        STR_INIT("Hostt"),
        STR_INIT("Transfer_Encoding"),
        STR_INIT("Content Length"),
        STR_INIT("X-Forwarded-Hort"),
        STR_INIT("an-extremely-long-name-that-nobody-would-ever-use-for-a-field"),
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        CHECK_INT(field_id_of(odd[i]), FIELD_OTHER);
    CHECK_INT(field_id_of(STR_NONE), FIELD_OTHER);
}

static void names_that_servers_confuse_are_twins(void)
{
    static const struct {
        const char *a, *b;
        bool wanted;
    } cases[] = {{"X-User", "x_user", true}, {"X_User", "X-USER", true},
                 {"X-User", "X-User", true}, {"X-User", "X-Users", false},
                 {"X-User", "XUser", false}, {"", "", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(field_is_twin(str_of(cases[i].a), str_of(cases[i].b)), cases[i].wanted);
}

TEST_MAIN(TEST(every_known_name_is_found_as_written), TEST(every_known_name_is_found_in_any_case),
          TEST(known_names_are_letters_digits_and_hyphens_only),
          TEST(a_name_with_one_other_byte_is_not_known),
          TEST(a_longer_or_shorter_name_is_not_known), TEST(odd_names_are_not_known),
          TEST(names_that_servers_confuse_are_twins))
