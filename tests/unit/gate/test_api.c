// SPDX-License-Identifier: Apache-2.0
// Every path of the API, as its readers get it: by a strict reader of JSON.
#include "gate/api.h"

#include <jansson.h>

#include "base/mem.h"
#include "gate/worker.h"
#include "unit/rt/rt_test.h"
#include "upstream/service.h"

#define KNOWN                                                                                      \
    "{\"version\":\"1\",\"started\":\"2026-01-01T00:00:00.000Z\",\"settings\":{\"seq\":3},"        \
    "\"entrypoints\":[{\"name\":\"web\",\"listen\":\":0\",\"port\":8080}],"                        \
    "\"certificates\":[{\"id\":\"a\",\"state\":\"valid\",\"names\":[\"a.example\"]},"              \
    "{\"id\":\"b\",\"state\":\"missing\",\"error\":\"no\"}],\"orders\":[{\"id\":\"b\"}]}"

static const char settings[] =
    "entrypoints: { web: { listen: ':0', use: [hi] }, raw: { listen: ':0', protocol: tcp } }\n"
    "filters: { hi: { headers: { request: { set: { Authorization: hush, X-A: plain, "
    "X-B: 'Bearer hush' } } } }, off: { redirect: { to: 'https://u:hush@c.example/' } }, "
    "out: { deny: { headers: { X-Api-Key: hush } } }, lock: { basic-auth: { users: "
    "['ann:$2y$05$fFTvpmqLErU4P4VPJLcqtejgFG41OzCd9pAw6dT4YRXVM0vZ4QWlu'] } } }\n"
    "sites:\n"
    "  a.example: { aliases: [www.a.example], to: app, use: [lock] }\n"
    "  b.example: { to: http://10.0.0.3, routes: [{ match: Path(`/x`), to: mix, use: [hi] }] }\n"
    "routes: [{ match: HostSNI(`*`), to: db, entrypoints: [raw], name: 'db@docker' }]\n"
    "services:\n"
    "  app: { health: { path: '/h?token=hush', headers: { X-Token: hush } }, servers: [{ url: "
    "http://10.0.0.1:81, weight: 3 }, http://10.0.0.1:82] }\n"
    "  mix: { split: [{ service: app, weight: 9 }, { service: app2, weight: 1 }] }\n"
    "  app2: http://10.0.0.2\n"
    "  spare: { failover: [app, app2] }\n"
    "  db: tcp://10.0.0.9:5432\n";

struct rig {
    struct rt_loop *loop;
    struct arena mem;
    struct diags diags;
    struct upstream_registry *registry;
    struct meters *meters;
    struct snapshot *s;
    struct worker *worker;
    struct report *report;
};

static void rig_init(struct rig *r, const char *yaml)
{
    *r = (struct rig){
        .loop = test_loop(0), .registry = upstream_registry_new(), .meters = meters_new()};
    arena_init(&r->mem, 1 << 26, NULL, 0);
    struct conf_node *root = conf_yaml_parse(str_of(yaml), "test.yaml", &r->mem, &r->diags);
    if (root)
        r->s = snapshot_build(
            root, &(struct snapshot_env){.registry = r->registry, .meters = r->meters}, &r->diags);
    for (size_t i = 0; i < r->diags.n; i++)
        printf("# %s\n", r->diags.items[i].text);
    if (!r->s)
        abort();
    r->worker = worker_new(0, &(struct worker_links){.registry = r->registry, .conns_max = 100});
    worker_switch(r->worker, r->s);
    struct status *status = status_new(r->s);
    while (!status_add(status, r->worker))
        ;
    r->report = MEM_NEW(struct report);
    r->report->status = status;
    r->report->at_ns = 1;
    static const struct status_process process = {.user = STR_INIT("nobody")};
    r->report->process = &process;
    atomic_init(&r->report->refs, 1);
    arena_init(&r->report->mem, 1 << 20, NULL, 0);
    report_know(r->report, STR(KNOWN));
    CHECK(r->report->known != NULL);
}

static void rig_fini(struct rig *r)
{
    report_unref(r->report);
    worker_free(r->worker);
    snapshot_unref(r->s);
    meters_free(r->meters);
    upstream_registry_free(r->registry);
    diags_fini(&r->diags);
    arena_fini(&r->mem);
    loop_free(r->loop);
}

// Strict: doubled keys and bytes that aren't UTF-8 are errors.
static json_t *ask(struct rig *r, const char *path, const char *query, unsigned status,
                   uint64_t *ret_next)
{
    struct api_request asked;
    struct text t = {.ptr = NULL};
    struct arena mem;
    json_error_t error;
    arena_init(&mem, 1 << 16, NULL, 0);
    CHECK_INT(api_request_parse(str_of(path), str_of(query), &mem, &asked), ERR_OK);
    atomic_fetch_add(&r->report->refs, 1);
    struct api_page *p = api_open(r->report, &asked);
    arena_fini(&mem);
    while (!api_prepare(p))
        ;
    CHECK_INT(api_status(p), status);
    // As slices: each piece into an empty text.
    for (bool is_more = true; is_more;) {
        struct text piece = {.ptr = NULL};
        is_more = api_write(p, &piece);
        text_put(&t, text_str(&piece));
        text_fini(&piece);
    }
    if (ret_next)
        *ret_next = api_next_page(p);
    api_close(p);
    json_t *j = json_loadb(t.ptr, t.len, JSON_REJECT_DUPLICATES, &error);
    if (!j)
        printf("# %s: %s: " STR_FMT "\n", path, error.text, STR_ARG(text_str(&t)));
    CHECK(j != NULL);
    text_fini(&t);
    return j;
}

static const char *text_at(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "(none)";
}

static void every_path_gives_json(void)
{
    struct rig r;
    rig_init(&r, settings);
    json_t *index = ask(&r, "/api/v1", "", 200, NULL);
    size_t i;
    json_t *item;
    json_array_foreach(index, i, item)
    {
        uint64_t next;
        const char *path = text_at(item, "path");
        if (strcmp(path, "/ping") == 0)
            continue; // isn't JSON
        json_t *j = ask(&r, path, "", 200, &next);
        bool is_list = json_is_true(json_object_get(item, "list"));
        CHECK_INT(json_is_array(j), is_list || strcmp(path, "/api/v1") == 0);
        CHECK_INT(next, is_list ? 1 : 0);
        json_decref(j);
    }
    json_decref(index);
    rig_fini(&r);
}

static void one_of_a_list_is_found_by_its_name(void)
{
    static const struct {
        const char *path;
        unsigned status;
        const char *key, *value;
    } cases[] = {
        {"/api/v1/routes/b.example/1", 200, "service", "mix"},
        {"/api/v1/routes/db@docker", 200, "provider", "docker"},
        {"/api/v1/routes/c.example", 404, "message", "not found"},
        {"/api/v1/services/spare", 200, "kind", "failover"},
        {"/api/v1/filters/lock", 200, "kind", "basic-auth"},
        {"/api/v1/certificates/b", 200, "error", "no"},
        {"/api/v1/entrypoints/raw", 200, "protocol", "tcp"},
        {"/api/v1/sites/a.example", 200, "name", "a.example"},
        {"/api/v1/errors/nobody", 404, "message", "not found"},
        {"/api/http/routers/a.example@file", 200, "service", "app@file"},
        {"/api/http/routers/a.example", 404, "message", "not found"},
        {"/api/http/routers/a.example@docker", 404, "message", "not found"},
        {"/api/tcp/routers/db@docker", 200, "provider", "docker"},
        {"/api/http/routers/db@docker", 404, "message", "not found"},
        {"/api/http/services/mix@file", 200, "type", "weighted"},
        {"/api/tcp/services/db@file", 200, "type", "loadbalancer"},
        {"/api/http/services/db@file", 404, "message", "not found"},
        {"/api/http/middlewares/lock@file", 200, "type", "basicauth"},
        {"/api/entrypoints/web", 200, "address", ":0"},
        {"/api/v1/settings/services.app2.balance", 200, "value", "round-robin"},
        {"/api/v1/settings/services.app.servers.0.weight", 200, "from", "test.yaml:8"},
        {"/api/v1/settings/filters.hi.headers.request.set.X-A.value", 200, "value", "plain"},
        {"/api/v1/settings/services.none", 404, "message", "not found"},
    };
    struct rig r;
    rig_init(&r, settings);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *j = ask(&r, cases[i].path, "", cases[i].status, NULL);
        CHECK_STR(str_of(text_at(j, cases[i].key)), str_of(cases[i].value));
        json_decref(j);
    }
    rig_fini(&r);
}

static void a_route_tells_its_filters_in_order_and_where_it_is_written(void)
{
    struct rig r;
    rig_init(&r, settings);
    json_t *j = ask(&r, "/api/v1/routes/b.example/1", "", 200, NULL);
    const char *rule, *filter, *kind, *source, *entry;
    int line, enabled;
    CHECK_INT(json_unpack(j, "{s:s,s:[{s:s,s:s}],s:{s:s,s:i},s:[s],s:b}", "rule", &rule, "filters",
                          "name", &filter, "kind", &kind, "from", "source", &source, "line", &line,
                          "entrypoints", &entry, "enabled", &enabled),
              0);
    CHECK_STR(str_of(rule), STR("(Host(`b.example`)) && (Path(`/x`))"));
    CHECK_STR(str_of(filter), STR("hi"));
    CHECK_STR(str_of(kind), STR("headers"));
    CHECK_STR(str_of(source), STR("test.yaml"));
    CHECK_INT(line, 5);
    CHECK_STR(str_of(entry), STR("web"));
    CHECK(enabled);
    json_decref(j);
    rig_fini(&r);
}

static void services_and_filters_tell_who_uses_them(void)
{
    static const struct {
        const char *path, *user;
        size_t n;
    } cases[] = {{"/api/v1/services/app", "a.example@file", 1},
                 {"/api/v1/services/mix", "b.example/1@file", 1},
                 {"/api/v1/services/db", "db@docker", 1},
                 {"/api/v1/filters/lock", "a.example@file", 1},
                 {"/api/v1/services/spare", "(none)", 0}};
    struct rig r;
    rig_init(&r, settings);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *j = ask(&r, cases[i].path, "", 200, NULL);
        const json_t *users = json_object_get(j, "used_by");
        const char *first = json_string_value(json_array_get(users, 0));
        CHECK_INT(json_array_size(users), cases[i].n);
        CHECK_STR(str_of(first ? first : "(none)"), str_of(cases[i].user));
        json_decref(j);
    }
    rig_fini(&r);
}

static void lists_can_be_searched_and_come_in_pages(void)
{
    static const struct {
        const char *path, *query;
        size_t n;
        uint64_t next;
    } cases[] = {
        {"/api/v1/routes", "", 4, 1},
        {"/api/v1/routes", "per_page=3", 3, 2},
        {"/api/v1/routes", "per_page=3&page=2", 1, 1},
        {"/api/v1/routes", "search=HOSTSNI", 1, 1},
        {"/api/v1/routes", "service=app", 1, 1},
        {"/api/v1/routes", "filter=lock", 1, 1},
        {"/api/v1/routes", "status=disabled", 0, 1},
        {"/api/http/routers", "serviceName=mix@file&status=enabled", 1, 1},
        {"/api/http/routers", "middlewareName=hi@file", 1, 1},
        {"/api/v1/sites", "search=www.", 1, 1},
        {"/api/v1/services", "search=app", 2, 1},
        {"/api/v1/certificates", "status=valid", 1, 1},
        {"/api/v1/certificates", "search=A.EX", 1, 1},
    };
    struct rig r;
    rig_init(&r, settings);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t next;
        json_t *j = ask(&r, cases[i].path, cases[i].query, 200, &next);
        CHECK_INT(json_array_size(j), cases[i].n);
        CHECK_INT(next, cases[i].next);
        json_decref(j);
    }
    json_t *j = ask(&r, "/api/v1/routes", "page=3", 400, NULL);
    CHECK(json_is_object(j));
    json_decref(j);
    rig_fini(&r);
}

static void raw_data_has_everything_by_its_name(void)
{
    struct rig r;
    rig_init(&r, settings);
    json_t *j = ask(&r, "/api/rawdata", "", 200, NULL);
    static const struct {
        const char *part;
        size_t n;
        const char *name;
    } parts[] = {{"routers", 3, "b.example/1@file"},
                 {"middlewares", 4, "lock@file"},
                 {"services", 5, "app@file"},
                 {"tcpRouters", 1, "db@docker"},
                 {"tcpServices", 1, "db@file"}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const json_t *part = json_object_get(j, parts[i].part);
        CHECK_INT(json_object_size(part), parts[i].n);
        CHECK(json_object_get(part, parts[i].name) != NULL);
    }
    json_decref(j);
    rig_fini(&r);
}

static void nothing_secret_is_told(void)
{
    static const char *const paths[] = {"/api/rawdata",
                                        "/api/v1/filters",
                                        "/api/v1/routes",
                                        "/api/http/middlewares",
                                        "/api/v1/status",
                                        "/api/v1/settings",
                                        "/api/v1/settings/filters",
                                        "/api/v1/settings/services",
                                        "/api/v1/settings/services.app.health.headers.X-Token",
                                        "/api/v1/settings/filters.lock.basic-auth",
                                        "/api/v1/settings/filters.hi.headers.request.set"};
    struct rig r;
    rig_init(&r, settings);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        json_t *j = ask(&r, paths[i], "", 200, NULL);
        char *all = json_dumps(j, 0);
        CHECK(all && !strstr(all, "$2y$") && !strstr(all, "hush"));
        free(all);
        json_decref(j);
    }
    rig_fini(&r);
}

static void an_empty_proxy_has_empty_lists(void)
{
    struct rig r;
    rig_init(&r, "sites: {}\nentrypoints: { web: { listen: ':0' } }\n");
    json_t *routes = ask(&r, "/api/v1/routes", "", 200, NULL);
    json_t *raw = ask(&r, "/api/rawdata", "", 200, NULL);
    json_t *one = ask(&r, "/api/v1/services/x", "", 404, NULL);
    CHECK_INT(json_array_size(routes), 0);
    CHECK_INT(json_object_size(raw), 5);
    json_decref(routes);
    json_decref(raw);
    json_decref(one);
    rig_fini(&r);
}

static void thousands_are_found_in_steps(void)
{
    struct text yaml = {.ptr = NULL};
    text_put(&yaml, STR("sites:\n"));
    for (int i = 0; i < 3000; i++)
        text_printf(&yaml, "  s%d.example: { to: app }\n", i);
    text_put(&yaml, STR("services: { app: http://10.0.0.1 }\n"));
    struct rig r;
    rig_init(&r, yaml.ptr);
    uint64_t next;
    json_t *last = ask(&r, "/api/v1/routes", "page=3&per_page=1000", 200, &next);
    CHECK_INT(json_array_size(last), 1000);
    CHECK_INT(next, 1);
    CHECK_STR(str_of(text_at(json_array_get(last, 999), "name")), STR("s2999.example"));
    json_t *app = ask(&r, "/api/v1/services/app", "", 200, NULL);
    CHECK_INT(json_array_size(json_object_get(app, "used_by")), 3000);
    json_decref(last);
    json_decref(app);
    rig_fini(&r);
    text_fini(&yaml);
}

TEST_MAIN(TEST(every_path_gives_json), TEST(one_of_a_list_is_found_by_its_name),
          TEST(a_route_tells_its_filters_in_order_and_where_it_is_written),
          TEST(services_and_filters_tell_who_uses_them),
          TEST(lists_can_be_searched_and_come_in_pages), TEST(raw_data_has_everything_by_its_name),
          TEST(nothing_secret_is_told), TEST(an_empty_proxy_has_empty_lists),
          TEST(thousands_are_found_in_steps))
