// SPDX-License-Identifier: Apache-2.0
#include "http/trail.h"

#include "unit/test.h"

static void a_trail_tells_its_steps_and_counts_the_rest(void)
{
    struct trail t = {.n = 0};
    char text[2048];
    struct writer w;
    trail_add(&t, STR("route api"), "matched", STR_NONE);
    trail_add(&t, STR("filter auth"), "denied", STR("no credentials"));
    writer_init(&w, text, sizeof text);
    trail_write(&t, &w);
    CHECK_STR(writer_str(&w), STR("route api matched; filter auth denied (no credentials)"));
    for (unsigned i = 0; i < TRAIL_MAX; i++)
        trail_add(&t, STR("x"), "passed", STR_NONE);
    writer_init(&w, text, sizeof text);
    trail_write(&t, &w);
    CHECK(str_ends(writer_str(&w), STR("x passed; and 2 more")));
}

TEST_MAIN(TEST(a_trail_tells_its_steps_and_counts_the_rest))
