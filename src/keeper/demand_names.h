// SPDX-License-Identifier: Apache-2.0
// Names that got a certificate on demand, with the day when somebody asked for them last: in the
// file `demand` of the store's folder, a line for each, "NAME UNIX-SECONDS". Written anew as one.
// Of one thread; the calls block.
#pragma once

#include "base/err.h"
#include "base/text.h"

struct demand_name {
    char *name; // owns
    int64_t used_s;
};

struct demand_names {
    struct demand_name *items; // owns
    size_t n, cap;
    bool is_dirty; // not as on disk
};

// Reads the file in folder. False with *ret_why (static): it can't be read or makes no sense.
bool demand_names_open(struct demand_names *d, int folder, const char **ret_why) MUST_CHECK;
// Accepts a zeroed one.
void demand_names_close(struct demand_names *d);

// Borrowed until the next change; NULL: it isn't there.
struct demand_name *demand_names_find(const struct demand_names *d, struct str name);
// name: as demand_is_name has it; it isn't there yet.
void demand_names_add(struct demand_names *d, struct str name, int64_t now_s);
void demand_names_remove(struct demand_names *d, struct demand_name *item);

// If there is anything new. False with errno: it is tried again next time.
bool demand_names_save(struct demand_names *d, int folder) MUST_CHECK;

// The file's bytes into a zeroed d and back. False: they make no sense.
bool demand_names_parse(struct demand_names *d, struct str bytes) MUST_CHECK;
void demand_names_write(const struct demand_names *d, struct text *to);
