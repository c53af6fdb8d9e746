// SPDX-License-Identifier: Apache-2.0
#include "dialect/draft.h"

#include "gate/settings.h"
#include "unit/test.h"

static struct draft d;
static struct text out;
static const char *f;

static struct place line(unsigned n)
{
    return (struct place){.source = f, .line = n, .column = 1};
}

static void begin(const char *text)
{
    draft_init(&d);
    out = (struct text){.len = 0};
    f = draft_source(&d, STR("f.cfg"), str_of(text));
}

// Prints, compares, and reads the result as YAML.
static void check_and_end(const char *wanted)
{
    draft_print(&d, &settings_section, "Title", &out);
    CHECK_STR(text_str(&out), str_of(wanted));
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, (size_t)1 << 20, NULL, 0);
    CHECK(conf_yaml_parse(text_str(&out), "out", &mem, &diags) != NULL);
    CHECK_INT(diags.n, 0);
    diags_fini(&diags);
    arena_fini(&mem);
    text_fini(&out);
    draft_fini(&d);
}

static void keys_stand_in_the_order_of_the_tables_and_names_in_their_own(void)
{
    begin("");
    struct conf_node *services = draft_map(&d, d.root, STR("services"), line(0));
    struct conf_node *z = draft_map(&d, services, STR("z"), line(0));
    draft_set(&d, z, STR("balance"), STR("first"), line(0));
    draft_push(&d, draft_list(&d, z, STR("servers"), line(0)), STR("http://127.0.0.1:1"), line(0));
    draft_set(&d, draft_map(&d, services, STR("a"), line(0)), STR("servers"),
              STR("http://127.0.0.1:2"), line(0));
    draft_set(&d, draft_map(&d, d.root, STR("entrypoints"), line(0)), STR("web"), STR(":80"),
              line(0));
    check_and_end("# Title\n"
                  "\n"
                  "entrypoints:\n"
                  "  web: \":80\"\n"
                  "\n"
                  "services:\n"
                  "  z:\n"
                  "    servers: [http://127.0.0.1:1]\n"
                  "    balance: first\n"
                  "  a:\n"
                  "    servers: http://127.0.0.1:2\n");
}

static void each_part_is_beside_the_line_that_it_comes_from(void)
{
    begin("backend app\n server a 127.0.0.1:1\n server b 127.0.0.1:2 weight 2\nacl x\nuse app");
    struct conf_node *services = draft_map(&d, d.root, STR("services"), line(0));
    struct conf_node *app = draft_map(&d, services, STR("app"), line(1));
    struct conf_node *servers = draft_list(&d, app, STR("servers"), line(1));
    draft_push(&d, servers, STR("http://127.0.0.1:1"), line(2));
    struct conf_node *b = draft_push_map(&d, servers, line(3));
    draft_set(&d, b, STR("weight"), STR("2"), line(3));
    draft_set(&d, b, STR("url"), STR("http://127.0.0.1:2"), line(3));
    struct conf_node *route =
        draft_push_map(&d, draft_list(&d, d.root, STR("routes"), line(0)), line(5));
    draft_also(&d, route, line(4));
    draft_also(&d, route, line(4));
    draft_remark(&d, route, "A remark,\nin one line");
    draft_set(&d, route, STR("to"), STR("app"), line(5));
    draft_set(&d, route, STR("match"), STR("Path(`/a`)"), line(5));
    check_and_end("# Title\n"
                  "\n"
                  "services:\n"
                  "  # line 1: backend app\n"
                  "  app:\n"
                  "    servers:\n"
                  "      - http://127.0.0.1:1  # line 2: server a 127.0.0.1:1\n"
                  "      # line 3: server b 127.0.0.1:2 weight 2\n"
                  "      - url: http://127.0.0.1:2\n"
                  "        weight: 2\n"
                  "\n"
                  "routes:\n"
                  "  # A remark,?in one line\n"
                  "  # line 4: acl x\n"
                  "  # line 5: use app\n"
                  "  - match: \"Path(`/a`)\"\n"
                  "    to: app\n");
}

static void what_no_plain_text_can_be_is_quoted(void)
{
    begin("a # b: \"c\"\r");
    struct conf_node *filters = draft_map(&d, d.root, STR("filters"), line(0));
    struct conf_node *x = draft_map(&d, filters, STR("x: {y}\n"), line(1));
    struct conf_node *respond = draft_map(&d, x, STR("respond"), line(1));
    draft_set(&d, respond, STR("body"), STR("a\nb: c\t\"\x7f\\ #\xff"), line(1));
    draft_map(&d, respond, STR("headers"), line(1));
    draft_list(&d, d.root, STR("routes"), line(0));
    check_and_end("# Title\n"
                  "\n"
                  "filters:\n"
                  "  # line 1: a # b: \"c\"\n"
                  "  \"x: {y}\\n\":\n"
                  "    respond:\n"
                  "      body: \"a\\nb: c\\t\\\"\\u007f\\\\ #\xef\xbf\xbd\"\n"
                  "      headers: {}\n"
                  "\n"
                  "routes: []\n");
}

static void what_is_missing_stands_at_the_top(void)
{
    begin("one\ntwo");
    draft_note(&d, DRAFT_LOST, line(2), STR_NONE, "there is no two");
    draft_note(&d, DRAFT_NEEDLESS, line(1), STR_NONE, "one is always");
    draft_set(&d, d.root, STR("email"), STR("a@example.com"), line(1));
    check_and_end("# Title\n"
                  "#\n"
                  "# What is different, or missing:\n"
                  "# - line 2: two\n"
                  "#   not carried over: there is no two\n"
                  "\n"
                  "email: a@example.com  # line 1: one\n");
}

static void sources_are_named_when_there_are_several(void)
{
    begin("one");
    const char *g = draft_source(&d, STR("g.cfg"), STR("x\nuser a@example.com"));
    draft_set(&d, d.root, STR("email"), STR("a@example.com"),
              (struct place){.source = g, .line = 2});
    check_and_end("# Title\n"
                  "\n"
                  "email: a@example.com  # g.cfg, line 2: user a@example.com\n");
}

TEST_MAIN(TEST(keys_stand_in_the_order_of_the_tables_and_names_in_their_own),
          TEST(each_part_is_beside_the_line_that_it_comes_from),
          TEST(what_no_plain_text_can_be_is_quoted), TEST(what_is_missing_stands_at_the_top),
          TEST(sources_are_named_when_there_are_several))
