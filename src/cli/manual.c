// SPDX-License-Identifier: Apache-2.0
#include "cli/manual.h"

#include "base/ascii.h"
#include "cli/command.h"
#include "cli/topics.h"
#include "conf/roff.h"
#include "gate/settings.h"

#define MANUAL_DATE "2026-11-21" // of the newest change that is worth a new print

static void put_head(struct text *to, const char *name, int chapter, const char *page,
                     const char *what)
{
    text_printf(to,
                ".\\\" Printed by 'sallyport print man %s'.\n"
                ".TH %s %d " MANUAL_DATE " \"sallyport " SALLYPORT_VERSION "\" \"Sallyport\"\n"
                ".SH NAME\n",
                page, name, chapter);
    text_put(to, str_of(what));
}

static void put_bold(struct text *to, const char *s)
{
    text_put(to, STR("\\fB"));
    roff_put_plain(to, str_of(s));
    text_put(to, STR("\\fR"));
}

static void put_italic(struct text *to, const char *s)
{
    text_put(to, STR("\\fI"));
    roff_put_plain(to, str_of(s));
    text_put(to, STR("\\fR"));
}

static void put_option(struct text *to, const struct cli_option *o)
{
    text_put(to, STR(".TP\n"));
    if (o->letter)
        text_printf(to, "\\fB\\-%c\\fR, ", o->letter);
    text_put(to, STR("\\fB\\-\\-"));
    roff_put_plain(to, str_of(o->name));
    text_put(to, STR("\\fR"));
    if (o->value) {
        text_byte(to, ' ');
        put_italic(to, o->value);
    }
    if (o->is_many)
        text_put(to, STR(" (repeatable)"));
    text_byte(to, '\n');
    roff_put_text(to, str_of(o->doc), true);
}

static void put_command(struct text *to, const struct cli_command *c)
{
    text_put(to, STR(".SS "));
    roff_put_plain(to, str_of(c->name));
    text_put(to, STR("\n"));
    put_bold(to, "sallyport ");
    put_bold(to, c->name);
    if (c->n_options > 0)
        text_put(to, STR(" [\\fIOPTION\\fR ...]"));
    if (c->words) {
        text_byte(to, ' ');
        put_italic(to, c->words);
    }
    text_put(to, STR("\n.PP\n"));
    roff_put_text(to, str_of(c->summary), false);
    if (c->doc) {
        text_put(to, STR(".PP\n"));
        roff_put_text(to, str_of(c->doc), false);
    }
    for (size_t i = 0; i < c->n_options; i++)
        put_option(to, &c->options[i]);
}

static void put_topic(struct text *to, const struct cli_topic *topic)
{
    text_put(to, STR(".SH "));
    for (const char *c = topic->title; *c; c++)
        text_byte(to, ascii_is(*c, ASCII_ALPHA) ? (char)(*c & ~0x20) : *c);
    text_byte(to, '\n');
    for (size_t i = 0; i < topic->n_rows; i++) {
        text_put(to, STR(".TP\n"));
        put_bold(to, topic->rows[i].name);
        text_byte(to, '\n');
        roff_put_text(to, str_of(topic->rows[i].doc), true);
    }
}

void manual_put_commands(struct text *to)
{
    put_head(to, "SALLYPORT", 1, "commands", "sallyport \\- a reverse proxy\n");
    text_put(to, STR(".SH SYNOPSIS\n\\fBsallyport\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR ...]\n"
                     ".SH DESCRIPTION\n"));
    roff_put_text(to,
                  STR("Stands between clients and any number of servers: takes HTTP requests on "
                      "its entrypoints, finds the route of each by host name and rule, lets it "
                      "pass its filters and hands it to a server of a service. It can be changed, "
                      "upgraded and watched while it runs.\n\n"
                      "`sallyport run` is the proxy itself. The other commands check settings, "
                      "talk with the running proxy over its control socket, or help to set it up. "
                      "Settings are described in **sallyport.yaml**(5)."),
                  false);
    text_put(to, STR(".SH COMMANDS\n"));
    for (size_t i = 0; cli_commands[i]; i++) {
        if (!cli_commands[i]->is_hidden)
            put_command(to, cli_commands[i]);
    }
    for (size_t i = 0; i < CLI_TOPICS; i++)
        put_topic(to, &cli_topics[i]);
    text_put(to, STR(".SH SEE ALSO\n\\fBsallyport.yaml\\fR(5)\n"));
}

void manual_put_settings(struct text *to)
{
    put_head(to, "SALLYPORT.YAML", 5, "settings",
             "sallyport.yaml \\- settings of the reverse proxy sallyport\n");
    conf_print_man(&settings_section, to);
    text_put(to, STR(".SH EXAMPLES\nTwo sites, each with its server:\n.PP\n"));
    roff_put_block(to, STR("sites:\n"
                           "  app.example.com: http://127.0.0.1:3000\n"
                           "  wiki.example.com: http://127.0.0.1:8080\n"));
    text_put(to, STR(".PP\nA site with filters, and a pool of servers for one of its paths:\n"
                     ".PP\n"));
    roff_put_block(to, STR("filters:\n"
                           "  login: { basic-auth: \"file:/etc/sallyport/users\" }\n"
                           "services:\n"
                           "  api: { servers: [\"http://10.0.0.1:80\", \"http://10.0.0.2:80\"] }\n"
                           "sites:\n"
                           "  app.example.com:\n"
                           "    to: http://127.0.0.1:3000\n"
                           "    routes:\n"
                           "      - { match: \"PathPrefix(`/api`)\", use: [login], to: api }\n"));
    text_put(to, STR(".SH FILES\n.TP\n\\fB./sallyport.yaml\\fR, "
                     "\\fB/etc/sallyport/sallyport.yaml\\fR\n"
                     "Where the settings are looked for unless \\fB\\-\\-config\\fR names a file.\n"
                     ".SH SEE ALSO\n\\fBsallyport\\fR(1)\n"));
}
