// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static void the_page_has_every_setting_with_type_default_and_example(void)
{
    static const char *const parts[] = {
        ".SH SETTINGS\n.SS ",
        ".TP\n\\fBworkers\\fR\nnumber, 1 to 1024, or \\fBauto\\fR \\[u00B7] default \\fBauto\\fR",
        ".EX\nto: https://example.com/\n.EE\n",
        "map of names to \\fIsite\\fR",
        "In: \\fBsite.to\\fR, \\fBservice.servers\\fR.\n.PP\nA value that is not a map is taken",
        ".TP\nOne of these keys\n",
    };
    struct text text = {.len = 0};
    conf_print_man(&sample_root_section, &text);
    check_has_all(text_str(&text), parts, ARRAY_LEN(parts));
    text_fini(&text);
}

TEST_MAIN(TEST(the_page_has_every_setting_with_type_default_and_example))
