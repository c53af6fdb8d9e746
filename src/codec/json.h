// SPDX-License-Identifier: Apache-2.0
// Writing JSON (RFC 8259) into a writer or a text, and escaping for logs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "base/writer.h"

// s as a JSON string with its quotes. Bytes that are not valid UTF-8 become U+FFFD; controls, '"',
// '\\', U+2028 and U+2029 are escaped.
void json_put_str(struct writer *w, struct str s);
void json_text_str(struct text *t, struct str s);

// What stands before a member (key, in ASCII without '"') or an item (NULL) of the object or array
// that was opened last.
void json_text_key(struct text *t, const char *key);
// The same with what follows: an opening bracket ('{', '['), or a whole value.
void json_text_open(struct text *t, const char *key, char bracket);
void json_text_put(struct text *t, const char *key, struct str value);
void json_text_uint(struct text *t, const char *key, uint64_t value);
void json_text_bool(struct text *t, const char *key, bool value);
// "2026-01-01T00:00:00.000Z"; 0 is null.
void json_text_time(struct text *t, const char *key, int64_t wall_ns);

// For text logs: controls, '"', '\\' and bytes >= 0x7f as \xHH, so that a line stays a line and a
// terminal is not steered.
void log_escape(struct writer *w, struct str s);
