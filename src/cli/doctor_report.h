// SPDX-License-Identifier: Apache-2.0
// What `doctor` has found: one line each, with why it matters and what to do about it.
#pragma once

#include <stdbool.h>

#include "base/text.h"

#define DOCTOR_LEVEL_LIST(X)                                                                       \
    X(OK, "ok")                                                                                    \
    X(NOTE, "note")                                                                                \
    X(WEAK, "weak")                                                                                \
    X(BAD, "bad")

enum doctor_level {
#define X(id, text) DOCTOR_##id,
    DOCTOR_LEVEL_LIST(X)
#undef X
};

struct doctor_finding {
    enum doctor_level level;
    const char *check;  // "tls-1.0"; static
    struct text about;  // owns: a name, an address; empty: what the report is about
    struct text text;   // owns
    const char *why;    // it matters; static; NULL: it speaks for itself
    struct text advice; // owns; empty: nothing is to be done
};

struct doctor_report {
    struct doctor_finding *findings; // owns
    size_t n, cap;
    struct text about; // owns: of the findings to come
};

// Control characters of a peer's texts don't reach the terminal. advice: NULL, or what is to be
// done.
void doctor_add(struct doctor_report *r, enum doctor_level level, const char *check,
                const char *advice, const char *fmt, ...) PRINTF(5, 6);
// Says of the last finding why it matters (static), and what is to be done.
void doctor_explain(struct doctor_report *r, const char *why, const char *fmt, ...) PRINTF(3, 4);
// The findings from now on are about this; empty: nothing particular.
void doctor_begin(struct doctor_report *r, struct str about);

size_t doctor_count(const struct doctor_report *r, enum doctor_level level);
// Nothing is weak or bad.
bool doctor_is_fine(const struct doctor_report *r);
void doctor_print(const struct doctor_report *r);
// about: what was looked at.
void doctor_print_json(const struct doctor_report *r, const char *about);
void doctor_fini(struct doctor_report *r);
