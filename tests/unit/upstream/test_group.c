// SPDX-License-Identifier: Apache-2.0
#include "upstream/group.h"

#include "unit/upstream/upstream_rig.h"

static const uint8_t key[COOKIE_KEY_BYTES] = "a key of thirty-two bytes, or so";

// Services a and b with one server each, and one made of them.
struct kin {
    struct rig r;
    struct origin a, b;
    struct handler *services[2];
    struct service_names names;
    struct service_conf conf;
    struct split_conf split[2];
    void *split_items[2];
    struct conf_text failover[2];
};

static const struct handler *find(struct service_names *names, const struct conf_text *name)
{
    struct kin *k = CONTAINER_OF(names, struct kin, names);
    for (size_t i = 0; i < 2; i++)
        if (k->services[i] && str_eq(k->services[i]->name, name->text))
            return k->services[i];
    diag_fail(&k->r.diags, ERR_NOT_FOUND, name->place, "there is no such service");
    return NULL;
}

static void add_service(struct kin *k, size_t i, const char *name, const char *url)
{
    rig_server(&k->r, url, 1);
    k->services[i] = service_build(str_of(name), &k->r.conf, k->r.registry, &k->r.mem, &k->r.diags);
    CHECK(k->services[i] != NULL);
    k->r.conf.servers.n = 0;
}

static void kin_init(struct kin *k)
{
    *k = (struct kin){.names.find = find};
    rig_init(&k->r);
    k->conf.names = &k->names;
}

static void kin_start(struct kin *k, const char *url_a)
{
    kin_init(k);
    add_service(k, 0, "a", url_a ? url_a : origin_start(&k->a, "a", ORIGIN_ANSWERS)->url);
    add_service(k, 1, "b", origin_start(&k->b, "b", ORIGIN_ANSWERS)->url);
}

static void split(struct kin *k, uint32_t weight_a, uint32_t weight_b)
{
    k->split[0] = (struct split_conf){.service.text = STR("a"), .weight = weight_a};
    k->split[1] = (struct split_conf){.service.text = STR("b"), .weight = weight_b};
    k->split_items[0] = &k->split[0];
    k->split_items[1] = &k->split[1];
    k->conf.split = (struct conf_list){.items = k->split_items, .n = 2};
}

static void fail_over(struct kin *k)
{
    k->failover[0].text = STR("a");
    k->failover[1].text = STR("b");
    k->conf.failover = (struct conf_texts){.items = k->failover, .n = 2};
}

static void build(struct kin *k)
{
    k->r.service = service_build(STR("both"), &k->conf, k->r.registry, &k->r.mem, &k->r.diags);
    CHECK(k->r.service != NULL);
}

static void kin_end(struct kin *k)
{
    if (k->a.listener)
        origin_stop(&k->a);
    origin_stop(&k->b);
    service_release(k->services[0]);
    service_release(k->services[1]);
    rig_fini(&k->r);
}

static void check_order(struct kin *k, const char *wanted)
{
    char got[64] = "";
    for (size_t i = 0; i < strlen(wanted); i++)
        got[i] = call(&k->r, METHOD_GET).body[0];
    CHECK_STR(str_of(got), str_of(wanted));
}

static void a_split_shares_by_weight_and_never_in_bursts(void)
{
    struct kin k;
    kin_start(&k, NULL);
    split(&k, 3, 1);
    build(&k);
    check_order(&k, "aabaaabaaaba");
    CHECK(strstr(call(&k.r, METHOD_GET).trail, "service both chose") != NULL);
    kin_end(&k);
}

static void a_member_of_weight_0_gets_nothing(void)
{
    struct kin k;
    kin_start(&k, NULL);
    split(&k, 1, 0);
    build(&k);
    check_order(&k, "aaaa");
    kin_end(&k);
    kin_start(&k, NULL);
    split(&k, 0, 0);
    build(&k);
    CHECK_INT(call(&k.r, METHOD_GET).status, 503);
    kin_end(&k);
}

static void a_member_without_usable_servers_leaves_its_share_to_the_others(void)
{
    struct kin k;
    kin_start(&k, NULL);
    split(&k, 9, 1);
    build(&k);
    struct server_slot *slot = &service_of(k.services[0])->servers[0].state->slots[0];
    atomic_store(&slot->skip_until_ms, INT64_MAX);
    check_order(&k, "bbbb");
    atomic_store(&slot->skip_until_ms, 0);
    CHECK_INT(call(&k.r, METHOD_GET).body[0], 'a');
    kin_end(&k);
}

static void when_no_connection_comes_about_the_same_request_goes_to_another_member(void)
{
    struct kin k;
    struct origin dead;
    kin_start(&k, origin_refuse(&dead)->url);
    fail_over(&k);
    build(&k);
    struct call c = {.r = &k.r, .method = METHOD_POST, .upload = "x"};
    call_start(&c);
    call_wait(&c);
    CHECK_INT(c.status, 200);
    CHECK_STR(str_of(c.body), STR("b"));
    CHECK_INT(c.end, EXCHANGE_END_OK);
    check_order(&k, "bbb");
    close(dead.fd);
    kin_end(&k);
}

static void fail_over_goes_to_the_first_that_can_be_used(void)
{
    struct kin k;
    kin_start(&k, NULL);
    fail_over(&k);
    build(&k);
    check_order(&k, "aaaa");
    struct server_slot *slot = &service_of(k.services[0])->servers[0].state->slots[0];
    atomic_store(&slot->skip_until_ms, INT64_MAX);
    check_order(&k, "bb");
    atomic_store(&slot->skip_until_ms, 0);
    check_order(&k, "aa");
    kin_end(&k);
}

static void when_all_members_are_dead_the_client_gets_502(void)
{
    struct kin k;
    struct origin dead[2];
    kin_init(&k);
    add_service(&k, 0, "a", origin_refuse(&dead[0])->url);
    add_service(&k, 1, "b", origin_refuse(&dead[1])->url);
    fail_over(&k);
    build(&k);
    for (int i = 0; i < 3; i++) {
        struct call c = call(&k.r, METHOD_GET);
        CHECK_INT(c.status, 502);
        CHECK_INT(c.end, EXCHANGE_END_SERVER_CONNECT);
    }
    close(dead[0].fd);
    close(dead[1].fd);
    service_release(k.services[0]);
    service_release(k.services[1]);
    rig_fini(&k.r);
}

static void clients_stick_to_a_member(void)
{
    struct kin k;
    kin_start(&k, NULL);
    split(&k, 1, 1);
    k.conf.sticky =
        (struct sticky_conf){.is_on = true, .cookie.text = STR("lane"), .path.text = STR("/")};
    upstream_registry_set_cookie_key(k.r.registry, key);
    build(&k);
    struct call first = call(&k.r, METHOD_GET);
    char cookie[64];
    snprintf(cookie, sizeof cookie, "%.*s", (int)strcspn(first.set_cookie, ";"), first.set_cookie);
    CHECK(str_starts(str_of(cookie), STR("lane=")));
    for (int i = 0; i < 4; i++) {
        struct call c = {.r = &k.r, .method = METHOD_GET, .cookie = cookie};
        call_start(&c);
        call_wait(&c);
        CHECK_STR(str_of(c.body), str_of(first.body));
        CHECK_STR(str_of(c.set_cookie), STR(""));
    }
    CHECK(strstr(k.a.last, "lane") == NULL && strstr(k.b.last, "lane") == NULL);
    kin_end(&k);
}

static void what_a_group_is_made_of_is_described(void)
{
    struct kin k;
    kin_start(&k, NULL);
    split(&k, 95, 5);
    build(&k);
    CHECK_STR(service_describe(k.r.service, &k.r.mem), STR("shared out: a 95 of 100, b 5 of 100"));
    CHECK_INT(service_protocol(k.r.service), SERVER_HTTP);
    CHECK(!service_is_sticky(k.r.service));
    kin_end(&k);
}

static void what_does_not_fit_together_is_refused(void)
{
    static const struct {
        const char *a, *b, *missing, *wanted;
        unsigned proxy_protocol;
    } cases[] = {
        {"http://10.0.0.1", "tcp://10.0.0.2:1", NULL, "another kind", 0},
        {"http://10.0.0.1", "http://10.0.0.2", "c", "no such service", 0},
        {"http://10.0.0.1", "http://10.0.0.2", NULL, "proxy-protocol", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kin k;
        kin_init(&k);
        add_service(&k, 0, "a", cases[i].a);
        k.r.conf.proxy_protocol = cases[i].proxy_protocol;
        add_service(&k, 1, "b", cases[i].b);
        split(&k, 1, 1);
        if (cases[i].missing)
            k.split[1].service.text = str_of(cases[i].missing);
        CHECK(!service_build(STR("both"), &k.conf, k.r.registry, &k.r.mem, &k.r.diags));
        CHECK_INT(k.r.diags.n_errors, 1);
        CHECK(strstr(k.r.diags.items[0].text, cases[i].wanted) != NULL);
        service_release(k.services[0]);
        service_release(k.services[1]);
        rig_fini(&k.r);
    }
}

TEST_MAIN(TEST(a_split_shares_by_weight_and_never_in_bursts),
          TEST(a_member_of_weight_0_gets_nothing),
          TEST(a_member_without_usable_servers_leaves_its_share_to_the_others),
          TEST(when_no_connection_comes_about_the_same_request_goes_to_another_member),
          TEST(fail_over_goes_to_the_first_that_can_be_used),
          TEST(when_all_members_are_dead_the_client_gets_502), TEST(clients_stick_to_a_member),
          TEST(what_a_group_is_made_of_is_described), TEST(what_does_not_fit_together_is_refused))
