// SPDX-License-Identifier: Apache-2.0
#include "conf/conf.h"
#include "unit/test.h"
#include "upstream/service.h"

struct rig {
    struct arena mem;
    struct diags diags;
    struct service_conf conf;
};

static void rig_read(struct rig *r, const char *yaml)
{
    *r = (struct rig){0};
    arena_init(&r->mem, 1 << 20, NULL, 0);
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "app.yaml", &r->mem, &r->diags);
    CHECK_INT(conf_read(&service_section, node, NULL, &r->mem, &r->diags, &r->conf), ERR_OK);
    CHECK_INT(r->diags.n, 0);
}

static void rig_fini(struct rig *r)
{
    diags_fini(&r->diags);
    arena_fini(&r->mem);
}

static void defaults_answer_for_a_dead_server_within_three_seconds(void)
{
    struct rig r;
    rig_read(&r, "http://10.0.0.1");
    CHECK(r.conf.connect_ms + r.conf.connect_ms / 2 <= 3000);
    CHECK(r.conf.tries >= 2 && r.conf.tries <= SERVICE_TRIES_MAX);
    CHECK(r.conf.idle_ms > 0 && r.conf.idle_max > 0);
    CHECK_INT(r.conf.conns_max, 0);
    CHECK_STR(r.conf.host.text, STR("keep"));
    rig_fini(&r);
}

static void servers_know_their_places(void)
{
    struct rig r;
    rig_read(&r, "servers:\n  - http://10.0.0.1\n  - url: http://10.0.0.2\n    weight: 0\n");
    CHECK_INT(r.conf.servers.n, 2);
    const struct server_conf *first = r.conf.servers.items[0], *second = r.conf.servers.items[1];
    CHECK_INT(first->url.place.line, 2);
    CHECK_INT(first->weight, 1);
    CHECK_INT(second->url.place.line, 3);
    CHECK_INT(second->weight, 0);
    rig_fini(&r);
}

static void each_row_tells_what_it_is_and_reads_its_own_example(void)
{
    static const struct conf_section *const sections[] = {&service_section, &server_section};
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        for (size_t j = 0; j < sections[i]->n_items; j++) {
            const struct conf_item *item = &sections[i]->items[j];
            CHECK(item->doc && item->since && item->key);
            if (item->kind == CONF_SECTION) // its rows tell
                continue;
            CHECK(item->example);
            // Of what a service is made: one of the three, which has no default.
            bool is_choice = str_eq(str_of(item->key), STR("servers")) ||
                             str_eq(str_of(item->key), STR("split")) ||
                             str_eq(str_of(item->key), STR("failover"));
            CHECK(item->def || item->is_required || is_choice);
            if (!item->example || item->is_required || is_choice)
                continue;
            char yaml[256];
            snprintf(yaml, sizeof yaml,
                     i == 0 ? "servers: http://a\n%s: %s\n" : "servers: {url: http://a, %s: %s}\n",
                     item->key, item->example);
            struct rig r;
            rig_read(&r, yaml);
            rig_fini(&r);
        }
    }
}

TEST_MAIN(TEST(defaults_answer_for_a_dead_server_within_three_seconds),
          TEST(servers_know_their_places),
          TEST(each_row_tells_what_it_is_and_reads_its_own_example))
