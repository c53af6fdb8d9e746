// SPDX-License-Identifier: Apache-2.0
// The look-up of field names, inline for the head parser.
#pragma once

#include "base/attr.h"
#include "codec/field.h"
#include "codec/field_hash.h"

#define FIELD_NAME_MIN_BYTES 2  // "TE"
#define FIELD_NAME_MAX_BYTES 25 // "Strict-Transport-Security"

#define FIELD_WIDE_BYTES 32 // what a comparison may read at once

// A known name, and for each of its bytes the bits that must be the same: all, or all but the
// case of a letter. Behind the name: none.
struct field_known {
    char name[FIELD_WIDE_BYTES];
    char same[FIELD_WIDE_BYTES];
};

// By enum field_id; FIELD_OTHER has no length.
extern const struct field_known field_known[];
extern const uint8_t field_len[];

ALWAYS_INLINE uint64_t field_load(const char *ptr, size_t n_bytes)
{
    uint64_t value = 0;
    memcpy(&value, ptr, n_bytes);
    return value;
}

// How the n_bytes of got from `at` on differ from the known name's; 0: not at all.
ALWAYS_INLINE uint64_t field_differs(const char *got, const struct field_known *known, size_t at,
                                     size_t n_bytes)
{
    return (field_load(got + at, n_bytes) ^ field_load(known->name + at, n_bytes)) &
           field_load(known->same + at, n_bytes);
}

// Compares in words, without a branch where more than the name may be read, else so that the last
// word overlaps the one before it.
ALWAYS_INLINE bool field_is(const char *got, const struct field_known *known, size_t len,
                            size_t n_readable)
{
    if (LIKELY(n_readable >= FIELD_WIDE_BYTES))
        return !(field_differs(got, known, 0, 8) | field_differs(got, known, 8, 8) |
                 field_differs(got, known, 16, 8) | field_differs(got, known, 24, 8));
    if (len >= 8) {
        uint64_t differs = field_differs(got, known, len - 8, 8);
        for (size_t i = 0; i < len - 8; i += 8)
            differs |= field_differs(got, known, i, 8);
        return differs == 0;
    }
    if (len >= 4)
        return !(field_differs(got, known, 0, 4) | field_differs(got, known, len - 4, 4));
    return !(field_differs(got, known, 0, 2) | field_differs(got, known, len - 2, 2));
}

// First byte, last two bytes and length tell all known names apart.
ALWAYS_INLINE uint32_t field_hash(struct str name)
{
    uint32_t key = (uint32_t)(uint8_t)name.ptr[0] | (uint32_t)(uint8_t)name.ptr[name.len - 2] << 8 |
                   (uint32_t)(uint8_t)name.ptr[name.len - 1] << 16 | (uint32_t)name.len << 24;
    return (key | 0x202020) * FIELD_HASH_FACTOR >> FIELD_HASH_SHIFT;
}

// n_readable: how many bytes may be read from name.ptr on, the name's included.
ALWAYS_INLINE enum field_id field_id_find(struct str name, size_t n_readable)
{
    if (name.len < FIELD_NAME_MIN_BYTES || name.len > FIELD_NAME_MAX_BYTES)
        return FIELD_OTHER;
    enum field_id id = field_slots[field_hash(name)];
    bool is_known =
        field_len[id] == name.len && field_is(name.ptr, &field_known[id], name.len, n_readable);
    return LIKELY(is_known) ? id : FIELD_OTHER;
}
