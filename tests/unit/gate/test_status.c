// SPDX-License-Identifier: Apache-2.0
#include "gate/status.h"

#include <jansson.h>

#include "gate/worker.h"
#include "rt/sandbox.h"
#include "unit/rt/rt_test.h"
#include "upstream/service.h"

struct rig {
    struct rt_loop *loop;
    struct arena mem;
    struct diags diags;
    struct upstream_registry *registry;
    struct snapshot *s;
    struct worker *worker;
};

static void rig_init(struct rig *r, const char *yaml)
{
    *r = (struct rig){.loop = test_loop(0), .registry = upstream_registry_new()};
    arena_init(&r->mem, 1 << 24, NULL, 0);
    struct conf_node *root = conf_yaml_parse(str_of(yaml), "test.yaml", &r->mem, &r->diags);
    CHECK(root != NULL);
    if (root)
        r->s = snapshot_build(root, &(struct snapshot_env){.registry = r->registry}, &r->diags);
    for (size_t i = 0; i < r->diags.n; i++)
        printf("# %s\n", r->diags.items[i].text);
    if (!r->s)
        abort();
    r->worker = worker_new(0, &(struct worker_links){.registry = r->registry, .conns_max = 100});
    worker_switch(r->worker, r->s);
}

static void rig_fini(struct rig *r)
{
    worker_free(r->worker);
    snapshot_unref(r->s);
    upstream_registry_free(r->registry);
    diags_fini(&r->diags);
    arena_fini(&r->mem);
    loop_free(r->loop);
}

// As every reader gets it. Strict: doubled keys and bytes that aren't UTF-8 are errors.
static json_t *ask(struct rig *r)
{
    struct status *status = status_new(r->s);
    while (!status_add(status, r->worker))
        ;
    struct text text = {.ptr = NULL};
    status_write(status, &(struct status_process){.user = STR("no\"body\n")}, &text);
    status_free(status);
    json_error_t error;
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        printf("# %s: " STR_FMT "\n", error.text, STR_ARG(text_str(&text)));
    CHECK(json != NULL);
    text_fini(&text);
    return json;
}

static void everything_that_is_known_is_told(void)
{
    struct rig r;
    rig_init(&r, "entrypoints: { web: { listen: ':0' }, inner: { listen: '127.0.0.1:0' } }\n"
                 "sites:\n"
                 "  a.example: { aliases: [www.a.example], to: app, use: [hi] }\n"
                 "  b.example: { to: [http://10.0.0.3, 'unix:/run/b'], routes: [\n"
                 "    { match: Path(`/x`), to: app }] }\n"
                 "services: { app: { servers: [{ url: http://10.0.0.1:81, weight: 3 }] } }\n"
                 "filters: { hi: { respond: hi } }\n");
    worker_add_listener(r.worker, 1, STR("inner"), test_listen(&(struct rt_addr){.len = 0}));
    worker_add_listener(r.worker, 2, STR("gone"), test_listen(&(struct rt_addr){.len = 0}));

    json_t *json = ask(&r);
    int workers;
    const char *user, *name, *alias, *use, *to, *service, *url, *ip, *state, *kind, *to_b;
    int weight, failures, requests, n_routes, accepted, lost;
    CHECK_INT(json_unpack(json, "{s:i,s:s,s:i,s:{s:i}}", "workers", &workers, "user", &user,
                          "log_lines_lost", &lost, "counters", "connections accepted", &accepted),
              0);
    CHECK_INT(workers, 1);
    CHECK_INT(accepted, 0);
    CHECK_STR(str_of(user), STR("no\"body\n"));
    CHECK_INT(json_unpack(json, "{s:[{s:s,s:[s],s:[s],s:s},{s:s,s:i}]}", "sites", "name", &name,
                          "aliases", &alias, "use", &use, "to", &to, "to", &to_b, "routes",
                          &n_routes),
              0);
    CHECK_STR(str_of(name), STR("a.example"));
    CHECK_STR(str_of(alias), STR("www.a.example"));
    CHECK_STR(str_of(use), STR("hi"));
    CHECK_STR(str_of(to), STR("app"));
    CHECK_STR(str_of(to_b), STR("http://10.0.0.3, unix:/run/b"));
    CHECK_INT(n_routes, 1);
    CHECK_INT(json_array_size(json_object_get(json, "services")), 2);
    CHECK_INT(json_unpack(json, "{s:[{s:s,s:[{s:s,s:i,s:[{s:s,s:s,s:i}],s:i}]}]}", "services",
                          "name", &service, "servers", "url", &url, "weight", &weight, "addresses",
                          "ip", &ip, "state", &state, "failures", &failures, "requests", &requests),
              0);
    CHECK_STR(str_of(service), STR("app"));
    CHECK_STR(str_of(url), STR("http://10.0.0.1:81"));
    CHECK_INT(weight, 3);
    CHECK_STR(str_of(ip), STR("10.0.0.1"));
    CHECK_STR(str_of(state), STR("up"));
    CHECK_INT(failures + requests, 0);
    CHECK_INT(json_unpack(json, "{s:[{s:s,s:s}]}", "filters", "name", &name, "kind", &kind), 0);
    CHECK_STR(str_of(kind), STR("respond"));
    CHECK(json_integer_value(json_object_get(json, "memory_peak_kb")) > 0);
    CHECK_INT(json_array_size(json_object_get(json, "entrypoints")), 2);
    json_decref(json);
    rig_fini(&r);
}

static void odd_names_give_json_all_the_same(void)
{
    // Names hold no control characters, paths of sockets may.
    static const struct {
        const char *name, *path;
    } cases[] = {
        {"a\\\"b", "\\\"\\\\"}, {"\\u2028", "\\u2029\\u0001"}, {"{", "{"},        {"[", "["},
        {"}],", "]},"},         {"x", "\\t,\\n\\x7f\\x9f"},    {"\xc3\xbc", " "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "services: { \"%s\": { servers: [\"unix:/run/%s\"] } }\n"
                 "filters: { \"%s\": { respond: hi } }\n",
                 cases[i].name, cases[i].path, cases[i].name);
        struct rig r;
        rig_init(&r, yaml);
        json_t *json = ask(&r);
        const char *name;
        CHECK_INT(json_unpack(json, "{s:[{s:s}]}", "services", "name", &name), 0);
        CHECK(strlen(name) > 0);
        json_decref(json);
        rig_fini(&r);
    }
}

static void only_refusals_that_happened_are_told(void)
{
    struct rig r;
    rig_init(&r, "");
    struct http_stats *stats = (struct http_stats *)(uintptr_t)worker_stats(r.worker);
    stats->client_errors[H1_ERROR_NONE + 1] = 7;
    json_t *json = ask(&r);
    json_t *refused = json_object_get(json, "refused_requests");
    CHECK_INT(json_object_size(refused), 1);
    CHECK_INT(json_integer_value(
                  json_object_get(refused, h1_error_name((enum h1_error)(H1_ERROR_NONE + 1)))),
              7);
    CHECK_INT(json_object_size(json_object_get(json, "refused_answers")), 0);
    json_decref(json);
    rig_fini(&r);
}

static void handshakes_and_their_failures_are_told(void)
{
    struct rig r;
    rig_init(&r, "");
    struct door_stats *stats = (struct door_stats *)(uintptr_t)worker_door_stats(r.worker);
    stats->counters[DOOR_COUNTER_DONE] = 5;
    stats->failures[TLS_FAILURE_ALERT] = 2;
    json_t *json = ask(&r);
    json_t *tls = json_object_get(json, "tls");
    json_t *failed = json_object_get(tls, "failed");
    CHECK_INT(json_integer_value(json_object_get(tls, "handshakes completed")), 5);
    CHECK_INT(json_object_size(failed), 1);
    CHECK_INT(json_integer_value(json_object_get(failed, "the peer refused the handshake")), 2);
    json_decref(json);
    rig_fini(&r);
}

static void what_is_in_force_of_the_sandbox_is_told(void)
{
    struct rig r;
    rig_init(&r, "");
    const struct sandbox_report report = {
        .mode = SANDBOX_BEST_EFFORT,
        .n_in_force = 2,
        .n_missing = 1,
        .in_force = {"no-new-privs", "seccomp"},
        .missing = {"landlock: the kernel has none"},
    };
    struct status *status = status_new(r.s);
    CHECK(status_add(status, r.worker));
    struct text text = {.ptr = NULL};
    status_write(status, &(struct status_process){.user = STR("x"), .sandbox = &report}, &text);
    CHECK(str_search(text_str(&text),
                     STR("\"sandbox\":{\"mode\":\"best-effort\",\"in_force\":[\"no-new-privs\","
                         "\"seccomp\"],\"missing\":[\"landlock: the kernel has none\"]}")) !=
          STR_NPOS);
    text_fini(&text);
    status_free(status);
    rig_fini(&r);
}

// It holds what it is about.
static void a_status_outlives_its_snapshot_being_replaced(void)
{
    struct rig r;
    rig_init(&r, "sites: { a.example: 'http://10.0.0.1' }\n");
    struct status *status = status_new(r.s);
    snapshot_unref(r.s);
    struct conf_node *root = conf_yaml_parse(STR(""), "test.yaml", &r.mem, &r.diags);
    r.s = snapshot_build(root, &(struct snapshot_env){.registry = r.registry}, &r.diags);
    worker_switch(r.worker, r.s);
    CHECK(status_add(status, r.worker));
    struct text text = {.ptr = NULL};
    status_write(status, &(struct status_process){.user = STR("x")}, &text);
    CHECK(str_search(text_str(&text), STR("http://10.0.0.1")) != STR_NPOS);
    text_fini(&text);
    status_free(status);
    rig_fini(&r);
}

TEST_MAIN(TEST(everything_that_is_known_is_told), TEST(odd_names_give_json_all_the_same),
          TEST(only_refusals_that_happened_are_told), TEST(handshakes_and_their_failures_are_told),
          TEST(what_is_in_force_of_the_sandbox_is_told),
          TEST(a_status_outlives_its_snapshot_being_replaced))
