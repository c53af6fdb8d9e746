// SPDX-License-Identifier: Apache-2.0
#include "traefik_test.h"

static struct converted with_router(const char *router)
{
    struct text t = {.ptr = NULL};
    text_printf(&t,
                "tcp:\n"
                "  routers: {r: %s}\n"
                "  services:\n"
                "    s: {loadBalancer: {servers: [{address: 'a:1'}, {address: 'b:2'}], "
                "proxyProtocol: {}, terminationDelay: 100}}\n"
                "  middlewares: {in: {ipAllowList: {sourceRange: [10.0.0.0/8, 192.168.0.1/16]}}, "
                "n: {inFlightConn: {amount: 1}}}\n"
                "http:\n"
                "  routers: {h: {rule: 'Host(`a`)', service: h, entryPoints: [web]}}\n"
                "  services: {h: {loadBalancer: {servers: [{url: 'http://a'}]}}}\n",
                router);
    struct converted r = convert(t.ptr, "{}");
    text_fini(&t);
    return r;
}

static void tcp_routers_become_routes(void)
{
    static const struct {
        const char *router, *route;
        size_t n_tcp;
    } cases[] = {
        {"{rule: 'HostSNI(`a.example`)', entryPoints: [websecure], service: s, tls: {passthrough: "
         "true}}",
         "{entrypoints: [websecure], match: HostSNI(`a.example`), name: tcp:r@file, priority: 20, "
         "passthrough: yes, to: tcp:s@file}",
         0},
        {"{rule: 'HostSNI(`a.example`)', service: s, tls: {passthrough: true}, priority: 3}",
         "{entrypoints: [websecure], match: HostSNI(`a.example`), name: tcp:r@file, priority: 3, "
         "passthrough: yes, to: tcp:s@file}",
         0},
        {"{rule: 'HostSNI(`*`)', entryPoints: [postgres], service: s, middlewares: [in]}",
         "{entrypoints: [postgres], match: (HostSNI(`*`)) && ClientIP(`10.0.0.0/8`, "
         "`192.168.0.0/16`), name: tcp:r@file, priority: 12, passthrough: no, to: tcp:s@file}",
         1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct converted r = with_router(cases[i].router);
        CHECK_STR(problems_text(&r), STR_NONE);
        CHECK_STR(tree_text(r.settings.routes->first, &r.mem), str_of(cases[i].route));
        CHECK_INT(r.settings.n_tcp_entries, cases[i].n_tcp);
        CHECK_STR(service_text(&r, "tcp:s@file"),
                  STR("{servers: [tcp://a:1, tcp://b:2], proxy-protocol: v2}"));
        converted_fini(&r);
    }
}

static void tcp_routers_that_cant_be_had_are_disabled(void)
{
    static const struct {
        const char *router, *problem;
    } cases[] = {
        {"{rule: 'HostSNI(`a`)', entryPoints: [websecure], service: s, tls: {}}",
         "TLS of TCP routers is left to the server"},
        {"{rule: 'HostSNI(`*`)', entryPoints: [websecure], service: s}",
         "the entrypoint 'websecure' speaks TLS"},
        {"{rule: 'HostSNI(`*`)', entryPoints: [web], service: s}",
         "the entrypoint 'web' is for HTTP"},
        {"{rule: 'HostSNI(`*`)', service: s}", "a TCP router needs entryPoints"},
        {"{rule: 'HostSNI(`*`)', entryPoints: [postgres], service: gone}",
         "there is no TCP service 'gone'"},
        {"{rule: 'HostSNI(`*`)', entryPoints: [postgres], service: s, middlewares: [n]}",
         "of TCP middlewares there is ipAllowList alone"},
        {"{rule: 'HostSNI(`*`)', entryPoints: [postgres], service: s, middlewares: [gone]}",
         "there is no TCP middleware 'gone'"},
        {"{rule: 'Path(`/`)', entryPoints: [postgres], service: s}", ""},
        {"{rule: 'HostSNI(`*`)', entryPoints: [gone], service: s}",
         "there is no entrypoint 'gone'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct converted r = with_router(cases[i].router);
        struct str problems = problems_text(&r);
        CHECK(str_starts(problems, STR("!tcp:r@file: ")));
        if (str_search(problems, str_of(cases[i].problem)) == STR_NPOS)
            CHECK_STR(problems, str_of(cases[i].problem));
        CHECK_INT(r.settings.n_tcp_entries, 0);
        CHECK_INT(r.settings.routes->n, 1);
        converted_fini(&r);
    }
}

int main(int argc, char **argv)
{
    const struct test_case cases[] = {
        TEST(tcp_routers_become_routes),
        TEST(tcp_routers_that_cant_be_had_are_disabled),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
