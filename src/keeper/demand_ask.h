// SPDX-License-Identifier: Apache-2.0
// Asks a web server whether a name may have a certificate (`on-demand: { ask: URL }`): a GET with
// ?domain=NAME. 200 is yes, any other answer no but those that tell of
// trouble (5xx). Blocking, on threads of its own; nothing but http
// and https is spoken, redirects aren't followed, bodies aren't read.
#pragma once

#include "base/attr.h"
#include "base/str.h"

#define DEMAND_ASK_NAME_BYTES 254 // with a NUL
#define DEMAND_ASK_QUEUE_MAX 64

enum demand_said {
    DEMAND_SAID_YES,
    DEMAND_SAID_NO,
    DEMAND_SAID_NOTHING, // it can't be reached, is too slow or broken
};

struct demand_ask;

struct demand_ask *demand_ask_new(void);
// Ends what is under way. Accepts NULL.
void demand_ask_free(struct demand_ask *a);

// name: as demand_is_name has it. False: too many are asked about.
bool demand_ask_put(struct demand_ask *a, struct str url, struct str name) MUST_CHECK;

// Readable when there is an answer.
int demand_ask_fd(const struct demand_ask *a);
// The next answer. False: there is none. ret_why: for people; "" unless nothing was said.
#define DEMAND_ASK_WHY_BYTES 256
bool demand_ask_take(struct demand_ask *a, char ret_name[static DEMAND_ASK_NAME_BYTES],
                     enum demand_said *ret, char ret_why[static DEMAND_ASK_WHY_BYTES]) MUST_CHECK;
