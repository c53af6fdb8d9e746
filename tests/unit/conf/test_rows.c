// SPDX-License-Identifier: Apache-2.0
#include "conf/conf_priv.h"
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static void rows_are_found_by_their_whole_key(void)
{
    const struct conf_section *root = &sample_root_section;
    CHECK(conf_item_find(root, STR("workers")) == &sample_root_items[1]);
    CHECK(!conf_item_find(root, STR("worker")));
    CHECK(!conf_item_find(root, STR("workers\0")));
    CHECK(!conf_item_find(root, STR("")));
    CHECK(conf_inline_choice(&sample_filter_section) == &sample_filter_items[0]);
    CHECK(!conf_inline_choice(root));
    CHECK(conf_choice_find(&sample_filter_items[0], STR("compress")) == &sample_compress_type);
    CHECK(conf_shorthand(&sample_server_section) == &sample_server_items[0]);
}

static void all_sections_are_collected_once(void)
{
    struct conf_sections all;
    conf_sections_collect(&sample_root_section, &all);
    CHECK_INT(all.n, 9);
    CHECK(all.items[0] == &sample_root_section);
    conf_sections_fini(&all);
}

TEST_MAIN(TEST(rows_are_found_by_their_whole_key), TEST(all_sections_are_collected_once))
