// SPDX-License-Identifier: Apache-2.0
// A server's first bytes, as `doctor tls` reads them. However they are cut, the result is the same:
// once there is one, more bytes change nothing, and nothing is waited for without end.
#include "base/assert.h"
#include "tls/probe_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str all = str_from((const char *)data, n);
    struct tls_probe_answer whole, part;
    enum tls_probe_outcome outcome = tls_probe_answer(all, &whole);
    ASSERT(outcome != TLS_PROBE_MORE || n < TLS_PROBE_ANSWER_MAX_BYTES + 16);
    for (size_t i = 0; i < n && i < 2 * TLS_PROBE_ANSWER_MAX_BYTES; i++) {
        enum tls_probe_outcome early = tls_probe_answer(str_first(all, i), &part);
        ASSERT(early == TLS_PROBE_MORE || early == outcome);
        if (early == TLS_PROBE_ACCEPTED)
            ASSERT(part.version == whole.version && part.suite == whole.suite);
    }
    return 0;
}
