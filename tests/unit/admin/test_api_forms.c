// SPDX-License-Identifier: Apache-2.0
#include "admin/api_forms.h"

#include "unit/test.h"

#define CHECK_WRITTEN(t, wanted)                                                                   \
    do {                                                                                           \
        CHECK_STR(text_str(&(t)), STR(wanted));                                                    \
        text_fini(&(t));                                                                           \
    } while (0)

static const struct str two[] = {STR_INIT("a"), STR_INIT("b")};

static void a_route_is_written_with_all_that_decides(void)
{
    const struct str kinds[] = {STR("headers"), STR("jwt")};
    struct text t = {.ptr = NULL};
    api_put_route(&(struct api_route){.thing = {.name = STR("r\"1"),
                                                .provider = STR("docker"),
                                                .place = {.source = "container web", .line = 0},
                                                .error = STR("no such network")},
                                      .rule = STR("Path(`/`)"),
                                      .priority = 9,
                                      .entrypoints = {two, 1},
                                      .filters = {two, 2},
                                      .kinds = {kinds, 2},
                                      .service = STR("app"),
                                      .issuer = STR("le"),
                                      .is_tls = true},
                  &t);
    CHECK_WRITTEN(t, "{\"name\":\"r\\\"1\",\"provider\":\"docker\",\"enabled\":false,"
                     "\"error\":\"no such network\",\"from\":{\"source\":\"container web\"},"
                     "\"rule\":\"Path(`/`)\",\"priority\":9,\"entrypoints\":[\"a\"],\"tls\":true,"
                     "\"connections\":false,\"issuer\":\"le\",\"filters\":[{\"name\":\"a\","
                     "\"kind\":\"headers\"},{\"name\":\"b\",\"kind\":\"jwt\"}],"
                     "\"service\":\"app\"}");
}

static void a_service_is_written_by_its_kind(void)
{
    const struct api_member members[] = {{STR("x"), 3}};
    struct text t = {.ptr = NULL}, u = {.ptr = NULL};
    api_put_service(&(struct api_service){.thing = {.name = STR("s"), .provider = STR("file")},
                                          .detail = STR("\"servers\":[]"),
                                          .used_by = {two, 1}},
                    &t);
    CHECK_WRITTEN(t, "{\"name\":\"s\",\"provider\":\"file\",\"enabled\":true,\"kind\":\"servers\","
                     "\"connections\":false,\"servers\":[],\"used_by\":[\"a\"]}");
    api_put_service(&(struct api_service){.thing = {.name = STR("s"), .provider = STR("file")},
                                          .kind = API_SERVICE_SPLIT,
                                          .members = members,
                                          .n_members = 1},
                    &u);
    CHECK_WRITTEN(u, "{\"name\":\"s\",\"provider\":\"file\",\"enabled\":true,\"kind\":\"split\","
                     "\"connections\":false,\"members\":[{\"service\":\"x\",\"weight\":3}],"
                     "\"used_by\":[]}");
}

static void entrypoints_sites_and_filters_are_written(void)
{
    struct text t = {.ptr = NULL}, u = {.ptr = NULL}, v = {.ptr = NULL};
    api_put_entry(&(struct api_entry){.name = STR("web"),
                                      .listen = STR(":443"),
                                      .port = 443,
                                      .is_tls = true,
                                      .has_http2 = true,
                                      .n_conns = 7},
                  &t);
    CHECK_WRITTEN(t, "{\"name\":\"web\",\"listen\":\":443\",\"port\":443,\"protocol\":\"http\","
                     "\"tls\":true,\"http2\":true,\"filters\":[],\"connections\":7}");
    api_put_filter(&(struct api_filter){.thing = {.name = STR("f"),
                                                  .provider = STR("file"),
                                                  .place = {.source = "x.yaml", .line = 4}},
                                        .kind = STR("cors")},
                   &u);
    CHECK_WRITTEN(u, "{\"name\":\"f\",\"provider\":\"file\",\"enabled\":true,\"from\":{\"source\":"
                     "\"x.yaml\",\"line\":4},\"kind\":\"cors\",\"used_by\":[]}");
    api_put_site(&(struct api_site){.thing = {.name = STR("s"), .provider = STR("file")},
                                    .names = {two, 2},
                                    .n_routes = 2},
                 &v);
    CHECK_WRITTEN(v, "{\"name\":\"s\",\"provider\":\"file\",\"enabled\":true,\"names\":[\"a\","
                     "\"b\"],\"entrypoints\":[],\"tls\":false,\"filters\":[],\"to\":[],"
                     "\"routes\":2}");
}

TEST_MAIN(TEST(a_route_is_written_with_all_that_decides), TEST(a_service_is_written_by_its_kind),
          TEST(entrypoints_sites_and_filters_are_written))
