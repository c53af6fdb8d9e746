// SPDX-License-Identifier: Apache-2.0
#include "dialect/draft.h"

#include "unit/test.h"

static struct draft d;

static struct place line(const char *source, unsigned n)
{
    return (struct place){.source = source, .line = n, .column = 1};
}

static void a_map_is_made_once_and_then_found(void)
{
    draft_init(&d);
    struct conf_node *a = draft_map(&d, d.root, STR("services"), line("x", 1));
    CHECK(draft_map(&d, d.root, STR("services"), line("x", 2)) == a);
    CHECK_INT(a->place.line, 1);
    CHECK_INT(d.root->n, 1);
    draft_fini(&d);
}

static void a_text_takes_the_place_of_the_one_before(void)
{
    draft_init(&d);
    draft_set(&d, d.root, STR("a"), STR("1"), line("x", 1));
    draft_set(&d, d.root, STR("b"), STR("2"), line("x", 2));
    draft_set(&d, d.root, STR("a"), STR("3"), line("x", 3));
    CHECK_INT(d.root->n, 2);
    CHECK_STR(conf_node_get(d.root, STR("a"))->text, STR("3"));
    CHECK(d.root->last == conf_node_get(d.root, STR("a")));
    draft_remove(d.root, STR("a"));
    draft_remove(d.root, STR("b"));
    CHECK_INT(d.root->n, 0);
    CHECK(!d.root->first && !d.root->last);
    draft_fini(&d);
}

static void names_are_what_settings_take_and_are_there_once(void)
{
    static const struct {
        const char *wanted, *name;
    } cases[] = {
        {"app", "app"},
        {"app", "app-2"},
        {"app", "app-3"},
        {"my backend", "my-backend"},
        {"a\n: [b]", "a-b"},
        {"", "unnamed"},
        {"::..--", "unnamed-2"},
        {"www.example.com", "www.example.com"},
        {"\xc3\xbc"
         "ber",
         "ber"},
        {"-x-", "x"},
    };
    draft_init(&d);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str name = draft_name(&d, d.root, str_of(cases[i].wanted));
        CHECK_STR(name, str_of(cases[i].name));
        draft_map(&d, d.root, name, line("x", 1));
    }
    char large[5000];
    memset(large, 'a', sizeof large);
    CHECK_INT(draft_name(&d, d.root, str_from(large, sizeof large)).len, DRAFT_NAME_MAX);
    draft_fini(&d);
}

static void lines_are_shown_in_one_line_and_printable(void)
{
    draft_init(&d);
    const char *f = draft_source(&d, STR("f"),
                                 STR("  a \t b  \r\nx\x01y\xff\xc2\x85z\n\n\xe2\x80\xa8 "
                                     "\xc3\xa4"));
    CHECK_STR(draft_line(&d, line(f, 1)), STR("a b"));
    CHECK_STR(draft_line(&d, line(f, 2)), STR("x?y??z"));
    CHECK_STR(draft_line(&d, line(f, 3)), STR_NONE);
    CHECK_STR(draft_line(&d, line(f, 4)), STR("? \xc3\xa4"));
    CHECK_STR(draft_line(&d, line(f, 5)), STR_NONE);
    CHECK_STR(draft_line(&d, line("elsewhere", 1)), STR_NONE);
    draft_fini(&d);
}

static void long_lines_are_cut(void)
{
    char large[5000];
    memset(large, 'a', sizeof large);
    draft_init(&d);
    const char *f = draft_source(&d, STR("f"), str_from(large, sizeof large));
    struct str shown = draft_line(&d, line(f, 1));
    CHECK(shown.len < 200);
    CHECK(str_ends(shown, STR(" ...")));
    draft_fini(&d);
}

static void hidden_lines_show_their_first_word_alone(void)
{
    draft_init(&d);
    const char *f = draft_source(&d, STR("f"), STR("user ada insecure-password secret\nb"));
    draft_hide(&d, line(f, 1));
    CHECK_STR(draft_line(&d, line(f, 1)), STR("user ***"));
    CHECK_STR(draft_line(&d, line(f, 2)), STR("b"));
    draft_fini(&d);
}

static void notes_are_printed_by_the_order_of_their_lines(void)
{
    struct text t = {.len = 0};
    draft_init(&d);
    const char *f = draft_source(&d, STR("f"), STR("one\ntwo"));
    const char *g = draft_source(&d, STR("g"), STR("three"));
    draft_note(&d, DRAFT_CHANGED, line(g, 1), STR_NONE, "third");
    draft_note(&d, DRAFT_LOST, line(f, 2), STR_NONE, "%s", "second");
    draft_note(&d, DRAFT_NEEDLESS, line(f, 1), STR("a\nword"), "first");
    draft_note(&d, DRAFT_CLOSED, line(f, 2), STR("x"), "and this");
    draft_print_notes(&d, false, &t);
    CHECK_STR(text_str(&t),
              STR("f:1: not needed: 'a?word': first\n"
                  "f:2: not carried over: 'two': second\n"
                  "f:2: not carried over, so what it protected is refused: 'x': and this\n"
                  "g:1: carried over, with a difference: 'three': third\n"));
    CHECK_INT(draft_count(&d, DRAFT_LOST), 1);
    text_fini(&t);
    draft_fini(&d);
}

static void a_full_draft_takes_nothing_more_and_says_so(void)
{
    draft_init(&d);
    struct conf_node *list = draft_list(&d, d.root, STR("l"), line("x", 1));
    for (size_t i = 0; i < DRAFT_NODES_MAX + 10; i++)
        draft_push(&d, list, STR("a"), line("x", 1));
    CHECK(d.is_full);
    CHECK(list->n < DRAFT_NODES_MAX);
    struct conf_node *more = draft_push_map(&d, list, line("x", 1));
    draft_set(&d, draft_map(&d, more, STR("k"), line("x", 1)), STR("a"), STR("b"), line("x", 1));
    CHECK(!conf_node_get(d.root, STR("k")));
    draft_fini(&d);
}

// From some number of children on they are found by a hash, which follows all changes.
static void a_map_with_many_children_finds_each(void)
{
    draft_init(&d);
    struct conf_node *map = draft_map(&d, d.root, STR("m"), line("x", 1));
    for (unsigned i = 0; i < 1000; i++) {
        struct str key = draft_printf(&d, "k%u", i);
        CHECK(!draft_get(&d, map, key));
        draft_set(&d, map, key, key, line("x", i));
        CHECK(draft_get(&d, map, key) == map->last);
    }
    draft_set(&d, map, STR("k7"), STR("other"), line("x", 1));
    draft_remove(map, STR("k8"));
    CHECK_STR(draft_get(&d, map, STR("k7"))->text, STR("other"));
    CHECK(!draft_get(&d, map, STR("k8")));
    CHECK_STR(draft_name(&d, map, STR("k8")), STR("k8"));
    CHECK_STR(draft_name(&d, map, STR("k9")), STR("k9-2"));
    struct conf_node *loose = draft_loose_map(&d, line("x", 2));
    draft_put(&d, map, STR("k8"), loose);
    CHECK(draft_map(&d, map, STR("k8"), line("x", 3)) == loose);
    CHECK_INT(map->n, 1000);
    draft_fini(&d);
}

TEST_MAIN(TEST(a_map_is_made_once_and_then_found), TEST(a_map_with_many_children_finds_each),
          TEST(a_text_takes_the_place_of_the_one_before),
          TEST(names_are_what_settings_take_and_are_there_once),
          TEST(lines_are_shown_in_one_line_and_printable), TEST(long_lines_are_cut),
          TEST(hidden_lines_show_their_first_word_alone),
          TEST(notes_are_printed_by_the_order_of_their_lines),
          TEST(a_full_draft_takes_nothing_more_and_says_so))
