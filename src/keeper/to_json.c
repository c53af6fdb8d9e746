// SPDX-License-Identifier: Apache-2.0
#include "keeper/to_json.h"

#include "base/text.h"
#include "codec/date.h"

json_t *to_json_text(struct str s)
{
    json_t *j = json_stringn(s.len > 0 ? s.ptr : "", s.len);
    if (j)
        return j;
    struct text copy = {.ptr = NULL};
    for (size_t i = 0; i < s.len; i++)
        text_byte(&copy, (unsigned char)s.ptr[i] < 0x80 ? s.ptr[i] : '?');
    j = json_stringn(copy.ptr, copy.len);
    text_fini(&copy);
    return j;
}

json_t *to_json_time(int64_t s)
{
    char date[DATE_ISO_BYTES];
    if (s == 0)
        return json_null();
    date_iso_s(s, date);
    return json_stringn(date, sizeof date);
}

json_t *to_json_hex(struct str bytes)
{
    static const char digits[] = "0123456789abcdef";
    struct text hex = {.ptr = NULL};
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char b = (unsigned char)bytes.ptr[i];
        text_byte(&hex, digits[b >> 4]);
        text_byte(&hex, digits[b & 15]);
    }
    json_t *j = json_stringn(hex.len > 0 ? hex.ptr : "", hex.len);
    text_fini(&hex);
    return j;
}

json_t *to_json_texts(const struct str *texts, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, to_json_text(texts[i]));
    return list;
}
