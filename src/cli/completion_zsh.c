// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/completion.h"

static const struct str head =
    STR_INIT("#compdef sallyport\n"
             "# Completion of sallyport for zsh; printed by 'sallyport print completion zsh'.\n"
             "\n"
             "# Names that the settings file gives.\n"
             "_sallyport_names() {\n"
             "    local -a names config\n"
             "    local file=${opt_args[-c]:-${opt_args[--config]}}\n"
             "    [[ -n $file ]] && config=(--config \"${(Q)file}\")\n"
             "    names=(${(f)\"$(sallyport names $1 $config 2>/dev/null)\"})\n"
             "    compadd -a names\n"
             "}\n"
             "\n"
             "_sallyport_commands() {\n"
             "    local -a commands=(\n");

static const struct str middle =
    STR_INIT("    )\n"
             "    _describe -t commands command commands\n"
             "}\n"
             "\n"
             "_sallyport() {\n"
             "    local curcontext=$curcontext state line\n"
             "    local -A opt_args\n"
             "    _arguments -C '(- *)'{-h,--help}'[Say what the commands do]' \\\n"
             "        '(- *)--version[Print the version]' \\\n"
             "        '1:command:_sallyport_commands' '*::word:->words' && return\n"
             "    [[ $state == words ]] || return\n"
             "    case $words[1] in\n");

static const struct str tail = STR_INIT("    esac\n"
                                        "}\n"
                                        "\n"
                                        "if [[ $funcstack[1] == _sallyport ]]; then\n"
                                        "    _sallyport \"$@\"\n"
                                        "else\n"
                                        "    compdef _sallyport sallyport\n"
                                        "fi\n");

// Inside of single quotes and of a specification.
static void put_escaped(struct text *to, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\'')
            text_put(to, STR("'\\''"));
        else if (c == '[' || c == ']' || c == ':' || c == '\\')
            text_printf(to, "\\%c", c);
        else if (c != '`')
            text_byte(to, c);
    }
}

// What a doc says first, without its full stop.
static void put_first_sentence(struct text *to, const char *doc)
{
    struct str s = str_of(doc);
    size_t end = MIN(str_search(s, STR(". ")), str_search(s, STR(";")));
    s = str_first(s, end);
    if (str_ends(s, STR(".")))
        s.len--;
    put_escaped(to, s);
}

static void put_names(struct text *to, const char *const *names)
{
    text_byte(to, '(');
    for (size_t i = 0; names[i]; i++)
        text_printf(to, "%s%s", i > 0 ? " " : "", names[i]);
    text_byte(to, ')');
}

static void put_kind(struct text *to, enum cli_value_kind kind)
{
    switch (kind) {
    case CLI_VALUE_TEXT:
        text_put(to, STR(" "));
        break;
    case CLI_VALUE_FILE:
        text_put(to, STR("_files"));
        break;
    case CLI_VALUE_ENTRYPOINT:
        text_put(to, STR(" _sallyport_names entrypoints"));
        break;
    case CLI_VALUE_SITE:
        text_put(to, STR(" _sallyport_names sites"));
        break;
    case CLI_VALUE_COMMAND:
        text_put(to, STR("_sallyport_commands"));
        break;
    }
}

static void put_option(struct text *to, const struct cli_option *o)
{
    const char *plus = o->value ? "+" : "", *equals = o->value ? "=" : "";
    text_put(to, STR(" \\\n            "));
    if (o->is_many)
        text_printf(to, "'*'");
    else if (o->letter)
        text_printf(to, "'(-%c --%s)'", o->letter, o->name);
    if (o->letter)
        text_printf(to, "{-%c%s,--%s%s}'[", o->letter, plus, o->name, equals);
    else
        text_printf(to, "'--%s%s[", o->name, equals);
    put_first_sentence(to, o->doc);
    text_byte(to, ']');
    if (o->value) {
        text_byte(to, ':');
        put_escaped(to, str_of(o->value));
        text_byte(to, ':');
        if (o->names)
            put_names(to, o->names);
        else
            put_kind(to, o->kind);
    }
    text_byte(to, '\'');
}

static void put_words(struct text *to, const struct cli_command *c)
{
    const char *names[CLI_CHOICES_MAX + 1] = {NULL};
    size_t n_next = 0;
    bool is_many = false;
    for (size_t i = 0; i < c->n_choices; i++) {
        const struct cli_word *word = &c->choices[i];
        names[i] = word->name;
        n_next += word->next || word->takes_any || word->takes_many;
        is_many = is_many || word->takes_many;
    }
    text_printf(to, " \\\n            '1%s:", c->words_min > 0 ? "" : ":"); // '::' is optional
    put_escaped(to, str_of(c->words));
    text_byte(to, ':');
    if (c->n_choices > 0)
        put_names(to, names);
    else
        put_kind(to, c->words_kind);
    text_byte(to, '\'');
    if (n_next == 0)
        return;
    text_printf(to, " \\\n            '%s:which:{case $line[1] in", is_many ? "*" : "2");
    for (size_t i = 0; i < c->n_choices; i++) {
        const struct cli_word *word = &c->choices[i];
        if (!word->next && !word->takes_any && !word->takes_many)
            continue;
        text_printf(to, " %s) ", word->name);
        if (word->next)
            text_put(to, STR("compadd --"));
        else
            put_kind(to, word->kind);
        for (size_t k = 0; word->next && word->next[k]; k++)
            text_printf(to, " %s", word->next[k]);
        text_put(to, STR(" ;;"));
    }
    text_put(to, STR(" esac}'"));
}

void completion_put_zsh(struct text *to)
{
    const struct cli_command *const *c;
    text_put(to, head);
    for (c = cli_commands; *c; c++) {
        if ((*c)->is_hidden)
            continue;
        text_printf(to, "        '%s:", (*c)->name);
        put_first_sentence(to, (*c)->summary);
        text_put(to, STR("'\n"));
    }
    text_put(to, middle);
    for (c = cli_commands; *c; c++) {
        if ((*c)->is_hidden)
            continue;
        text_printf(to, "    %s)\n        _arguments -s", (*c)->name);
        for (size_t i = 0; i < (*c)->n_options; i++)
            put_option(to, &(*c)->options[i]);
        if ((*c)->words_max > 0)
            put_words(to, *c);
        text_put(to, STR(" \\\n            '(- *)'{-h,--help}'[Say what this command does]' ;;\n"));
    }
    text_put(to, tail);
}
