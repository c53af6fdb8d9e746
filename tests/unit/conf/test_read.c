// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static enum err read_yaml(struct fixture *f, const char *yaml, const void *parent,
                          struct sample_root *ret)
{
    struct conf_node *node = fixture_parse(f, yaml);
    if (!node)
        return ERR_SYNTAX;
    return conf_read(&sample_root_section, node, parent, &f->mem, &f->diags, ret);
}

static void nothing_given_means_defaults(void)
{
    struct fixture f;
    fixture_init(&f);
    struct sample_root root;
    CHECK_INT(conf_read(&sample_root_section, NULL, NULL, &f.mem, &f.diags, &root), ERR_OK);
    CHECK_INT(root.workers, 0);
    CHECK_INT(root.body_max_bytes, 1 << 20);
    CHECK_INT(root.rate, 100000000000000);
    CHECK(root.is_strict);
    CHECK_INT(root.trusted.n, 2);
    CHECK_INT(root.trusted.items[1].bits, 128);
    CHECK_INT(root.timeouts.idle_ms, 60000);
    CHECK_INT(root.timeouts.connect_ms, 5000);
    CHECK(!root.log.is_on);
    CHECK_INT(root.log.level, 1);
    CHECK_INT(root.methods.n, 2);
    CHECK_STR(root.methods.items[1].text, STR("HEAD"));
    CHECK_STR(str_of(root.methods.items[1].place.source), STR("default"));
    CHECK_INT(root.sites.n, 0);
    CHECK_INT(root.email.text.len, 0);
    CHECK(!root.email.place.source);
    CHECK(!root.page.is_set);
    CHECK(!root.store.type);
    fixture_print(&f);
    fixture_fini(&f);
}

static void every_kind_is_read(void)
{
    struct fixture f;
    fixture_init(&f);
    struct sample_root root;
    const char *yaml = "email: 'you@example.com'\n"
                       "workers: \"8\"\n"
                       "body-max: 4MiB\n"
                       "rate: 30/m\n"
                       "strict: OFF\n"
                       "trusted: 10.0.0.0/8\n"
                       "token: secret\n"
                       "page: file:e.html\n"
                       "timeouts: { idle: 1m30s, connect: never }\n"
                       "log: { level: warn }\n"
                       "sites:\n"
                       "  a.example: http://10.0.0.1\n"
                       "  b.example:\n"
                       "    aliases: www.b.example\n"
                       "    to: [http://10.0.0.1, {url: http://10.0.0.2, weight: 3}]\n"
                       "  c.example:\n"
                       "services:\n"
                       "  s: {servers: {url: http://10.0.0.3}, balance: least-busy}\n"
                       "  t: [http://10.0.0.4, http://10.0.0.5]\n"
                       "filters:\n"
                       "  f: {redirect: https://x.example, paused: yes}\n"
                       "  g: {compress: }\n"
                       "store: {compress: {level: 9}}\n"
                       "methods: []\n";
    CHECK_INT(read_yaml(&f, yaml, NULL, &root), ERR_OK);
    fixture_print(&f);
    CHECK_STR(root.email.text, STR("you@example.com"));
    CHECK_INT(root.email.place.column, 8);
    CHECK_INT(root.workers, 8);
    CHECK_INT(root.body_max_bytes, 4 << 20);
    CHECK_INT(root.rate, 500000000000);
    CHECK(!root.is_strict);
    CHECK_INT(root.trusted.n, 1);
    CHECK_INT(root.trusted.items[0].bits, 8);
    CHECK_STR(root.token.text, STR("secret"));
    CHECK_STR(root.page.path, STR("e.html"));
    CHECK(root.page.is_set && root.page.content.len == 0);
    CHECK_INT(root.timeouts.idle_ms, 90000);
    CHECK_INT(root.timeouts.connect_ms, 0);
    CHECK(root.log.is_on && root.log.level == 2);
    CHECK_INT(root.methods.n, 0);

    CHECK_INT(root.sites.n, 3);
    const struct sample_site *a = root.sites.items[0].value, *b = root.sites.items[1].value;
    CHECK_STR(root.sites.items[1].name, STR("b.example"));
    CHECK_INT(root.sites.items[1].place.line, 13);
    CHECK_INT(a->to.n, 1);
    const struct sample_server *server = a->to.items[0];
    CHECK_STR(server->url.text, STR("http://10.0.0.1"));
    CHECK_INT(server->weight, 1);
    CHECK_INT(a->timeouts.idle_ms, 60000);
    CHECK_INT(b->aliases.n, 1);
    server = b->to.items[1];
    CHECK_INT(server->weight, 3);

    const struct sample_service *s = root.services.items[0].value;
    CHECK_INT(s->balance, 1);
    CHECK_INT(s->servers.n, 1);
    CHECK_INT(s->place.line, 18);
    s = root.services.items[1].value;
    CHECK_INT(s->servers.n, 2);

    const struct sample_filter *filter = root.filters.items[0].value;
    CHECK(filter->choice.type == &sample_redirect_type && filter->is_paused);
    const struct sample_redirect *redirect = filter->choice.value;
    CHECK_STR(redirect->to.text, STR("https://x.example"));
    filter = root.filters.items[1].value;
    CHECK(filter->choice.type == &sample_compress_type);
    const struct sample_compress *compress = filter->choice.value;
    CHECK_INT(compress->level, 4);
    compress = root.store.value;
    CHECK_INT(compress->level, 9);
    fixture_fini(&f);
}

static void errors_name_place_path_and_what_is_allowed(void)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"[]", "1:1: error: expected a map, found a list"},
        {"worker: 1", "1:1: error: there is no 'worker' here: did you mean 'workers'?"},
        {"body_max: 1", "1:1: error: there is no 'body_max' here: did you mean 'body-max'?"},
        {"timeouts: {zzz: 1}",
         "1:12: error: timeouts: there is no 'zzz' here: known are idle, connect"},
        {"log: [x]", "1:6: error: log: expected a text, found a list"},
        {"sites: [a]", "1:8: error: sites: expected a map of names, found a list"},
        {"sites: {\"\\a\": x}", "1:9: error: sites.'\\x07': a name has 1 to 255 bytes and no "
                                "control characters among them"},
        {"sites: {a.example: {to: [{weight: 1}]}}",
         "1:26: error: sites.'a.example'.to[0]: 'url' is missing: expected http://HOST:PORT"},
        {"sites: {a: ftp://x}", "1:12: error: 'ftp://x' does not begin with http://"},
        {"services: {a: {}}", "1:15: error: services.a: 'servers' is missing: expected a list"},
        {"services: {a: }", "1:15: error: services.a: 'servers' is missing: expected a list"},
        {"services: {a: [~]}", "1:16: error: services.a[0]: has no value: expected a map"},
        {"filters: {a: {paused: yes}}", "1:14: error: filters.a: is empty: expected a map with one "
                                        "of the keys redirect or compress"},
        {"filters: {a: {compres: {}}}",
         "1:15: error: filters.a: there is no 'compres' here: did you mean 'compress'?"},
        {"filters: {a: {compress: {}, redirect: x}}",
         "1:29: error: filters.a.redirect: only one of its kind can be chosen"},
        {"filters: {a: {redirect: }}",
         "1:25: error: filters.a.redirect: 'to' is missing: expected a URL"},
        {"filters: {a: {redirect: [x]}}",
         "1:25: error: filters.a.redirect: expected a URL, found a list"},
        {"store: {}", "1:8: error: store: expected a map with one of the keys redirect or "
                      "compress, found a map with 0 keys"},
        {"store: {gzip: 1}",
         "1:9: error: store: there is no 'gzip' here: known are redirect, compress"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct sample_root root;
        CHECK(read_yaml(&f, cases[i].yaml, NULL, &root) != ERR_OK);
        CHECK_INT(f.diags.n_errors, 1);
        const char *message = fixture_message(&f, 0);
        CHECK(str_starts(str_of(message), STR("t.yaml:")));
        CHECK_STR(str_skip(str_of(message), 7), str_of(cases[i].message));
        fixture_fini(&f);
    }
}

static void all_errors_are_collected(void)
{
    struct fixture f;
    fixture_init(&f);
    struct sample_root root;
    CHECK(read_yaml(&f, "a: 1\nworkers: x\nlog: {level: y, b: 1}\nsites: {a: {to: [x, y]}}\n", NULL,
                    &root) != ERR_OK);
    CHECK_INT(f.diags.n_errors, 6);
    fixture_fini(&f);
}

static void what_is_not_given_comes_from_the_parent(void)
{
    struct fixture f;
    fixture_init(&f);
    struct sample_root parent, child;
    CHECK_INT(read_yaml(&f,
                        "workers: 3\ntimeouts: {idle: 5s, connect: 1s}\nlog: on\n"
                        "sites: {a: http://a, b: http://b}\nmethods: [PUT]\n",
                        NULL, &parent),
              ERR_OK);
    CHECK_INT(
        read_yaml(&f, "timeouts: {idle: 7s}\nsites: {c: http://c}\nmethods:\nlog: {level: debug}\n",
                  &parent, &child),
        ERR_OK);
    fixture_print(&f);
    CHECK_INT(child.workers, 3);
    CHECK_INT(child.timeouts.idle_ms, 7000);
    CHECK_INT(child.timeouts.connect_ms, 1000);
    CHECK(child.log.is_on && child.log.level == 0);
    CHECK_INT(child.sites.n, 1);
    CHECK_INT(child.methods.n, 1);
    CHECK_INT(parent.timeouts.idle_ms, 5000);
    fixture_fini(&f);
}

static void switched_sections_can_be_turned_both_ways(void)
{
    static const struct {
        const char *yaml;
        bool is_on;
        const char *path;
    } cases[] = {
        {"{}", false, ""},     {"log: on", true, ""},           {"log: off", false, ""},
        {"log: {}", true, ""}, {"log: false", false, ""},       {"log: /x.log", true, "/x.log"},
        {"log:", false, ""},   {"log: {path: /y}", true, "/y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct sample_root root;
        CHECK_INT(read_yaml(&f, cases[i].yaml, NULL, &root), ERR_OK);
        CHECK(root.log.is_on == cases[i].is_on);
        CHECK_STR(root.log.path.text, str_of(cases[i].path));
        fixture_fini(&f);
    }
}

static void keys_given_twice_by_other_sources_are_errors(void)
{
    struct fixture f;
    fixture_init(&f);
    struct place place = {.source = "labels", .line = 1, .column = 1};
    struct conf_node *root = conf_node_new(&f.mem, CONF_NODE_MAP, place);
    conf_node_put(root, STR("workers"), conf_node_scalar(&f.mem, STR("1"), place));
    conf_node_put(root, STR("workers"), conf_node_scalar(&f.mem, STR("2"), place));
    struct conf_node *sites = conf_node_new(&f.mem, CONF_NODE_MAP, place);
    conf_node_put(sites, STR("a"), conf_node_scalar(&f.mem, STR("http://a"), place));
    conf_node_put(sites, STR("a"), conf_node_scalar(&f.mem, STR("http://b"), place));
    conf_node_put(root, STR("sites"), sites);
    struct sample_root ret;
    CHECK(conf_read(&sample_root_section, root, NULL, &f.mem, &f.diags, &ret) != ERR_OK);
    CHECK_STR(str_of(fixture_message(&f, 0)), STR("labels:1:1: error: workers: is here twice"));
    CHECK_STR(str_of(fixture_message(&f, 1)), STR("labels:1:1: error: sites.a: is here twice"));
    fixture_fini(&f);
}

static void a_full_arena_is_an_error_at_any_point(void)
{
    struct fixture f;
    fixture_init(&f);
    struct conf_node *node = fixture_parse(
        &f, "sites: {a: http://a, b: [http://b]}\nfilters: {c: {redirect: d}}\nmethods: [x, y]\n");
    bool has_fit = false;
    for (size_t limit = 16; !has_fit && limit < 100000; limit += 64) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct sample_root root;
        arena_init(&mem, limit, NULL, 0);
        has_fit = conf_read(&sample_root_section, node, NULL, &mem, &diags, &root) == ERR_OK;
        CHECK(has_fit == (diags.n_errors == 0));
        diags_fini(&diags);
        arena_fini(&mem);
    }
    CHECK(has_fit);
    fixture_fini(&f);
}

TEST_MAIN(TEST(nothing_given_means_defaults), TEST(every_kind_is_read),
          TEST(errors_name_place_path_and_what_is_allowed), TEST(all_errors_are_collected),
          TEST(what_is_not_given_comes_from_the_parent),
          TEST(switched_sections_can_be_turned_both_ways),
          TEST(keys_given_twice_by_other_sources_are_errors),
          TEST(a_full_arena_is_an_error_at_any_point))
