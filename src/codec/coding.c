// SPDX-License-Identifier: Apache-2.0
#include "codec/coding.h"

#include "base/ascii.h"
#include "base/attr.h"

static const struct str names[] = {
#define X(id, name) [CODING_##id] = STR_INIT(name),
    CODING_LIST(X)
#undef X
};

bool coding_find(struct str name, enum coding *ret)
{
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_ieq(name, names[i]))
            continue;
        *ret = (enum coding)i;
        return true;
    }
    *ret = CODING_GZIP;
    return str_ieq(name, STR("x-gzip")); // RFC 9110 8.4.1.3
}

struct str coding_name(enum coding c)
{
    return names[c];
}

// --- Accept-Encoding ---

void coding_accept_init(struct coding_accept *a)
{
    *a = (struct coding_accept){.n_items = 0};
}

// qvalue (RFC 9110 12.4.2): at most three decimals, at most 1.
static bool parse_qvalue(struct str s, uint16_t *ret)
{
    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1'))
        return false;
    unsigned q = s.ptr[0] == '1' ? CODING_WEIGHT_MAX : 0;
    if (s.len > 1 && s.ptr[1] != '.')
        return false;
    unsigned unit = CODING_WEIGHT_MAX;
    for (size_t i = 2; i < s.len; i++) {
        unit /= 10;
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        q += unit * (unsigned)(s.ptr[i] - '0');
    }
    *ret = (uint16_t)q;
    return q <= CODING_WEIGHT_MAX;
}

static bool parse_item(struct str item, struct str *ret_name, uint16_t *ret_weight)
{
    struct str weight, q, value;
    *ret_weight = CODING_WEIGHT_MAX;
    bool has_weight = str_cut(item, ';', ret_name, &weight);
    *ret_name = str_trim(*ret_name);
    if (!ascii_is_token(*ret_name)) // "*" is one, too
        return false;
    if (!has_weight)
        return true;
    return str_cut(str_trim(weight), '=', &q, &value) && str_ieq(q, STR("q")) &&
           parse_qvalue(value, ret_weight);
}

// A coding that is named twice is as welcome as where it is the least.
static void add_named(struct coding_accept *a, enum coding c, uint16_t weight)
{
    if (!a->is_named[c] || weight < a->weights[c])
        a->weights[c] = weight;
    a->is_named[c] = true;
}

static void add_any(struct coding_accept *a, uint16_t weight)
{
    if (!a->has_any || weight < a->any_weight)
        a->any_weight = weight;
    a->has_any = true;
}

bool coding_accept_add(struct coding_accept *a, struct str value)
{
    struct coding_accept with = *a;
    struct str rest = value, item;
    while (str_next_item(&rest, ',', &item)) {
        struct str name;
        uint16_t weight;
        enum coding c;
        if (++with.n_items > CODING_ITEMS_MAX || !parse_item(item, &name, &weight))
            return false;
        if (str_eq(name, STR("*")))
            add_any(&with, weight);
        else if (coding_find(name, &c))
            add_named(&with, c, weight);
    }
    *a = with;
    return true;
}

void coding_accept_end(struct coding_accept *a)
{
    for (unsigned c = 0; c < CODING_COUNT; c++)
        if (!a->is_named[c])
            a->weights[c] = a->any_weight;
    a->names_identity = a->is_named[CODING_IDENTITY] || a->has_any;
    if (!a->names_identity)
        a->weights[CODING_IDENTITY] = CODING_WEIGHT_MAX;
}

enum coding coding_choose(const struct coding_accept *a, const enum coding *ours, size_t n)
{
    enum coding best = CODING_IDENTITY;
    uint16_t weight = 0;
    for (size_t i = 0; i < n; i++) {
        if (a->weights[ours[i]] <= weight)
            continue;
        best = ours[i];
        weight = a->weights[best];
    }
    bool prefers_none = a->names_identity && a->weights[CODING_IDENTITY] > weight;
    return prefers_none ? CODING_IDENTITY : best;
}

// --- Content-Encoding ---

bool coding_parse_list(struct str value, enum coding *ret, size_t max, size_t *ret_n)
{
    struct str rest = value, item;
    size_t n = 0;
    unsigned n_items = 0;
    while (str_next_item(&rest, ',', &item)) {
        enum coding c;
        if (++n_items > CODING_ITEMS_MAX || !coding_find(item, &c))
            return false;
        if (c == CODING_IDENTITY)
            continue;
        if (n == max)
            return false;
        ret[n++] = c;
    }
    *ret_n = n;
    return true;
}
