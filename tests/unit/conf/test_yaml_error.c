// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/support.h"

static void what_is_wrong_is_told_with_its_place(void)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n",
         "t.yaml:3:1: error: the key 'a' is here twice: first in line 1, column 1"},
        {"a:\n\tb: 1\n", "t.yaml:2:1: error: a tab can't be used for indentation: use spaces"},
        {"a: 1\n b: 2\n", "t.yaml:2:3: error: ':' is not expected here: check the indentation, or "
                          "put the text in quotes"},
        {"a: [1, 2\nb: 3\n", "t.yaml:2:2: error: expected ',' or ']': is the list closed? (this "
                             "part begins in line 1)"},
        {"a: 'x\nb: 1\n", "t.yaml:3:1: error: the file ends inside quotes: is a quote not closed? "
                          "(this part begins in line 1)"},
        {"a: @x\n", "t.yaml:1:4: error: a text that begins with this character needs quotes"},
        {"a: `x`\n", "t.yaml:1:4: error: a text that begins with '@', '`' or '%' needs quotes"},
        {"a: !x y\n", "t.yaml:1:4: error: the tag '!x' is not allowed: a text that begins with "
                      "'!' needs quotes"},
        {"a: !!int 3\n", "t.yaml:1:4: error: the tag 'tag:yaml.org,2002:int' is not allowed: a "
                         "text that begins with '!' needs quotes"},
        {"a: !!map {}\n", "t.yaml:1:4: error: the tag 'tag:yaml.org,2002:map' is not allowed: a "
                          "text that begins with '!' needs quotes"},
        {"a: 1\n---\nb: 1\n", "t.yaml:2:1: error: only one document is allowed in a file"},
        {"a: *b\n", "t.yaml:1:4: error: there is no '&b' above for this alias"},
        {"a: &b [1, *b]\n", "t.yaml:1:11: error: the alias '*b' is inside of what it stands for"},
        {"? [a]\n: 1\n", "t.yaml:1:3: error: a key has to be a text, in one line and not empty"},
        {"{'': 1}\n", "t.yaml:1:2: error: a key has to be a text, in one line and not empty"},
        {"a: {<<: 1}\n", "t.yaml:1:9: error: '<<' takes a map or a list of maps"},
        {"a: 1\nb: \xff\n", "t.yaml:2:4: error: this is not UTF-8 text (byte 0xff)"},
        {"a: \x01\n", "t.yaml:1:4: error: a control character is not allowed (byte 0x01)"},
        {"a: \"\\q\"\n", "t.yaml:1:5: error: unknown escape: write \\\\ for a backslash inside "
                         "double quotes, or use single quotes"},
        {"a:\n  - 1\n  b: 2\n", "t.yaml:3:3: error: expected '- item' here: check the indentation "
                                "of this list (this part begins in line 2)"},
        {"a: b: c\n", "t.yaml:1:5: error: ':' is not expected here: check the indentation, or put "
                      "the text in quotes"},
        {"abc\nd: 1\n", "t.yaml:2:2: error: ':' is not expected here: check the indentation, or "
                        "put the text in quotes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        CHECK(!fixture_parse(&f, cases[i].yaml));
        CHECK_INT(f.diags.n_errors, 1);
        CHECK_STR(str_of(fixture_message(&f, 0)), str_of(cases[i].message));
        fixture_fini(&f);
    }
}

TEST_MAIN(TEST(what_is_wrong_is_told_with_its_place))
