// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

#include "base/ascii.h"

bool str_ieq(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    }
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = MIN(a.len, b.len);
    int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_istarts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_ieq(str_first(s, prefix.len), prefix);
}

bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_tail)
{
    size_t at = str_find(s, sep);
    bool found = at != STR_NPOS;
    if (ret_head)
        *ret_head = found ? str_first(s, at) : s;
    if (ret_tail)
        *ret_tail = found ? str_skip(s, at + 1) : STR_NONE;
    return found;
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = str_skip(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool str_next_item(struct str *rest, char sep, struct str *ret_item)
{
    while (rest->len > 0) {
        struct str item;
        str_cut(*rest, sep, &item, rest);
        item = str_trim(item);
        if (item.len > 0) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

struct str str_next_word(struct str *rest)
{
    size_t start = 0;
    while (start < rest->len && is_blank(rest->ptr[start]))
        start++;
    size_t end = start;
    while (end < rest->len && !is_blank(rest->ptr[end]))
        end++;
    struct str word = str_first(str_skip(*rest, start), end - start);
    *rest = str_skip(*rest, end);
    return word;
}
