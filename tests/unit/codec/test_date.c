// SPDX-License-Identifier: Apache-2.0
#include "codec/date.h"

#include <time.h>

#include "unit/test.h"

#define FIRST_S (-62167219200)
#define LAST_S 253402300799

static void all_three_forms_of_http_are_read(void)
{
    static const struct {
        const char *in;
        int64_t wanted;
    } cases[] = {
        // RFC 9110 5.6.7
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 06 08:49:37 1994", 784111777},
        {"Wed Nov 16 08:49:37 1994", 784975777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, // a leap second
        {"Tuesday, 19-Jan-38 03:14:08 GMT", 2147483648},
        {"Friday, 31-Dec-99 23:59:59 GMT", 946684799},
        {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
        {"Saturday, 01-Jan-00 00:00:00 GMT", 946684800},
        {"Fri, 31 Dec 9999 23:59:59 GMT", LAST_S},
        {"Sat, 01 Jan 0000 00:00:00 GMT", FIRST_S},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t got = 77;
        CHECK_INT(date_http_parse(str_of(cases[i].in), &got), ERR_OK);
        CHECK_INT(got, cases[i].wanted);
    }
}

static void other_forms_are_refused(void)
{
    static const struct {
        const char *in;
        enum err wanted;
    } cases[] = {
        {"", ERR_SYNTAX},
        {"0", ERR_SYNTAX},
        {"784111777", ERR_SYNTAX},
        {"Sun, 06 Nov 1994 08:49:37", ERR_SYNTAX},
        {"Sun, 06 Nov 1994 08:49:37 UTC", ERR_SYNTAX},
        {"Sun, 06 Nov 1994 08:49:37 +0000", ERR_SYNTAX},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", ERR_SYNTAX},
        {" Sun, 06 Nov 1994 08:49:37 GMT", ERR_SYNTAX},
        {"Sun, 06 Nov 1994 08:49:37 gmt", ERR_SYNTAX},
        {"sun, 06 Nov 1994 08:49:37 GMT", ERR_SYNTAX},
        {"Sun,06 Nov 1994 08:49:37 GMT", ERR_SYNTAX},
        {"Sun, 6 Nov 1994 08:49:37 GMT", ERR_SYNTAX},
        {"Sun,  6 Nov 1994 08:49:37 GMT", ERR_SYNTAX},
        {"Sun, 06-Nov-1994 08:49:37 GMT", ERR_SYNTAX},
        {"Sun, 06-Nov-94 08:49:37 GMT", ERR_SYNTAX},
        {"Sun, 06 Nov 94 08:49:37 GMT", ERR_SYNTAX},
        {"Sun, 06 Nov 1994 8:49:37 GMT", ERR_SYNTAX},
        {"Sun, 06 Nov 1994 08:49 GMT", ERR_SYNTAX},
        {"Sun, 06 Nov 19940 08:49:37 GMT", ERR_SYNTAX},
        {"Sun, 06 Foo 1994 08:49:37 GMT", ERR_SYNTAX},
        {"Foo, 06 Nov 1994 08:49:37 GMT", ERR_SYNTAX},
        {"Sun Nov 6 08:49:37 1994", ERR_SYNTAX},
        {"Sun, 00 Nov 1994 08:49:37 GMT", ERR_RANGE},
        {"Sun, 31 Nov 1994 08:49:37 GMT", ERR_RANGE},
        {"Wed, 29 Feb 2023 00:00:00 GMT", ERR_RANGE},
        {"Thu, 29 Feb 1900 00:00:00 GMT", ERR_RANGE},
        {"Sun, 06 Nov 1994 24:00:00 GMT", ERR_RANGE},
        {"Sun, 06 Nov 1994 08:60:37 GMT", ERR_RANGE},
        {"Sun, 06 Nov 1994 08:49:61 GMT", ERR_RANGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t got = 77;
        enum err err = date_http_parse(str_of(cases[i].in), &got);
        if (err != cases[i].wanted)
            printf("# for '%s'\n", cases[i].in);
        CHECK_INT(err, cases[i].wanted);
        CHECK_INT(got, 77);
    }
}

// The C library is the model, in steps that hit every day of the week and every month.
static void dates_agree_with_the_c_library_and_read_back(void)
{
    for (int64_t s = FIRST_S; s <= LAST_S; s += 86400 * 13 + 4567) {
        time_t t = (time_t)s;
        struct tm tm;
        char wanted[64], got[DATE_HTTP_BYTES];
        gmtime_r(&t, &tm);
        int n = snprintf(wanted, sizeof wanted, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                         &"SunMonTueWedThuFriSat"[tm.tm_wday * 3], tm.tm_mday,
                         &"JanFebMarAprMayJunJulAugSepOctNovDec"[tm.tm_mon * 3], tm.tm_year + 1900,
                         tm.tm_hour, tm.tm_min, tm.tm_sec);
        date_http(s, got);
        CHECK_STR(str_from(got, sizeof got), str_from(wanted, (size_t)n));
        int64_t back = 77;
        CHECK_INT(date_http_parse(str_from(got, sizeof got), &back), ERR_OK);
        CHECK_INT(back, s);
        if (test_failed)
            return;
    }
}

static void dates_beyond_four_digits_are_clamped(void)
{
    char got[DATE_HTTP_BYTES];
    date_http(INT64_MAX, got);
    CHECK_STR(str_from(got, sizeof got), STR("Fri, 31 Dec 9999 23:59:59 GMT"));
    date_http(INT64_MIN, got);
    CHECK_STR(str_from(got, sizeof got), STR("Sat, 01 Jan 0000 00:00:00 GMT"));
}

static void log_dates_have_the_common_log_format(void)
{
    char got[DATE_CLF_BYTES];
    date_clf(971186136, got);
    CHECK_STR(str_from(got, sizeof got), STR("10/Oct/2000:13:55:36 +0000"));
}

static void iso_dates_have_milliseconds_rounded_down(void)
{
    static const struct {
        int64_t ns;
        struct str wanted;
    } cases[] = {
        {1795269600123999999, STR_INIT("2026-11-21T14:00:00.123Z")},
        {0, STR_INIT("1970-01-01T00:00:00.000Z")},
        {-1, STR_INIT("1969-12-31T23:59:59.999Z")},
        {-1000000000, STR_INIT("1969-12-31T23:59:59.000Z")},
        {INT64_MAX, STR_INIT("2262-04-11T23:47:16.854Z")},
        {INT64_MIN, STR_INIT("1677-09-21T00:12:43.145Z")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[DATE_ISO_BYTES];
        date_iso(cases[i].ns, got);
        CHECK_STR(str_from(got, sizeof got), cases[i].wanted);
    }
}

static void iso_dates_of_seconds_reach_the_year_9999(void)
{
    static const struct {
        int64_t s;
        struct str wanted;
    } cases[] = {
        {1795269600, STR_INIT("2026-11-21T14:00:00.000Z")},
        {-1, STR_INIT("1969-12-31T23:59:59.000Z")},
        {253402300799, STR_INIT("9999-12-31T23:59:59.000Z")},
        {INT64_MAX, STR_INIT("9999-12-31T23:59:59.000Z")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[DATE_ISO_BYTES];
        date_iso_s(cases[i].s, got);
        CHECK_STR(str_from(got, sizeof got), cases[i].wanted);
    }
}

TEST_MAIN(TEST(all_three_forms_of_http_are_read), TEST(other_forms_are_refused),
          TEST(dates_agree_with_the_c_library_and_read_back),
          TEST(dates_beyond_four_digits_are_clamped), TEST(log_dates_have_the_common_log_format),
          TEST(iso_dates_have_milliseconds_rounded_down),
          TEST(iso_dates_of_seconds_reach_the_year_9999))
