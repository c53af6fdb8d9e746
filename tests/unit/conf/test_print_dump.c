// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static const char yaml[] = "workers: 4\n"
                           "token: hush\n"
                           "log: /x.log\n"
                           "trusted: [10.0.0.0/8]\n"
                           "sites:\n"
                           "  a.example: http://10.0.0.1\n"
                           "  b.example:\n"
                           "    to: [http://10.0.0.2, {url: http://10.0.0.3, weight: 2}]\n"
                           "filters: {f: {compress: }, g: {redirect: 'a b'}}\n"
                           "methods: []\n";

static void dumps_tell_values_and_where_they_come_from(void)
{
    struct fixture f;
    fixture_init(&f);
    struct text dump = {.len = 0};
    conf_print_dump(&sample_root_section, fixture_parse(&f, yaml), &dump);
    CHECK_STR(text_str(&dump), STR("workers: 4  # t.yaml:1\n"
                                   "body-max: 1MiB  # default\n"
                                   "rate: 100/s  # default\n"
                                   "strict: yes  # default\n"
                                   "trusted: [10.0.0.0/8]  # t.yaml:4\n"
                                   "token: '***'  # t.yaml:2\n"
                                   "timeouts:  # default\n"
                                   "  idle: 60s  # default\n"
                                   "  connect: 5s  # default\n"
                                   "log:  # t.yaml:3\n"
                                   "  level: info  # default\n"
                                   "  path: /x.log  # t.yaml:3\n"
                                   "sites:  # t.yaml:6\n"
                                   "  a.example:  # t.yaml:6\n"
                                   "    to:  # t.yaml:6\n"
                                   "      -  # t.yaml:6\n"
                                   "        url: http://10.0.0.1  # t.yaml:6\n"
                                   "        weight: 1  # default\n"
                                   "    timeouts:  # default\n"
                                   "      idle: 60s  # default\n"
                                   "      connect: 5s  # default\n"
                                   "  b.example:  # t.yaml:7\n"
                                   "    to:  # t.yaml:8\n"
                                   "      -  # t.yaml:8\n"
                                   "        url: http://10.0.0.2  # t.yaml:8\n"
                                   "        weight: 1  # default\n"
                                   "      -  # t.yaml:8\n"
                                   "        url: http://10.0.0.3  # t.yaml:8\n"
                                   "        weight: 2  # t.yaml:8\n"
                                   "    timeouts:  # default\n"
                                   "      idle: 60s  # default\n"
                                   "      connect: 5s  # default\n"
                                   "filters:  # t.yaml:9\n"
                                   "  f:  # t.yaml:9\n"
                                   "    compress:  # t.yaml:9\n"
                                   "      level: 4  # default\n"
                                   "    paused: false  # default\n"
                                   "  g:  # t.yaml:9\n"
                                   "    redirect:  # t.yaml:9\n"
                                   "      to: \"a b\"  # t.yaml:9\n"
                                   "      permanent: no  # default\n"
                                   "    paused: false  # default\n"
                                   "methods: []  # t.yaml:10\n"));
    text_fini(&dump);
    fixture_fini(&f);
}

static void dumps_read_back_as_the_same_dump(void)
{
    struct fixture f;
    fixture_init(&f);
    struct text dumps[2] = {{.len = 0}}, plain[2] = {{.len = 0}};
    const char *text = yaml;
    for (int i = 0; i < 2; i++) {
        struct sample_root root;
        struct conf_node *node = fixture_parse(&f, text);
        CHECK_INT(conf_read(&sample_root_section, node, NULL, &f.mem, &f.diags, &root), ERR_OK);
        conf_print_dump(&sample_root_section, node, &dumps[i]);
        strip_origins(text_str(&dumps[i]), &plain[i]);
        text = dumps[i].ptr;
    }
    fixture_print(&f);
    CHECK_STR(text_str(&plain[1]), text_str(&plain[0]));
    for (int i = 0; i < 2; i++) {
        text_fini(&dumps[i]);
        text_fini(&plain[i]);
    }
    fixture_fini(&f);
}

TEST_MAIN(TEST(dumps_tell_values_and_where_they_come_from), TEST(dumps_read_back_as_the_same_dump))
