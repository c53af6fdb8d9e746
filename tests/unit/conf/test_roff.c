// SPDX-License-Identifier: Apache-2.0
#include "conf/roff.h"

#include "unit/test.h"

static void check_text(const char *markdown, bool is_inside, const char *roff)
{
    struct text t = {.ptr = NULL};
    roff_put_text(&t, str_of(markdown), is_inside);
    CHECK_STR(text_str(&t), str_of(roff));
    text_fini(&t);
}

static void marks_become_fonts(void)
{
    static const struct {
        const char *markdown, *roff;
    } cases[] = {
        {"plain", "plain"},
        {"a `code` b", "a \\fBcode\\fR b"},
        {"**bold** and *slanted*", "\\fBbold\\fR and \\fIslanted\\fR"},
        {"`*` and `[x](y)`", "\\fB*\\fR and \\fB[x](y)\\fR"},
        {"``Host(`a`)``", "\\fBHost(\\(gaa\\(ga)\\fR"},
        {"5 * 3 * 2", "5 * 3 * 2"},
        {"one `open", "one \\(gaopen"},
        {"see [log](#log)", "see \\fIlog\\fR"},
        {"[`f`](#f), [`g`](#g)", "\\fBf\\fR, \\fBg\\fR"},
        {"[site](https://x.example/)", "\\fIsite\\fR (https://x.example/)"},
        {"[ADDRESS]:PORT", "[ADDRESS]:PORT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text t = {.ptr = NULL};
        roff_put_inline(&t, str_of(cases[i].markdown));
        CHECK_STR(text_str(&t), str_of(cases[i].roff));
        text_fini(&t);
    }
}

static void nothing_in_a_text_is_a_request_or_an_escape(void)
{
    check_text(".SH X", false, "\\&.SH X\n");
    check_text("'br", false, "\\(aqbr\n");
    check_text("a\\nb --x ^~\"", false, "a\\enb \\-\\-x \\(ha\\(ti\\(dq\n");
    check_text("a\x1b\tc\x7f", false, "a? c?\n");
    check_text("· …", false, "\\[u00B7] \\[u2026]\n");
    check_text("\xff\xe2\x80", false, "\\[u00FF]\\[u00E2]\\[u0080]\n");
}

static void paragraphs_lists_and_blocks_keep_their_form(void)
{
    check_text("one\ntwo\n\nthree", false, "one two\n.PP\nthree\n");
    check_text("one\n\ntwo", true, "one\n.IP\ntwo\n");
    check_text("all:\n- one\n- two\n\nend", true,
               "all:\n.RS 2\n.IP \\(bu 2\none\n.IP \\(bu 2\ntwo\n.RE\n.IP\nend\n");
    check_text("so:\n```yaml\na: b\n.c\n```\nend", false,
               "so:\n.PP\n.EX\na: b\n\\&.c\n.EE\n.PP\nend\n");
    check_text("```\nopen", false, ".EX\nopen\n.EE\n");
}

static void long_lines_are_broken_at_spaces_but_not_before_a_control_character(void)
{
    struct text in = {.ptr = NULL}, out = {.ptr = NULL};
    for (int i = 0; i < 60; i++)
        text_put(&in, i % 3 == 0 ? STR(".dot ") : STR("wordword "));
    roff_put_text(&out, text_str(&in), false);
    struct str rest = text_str(&out), line;
    for (size_t n = 0; rest.len > 0; n++) {
        str_cut(rest, '\n', &line, &rest);
        CHECK(line.len <= 90);
        CHECK(line.len > 0 && line.ptr[0] != '.');
        CHECK(n < 20);
    }
    text_fini(&in);
    text_fini(&out);
}

TEST_MAIN(TEST(marks_become_fonts), TEST(nothing_in_a_text_is_a_request_or_an_escape),
          TEST(paragraphs_lists_and_blocks_keep_their_form),
          TEST(long_lines_are_broken_at_spaces_but_not_before_a_control_character))
