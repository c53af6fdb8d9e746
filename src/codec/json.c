// SPDX-License-Identifier: Apache-2.0
#include "codec/json.h"

#include <inttypes.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "codec/date.h"

#define REPLACEMENT STR("\xef\xbf\xbd") // U+FFFD

// The longest thing that stands for one code point: "\u2028".
#define ESCAPE_BYTES 6

// Visible ASCII and spaces, which nobody needs to escape: nearly all there is.
static bool is_plain(char c)
{
    return (ascii_is(c, ASCII_TARGET) || c == ' ') && c != '"' && c != '\\';
}

// U+2028 and U+2029 end a line in JavaScript; the C1 controls steer terminals as the C0 ones do.
static bool is_json_special(uint32_t code)
{
    return code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0) ||
           code == 0x2028 || code == 0x2029;
}

// The length of the start of s that a JSON string holds as it is.
static size_t json_clean_bytes(struct str s)
{
    size_t at = 0;
    while (at < s.len) {
        if (LIKELY(is_plain(s.ptr[at]))) {
            at++;
            continue;
        }
        uint32_t code;
        size_t len = utf8_decode(str_skip(s, at), &code);
        if (len == 0 || is_json_special(code))
            break;
        at += len;
    }
    return at;
}

static struct str json_escape(uint32_t code, char buf[static ESCAPE_BYTES])
{
    static const struct {
        char code, letter;
    } shorts[] = {{'"', '"'},  {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'},
                  {'\t', 't'}, {'\b', 'b'},  {'\f', 'f'}};
    struct writer w;
    writer_init(&w, buf, ESCAPE_BYTES);
    writer_byte(&w, '\\');
    for (size_t i = 0; i < ARRAY_LEN(shorts); i++) {
        if (code == (uint8_t)shorts[i].code) {
            writer_byte(&w, shorts[i].letter);
            return writer_str(&w);
        }
    }
    writer_byte(&w, 'u');
    for (unsigned shift = 16; shift > 0; shift -= 4)
        writer_byte(&w, "0123456789abcdef"[code >> (shift - 4) & 15]);
    return writer_str(&w);
}

// Takes the next piece of s, as it goes into a JSON string.
static struct str json_next_piece(struct str *s, char buf[static ESCAPE_BYTES])
{
    size_t n_clean = json_clean_bytes(*s);
    if (n_clean > 0) {
        struct str piece = str_first(*s, n_clean);
        *s = str_skip(*s, n_clean);
        return piece;
    }
    uint32_t code;
    size_t len = utf8_decode(*s, &code);
    *s = str_skip(*s, len > 0 ? len : 1);
    return len > 0 ? json_escape(code, buf) : REPLACEMENT;
}

void json_put_str(struct writer *w, struct str s)
{
    char buf[ESCAPE_BYTES];
    writer_byte(w, '"');
    while (s.len > 0)
        writer_put(w, json_next_piece(&s, buf));
    writer_byte(w, '"');
}

void json_text_str(struct text *t, struct str s)
{
    char buf[ESCAPE_BYTES];
    text_byte(t, '"');
    while (s.len > 0)
        text_put(t, json_next_piece(&s, buf));
    text_byte(t, '"');
}

void json_text_key(struct text *t, const char *key)
{
    ASSERT(t->len > 0);
    char last = t->ptr[t->len - 1];
    if (last != '{' && last != '[')
        text_byte(t, ',');
    if (!key)
        return;
    text_byte(t, '"');
    text_put(t, str_of(key));
    text_put(t, STR("\":"));
}

void json_text_open(struct text *t, const char *key, char bracket)
{
    json_text_key(t, key);
    text_byte(t, bracket);
}

void json_text_put(struct text *t, const char *key, struct str value)
{
    json_text_key(t, key);
    json_text_str(t, value);
}

void json_text_uint(struct text *t, const char *key, uint64_t value)
{
    json_text_key(t, key);
    text_printf(t, "%" PRIu64, value);
}

void json_text_bool(struct text *t, const char *key, bool value)
{
    json_text_key(t, key);
    text_put(t, value ? STR("true") : STR("false"));
}

void json_text_time(struct text *t, const char *key, int64_t wall_ns)
{
    char iso[DATE_ISO_BYTES];
    json_text_key(t, key);
    if (wall_ns == 0) {
        text_put(t, STR("null"));
        return;
    }
    date_iso(wall_ns, iso);
    json_text_str(t, str_from(iso, sizeof iso));
}

void log_escape(struct writer *w, struct str s)
{
    while (s.len > 0) {
        size_t n_clean = 0;
        while (n_clean < s.len && is_plain(s.ptr[n_clean]))
            n_clean++;
        writer_put(w, str_first(s, n_clean));
        s = str_skip(s, n_clean);
        if (s.len > 0) {
            static const char digits[] = "0123456789abcdef";
            uint8_t byte = (uint8_t)s.ptr[0];
            writer_put(w,
                       (struct str){(char[]){'\\', 'x', digits[byte >> 4], digits[byte & 15]}, 4});
            s = str_skip(s, 1);
        }
    }
}
