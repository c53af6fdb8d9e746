// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik_labels.h"

#include "traefik_test.h"

#define LABELS_MAX 8

// A container as tests need it: "name=value" for each label.
struct one {
    struct container c;
    struct container_label labels[LABELS_MAX];
    struct container_network network;
    struct container_port ports[2];
};

static void init(struct one *o, const char *name, const char *const *labels)
{
    *o = (struct one){.c = {.name = str_of(name), .id = str_of(name), .state = CONTAINER_RUNNING}};
    o->network = (struct container_network){.name = STR("bridge"),
                                            .v4 = {.bytes = {172, 17, 0, 2}, .family = 4}};
    o->ports[0].port = 80;
    o->ports[1].port = 8080;
    o->c.labels = o->labels;
    o->c.networks = &o->network;
    o->c.ports = o->ports;
    o->c.n_networks = 1;
    o->c.n_ports = 1;
    for (; labels[o->c.n_labels]; o->c.n_labels++)
        str_cut(str_of(labels[o->c.n_labels]), '=', &o->labels[o->c.n_labels].name,
                &o->labels[o->c.n_labels].value);
}

struct result {
    struct arena mem;
    struct diags diags;
    struct str tree, told;
};

// What these containers say together; the caller ends it.
static struct result read_all(struct one *all, size_t n, const char *rule)
{
    struct result r = {.diags = {.n = 0}};
    const struct container *list[4];
    arena_init(&r.mem, 16 << 20, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        list[i] = &all[i].c;
    }
    const struct reach reach = {.all = list, .n = n};
    const struct traefik_labels_env env = {
        .reach = &reach, .default_rule = str_of(rule), .mem = &r.mem, .diags = &r.diags};
    struct conf_node *root = conf_node_new(&r.mem, CONF_NODE_MAP, (struct place){.source = "all"});
    for (size_t i = 0; i < n; i++)
        (void)traefik_labels_add(list[i], &env, root);
    r.tree = tree_text(root, &r.mem);
    r.told = r.diags.n > 0 ? str_of(r.diags.items[0].text) : STR_NONE;
    return r;
}

static void result_fini(struct result *r)
{
    diags_fini(&r->diags);
    arena_fini(&r->mem);
}

#define ON "traefik.enable=true"
#define SERVED "services: {web-1: {loadBalancer: {servers: [{url: http://172.17.0.2:80}]}}}, "

static const struct {
    const char *labels[LABELS_MAX], *rule, *tree;
} fine[] = {
    {{ON}, "", "{http: {" SERVED "routers: {web-1: {rule: Host(`web-1`), service: web-1}}}}"},
    {{"Traefik.Enable=True", "com.docker.compose.project=shop", "com.docker.compose.service=app"},
     "",
     "{http: {services: {app-shop: {loadBalancer: {servers: [{url: http://172.17.0.2:80}]}}}, "
     "routers: {app-shop: {rule: Host(`app-shop`), service: app-shop}}}}"},
    {{ON},
     "Host(`{{normalize .Name}}.x.example`) || Host(`{{ .ContainerName }}`)",
     "{http: {" SERVED "routers: {web-1: {rule: Host(`web-1.x.example`) || Host(`web-1`), service: "
     "web-1}}}}"},
    {{ON, "traefik.http.routers.r.rule=Path(`/`)"},
     "",
     "{http: {routers: {r: {rule: Path(`/`), service: web-1}}, services: {web-1: {loadBalancer: "
     "{servers: [{url: http://172.17.0.2:80}]}}}}}"},
    {{ON, "traefik.http.services.s.loadbalancer.server.port=8080",
      "traefik.http.services.s.loadbalancer.server.scheme=https",
      "traefik.http.services.s.loadbalancer.sticky.cookie=true"},
     "",
     "{http: {services: {s: {loadbalancer: {sticky: {cookie: true}, servers: [{url: "
     "https://172.17.0.2:8080}]}}}, routers: {web-1: {rule: Host(`web-1`), service: s}}}}"},
    {{ON, "traefik.tcp.routers.t.rule=HostSNI(`*`)",
      "traefik.tcp.services.t.loadbalancer.server.port=5432"},
     "",
     "{tcp: {routers: {t: {rule: HostSNI(`*`), service: t}}, services: {t: {loadbalancer: "
     "{servers: [{address: 172.17.0.2:5432}]}}}}}"},
    {{"traefik.enable=false"}, "", "{}"},
    {{"traefik.http.routers.r.rule=Path(`/`)"}, "", "{}"},
};

static void labels_become_a_tree_with_the_containers_address(void)
{
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        struct one o;
        init(&o, "web_1", fine[i].labels);
        struct result r = read_all(&o, 1, fine[i].rule);
        CHECK_STR(r.told, STR_NONE);
        CHECK_STR(r.tree, str_of(fine[i].tree));
        result_fini(&r);
    }
}

static void labels_that_make_no_sense_are_told(void)
{
    static const struct {
        const char *labels[5], *told; // labels end with NULL
    } wrong[] = {
        {{"traefik.enable=perhaps"}, "it is neither true nor false"},
        {{ON, "traefik.frontend.rule=Host:a"}, "it is of Traefik 1"},
        {{ON, "traefik.htp.routers.r.rule=x"}, "there is no such label"},
        {{ON, "traefik.http..r=x"}, "is no name of a setting"},
        {{ON, "traefik.http.routers.r.rule=x", "traefik.http.routers.R.RULE=y"}, "is there twice"},
        {{ON, "traefik.http.services.s.loadbalancer.server.port=many"}, "many"},
        {{ON, "traefik.http.services.a.loadbalancer=true",
          "traefik.http.services.b.loadbalancer=true", "traefik.http.routers.r.rule=x"},
         "the container has 2 services"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct one o;
        init(&o, "web", wrong[i].labels);
        struct result r = read_all(&o, 1, "");
        if (str_search(r.told, str_of(wrong[i].told)) == STR_NPOS)
            CHECK_STR(r.told, str_of(wrong[i].told));
        CHECK(r.diags.n > 0 &&
              str_search(str_of(r.diags.items[0].place.source), STR("container web, label")) == 0);
        result_fini(&r);
    }
}

static void replicas_share_a_service(void)
{
    const char *const labels[] = {ON, "com.docker.compose.project=p",
                                  "com.docker.compose.service=s", NULL};
    struct one both[2];
    init(&both[0], "p-s-1", labels);
    init(&both[1], "p-s-2", labels);
    both[1].network.v4.bytes[3] = 3;
    struct result r = read_all(both, 2, "");
    CHECK_STR(r.told, STR_NONE);
    CHECK_STR(r.tree, STR("{http: {services: {s-p: {loadBalancer: {servers: [{url: "
                          "http://172.17.0.2:80}, {url: http://172.17.0.3:80}]}}}, routers: {s-p: "
                          "{rule: Host(`s-p`), service: s-p}}}}"));
    result_fini(&r);
}

static void a_container_that_isnt_ready_is_no_server(void)
{
    const char *const labels[] = {ON, NULL};
    struct one o;
    init(&o, "web_1", labels);
    o.c.health = CONTAINER_HEALTH_STARTING;
    struct result r = read_all(&o, 1, "");
    CHECK_STR(r.tree, STR("{http: {services: {web-1: {loadBalancer: {servers: []}}}, routers: "
                          "{web-1: {rule: Host(`web-1`), service: web-1}}}}"));
    result_fini(&r);
}

static void the_first_of_two_that_differ_is_taken(void)
{
    const char *const a[] = {ON, "traefik.http.routers.r.rule=Host(`a`)", NULL};
    const char *const b[] = {ON, "traefik.http.routers.r.rule=Host(`b`)", NULL};
    struct one both[2];
    init(&both[0], "a", a);
    init(&both[1], "b", b);
    struct result r = read_all(both, 2, "");
    CHECK(str_search(r.tree, STR("Host(`a`)")) != STR_NPOS);
    CHECK(str_search(r.tree, STR("Host(`b`)")) == STR_NPOS);
    CHECK(str_search(r.told, STR("'r' says something else in container a")) != STR_NPOS);
    result_fini(&r);
}

static void the_lowest_of_several_ports_is_told(void)
{
    const char *const labels[] = {ON, NULL};
    struct one o;
    init(&o, "web_1", labels);
    o.c.n_ports = 2;
    struct result r = read_all(&o, 1, "");
    CHECK(str_search(r.tree, STR("172.17.0.2:80}")) != STR_NPOS);
    CHECK_INT(r.diags.n, 1);
    CHECK_INT(r.diags.n_errors, 0);
    result_fini(&r);
}

static void templates_are_understood_or_not(void)
{
    CHECK(traefik_default_rule_is_known(STR("Host(`{{ normalize .Name }}.a`)")));
    CHECK(traefik_default_rule_is_known(STR("Host(`a`)")));
    CHECK(!traefik_default_rule_is_known(STR("Host(`{{ index .Labels \"a\" }}`)")));
    CHECK(!traefik_default_rule_is_known(STR("Host(`{{ .Name | upper }}`)")));
    CHECK(!traefik_default_rule_is_known(STR("Host(`{{ .Name")));
}

int main(int argc, char **argv)
{
    const struct test_case cases[] = {
        TEST(labels_become_a_tree_with_the_containers_address),
        TEST(labels_that_make_no_sense_are_told),
        TEST(replicas_share_a_service),
        TEST(a_container_that_isnt_ready_is_no_server),
        TEST(the_first_of_two_that_differ_is_taken),
        TEST(the_lowest_of_several_ports_is_told),
        TEST(templates_are_understood_or_not),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
