// SPDX-License-Identifier: Apache-2.0
// What the API tells, for those who have the control socket.
#include <stdio.h>

#include "cli/api_ask.h"

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
};

static int run(const struct cli_args *args)
{
    struct api_answer a;
    if (!api_ask(args, args->n_words > 0 ? args->words[0] : "/api/v1", &a))
        return CLI_FAILED;
    fwrite(a.body.ptr, 1, a.body.len, stdout);
    putchar('\n');
    if (a.next_page > 1)
        fprintf(stderr, "sallyport: there is more: page=%llu\n", (unsigned long long)a.next_page);
    int result = a.status == 200 ? CLI_OK : CLI_FAILED;
    api_answer_fini(&a);
    return result;
}

const struct cli_command cli_api = {
    .name = "api",
    .words = "[PATH]",
    .words_max = 1,
    .summary = "Print what the running proxy's API tells, as JSON.",
    .doc = "The same as `api@internal` tells where a route leads there, but over the control "
           "socket: `sallyport api '/api/v1/routes?search=shop'`. Without a path it is the list of "
           "all paths. Long lists come in pages, with `page` and `per_page`; whether there is "
           "another is told on standard error. Exit status 1: the proxy can't be reached, or there "
           "is nothing of this path.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
