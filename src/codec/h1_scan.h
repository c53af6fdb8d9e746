// SPDX-License-Identifier: Apache-2.0
// Where runs of bytes end: the inner loops of the head parser, 16 bytes at a time with SSE2 or
// NEON (part of the base of x86-64 and AArch64), one at a time elsewhere. Seen inside the folder
// only. Nothing outside of the input is ever read.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ascii.h"
#include "base/attr.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

enum h1_run {
    H1_RUN_NAME,   // ends at a colon, a control byte or a space; other bytes aren't checked
    H1_RUN_TARGET, // ends at what is not VCHAR (RFC 9112 3.2)
    H1_RUN_VALUE,  // ends at a control byte but HTAB (RFC 9110 5.5)
};

// The twin that the others are tested against.
ALWAYS_INLINE bool h1_run_ends(char c, enum h1_run run)
{
    switch (run) {
    case H1_RUN_NAME:
        return c == ':' || (uint8_t)c <= ' ';
    case H1_RUN_TARGET:
        return !ascii_is(c, ASCII_TARGET);
    case H1_RUN_VALUE:
        return !ascii_is(c, ASCII_VALUE);
    }
    return true;
}

ALWAYS_INLINE const char *h1_scan_scalar(const char *p, const char *end, enum h1_run run)
{
    while (p < end && !h1_run_ends(*p, run))
        p++;
    return p;
}

#define H1_BLOCK_BYTES 16

#if defined(__SSE2__)
#define H1_HAS_VECTOR 1
#define H1_MASK_BITS 1 // of a mask for each byte

// The bytes of the block at ptr that end a run, as a mask; the lowest bits are the first byte's.
ALWAYS_INLINE uint64_t h1_block_ends(const char *ptr, enum h1_run run)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)ptr);
    __m128i ends = _mm_setzero_si128();
    switch (run) {
    case H1_RUN_NAME:
        ends = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x20)), v),
                            _mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
        break;
    case H1_RUN_TARGET: // as signed numbers, bytes from 0x80 on are below zero
        ends = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x21)),
                            _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
        break;
    case H1_RUN_VALUE:
        ends =
            _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')),
                                          _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v)),
                         _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
        break;
    }
    return (uint64_t)(uint32_t)_mm_movemask_epi8(ends);
}

#elif defined(__ARM_NEON) && defined(__aarch64__)
#define H1_HAS_VECTOR 1
#define H1_MASK_BITS 4

ALWAYS_INLINE uint64_t h1_block_ends(const char *ptr, enum h1_run run)
{
    const uint8x16_t v = vld1q_u8((const uint8_t *)ptr);
    uint8x16_t ends = vdupq_n_u8(0);
    switch (run) {
    case H1_RUN_NAME:
        ends = vorrq_u8(vcleq_u8(v, vdupq_n_u8(0x20)), vceqq_u8(v, vdupq_n_u8(':')));
        break;
    case H1_RUN_TARGET:
        ends = vcgeq_u8(vsubq_u8(v, vdupq_n_u8(0x21)), vdupq_n_u8(0x7f - 0x21));
        break;
    case H1_RUN_VALUE:
        ends = vorrq_u8(vbicq_u8(vcleq_u8(v, vdupq_n_u8(0x1f)), vceqq_u8(v, vdupq_n_u8('\t'))),
                        vceqq_u8(v, vdupq_n_u8(0x7f)));
        break;
    }
    // The narrowing shift leaves four bits of each byte: what movemask is elsewhere.
    uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(ends), 4);
    return vget_lane_u64(vreinterpret_u64_u8(narrow), 0);
}
#else
#define H1_HAS_VECTOR 0
#endif

#if H1_HAS_VECTOR
// The first byte from p on that ends the run, or end. What may be read begins at floor: the last
// block overlaps bytes before p instead of reading behind the end.
ALWAYS_INLINE const char *h1_scan_vector(const char *floor, const char *p, const char *end,
                                         enum h1_run run)
{
    for (; end - p >= H1_BLOCK_BYTES; p += H1_BLOCK_BYTES) {
        uint64_t ends = h1_block_ends(p, run);
        if (ends != 0)
            return p + __builtin_ctzll(ends) / H1_MASK_BITS;
    }
    if (p == end || end - floor < H1_BLOCK_BYTES)
        return h1_scan_scalar(p, end, run);
    unsigned n_seen = (unsigned)(H1_BLOCK_BYTES - (end - p));
    uint64_t ends = h1_block_ends(end - H1_BLOCK_BYTES, run) >> (n_seen * H1_MASK_BITS);
    return ends != 0 ? p + __builtin_ctzll(ends) / H1_MASK_BITS : end;
}
#endif

// use_vector is a constant at each use, so that this costs nothing.
ALWAYS_INLINE const char *h1_scan(bool use_vector, const char *floor, const char *p,
                                  const char *end, enum h1_run run)
{
#if H1_HAS_VECTOR
    if (use_vector)
        return h1_scan_vector(floor, p, end, run);
#else
    (void)use_vector, (void)floor;
#endif
    return h1_scan_scalar(p, end, run);
}
