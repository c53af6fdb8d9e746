// SPDX-License-Identifier: Apache-2.0
// Commands that read the running proxy's API over its control socket. What goes wrong is told on
// standard error.
#pragma once

#include <jansson.h>

#include "cli/command.h"
#include "cli/control_client.h"

struct api_answer {
    unsigned status; // of HTTP
    uint64_t next_page;
    struct str body; // owns: a mapping
};

// Asks for a path with its query. False after telling why not.
bool api_ask(const struct cli_args *args, const char *target, struct api_answer *ret) MUST_CHECK;
void api_answer_fini(struct api_answer *a);

// The same, and the JSON that came with status 200. The caller's; NULL after telling why not.
json_t *api_ask_json(const struct cli_args *args, const char *target) MUST_CHECK;

// Appends s with what isn't a letter, digit or one of "-._~" escaped, for a name in a path.
void api_put_escaped(struct text *to, const char *s);
