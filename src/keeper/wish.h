// SPDX-License-Identifier: Apache-2.0
// What settings want of certificates: files, names of sites, and the folder for what is made here.
// A copy, which outlives the settings.
#pragma once

#include "gate/snapshot.h"
#include "keeper/certs.h"
#include "keeper/demand.h"
#include "keeper/hooks.h"
#include "keeper/issue.h"

struct wish {
    struct arena mem;
    struct map files;               // paths of those in certs, so that each is there once
    struct keeper_certs_wish certs; // in mem
    struct issue_wish issue;        // in mem
    struct demand_wish demand;      // in mem
    struct map learnt;              // servers whose keys are learnt on first use; names in mem
    struct hooks_wish hooks;        // in mem
    bool has_sticky;                // clients stick to servers: a key for their cookies
    int64_t expires_within_s;
    const char *state; // in mem: a folder
};

struct wish *wish_new(const struct snapshot *s);
// What both want; where they differ in a certificate of one id, as `first` does. In the arena of
// neither, but for hooks and what is to be ordered, which are first's.
struct wish *wish_both(const struct wish *first, const struct wish *second);
// Accepts NULL.
void wish_free(struct wish *w);

// Reads the certificate files of the settings as they are now. Errors with their places: a single
// one that can't be used, two defaults. Warnings: one in a folder that can't, one that is expired,
// without its intermediate, or for other names than its site's.
enum err wish_check_files(const struct snapshot *s, int64_t now_s, struct diags *diags) MUST_CHECK;
