// SPDX-License-Identifier: Apache-2.0
// Writing JSON (RFC 8259) into a writer or a text, and escaping for logs.
#pragma once

#include "base/text.h"
#include "base/writer.h"

// s as a JSON string with its quotes. Bytes that are not valid UTF-8 become U+FFFD; controls, '"',
// '\\', U+2028 and U+2029 are escaped.
void json_put_str(struct writer *w, struct str s);
void json_text_str(struct text *t, struct str s);

// For text logs: controls, '"', '\\' and bytes >= 0x7f as \xHH, so that a line stays a line and a
// terminal is not steered.
void log_escape(struct writer *w, struct str s);
