// SPDX-License-Identifier: Apache-2.0
// Ranges instead of a trie of prefixes, since membership is all that is asked: one array without
// pointers, and an index by the first two bytes of an address, so that a look-up touches few lines
// of cache.
#include "codec/ip_set.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct ip_key {
    uint64_t high, low;
};

struct ip_range {
    struct ip_key first, last;
};

#define INDEX_BITS 16
#define INDEX_MIN 64 // ranges: below, the search is short anyway

static bool is_less(struct ip_key a, struct ip_key b)
{
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

static uint64_t number_at(const uint8_t *bytes)
{
    uint64_t n;
    memcpy(&n, bytes, sizeof n);
    return be64toh(n);
}

// IPv4 has its four bytes at the start, and zeros behind them.
static struct ip_key first_of(const struct ip *ip)
{
    return (struct ip_key){number_at(ip->bytes), number_at(ip->bytes + 8)};
}

// A prefix of IPv4 leaves as many bits free as one of IPv6 of the same length.
static struct ip_key last_of(const struct ip_net *net)
{
    struct ip_key key = first_of(&net->ip);
    key.high |= net->bits >= 64 ? 0 : UINT64_MAX >> net->bits;
    key.low |= net->bits >= 128 ? 0 : UINT64_MAX >> (net->bits > 64 ? net->bits - 64 : 0);
    return key;
}

static bool is_next(struct ip_key a, struct ip_key before)
{
    return a.low > 0 ? a.high == before.high && a.low - 1 == before.low
                     : before.low == UINT64_MAX && a.high == before.high + 1;
}

static int by_first(const void *a, const void *b)
{
    const struct ip_range *x = a, *y = b;
    return is_less(y->first, x->first) - is_less(x->first, y->first);
}

static uint32_t index_of(struct ip_key key)
{
    return (uint32_t)(key.high >> (64 - INDEX_BITS));
}

// starts[i]: how many ranges begin below the i-th part of the space; one more at the end.
static enum err make_index(struct ip_ranges *r, struct arena *mem)
{
    const uint32_t n_parts = 1u << INDEX_BITS;
    r->starts = ARENA_ARRAY(mem, uint32_t, n_parts + 1);
    if (!r->starts)
        return ERR_LIMIT;
    uint32_t at = 0;
    for (uint32_t part = 0; part <= n_parts; part++) {
        while (at < r->n && index_of(r->all[at].first) < part)
            at++;
        r->starts[part] = at;
    }
    return ERR_OK;
}

// Sorts the ranges, and joins those that overlap or touch.
static enum err make_ranges(struct ip_range *all, size_t n, struct arena *mem,
                            struct ip_ranges *ret)
{
    struct ip_range *joined = ARENA_ARRAY(mem, struct ip_range, n + 1);
    if (!joined)
        return ERR_LIMIT;
    qsort(all, n, sizeof *all, by_first);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct ip_range *before = count > 0 ? &joined[count - 1] : NULL;
        bool joins =
            before && (!is_less(before->last, all[i].first) || is_next(all[i].first, before->last));
        if (!joins)
            joined[count++] = all[i];
        else if (is_less(before->last, all[i].last))
            before->last = all[i].last;
    }
    *ret = (struct ip_ranges){.all = joined, .n = count};
    return count >= INDEX_MIN ? make_index(ret, mem) : ERR_OK;
}

static enum err build_family(const struct ip_net *nets, size_t n, uint8_t family,
                             struct ip_range *scratch, struct arena *mem, struct ip_ranges *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (nets[i].ip.family == family)
            scratch[count++] = (struct ip_range){first_of(&nets[i].ip), last_of(&nets[i])};
    return make_ranges(scratch, count, mem, ret);
}

enum err ip_set_build(const struct ip_net *nets, size_t n, struct arena *mem, struct ip_set *ret)
{
    struct ip_range *scratch = MEM_ARRAY(struct ip_range, n + 1);
    enum err err = build_family(nets, n, 4, scratch, mem, &ret->v4);
    if (err == ERR_OK)
        err = build_family(nets, n, 6, scratch, mem, &ret->v6);
    mem_free(scratch);
    return err;
}

bool ip_set_contains(const struct ip_set *set, const struct ip *ip)
{
    if (ip->family == 0)
        return false;
    const struct ip_ranges *r = ip->family == 4 ? &set->v4 : &set->v6;
    struct ip_key key = first_of(ip);
    // Ranges before `at` begin at the key or below; none from `end` on does.
    size_t at = r->starts ? r->starts[index_of(key)] : 0;
    size_t end = r->starts ? r->starts[index_of(key) + 1] : r->n;
    while (at < end) {
        size_t middle = at + (end - at) / 2;
        if (is_less(key, r->all[middle].first))
            end = middle;
        else
            at = middle + 1;
    }
    return at > 0 && !is_less(r->all[at - 1].last, key);
}

enum err ip_list_parse(struct str text, struct arena *mem, struct ip_list *list, unsigned *ret_line,
                       const char **ret_why)
{
    struct str line, word;
    for (*ret_line = 1; text.len > 0; ++*ret_line) {
        if (!str_cut(text, '\n', &line, &text))
            text = STR_NONE;
        (void)str_cut(line, '#', &word, NULL);
        (void)str_cut(word, ';', &word, NULL);
        while (str_ends(word, STR("\r")))
            word.len--;
        word = str_trim(word);
        if (word.len == 0)
            continue;
        struct ip_net *nets = ARENA_GROW(mem, struct ip_net, list->nets, list->n, &list->cap);
        if (!nets)
            return ERR_LIMIT;
        list->nets = nets;
        enum err err = ip_net_parse(word, &nets[list->n]);
        if (err != ERR_OK) {
            *ret_why = err == ERR_RANGE ? "has bits set behind its prefix"
                                        : "is neither an address nor a network like 192.0.2.0/24";
            return ERR_SYNTAX;
        }
        list->n++;
    }
    return ERR_OK;
}
