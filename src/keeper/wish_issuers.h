// SPDX-License-Identifier: Apache-2.0
// What settings want of authorities: which there are, and which of them sign for which names.
#pragma once

#include "keeper/wish.h"

// The issuers of the settings, or the one that `email` stands for, into w.
void wish_issuers_add(struct wish *w, const struct settings *s);

// Who signs for names, for people: "letsencrypt, zerossl" or CERTS_ISSUER_LOCAL. own: whom settings
// name for them; may be empty. *ret gets sources (none: the local CA) and the number of names that
// they are asked for, which are put into ret_names (room for n): a public authority not for local
// ones.
struct str wish_issuers_choose(struct wish *w, const struct settings *s,
                               const struct conf_texts *own, const struct str *names, size_t n,
                               struct str *ret_names, struct issue_need *ret);

// That issuers have usable names, and those that are named exist. Errors with their places.
enum err wish_issuers_check(const struct snapshot *s, struct diags *diags) MUST_CHECK;
