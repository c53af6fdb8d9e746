// SPDX-License-Identifier: Apache-2.0
// Which servers somebody wants to get no more requests, by command. Gates are told; it is
// remembered as long as the keeper lives, over upgrades too, and on no disk.
#pragma once

#include <jansson.h>

#include "base/str.h"

#define DRAINS_MAX 1000

struct drains {
    json_t *list; // owns: of objects with "service" and "server"; NULL: none
};

// Both as the status names them. False with *ret_why: it can't be.
bool drains_set(struct drains *d, struct str service, struct str server, bool is_drained,
                const char **ret_why);
void drains_fini(struct drains *d);

size_t drains_count(const struct drains *d);
void drains_get(const struct drains *d, size_t i, struct str *ret_service, struct str *ret_server);

// The list for the next binary, the caller's; and what the last one has given (borrowed): what
// makes no sense of it is left out.
json_t *drains_pack(const struct drains *d);
void drains_adopt(struct drains *d, const json_t *list);
