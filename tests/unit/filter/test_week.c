// SPDX-License-Identifier: Apache-2.0
#include "filter/week.h"

#include "unit/test.h"

#define HOUR 3600
#define DAY (24 * HOUR)
#define MONDAY (4 * DAY) // 1970-01-05

static void windows_hold_from_their_first_minute_to_before_their_last(void)
{
    static const struct {
        const char *text;
        int64_t at;
        bool wanted;
    } cases[] = {
        {"Mon-Fri 08:00-18:00", MONDAY + 8 * HOUR, true},
        {"Mon-Fri 08:00-18:00", MONDAY + 8 * HOUR - 1, false},
        {"Mon-Fri 08:00-18:00", MONDAY + 18 * HOUR - 1, true},
        {"Mon-Fri 08:00-18:00", MONDAY + 18 * HOUR, false},
        {"Mon-Fri 08:00-18:00", MONDAY + 5 * DAY + 9 * HOUR, false},
        {"sat,SUNDAY", MONDAY + 5 * DAY, true},
        {"sat,SUNDAY", MONDAY + 7 * DAY - 1, true},
        {"sat,SUNDAY", MONDAY, false},
        {"Sat-Mon", MONDAY, true},
        {"Sat-Mon", MONDAY + DAY, false},
        {"00:00-24:00", MONDAY + 3 * DAY + 5, true},
        {"22:00-06:00", MONDAY + 23 * HOUR, true},
        {"22:00-06:00", MONDAY + 5 * HOUR, true},
        {"22:00-06:00", MONDAY + 6 * HOUR, false},
        {"Fri 22:00-06:00", MONDAY + 5 * DAY + 5 * HOUR, true},
        {"Fri 22:00-06:00", MONDAY + 4 * DAY + 5 * HOUR, false},
        {"Sun 22:00-06:00", MONDAY + 5 * HOUR, true},
        {"Thu", 0, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct week_window w;
        CHECK_INT(week_parse(str_of(cases[i].text), &w), ERR_OK);
        if (week_contains(&w, cases[i].at) != cases[i].wanted)
            printf("# case %zu: %s\n", i, cases[i].text);
        CHECK_INT(week_contains(&w, cases[i].at), cases[i].wanted);
    }
}

static void what_is_no_window_is_refused(void)
{
    static const char *const cases[] = {
        "",
        "Mo",
        "Mon-",
        "Mon Tue",
        "08:00",
        "8:00-9:00",
        "08:00-25:00",
        "08:60-09:00",
        "24:00-01:00",
        "Mon 08:00-",
        "Mon,",
        "Mon-Fri 08.00-09.00",
        "Monday8",
        "00:00-24:01",
        "+8:00-09:00",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct week_window w;
        if (week_parse(str_of(cases[i]), &w) == ERR_OK)
            printf("# '%s' was taken\n", cases[i]);
        CHECK(week_parse(str_of(cases[i]), &w) != ERR_OK);
    }
}

TEST_MAIN(TEST(windows_hold_from_their_first_minute_to_before_their_last),
          TEST(what_is_no_window_is_refused))
