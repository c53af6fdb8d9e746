// SPDX-License-Identifier: Apache-2.0
// What an engine's API answers (Docker 1.24 and later, Podman's compatible one) as values: strict
// in types, deaf to all that isn't needed. The texts may be anybody's.
#pragma once

#include "discover/container.h"

// How an answer of GET /containers/ID/json describes it. False: *ret_why, for people.
bool engine_json_container(struct str json, struct arena *mem, struct container *ret,
                           const char **ret_why) MUST_CHECK;

// The ids of an answer of GET /containers/json, at most CONTAINERS_MAX; those beyond are counted.
struct engine_ids {
    struct str *items; // in mem
    size_t n, n_beyond;
};
bool engine_json_ids(struct str json, struct arena *mem, struct engine_ids *ret,
                     const char **ret_why) MUST_CHECK;

// One line of GET /events.
struct engine_event {
    struct str id; // of the container that has changed; empty: it isn't about one
    bool is_early; // the engine may not say so itself yet, when it is asked
};
bool engine_json_event(struct str json, struct arena *mem, struct engine_event *ret,
                       const char **ret_why) MUST_CHECK;

// Minor numbers of versions 1.x of the API.
#define ENGINE_API_MIN 24
#define ENGINE_API_MAX 52

// GET /version.
struct engine_version {
    struct str name;          // "Docker Engine - Community 27.3.1"
    unsigned api, api_oldest; // minor numbers
};
bool engine_json_version(struct str json, struct arena *mem, struct engine_version *ret,
                         const char **ret_why) MUST_CHECK;
