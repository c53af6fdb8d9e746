// SPDX-License-Identifier: Apache-2.0
// Where runs of bytes end: the inner loops of the head parser, a block of bytes at a time where
// there is SSE2 or NEON (always on x86-64 and AArch64), and one at a time elsewhere. Seen inside
// the folder only. Nothing outside of the input is ever read.
// WHY no AVX2: it took a head of 614 bytes from 146 to 135 ns, which isn't worth a second copy of
// the parser and a choice at run time.
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
    H1_RUN_COLON,  // ends at a colon
    H1_RUN_TARGET, // ends at what is not VCHAR (RFC 9112 3.2)
    H1_RUN_VALUE,  // ends at a control byte but HTAB (RFC 9110 5.5)
};

// The twin that the others are tested against.
ALWAYS_INLINE bool h1_run_ends(char c, enum h1_run run)
{
    switch (run) {
    case H1_RUN_COLON:
        return c == ':';
    case H1_RUN_TARGET:
        return !ascii_is(c, ASCII_TARGET);
    case H1_RUN_VALUE:
        return !ascii_is(c, ASCII_VALUE);
    }
    return true;
}

// For each kind of vector: h1_block_ends gives the bytes of a block that end a run as a mask, the
// lowest bits for the first byte, H1_MASK_BITS bits for each.
#if defined(__SSE2__)
#define H1_BLOCK_BYTES 16
#define H1_MASK_BITS 1
typedef __m128i h1_block;

ALWAYS_INLINE h1_block h1_block_load(const char *ptr)
{
    return _mm_loadu_si128((const __m128i *)(const void *)ptr);
}

ALWAYS_INLINE uint64_t h1_block_ends(h1_block v, enum h1_run run)
{
    __m128i ends = _mm_setzero_si128();
    switch (run) {
    case H1_RUN_COLON:
        ends = _mm_cmpeq_epi8(v, _mm_set1_epi8(':'));
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
    return (uint32_t)_mm_movemask_epi8(ends);
}

#elif defined(__ARM_NEON) && defined(__aarch64__)
#define H1_BLOCK_BYTES 16
#define H1_MASK_BITS 4
typedef uint8x16_t h1_block;

ALWAYS_INLINE h1_block h1_block_load(const char *ptr)
{
    return vld1q_u8((const uint8_t *)ptr);
}

ALWAYS_INLINE uint64_t h1_block_ends(h1_block v, enum h1_run run)
{
    uint8x16_t ends = vdupq_n_u8(0);
    switch (run) {
    case H1_RUN_COLON:
        ends = vceqq_u8(v, vdupq_n_u8(':'));
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
#define H1_BLOCK_BYTES 0
#endif

ALWAYS_INLINE const char *h1_scan_scalar(const char *p, const char *end, enum h1_run run)
{
    while (p < end && !h1_run_ends(*p, run))
        p++;
    return p;
}

#if H1_BLOCK_BYTES > 0
// The place of the lowest bit of a mask that isn't 0.
ALWAYS_INLINE size_t h1_mask_first(uint64_t mask)
{
    return (size_t)(unsigned)__builtin_ctzll(mask) / H1_MASK_BITS;
}

// The first byte from p on that ends the run, or end. The block before `end` is readable: the last
// look overlaps bytes before p instead of reading behind the end.
ALWAYS_INLINE const char *h1_scan_blocks(const char *p, const char *end, enum h1_run run)
{
    const char *last = end - H1_BLOCK_BYTES;
    for (; p <= last; p += H1_BLOCK_BYTES) {
        uint64_t ends = h1_block_ends(h1_block_load(p), run);
        if (ends != 0)
            return p + h1_mask_first(ends);
    }
    if (p == end)
        return end;
    uint64_t ends = h1_block_ends(h1_block_load(last), run) >> ((size_t)(p - last) * H1_MASK_BITS);
    return ends != 0 ? p + h1_mask_first(ends) : end;
}
#endif

// With use_vector, which is a constant at each use, the H1_BLOCK_BYTES before `end` are readable.
ALWAYS_INLINE const char *h1_scan(bool use_vector, const char *p, const char *end, enum h1_run run)
{
#if H1_BLOCK_BYTES > 0
    if (use_vector)
        return h1_scan_blocks(p, end, run);
#else
    (void)use_vector;
#endif
    return h1_scan_scalar(p, end, run);
}

// The end of a field line, and its first colon or, without one, the end. The line's end is looked
// for from its start, so that this doesn't have to wait until the colon is found.
ALWAYS_INLINE const char *h1_scan_line(bool use_vector, const char *p, const char *end,
                                       const char **ret_colon)
{
#if H1_BLOCK_BYTES > 0
    if (use_vector && LIKELY(end - p >= H1_BLOCK_BYTES)) {
        h1_block v = h1_block_load(p);
        uint64_t ends = h1_block_ends(v, H1_RUN_VALUE), colons = h1_block_ends(v, H1_RUN_COLON);
        const char *rest = p + H1_BLOCK_BYTES;
        const char *stop =
            ends != 0 ? p + h1_mask_first(ends) : h1_scan_blocks(rest, end, H1_RUN_VALUE);
        const char *colon = colons != 0 ? p + h1_mask_first(colons)
                            : ends != 0 ? stop
                                        : h1_scan_blocks(rest, stop, H1_RUN_COLON);
        *ret_colon = MIN(colon, stop);
        return stop;
    }
#endif
    const char *stop = h1_scan(use_vector, p, end, H1_RUN_VALUE);
    *ret_colon = h1_scan_scalar(p, stop, H1_RUN_COLON);
    return stop;
}
