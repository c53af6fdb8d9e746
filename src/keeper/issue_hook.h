// SPDX-License-Identifier: Apache-2.0
// A program of the user's that puts a TXT record in place and takes it away.
#pragma once

#include "acme/cancel.h"
#include "acme/challenge.h"
#include "base/text.h"

// Runs HOOK ACTION NAME TXT-NAME VALUE, without a shell, and waits for its end, two minutes at
// most. False with a reason (its last words). Blocks. cancel: ends it at once, but for "clear",
// which has some seconds. NULL: nothing does.
bool issue_hook_run(struct str hook, const char *action, const struct acme_challenge *c,
                    struct acme_cancel *cancel, struct text *why);
