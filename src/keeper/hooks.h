// SPDX-License-Identifier: Apache-2.0
// Runs the user's programs when something has happened to a certificate: one after another, on a
// thread of its own. The keeper's loop calls these; none of them waits.
#pragma once

#include "gate/settings.h"

struct hooks;

#define HOOKS_EVENT_LIST(X)                                                                        \
    X(ISSUED, "issued")                                                                            \
    X(RENEWED, "renewed")                                                                          \
    X(FAILED, "failed")                                                                            \
    X(EXPIRING, "expiring")

enum hooks_event {
#define X(id, name) HOOKS_##id,
    HOOKS_EVENT_LIST(X)
#undef X
};

// What is to be run. Texts are copied.
struct hooks_wish {
    const struct str *issued; // a program and its arguments
    size_t n_issued;          // 0: nothing is run
    const struct str *trouble;
    size_t n_trouble;
    int64_t timeout_ms;
};

// What has happened. Texts may be empty, times 0; all are copied.
struct hooks_call {
    enum hooks_event event;
    struct str id; // of the certificate: in the store, or a file's path
    const struct str *names;
    size_t n_names;
    struct str issuer;
    struct str cert_file, key_file;
    struct str error;
    int64_t not_after_s;
};

struct hooks *hooks_new(void);
// What runs has some seconds to end; what waits isn't run. Accepts NULL.
void hooks_free(struct hooks *h);

void hooks_want(struct hooks *h, const struct hooks_wish *wish);
// Puts the event's program, if there is one, in the queue.
void hooks_call(struct hooks *h, const struct hooks_call *call);

// Warnings for programs that can't be run as things are.
void hooks_check(const struct hooks_conf *conf, struct diags *diags);
