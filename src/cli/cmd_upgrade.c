// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/control_client.h"
#include "cli/plain.h"

#define PATIENCE_MS 150000

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    {.name = "json", .doc = "Print the answer as one JSON object."},
    CLI_OPTION_QUIET,
};

static void print_answer(const struct cli_args *args, const json_t *answer, bool is_fine)
{
    if (!is_fine) {
        control_client_print_error(answer);
        return;
    }
    if (cli_has(args, "quiet"))
        return;
    const char *from = json_string_value(json_object_get(answer, "from"));
    const char *to = json_string_value(json_object_get(answer, "to"));
    struct text t = {.ptr = NULL};
    text_put(&t, STR("upgraded from "));
    plain_put(&t, str_of(from ? from : "?"));
    text_put(&t, STR(" to "));
    plain_put(&t, str_of(to ? to : "?"));
    printf("%s\n", t.ptr);
    text_fini(&t);
}

static int upgrade(const struct cli_args *args, const char *binary)
{
    json_t *request = json_pack("{s:s, s:s*}", "command", "upgrade", "binary", binary);
    if (!request) {
        fprintf(stderr, "sallyport: the path of the binary must be UTF-8\n");
        return CLI_FAILED;
    }
    json_t *answer =
        control_client_talk(args, request, "handing over to the new binary", PATIENCE_MS);
    bool is_fine = answer && json_is_true(json_object_get(answer, "ok"));
    if (answer && cli_has(args, "json"))
        control_client_print_json(answer);
    else if (answer)
        print_answer(args, answer, is_fine);
    json_decref(answer);
    return is_fine ? CLI_OK : CLI_FAILED;
}

// Sets errno when not.
static bool can_be_run(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    errno = EACCES; // as for a folder
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int run(const struct cli_args *args)
{
    if (args->n_words == 0)
        return upgrade(args, NULL);
    char *binary = realpath(args->words[0], NULL); // the proxy runs in a folder of its own
    if (!binary || !can_be_run(binary)) {
        fprintf(stderr, "sallyport: %s can't be run: %s\n", args->words[0], strerror(errno));
        free(binary);
        return CLI_FAILED;
    }
    int status = upgrade(args, binary);
    free(binary);
    return status;
}

const struct cli_command cli_upgrade = {
    .name = "upgrade",
    .words = "[BINARY]",
    .words_max = 1,
    .words_kind = CLI_VALUE_FILE,
    .summary = "Let another binary take the running proxy over.",
    .doc = "The proxy's control process becomes the new binary, with the same process id and the "
           "same listening sockets; a new gate starts, and the old one finishes its exchanges. No "
           "connection is refused or broken. Without a BINARY: the file that the proxy was "
           "started from, which a package may have replaced. If the new one doesn't start, the old "
           "one stays. Exit status 1: it didn't work, or the proxy can't be reached.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
