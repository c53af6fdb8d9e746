// SPDX-License-Identifier: Apache-2.0
#include "codec/resolv.h"

#include "base/num.h"

#define DOMAIN_MAX_BYTES 253

// Of several lines the last one counts.
static void read_search(struct resolv *r, struct str words, size_t max)
{
    r->n_search = 0;
    for (struct str word; r->n_search < max && (word = str_next_word(&words)).len > 0;) {
        bool is_root = str_eq(word, STR("."));
        if (!is_root && word.len <= DOMAIN_MAX_BYTES && str_find(word, '\0') == STR_NPOS)
            r->search[r->n_search++] = word;
    }
}

// "NAME:NUMBER"; larger ones count as max.
static void read_number(struct str word, struct str name, unsigned max, unsigned *ret)
{
    uint64_t n;
    if (str_starts(word, name) && num_dec(str_skip(word, name.len), UINT32_MAX, &n) == ERR_OK)
        *ret = (unsigned)MIN(n, (uint64_t)max);
}

static void read_options(struct resolv *r, struct str words)
{
    for (struct str word; (word = str_next_word(&words)).len > 0;) {
        read_number(word, STR("ndots:"), RESOLV_NDOTS_MAX, &r->ndots);
        read_number(word, STR("attempts:"), RESOLV_ATTEMPTS_MAX, &r->attempts);
        if (str_eq(word, STR("rotate")))
            r->rotate = true;
    }
}

struct resolv resolv_parse(struct str text)
{
    struct resolv r = {.ndots = 1};
    while (text.len > 0) {
        struct str line;
        str_cut(text, '\n', &line, &text);
        struct str word = str_next_word(&line);
        if (str_eq(word, STR("nameserver")) && r.n_servers < RESOLV_SERVERS_MAX &&
            ip_parse(str_next_word(&line), &r.servers[r.n_servers]) == ERR_OK)
            r.n_servers++;
        else if (str_eq(word, STR("search")))
            read_search(&r, line, RESOLV_SEARCH_MAX);
        else if (str_eq(word, STR("domain")))
            read_search(&r, line, 1);
        else if (str_eq(word, STR("options")))
            read_options(&r, line);
    }
    return r;
}
