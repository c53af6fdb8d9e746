// SPDX-License-Identifier: Apache-2.0
// The setting `on-demand`: certificates that are ordered when somebody asks for their name.
#pragma once

#include "conf/conf.h"

struct demand_conf {
    bool is_on;
    struct conf_texts allow; // names and wildcards; empty: any that `ask` allows
    struct conf_text ask;    // URL; empty: `allow` is enough. The keeper's alone
    struct conf_texts issuer;
    int64_t wait_ms; // of a handshake
    uint64_t limit;  // of orders: per second, times 10^12
    uint32_t names_max;
    int64_t forget_ms; // after the last use
    struct place place;
};

extern const struct conf_section demand_section;
