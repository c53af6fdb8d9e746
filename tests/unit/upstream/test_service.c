// SPDX-License-Identifier: Apache-2.0
#include "upstream/service.h"

#include "conf/node.h"
#include "unit/test.h"

struct rig {
    struct arena mem;
    struct diags diags;
    struct upstream_registry *registry;
};

static void rig_init(struct rig *r)
{
    *r = (struct rig){.registry = upstream_registry_new()};
    arena_init(&r->mem, 4 << 20, NULL, 0);
}

static void rig_fini(struct rig *r)
{
    upstream_registry_free(r->registry);
    diags_fini(&r->diags);
    arena_fini(&r->mem);
}

static struct handler *build(struct rig *r, const char *yaml)
{
    struct service_conf conf = {0};
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "app.yaml", &r->mem, &r->diags);
    if (!node || conf_read(&service_section, node, NULL, &r->mem, &r->diags, &conf))
        return NULL;
    return service_build(STR("app"), &conf, r->registry, &r->mem, &r->diags);
}

static void services_are_written_in_short_and_in_long(void)
{
    static const struct {
        const char *yaml, *described;
    } cases[] = {
        {"http://10.0.0.1:8080", "http://10.0.0.1:8080 weight 1"},
        {"[http://10.0.0.1, http://10.0.0.2]",
         "http://10.0.0.1 weight 1, http://10.0.0.2 weight 1"},
        {"servers: http://10.0.0.1", "http://10.0.0.1 weight 1"},
        {"balance: round-robin\nservers:\n  - http://10.0.0.1\n"
         "  - {url: \"unix:/run/a\", weight: 2}\n",
         "http://10.0.0.1 weight 1, unix:/run/a weight 2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_init(&r);
        struct handler *h = build(&r, cases[i].yaml);
        CHECK_INT(r.diags.n, 0);
        if (h)
            CHECK_STR(service_describe(h, &r.mem), str_of(cases[i].described));
        CHECK(h != NULL);
        service_release(h);
        rig_fini(&r);
    }
}

static void mistakes_are_told_all_at_once_with_their_places(void)
{
    static const struct {
        const char *yaml;
        size_t n_errors;
    } cases[] = {
        {"servers: []", 1},
        {"tries: 3", 1},
        {"servers: http://10.0.0.1\ntries: 11", 1},
        {"servers: http://10.0.0.1\nhost: \"a b\"", 1},
        {"servers: [ftp://a, http://10.0.0.1, http://b/c]\nhost: \"a b\"", 3},
        {"servers: [{weight: 3}]", 1},
        {"servers: http://10.0.0.1\nbalance: least", 1},
        {"[http://10.0.0.1, tcp://10.0.0.2:25]", 1},
        {"[unix:/run/a, tcp://10.0.0.2:25, http://10.0.0.1]", 1},
        {"servers: tcp://10.0.0.1:25\nproxy-protocol: v3", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_init(&r);
        CHECK(build(&r, cases[i].yaml) == NULL);
        CHECK_INT(r.diags.n_errors, cases[i].n_errors);
        for (size_t j = 0; j < r.diags.n; j++)
            CHECK(r.diags.items[j].place.line > 0);
        rig_fini(&r);
    }
}

static void one_server_in_two_services_has_one_state(void)
{
    struct rig r;
    rig_init(&r);
    struct handler *a = build(&r, "[http://10.0.0.1:80, http://10.0.0.2]");
    struct handler *b = build(&r, "[http://10.0.0.1, http://10.0.0.3]");
    service_release(a);
    CHECK_STR(service_describe(b, &r.mem),
              STR("http://10.0.0.1 weight 1, http://10.0.0.3 weight 1"));
    service_release(b);
    service_release(NULL);
    rig_fini(&r); // asserts that nothing is left
}

static void ten_thousand_services_are_built_and_released(void)
{
    struct rig r;
    rig_init(&r);
    static struct handler *services[10000];
    arena_fini(&r.mem);
    arena_init(&r.mem, (size_t)64 << 20, NULL, 0);
    for (unsigned i = 0; i < ARRAY_LEN(services); i++) {
        struct str url = arena_printf(&r.mem, "http://10.0.%u.%u", i / 256, i % 256);
        struct server_conf server = {.url = {.text = url}, .weight = 1};
        void *items[] = {&server};
        struct service_conf conf = {.servers = {.items = items, .n = 1}};
        services[i] = service_build(url, &conf, r.registry, &r.mem, &r.diags);
        CHECK(services[i] != NULL);
    }
    for (unsigned i = 0; i < ARRAY_LEN(services); i++)
        service_release(services[i]);
    rig_fini(&r);
}

static void servers_tell_what_a_service_is_for(void)
{
    static const struct {
        const char *yaml;
        enum server_protocol protocol;
        enum service_proxy_protocol proxy_protocol;
    } cases[] = {
        {"http://10.0.0.1", SERVER_HTTP, SERVICE_PROXY_PROTOCOL_OFF},
        {"unix:/run/a", SERVER_ANYTHING, SERVICE_PROXY_PROTOCOL_OFF},
        {"[unix:/run/a, tcp://10.0.0.1:25]", SERVER_TCP, SERVICE_PROXY_PROTOCOL_OFF},
        {"{servers: tcp://10.0.0.1:25, proxy-protocol: v1}", SERVER_TCP, SERVICE_PROXY_PROTOCOL_V1},
        {"{servers: unix:/run/a, proxy-protocol: v2}", SERVER_ANYTHING, SERVICE_PROXY_PROTOCOL_V2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_init(&r);
        struct handler *h = build(&r, cases[i].yaml);
        CHECK(h != NULL);
        if (h) {
            CHECK_INT(service_protocol(h), cases[i].protocol);
            CHECK_INT(service_proxy_protocol(h), cases[i].proxy_protocol);
        }
        service_release(h);
        rig_fini(&r);
    }
}

TEST_MAIN(TEST(servers_tell_what_a_service_is_for), TEST(services_are_written_in_short_and_in_long),
          TEST(mistakes_are_told_all_at_once_with_their_places),
          TEST(one_server_in_two_services_has_one_state),
          TEST(ten_thousand_services_are_built_and_released))
