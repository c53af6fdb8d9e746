// SPDX-License-Identifier: Apache-2.0
#include "traefik_test.h"

// Middlewares as labels or files have them, and the filters that stand for them.
static const struct {
    const char *middleware, *filter;
} filters[] = {
    {"addPrefix: {prefix: /v2}", "{add-prefix: {prefix: /v2}}"},
    {"addprefix: {Prefix: v2}", "{add-prefix: {prefix: /v2}}"},
    {"stripPrefix: {prefixes: [/api/, /x]}", "{strip-prefix: {prefixes: [/api, /x]}}"},
    {"stripPrefix: {prefixes: [/api], forceSlash: false}", "{strip-prefix: {prefixes: [/api]}}"},
    {"stripPrefixRegex: {regex: ['/foo/[0-9]+']}",
     "{rewrite: {from: ^(?:(?:/foo/[0-9]+))/?, to: /}}"},
    {"replacePath: {path: /index.html}", "{replace-path: {path: /index.html}}"},
    {"replacePathRegex: {regex: '^/a/(.*)', replacement: '/b/$1'}",
     "{rewrite: {from: ^/a/(.*), to: /b/${1}}}"},
    {"redirectScheme: {scheme: https, permanent: true}",
     "{redirect: {scheme: https, permanent: yes}}"},
    {"redirectScheme: {scheme: https, port: 8443}",
     "{redirect: {scheme: https, port: 8443, permanent: no}}"},
    {"redirectRegex: {regex: '^http://a/(.*)', replacement: 'http://b/${1}'}",
     "{redirect: {of: url, from: ^(?:^http://a/(.*))(?<behindit>.*)$, to: "
     "http://b/${1}${behindit}, permanent: no}}"},
    {"redirectRegex: {regex: '/old/(.*)', replacement: '/new/$1', permanent: true}",
     "{redirect: {of: url, from: ^[a-z]+://(?<beforeit>.*?)(?:/old/(.*))(?<behindit>.*)$, to: "
     "{scheme}://${beforeit}/new/${2}${behindit}, permanent: yes}}"},
    {"basicAuth: {users: ['u:$$2y$$05$$abcdefghijklmnopqrstuuV0wVcTmB3rxm9K4BrKbg8rLQ9IFGTe2']}",
     "{basic-auth: {users: [u:$2y$05$abcdefghijklmnopqrstuuV0wVcTmB3rxm9K4BrKbg8rLQ9IFGTe2], "
     "realm: traefik, strip: no}}"},
    {"basicAuth: {users: ['u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='], realm: My, removeHeader: true, "
     "headerField: X-User}",
     "{basic-auth: {users: [u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=], realm: My, strip: yes, "
     "user-header: X-User}}"},
    {"ipAllowList: {sourceRange: [10.0.0.0/8, 192.168.1.7/24, '2001:db8::1']}",
     "{allow: {addresses: [10.0.0.0/8, 192.168.1.0/24, 2001:db8::1], status: 403}}"},
    {"ipWhiteList: {sourceRange: [127.0.0.1/32]}",
     "{allow: {addresses: [127.0.0.1/32], status: 403}}"},
    {"ipAllowList: {sourceRange: [10.0.0.0/8], rejectStatusCode: 404}",
     "{allow: {addresses: [10.0.0.0/8], status: 404}}"},
    {"forwardAuth: {address: 'http://a:9091/verify?rd=x', trustForwardHeader: true, "
     "authResponseHeaders: [Remote-User], authRequestHeaders: [Cookie], "
     "addAuthCookiesToResponse: [s], authResponseHeadersRegex: ^X-, headerField: X-U}",
     "{forward-auth: {address: http://a:9091/verify?rd=x, auth-response-headers: [Remote-User], "
     "auth-request-headers: [Cookie], add-auth-cookies-to-response: [s], "
     "auth-response-headers-regex: ^X-, user-header: X-U}}"},
    {"forwardAuth: {address: 'http://a', forwardBody: true, maxBodySize: 5000, "
     "preserveRequestMethod: true}",
     "{forward-auth: {address: http://a, preserve-method: yes, forward-body: yes, body-max: "
     "5000}}"},
    {"rateLimit: {average: 100, burst: 50}",
     "{rate-limit: {rate: 100/s, burst: 50, delay: 5ms, key: client-ip}}"},
    {"rateLimit: {average: 10, period: 1m}",
     "{rate-limit: {rate: 10/m, burst: 1, delay: 500ms, key: client-ip}}"},
    {"rateLimit: {average: 5, period: 10s, sourceCriterion: {requestHeaderName: X-Key}}",
     "{rate-limit: {rate: 30/m, burst: 1, delay: 500ms, key: header:X-Key}}"},
    {"rateLimit: {average: 5, sourceCriterion: {requestHost: true}}",
     "{rate-limit: {rate: 5/s, burst: 1, delay: 100ms, key: host}}"},
    {"rateLimit: {average: 5, sourceCriterion: {ipStrategy: {ipv6Subnet: 64}}}",
     "{rate-limit: {rate: 5/s, burst: 1, delay: 100ms, key: client-ip, ipv6-prefix: 64}}"},
    {"inFlightReq: {amount: 10}", "{concurrency: {max: 10, key: host}}"},
    {"inFlightReq: {amount: 10, sourceCriterion: {ipStrategy: {depth: 0}}}",
     "{concurrency: {max: 10, key: client-ip}}"},
    {"compress: {}", "{compress: {min-size: 1024}}"},
    {"compress: {includedContentTypes: [text/html], minResponseBodyBytes: 1200, "
     "encodings: [br, gzip]}",
     "{compress: {codings: [br, gzip], types: [text/html], min-size: 1200}}"},
    {"errors: {status: ['500-599'], service: s, query: '/{status}.html'}",
     "{error-pages: {pages: [{statuses: [500-599], service: s@file, path: /{status}.html}]}}"},
    {"buffering: {memRequestBodyBytes: 2000}", "{buffer: {memory: 1048576}}"},
    {"buffering: {memRequestBodyBytes: 4194304}", "{buffer: {memory: 4194304}}"},
    {"headers: {customRequestHeaders: {X-A: '1', X-B: ''}, customResponseHeaders: {Server: ''}}",
     "{headers: {response: {remove: [Server]}, request: {set: {X-A: 1}, remove: [X-B]}}}"},
    {"headers: {stsSeconds: 31536000, stsIncludeSubdomains: true, stsPreload: true, "
     "forceSTSHeader: true}",
     "{headers: {response: {set: {Strict-Transport-Security: max-age=31536000; "
     "includeSubDomains; preload}}}}"},
    {"headers: {frameDeny: true, contentTypeNosniff: true, browserXssFilter: true, "
     "referrerPolicy: no-referrer}",
     "{headers: {response: {set: {X-Frame-Options: DENY, X-Content-Type-Options: nosniff, "
     "X-XSS-Protection: 1; mode=block, Referrer-Policy: no-referrer}}}}"},
    {"headers: {frameDeny: true, customResponseHeaders: {x-frame-options: SAMEORIGIN}}",
     "{headers: {response: {set: {X-Frame-Options: SAMEORIGIN}}}}"},
    {"headers: {accessControlAllowOriginList: ['https://a.example'], accessControlAllowMethods: "
     "[GET, PUT], accessControlAllowHeaders: [X-A], accessControlMaxAge: 100, addVaryHeader: true}",
     "{cors: {origins: [https://a.example], methods: [GET, PUT], headers: [X-A], credentials: no, "
     "max-age: 100000ms}}"},
    {"headers: {accessControlAllowOriginListRegex: ['^https://a']}",
     "{cors: {origin-patterns: [.*(?:^https://a).*], credentials: no, max-age: 0ms}}"},
    {"headers: {sslRedirect: true}", "{redirect: {scheme: https, permanent: yes}}"},
    {"headers: {sslRedirect: true, sslTemporaryRedirect: true, sslHost: b.example}",
     "{redirect: {of: url, from: ^http:, to: https://b.example{path}{query}, permanent: no}}"},
};

static struct converted with_middleware(const char *middleware)
{
    struct text t = {.ptr = NULL};
    text_printf(&t,
                "http:\n  routers: {r: {rule: 'Host(`a.example`)', service: s, middlewares: [m]}}\n"
                "  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n"
                "  middlewares:\n    m: {%s}\n",
                middleware);
    struct converted r = convert(t.ptr, "{}");
    text_fini(&t);
    return r;
}

static void middlewares_become_filters(void)
{
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        struct converted r = with_middleware(filters[i].middleware);
        CHECK_STR(problems_text(&r), STR_NONE);
        CHECK_STR(filter_text(&r, "m@file"), str_of(filters[i].filter));
        converted_fini(&r);
    }
}

// Those that can't be had, and what is said of them.
static const struct {
    const char *middleware, *problem;
} refused[] = {
    {"digestAuth: {users: [a:b:c]}",
     "digestAuth is refused: digest authentication isn't supported"},
    {"plugin: {x: {}}", "plugin is refused: plugins are programs for Traefik"},
    {"passTLSClientCert: {pem: true}", "passTLSClientCert is refused: "},
    {"grpcWeb: {allowOrigins: ['*']}", "grpcWeb is refused: "},
    {"basicAut: {users: [a]}", "there is no middleware of the kind 'basicAut': did you mean "
                               "'basicAuth'?"},
    {"basicAuth: {user: [a]}", "there is no 'user' here: did you mean 'users'?"},
    {"basicAuth: {users: ['file:/etc/shadow']}", "a user can't be called 'file' or 'env'"},
    {"basicAuth: {users: ['env:HOME']}", "a user can't be called 'file' or 'env'"},
    {"basicAuth: {}", "basic-auth needs 'users' or 'users-file'"},
    {"ipAllowList: {sourceRange: [private]}", "'private' is neither an address nor a network"},
    {"ipAllowList: {sourceRange: ['file:/etc/passwd']}",
     "'file:/etc/passwd' is neither an address"},
    {"ipAllowList: {sourceRange: [10.0.0.0/40]}", "'10.0.0.0/40' is neither"},
    {"ipAllowList: {sourceRange: [10.0.0.1], ipStrategy: {depth: 1}}", "ipStrategy: one address"},
    {"rateLimit: {average: 1, redis: {endpoints: [a]}}", "rateLimit.redis: limits are counted by"},
    {"rateLimit: {average: 1, period: 7s}", "average in this period is no whole number"},
    {"headers: {allowedHosts: [a]}",
     "headers.allowedHosts: write the hosts into the router's rule"},
    {"headers: {customFrameOptionValue: a}", "there is no 'customFrameOptionValue' here: did you "
                                             "mean 'customFrameOptionsValue'?"},
    {"headers: {customRequestHeaders: {Content-Length: '1'}}", "'Content-Length'"},
    {"forwardAuth: {address: auth}", "'auth' is no URL with http:// or https://"},
    {"forwardAuth: {address: 'unix:/x'}", "'unix:/x' is no URL with http:// or https://"},
    {"forwardAuth: {address: 'http://a', forwardBody: true}", "forwardBody needs maxBodySize"},
    {"forwardAuth: {address: 'http://a', forwardBody: true, maxBodySize: -1}", "maxBodySize"},
    {"redirectRegex: {regex: 'a', replacement: '{host}'}", "replacement '{host}': groups are"},
    {"redirectRegex: {regex: '(', replacement: 'b'}", ""},
    {"replacePathRegex: {regex: '^/a', replacement: '/b?c'}", "replacement '/b?c': groups are"},
    {"circuitBreaker: {expression: 'NetworkErrorRatio() > 0.5 && LatencyAtQuantileMS(50.0) > 9'}",
     "the expression can be"},
    {"errors: {status: [500], service: x}", "there is no service 'x@file'"},
    {"contentType: {}", "types of answers aren't guessed"},
    {"chain: {middlewares: [m]}", "the middleware 'm@file' leads back to itself"},
    {"chain: {middlewares: [gone]}", "there is no middleware 'gone@file'"},
    {"basicAuth: {users: [a:b]}, addPrefix: {prefix: /a}", "a middleware is of one kind"},
};

static void what_cant_be_had_whole_disables_the_router(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct converted r = with_middleware(refused[i].middleware);
        struct str problems = problems_text(&r);
        CHECK(str_starts(problems, STR("!r@file: ")));
        if (str_search(problems, str_of(refused[i].problem)) == STR_NPOS)
            CHECK_STR(problems, str_of(refused[i].problem));
        // The route keeps its place, and answers 503.
        struct str routes = tree_text(r.settings.routes, &r.mem);
        CHECK(str_starts(routes, STR("[{match: Host(`a.example`), name: r@file, priority: 17, "
                                     "disabled: ")));
        CHECK(str_ends(routes, STR(", entrypoints: [web]}]")));
        CHECK_INT(r.settings.filters->n, 0);
        CHECK_INT(r.settings.services->n, 0);
        converted_fini(&r);
    }
}

static void a_chain_is_its_middlewares_in_order(void)
{
    struct converted r =
        convert("http:\n"
                "  routers: {r: {rule: 'Host(`a`)', service: s, middlewares: [c, own@file]}}\n"
                "  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n"
                "  middlewares:\n"
                "    C: {chain: {middlewares: [B, a]}}\n"
                "    a: {addPrefix: {prefix: /a}}\n"
                "    b: {headers: {sslRedirect: true, frameDeny: true}}\n",
                "filters: {own: {add-prefix: {prefix: /own}}}");
    CHECK_STR(problems_text(&r), STR_NONE);
    CHECK_STR(tree_text(conf_node_get(r.settings.routes->first, STR("use")), &r.mem),
              STR("[b@file, b@file/2, a@file, own]"));
    CHECK_STR(filter_text(&r, "b@file/2"),
              STR("{headers: {response: {set: {X-Frame-Options: DENY}}}}"));
    converted_fini(&r);
}

static void retries_and_breakers_go_to_a_service_of_the_routes_own(void)
{
    struct converted r =
        convert("http:\n"
                "  routers:\n"
                "    r: {rule: 'Host(`a`)', service: s, middlewares: [try, cb]}\n"
                "    plain: {rule: 'Host(`b`)', service: s}\n"
                "  services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}\n"
                "  middlewares:\n"
                "    try: {retry: {attempts: 4, initialInterval: 100ms}}\n"
                "    cb: {circuitBreaker: {expression: 'NetworkErrorRatio() > 0.30 || "
                "ResponseCodeRatio(500, 600, 0, 600) > 0.3 || LatencyAtQuantileMS(95.0) > 100', "
                "fallbackDuration: 20s}}\n",
                "{}");
    CHECK_STR(problems_text(&r), STR_NONE);
    CHECK_STR(tree_text(conf_node_get(r.settings.routes->first, STR("to")), &r.mem),
              STR("s@file for r@file"));
    CHECK_STR(service_text(&r, "s@file for r@file"),
              STR("{servers: [{url: http://10.0.0.1:80, weight: 1}], answer-timeout: 86400000ms, "
                  "body-timeout: 86400000ms, tries: 4, breaker: {percent: 30, when: [connect, "
                  "closed, timeout, malformed, 500-599], slow: 100ms, slow-percent: 5, open: "
                  "20000ms}}"));
    CHECK(service_text(&r, "s@file").len > 0);
    converted_fini(&r);
}

static void an_auth_server_with_tls_is_a_service(void)
{
    struct converted r = with_middleware("forwardAuth: {address: 'https://auth:9443/a/b?c=d', tls: "
                                         "{insecureSkipVerify: true}}");
    CHECK_STR(problems_text(&r), STR_NONE);
    CHECK_STR(filter_text(&r, "m@file"),
              STR("{forward-auth: {address: m@file/auth, path: /a/b?c=d}}"));
    CHECK_STR(service_text(&r, "m@file/auth"),
              STR("{servers: [https://auth:9443], tls: {verify: off}}"));
    converted_fini(&r);
}

static void excluded_types_are_taken_from_the_usual_ones(void)
{
    struct converted r = with_middleware("compress: {excludedContentTypes: [text/event-stream]}");
    struct str text = filter_text(&r, "m@file");
    CHECK_STR(problems_text(&r), STR_NONE);
    CHECK(str_search(text, STR("text/html")) != STR_NPOS);
    CHECK(str_search(text, STR("text/event-stream")) == STR_NPOS);
    CHECK(str_search(text, STR("text/*")) == STR_NPOS);
    converted_fini(&r);
}

int main(int argc, char **argv)
{
    const struct test_case cases[] = {
        TEST(middlewares_become_filters),
        TEST(what_cant_be_had_whole_disables_the_router),
        TEST(a_chain_is_its_middlewares_in_order),
        TEST(retries_and_breakers_go_to_a_service_of_the_routes_own),
        TEST(an_auth_server_with_tls_is_a_service),
        TEST(excluded_types_are_taken_from_the_usual_ones),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
