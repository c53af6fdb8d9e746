// SPDX-License-Identifier: Apache-2.0
#include "acme/head.h"

#include <time.h>

#include "base/ascii.h"
#include "base/num.h"
#include "codec/date.h"

#define NONCE_MAX_BYTES 512

static bool is_nonce(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is(s.ptr[i], ASCII_ALPHA | ASCII_DIGIT) && s.ptr[i] != '-' && s.ptr[i] != '_')
            return false;
    }
    return s.len > 0 && s.len <= NONCE_MAX_BYTES;
}

enum err acme_retry_after(struct str value, int64_t now_s, int64_t *ret_s)
{
    uint64_t seconds;
    int64_t at_s;
    enum err err = num_dec(value, UINT64_MAX, &seconds);
    if (err == ERR_SYNTAX) {
        if (date_http_parse(value, &at_s) != ERR_OK)
            return ERR_SYNTAX;
        seconds = at_s > now_s ? (uint64_t)(at_s - now_s) : 0;
    } else if (err != ERR_OK) {
        seconds = UINT64_MAX;
    }
    *ret_s = (int64_t)MAX(MIN(seconds, (uint64_t)ACME_RETRY_AFTER_MAX_S), 1u);
    return ERR_OK;
}

static bool take_digits(struct str *s, size_t n, unsigned max, int *ret)
{
    uint64_t value;
    if (s->len < n || num_dec(str_first(*s, n), max, &value) != ERR_OK)
        return false;
    *s = str_skip(*s, n);
    *ret = (int)value;
    return true;
}

static bool take(struct str *s, const char *either)
{
    if (s->len == 0 || !strchr(either, s->ptr[0]) || s->ptr[0] == '\0')
        return false;
    *s = str_skip(*s, 1);
    return true;
}

// "Z", "+01:00": what to take off.
static bool take_zone(struct str *s, int *ret_s)
{
    int hours, minutes;
    *ret_s = 0;
    if (take(s, "Zz"))
        return true;
    bool is_minus = s->len > 0 && s->ptr[0] == '-';
    if (!take(s, "+-") || !take_digits(s, 2, 23, &hours) || !take(s, ":") ||
        !take_digits(s, 2, 59, &minutes))
        return false;
    *ret_s = (hours * 60 + minutes) * 60 * (is_minus ? -1 : 1);
    return true;
}

enum err acme_time_parse(struct str s, int64_t *ret_s)
{
    struct tm tm = {0};
    int digit, zone_s;
    if (!take_digits(&s, 4, 9999, &tm.tm_year) || !take(&s, "-") ||
        !take_digits(&s, 2, 12, &tm.tm_mon) || !take(&s, "-") ||
        !take_digits(&s, 2, 31, &tm.tm_mday) || !take(&s, "Tt ") ||
        !take_digits(&s, 2, 23, &tm.tm_hour) || !take(&s, ":") ||
        !take_digits(&s, 2, 59, &tm.tm_min) || !take(&s, ":") ||
        !take_digits(&s, 2, 60, &tm.tm_sec))
        return ERR_SYNTAX;
    if (take(&s, ".")) {
        if (!take_digits(&s, 1, 9, &digit))
            return ERR_SYNTAX;
        while (take_digits(&s, 1, 9, &digit))
            ; // a part of a second
    }
    if (!take_zone(&s, &zone_s) || s.len > 0 || tm.tm_mon < 1 || tm.tm_mday < 1)
        return ERR_SYNTAX;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int month = tm.tm_mon;
    int64_t at_s = timegm(&tm);
    if (tm.tm_mon != month) // the 31st of a month that has none
        return ERR_SYNTAX;
    *ret_s = at_s - zone_s;
    return ERR_OK;
}

// A parameter's value: a token, or a quoted string, of which escapes aren't used by any relation.
static bool take_value(struct str *rest, struct str *ret)
{
    if (take(rest, "\"")) {
        bool is_closed = str_cut(*rest, '"', ret, rest);
        return is_closed && str_find(*ret, '\\') == STR_NPOS;
    }
    size_t n = 0;
    while (n < rest->len && ascii_is(rest->ptr[n], ASCII_TOKEN))
        n++;
    *ret = str_first(*rest, n);
    *rest = str_skip(*rest, n);
    return n > 0;
}

static bool take_param(struct str *rest, struct str *ret_name, struct str *ret_value)
{
    size_t n = 0;
    *rest = str_trim(*rest);
    while (n < rest->len && ascii_is(rest->ptr[n], ASCII_TOKEN))
        n++;
    *ret_name = str_first(*rest, n);
    *ret_value = STR_NONE;
    *rest = str_trim(str_skip(*rest, n));
    if (n == 0 || !take(rest, "="))
        return n > 0;
    *rest = str_trim(*rest);
    return take_value(rest, ret_value);
}

bool acme_link_next(struct str *rest, struct str *ret_url, struct str *ret_rel)
{
    struct str at = str_trim(*rest), name, value;
    *ret_rel = STR_NONE;
    while (take(&at, ","))
        at = str_trim(at);
    if (!take(&at, "<") || !str_cut(at, '>', ret_url, &at))
        return false;
    for (at = str_trim(at); take(&at, ";"); at = str_trim(at)) {
        if (!take_param(&at, &name, &value))
            return false;
        // RFC 8288 3.3: the first one counts.
        if (str_ieq(name, STR("rel")) && ret_rel->len == 0)
            *ret_rel = value;
    }
    if (at.len > 0 && !take(&at, ","))
        return false;
    *rest = at;
    return true;
}

// A relation may be one of several, with spaces between them.
static bool has_relation(struct str rel, struct str wanted)
{
    for (struct str word; (word = str_next_word(&rel)).len > 0;) {
        if (str_ieq(word, wanted))
            return true;
    }
    return false;
}

static void parse_links(struct str value, struct acme_head *h)
{
    struct str url, rel;
    while (acme_link_next(&value, &url, &rel)) {
        if (has_relation(rel, STR("alternate")) && h->n_alternates < ACME_LINKS_MAX)
            h->alternates[h->n_alternates++] = url;
        else if (has_relation(rel, STR("terms-of-service")))
            h->terms = url;
    }
}

void acme_head_parse(struct str raw, int64_t now_s, struct acme_head *ret)
{
    struct str line, name, value;
    *ret = (struct acme_head){0};
    while (raw.len > 0) {
        str_cut(raw, '\n', &line, &raw);
        if (str_ends(line, STR("\r")))
            line.len--;
        if (!str_cut(line, ':', &name, &value))
            continue;
        value = str_trim(value);
        if (str_ieq(name, STR("replay-nonce")) && is_nonce(value))
            ret->nonce = value;
        else if (str_ieq(name, STR("location")) && ascii_all(value, ASCII_TARGET))
            ret->location = value;
        else if (str_ieq(name, STR("content-type")))
            str_cut(value, ';', &ret->content_type, NULL);
        else if (str_ieq(name, STR("retry-after")))
            (void)!acme_retry_after(value, now_s, &ret->retry_after_s);
        else if (str_ieq(name, STR("date")))
            (void)!date_http_parse(value, &ret->date_s);
        else if (str_ieq(name, STR("link")))
            parse_links(value, ret);
    }
    ret->content_type = str_trim(ret->content_type);
}
