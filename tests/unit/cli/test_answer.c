// SPDX-License-Identifier: Apache-2.0
#include "cli/answer.h"

#include "unit/test.h"

static void diagnostics_are_read_and_what_is_missing_is_left_out(void)
{
    static const char json[] =
        "{\"diagnostics\":["
        "{\"severity\":\"error\",\"source\":\"/x.yaml\",\"line\":3,\"column\":5,\"text\":\"bad\"},"
        "{\"severity\":\"warning\",\"source\":\"\",\"line\":-1,\"column\":99999999999,"
        "\"text\":\"odd\"},"
        "{},7,\"x\"]}";
    json_t *answer = json_loads(json, 0, NULL);
    CHECK(answer != NULL);
    struct diags diags = {.n = 0};
    answer_diags(answer, &diags);
    char line[256];
    CHECK(diags.n >= 3);
    CHECK_STR(diag_text(&diags.items[0], line, sizeof line), STR("/x.yaml:3:5: error: bad"));
    CHECK_INT(diags.items[1].severity, DIAG_WARNING);
    CHECK_STR(diag_text(&diags.items[1], line, sizeof line), STR("warning: odd"));
    diags_fini(&diags);
    json_decref(answer);
}

static void an_answer_without_diagnostics_has_none(void)
{
    static const char *const texts[] = {"{}", "{\"diagnostics\":7}", "[]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *answer = json_loads(texts[i], 0, NULL);
        struct diags diags = {.n = 0};
        answer_diags(answer, &diags);
        CHECK_INT(diags.n, 0);
        diags_fini(&diags);
        json_decref(answer);
    }
}

TEST_MAIN(TEST(diagnostics_are_read_and_what_is_missing_is_left_out),
          TEST(an_answer_without_diagnostics_has_none))
