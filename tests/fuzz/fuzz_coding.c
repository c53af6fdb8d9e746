// SPDX-License-Identifier: Apache-2.0
// Lines are the values of Accept-Encoding, the first is one of Content-Encoding as well.
// Properties: weights are in range; what is chosen is acceptable and at least as welcome as
// anything else of ours; whether identity is left says its weight; a list that is accepted is
// within its bounds, and its names are found again.
#include "base/assert.h"
#include "base/attr.h"
#include "codec/coding.h"

static void check_accept(struct str rest)
{
    static const enum coding ours[] = {CODING_BR, CODING_GZIP, CODING_ZSTD};
    struct coding_accept a;
    struct str line;
    coding_accept_init(&a);
    for (bool more = true; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        struct coding_accept before = a;
        if (!coding_accept_add(&a, line))
            ASSERT(a.n_items == before.n_items && a.any_weight == before.any_weight);
    }
    coding_accept_end(&a);
    ASSERT(a.n_items <= CODING_ITEMS_MAX);
    enum coding best = coding_choose(&a, ours, ARRAY_LEN(ours));
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        ASSERT(a.weights[ours[i]] <= CODING_WEIGHT_MAX);
        if (best != CODING_IDENTITY)
            ASSERT(a.weights[best] > 0 && a.weights[best] >= a.weights[ours[i]]);
        else if (!a.names_identity || a.weights[CODING_IDENTITY] == 0)
            ASSERT(a.weights[ours[i]] == 0);
    }
}

static void check_list(struct str line)
{
    enum coding list[3];
    size_t n = 0;
    if (!coding_parse_list(line, list, ARRAY_LEN(list), &n))
        return;
    ASSERT(n <= ARRAY_LEN(list));
    for (size_t i = 0; i < n; i++) {
        enum coding again;
        ASSERT(list[i] != CODING_IDENTITY);
        ASSERT(coding_find(coding_name(list[i]), &again) && again == list[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, first;
    str_cut(in, '\n', &first, NULL);
    check_accept(in);
    check_list(first);
    return 0;
}
