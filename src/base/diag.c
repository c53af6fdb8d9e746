// SPDX-License-Identifier: Apache-2.0
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static bool is_known(const struct diags *d, const struct diag *wanted)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *have = &d->items[i];
        if (have->place.line == wanted->place.line && have->place.column == wanted->place.column &&
            have->place.source == wanted->place.source && have->severity == wanted->severity &&
            strcmp(have->text, wanted->text) == 0)
            return true;
    }
    return false;
}

PRINTF(4, 0)
static void add(struct diags *d, enum diag_severity severity, struct place place, const char *fmt,
                va_list args)
{
    char text[1024];
    int n = vsnprintf(text, sizeof text, fmt, args);
    ASSERT(n >= 0);
    struct diag item = {.severity = severity, .place = place, .text = text};
    if (is_known(d, &item))
        return;
    if (severity == DIAG_ERROR)
        d->n_errors++;
    if (d->n == DIAGS_MAX) {
        d->n_dropped++;
        return;
    }
    if (d->n == d->cap) {
        d->cap = d->cap > 0 ? d->cap * 2 : 8;
        d->items = mem_resize(d->items, d->cap, sizeof *d->items);
    }
    item.text = mem_copy(text, MIN((size_t)n, sizeof text - 1));
    d->items[d->n++] = item;
}

enum err diag_fail(struct diags *d, enum err err, struct place place, const char *fmt, ...)
{
    ASSERT(err != ERR_OK);
    if (d) {
        va_list args;
        va_start(args, fmt);
        add(d, DIAG_ERROR, place, fmt, args);
        va_end(args);
    }
    return err;
}

void diag_warn(struct diags *d, struct place place, const char *fmt, ...)
{
    if (!d)
        return;
    va_list args;
    va_start(args, fmt);
    add(d, DIAG_WARNING, place, fmt, args);
    va_end(args);
}

struct str diag_text(const struct diag *d, char *buf, size_t buf_bytes)
{
    ASSERT(buf_bytes > 0);
    const char *severity = d->severity == DIAG_ERROR ? "error" : "warning";
    int n;
    if (d->place.source && d->place.line > 0 && d->place.column > 0)
        n = snprintf(buf, buf_bytes, "%s:%u:%u: %s: %s", d->place.source, d->place.line,
                     d->place.column, severity, d->text);
    else if (d->place.source && d->place.line > 0)
        n = snprintf(buf, buf_bytes, "%s:%u: %s: %s", d->place.source, d->place.line, severity,
                     d->text);
    else if (d->place.source)
        n = snprintf(buf, buf_bytes, "%s: %s: %s", d->place.source, severity, d->text);
    else
        n = snprintf(buf, buf_bytes, "%s: %s", severity, d->text);
    return (struct str){buf, MIN((size_t)MAX(n, 0), buf_bytes - 1)};
}

void diags_fini(struct diags *d)
{
    for (size_t i = 0; i < d->n; i++)
        mem_free(d->items[i].text);
    mem_free(d->items);
    *d = (struct diags){.n = 0};
}
