// SPDX-License-Identifier: Apache-2.0
#include "cli/args.h"

#include "unit/test.h"

static const struct cli_option options[] = {
    {.name = "config", .letter = 'c', .value = "FILE", .doc = "A file."},
    {.name = "header", .letter = 'H', .value = "TEXT", .is_many = true, .doc = "A field."},
    {.name = "json", .doc = "A switch."},
};

static const struct cli_command command = {
    .name = "try",
    .words = "URL",
    .words_min = 1,
    .words_max = 2,
    .summary = "Try.",
    .options = options,
    .n_options = ARRAY_LEN(options),
};

static const char *const forms[] = {"plain", "json", NULL};
static const char *const shells[] = {"bash", "zsh", NULL};
static const struct cli_option choice_options[] = {
    {.name = "as", .value = "FORM", .names = forms, .doc = "A form."},
    {.name = "method", .value = "METHOD", .names = forms, .is_open = true, .doc = "Any."},
};
static const struct cli_word things[] = {
    {.name = "alone"},
    {.name = "page", .next = forms},
    {.name = "script", .next = shells, .needs_next = true},
    {.name = "one", .takes_any = true},
    {.name = "many", .takes_many = true},
};

static const struct cli_command choosing = {
    .name = "choose",
    .words = "WHAT [WHICH]",
    .words_min = 1,
    .words_max = 4,
    .choices = things,
    .n_choices = ARRAY_LEN(things),
    .summary = "Choose.",
    .options = choice_options,
    .n_options = ARRAY_LEN(choice_options),
};

// Parses words, separated by '|'.
static int parse_for(const struct cli_command *c, struct cli_args *args, const char *line)
{
    static char text[256];
    char *argv[16];
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *rest = text, *word; (word = strsep(&rest, "|"));)
        argv[argc++] = word;
    return cli_parse(c, argc, argv, args);
}

static int parse(struct cli_args *args, const char *line)
{
    return parse_for(&command, args, line);
}

static void values_and_words_are_among_those_allowed(void)
{
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"alone", CLI_OK},
        {"one|x", CLI_OK},
        {"one|x|y", CLI_USAGE},
        {"many", CLI_OK},
        {"many|x|y|z", CLI_OK},
        {"many|x|y|z|zz", CLI_USAGE},
        {"page", CLI_OK},
        {"page|json", CLI_OK},
        {"script|zsh", CLI_OK},
        {"alone|--as|json", CLI_OK},
        {"alone|--method|anything", CLI_OK},
        {"none", CLI_USAGE},
        {"", CLI_USAGE},
        {"alone|json", CLI_USAGE},
        {"page|zsh", CLI_USAGE},
        {"page|json|x", CLI_USAGE},
        {"script", CLI_USAGE},
        {"script|json", CLI_USAGE},
        {"alone|--as|xml", CLI_USAGE},
        {"alone|--as=", CLI_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_args args;
        CHECK_INT(parse_for(&choosing, &args, cases[i].line), cases[i].status);
    }
}

static void options_are_taken_in_every_spelling(void)
{
    struct cli_args args;
    CHECK_INT(parse(&args, "-c|a|url|--json"), CLI_OK);
    CHECK_STR(str_of(cli_value(&args, "config", "")), STR("a"));
    CHECK(cli_has(&args, "json"));
    CHECK_INT(parse(&args, "-ca|url"), CLI_OK);
    CHECK_STR(str_of(cli_value(&args, "config", "")), STR("a"));
    CHECK_INT(parse(&args, "--config=a=b|url"), CLI_OK);
    CHECK_STR(str_of(cli_value(&args, "config", "")), STR("a=b"));
    CHECK_INT(parse(&args, "--config|-|url"), CLI_OK);
    CHECK_STR(str_of(cli_value(&args, "config", "")), STR("-"));
}

static void repeatable_options_keep_all_values(void)
{
    struct cli_args args;
    const char *const *values = NULL;
    CHECK_INT(parse(&args, "-H|a: 1|url|-H|b: 2"), CLI_OK);
    CHECK_INT(cli_values(&args, "header", &values), 2);
    CHECK_STR(str_of(values[1]), STR("b: 2"));
}

static void words_behind_two_dashes_are_no_options(void)
{
    struct cli_args args;
    CHECK_INT(parse(&args, "--|-c"), CLI_OK);
    CHECK_INT(args.n_words, 1);
    CHECK_STR(str_of(args.words[0]), STR("-c"));
}

static void what_is_wrong_is_a_usage_error(void)
{
    struct cli_args args;
    CHECK_INT(parse(&args, "--json"), CLI_USAGE);
    CHECK_INT(parse(&args, "a|b|c"), CLI_USAGE);
    CHECK_INT(parse(&args, "--confg|a|url"), CLI_USAGE);
    CHECK_INT(parse(&args, "url|-c"), CLI_USAGE);
    CHECK_INT(parse(&args, "url|--json=yes"), CLI_USAGE);
    CHECK_INT(parse(&args, "url|-c|a|-c|b"), CLI_USAGE);
    CHECK_INT(parse(&args, "url|-x"), CLI_USAGE);
}

static void every_command_says_what_it_does(void)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        CHECK(c->summary[strlen(c->summary) - 1] == '.');
        CHECK(c->n_options <= CLI_OPTIONS_MAX);
        CHECK(c->run != NULL);
        struct text help = {.ptr = NULL};
        cli_print_command_help(c, &help);
        CHECK(str_search(text_str(&help), str_of(c->name)) != STR_NPOS);
        text_fini(&help);
    }
}

TEST_MAIN(TEST(values_and_words_are_among_those_allowed), TEST(options_are_taken_in_every_spelling),
          TEST(repeatable_options_keep_all_values), TEST(words_behind_two_dashes_are_no_options),
          TEST(what_is_wrong_is_a_usage_error), TEST(every_command_says_what_it_does))
