// SPDX-License-Identifier: Apache-2.0
// Property: what was understood, written down again, is understood in the same way; all of it is
// within its limits and borrows from the text.
#include "base/assert.h"
#include "base/text.h"
#include "codec/resolv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_down(const struct resolv *r, struct text *to)
{
    for (size_t i = 0; i < r->n_servers; i++) {
        char ip[46];
        text_printf(to, "nameserver " STR_FMT "\n", STR_ARG(ip_text(&r->servers[i], ip)));
    }
    text_put(to, STR("search"));
    for (size_t i = 0; i < r->n_search; i++) {
        text_byte(to, ' ');
        text_put(to, r->search[i]);
    }
    text_printf(to, "\noptions ndots:%u attempts:%u%s\n", r->ndots, r->attempts,
                r->rotate ? " rotate" : "");
}

static void check_limits(const struct resolv *r, struct str text)
{
    ASSERT(r->n_servers <= RESOLV_SERVERS_MAX && r->n_search <= RESOLV_SEARCH_MAX);
    ASSERT(r->ndots <= RESOLV_NDOTS_MAX && r->attempts <= RESOLV_ATTEMPTS_MAX);
    for (size_t i = 0; i < r->n_search; i++)
        ASSERT(r->search[i].len > 0 && r->search[i].ptr >= text.ptr &&
               r->search[i].ptr + r->search[i].len <= text.ptr + text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct text again = {.ptr = NULL};
    struct resolv r = resolv_parse(text);
    check_limits(&r, text);
    write_down(&r, &again);
    struct resolv s = resolv_parse(text_str(&again));
    ASSERT(s.n_servers == r.n_servers && s.n_search == r.n_search && s.ndots == r.ndots);
    ASSERT(s.attempts == r.attempts && s.rotate == r.rotate);
    for (size_t i = 0; i < r.n_servers; i++)
        ASSERT(ip_eq(&r.servers[i], &s.servers[i]));
    for (size_t i = 0; i < r.n_search; i++)
        ASSERT(str_eq(r.search[i], s.search[i]));
    text_fini(&again);
    return 0;
}
