// SPDX-License-Identifier: Apache-2.0
// How a server speaks TLS, seen from outside.
#pragma once

#include "cli/doctor_report.h"
#include "codec/ip.h"

struct doctor_tls {
    struct str host;            // as in a Host field: "a.example", "[::1]"
    struct str name;            // in lower case, without brackets
    bool is_ip;                 // the name is an address
    struct ip address;          // where the server is
    uint16_t port;              // of TLS
    uint16_t http_port;         // of plain HTTP; 0: not looked at
    struct str authorities_pem; // trusted beside the system's
};

// False: nobody answers at the address, *ret_why.
bool doctor_tls_look(const struct doctor_tls *d, struct doctor_report *report, const char **ret_why)
    MUST_CHECK;
