// SPDX-License-Identifier: Apache-2.0
#include "http/status.h"

#include "unit/test.h"

static void known_statuses_have_a_phrase_and_a_line(void)
{
    CHECK_STR(str_of(http_reason(431)), STR("Request Header Fields Too Large"));
    CHECK_STR(http_status_line(304), STR("HTTP/1.1 304 Not Modified\r\n"));
}

static void unknown_statuses_have_none(void)
{
    static const unsigned statuses[] = {0, 99, 299, 418, 599, 9999};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        CHECK_STR(str_of(http_reason(statuses[i])), STR(""));
        CHECK_INT(http_status_line(statuses[i]).len, 0);
    }
}

TEST_MAIN(TEST(known_statuses_have_a_phrase_and_a_line), TEST(unknown_statuses_have_none))
