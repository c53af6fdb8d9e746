// SPDX-License-Identifier: Apache-2.0
#include "filter/week.h"

#include "base/attr.h"
#include "base/num.h"

#define DAY_MINUTES 1440
#define DAYS 7
#define ALL_DAYS 0x7f
#define DAY_LETTERS_MIN 3

static bool parse_day(struct str s, unsigned *ret)
{
    static const struct str names[DAYS] = {
        STR_INIT("monday"), STR_INIT("tuesday"),  STR_INIT("wednesday"), STR_INIT("thursday"),
        STR_INIT("friday"), STR_INIT("saturday"), STR_INIT("sunday"),
    };
    for (*ret = 0; *ret < DAYS; ++*ret) {
        if (s.len >= DAY_LETTERS_MIN && str_istarts(names[*ret], s))
            return true;
    }
    return false;
}

// "Mon", "Fri-Mon".
static bool parse_days(struct str s, uint8_t *days)
{
    struct str first, last;
    unsigned from, to;
    bool is_range = str_cut(s, '-', &first, &last);
    if (!parse_day(first, &from) || (is_range && !parse_day(last, &to)))
        return false;
    if (!is_range)
        to = from;
    for (unsigned day = from;; day = (day + 1) % DAYS) {
        *days |= (uint8_t)(1u << day);
        if (day == to)
            return true;
    }
}

static bool parse_list_of_days(struct str s, uint8_t *ret)
{
    struct str one;
    bool has_more = true;
    *ret = 0;
    while (has_more) {
        has_more = str_cut(s, ',', &one, &s);
        if (!parse_days(one, ret))
            return false;
    }
    return true;
}

// "08:30"; 24:00 is a day's end.
static bool parse_time(struct str s, uint16_t *ret)
{
    struct str hours, minutes;
    uint64_t h, m;
    if (s.len != 5 || !str_cut(s, ':', &hours, &minutes) || hours.len != 2 ||
        num_dec(hours, 24, &h) != ERR_OK || num_dec(minutes, 59, &m) != ERR_OK)
        return false;
    *ret = (uint16_t)(h * 60 + m);
    return *ret <= DAY_MINUTES;
}

static bool parse_times(struct str s, struct week_window *w)
{
    struct str from, till;
    return str_cut(s, '-', &from, &till) && parse_time(from, &w->from) &&
           parse_time(till, &w->till) && w->from < DAY_MINUTES;
}

enum err week_parse(struct str text, struct week_window *ret)
{
    struct str first, second;
    bool has_both = str_cut(str_trim(text), ' ', &first, &second);
    *ret = (struct week_window){.days = ALL_DAYS, .till = DAY_MINUTES};
    if (has_both)
        return parse_list_of_days(first, &ret->days) && parse_times(str_trim(second), ret)
                   ? ERR_OK
                   : ERR_SYNTAX;
    return parse_times(first, ret) || parse_list_of_days(first, &ret->days) ? ERR_OK : ERR_SYNTAX;
}

bool week_contains(const struct week_window *w, int64_t local_s)
{
    int64_t minutes = local_s / 60;
    int64_t day = minutes / DAY_MINUTES + 3; // 1970 began on a Thursday
    unsigned today = (unsigned)(day % DAYS), yesterday = (unsigned)((day + DAYS - 1) % DAYS);
    unsigned now = (unsigned)(minutes % DAY_MINUTES);
    bool is_day = (w->days >> today & 1) != 0, was_day = (w->days >> yesterday & 1) != 0;
    if (w->from < w->till)
        return is_day && now >= w->from && now < w->till;
    return (is_day && now >= w->from) || (was_day && now < w->till);
}
