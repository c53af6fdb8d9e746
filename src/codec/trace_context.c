// SPDX-License-Identifier: Apache-2.0
#include "codec/trace_context.h"

#include <string.h>

#define STATE_MEMBERS_MAX 32
#define KEY_MAX_BYTES 256
#define TENANT_MAX_BYTES 241
#define SYSTEM_MAX_BYTES 14
#define VALUE_MAX_BYTES 256

static const char digits[] = "0123456789abcdef";

void trace_hex(const uint8_t *bytes, size_t n, char *ret)
{
    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
}

// Lower case alone counts (3.2.2.3). -1: it is no digit.
static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct str s, uint8_t *ret)
{
    for (size_t i = 0; i + 1 < s.len; i += 2) {
        int high = digit_of(s.ptr[i]), low = digit_of(s.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    uint8_t all = 0;
    for (size_t i = 0; i < n; i++)
        all |= bytes[i];
    return all == 0;
}

bool trace_parent_parse(struct str s, struct trace_parent *ret)
{
    uint8_t version, flags;
    struct trace_parent p;
    if (s.len < TRACE_PARENT_TEXT_BYTES || s.ptr[2] != '-' || s.ptr[35] != '-' ||
        s.ptr[52] != '-' || !read_hex(str_first(s, 2), &version) || version == 0xff)
        return false;
    if (s.len > TRACE_PARENT_TEXT_BYTES && (version == 0 || s.ptr[TRACE_PARENT_TEXT_BYTES] != '-'))
        return false;
    if (!read_hex(str_from(s.ptr + 3, 32), p.trace) ||
        !read_hex(str_from(s.ptr + 36, 16), p.span) || !read_hex(str_from(s.ptr + 53, 2), &flags) ||
        is_zero(p.trace, sizeof p.trace) || is_zero(p.span, sizeof p.span))
        return false;
    p.is_sampled = (flags & 1) != 0;
    *ret = p;
    return true;
}

void trace_parent_write(const struct trace_parent *p, char ret[static TRACE_PARENT_TEXT_BYTES])
{
    memcpy(ret, "00-", 3);
    trace_hex(p->trace, sizeof p->trace, ret + 3);
    ret[35] = '-';
    trace_hex(p->span, sizeof p->span, ret + 36);
    memcpy(ret + 52, p->is_sampled ? "-01" : "-00", 3);
}

// --- tracestate ---

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_key_byte(char c)
{
    return is_lower(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '/';
}

static bool is_key_part(struct str s, bool may_begin_with_digit, size_t max)
{
    if (s.len == 0 || s.len > max ||
        !(is_lower(s.ptr[0]) || (may_begin_with_digit && digit_of(s.ptr[0]) >= 0)))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!is_key_byte(s.ptr[i]))
            return false;
    return true;
}

// "vendor" or "tenant@system" (3.3.1.3.1).
static bool is_key(struct str s)
{
    struct str tenant, system;
    if (!str_cut(s, '@', &tenant, &system))
        return is_key_part(s, false, KEY_MAX_BYTES);
    return is_key_part(tenant, true, TENANT_MAX_BYTES) &&
           is_key_part(system, false, SYSTEM_MAX_BYTES);
}

// Printable, without ',' and '=', and no space at its end (3.3.1.3.2).
static bool is_value(struct str s)
{
    if (s.len == 0 || s.len > VALUE_MAX_BYTES || s.ptr[s.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < ' ' || s.ptr[i] > '~' || s.ptr[i] == ',' || s.ptr[i] == '=')
            return false;
    return true;
}

bool trace_state_is_valid(struct str s)
{
    struct str keys[STATE_MEMBERS_MAX];
    size_t n = 0;
    if (s.len > TRACE_STATE_MAX_BYTES)
        return false;
    while (s.len > 0) {
        struct str member, value;
        str_cut(s, ',', &member, &s);
        member = str_trim(member);
        if (member.len == 0)
            continue; // allowed (3.3.1.1)
        if (n == STATE_MEMBERS_MAX || !str_cut(member, '=', &keys[n], &value) || !is_key(keys[n]) ||
            !is_value(value))
            return false;
        for (size_t i = 0; i < n; i++)
            if (str_eq(keys[i], keys[n]))
                return false;
        n++;
    }
    return n > 0;
}
