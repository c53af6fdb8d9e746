// SPDX-License-Identifier: Apache-2.0
// What the proxy needs of this machine: a folder for its state, ports, descriptors, a kernel.
#pragma once

#include "cli/doctor_world.h"
#include "cli/listening.h"

void doctor_look_at_machine(const struct doctor_world *w, const struct listening *l,
                            struct doctor_report *r);
// Everything that listens at addresses which others can reach. The proxy's own are fine.
void doctor_look_at_ports(const struct doctor_world *w, const struct listening *l,
                          struct doctor_report *r);
