// SPDX-License-Identifier: Apache-2.0
// How many certificates were issued lately, so that no loop and no script runs into an authority's
// limits, which would last for a week. Kept in a file. The keeper's loop alone calls.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define ISSUE_LEDGER_WEEK_S (7 * 86400)
#define ISSUE_LEDGER_PER_ID 5       // in a week
#define ISSUE_LEDGER_PER_ISSUER 280 // in three hours
#define ISSUE_LEDGER_ISSUER_S (3 * 3600)

struct issue_ledger_line {
    int64_t at_s;
    uint64_t issuer, id; // hashes
};

struct issue_ledger {
    int fd;                          // owns: the file, opened for appending
    struct issue_ledger_line *lines; // owns: oldest first
    size_t n, cap;
};

// Reads `ledger` in folder, or makes it; forgets what is older than a week. False: it can't be.
bool issue_ledger_open(struct issue_ledger *l, int folder, int64_t now_s);
// The same to look at: nothing is written, and what can't be read is empty.
void issue_ledger_read(struct issue_ledger *l, int folder, int64_t now_s);
void issue_ledger_close(struct issue_ledger *l);

// One was issued.
void issue_ledger_add(struct issue_ledger *l, struct str issuer, struct str id, int64_t now_s);
// When another one may be asked for again: now_s: it may be ordered.
int64_t issue_ledger_allows_s(const struct issue_ledger *l, struct str issuer, struct str id,
                              int64_t now_s);
// When one was issued, after after_s; 0: none was.
int64_t issue_ledger_next_s(const struct issue_ledger *l, struct str issuer, struct str id,
                            int64_t after_s);
