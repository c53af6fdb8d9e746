// SPDX-License-Identifier: Apache-2.0
#include "discover/reach.h"

#include "unit/discover/shapes.h"
#include "unit/test.h"

static struct container_network net(const char *name, uint8_t last)
{
    return (struct container_network){
        .name = str_of(name),
        .v4 = {.bytes = {10, 0, 0, last}, .family = last > 0 ? 4 : 0},
    };
}

// The last byte of the address, or 0.
static unsigned last_byte(const struct reach *r, const struct container *c, const char *label,
                          struct arena *mem, struct str *ret_why)
{
    struct ip ip;
    return reach_address(r, c, str_of(label), mem, &ip, ret_why) ? ip.bytes[3] : 0;
}

static void a_network_is_chosen_by_label_sharing_setting_and_chance(void)
{
    struct arena mem;
    struct str why;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct container_network two[] = {net("a", 1), net("b", 2)}, own[] = {net("b", 9)},
                             strange[] = {net("z", 8)};
    struct container c = {.id = STR("ab"), .networks = two, .n_networks = 2};
    struct container self = {.id = STR("cd"), .networks = own, .n_networks = 1};
    struct container stranger = {.id = STR("ef"), .networks = strange, .n_networks = 1};
    struct reach on_machine = {.n = 0}, inside = {.self = &self}, apart = {.self = &stranger};
    CHECK_INT(last_byte(&on_machine, &c, "", &mem, &why), 1);
    CHECK_INT(last_byte(&on_machine, &c, "b", &mem, &why), 2);
    CHECK_INT(last_byte(&inside, &c, "", &mem, &why), 2); // S0-23
    CHECK_INT(last_byte(&inside, &c, "a", &mem, &why), 1);
    CHECK_INT(last_byte(&apart, &c, "", &mem, &why), 0);
    CHECK(str_search(why, STR("its networks: a, b; the proxy's: z")) != STR_NPOS);
    apart.network = STR("b");
    CHECK_INT(last_byte(&apart, &c, "", &mem, &why), 2);
    CHECK_INT(last_byte(&on_machine, &c, "nope", &mem, &why), 0);
    CHECK(str_search(why, STR("'nope'")) != STR_NPOS && str_search(why, STR("a, b")) != STR_NPOS);
    arena_fini(&mem);
}

static void a_network_of_compose_is_known_by_its_short_name(void)
{
    struct arena mem;
    struct str why;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct container c = shape_with("web", "com.docker.compose.project=shop", &mem);
    c.networks[c.n_networks++] = net("shop_inner", 7);
    CHECK_INT(last_byte(&(struct reach){.n = 0}, &c, "inner", &mem, &why), 7);
    arena_fini(&mem);
}

static void the_machines_network_is_here_unless_the_proxy_is_elsewhere(void)
{
    struct arena mem;
    struct str why;
    struct ip ip;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct container host = {.id = STR("ab"), .name = STR("db"), .is_on_host = true};
    struct container joined = {.id = STR("cd"), .network = STR("container:ab")};
    struct container self = {.id = STR("ef")};
    const struct container *all[] = {&host, &joined, &self};
    struct reach r = {.all = all, .n = 3};
    CHECK(reach_address(&r, &host, STR_NONE, &mem, &ip, &why) && ip.bytes[0] == 127);
    CHECK(reach_address(&r, &joined, STR_NONE, &mem, &ip, &why) && ip.bytes[0] == 127);
    r.self = &self;
    CHECK(!reach_address(&r, &host, STR_NONE, &mem, &ip, &why));
    self.is_on_host = true;
    CHECK(reach_address(&r, &host, STR_NONE, &mem, &ip, &why));
    arena_fini(&mem);
}

static void a_port_is_the_labels_or_the_lowest(void)
{
    struct arena mem;
    struct str note;
    uint16_t port;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct container c = shape_with("web", "", &mem);
    CHECK(reach_port(&c, STR_NONE, &mem, &port, &note) && port == 80 && note.len == 0);
    c.ports[c.n_ports++] = (struct container_port){.port = 443};
    CHECK(reach_port(&c, STR_NONE, &mem, &port, &note) && port == 80);
    CHECK(str_search(note, STR("2 ports")) != STR_NPOS);
    CHECK(reach_port(&c, STR("9000"), &mem, &port, &note) && port == 9000 && note.len == 0);
    static const char *const bad[] = {"0", "65536", "http", "-1", "80 "};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!reach_port(&c, str_of(bad[i]), &mem, &port, &note) && note.len > 0);
    c.n_ports = 0;
    CHECK(!reach_port(&c, STR_NONE, &mem, &port, &note) && note.len > 0);
    arena_fini(&mem);
}

static void a_process_finds_the_container_that_it_is_in(void)
{
    static const struct {
        const char *cgroup, *mountinfo, *host, *id;
    } cases[] = {
        {"0::/\n",
         "760 745 8:1 /var/lib/docker/containers/" SHAPE_ID "/hostname /etc/hostname rw - ext4 x\n",
         "web", SHAPE_ID},
        {"12:cpu:/docker/" SHAPE_ID "\n", "", "web", SHAPE_ID},
        {"0::/machine.slice/libpod-" SHAPE_ID ".scope\n", "", "web", SHAPE_ID},
        {"0::/\n", "", "0123456789ab", "0123456789ab"},
        // The machine itself sees its containers' mounts, and isn't in them.
        {"0::/init.scope\n",
         "99 1 0:50 / /var/lib/docker/overlay2/" SHAPE_ID "/merged rw - overlay overlay rw\n",
         "server-1", ""},
        {"", "", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(reach_own_id(str_of(cases[i].cgroup), str_of(cases[i].mountinfo),
                               str_of(cases[i].host)),
                  str_of(cases[i].id));
}

TEST_MAIN(TEST(a_network_is_chosen_by_label_sharing_setting_and_chance),
          TEST(a_network_of_compose_is_known_by_its_short_name),
          TEST(the_machines_network_is_here_unless_the_proxy_is_elsewhere),
          TEST(a_port_is_the_labels_or_the_lowest),
          TEST(a_process_finds_the_container_that_it_is_in))
