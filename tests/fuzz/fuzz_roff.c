// SPDX-License-Identifier: Apache-2.0
// Whatever Markdown goes in, the roff that comes out is lines of printable ASCII, no text becomes a
// request, and every escape is one that the converter knows.
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "conf/roff.h"

static bool is_request(struct str line)
{
    static const struct str known[] = {STR_INIT(".PP"),   STR_INIT(".IP"), STR_INIT(".IP \\(bu 2"),
                                       STR_INIT(".RS 2"), STR_INIT(".RE"), STR_INIT(".EX"),
                                       STR_INIT(".EE")};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_eq(line, known[i]))
            return true;
    }
    return false;
}

static void check_line(struct str line)
{
    static const struct str escapes[] = {STR_INIT("\\e"),   STR_INIT("\\-"),   STR_INIT("\\&"),
                                         STR_INIT("\\fB"),  STR_INIT("\\fI"),  STR_INIT("\\fR"),
                                         STR_INIT("\\(aq"), STR_INIT("\\(ga"), STR_INIT("\\(ha"),
                                         STR_INIT("\\(ti"), STR_INIT("\\(dq"), STR_INIT("\\[u")};
    ASSERT(line.len == 0 || line.ptr[0] != '\'');
    if (line.len > 0 && line.ptr[0] == '.') {
        ASSERT(is_request(line));
        return;
    }
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        ASSERT(c >= 0x20 && c < 0x7f);
        bool is_known = c != '\\';
        for (size_t k = 0; !is_known && k < ARRAY_LEN(escapes); k++) {
            is_known = str_starts(str_skip(line, i), escapes[k]);
            if (is_known)
                i += escapes[k].len - 1;
        }
        ASSERT(is_known);
    }
}

static void check_text(struct str markdown, bool is_inside)
{
    struct text roff = {.ptr = NULL};
    roff_put_text(&roff, markdown, is_inside);
    struct str rest = text_str(&roff), line;
    ASSERT(rest.len == 0 || rest.ptr[rest.len - 1] == '\n');
    while (rest.len > 0) {
        str_cut(rest, '\n', &line, &rest);
        check_line(line);
    }
    text_fini(&roff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from((const char *)data, size);
    check_text(in, false);
    check_text(in, true);
    return 0;
}
