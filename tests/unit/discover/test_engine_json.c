// SPDX-License-Identifier: Apache-2.0
#include "discover/engine_json.h"

#include "base/attr.h"
#include "unit/test.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char whole[] =
    "{\"Id\":\"" ID "\",\"Name\":\"/web-1\",\"State\":{\"Status\":\"running\",\"Running\":true,"
    "\"Health\":{\"Status\":\"unhealthy\"}},\"Config\":{\"Image\":\"nginx:1.27\",\"Env\":["
    "\"SECRET=x\"],\"Labels\":{\"b\":\"2\",\"a\":\"1\"},\"ExposedPorts\":{\"443/tcp\":{},"
    "\"80/tcp\":{},\"53/udp\":{}}},\"HostConfig\":{\"NetworkMode\":\"web\"},\"NetworkSettings\":{"
    "\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}],\"443/tcp\":null},"
    "\"Networks\":{\"web\":{\"NetworkID\":\"ab12\",\"IPAddress\":\"172.18.0.2\","
    "\"GlobalIPv6Address\":\"fd00::2\"},\"db\":{\"IPAddress\":\"\"}}}}";

static void a_container_is_read_with_what_is_needed(void)
{
    struct arena mem;
    struct container c;
    const char *why = "";
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK(engine_json_container(str_of(whole), &mem, &c, &why));
    CHECK_STR(c.id, STR(ID));
    CHECK_STR(c.name, STR("web-1"));
    CHECK_STR(c.image, STR("nginx:1.27"));
    CHECK_INT(c.state, CONTAINER_RUNNING);
    CHECK_INT(c.health, CONTAINER_HEALTH_UNHEALTHY);
    CHECK_INT(c.n_labels, 2);
    CHECK_STR(c.labels[0].name, STR("b"));
    CHECK_INT(c.n_ports, 2);
    CHECK_INT(c.ports[0].port, 80);
    CHECK_INT(c.ports[0].host_port, 8080);
    CHECK_INT(c.ports[1].port, 443);
    CHECK_INT(c.n_networks, 2);
    CHECK_INT(c.networks[0].v4.bytes[3], 2);
    CHECK_INT(c.networks[0].v6.family, 6);
    CHECK_INT(c.networks[1].v4.family, 0);
    CHECK(!c.is_on_host);
    arena_fini(&mem);
}

static void states_of_other_engines_are_understood(void)
{
    static const struct {
        const char *state;
        enum container_state wanted;
        enum container_health health;
    } cases[] = {
        {"{\"Status\":\"stopped\",\"Running\":false}", CONTAINER_EXITED, CONTAINER_HEALTH_NONE},
        {"{\"Status\":\"initialized\",\"Running\":true}", CONTAINER_RUNNING, CONTAINER_HEALTH_NONE},
        {"{\"Status\":\"running\",\"Paused\":true}", CONTAINER_PAUSED, CONTAINER_HEALTH_NONE},
        {"{\"Status\":\"running\",\"Healthcheck\":{\"Status\":\"starting\"}}", CONTAINER_RUNNING,
         CONTAINER_HEALTH_STARTING},
        {"{\"Running\":true,\"Health\":{\"Status\":\"\"}}", CONTAINER_RUNNING,
         CONTAINER_HEALTH_NONE},
        {"[]", CONTAINER_EXITED, CONTAINER_HEALTH_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char json[512];
        struct arena mem;
        struct container c;
        const char *why = "";
        arena_init(&mem, 1 << 20, NULL, 0);
        snprintf(json, sizeof json, "{\"Id\":\"ab\",\"Name\":\"/n\",\"State\":%s}", cases[i].state);
        CHECK(engine_json_container(str_of(json), &mem, &c, &why));
        CHECK_INT(c.state, cases[i].wanted);
        CHECK_INT(c.health, cases[i].health);
        arena_fini(&mem);
    }
}

static void what_makes_no_sense_is_refused_with_a_reason(void)
{
    static const char *const cases[] = {
        "",
        "[1]",
        "{",
        "{}",
        "{\"Id\":1,\"Name\":\"/n\"}",
        "{\"Id\":\"../x\",\"Name\":\"/n\"}",
        "{\"Id\":\"ab\",\"Name\":\"/a b\"}",
        "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{\"Labels\":{\"a\":1}}}",
        "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{\"Labels\":{\"a\":\"\\u0000\"}}}",
        "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{\"Labels\":{\"\":\"x\"}}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct container c;
        const char *why = "";
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK(!engine_json_container(str_of(cases[i]), &mem, &c, &why));
        CHECK(why[0] != '\0');
        arena_fini(&mem);
    }
}

static void of_many_ports_the_lowest_are_kept(void)
{
    struct arena mem;
    struct container c;
    struct text t = {.ptr = NULL};
    const char *why = "";
    arena_init(&mem, 1 << 20, NULL, 0);
    text_printf(&t, "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{\"ExposedPorts\":{");
    for (int i = 0; i < 300; i++)
        text_printf(&t, "%s\"%d/tcp\":{}", i > 0 ? "," : "", 20000 - i);
    text_printf(&t, "}}}");
    CHECK(engine_json_container(text_str(&t), &mem, &c, &why));
    CHECK_INT(c.n_ports, CONTAINER_PORTS_MAX);
    CHECK_INT(c.ports[0].port, 19701);
    CHECK_INT(c.ports[CONTAINER_PORTS_MAX - 1].port, 19700 + CONTAINER_PORTS_MAX);
    text_fini(&t);
    arena_fini(&mem);
}

static void events_name_the_container_that_has_changed(void)
{
    static const struct {
        const char *json, *id;
    } cases[] = {
        {"{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"ab\"}}", "ab"},
        {"{\"Type\":\"container\",\"Action\":\"health_status: healthy\",\"Actor\":{\"ID\":\"ab\"}}",
         "ab"},
        {"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"net\",\"Attributes\":{"
         "\"container\":\"cd\"}}}",
         "cd"},
        {"{\"Type\":\"container\",\"Action\":\"exec_create: sh\",\"Actor\":{\"ID\":\"ab\"}}", ""},
        {"{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"ab\"}}", ""},
        {"{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"/../x\"}}", ""},
        {"{\"Type\":7}", ""},
        {"{\"Type\":\"container\",\"Action\":\"health_status\",\"Actor\":{\"ID\":\"ab\"}}", "ab"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct engine_event event;
        const char *why = "";
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK(engine_json_event(str_of(cases[i].json), &mem, &event, &why));
        CHECK_STR(event.id, str_of(cases[i].id));
        CHECK(event.is_early == (strstr(cases[i].json, "\"health_status\"") != NULL));
        CHECK(!engine_json_event(STR("[]"), &mem, &event, &why));
        arena_fini(&mem);
    }
}

static void lists_are_bounded_and_of_ids_alone(void)
{
    struct arena mem;
    struct engine_ids ids;
    const char *why = "";
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK(engine_json_ids(STR("[{\"Id\":\"ab\"},{\"Id\":\"cd\",\"Names\":[]}]"), &mem, &ids, &why));
    CHECK_INT(ids.n, 2);
    CHECK_INT(ids.n_beyond, 0);
    CHECK_STR(ids.items[1], STR("cd"));
    CHECK(!engine_json_ids(STR("{}"), &mem, &ids, &why));
    CHECK(!engine_json_ids(STR("[{\"Id\":\"../\"}]"), &mem, &ids, &why));
    CHECK(!engine_json_ids(STR("[7]"), &mem, &ids, &why));
    arena_fini(&mem);
}

static void one_containers_nul_spoils_no_answer_about_all(void)
{
    struct arena mem;
    struct engine_ids ids;
    struct engine_event event;
    const char *why = "";
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK(engine_json_ids(STR("[{\"Id\":\"ab\",\"Labels\":{\"a\\u0000\":\"\\\\\\u0000\"}},"
                              "{\"Id\":\"cd\"}]"),
                          &mem, &ids, &why));
    CHECK_INT(ids.n, 2);
    CHECK(engine_json_event(STR("{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{"
                                "\"ID\":\"ab\",\"Attributes\":{\"\\u0000\":\"\\\\u0000\"}}}"),
                            &mem, &event, &why));
    CHECK_STR(event.id, STR("ab"));
    CHECK(!engine_json_ids(STR("[{\"Id\":\"ab\\u0000\"}]"), &mem, &ids, &why));
    CHECK(!engine_json_ids(STR("[{\"Id\":\"ab\",\"a\":\"\\u0000"), &mem, &ids, &why));
    CHECK(!engine_json_ids(STR("[{\"Id\":\"ab\"},\"\\u0000\",\\"), &mem, &ids, &why));
    arena_fini(&mem);
}

static void versions_are_read_of_every_engine(void)
{
    static const struct {
        const char *json, *name;
        unsigned api, oldest;
    } cases[] = {
        {"{\"Platform\":{\"Name\":\"Docker Engine - Community\"},\"Version\":\"27.3.1\","
         "\"ApiVersion\":\"1.47\",\"MinAPIVersion\":\"1.24\"}",
         "Docker Engine - Community 27.3.1", 47, 24},
        {"{\"Version\":\"1.12.6\",\"ApiVersion\":\"1.24\"}", "Docker 1.12.6", 24, 0},
        {"{\"Platform\":{\"Name\":\"linux/amd64\"},\"Components\":[{\"Name\":\"Podman Engine\"}],"
         "\"Version\":\"4.3.1\",\"ApiVersion\":\"1.41\"}",
         "Podman Engine 4.3.1", 41, 0},
    };
    struct arena mem;
    struct engine_version v;
    const char *why = "";
    arena_init(&mem, 1 << 20, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(engine_json_version(str_of(cases[i].json), &mem, &v, &why));
        CHECK_STR(v.name, str_of(cases[i].name));
        CHECK_INT(v.api, cases[i].api);
        CHECK_INT(v.api_oldest, cases[i].oldest);
    }
    CHECK(!engine_json_version(STR("{\"ApiVersion\":\"2.0\"}"), &mem, &v, &why));
    arena_fini(&mem);
}

TEST_MAIN(TEST(a_container_is_read_with_what_is_needed),
          TEST(states_of_other_engines_are_understood),
          TEST(what_makes_no_sense_is_refused_with_a_reason),
          TEST(of_many_ports_the_lowest_are_kept), TEST(events_name_the_container_that_has_changed),
          TEST(lists_are_bounded_and_of_ids_alone),
          TEST(one_containers_nul_spoils_no_answer_about_all),
          TEST(versions_are_read_of_every_engine))
