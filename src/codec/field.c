// SPDX-License-Identifier: Apache-2.0
#include "codec/field.h"

#include "base/ascii.h"
#include "base/assert.h"
#include "codec/field_priv.h"

#define BYTE(s, i) ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : '\0')
#define IS_LETTER(c) (((c) >= 'A' && (c) <= 'Z') || ((c) >= 'a' && (c) <= 'z'))
#define SAME(s, i) ((char)(BYTE(s, i) == '\0' ? 0 : IS_LETTER(BYTE(s, i)) ? ~0x20 : ~0))
#define SAME4(s, i) SAME(s, i), SAME(s, (i) + 1), SAME(s, (i) + 2), SAME(s, (i) + 3)
#define SAME16(s, i) SAME4(s, i), SAME4(s, (i) + 4), SAME4(s, (i) + 8), SAME4(s, (i) + 12)

const struct field_known field_known[] = {[FIELD_OTHER] = {.name = ""},
#define X(id, text) [FIELD_##id] = {.name = text, .same = {SAME16(text, 0u), SAME16(text, 16u)}},
                                          FIELD_LIST(X)
#undef X
};

const uint8_t field_len[] = {[FIELD_OTHER] = 0,
#define X(id, text) [FIELD_##id] = sizeof(text) - 1,
                             FIELD_LIST(X)
#undef X
};

#define X(id, text)                                                                                \
    _Static_assert(sizeof(text) > FIELD_NAME_MIN_BYTES &&                                          \
                       sizeof(text) <= FIELD_NAME_MAX_BYTES + 1,                                   \
                   "the limits of lengths are wrong");
FIELD_LIST(X)
#undef X

enum field_id field_id_of(struct str name)
{
    return field_id_find(name, name.len);
}

struct str field_name(enum field_id id)
{
    ASSERT(id > FIELD_OTHER && id < ARRAY_LEN(field_len));
    return str_from(field_known[id].name, field_len[id]);
}

static char folded(char c)
{
    return c == '_' ? '-' : ascii_lower(c);
}

bool field_is_twin(struct str a, struct str b)
{
    size_t i = 0;
    if (a.len != b.len)
        return false;
    while (i < a.len && folded(a.ptr[i]) == folded(b.ptr[i]))
        i++;
    return i == a.len;
}
