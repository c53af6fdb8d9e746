// SPDX-License-Identifier: Apache-2.0
#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/command.h"

#define PASSWORD_MAX_BYTES 512
#define BCRYPT_COST 10

static const char *const method_names[] = {"bcrypt", "yescrypt", "sha512", NULL};

static const struct cli_option options[] = {
    {.name = "user",
     .letter = 'u',
     .value = "NAME",
     .doc = "Print `NAME:HASH`, as `basic-auth` and htpasswd files have it."},
    {.name = "method",
     .letter = 'm',
     .value = "METHOD",
     .names = method_names,
     .doc = "`bcrypt` (the default, as `htpasswd -B`), `yescrypt` or `sha512`."},
    {.name = "compose", .doc = "Write `$` as `$$`, as Docker's compose files want it."},
};

static const struct {
    const char *name;
    const char *prefix;
    unsigned long cost;
} methods[] = {
    {"bcrypt", "$2y$", BCRYPT_COST},
    {"yescrypt", "$y$", 0},
    {"sha512", "$6$", 0},
};

// Reads one line without echo from a terminal, plainly from a pipe. False at the end of input.
static bool read_password(const char *prompt, char *buf, size_t n)
{
    struct termios saved;
    bool is_terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
    if (is_terminal) {
        struct termios silent = saved;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        fputs(prompt, stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    bool is_read = fgets(buf, (int)n, stdin) != NULL;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
        fputc('\n', stderr);
    }
    if (is_read)
        buf[strcspn(buf, "\r\n")] = '\0';
    return is_read;
}

static void print_hash(const struct cli_args *args, const char *hash)
{
    const char *user = cli_value(args, "user", NULL);
    if (user)
        printf("%s:", user);
    for (const char *p = hash; *p; p++) {
        if (*p == '$' && cli_has(args, "compose"))
            putchar('$');
        putchar(*p);
    }
    putchar('\n');
}

static int hash_with(const struct cli_args *args, const char *prefix, unsigned long cost,
                     const char *password)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data *data = MEM_NEW(struct crypt_data);
    const char *hash = NULL;
    if (crypt_gensalt_rn(prefix, cost, NULL, 0, setting, sizeof setting))
        hash = crypt_r(password, setting, data);
    bool is_fine = hash && hash[0] != '*';
    if (is_fine)
        print_hash(args, hash);
    else
        fprintf(stderr, "sallyport: libcrypt can't make such a hash: %s\n", strerror(errno));
    mem_wipe(data, sizeof *data);
    mem_free(data);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_args *args)
{
    const char *method = cli_value(args, "method", "bcrypt");
    const char *user = cli_value(args, "user", "");
    size_t i = 0;
    while (i < ARRAY_LEN(methods) && strcmp(methods[i].name, method) != 0)
        i++;
    ASSERT(i < ARRAY_LEN(methods)); // the option's row has the same names
    if (strchr(user, ':'))
        return cli_usage_error(args->command, "hash-password: a user's name has no ':'");
    char password[PASSWORD_MAX_BYTES], again[PASSWORD_MAX_BYTES];
    bool is_terminal = isatty(STDIN_FILENO);
    int status = CLI_FAILED;
    if (!read_password("Password: ", password, sizeof password) || password[0] == '\0')
        fprintf(stderr, "sallyport: no password was given\n");
    else if (is_terminal &&
             (!read_password("Once more: ", again, sizeof again) || strcmp(password, again) != 0))
        fprintf(stderr, "sallyport: the two differ\n");
    else
        status = hash_with(args, methods[i].prefix, methods[i].cost, password);
    mem_wipe(password, sizeof password);
    mem_wipe(again, sizeof again);
    return status;
}

const struct cli_command cli_hash_password = {
    .name = "hash-password",
    .summary = "Make a password's hash for basic-auth.",
    .doc =
        "Reads the password from the terminal without showing it, or one line from a pipe. Hashes "
        "made by `htpasswd` work as well.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
