// SPDX-License-Identifier: Apache-2.0
#include "base/ascii.h"
#include "conf/conf_priv.h"

#define LEN_MAX 64

// Case and the kind of dash are not what makes two names different.
static char fold(char c)
{
    return c == '_' ? '-' : ascii_lower(c);
}

static size_t min3(size_t a, size_t b, size_t c)
{
    return MIN(MIN(a, b), c);
}

// Damerau-Levenshtein distance (insert, delete, replace, swap neighbours) of two short texts.
static size_t distance(struct str a, struct str b)
{
    size_t rows[3][LEN_MAX + 1]; // two back, one back, this one
    size_t *older = rows[0], *old = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        old[j] = older[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = fold(a.ptr[i - 1]), y = fold(b.ptr[j - 1]);
            now[j] = min3(old[j] + 1, now[j - 1] + 1, old[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b.ptr[j - 2]) && fold(a.ptr[i - 2]) == y)
                now[j] = MIN(now[j], older[j - 2] + 1);
        }
        size_t *spare = older;
        older = old;
        old = now;
        now = spare;
    }
    return old[b.len];
}

static bool is_prefix(struct str prefix, struct str s)
{
    if (prefix.len < 2 || prefix.len > s.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        if (fold(prefix.ptr[i]) != fold(s.ptr[i]))
            return false;
    }
    return true;
}

void conf_nearest_offer(struct conf_nearest *nearest, const char *name)
{
    struct str wanted = nearest->wanted, offered = str_of(name);
    if (wanted.len == 0 || wanted.len > LEN_MAX || offered.len == 0 || offered.len > LEN_MAX)
        return;
    size_t allowed = MIN(wanted.len, offered.len) <= 3 ? 1 : 2;
    size_t d = distance(wanted, offered);
    bool is_begun = is_prefix(wanted, offered);
    if (d > allowed) {
        if (!is_begun && !is_prefix(offered, wanted))
            return;
        d = 3; // a prefix counts less than a typing error
    }
    // Of names as far away, the one of which this is the beginning: 'stat' is 'status', not 'stop'.
    d = 2 * d + !is_begun;
    if (nearest->name && nearest->distance <= d)
        return;
    nearest->name = name;
    nearest->distance = d;
}

const char *conf_suggest(struct str s, const char *const *names)
{
    struct conf_nearest nearest = {.wanted = s};
    for (; *names; names++)
        conf_nearest_offer(&nearest, *names);
    return nearest.name;
}
