// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_report.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/control_client.h"
#include "cli/plain.h"

#define LINE_MAX_BYTES 1024
#define INDENT 24 // of what belongs to a line

static const char *const level_names[] = {
#define X(id, text) [DOCTOR_##id] = text,
    DOCTOR_LEVEL_LIST(X)
#undef X
};

PRINTF(2, 0) static void put_line(struct text *to, const char *fmt, va_list args)
{
    char line[LINE_MAX_BYTES];
    vsnprintf(line, sizeof line, fmt, args);
    plain_put(to, str_of(line));
}

void doctor_add(struct doctor_report *r, enum doctor_level level, const char *check,
                const char *advice, const char *fmt, ...)
{
    va_list args;
    if (r->n == r->cap) {
        r->cap = MAX(r->cap * 2, (size_t)32);
        r->findings = mem_resize(r->findings, r->cap, sizeof *r->findings);
    }
    struct doctor_finding *f = &r->findings[r->n++];
    *f = (struct doctor_finding){.level = level, .check = check};
    text_put(&f->about, text_str(&r->about));
    text_put(&f->advice, str_of(advice));
    va_start(args, fmt);
    put_line(&f->text, fmt, args);
    va_end(args);
}

void doctor_explain(struct doctor_report *r, const char *why, const char *fmt, ...)
{
    va_list args;
    ASSERT(r->n > 0);
    struct doctor_finding *f = &r->findings[r->n - 1];
    f->why = why;
    f->advice.len = 0;
    va_start(args, fmt);
    put_line(&f->advice, fmt, args);
    va_end(args);
}

void doctor_begin(struct doctor_report *r, struct str about)
{
    r->about.len = 0;
    plain_put(&r->about, about);
}

size_t doctor_count(const struct doctor_report *r, enum doctor_level level)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->findings[i].level == level;
    return n;
}

bool doctor_is_fine(const struct doctor_report *r)
{
    return doctor_count(r, DOCTOR_WEAK) + doctor_count(r, DOCTOR_BAD) == 0;
}

static void print_one(const struct doctor_finding *f)
{
    printf("%-4s  %-17s " STR_FMT "\n", level_names[f->level], f->check,
           STR_ARG(text_str(&f->text)));
    if (f->why)
        printf("%-*s%s\n", INDENT, "", f->why);
    if (f->advice.len > 0)
        printf("%-*s-> " STR_FMT "\n", INDENT, "", STR_ARG(text_str(&f->advice)));
}

void doctor_print(const struct doctor_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct doctor_finding *f = &r->findings[i];
        struct str before = i > 0 ? text_str(&r->findings[i - 1].about) : STR_NONE;
        if (!str_eq(text_str(&f->about), before))
            printf("%s" STR_FMT "\n", i > 0 ? "\n" : "", STR_ARG(text_str(&f->about)));
        print_one(f);
    }
    size_t n_bad = doctor_count(r, DOCTOR_BAD), n_weak = doctor_count(r, DOCTOR_WEAK);
    if (n_bad > 0)
        printf("\n%zu of %zu checks found something wrong\n", n_bad + n_weak, r->n);
    else if (n_weak > 0)
        printf("\n%zu of %zu checks found something weak\n", n_weak, r->n);
    else
        printf("\nnothing weak in %zu checks\n", r->n);
}

// NULL when there is none, or it is a peer's and no UTF-8.
static json_t *text_json(const struct text *t)
{
    return t->len > 0 ? json_stringn(t->ptr, t->len) : NULL;
}

void doctor_print_json(const struct doctor_report *r, const char *about)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n; i++) {
        const struct doctor_finding *f = &r->findings[i];
        json_array_append_new(list, json_pack("{s:o*, s:s, s:s, s:o*, s:s*, s:o*}", "about",
                                              text_json(&f->about), "check", f->check, "level",
                                              level_names[f->level], "text", text_json(&f->text),
                                              "why", f->why, "advice", text_json(&f->advice)));
    }
    json_t *all = json_pack("{s:s, s:b, s:o}", "about", about, "is_fine", (int)doctor_is_fine(r),
                            "findings", list);
    control_client_print_json(all);
    json_decref(all);
}

void doctor_fini(struct doctor_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        text_fini(&r->findings[i].about);
        text_fini(&r->findings[i].text);
        text_fini(&r->findings[i].advice);
    }
    text_fini(&r->about);
    mem_free(r->findings);
    *r = (struct doctor_report){.n = 0};
}
