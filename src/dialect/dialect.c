// SPDX-License-Identifier: Apache-2.0
#include "dialect/dialect.h"

#include "base/utf8.h"

const struct dialect *const dialects[] = {&dialect_caddy, &dialect_haproxy, &dialect_nginx, NULL};

// The line with the first byte that is no text, or 0.
static unsigned broken_line(struct str text)
{
    unsigned line = 1;
    for (struct str rest = text, head; rest.len > 0; line++) {
        str_cut(rest, '\n', &head, &rest);
        if (!utf8_is_valid(head) || str_find(head, '\0') != STR_NPOS)
            return line;
    }
    return 0;
}

bool dialect_convert(const struct dialect *dialect, const struct dialect_input *in, struct draft *d,
                     struct diags *diags)
{
    struct str path = draft_text(d, in->path);
    struct place place = {.source = path.ptr};
    if (in->text.len > DIALECT_FILE_MAX_BYTES) {
        diag_fail(diags, ERR_LIMIT, place, "the file is larger than %zu MiB",
                  DIALECT_FILE_MAX_BYTES >> 20);
        return false;
    }
    place.line = broken_line(in->text);
    if (place.line > 0) {
        diag_fail(diags, ERR_SYNTAX, place,
                  "the line isn't text in UTF-8; 'iconv -f latin1 -t utf8' may make it that");
        return false;
    }
    if (!dialect->convert(in, d, diags))
        return false;
    if (!d->is_full)
        return true;
    diag_fail(diags, ERR_LIMIT, (struct place){.source = path.ptr},
              "the file says more than can be converted at once; split it");
    return false;
}
