// SPDX-License-Identifier: Apache-2.0
// Rules of Traefik 2 in the language of Traefik 3, which is ours.
#pragma once

#include "base/arena.h"
#include "base/str.h"

// The rule as version 3 would write it. What only version 2 has is translated wherever it stands:
// HostHeader, Headers, HeadersRegexp, `{name:regex}` in hosts and paths, Query(`a=b`). is_v2: the
// rule is known to be of version 2, so that an expression without braces is no expression. What
// isn't understood is left as it is, for the rule's parser to tell. ptr is NULL when mem is full.
struct str traefik_rule(struct str rule, bool is_v2, struct arena *mem);
