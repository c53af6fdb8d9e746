// SPDX-License-Identifier: Apache-2.0
// What `doctor`, `cert doctor` and `cert request --dry-run` have in common.
#pragma once

#include "cli/doctor_world.h"

#define DOCTOR_OPTION_PORTS                                                                        \
    {.name = "http-port",                                                                          \
     .value = "PORT",                                                                              \
     .doc = "Where plain HTTP is looked for. By default 80; by `doctor tls` only when TLS is at "  \
            "443."},                                                                               \
    {                                                                                              \
        .name = "https-port", .value = "PORT", .doc = "Where TLS is looked for. By default 443."   \
    }

// The certificates that settings want: of these names, or with n_names 0 of all. Returns an exit
// status.
int doctor_certs(const struct cli_args *args, const char *const *names, size_t n_names);

// The options of DOCTOR_OPTION_PORTS. False after telling: a usage error.
bool doctor_read_ports(const struct cli_args *args, struct doctor_world *w);
// Prints the report as the options `json` and `quiet` say. Returns an exit status.
int doctor_tell(const struct cli_args *args, const struct doctor_report *r, const char *about);

// The issuers, then these names (as settings write them); with n_names 0 all that settings want.
void doctor_look_at_certs(struct doctor_world *w, const char *const *names, size_t n_names,
                          struct doctor_report *r);
