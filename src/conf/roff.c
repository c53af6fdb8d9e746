// SPDX-License-Identifier: Apache-2.0
#include "conf/roff.h"

#include "base/ascii.h"

#define LINE_BYTES 76 // where filled lines are broken, if they can be

// --- characters ---

// The code point that s begins with, and its bytes; a byte that isn't UTF-8 is itself.
static unsigned decode(struct str s, size_t *ret_n)
{
    const unsigned char *b = (const unsigned char *)s.ptr;
    size_t n = b[0] < 0x80 ? 1 : b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : b[0] >= 0xc0 ? 2 : 1;
    if (n > s.len)
        n = 1;
    unsigned code = n == 1 ? b[0] : b[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (b[i] & 0x3fu);
    *ret_n = n;
    return code;
}

static void put_char(struct text *to, unsigned code)
{
    static const struct {
        char c;
        const char *roff;
    } special[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'`', "\\(ga"},
                   {'^', "\\(ha"}, {'~', "\\(ti"}, {'"', "\\(dq"}};
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if (code == (unsigned char)special[i].c) {
            text_put(to, str_of(special[i].roff));
            return;
        }
    }
    if (code < 0x20 || code == 0x7f) // no control character has a meaning on paper
        text_byte(to, code == '\t' ? ' ' : '?');
    else if (code < 0x80)
        text_byte(to, (char)code);
    else
        text_printf(to, "\\[u%04X]", code);
}

void roff_put_plain(struct text *to, struct str s)
{
    bool is_line_start = to->len == 0 || to->ptr[to->len - 1] == '\n';
    if (is_line_start && s.len > 0 && s.ptr[0] == '.')
        text_put(to, STR("\\&"));
    while (s.len > 0) {
        size_t n;
        unsigned code = decode(s, &n);
        put_char(to, code);
        s = str_skip(s, n);
    }
}

// --- marks inside of a line ---

static void put_in_font(struct text *to, char font, struct str s)
{
    text_printf(to, "\\f%c", font);
    roff_put_plain(to, s);
    text_put(to, STR("\\fR"));
}

// What stands between an opening mark at the begin of s and the next one; false: there is none.
static bool cut_marked(struct str s, struct str mark, struct str *ret_inner, struct str *ret_rest)
{
    if (!str_starts(s, mark))
        return false;
    struct str inner = str_skip(s, mark.len);
    size_t end = str_search(inner, mark);
    if (end == STR_NPOS || end == 0 || inner.ptr[0] == ' ')
        return false;
    *ret_inner = str_first(inner, end);
    *ret_rest = str_skip(inner, end + mark.len);
    return true;
}

// "[text](target)" at the begin of s. Places in the same manual have no address here.
static bool cut_link(struct str s, struct str *ret_text, struct str *ret_target,
                     struct str *ret_rest)
{
    size_t middle = str_search(s, STR("]("));
    if (s.len == 0 || s.ptr[0] != '[' || middle == STR_NPOS)
        return false;
    struct str behind = str_skip(s, middle + 2);
    size_t end = str_find(behind, ')');
    if (end == STR_NPOS || str_find(str_first(s, middle), ' ') == 0)
        return false;
    *ret_text = str_first(str_skip(s, 1), middle - 1);
    *ret_target = str_first(behind, end);
    *ret_rest = str_skip(behind, end + 1);
    return true;
}

static void put_link(struct text *to, struct str text, struct str target)
{
    struct str code, rest;
    if (cut_marked(text, STR("`"), &code, &rest) && rest.len == 0)
        put_in_font(to, 'B', code);
    else
        put_in_font(to, 'I', text);
    if (str_search(target, STR("://")) == STR_NPOS)
        return;
    text_put(to, STR(" ("));
    roff_put_plain(to, target);
    text_byte(to, ')');
}

void roff_put_inline(struct text *to, struct str s)
{
    while (s.len > 0) {
        struct str inner, target, rest;
        if (cut_marked(s, STR("``"), &inner, &rest) || cut_marked(s, STR("`"), &inner, &rest) ||
            cut_marked(s, STR("**"), &inner, &rest)) {
            put_in_font(to, 'B', inner);
        } else if (cut_marked(s, STR("*"), &inner, &rest)) {
            put_in_font(to, 'I', inner);
        } else if (cut_link(s, &inner, &target, &rest)) {
            put_link(to, inner, target);
        } else {
            size_t n;
            decode(s, &n);
            roff_put_plain(to, str_first(s, n));
            rest = str_skip(s, n);
        }
        s = rest;
    }
}

// --- blocks ---

// Breaks the last line of to, from start on, at spaces.
static void fill(struct text *to, size_t start)
{
    size_t line = start, space = 0;
    for (size_t i = start; i < to->len; i++) {
        // A line that would begin with a control character stays whole.
        if (to->ptr[i] == ' ' && i + 1 < to->len && to->ptr[i + 1] != '.')
            space = i;
        if (i - line >= LINE_BYTES && space > line) {
            to->ptr[space] = '\n';
            line = space + 1;
        }
    }
}

static void put_filled(struct text *to, struct str markdown)
{
    size_t start = to->len;
    roff_put_inline(to, markdown);
    fill(to, start);
    text_byte(to, '\n');
}

void roff_put_block(struct text *to, struct str s)
{
    text_put(to, STR(".EX\n"));
    while (s.len > 0) {
        struct str line;
        str_cut(s, '\n', &line, &s);
        roff_put_plain(to, line);
        text_byte(to, '\n');
    }
    text_put(to, STR(".EE\n"));
}

struct blocks {
    struct text *to;
    bool is_inside;
    bool is_first;
    bool is_in_list;
};

static void end_list(struct blocks *b)
{
    if (b->is_in_list)
        text_put(b->to, STR(".RE\n"));
    b->is_in_list = false;
}

static void begin_paragraph(struct blocks *b)
{
    end_list(b);
    if (!b->is_first)
        text_put(b->to, b->is_inside ? STR(".IP\n") : STR(".PP\n"));
    b->is_first = false;
}

static void put_list_item(struct blocks *b, struct str text)
{
    if (!b->is_in_list)
        text_put(b->to, STR(".RS 2\n"));
    b->is_in_list = true;
    b->is_first = false;
    text_put(b->to, STR(".IP \\(bu 2\n"));
    put_filled(b->to, text);
}

// Lines up to an empty one, a list item or a fence are one paragraph, as in Markdown.
static struct str cut_paragraph(struct str *rest)
{
    struct str all = *rest, line;
    size_t n = 0;
    while (rest->len > 0) {
        struct str next;
        str_cut(*rest, '\n', &line, &next);
        if (line.len == 0 ||
            (n > 0 && (str_starts(line, STR("- ")) || str_starts(line, STR("```")))))
            break;
        n = (size_t)(line.ptr - all.ptr) + line.len;
        *rest = next;
    }
    return str_first(all, n);
}

static void put_joined(struct text *to, struct str lines)
{
    struct text joined = {.ptr = NULL};
    text_put(&joined, lines);
    for (size_t i = 0; i < joined.len; i++) {
        if (joined.ptr[i] == '\n')
            joined.ptr[i] = ' ';
    }
    put_filled(to, text_str(&joined));
    text_fini(&joined);
}

void roff_put_text(struct text *to, struct str markdown, bool is_inside)
{
    struct blocks b = {.to = to, .is_inside = is_inside, .is_first = true};
    struct str rest = markdown, line;
    while (rest.len > 0) {
        if (rest.ptr[0] == '\n') {
            rest = str_skip(rest, 1);
        } else if (str_starts(rest, STR("- "))) {
            rest = str_skip(rest, 2);
            str_cut(rest, '\n', &line, &rest);
            put_list_item(&b, line);
        } else if (str_starts(rest, STR("```"))) {
            str_cut(rest, '\n', &line, &rest);
            size_t end = MIN(str_search(rest, STR("```")), rest.len);
            begin_paragraph(&b);
            roff_put_block(to, str_first(rest, end));
            rest = str_skip(rest, end);
            str_cut(rest, '\n', &line, &rest);
        } else {
            begin_paragraph(&b);
            put_joined(to, cut_paragraph(&rest));
        }
    }
    end_list(&b);
}
