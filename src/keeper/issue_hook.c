// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_hook.h"

#include <string.h>

#include "base/mem.h"
#include "keeper/program.h"

#define HOOK_MAX_MS 120000
#define LAST_MAX_MS 3000 // of one that tidies up while this process ends

bool issue_hook_run(struct str hook, const char *action, const struct acme_challenge *c,
                    struct acme_cancel *cancel, struct text *why)
{
    struct text output = {.ptr = NULL};
    if (hook.len == 0) {
        text_put(why, STR("no hook is set"));
        return false;
    }
    char *argv[] = {mem_copy(hook.ptr, hook.len),
                    mem_copy(action, strlen(action)),
                    mem_copy(c->name.ptr, c->name.len),
                    mem_copy(c->txt_name.ptr, c->txt_name.len),
                    mem_copy(c->txt_value.ptr, c->txt_value.len),
                    NULL};
    const struct program program = {.argv = argv,
                                    .timeout_ms = HOOK_MAX_MS,
                                    .last_ms = strcmp(action, "clear") == 0 ? LAST_MAX_MS : 0,
                                    .cancel = cancel};
    bool is_fine = program_run(&program, &output);
    if (!is_fine)
        text_printf(why, "%s failed: " STR_FMT, argv[0], STR_ARG(text_str(&output)));
    text_fini(&output);
    for (size_t i = 0; argv[i]; i++)
        mem_free(argv[i]);
    return is_fine;
}
