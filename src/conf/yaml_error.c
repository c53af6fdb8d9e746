// SPDX-License-Identifier: Apache-2.0
// libyaml's errors in words that help someone who doesn't know YAML's grammar.
#include "base/ascii.h"
#include "conf/conf_priv.h"

// libyaml's words (a part of them is enough) and ours.
static const struct {
    const char *theirs;
    const char *ours;
} explanations[] = {
    {"found a tab character", "a tab can't be used for indentation: use spaces"},
    {"mapping values are not allowed",
     "':' is not expected here: check the indentation, or put the text in quotes"},
    {"could not find expected ':'",
     "expected 'key: value', but the ':' and a space behind it are missing"},
    {"did not find expected key",
     "expected 'key: value' here: check the indentation, and quotes of the line before"},
    {"did not find expected '-' indicator",
     "expected '- item' here: check the indentation of this list"},
    {"did not find expected ',' or ']'", "expected ',' or ']': is the list closed?"},
    {"did not find expected ',' or '}'", "expected ',' or '}': is the map closed?"},
    {"did not find expected node content", "expected a value here"},
    {"did not find expected <document start>",
     "expected the end of the file here: check the indentation"},
    {"found unexpected end of stream", "the file ends inside quotes: is a quote not closed?"},
    {"found unexpected document indicator", "'---' or '...' inside quotes: is a quote not closed?"},
    {"found unknown escape character",
     "unknown escape: write \\\\ for a backslash inside double quotes, or use single quotes"},
    {"block sequence entries are not allowed",
     "'- item' is not expected here: begin it on its own line"},
    {"mapping keys are not allowed", "'?' is not expected here: put the text in quotes"},
    {"found undefined tag handle", "a text that begins with '!' needs quotes"},
    {"did not find expected alphabetic or numeric character",
     "a name is missing behind '&' or '*': a text that begins so needs quotes"},
    {"did not find expected comment or line break",
     "'|' or '>' begins a text of several lines: quote it if that isn't meant"},
    {"control characters are not allowed", "the text has a control character"},
};

// The n-th line of text, from 1, without its end.
static struct str find_line(struct str text, size_t line)
{
    struct str head = text, tail = text;
    while (line-- > 0) {
        if (!str_cut(tail, '\n', &head, &tail) && line > 0)
            return STR_NONE;
    }
    return head;
}

static bool has_tab_indent(struct str line)
{
    for (size_t i = 0; i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'); i++) {
        if (line.ptr[i] == '\t')
            return true;
    }
    return false;
}

// "found character that cannot start any token": a tab, or a byte that needs quotes.
static const char *explain_start(struct str line, size_t column)
{
    if (column <= line.len && column > 0 && ascii_is(line.ptr[column - 1], ASCII_TOKEN))
        return "a text that begins with '@', '`' or '%' needs quotes";
    return "a text that begins with this character needs quotes";
}

static const char *explain(const yaml_parser_t *parser, struct str line, size_t column)
{
    if (has_tab_indent(line))
        return "a tab can't be used for indentation: use spaces";
    const char *problem = parser->problem ? parser->problem : "it can't be understood";
    for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
        if (strstr(problem, explanations[i].theirs))
            return explanations[i].ours;
    }
    if (strstr(problem, "cannot start any token"))
        return explain_start(line, column);
    return problem;
}

// A byte that isn't text at all: libyaml knows only its offset.
static void explain_byte(const yaml_parser_t *parser, struct str text, const char *source,
                         struct diags *diags)
{
    struct str before = str_first(text, parser->problem_offset);
    struct place place = {.source = source, .line = 1};
    size_t line_start = str_rfind(before, '\n');
    line_start = line_start == STR_NPOS ? 0 : line_start + 1;
    for (size_t i = 0; i < before.len; i++)
        place.line += before.ptr[i] == '\n';
    place.column = (unsigned)(before.len - line_start) + 1;
    const char *what = parser->problem && strstr(parser->problem, "control character")
                           ? "a control character is not allowed"
                           : "this is not UTF-8 text";
    diag_fail(diags, ERR_SYNTAX, place, "%s (byte 0x%02x)", what, (unsigned)parser->problem_value);
}

void conf_yaml_explain(const yaml_parser_t *parser, struct str text, const char *source,
                       struct diags *diags)
{
    if (parser->error == YAML_READER_ERROR) {
        explain_byte(parser, text, source, diags);
        return;
    }
    struct place place = {
        .source = source,
        .line = (unsigned)parser->problem_mark.line + 1,
        .column = (unsigned)parser->problem_mark.column + 1,
    };
    const char *what = explain(parser, find_line(text, place.line), place.column);
    if (parser->context && parser->context_mark.line + 1 < place.line)
        diag_fail(diags, ERR_SYNTAX, place, "%s (this part begins in line %zu)", what,
                  parser->context_mark.line + 1);
    else
        diag_fail(diags, ERR_SYNTAX, place, "%s", what);
}
