// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/completion.h"

static const struct str head = STR_INIT(
    "# Completion of sallyport for bash; printed by 'sallyport print completion bash'.\n"
    "\n"
    "# Names that the settings file gives. They are data: nothing in them is expanded.\n"
    "_sallyport_names() {\n"
    "    local name\n"
    "    while IFS= read -r name; do\n"
    "        [[ $name == \"$cur\"* ]] && COMPREPLY+=(\"$name\")\n"
    "    done < <(\"${COMP_WORDS[0]/#\\~/$HOME}\" names \"$@\" 2>/dev/null)\n"
    "}\n"
    "\n"
    "_sallyport() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command='' takes='' options='' names='' kind='' word i\n"
    "    local words=() config=()\n"
    "    COMPREPLY=()\n"
    "    # '--as=yaml' comes as three words.\n"
    "    if [[ $cur == '=' ]]; then\n"
    "        cur=''\n"
    "    elif [[ $prev == '=' ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ -n $command && \" $takes \" == *\" $word \"* ]]; then\n"
    "            ((i++))\n"
    "            [[ ${COMP_WORDS[i]} == '=' ]] && ((i++))\n"
    "            [[ $word == -c || $word == --config ]] && config=(--config \"${COMP_WORDS[i]}\")\n"
    "        elif [[ $word != -* && -n $command ]]; then\n"
    "            words+=(\"$word\")\n"
    "        elif [[ $word != -* ]]; then\n"
    "            command=$word\n"
    "            case $command in\n");

static const struct str tail =
    STR_INIT("    esac\n"
             "    case $kind in\n"
             "    file)\n"
             "        compopt -o filenames 2>/dev/null\n"
             "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
             "    entrypoints | sites) _sallyport_names \"$kind\" \"${config[@]}\" ;;\n"
             "    names) mapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$cur\") ;;\n"
             "    esac\n"
             "}\n"
             "complete -F _sallyport sallyport\n");

static void put_option_names(struct text *to, const struct cli_option *o, const char *between)
{
    if (o->letter)
        text_printf(to, "-%c%s", o->letter, between);
    text_printf(to, "--%s", o->name);
}

static void put_names(struct text *to, const char *const *names)
{
    text_put(to, STR("kind=names names='"));
    for (size_t i = 0; names[i]; i++)
        text_printf(to, "%s%s", i > 0 ? " " : "", names[i]);
    text_put(to, STR("'"));
}

static void put_kind(struct text *to, enum cli_value_kind kind)
{
    switch (kind) {
    case CLI_VALUE_TEXT:
        text_put(to, STR("kind=text"));
        break;
    case CLI_VALUE_FILE:
        text_put(to, STR("kind=file"));
        break;
    case CLI_VALUE_ENTRYPOINT:
        text_put(to, STR("kind=entrypoints"));
        break;
    case CLI_VALUE_SITE:
        text_put(to, STR("kind=sites"));
        break;
    case CLI_VALUE_COMMAND:
        text_put(to, STR("kind=names names=$commands"));
        break;
    }
}

// Which options a command has, and which of them take a value.
static void put_options(struct text *to, const struct cli_command *c)
{
    text_printf(to, "            %s)\n                takes='", c->name);
    for (size_t i = 0, n = 0; i < c->n_options; i++) {
        if (!c->options[i].value)
            continue;
        text_put(to, n++ > 0 ? STR(" ") : STR_NONE);
        put_option_names(to, &c->options[i], " ");
    }
    text_put(to, STR("'\n                options='"));
    for (size_t i = 0; i < c->n_options; i++)
        text_printf(to, "--%s ", c->options[i].name);
    text_put(to, STR("--help' ;;\n"));
}

static void put_values(struct text *to, const struct cli_command *c)
{
    for (size_t i = 0; i < c->n_options; i++) {
        const struct cli_option *o = &c->options[i];
        if (!o->value)
            continue;
        text_printf(to, "    '%s --%s'", c->name, o->name);
        if (o->letter)
            text_printf(to, " | '%s -%c'", c->name, o->letter);
        text_put(to, STR(") "));
        if (o->names)
            put_names(to, o->names);
        else
            put_kind(to, o->kind);
        text_put(to, STR(" ;;\n"));
    }
}

static void put_words(struct text *to, const struct cli_command *c)
{
    const char *names[CLI_CHOICES_MAX + 1] = {NULL};
    for (size_t i = 0; i < c->n_choices; i++) {
        names[i] = c->choices[i].name;
        const struct cli_word *word = &c->choices[i];
        if (!word->next && !word->takes_any && !word->takes_many)
            continue;
        text_printf(to, "        '%s '%s' %s') ", c->name, word->takes_many ? "*" : "1",
                    word->name);
        if (word->next)
            put_names(to, word->next);
        else
            put_kind(to, word->kind);
        text_put(to, STR(" ;;\n"));
    }
    if (c->words_max == 0)
        return;
    text_printf(to, "        '%s 0 ') ", c->name);
    if (c->n_choices > 0)
        put_names(to, names);
    else
        put_kind(to, c->words_kind);
    text_put(to, STR(" ;;\n"));
}

void completion_put_bash(struct text *to)
{
    const struct cli_command *const *c;
    text_put(to, head);
    for (c = cli_commands; *c; c++) {
        if (!(*c)->is_hidden)
            put_options(to, *c);
    }
    text_put(to, STR("            esac\n        fi\n    done\n    local commands='"));
    for (c = cli_commands; *c; c++) {
        if (!(*c)->is_hidden)
            text_printf(to, "%s%s", c == cli_commands ? "" : " ", (*c)->name);
    }
    text_put(to, STR("'\n    case \"$command $prev\" in\n"));
    for (c = cli_commands; *c; c++) {
        if (!(*c)->is_hidden)
            put_values(to, *c);
    }
    text_put(to, STR("    *)\n        if [[ -z $command ]]; then\n"
                     "            kind=names names=\"$commands --help --version\"\n"
                     "        elif [[ $cur == -* ]]; then\n"
                     "            kind=names names=$options\n        fi ;;\n    esac\n"
                     "    [[ -n $kind ]] || case \"$command ${#words[@]} ${words[0]}\" in\n"));
    for (c = cli_commands; *c; c++) {
        if (!(*c)->is_hidden)
            put_words(to, *c);
    }
    text_put(to, tail);
}
