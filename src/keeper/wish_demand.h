// SPDX-License-Identifier: Apache-2.0
// What settings want of certificates on demand.
#pragma once

#include "keeper/wish.h"

// Into w, which has its issuers.
void wish_demand_add(struct wish *w, const struct snapshot *s);

// That it is said who may have certificates, and that somebody signs them. Errors with their
// places.
enum err wish_demand_check(const struct snapshot *s, struct diags *diags) MUST_CHECK;
