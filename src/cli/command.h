// SPDX-License-Identifier: Apache-2.0
// Commands of the command line: one file each, one row each. The rows drive parsing, --help and the
// manual.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "base/text.h"

#define CLI_OPTIONS_MAX 24
#define CLI_VALUES_MAX 64  // of one repeatable option
#define CLI_CHOICES_MAX 16 // of a first word

// What a value or word is: how a shell completes it.
enum cli_value_kind {
    CLI_VALUE_TEXT,
    CLI_VALUE_FILE,
    CLI_VALUE_ENTRYPOINT, // a name of the settings file
    CLI_VALUE_SITE,       // the same
    CLI_VALUE_COMMAND,
};

struct cli_option {
    const char *name;  // "config": --config
    char letter;       // 'c': -c; 0: none
    const char *value; // "FILE"; NULL: a switch
    enum cli_value_kind kind;
    const char *const *names; // NULL-terminated: what the value is one of; NULL: anything
    bool is_open;             // other values than names are allowed
    bool is_many;             // may be given several times
    const char *doc;
};

// What the first word is one of.
struct cli_word {
    const char *name;
    const char *const *next; // NULL-terminated: what the second word is one of; NULL: none belongs
    bool needs_next;
    bool takes_any;           // the second word is anything
    bool takes_many;          // and so are those behind it
    enum cli_value_kind kind; // of them
};

// What was given; index of an option's row gives its values.
struct cli_args {
    const struct cli_command *command;
    const char *values[CLI_OPTIONS_MAX][CLI_VALUES_MAX];
    int n_values[CLI_OPTIONS_MAX]; // a switch: how often
    const char *words[CLI_VALUES_MAX];
    int n_words;
    char **argv;    // of the whole process
    char **foreign; // NULL-terminated: what stands behind a command with is_foreign
};

struct cli_command {
    const char *name;
    const char *words; // "URL", "WHAT [FILE]"; NULL: none
    int words_min, words_max;
    enum cli_value_kind words_kind;
    const struct cli_word *choices; // for the first word; n_choices 0: anything
    size_t n_choices;
    const char *summary; // one line
    const char *doc;     // paragraphs; Markdown
    const struct cli_option *options;
    size_t n_options;
    bool is_hidden;
    bool is_foreign; // what stands behind it isn't parsed: it is in another program's language
    int (*run)(const struct cli_args *args); // returns the exit status
};

// "1 route", "2 routes".
#define S_UNLESS_ONE(n) ((n) == 1 ? "" : "s")

// Exit statuses.
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, // the work failed: errors in the settings, nothing found …
    CLI_USAGE = 2,  // the command line is wrong
    CLI_PARTLY = 3, // done, but not all of it: what is missing was told
};

extern const struct cli_command cli_run, cli_check, cli_reload, cli_stop, cli_upgrade, cli_status,
    cli_api, cli_top, cli_errors, cli_explain, cli_cert, cli_account, cli_ban, cli_pin, cli_server,
    cli_trust, cli_doctor, cli_print, cli_import, cli_whoami, cli_hash_password, cli_proxy,
    cli_version, cli_help, cli_names, cli_gate, cli_engine, cli_traefik;
// All of them, in the order of the help; NULL-terminated.
extern const struct cli_command *const cli_commands[];

// The value of an option (the last one given), or fallback.
const char *cli_value(const struct cli_args *args, const char *option, const char *fallback);
bool cli_has(const struct cli_args *args, const char *option);
// All values of a repeatable option.
int cli_values(const struct cli_args *args, const char *option, const char *const **ret);

// Prints the message and where help is; returns CLI_USAGE.
int cli_usage_error(const struct cli_command *command, const char *fmt, ...) PRINTF(2, 3);

// The settings file to use: --config, else ./sallyport.yaml, else /etc/sallyport/sallyport.yaml.
const char *cli_config_path(const struct cli_args *args);
// Says on standard error what to do when no file was named and neither of the two is there.
void cli_note_no_config(const struct cli_args *args);
#define CLI_OPTION_CONFIG                                                                          \
    {                                                                                              \
        .name = "config", .letter = 'c', .value = "FILE", .kind = CLI_VALUE_FILE,                  \
        .doc = "The settings file; - is standard input. By default `./sallyport.yaml`, else "      \
               "`/etc/sallyport/sallyport.yaml`."                                                  \
    }

#define CLI_OPTION_QUIET                                                                           \
    {                                                                                              \
        .name = "quiet", .letter = 'q', .doc = "Print nothing when all is well."                   \
    }

// Help, as text for a terminal and as Markdown for the manual.
void cli_print_help(struct text *to);
void cli_print_command_help(const struct cli_command *command, struct text *to);
void cli_print_markdown(struct text *to);
