// SPDX-License-Identifier: Apache-2.0
// A traceparent, or behind a first byte '=' a tracestate. Property: what is taken of a parent and
// written again is taken as the same; a state that is taken has nothing in it that isn't printable,
// and both of its halves at a comma are well-formed, too.
#include <string.h>

#include "base/assert.h"
#include "base/attr.h"
#include "codec/trace_context.h"

static void check_parent(struct str in)
{
    struct trace_parent p, again;
    char text[TRACE_PARENT_TEXT_BYTES];
    if (!trace_parent_parse(in, &p))
        return;
    ASSERT(in.len >= TRACE_PARENT_TEXT_BYTES);
    trace_parent_write(&p, text);
    ASSERT(memcmp(text + 3, in.ptr + 3, 50) == 0);
    ASSERT(trace_parent_parse(str_from(text, sizeof text), &again));
    ASSERT(memcmp(p.trace, again.trace, sizeof p.trace) == 0);
    ASSERT(memcmp(p.span, again.span, sizeof p.span) == 0 && p.is_sampled == again.is_sampled);
}

static void check_state(struct str in)
{
    struct str head, tail;
    if (!trace_state_is_valid(in))
        return;
    ASSERT(in.len <= TRACE_STATE_MAX_BYTES);
    for (size_t i = 0; i < in.len; i++)
        ASSERT((in.ptr[i] >= ' ' && in.ptr[i] <= '~') || in.ptr[i] == '\t');
    if (!str_cut(in, ',', &head, &tail))
        return;
    ASSERT(str_trim(head).len == 0 || trace_state_is_valid(head));
    ASSERT(trace_state_is_valid(head) || trace_state_is_valid(tail));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    if (size > 0 && data[0] == '=')
        check_state(str_skip(in, 1));
    else
        check_parent(in);
    return 0;
}
