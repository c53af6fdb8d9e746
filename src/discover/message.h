// SPDX-License-Identifier: Apache-2.0
// What the process that speaks with an engine and the keeper tell each other: packed trees, one
// message of a channel each. The keeper believes nothing of it.
#pragma once

#include "discover/container.h"
#include "rt/sandbox.h"

// What the process is to do, in a sealed file with the first message: the node of docker_section,
// resolved, who it is to be, and its sandbox.
void message_pack_order(const struct conf_node *docker, struct str user, enum sandbox_mode sandbox,
                        struct text *to);

struct message_order {
    const struct conf_node *docker;
    struct str user;
    enum sandbox_mode sandbox;
};
bool message_unpack_order(struct str bytes, struct arena *mem, struct message_order *ret)
    MUST_CHECK;

#define MESSAGE_LIST(X)                                                                            \
    X(HELLO, "hello")         /* engine, api */                                                    \
    X(CONTAINER, "container") /* container: as it is now */                                        \
    X(REFUSED, "refused")     /* id, why: what is said of it can't be used */                      \
    X(KEPT, "kept")           /* id, why: it is there, and what is known of it stays */            \
    X(GONE, "gone")           /* id */                                                             \
    X(LISTING, "listing")     /* all that there are follow */                                      \
    X(SYNCED, "synced")       /* what wasn't told since isn't there; n_beyond */                   \
    X(TROUBLE, "trouble")     /* why: the process ends now */

enum message_kind {
#define X(id, name) MESSAGE_##id,
    MESSAGE_LIST(X)
#undef X
};

struct message {
    enum message_kind kind;
    struct container container;
    struct str id, why, engine, api;
    unsigned n_beyond; // more containers than CONTAINERS_MAX
};

#define MESSAGE_WHY_MAX_BYTES 512

void message_pack(const struct message *m, struct text *to);
// Texts borrow from bytes. False: malformed.
bool message_unpack(struct str bytes, struct arena *mem, struct message *ret) MUST_CHECK;
