// SPDX-License-Identifier: Apache-2.0
// The settings of bans, and what a snapshot makes of them: for what a client is banned, for how
// long, and who never is.
#pragma once

#include "codec/ip_set.h"
#include "conf/conf.h"
#include "http/env.h"
#include "http/exchange.h"
#include "route/rule.h"

enum ban_refusal {
    BAN_ANSWER, // with a page
    BAN_CLOSE,  // the connection, before anything is read of it
};

struct ban_rule_conf {
    struct conf_texts count;
    uint32_t times;
    int64_t in_ms, for_ms, at_most_ms;
    struct conf_text match;
    bool dry_run;
    struct place place;
};

struct ban_conf {
    struct conf_map rules; // of ban_rule_conf
    struct conf_nets never;
    unsigned refuse; // enum ban_refusal
    uint32_t status;
    uint32_t v4_prefix, v6_prefix;
    int64_t remember_ms;
    uint32_t clients_max;
};

extern const struct conf_section ban_section;

#define BAN_STATUS_MIN 400
#define BAN_STATUS_MAX 599

struct ban_rule {
    struct str name;          // borrows: the settings'
    uint32_t exchange_events; // bits of enum exchange_offence
    uint32_t conn_events;     // bits of enum http_offence
    bool statuses[BAN_STATUS_MAX - BAN_STATUS_MIN + 1];
    uint32_t times;
    int64_t in_ns, for_s, at_most_s;
    struct rule *match; // owns what isn't in the arena; NULL: all requests
    bool is_dry;
};

struct ban_rules {
    struct ban_rule *items; // in mem
    size_t n;
    struct ip_set never;
    bool closes;
    unsigned status, v4_bits, v6_bits;
    int64_t remember_s;
    uint32_t max;
};

// In mem; ended by ban_rules_fini. False with errors in diags, and *ret is to be ended, too.
bool ban_rules_build(const struct ban_conf *conf, struct arena *mem, struct diags *diags,
                     struct ban_rules *ret);
void ban_rules_fini(struct ban_rules *r);

// Whether an exchange that has ended is one that the rule counts; *ret_what says as what.
bool ban_rule_counts(const struct ban_rule *r, const struct exchange *x, const char **ret_what);
// The same of what a client did with a connection, which a rule for certain requests doesn't count.
bool ban_rule_counts_offence(const struct ban_rule *r, enum http_offence what,
                             const char **ret_what);
