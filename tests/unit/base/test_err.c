// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include "unit/test.h"

static void every_error_has_a_text_of_its_own(void)
{
    CHECK_INT(ERR_OK, 0);
    for (unsigned i = ERR_OK; i <= ERR_SYSTEM; i++) {
        CHECK(strlen(err_text((enum err)i)) > 0);
        for (unsigned k = ERR_OK; k < i; k++)
            CHECK(strcmp(err_text((enum err)i), err_text((enum err)k)) != 0);
    }
}

TEST_MAIN(TEST(every_error_has_a_text_of_its_own))
