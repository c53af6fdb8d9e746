// SPDX-License-Identifier: Apache-2.0
#include "cli/agree.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/plain.h"

bool agree(const struct cli_args *args, const char *what, const char *name)
{
    char line[16] = "";
    struct text question = {.ptr = NULL};
    if (cli_has(args, "yes"))
        return true;
    text_printf(&question, "%s ", what);
    plain_put(&question, str_of(name));
    bool is_terminal = isatty(STDIN_FILENO);
    if (is_terminal)
        fprintf(stderr, STR_FMT "? [y/N] ", STR_ARG(text_str(&question)));
    else
        fprintf(stderr, "sallyport: " STR_FMT ": nobody to ask; use --yes\n",
                STR_ARG(text_str(&question)));
    text_fini(&question);
    if (!is_terminal)
        return false;
    if (fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y'))
        return true;
    fprintf(stderr, "cancelled: nothing has changed\n");
    return false;
}

int agree_status(void)
{
    return isatty(STDIN_FILENO) ? CLI_OK : CLI_FAILED;
}
