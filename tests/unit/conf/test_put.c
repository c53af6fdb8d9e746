// SPDX-License-Identifier: Apache-2.0
#include "base/attr.h"
#include "conf/conf.h"
#include "unit/test.h"

struct inner_conf {
    bool is_on;
    int64_t wait_ms;
    struct conf_texts names;
};

struct kind_conf {
    uint32_t status;
};

struct thing_conf {
    struct conf_choice choice;
};

struct root_conf {
    struct inner_conf inner;
    struct conf_map things;
    struct conf_list list;
    struct conf_text text;
};

static const struct conf_item inner_items[] = {
    ITEM_DURATION(inner_conf, wait_ms, "wait", .def = "1s", .doc = "Wait."),
    ITEM_TEXTS(inner_conf, names, "names", .doc = "Names."),
};
static const struct conf_section inner = {
    .name = "inner", .doc = "Inner.", CONF_SECTION_OF(inner_conf, inner_items)};
static const struct conf_item kind_items[] = {
    ITEM_UINT(kind_conf, status, "status", .def = "200", .doc = "Status."),
};
static const struct conf_section kind = {
    .name = "kind", .doc = "Kind.", CONF_SECTION_OF(kind_conf, kind_items)};
static const struct conf_choice_type kind_type = {.key = "respond", .section = &kind};
static const struct conf_choice_type *const choices[] = {&kind_type, NULL};
static const struct conf_item thing_items[] = {
    ITEM_CHOICE(thing_conf, choice, "", .choices = choices, .doc = "A choice."),
};
static const struct conf_section thing = {
    .name = "thing", .doc = "Thing.", CONF_SECTION_OF(thing_conf, thing_items)};
static const struct conf_item root_items[] = {
    ITEM_SWITCHED(root_conf, inner, "inner", struct inner_conf, is_on, .section = &inner,
                  .def = "off", .doc = "Inner."),
    ITEM_MAP(root_conf, things, "things", .section = &thing, .doc = "Things."),
    ITEM_LIST(root_conf, list, "list", .section = &inner, .doc = "A list."),
    ITEM_TEXT(root_conf, text, "text", .doc = "Text."),
};
static const struct conf_section root = {
    .name = "root", .doc = "Root.", CONF_SECTION_OF(root_conf, root_items)};

struct fixture {
    struct arena mem;
    struct diags diags;
    struct conf_node *map;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.map = NULL};
    arena_init(&f->mem, 1 << 20, NULL, 0);
    f->map = conf_node_new(&f->mem, CONF_NODE_MAP, (struct place){.source = "test"});
}

static void end(struct fixture *f)
{
    diags_fini(&f->diags);
    arena_fini(&f->mem);
}

static enum err put(struct fixture *f, const char *path, const char *value)
{
    return conf_put(&root, f->map, str_of(path), str_of(value), (struct place){.source = "test"},
                    &f->mem, &f->diags);
}

static void paths_lead_through_sections_maps_and_choices(void)
{
    struct fixture f;
    struct root_conf c;
    begin(&f);
    CHECK_INT(put(&f, "inner", "on"), ERR_OK);
    CHECK_INT(put(&f, "inner.wait", "5s"), ERR_OK);
    CHECK_INT(put(&f, "inner.names", "a, b"), ERR_OK);
    CHECK_INT(put(&f, "things.x.respond.status", "404"), ERR_OK);
    CHECK_INT(put(&f, "things.y.respond", "{ status: 410 }"), ERR_OK);
    CHECK_INT(put(&f, "list", "[{ wait: 2s }, { wait: 3s }]"), ERR_OK);
    CHECK_INT(put(&f, "text", "[as it stands]"), ERR_OK);
    CHECK_INT(conf_read(&root, f.map, NULL, &f.mem, &f.diags, &c), ERR_OK);
    CHECK(c.inner.is_on);
    CHECK_INT(c.inner.wait_ms, 5000);
    CHECK_INT(c.inner.names.n, 2);
    CHECK_STR(c.inner.names.items[1].text, STR("b"));
    CHECK_INT(c.things.n, 2);
    CHECK_INT(
        ((struct kind_conf *)((struct thing_conf *)c.things.items[1].value)->choice.value)->status,
        410);
    CHECK_INT(c.list.n, 2);
    CHECK_STR(c.text.text, STR("[as it stands]"));
    end(&f);
}

static void what_leads_nowhere_is_told_with_a_key_like_it(void)
{
    static const struct {
        const char *path, *value, *text;
    } cases[] = {
        {"iner.wait", "1s", "'iner' is not a setting; did you mean 'inner'?"},
        {"inner.wayt", "1s", "did you mean 'wait'?"},
        {"things.x.responde.status", "1", "did you mean 'respond'?"},
        {"text.more", "1", "'text' has no settings below it"},
        {"list.0.wait", "1s", "'list' is a list"},
        {"things", "x", "'things' needs a name behind it"},
        {"", "x", "names no setting"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        CHECK(put(&f, cases[i].path, cases[i].value) != ERR_OK);
        CHECK(f.diags.n == 1 && strstr(f.diags.items[0].text, cases[i].text));
        CHECK(!conf_leads_somewhere(&root, str_of(cases[i].path)));
        end(&f);
    }
}

static void a_setting_is_said_once(void)
{
    struct fixture f;
    begin(&f);
    CHECK_INT(put(&f, "text", "a"), ERR_OK);
    CHECK(put(&f, "text", "b") != ERR_OK);
    CHECK_INT(put(&f, "inner", "off"), ERR_OK);
    CHECK(put(&f, "inner.wait", "1s") != ERR_OK);
    CHECK_INT(f.diags.n, 2);
    end(&f);
}

static void yaml_that_is_broken_is_told(void)
{
    struct fixture f;
    begin(&f);
    CHECK(put(&f, "list", "[{ wait: ") != ERR_OK);
    CHECK(f.diags.n > 0);
    end(&f);
}

TEST_MAIN(TEST(paths_lead_through_sections_maps_and_choices),
          TEST(what_leads_nowhere_is_told_with_a_key_like_it), TEST(a_setting_is_said_once),
          TEST(yaml_that_is_broken_is_told))
