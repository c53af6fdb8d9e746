// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_report.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "cli/control_client.h"
#include "cli/plain.h"

#define LINE_MAX_BYTES 1024

static const char *const level_names[] = {
#define X(id, text) [DOCTOR_##id] = text,
    DOCTOR_LEVEL_LIST(X)
#undef X
};

void doctor_add(struct doctor_report *r, enum doctor_level level, const char *check,
                const char *advice, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    ASSERT(r->n < DOCTOR_FINDINGS_MAX);
    struct doctor_finding *f = &r->findings[r->n++];
    *f = (struct doctor_finding){.level = level, .check = check, .advice = advice};
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    plain_put(&f->text, str_of(line));
}

size_t doctor_count(const struct doctor_report *r, enum doctor_level level)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->findings[i].level == level;
    return n;
}

void doctor_print(const struct doctor_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct doctor_finding *f = &r->findings[i];
        printf("%-4s  %-17s " STR_FMT "\n", level_names[f->level], f->check,
               STR_ARG(text_str(&f->text)));
        if (f->advice)
            printf("%-24s-> %s\n", "", f->advice);
    }
    size_t n_weak = doctor_count(r, DOCTOR_WEAK);
    if (n_weak > 0)
        printf("\n%zu of %zu checks found something weak\n", n_weak, r->n);
    else
        printf("\nnothing weak in %zu checks\n", r->n);
}

void doctor_print_json(const struct doctor_report *r, const char *about)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n; i++) {
        const struct doctor_finding *f = &r->findings[i];
        json_t *text = json_stringn(f->text.ptr, f->text.len); // NULL: a peer's, no UTF-8
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o*, s:s*}", "check", f->check, "level",
                                        level_names[f->level], "text", text, "advice", f->advice));
    }
    json_t *all = json_pack("{s:s, s:b, s:o}", "about", about, "is_fine",
                            doctor_count(r, DOCTOR_WEAK) == 0, "findings", list);
    control_client_print_json(all);
    json_decref(all);
}

void doctor_fini(struct doctor_report *r)
{
    for (size_t i = 0; i < r->n; i++)
        text_fini(&r->findings[i].text);
}
