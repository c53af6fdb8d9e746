// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_check.h"

#include "unit/upstream/upstream_rig.h"

static struct conf_text statuses[] = {{.text = STR_INIT("200-399")}};

static struct health_conf conf_of(enum health_kind kind)
{
    return (struct health_conf){
        .is_on = true,
        .kind = kind,
        .path = {.text = STR("/healthz?deep=1")},
        .method = {.text = STR("GET")},
        .status = {.items = statuses, .n = 1},
        .every_ms = SOON_MS,
        .timeout_ms = SOON_MS,
        .rise = 1,
        .fall = 1,
    };
}

struct checking {
    struct rig *r;
    struct health_plan *plan;
    const struct rt_addr *addr;
    struct fiber *fiber;
    bool is_done, is_good;
    char why[HEALTH_WHY_BYTES];
};

static void run(void *arg)
{
    struct checking *c = arg;
    struct tls_session session = {.newest = NULL};
    c->is_good = health_check(c->plan, c->addr, &session, &c->r->env, deadline_in(SOON_MS), c->why);
    c->is_done = true;
}

static void begin(struct checking *c, struct rig *r, const struct health_conf *conf,
                  const struct rt_addr *addr)
{
    struct server_url url = {.kind = SERVER_IP, .protocol = SERVER_HTTP};
    *c = (struct checking){.r = r, .addr = addr};
    c->plan = health_plan_new(
        &(struct health_plan_of){
            .conf = conf, .url = &url, .http = SERVER_HTTP_1, .host = STR("origin.test")},
        &r->diags);
    CHECK(c->plan != NULL);
    c->fiber = fiber_start(run, c);
}

static void finish(struct checking *c)
{
    TURN_UNTIL(c->r, c->is_done);
    health_plan_unref(c->plan);
}

static void expect(struct rig *r, const struct health_conf *conf, const struct rt_addr *addr,
                   const char *why)
{
    struct checking c;
    begin(&c, r, conf, addr);
    finish(&c);
    CHECK_INT(c.is_good, why == NULL);
    if (why && !strstr(c.why, why))
        CHECK_STR(str_of(c.why), str_of(why));
}

static void answers_are_judged(void)
{
    static const struct {
        const char *says, *body, *regex, *why; // why NULL: good
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL, NULL, NULL},
        {"HTTP/1.1 204 No Content\r\n\r\n", NULL, NULL, NULL},
        {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", NULL, NULL, NULL},
        {"HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n", NULL, NULL, "status 503"},
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", NULL, NULL, "status 404"},
        {"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL, NULL,
         NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nall ok", "ok", NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", "ok", NULL, "hasn't the wanted text"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na o\r\n2\r\nk!\r\n0\r\n\r\n",
         "a ok!", NULL, NULL},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end: ok", "ok", NULL, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "ok", NULL, "cut"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", NULL, NULL, NULL}, // not asked for
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok 7", NULL, "ok [0-9]$", NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok x", NULL, "ok [0-9]$", "expression"},
        {"220 smtp ready\r\n\r\n", NULL, NULL, "malformed answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", NULL, NULL,
         "malformed answer"},
        {"", NULL, NULL, "closed before an answer"},
        {"HTTP/1.1 200 O", NULL, NULL, "closed before the end"},
    };
    struct rig r;
    struct origin o;
    rig_init(&r);
    rig_server(&r, origin_start(&o, "o", ORIGIN_SAYS)->url, 1);
    rig_build(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct health_conf conf = conf_of(HEALTH_HTTP);
        o.says = cases[i].says;
        conf.body.text = str_of(cases[i].body);
        conf.body_regex.text = str_of(cases[i].regex);
        expect(&r, &conf, &o.addr, cases[i].why);
    }
    TURN_UNTIL(&r, o.n_open == 0);
    origin_stop(&o);
    rig_fini(&r);
}

static void a_check_asks_for_what_settings_say(void)
{
    struct rig r;
    struct origin o;
    struct health_field_conf value = {.value = {.text = STR("yes")}};
    struct conf_map_item field = {.name = STR("X-Probe"), .value = &value};
    struct health_conf conf = conf_of(HEALTH_HTTP);
    conf.method.text = STR("HEAD");
    conf.fields = (struct conf_map){.items = &field, .n = 1};
    rig_init(&r);
    rig_server(&r, origin_start(&o, "o", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    expect(&r, &conf, &o.addr, NULL);
    CHECK(strstr(o.last, "HEAD /healthz?deep=1 HTTP/1.1\r\n") == o.last);
    CHECK(strstr(o.last, "\r\nHost: origin.test\r\n") != NULL);
    CHECK(strstr(o.last, "\r\nX-Probe: yes\r\n") != NULL);
    CHECK(strstr(o.last, "\r\nUser-Agent: sallyport health check\r\n") != NULL);
    TURN_UNTIL(&r, o.n_open == 0);
    origin_stop(&o);
    rig_fini(&r);
}

static void a_connection_is_enough_for_tcp(void)
{
    struct rig r;
    struct origin o, dead;
    struct health_conf conf = conf_of(HEALTH_TCP);
    rig_init(&r);
    rig_server(&r, origin_start(&o, "o", ORIGIN_HANGS)->url, 1);
    rig_build(&r);
    origin_refuse(&dead);
    expect(&r, &conf, &o.addr, NULL);
    expect(&r, &conf, &dead.addr, "refused");
    TURN_UNTIL(&r, o.n_conns == 1 && o.n_open == 0);
    CHECK_INT(o.n_requests, 0);
    close(dead.fd);
    origin_stop(&o);
    rig_fini(&r);
}

static void who_ends_it_gets_a_reason_and_nothing_stays(void)
{
    struct rig r;
    struct origin o;
    struct checking c;
    struct health_conf conf = conf_of(HEALTH_HTTP);
    rig_init(&r);
    rig_server(&r, origin_start(&o, "o", ORIGIN_HANGS)->url, 1);
    rig_build(&r);
    begin(&c, &r, &conf, &o.addr);
    TURN_UNTIL(&r, o.n_requests == 1);
    fiber_cancel(c.fiber);
    finish(&c);
    CHECK(!c.is_good);
    CHECK(strstr(c.why, "in time") != NULL);
    TURN_UNTIL(&r, o.n_open == 0);
    origin_stop(&o);
    rig_fini(&r);
}

TEST_MAIN(TEST(answers_are_judged), TEST(a_check_asks_for_what_settings_say),
          TEST(a_connection_is_enough_for_tcp), TEST(who_ends_it_gets_a_reason_and_nothing_stays))
