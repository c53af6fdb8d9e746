// SPDX-License-Identifier: Apache-2.0
// Help and manual of the commands, printed from their rows.
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/topics.h"

#define COLUMN 26 // where explanations start
#define WIDTH 100

// Markdown's `code` marks are for the manual; a terminal gets plain words.
static void put_plain(struct text *to, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '`')
            text_byte(to, s.ptr[i]);
    }
}

// Text wrapped at WIDTH behind an indent; the first line is already indented.
static void put_wrapped(struct text *to, const char *doc, size_t indent)
{
    struct str rest = str_of(doc);
    size_t column = indent;
    while (rest.len > 0) {
        struct str word;
        bool is_paragraph = rest.ptr[0] == '\n';
        if (is_paragraph) {
            rest = str_skip(rest, 1);
            text_printf(to, "\n%*s", (int)indent, "");
            column = indent;
            continue;
        }
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] != ' ' && rest.ptr[end] != '\n')
            end++;
        word = str_first(rest, end);
        rest = str_skip(rest, end);
        if (rest.len > 0 && rest.ptr[0] == ' ')
            rest = str_skip(rest, 1);
        if (column > indent && column + word.len + 1 > WIDTH) {
            text_printf(to, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (column > indent) {
            text_byte(to, ' ');
            column++;
        }
        put_plain(to, word);
        column += word.len;
    }
    text_byte(to, '\n');
}

void cli_print_help(struct text *to)
{
    text_printf(to, "sallyport %s, a reverse proxy\n\nusage: sallyport COMMAND [OPTION …]\n\n",
                SALLYPORT_VERSION);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        if (!c->is_hidden)
            text_printf(to, "  %-16s %s\n", c->name, c->summary);
    }
    text_put(to, STR("\n'sallyport COMMAND --help' tells more. First steps:\n"
                     "  sallyport proxy --to http://127.0.0.1:3000   a proxy without a file\n"
                     "  sallyport run --config sallyport.yaml        one with a file\n"));
}

static void put_option_head(struct text *to, const struct cli_option *o)
{
    if (o->letter)
        text_printf(to, "-%c, ", o->letter);
    text_printf(to, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
}

void cli_print_command_help(const struct cli_command *c, struct text *to)
{
    text_printf(to, "usage: sallyport %s%s%s%s\n\n", c->name, c->n_options > 0 ? " [OPTION …]" : "",
                c->words ? " " : "", c->words ? c->words : "");
    put_wrapped(to, c->summary, 0);
    if (c->doc) {
        text_byte(to, '\n');
        put_wrapped(to, c->doc, 0);
    }
    if (c->n_options > 0)
        text_put(to, STR("\noptions:\n"));
    for (size_t i = 0; i < c->n_options; i++) {
        size_t start = to->len;
        text_put(to, STR("  "));
        put_option_head(to, &c->options[i]);
        size_t used = to->len - start;
        if (used >= COLUMN)
            text_printf(to, "\n%*s", COLUMN, "");
        else
            text_printf(to, "%*s", (int)(COLUMN - used), "");
        put_wrapped(to, c->options[i].doc, COLUMN);
    }
}

void cli_print_markdown(struct text *to)
{
    text_put(to, STR("# Commands\n\nPrinted by `sallyport print commands`.\n"));
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        if (c->is_hidden)
            continue;
        text_printf(to, "\n## sallyport %s%s%s\n\n%s\n", c->name, c->words ? " " : "",
                    c->words ? c->words : "", c->summary);
        if (c->doc)
            text_printf(to, "\n%s\n", c->doc);
        if (c->n_options > 0)
            text_put(to, STR("\n| option | meaning |\n|---|---|\n"));
        for (size_t k = 0; k < c->n_options; k++) {
            text_put(to, STR("| `"));
            put_option_head(to, &c->options[k]);
            text_printf(to, "`%s | %s |\n", c->options[k].is_many ? " (repeatable)" : "",
                        c->options[k].doc);
        }
    }
    for (size_t i = 0; i < CLI_TOPICS; i++) {
        const struct cli_topic *topic = &cli_topics[i];
        text_printf(to, "\n## %s\n\n| %s | meaning |\n|---|---|\n", topic->title,
                    topic->name_title);
        for (size_t k = 0; k < topic->n_rows; k++)
            text_printf(to, "| `%s` | %s |\n", topic->rows[k].name, topic->rows[k].doc);
    }
}
