// SPDX-License-Identifier: Apache-2.0
#include "dialect/haproxy_words.h"

#include "unit/dialect/converted.h"

// Reads text with global's head before it and gives the words of its last line, with '|' between.
static bool words_of(const char *text, struct text *ret, struct text *faults)
{
    struct draft d;
    struct diags diags = {.n = 0};
    struct haproxy_file file;
    struct text all = {.len = 0};
    text_printf(&all, "global\n%s", text);
    draft_init(&d);
    struct dialect_input in = {
        .path = STR("f"), .text = text_str(&all), .files = &converted_resolver};
    bool is_read = haproxy_read(&in, &d, &diags, &file);
    if (is_read && file.n > 0 && file.sections[file.n - 1].n > 0) {
        const struct haproxy_section *s = &file.sections[file.n - 1];
        for (unsigned i = 0; i < s->lines[s->n - 1].n; i++)
            text_printf(ret, "%s" STR_FMT, i > 0 ? "|" : "", STR_ARG(s->lines[s->n - 1].words[i]));
    }
    for (size_t i = 0; i < diags.n; i++)
        text_put(faults, str_of(diags.items[i].text));
    diags_fini(&diags);
    draft_fini(&d);
    text_fini(&all);
    return is_read;
}

static void lines_are_split_as_haproxy_splits_them(void)
{
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"a b\tc", "a|b|c"},
        {"  a   # comment", "a"},
        {"a#b", "a"},
        {"a \\# b", "a|#|b"},
        {"a b\\ c", "a|b c"},
        {"a \"b c\" d", "a|b c|d"},
        {"a 'b  c'd", "a|b  cd"},
        {"a \"\"", "a|"},
        {"a 'b\\c' \"d\\\"e\"", "a|b\\c|d\"e"},
        {"a ^x\\.y$", "a|^x\\.y$"},
        {"a \"^x\\.y$ \\$\"", NULL},
        {"a b\\x41c", "a|bAc"},
        {"a b\\\\c", "a|b\\c"},
        {"a \"${BACKEND}:80\"", "a|10.9.8.7:80"},
        {"a \"$BACKEND\"", "a|10.9.8.7"},
        {"a '${BACKEND}' ${BACKEND}", "a|${BACKEND}|${BACKEND}"},
        {"a \"${NOTHING}\" \"${NOTHING-x y}\"", "a||x y"},
        {"setenv X y\n b \"${X}\"", "b|y"},
        {"presetenv BACKEND y\n b \"${BACKEND}\"", "b|10.9.8.7"},
        {"a b\r", "a|b"},
        {"a \"b # c\"", "a|b # c"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text words = {.len = 0}, faults = {.len = 0};
        bool is_read = words_of(cases[i].line, &words, &faults);
        CHECK(is_read == (cases[i].words != NULL));
        if (cases[i].words)
            CHECK_STR(text_str(&words), str_of(cases[i].words));
        text_fini(&words);
        text_fini(&faults);
    }
}

static void what_cant_be_split_is_an_error(void)
{
    static const struct {
        const char *line, *fault;
    } cases[] = {
        {"a \"b", "a quote isn't closed"},
        {"a 'b", "a quote isn't closed"},
        {"a \\xZZ", "two hexadecimal digits"},
        {"a \\xff", "isn't ASCII"},
        {"a \\x00", "isn't ASCII"},
        {"a \"${X\"", "no closing '}'"},
        {"a \"$\"", "no name of a variable"},
        {".if defined(X)", ".if"},
        {"1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 "
         "5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5",
         "more than 64 words"},
        {"backend", "has no name"},
        {"backend a b c", "more words"},
        {"backend a from nowhere", "no defaults of this name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text words = {.len = 0}, faults = {.len = 0};
        CHECK(!words_of(cases[i].line, &words, &faults));
        CHECK(converted_has(&faults, cases[i].fault));
        text_fini(&words);
        text_fini(&faults);
    }
}

static void proxies_are_based_on_the_defaults_above_or_on_those_they_name(void)
{
    struct converted c;
    convert_with(&dialect_haproxy,
                 STR("defaults one\n mode http\n timeout client 1s\n"
                     "defaults two from one\n timeout http-request 3s\n"
                     "defaults\n mode http\n"
                     "frontend a from two\n bind :80\n default_backend x\n"
                     "frontend b\n bind :81\n default_backend x\n"
                     "backend x\n server a 127.0.0.1:1\n"),
                 &c);
    CHECK(c.passes);
    CHECK(converted_has(&c.yaml, "    listen: \":80\"\n    head-timeout: 3s"));
    CHECK(converted_has(&c.yaml, "body-timeout: 1s"));
    CHECK(converted_has(&c.yaml, "  # line 12: bind :81\n  b-81:\n    listen: \":81\"\n    "));
    converted_fini(&c);
}

TEST_MAIN(TEST(lines_are_split_as_haproxy_splits_them), TEST(what_cant_be_split_is_an_error),
          TEST(proxies_are_based_on_the_defaults_above_or_on_those_they_name))
