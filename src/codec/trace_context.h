// SPDX-License-Identifier: Apache-2.0
// W3C Trace Context (Recommendation of 2021): the fields traceparent and tracestate. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define TRACE_ID_BYTES 16
#define TRACE_SPAN_BYTES 8
#define TRACE_PARENT_TEXT_BYTES 55 // "00-" 32 "-" 16 "-" 2
#define TRACE_STATE_MAX_BYTES 512

struct trace_parent {
    uint8_t trace[TRACE_ID_BYTES];
    uint8_t span[TRACE_SPAN_BYTES];
    bool is_sampled;
};

// The value of traceparent, of any version but ff; what later versions have behind version 0's
// parts is skipped (3.2.2.2, 4.3). False: it is malformed, or an id is 0.
bool trace_parent_parse(struct str s, struct trace_parent *ret);

// As version 0.
void trace_parent_write(const struct trace_parent *p, char ret[static TRACE_PARENT_TEXT_BYTES]);

// Lower-case hexadecimal digits, two for each byte.
void trace_hex(const uint8_t *bytes, size_t n, char *ret);

// Whether the value of tracestate is well-formed (3.3.1): at most 32 members, no key twice, at most
// 512 bytes.
bool trace_state_is_valid(struct str s);
