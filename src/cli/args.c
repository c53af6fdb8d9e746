// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/writer.h"
#include "cli/args.h"
#include "cli/command.h"
#include "conf/conf.h"

int cli_usage_error(const struct cli_command *command, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, "sallyport: %s\n", text);
    if (command)
        fprintf(stderr, "'sallyport %s --help' tells more\n", command->name);
    else
        fprintf(stderr, "'sallyport --help' lists the commands\n");
    return CLI_USAGE;
}

static int option_index(const struct cli_command *c, struct str name)
{
    for (size_t i = 0; i < c->n_options; i++) {
        if (str_eq(str_of(c->options[i].name), name))
            return (int)i;
    }
    return -1;
}

static int letter_index(const struct cli_command *c, char letter)
{
    for (size_t i = 0; i < c->n_options; i++) {
        if (letter != 0 && c->options[i].letter == letter)
            return (int)i;
    }
    return -1;
}

static int unknown_option(const struct cli_command *c, const char *given, struct str name)
{
    const char *names[CLI_OPTIONS_MAX + 1] = {NULL};
    for (size_t i = 0; i < c->n_options; i++)
        names[i] = c->options[i].name;
    const char *near = name.len > 1 ? conf_suggest(name, names) : NULL;
    if (near)
        return cli_usage_error(c, "%s: unknown option '%s'; did you mean '--%s'?", c->name, given,
                               near);
    return cli_usage_error(c, "%s: unknown option '%s'", c->name, given);
}

static bool is_among(const char *name, const char *const *names)
{
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

// "bcrypt, yescrypt, sha512".
static void list_names(struct writer *w, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        writer_printf(w, "%s%s", i > 0 ? ", " : "", names[i]);
}

static int wrong_name(const struct cli_command *c, const char *what, const char *given,
                      const char *const *names)
{
    char buf[400];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    list_names(&w, names);
    if (!given)
        return cli_usage_error(c, "%s: %s needs one of " STR_FMT, c->name, what,
                               STR_ARG(writer_str(&w)));
    return cli_usage_error(c, "%s: %s can't be '%s'; allowed are " STR_FMT, c->name, what, given,
                           STR_ARG(writer_str(&w)));
}

static int add_value(struct cli_args *args, int index, const char *value)
{
    const struct cli_option *o = &args->command->options[index];
    int *n = &args->n_values[index];
    if (o->names && !o->is_open && !is_among(value, o->names)) {
        char what[64];
        snprintf(what, sizeof what, "--%s", o->name);
        return wrong_name(args->command, what, value, o->names);
    }
    if (*n == CLI_VALUES_MAX || (*n > 0 && o->value && !o->is_many))
        return cli_usage_error(args->command, "%s: --%s is given too often", args->command->name,
                               o->name);
    args->values[index][(*n)++] = value;
    return CLI_OK;
}

// One option at argv[*at]; moves *at to its last word.
static int take_option(struct cli_args *args, int argc, char **argv, int *at)
{
    const struct cli_command *c = args->command;
    const char *given = argv[*at];
    struct str name = str_of(given), value;
    bool has_value;
    int index;
    if (given[1] == '-') {
        has_value = str_cut(str_skip(name, 2), '=', &name, &value);
        index = option_index(c, name);
    } else {
        index = letter_index(c, given[1]);
        value = str_skip(name, 2);
        has_value = value.len > 0;
        name = str_skip(name, 1);
    }
    if (index < 0)
        return unknown_option(c, given, name);
    const struct cli_option *o = &c->options[index];
    if (!o->value) {
        if (has_value)
            return cli_usage_error(c, "%s: --%s takes no value", c->name, o->name);
        return add_value(args, index, "");
    }
    if (has_value)
        return add_value(args, index, value.ptr);
    if (*at + 1 >= argc)
        return cli_usage_error(c, "%s: --%s needs a value: %s", c->name, o->name, o->value);
    return add_value(args, index, argv[++*at]);
}

// Of a command whose first word is one of several.
static int check_words(const struct cli_args *args)
{
    const struct cli_command *c = args->command;
    const char *names[CLI_CHOICES_MAX + 1] = {NULL};
    if (c->n_choices == 0 || args->n_words == 0)
        return CLI_OK;
    for (size_t i = 0; i < c->n_choices; i++) {
        const struct cli_word *w = &c->choices[i];
        names[i] = w->name;
        if (strcmp(w->name, args->words[0]) != 0)
            continue;
        if (args->n_words == 1)
            return w->needs_next ? wrong_name(c, w->name, NULL, w->next) : CLI_OK;
        if (w->takes_many || (w->takes_any && args->n_words == 2))
            return CLI_OK;
        if (w->takes_any)
            return cli_usage_error(c, "%s: '%s' is one word too many", c->name, args->words[2]);
        if (!w->next)
            return cli_usage_error(c, "%s: '%s' is one word too many", c->name, args->words[1]);
        if (args->n_words > 2)
            return cli_usage_error(c, "%s: '%s' is one word too many", c->name, args->words[2]);
        return is_among(args->words[1], w->next) ? CLI_OK
                                                 : wrong_name(c, w->name, args->words[1], w->next);
    }
    return wrong_name(c, c->words, args->words[0], names);
}

int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *ret)
{
    *ret = (struct cli_args){.command = command};
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        bool is_option = !only_words && argv[i][0] == '-' && argv[i][1] != '\0';
        if (is_option && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (is_option) {
            int status = take_option(ret, argc, argv, &i);
            if (status != CLI_OK)
                return status;
        } else if (ret->n_words == command->words_max || ret->n_words == CLI_VALUES_MAX) {
            return cli_usage_error(command, "%s: '%s' is one word too many", command->name,
                                   argv[i]);
        } else {
            ret->words[ret->n_words++] = argv[i];
        }
    }
    if (ret->n_words < command->words_min)
        return cli_usage_error(command, "%s needs %s", command->name, command->words);
    return check_words(ret);
}

const char *cli_value(const struct cli_args *args, const char *option, const char *fallback)
{
    int index = option_index(args->command, str_of(option));
    if (index < 0 || args->n_values[index] == 0)
        return fallback;
    return args->values[index][args->n_values[index] - 1];
}

bool cli_has(const struct cli_args *args, const char *option)
{
    int index = option_index(args->command, str_of(option));
    return index >= 0 && args->n_values[index] > 0;
}

int cli_values(const struct cli_args *args, const char *option, const char *const **ret)
{
    int index = option_index(args->command, str_of(option));
    if (index < 0)
        return 0;
    *ret = args->values[index];
    return args->n_values[index];
}

static const char local_config[] = "sallyport.yaml";
static const char system_config[] = "/etc/sallyport/sallyport.yaml";

const char *cli_config_path(const struct cli_args *args)
{
    const char *given = cli_value(args, "config", NULL);
    if (given)
        return given;
    return access(local_config, F_OK) == 0 ? local_config : system_config;
}

void cli_note_no_config(const struct cli_args *args)
{
    const char *path = cli_config_path(args);
    if (!cli_has(args, "config") && access(path, F_OK) != 0 && errno == ENOENT)
        fprintf(stderr,
                "sallyport: there is neither ./%s nor %s: write one, or name it with --config; "
                "'sallyport proxy --to URL' needs none\n",
                local_config, system_config);
}
