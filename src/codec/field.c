// SPDX-License-Identifier: Apache-2.0
#include "codec/field.h"

#include "base/assert.h"
#include "codec/field_hash.h"

#define NAME_MIN_BYTES 2  // "TE"
#define NAME_MAX_BYTES 25 // "Strict-Transport-Security"

static const struct str names[] = {[FIELD_OTHER] = STR_INIT(""),
#define X(id, text) [FIELD_##id] = STR_INIT(text),
                                   FIELD_LIST(X)
#undef X
};

// Known names have nothing but letters, digits and '-', so bit 6 tells the letters, and only a
// letter may differ, and only in bit 5.
static uint64_t differs(uint64_t got, uint64_t known)
{
    uint64_t case_bits = (known & 0x4040404040404040) >> 1;
    return (got ^ known) & ~case_bits;
}

static uint64_t load(const char *ptr, size_t n_bytes)
{
    uint64_t value = 0;
    memcpy(&value, ptr, n_bytes);
    return value;
}

// Compares in words, the last of which overlaps the one before it.
static bool is_name(const char *got, const char *known, size_t len)
{
    if (len < 4)
        return !(differs(load(got, 2), load(known, 2)) |
                 differs(load(got + len - 2, 2), load(known + len - 2, 2)));
    if (len < 8)
        return !(differs(load(got, 4), load(known, 4)) |
                 differs(load(got + len - 4, 4), load(known + len - 4, 4)));
    uint64_t diff = differs(load(got + len - 8, 8), load(known + len - 8, 8));
    for (size_t i = 0; i + 8 < len; i += 8)
        diff |= differs(load(got + i, 8), load(known + i, 8));
    return diff == 0;
}

// First byte, last two bytes and length tell all known names apart.
static uint32_t hash_key(struct str name)
{
    uint32_t bytes = (uint32_t)(uint8_t)name.ptr[0] |
                     (uint32_t)(uint8_t)name.ptr[name.len - 2] << 8 |
                     (uint32_t)(uint8_t)name.ptr[name.len - 1] << 16;
    return bytes | 0x202020 | (uint32_t)name.len << 24;
}

enum field_id field_id_of(struct str name)
{
    if (name.len < NAME_MIN_BYTES || name.len > NAME_MAX_BYTES)
        return FIELD_OTHER;
    enum field_id id = field_slots[(hash_key(name) * FIELD_HASH_FACTOR) >> FIELD_HASH_SHIFT];
    if (names[id].len != name.len || !is_name(name.ptr, names[id].ptr, name.len))
        return FIELD_OTHER;
    return id;
}

struct str field_name(enum field_id id)
{
    ASSERT(id > FIELD_OTHER && id < ARRAY_LEN(names));
    return names[id];
}
