// SPDX-License-Identifier: Apache-2.0
#include "upstream/outcome.h"

#include "unit/test.h"

static void texts_name_kinds_and_statuses(void)
{
    static const struct {
        const char *texts[3];
        enum outcome o;
        unsigned status;
        bool is_in;
    } cases[] = {
        {{"connect"}, OUTCOME_CONNECT, 0, true},
        {{"connect"}, OUTCOME_CLOSED, 0, false},
        {{"closed", "timeout", "malformed"}, OUTCOME_TIMEOUT, 0, true},
        {{"closed", "timeout", "malformed"}, OUTCOME_MALFORMED, 0, true},
        {{"closed", "timeout", "malformed"}, OUTCOME_CONNECT, 0, false},
        {{"503"}, OUTCOME_STATUS, 503, true},
        {{"503"}, OUTCOME_STATUS, 502, false},
        {{"503"}, OUTCOME_STATUS, 200, false},
        {{"500-599"}, OUTCOME_STATUS, 500, true},
        {{"500-599"}, OUTCOME_STATUS, 599, true},
        {{"400-599"}, OUTCOME_STATUS, 463, true},
        {{"400-599"}, OUTCOME_STATUS, 464, true},
        {{"429", "500-501"}, OUTCOME_STATUS, 429, true},
        {{"429", "500-501"}, OUTCOME_STATUS, 502, false},
        {{NULL}, OUTCOME_CONNECT, 0, false},
        {{"503"}, OUTCOME_CONNECT, 503, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_text texts[3];
        struct outcomes set;
        size_t n = 0;
        for (; n < 3 && cases[i].texts[n]; n++)
            texts[n] = (struct conf_text){.text = str_of(cases[i].texts[n])};
        CHECK_INT(outcomes_parse(&(struct conf_texts){texts, n}, NULL, &set), ERR_OK);
        CHECK_INT(outcomes_have(&set, cases[i].o, cases[i].status), cases[i].is_in);
    }
}

static void what_is_no_failure_is_told(void)
{
    static const char *const bad[] = {"",     "5xx",     "399",     "600",      "500-",
                                      "-500", "599-500", "399-500", "500-1000", "Connect"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct diags diags = {.n = 0};
        struct conf_text text = {.text = str_of(bad[i])};
        CHECK(outcomes_check(&text, &diags) != ERR_OK);
        CHECK_INT(diags.n, 1);
        diags_fini(&diags);
    }
}

TEST_MAIN(TEST(texts_name_kinds_and_statuses), TEST(what_is_no_failure_is_told))
