// SPDX-License-Identifier: Apache-2.0
// Settings of programs that are run when something has happened to a certificate. Only the keeper
// acts on them.
#pragma once

#include "conf/conf.h"

struct hooks_conf {
    struct conf_texts issued;  // a program and its arguments; none: nothing is run
    struct conf_texts trouble; // the same
    int64_t expires_within_ms;
    int64_t timeout_ms;
    struct place place;
};

extern const struct conf_section hooks_section;
