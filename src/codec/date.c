// SPDX-License-Identifier: Apache-2.0
#include "codec/date.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/writer.h"

#define DAY_S 86400
// 0000-01-01 and the last second of 9999: four digits of a year.
#define MIN_S (-62167219200)
#define MAX_S 253402300799

struct parts {
    int64_t year;
    unsigned month; // from 1
    unsigned day;   // from 1
    unsigned hour, minute, second;
    unsigned weekday; // 0 is Sunday
};

static const struct str weekdays[] = {
    STR_INIT("Sunday"),   STR_INIT("Monday"), STR_INIT("Tuesday"),  STR_INIT("Wednesday"),
    STR_INIT("Thursday"), STR_INIT("Friday"), STR_INIT("Saturday"),
};
static const struct str months[] = {
    STR_INIT("Jan"), STR_INIT("Feb"), STR_INIT("Mar"), STR_INIT("Apr"),
    STR_INIT("May"), STR_INIT("Jun"), STR_INIT("Jul"), STR_INIT("Aug"),
    STR_INIT("Sep"), STR_INIT("Oct"), STR_INIT("Nov"), STR_INIT("Dec"),
};

// --- calendar ---

// Days of a year that begins in March: the leap day is its last.
static unsigned day_of_march_year(unsigned month, unsigned day)
{
    return (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
}

// Days since 1970-01-01 in the Gregorian calendar; year >= 0.
static int64_t days_of_date(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year + 400 - (month <= 2); // 400 years ahead keeps the divisions positive
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_march_year(month, day) - 719468 - 146097;
}

static void date_of_days(int64_t days, struct parts *ret)
{
    int64_t shifted = days + 719468 + 146097;
    int64_t era = shifted / 146097, day_of_era = shifted % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day =
        (unsigned)(day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100));
    unsigned month = (5 * day + 2) / 153; // from March
    ret->day = day - (153 * month + 2) / 5 + 1;
    ret->month = month < 10 ? month + 3 : month - 9;
    ret->year = year_of_era + era * 400 - 400 + (ret->month <= 2);
    ret->weekday = (unsigned)((shifted + 3) % 7);
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (unsigned)(month == 2 && is_leap);
}

static struct parts parts_of(int64_t unix_s)
{
    int64_t s = MAX(MIN_S, MIN(unix_s, MAX_S)) - MIN_S;
    unsigned second = (unsigned)(s % DAY_S);
    struct parts p = {.hour = second / 3600, .minute = second / 60 % 60, .second = second % 60};
    date_of_days((s + MIN_S - second) / DAY_S, &p);
    return p;
}

// --- writing ---

static void put_digits(struct writer *w, uint64_t value, unsigned n_digits)
{
    uint64_t divisor = 1;
    for (unsigned i = 1; i < n_digits; i++)
        divisor *= 10;
    for (; divisor > 0; divisor /= 10)
        writer_byte(w, (char)('0' + value / divisor % 10));
}

// The letters mean what they mean to strftime.
static void put_field(struct writer *w, char field, const struct parts *p)
{
    if (field == 'a')
        writer_put(w, str_first(weekdays[p->weekday], 3));
    else if (field == 'b')
        writer_put(w, months[p->month - 1]);
    else if (field == 'Y')
        put_digits(w, (uint64_t)p->year, 4);
    else if (field == 'm')
        put_digits(w, p->month, 2);
    else if (field == 'd')
        put_digits(w, p->day, 2);
    else if (field == 'H')
        put_digits(w, p->hour, 2);
    else if (field == 'M')
        put_digits(w, p->minute, 2);
    else if (field == 'S')
        put_digits(w, p->second, 2);
}

static void put_date(struct writer *w, const char *form, int64_t unix_s)
{
    struct parts p = parts_of(unix_s);
    for (; *form; form++) {
        if (*form == '%')
            put_field(w, *++form, &p);
        else
            writer_byte(w, *form);
    }
}

// --- reading ---

static bool take(struct str *s, struct str wanted)
{
    bool is_there = str_starts(*s, wanted);
    if (is_there)
        *s = str_skip(*s, wanted.len);
    return is_there;
}

// Takes the name that s begins with, by its first `len` bytes; 0 for the whole.
static bool take_name(struct str *s, const struct str *names, size_t n, size_t len, unsigned *ret)
{
    for (unsigned i = 0; i < n; i++) {
        if (take(s, len > 0 ? str_first(names[i], len) : names[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool take_digits(struct str *s, unsigned n_digits, unsigned *ret)
{
    unsigned value = 0;
    for (unsigned i = 0; i < n_digits; i++) {
        if (i >= s->len || !ascii_is(s->ptr[i], ASCII_DIGIT))
            return false;
        value = value * 10 + (unsigned)(s->ptr[i] - '0');
    }
    *s = str_skip(*s, n_digits);
    *ret = value;
    return true;
}

static bool take_year(struct str *s, unsigned n_digits, struct parts *p)
{
    unsigned year;
    if (!take_digits(s, n_digits, &year))
        return false;
    // RFC 9110 wants the nearest year by the reader's clock, which codecs don't have. A fixed
    // pivot differs from it only for dates that are decades ahead.
    if (n_digits == 2)
        year += year < 70 ? 2000 : 1900;
    p->year = year;
    return true;
}

// The letters mean what they mean to strptime, but each has one width.
static bool take_field(struct str *s, char field, struct parts *p)
{
    if (field == 'a')
        return take_name(s, weekdays, ARRAY_LEN(weekdays), 3, &p->weekday);
    if (field == 'A')
        return take_name(s, weekdays, ARRAY_LEN(weekdays), 0, &p->weekday);
    if (field == 'b') {
        bool is_month = take_name(s, months, ARRAY_LEN(months), 0, &p->month);
        p->month++;
        return is_month;
    }
    if (field == 'Y' || field == 'y')
        return take_year(s, field == 'Y' ? 4 : 2, p);
    if (field == 'e')
        return take_digits(s, take(s, STR(" ")) ? 1 : 2, &p->day);
    if (field == 'd')
        return take_digits(s, 2, &p->day);
    if (field == 'H')
        return take_digits(s, 2, &p->hour);
    if (field == 'M')
        return take_digits(s, 2, &p->minute);
    ASSERT(field == 'S');
    return take_digits(s, 2, &p->second);
}

static bool take_date(struct str s, const char *form, struct parts *p)
{
    for (; *form; form++) {
        bool is_there = *form == '%' ? take_field(&s, *++form, p) : take(&s, (struct str){form, 1});
        if (!is_there)
            return false;
    }
    return s.len == 0;
}

// --- public ---

void date_http(int64_t unix_s, char ret[static DATE_HTTP_BYTES])
{
    struct writer w;
    writer_init(&w, ret, DATE_HTTP_BYTES);
    put_date(&w, "%a, %d %b %Y %H:%M:%S GMT", unix_s);
    ASSERT(w.len == DATE_HTTP_BYTES);
}

enum err date_http_parse(struct str s, int64_t *ret_unix_s)
{
    // IMF-fixdate, RFC 850, asctime.
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct parts p = {.month = 1}; // each form sets all that is read below
        if (!take_date(s, forms[i], &p))
            continue;
        // Second 60 is a leap second.
        if (p.day < 1 || p.day > days_in_month(p.year, p.month) || p.hour > 23 || p.minute > 59 ||
            p.second > 60)
            return ERR_RANGE;
        *ret_unix_s =
            days_of_date(p.year, p.month, p.day) * DAY_S + p.hour * 3600 + p.minute * 60 + p.second;
        return ERR_OK;
    }
    return ERR_SYNTAX;
}

void date_clf(int64_t unix_s, char ret[static DATE_CLF_BYTES])
{
    struct writer w;
    writer_init(&w, ret, DATE_CLF_BYTES);
    put_date(&w, "%d/%b/%Y:%H:%M:%S +0000", unix_s);
    ASSERT(w.len == DATE_CLF_BYTES);
}

static void put_iso(int64_t unix_s, unsigned ms, char ret[static DATE_ISO_BYTES])
{
    struct writer w;
    writer_init(&w, ret, DATE_ISO_BYTES);
    put_date(&w, "%Y-%m-%dT%H:%M:%S.", unix_s);
    put_digits(&w, ms, 3);
    writer_byte(&w, 'Z');
    ASSERT(w.len == DATE_ISO_BYTES);
}

void date_iso(int64_t unix_ns, char ret[static DATE_ISO_BYTES])
{
    int64_t unix_s = unix_ns / 1000000000, ns = unix_ns % 1000000000;
    if (ns < 0) {
        unix_s--;
        ns += 1000000000;
    }
    put_iso(unix_s, (unsigned)(ns / 1000000), ret);
}

void date_iso_s(int64_t unix_s, char ret[static DATE_ISO_BYTES])
{
    put_iso(unix_s, 0, ret);
}
