// SPDX-License-Identifier: Apache-2.0
// What `doctor` looks at: the settings, the proxy that runs with them or doesn't, its authorities,
// this machine's addresses, DNS.
#pragma once

#include <jansson.h>

#include "acme/acme.h"
#include "acme/dns_find.h"
#include "cli/command.h"
#include "cli/doctor_report.h"
#include "keeper/load.h"
#include "keeper/wish.h"

#define DOCTOR_OWN_MAX 64u
#define DOCTOR_ISSUERS_MAX 16u

// An issuer of the settings that was asked for its directory.
struct doctor_issuer {
    const struct issue_issuer *issuer; // borrows: of the wish
    bool is_reachable;
    struct acme_directory directory; // in world.mem
    struct str account_url;          // in world.mem; empty: none is kept
};

struct doctor_world {
    struct arena mem;
    const char *settings_path; // in mem
    struct loaded loaded;      // snapshot NULL: the settings have errors
    struct wish *wish;         // owns; NULL: the same
    json_t *status;            // owns; NULL: no proxy runs
    char token[64], body[64];  // of its beacon; "": there is none
    struct dns_find dns;
    struct ip own[DOCTOR_OWN_MAX]; // of this machine's interfaces
    size_t n_own;
    struct doctor_issuer issuers[DOCTOR_ISSUERS_MAX];
    size_t n_issuers;
    uint16_t http_port, https_port; // where authorities and clients come to
};

// What can't be had is a finding. Nothing here needs a proxy that runs.
void doctor_world_open(struct doctor_world *w, const struct cli_args *args,
                       struct doctor_report *r);
void doctor_world_close(struct doctor_world *w);

bool doctor_is_own(const struct doctor_world *w, const struct ip *ip);

// Asks the directories of all issuers: are they there, what time is it, do they want an account.
void doctor_look_at_issuers(struct doctor_world *w, struct doctor_report *r);
// NULL: none of that name was asked.
const struct doctor_issuer *doctor_find_issuer(const struct doctor_world *w, struct str name);
