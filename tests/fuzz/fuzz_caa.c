// SPDX-License-Identifier: Apache-2.0
// CAA records as a name server sends them: each is a length and so many bytes. Property: what is
// read lies within the record; whoever is named nowhere isn't allowed where issue restricts; and a
// further record never makes an authority's case worse, but by being critical or of issuewild.
#include "acme/caa.h"
#include "base/assert.h"

#define RECORDS_MAX 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_all(struct str bytes, struct caa_record *records)
{
    size_t n = 0;
    while (bytes.len > 0 && n < RECORDS_MAX) {
        struct str one = str_first(str_skip(bytes, 1), (unsigned char)bytes.ptr[0]);
        struct caa_record r;
        bytes = str_skip(bytes, 1 + one.len);
        if (!caa_read(one, &r))
            continue;
        ASSERT(r.tag.len > 0 && r.tag.ptr >= one.ptr);
        ASSERT(r.value.ptr + r.value.len == one.ptr + one.len);
        records[n++] = r;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str ours[] = {STR_INIT("ca.example")};
    static const enum acme_challenge_kind http[] = {ACME_CHALLENGE_HTTP_01};
    struct caa_record records[RECORDS_MAX];
    struct str named;
    size_t n = read_all(str_from((const char *)data, size), records);
    const struct caa_question us = {
        .domains = ours, .n_domains = 1, .challenges = http, .n_challenges = 1};
    const struct caa_question nobody = {.n_domains = 0};
    for (size_t k = 0; k <= n; k++) {
        enum caa_verdict verdict = caa_decide(records, k, &us, &named);
        enum caa_verdict others = caa_decide(records, k, &nobody, &named);
        ASSERT(others != CAA_ALLOWED);
        ASSERT((verdict == CAA_UNRESTRICTED) == (others == CAA_UNRESTRICTED));
        ASSERT((verdict == CAA_CRITICAL) == (others == CAA_CRITICAL));
        enum caa_verdict all = caa_decide(records, n, &us, &named);
        ASSERT(verdict != CAA_ALLOWED || all == CAA_ALLOWED || all == CAA_CRITICAL);
    }
    return 0;
}
