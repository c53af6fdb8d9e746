// SPDX-License-Identifier: Apache-2.0
// Members and their case as Traefik's API has them (its pkg/api and its OpenAPI of v3).
#include "admin/api_forms.h"

#include "unit/test.h"

#define CHECK_WRITTEN(t, wanted)                                                                   \
    do {                                                                                           \
        CHECK_STR(text_str(&(t)), STR(wanted));                                                    \
        text_fini(&(t));                                                                           \
    } while (0)

static const struct str names[] = {STR_INIT("auth"), STR_INIT("cut@docker")};

static void names_get_their_provider_once(void)
{
    struct text t = {.ptr = NULL};
    api_put_traefik_name(STR("a"), STR("file"), &t);
    text_byte(&t, ' ');
    api_put_traefik_name(STR("a@docker"), STR("file"), &t);
    CHECK_WRITTEN(t, "a@file a@docker");
}

static void routers_have_traefiks_members(void)
{
    struct text t = {.ptr = NULL}, u = {.ptr = NULL}, v = {.ptr = NULL};
    struct api_route r = {.thing = {.name = STR("shop"), .provider = STR("file")},
                          .rule = STR("Host(`a`)"),
                          .priority = 9,
                          .entrypoints = {names, 1},
                          .filters = {names, 2},
                          .service = STR("api@internal"),
                          .service_provider = STR("internal"),
                          .issuer = STR("le"),
                          .is_tls = true};
    api_put_traefik_router(&r, false, &t);
    CHECK_WRITTEN(t, "{\"name\":\"shop@file\",\"provider\":\"file\",\"status\":\"enabled\","
                     "\"entryPoints\":[\"auth\"],\"middlewares\":[\"auth@file\",\"cut@docker\"],"
                     "\"service\":\"api@internal\",\"rule\":\"Host(`a`)\",\"priority\":9,"
                     "\"tls\":{\"options\":\"default\",\"certResolver\":\"le\"},"
                     "\"using\":[\"auth\"]}");
    r = (struct api_route){.thing = {.name = STR("db@docker"), .error = STR("no network")},
                           .rule = STR("HostSNI(`*`)"),
                           .service = STR("db"),
                           .service_provider = STR("docker"),
                           .is_connection = true};
    api_put_traefik_router(&r, true, &u);
    CHECK_WRITTEN(u, "{\"status\":\"disabled\",\"error\":[\"no network\"],"
                     "\"service\":\"db@docker\",\"rule\":\"HostSNI(`*`)\",\"priority\":0,"
                     "\"tls\":{\"passthrough\":true}}");
    api_put_traefik_router(&r, false, &v);
    CHECK(str_starts(text_str(&v), STR("{\"name\":\"db@docker\",\"provider\":\"docker\",")));
    text_fini(&v);
}

static void services_tell_servers_and_their_status(void)
{
    const struct api_server servers[] = {{STR("http://10.0.0.1"), true, 1},
                                         {STR("http://10.0.0.2"), false, 5},
                                         {STR("http://10.0.0.1"), false, 1}};
    const struct api_member members[] = {{STR("a"), 9}, {STR("b@docker"), 1}};
    struct text t = {.ptr = NULL}, u = {.ptr = NULL}, v = {.ptr = NULL}, w = {.ptr = NULL};
    struct api_service s = {.thing = {.name = STR("app"), .provider = STR("file")},
                            .servers = servers,
                            .n_servers = 3,
                            .used_by = {names, 1},
                            .keeps_host = true};
    api_put_traefik_service(&s, false, &t);
    CHECK_WRITTEN(t, "{\"name\":\"app@file\",\"provider\":\"file\",\"status\":\"enabled\","
                     "\"usedBy\":[\"auth@file\"],\"loadBalancer\":{\"servers\":["
                     "{\"url\":\"http://10.0.0.1\"},{\"url\":\"http://10.0.0.2\",\"weight\":5},"
                     "{\"url\":\"http://10.0.0.1\"}],\"passHostHeader\":true},"
                     "\"serverStatus\":{\"http://10.0.0.2\":\"DOWN\",\"http://10.0.0.1\":\"DOWN\"},"
                     "\"type\":\"loadbalancer\"}");
    s = (struct api_service){
        .thing = s.thing, .kind = API_SERVICE_SPLIT, .members = members, .n_members = 2};
    api_put_traefik_service(&s, true, &u);
    CHECK_WRITTEN(u, "{\"status\":\"enabled\",\"weighted\":{\"services\":[{\"name\":\"a@file\","
                     "\"weight\":9},{\"name\":\"b@docker\",\"weight\":1}]}}");
    s.kind = API_SERVICE_FAILOVER;
    api_put_traefik_service(&s, true, &v);
    CHECK_WRITTEN(v, "{\"status\":\"enabled\",\"failover\":{\"service\":\"a@file\","
                     "\"fallback\":\"b@docker\"}}");
    s = (struct api_service){
        .thing = s.thing, .servers = servers, .n_servers = 1, .is_for_connections = true};
    api_put_traefik_service(&s, true, &w);
    CHECK_WRITTEN(w, "{\"status\":\"enabled\",\"loadBalancer\":{\"servers\":[{\"address\":"
                     "\"http://10.0.0.1\"}]},\"serverStatus\":{\"http://10.0.0.1\":\"UP\"}}");
}

static void filters_have_the_type_of_their_twin_and_tell_no_settings(void)
{
    struct text t = {.ptr = NULL}, u = {.ptr = NULL};
    struct api_filter f = {.thing = {.name = STR("auth"), .provider = STR("file")},
                           .kind = STR("basic-auth"),
                           .used_by = {names, 2}};
    api_put_traefik_middleware(&f, false, &t);
    CHECK_WRITTEN(t, "{\"name\":\"auth@file\",\"provider\":\"file\",\"status\":\"enabled\","
                     "\"usedBy\":[\"auth@file\",\"cut@docker\"],\"basicAuth\":{},"
                     "\"type\":\"basicauth\"}");
    f = (struct api_filter){.thing = f.thing, .kind = STR("jwt")};
    api_put_traefik_middleware(&f, false, &u);
    CHECK_WRITTEN(u, "{\"name\":\"auth@file\",\"provider\":\"file\",\"status\":\"enabled\","
                     "\"type\":\"jwt\"}");
}

static void entrypoints_version_and_overview_have_traefiks_members(void)
{
    const struct str providers[] = {STR("File"), STR("Docker")};
    struct text t = {.ptr = NULL}, u = {.ptr = NULL}, v = {.ptr = NULL};
    api_put_traefik_entry(
        &(struct api_entry){
            .name = STR("websecure"), .listen = STR(":443"), .is_tls = true, .filters = {names, 1}},
        &t);
    CHECK_WRITTEN(t, "{\"name\":\"websecure\",\"address\":\":443\",\"http\":{\"middlewares\":["
                     "\"auth@file\"],\"tls\":{}}}");
    api_put_traefik_version(STR("1.2"), STR("2026-01-01T00:00:00Z"), &u);
    CHECK_WRITTEN(u, "{\"Version\":\"1.2\",\"Codename\":\"sallyport\","
                     "\"startDate\":\"2026-01-01T00:00:00Z\"}");
    api_put_traefik_overview(&(struct api_overview){.http_routes = {3, 1},
                                                    .has_access_log = true,
                                                    .providers = {providers, 2}},
                             &v);
    CHECK_WRITTEN(v, "{\"http\":{\"routers\":{\"total\":3,\"warnings\":0,\"errors\":1},"
                     "\"services\":{\"total\":0,\"warnings\":0,\"errors\":0},"
                     "\"middlewares\":{\"total\":0,\"warnings\":0,\"errors\":0}},"
                     "\"tcp\":{\"routers\":{\"total\":0,\"warnings\":0,\"errors\":0},"
                     "\"services\":{\"total\":0,\"warnings\":0,\"errors\":0},"
                     "\"middlewares\":{\"total\":0,\"warnings\":0,\"errors\":0}},"
                     "\"udp\":{\"routers\":{\"total\":0,\"warnings\":0,\"errors\":0},"
                     "\"services\":{\"total\":0,\"warnings\":0,\"errors\":0}},"
                     "\"features\":{\"tracing\":\"\",\"metrics\":\"\",\"accessLog\":true,"
                     "\"hub\":false},\"providers\":[\"File\",\"Docker\"]}");
}

TEST_MAIN(TEST(names_get_their_provider_once), TEST(routers_have_traefiks_members),
          TEST(services_tell_servers_and_their_status),
          TEST(filters_have_the_type_of_their_twin_and_tell_no_settings),
          TEST(entrypoints_version_and_overview_have_traefiks_members))
