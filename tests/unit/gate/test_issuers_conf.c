// SPDX-License-Identifier: Apache-2.0
#include "gate/issuers_conf.h"

#include "base/attr.h"
#include "unit/test.h"

static void well_known_directories_have_names(void)
{
    CHECK_STR(issuers_directory_url(STR("letsencrypt")),
              STR("https://acme-v02.api.letsencrypt.org/directory"));
    CHECK_STR(issuers_directory_url(STR("https://ca.example/dir")), STR("https://ca.example/dir"));
    CHECK_STR(issuers_directory_url(STR("unknown")), STR("unknown"));
}

static void an_email_address_has_a_name_and_a_domain(void)
{
    static const struct {
        const char *text;
        bool is_fine;
    } cases[] = {
        {"you@example.com", true},
        {"a+b@mail.example.com", true},
        {"", false},
        {"you", false},
        {"@example.com", false},
        {"you@", false},
        {"you@localhost", false},
        {"you@a@example.com", false},
        {"a@b.example,c@d.e", false},
        {"you@example.com\r\nx", false},
        {"a b@example.com", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags diags = {.n = 0};
        const struct conf_text text = {.text = str_of(cases[i].text)};
        bool is_fine = issuers_check_email(&text, &diags) == ERR_OK;
        if (is_fine != cases[i].is_fine)
            printf("# %s\n", cases[i].text);
        CHECK(is_fine == cases[i].is_fine && (diags.n == 0) == is_fine);
        diags_fini(&diags);
    }
}

TEST_MAIN(TEST(well_known_directories_have_names), TEST(an_email_address_has_a_name_and_a_domain))
