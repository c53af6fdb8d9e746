// SPDX-License-Identifier: Apache-2.0
#include "unit/discover/shapes.h"
#include "unit/test.h"

static void what_is_packed_comes_out_again(void)
{
    struct arena mem;
    struct container c, back;
    arena_init(&mem, 1 << 20, NULL, 0);
    c = shape_with("web", "sallyport.site=a.example\nempty=\nb=c=d", &mem);
    c.health = CONTAINER_HEALTH_STARTING;
    c.networks[c.n_networks++] = (struct container_network){
        .name = STR("v6"), .id = STR("ab12"), .v6 = {.bytes = {0xfd}, .family = 6}};
    c.ports[0].host_port = 8080;
    c.ports[0].host_ip = (struct ip){.family = 4};
    c.ports[c.n_ports++] = (struct container_port){.port = 443};
    CHECK(container_unpack(container_pack(&c, &mem), &mem, &back));
    CHECK_STR(back.id, c.id);
    CHECK_STR(back.name, STR("web"));
    CHECK_INT(back.state, CONTAINER_RUNNING);
    CHECK_INT(back.health, CONTAINER_HEALTH_STARTING);
    CHECK_INT(back.n_labels, 3);
    CHECK_STR(back.labels[2].value, STR("c=d"));
    CHECK_INT(back.n_networks, 2);
    CHECK_INT(back.networks[1].v6.bytes[0], 0xfd);
    CHECK_INT(back.networks[1].v4.family, 0);
    CHECK_INT(back.ports[0].host_port, 8080);
    CHECK_INT(back.ports[1].port, 443);
    arena_fini(&mem);
}

static void what_is_no_container_is_refused(void)
{
    static const char *const cases[] = {
        "[]",
        "text",
        "{}",
        "{id: xyz, name: a, image: b, state: running, health: none, on-host: no, network: n, "
        "labels: {}, networks: [], ports: []}",
        "{id: ab, name: 'a b', image: b, state: running, health: none, on-host: no, network: n, "
        "labels: {}, networks: [], ports: []}",
        "{id: ab, name: a, image: b, state: asleep, health: none, on-host: no, network: n, "
        "labels: {}, networks: [], ports: []}",
        "{id: ab, name: a, image: b, state: running, health: none, on-host: no, network: n, "
        "labels: {a: {}}, networks: [], ports: []}",
        "{id: ab, name: a, image: b, state: running, health: none, on-host: no, network: n, "
        "labels: {}, networks: [{name: n, id: '', v4: '::1'}], ports: []}",
        "{id: ab, name: a, image: b, state: running, health: none, on-host: no, network: n, "
        "labels: {}, networks: [], ports: [{port: 80}, {port: 80}]}",
        "{id: ab, name: a, image: b, state: running, health: none, on-host: no, network: n, "
        "labels: {}, networks: [], ports: [{port: 70000}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct container c;
        struct diags diags = {.n = 0};
        arena_init(&mem, 1 << 20, NULL, 0);
        struct conf_node *node = conf_yaml_parse(str_of(cases[i]), "test", &mem, &diags);
        CHECK(node && !container_unpack(node, &mem, &c));
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

TEST_MAIN(TEST(what_is_packed_comes_out_again), TEST(what_is_no_container_is_refused))
