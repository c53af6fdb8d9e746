// SPDX-License-Identifier: Apache-2.0
// What `doctor` has found: one line each, with what to do about it.
#pragma once

#include <stdbool.h>

#include "base/text.h"

#define DOCTOR_FINDINGS_MAX 48

#define DOCTOR_LEVEL_LIST(X)                                                                       \
    X(OK, "ok")                                                                                    \
    X(NOTE, "note")                                                                                \
    X(WEAK, "weak")

enum doctor_level {
#define X(id, text) DOCTOR_##id,
    DOCTOR_LEVEL_LIST(X)
#undef X
};

struct doctor_finding {
    enum doctor_level level;
    const char *check;  // "tls-1.0"; static, as advice
    struct text text;   // owns
    const char *advice; // NULL: nothing is to be done
};

struct doctor_report {
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t n;
};

// Control characters of a peer's texts don't reach the terminal.
void doctor_add(struct doctor_report *r, enum doctor_level level, const char *check,
                const char *advice, const char *fmt, ...) PRINTF(5, 6);
size_t doctor_count(const struct doctor_report *r, enum doctor_level level);
void doctor_print(const struct doctor_report *r);
// about: what was looked at.
void doctor_print_json(const struct doctor_report *r, const char *about);
void doctor_fini(struct doctor_report *r);
