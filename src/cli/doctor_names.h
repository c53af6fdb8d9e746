// SPDX-License-Identifier: Apache-2.0
// What usually keeps a name from getting its certificate: DNS, CAA, who answers at its address, and
// limits.
#pragma once

#include "cli/doctor_world.h"

// Each name of a certificate that settings want.
void doctor_look_at_need(const struct doctor_world *w, const struct issue_need *need,
                         struct doctor_report *r);
