// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static void the_printed_file_means_the_defaults(void)
{
    struct fixture f;
    fixture_init(&f);
    struct text file = {.len = 0}, dump = {.len = 0}, wanted = {.len = 0}, got = {.len = 0};
    struct sample_root root;
    conf_print_yaml(&sample_root_section, &file);
    struct conf_node *node = fixture_parse(&f, file.ptr);
    CHECK(node && conf_read(&sample_root_section, node, NULL, &f.mem, &f.diags, &root) == ERR_OK);
    fixture_print(&f);
    conf_print_dump(&sample_root_section, node, &dump);
    strip_origins(text_str(&dump), &got);
    dump.len = 0;
    conf_print_dump(&sample_root_section, NULL, &dump);
    strip_origins(text_str(&dump), &wanted);
    CHECK_STR(text_str(&got), text_str(&wanted));
    text_fini(&file);
    text_fini(&dump);
    text_fini(&got);
    text_fini(&wanted);
    fixture_fini(&f);
}

TEST_MAIN(TEST(the_printed_file_means_the_defaults))
