// SPDX-License-Identifier: Apache-2.0
#include "cli/main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/command.h"
#include "conf/conf.h"
#include "discover/engine.h"
#include "gate/gate.h"
#include "rt/privileges.h"

static int run_gate(const struct cli_args *args)
{
    (void)args;
    return gate_main();
}

const struct cli_command cli_gate = {
    .name = "gate",
    .summary = "Serve; started by the keeper, not by people.",
    .is_hidden = true,
    .run = run_gate,
};

static int run_engine(const struct cli_args *args)
{
    (void)args;
    return engine_main();
}

const struct cli_command cli_engine = {
    .name = "engine",
    .summary = "Speak with Docker; started by the keeper, not by people.",
    .is_hidden = true,
    .run = run_engine,
};

const struct cli_command *const cli_commands[] = {
    &cli_run,    &cli_proxy,   &cli_traefik,       &cli_check,   &cli_reload,
    &cli_stop,   &cli_upgrade, &cli_status,        &cli_top,     &cli_errors,
    &cli_api,    &cli_explain, &cli_cert,          &cli_account, &cli_ban,
    &cli_pin,    &cli_server,  &cli_trust,         &cli_doctor,  &cli_print,
    &cli_import, &cli_whoami,  &cli_hash_password, &cli_version, &cli_help,
    &cli_names,  &cli_gate,    &cli_engine,        NULL,
};

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[32] = {NULL};
    for (size_t i = 0, n = 0; cli_commands[i]; i++) {
        if (!cli_commands[i]->is_hidden)
            names[n++] = cli_commands[i]->name;
    }
    const char *near = conf_suggest(str_of(name), names);
    if (near)
        return cli_usage_error(NULL, "there is no command '%s'; did you mean '%s'?", name, near);
    return cli_usage_error(NULL, "there is no command '%s'", name);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int print_text(struct text *t)
{
    fwrite(t->ptr, 1, t->len, stdout);
    text_fini(t);
    return CLI_OK;
}

static int run_help(const struct cli_args *args)
{
    struct text t = {.ptr = NULL};
    if (args->n_words == 0) {
        cli_print_help(&t);
        return print_text(&t);
    }
    const struct cli_command *command = find_command(args->words[0]);
    if (!command)
        return unknown_command(args->words[0]);
    cli_print_command_help(command, &t);
    return print_text(&t);
}

const struct cli_command cli_help = {
    .name = "help",
    .words = "[COMMAND]",
    .words_max = 1,
    .words_kind = CLI_VALUE_COMMAND,
    .summary = "Say what the commands do.",
    .doc = "The same as `--help` behind a command.",
    .run = run_help,
};

static const struct cli_option version_options[] = {
    {.name = "json", .doc = "Print the version as a JSON object."},
};

static int run_version(const struct cli_args *args)
{
    if (args && cli_has(args, "json"))
        printf("{\"version\":\"%s\"}\n", SALLYPORT_VERSION);
    else
        printf("sallyport %s\n", SALLYPORT_VERSION);
    return CLI_OK;
}

const struct cli_command cli_version = {
    .name = "version",
    .summary = "Print the version.",
    .doc = "The same as `--version`.",
    .options = version_options,
    .n_options = ARRAY_LEN(version_options),
    .run = run_version,
};

// A descriptor that is opened later must not become standard output or error by its number.
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
            abort();
    }
}

// What was printed has arrived, or the command has failed.
static int end_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "sallyport: can't write the output: %s\n", strerror(errno));
    return status == CLI_OK ? CLI_FAILED : status;
}

static int run_command(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        struct text t = {.ptr = NULL};
        cli_print_help(&t);
        print_text(&t);
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0)
        return run_version(NULL);
    const struct cli_command *command = find_command(argv[1]);
    if (!command)
        return unknown_command(argv[1]);
    if (asks_for_help(argc - 2, argv + 2)) {
        struct text t = {.ptr = NULL};
        cli_print_command_help(command, &t);
        return print_text(&t);
    }
    struct cli_args args = {.command = command, .foreign = argv + 2};
    int status = command->is_foreign ? CLI_OK : cli_parse(command, argc - 2, argv + 2, &args);
    args.argv = argv;
    return status == CLI_OK ? command->run(&args) : status;
}

int cli_main(int argc, char **argv)
{
    // Keeper, gate, and commands that work alone: all may hold keys.
    if (!privileges_never_dump())
        abort();
    fill_standard_descriptors();
    return end_output(run_command(argc, argv));
}
