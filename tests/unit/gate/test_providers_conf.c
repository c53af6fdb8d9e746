// SPDX-License-Identifier: Apache-2.0
#include "gate/providers_conf.h"

#include "base/attr.h"
#include "unit/test.h"

static bool read(const char *yaml, struct arena *mem, struct providers_conf *ret,
                 struct diags *diags)
{
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "test.yaml", mem, diags);
    return node && conf_read(&providers_section, node, NULL, mem, diags, ret) == ERR_OK;
}

static void docker_is_off_and_on_is_enough(void)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct providers_conf c;
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK(read("{}", &mem, &c, &diags) && !c.docker.is_on);
    CHECK(read("docker: on", &mem, &c, &diags) && c.docker.is_on);
    CHECK_STR(c.docker.endpoint.text, STR("unix:///var/run/docker.sock"));
    CHECK(c.docker.exposed_by_default);
    CHECK(read("docker: { endpoint: 'tcp://10.0.0.5:2376', exposed-by-default: no }", &mem, &c,
               &diags));
    CHECK(c.docker.is_on && !c.docker.exposed_by_default);
    CHECK(!read("docker: { tls: { cert: a.pem } }", &mem, &c, &diags));
    CHECK(diags.n == 1 && strstr(diags.items[0].text, "need each other"));
    CHECK(read("docker: { constraints: 'Label(`team`, `web`)' }", &mem, &c, &diags));
    CHECK_STR(c.docker.constraints.text, STR("Label(`team`, `web`)"));
    CHECK(!read("docker: { constraints: 'Label(`team`) && x' }", &mem, &c, &diags));
    CHECK(diags.n == 3 && diags.items[1].place.line == 1 && diags.items[1].place.column == 24);
    diags_fini(&diags);
    arena_fini(&mem);
}

static void endpoints_are_sockets_or_addresses_with_a_port(void)
{
    static const char *const bad[] = {"",
                                      "/var/run/docker.sock",
                                      "unix://run/docker.sock",
                                      "unix:///",
                                      "tcp://10.0.0.5",
                                      "http://10.0.0.5:2375",
                                      "tcp://user@host:1"};
    struct docker_endpoint e;
    CHECK(docker_endpoint_parse(STR("unix:///run/podman/podman.sock"), &e));
    CHECK_INT(e.kind, DOCKER_UNIX);
    CHECK_STR(e.path, STR("/run/podman/podman.sock"));
    CHECK(docker_endpoint_parse(STR("tcp://[::1]:2376"), &e));
    CHECK_INT(e.kind, DOCKER_TCP);
    CHECK_STR(e.host, STR("[::1]"));
    CHECK_INT(e.port, 2376);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!docker_endpoint_parse(str_of(bad[i]), &e));
}

TEST_MAIN(TEST(docker_is_off_and_on_is_enough),
          TEST(endpoints_are_sockets_or_addresses_with_a_port))
