// SPDX-License-Identifier: Apache-2.0
// Internationalised names in settings become A-labels (RFC 5891, UTS 46 non-transitional), by
// libidn2. Not for the data path: names in requests are A-labels already.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

// Lower-cased A-label form of name (UTF-8), without a trailing dot; one leading "*." stays.
// ERR_SYNTAX with *ret_why for people.
enum err idna_to_ascii(struct str name, struct arena *mem, struct str *ret, const char **ret_why)
    MUST_CHECK;
