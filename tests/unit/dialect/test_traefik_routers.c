// SPDX-License-Identifier: Apache-2.0
#include "traefik_test.h"

#define SERVICE "services: {s: {loadBalancer: {servers: [{url: 'http://10.0.0.1:80'}]}}}"

static struct converted with_router(const char *router, const char *own)
{
    struct text t = {.ptr = NULL};
    text_printf(&t, "http:\n  routers: {r: %s}\n  " SERVICE "\n", router);
    struct converted r = convert(t.ptr, own);
    text_fini(&t);
    return r;
}

static const struct {
    const char *router, *routes;
} routers[] = {
    {"{rule: 'Host(`a`)', service: s}",
     "[{match: Host(`a`), name: r@file, priority: 9, to: s@file, entrypoints: [web]}]"},
    {"{Rule: 'Host(`a`)', Service: S@file, Priority: 7, entrypoints: [WEB]}",
     "[{match: Host(`a`), name: r@file, priority: 7, to: s@file, entrypoints: [web]}]"},
    {"{rule: 'Host(`a`)', service: s, tls: {}}",
     "[{match: Host(`a`), name: r@file, priority: 9, to: s@file, entrypoints: [websecure]}]"},
    {"{rule: 'Host(`a`)', service: s, tls: {certResolver: LE}, entryPoints: [websecure]}",
     "[{match: Host(`a`), name: r@file, priority: 9, to: s@file, tls: {issuer: [le]}, "
     "entrypoints: [websecure]}]"},
    // The length that counts is that of the rule as it was written.
    {"{rule: 'HostHeader(`a`)', service: s}",
     "[{match: Host(`a`), name: r@file, priority: 15, to: s@file, entrypoints: [web]}]"},
    {"{rule: 'HostRegexp(`a.b`)', ruleSyntax: v2, service: s}",
     "[{match: HostRegexp(`^a\\.b$`), name: r@file, priority: 17, to: s@file, entrypoints: "
     "[web]}]"},
    {"{rule: 'Host(`a`)', service: noop@internal}",
     "[{match: Host(`a`), name: r@file, priority: 9, use: [answer-418@internal], entrypoints: "
     "[web]}]"},
    {"{rule: 'Host(`a`)', service: ping@internal}",
     "[{match: Host(`a`), name: r@file, priority: 9, to: ping@internal, entrypoints: [web]}]"},
    {"{rule: 'Host(`a`)', service: own@file}",
     "[{match: Host(`a`), name: r@file, priority: 9, to: own, entrypoints: [web]}]"},
};

#define OWN "{issuers: {le: {acme: {email: a@b.example}}}, services: {own: 'http://10.0.0.2'}}"

static void routers_become_routes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(routers); i++) {
        struct converted r = with_router(routers[i].router, OWN);
        CHECK_STR(problems_text(&r), STR_NONE);
        CHECK_STR(tree_text(r.settings.routes, &r.mem), str_of(routers[i].routes));
        converted_fini(&r);
    }
}

// What is wrong, and whether there is a route that answers 503 in its place.
static const struct {
    const char *router, *problem;
    bool has_place;
} wrong[] = {
    {"{rule: 'Host(`a`)', service: t}", "there is no service 't@file'", true},
    {"{rule: 'Host(`a`)'}", "it has no service", true},
    {"{service: s}", "it has no rule", false},
    {"{rule: 'Hos(`a`)', service: s}", "unknown matcher 'Hos'", false},
    {"{rule: 'Host(`a`)', service: s, middlewares: [gone]}", "there is no middleware 'gone@file'",
     true},
    {"{rule: 'Host(`a`)', service: s, middlewares: [x@docker]}",
     "there is no middleware 'x@docker'", true},
    {"{rule: 'Host(`a`)', service: s, middleware: [x]}",
     "there is no 'middleware' here: did you mean 'middlewares'?", true},
    {"{rule: 'Host(`a`)', service: s, entryPoints: [websecure]}", "none of its entrypoints", false},
    {"{rule: 'Host(`a`)', service: s, entryPoints: [gone]}", "none of its entrypoints", false},
    {"{rule: 'Host(`a`)', service: s, ruleSyntax: v1}", "ruleSyntax: v2 or v3", true},
    {"{rule: 'Host(`a`)', service: s, observability: {metrics: true}}",
     "router.observability: ", true},
    {"{rule: 'Host(`a`)', service: nothing@internal}", "nothing@internal", true},
    {"{rule: 'Host(`a`)', service: s, tls: }", "'tls' has no value: write {}", true},
};

static void routers_that_are_wrong_are_disabled(void)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct converted r = with_router(wrong[i].router, OWN);
        struct str problems = problems_text(&r);
        CHECK(str_search(problems, STR("!r@file: ")) != STR_NPOS);
        if (str_search(problems, str_of(wrong[i].problem)) == STR_NPOS)
            CHECK_STR(problems, str_of(wrong[i].problem));
        CHECK_INT(r.settings.routes->n, wrong[i].has_place);
        CHECK_INT(r.settings.services->n, 0);
        if (r.settings.routes->n > 0)
            CHECK(conf_node_get(r.settings.routes->first, STR("disabled")) &&
                  !conf_node_get(r.settings.routes->first, STR("use")) &&
                  !conf_node_get(r.settings.routes->first, STR("to")));
        converted_fini(&r);
    }
}

static void one_wrong_router_leaves_the_others_alone(void)
{
    struct converted r = convert("http:\n"
                                 "  routers:\n"
                                 "    bad: {rule: 'PathPrefix(`/admin`)', service: s, middlewares: "
                                 "[auth]}\n"
                                 "    good: {rule: 'PathPrefix(`/`)', service: s}\n"
                                 "  " SERVICE "\n",
                                 "{}");
    CHECK_STR(problems_text(&r), STR("!bad@file: there is no middleware 'auth@file'"));
    CHECK_INT(r.settings.routes->n, 2);
    CHECK_INT(r.settings.services->n, 1);
    CHECK_INT(r.settings.problems[0].place.line, 3);
    converted_fini(&r);
}

static void a_name_has_one_issuer(void)
{
    struct converted r = convert(
        "http:\n"
        "  routers:\n"
        "    a: {rule: 'Host(`a`)', service: s, tls: {certResolver: le}}\n"
        "    b: {rule: 'Host(`a`) && Path(`/b`)', service: s, tls: {}}\n"
        "    c: {rule: 'Host(`a`) && Path(`/c`)', service: s, tls: {certResolver: other}}\n"
        "    d: {rule: 'Host(`d`)', service: s, tls: {certResolver: gone}}\n"
        "  " SERVICE "\n",
        "{issuers: {le: {acme: {email: a@b.example}}, other: {acme: {email: a@b.example}}}}");
    CHECK_STR(problems_text(&r),
              STR("c@file: the certificate of 'a' comes from 'le' already, as another router says; "
                  "d@file: there is no certificate resolver 'gone': the usual issuer signs"));
    CHECK_INT(r.settings.routes->n, 4);
    converted_fini(&r);
}

static void servers_are_in_the_service(void)
{
    static const struct {
        const char *balancer, *service;
    } cases[] = {
        {"servers: [{url: 'http://a:1/'}, {url: 'http://b:2', weight: 3}], passHostHeader: false",
         "{servers: [{url: http://a:1, weight: 1}, {url: http://b:2, weight: 3}], host: server, "
         "answer-timeout: 86400000ms, body-timeout: 86400000ms}"},
        {"servers: [{url: 'h2c://a:1'}], sticky: {cookie: {}}, responseForwarding: {flushInterval: "
         "1s}",
         "{servers: [{url: h2c://a:1, weight: 1}], answer-timeout: 86400000ms, body-timeout: "
         "86400000ms, sticky: {secure: auto, http-only: no, max-age: 0ms}}"},
        {"servers: [{url: 'http://a:1'}], sticky: {cookie: {name: c, secure: true, httpOnly: true, "
         "sameSite: strict, maxAge: 60}}, strategy: p2c",
         "{servers: [{url: http://a:1, weight: 1}], balance: random-two, answer-timeout: "
         "86400000ms, body-timeout: 86400000ms, sticky: {cookie: c, same-site: strict, secure: "
         "always, http-only: yes, max-age: 60000ms}}"},
        {"servers: [{url: 'http://a:1'}], healthCheck: {path: /h, interval: 10, timeout: 1.5s, "
         "status: 204, headers: {X-A: b}}",
         "{servers: [{url: http://a:1, weight: 1}], answer-timeout: 86400000ms, body-timeout: "
         "86400000ms, health: {type: http, path: /h, status: [204], every: 10000ms, timeout: "
         "1500ms, fall: 1, headers: {X-A: b}}}"},
        {"servers: [{url: 'https://a'}], serversTransport: t",
         "{servers: [{url: https://a, weight: 1}], answer-timeout: 30000ms, body-timeout: "
         "86400000ms, tls: {server-name: n, verify: off}, http: 1.1, connect-timeout: 5000ms}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t = {.ptr = NULL};
        text_printf(&t,
                    "http:\n  routers: {r: {rule: 'Host(`a`)', service: s}}\n"
                    "  services: {s: {loadBalancer: {%s}}}\n"
                    "  serversTransports: {t: {serverName: n, insecureSkipVerify: true, "
                    "disableHTTP2: true, forwardingTimeouts: {dialTimeout: 5s, "
                    "responseHeaderTimeout: 30s}}}\n",
                    cases[i].balancer);
        struct converted r = convert(t.ptr, "{}");
        CHECK_STR(problems_text(&r), STR_NONE);
        CHECK_STR(service_text(&r, "s@file"), str_of(cases[i].service));
        converted_fini(&r);
        text_fini(&t);
    }
}

static void services_are_made_of_services(void)
{
    struct converted r = convert(
        "http:\n"
        "  routers:\n"
        "    w: {rule: 'Host(`w`)', service: w}\n"
        "    m: {rule: 'Host(`m`)', service: m}\n"
        "    f: {rule: 'Host(`f`)', service: f}\n"
        "    loop: {rule: 'Host(`l`)', service: loop}\n"
        "  services:\n"
        "    a: {loadBalancer: {servers: [{url: 'http://a'}]}}\n"
        "    b: {loadBalancer: {servers: [{url: 'http://b'}]}}\n"
        "    w: {weighted: {services: [{name: a, weight: 3}, {name: b}], sticky: {cookie: {name: "
        "c}}}}\n"
        "    m: {mirroring: {service: a, mirrors: [{name: b, percent: 10}]}}\n"
        "    f: {failover: {service: a, fallback: b}}\n"
        "    loop: {failover: {service: loop, fallback: b}}\n",
        "{}");
    CHECK_STR(service_text(&r, "w@file"),
              STR("{split: [{service: a@file, weight: 3}, {service: b@file, weight: 1}], sticky: "
                  "{cookie: c, secure: auto, http-only: no, max-age: 0ms}}"));
    CHECK_STR(service_text(&r, "m@file"),
              STR("{split: [a@file], mirror: {to: b@file, share: 10, body-max: 16MiB}}"));
    CHECK_STR(service_text(&r, "f@file"), STR("{failover: [a@file, b@file]}"));
    CHECK_STR(problems_text(&r), STR("!loop@file: the service 'loop@file': the service 'loop@file' "
                                     "leads back to itself"));
    converted_fini(&r);
}

static void servers_that_cant_be_had_disable_the_router(void)
{
    static const struct {
        const char *service, *problem;
    } cases[] = {
        {"loadBalancer: {servers: []}", "it has no servers"},
        {"loadBalancer: {servers: [{url: 'unix:/run/docker.sock'}]}", "is no URL with http://"},
        {"loadBalancer: {servers: [{url: 'http://a/path'}]}", "a server's URL has no path"},
        {"loadBalancer: {servers: [{url: 'http://a', preservePath: true}]}", "server.preservePath"},
        {"loadBalancer: {servers: [{url: 'http://a'}], serversTransport: gone}",
         "there is no serversTransport 'gone'"},
        {"loadBalancers: {servers: [{url: 'http://a'}]}", "there is no service of the kind"},
        {"highestRandomWeight: {services: []}", "there is no service of the kind"},
        {"loadBalancer: {servers: [{url: 'http://a'}], healthCheck: {followRedirects: true}}",
         "healthCheck.followRedirects"},
        {"mirroring: {service: s, mirrors: [{name: a}, {name: b}]}", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t = {.ptr = NULL};
        text_printf(&t,
                    "http: {routers: {r: {rule: 'Host(`a`)', service: x}}, services: {x: {%s}}}\n",
                    cases[i].service);
        struct converted r = convert(t.ptr, "{}");
        struct str problems = problems_text(&r);
        CHECK(str_starts(problems, STR("!r@file: the service 'x@file': ")));
        if (str_search(problems, str_of(cases[i].problem)) == STR_NPOS)
            CHECK_STR(problems, str_of(cases[i].problem));
        converted_fini(&r);
        text_fini(&t);
    }
}

static void names_that_mean_something_else_are_refused(void)
{
    struct converted r =
        convert("http: {routers: {r: {rule: 'Host(`a`)', service: 'http://evil'}}, services: "
                "{'http://evil': {loadBalancer: {servers: [{url: 'http://a'}]}}}}\n",
                "{}");
    CHECK_STR(problems_text(&r),
              STR("!r@file: the service 'http://evil@file': a name has up to 128 "
                  "letters, digits, '-', '_', '.' and '+'"));
    converted_fini(&r);
}

static void default_options_of_tls_go_to_entrypoints(void)
{
    static const struct {
        const char *options, *tls, *problem;
    } cases[] = {
        {"{minVersion: VersionTLS13, sniStrict: true}", "{min: 1.3, strict-sni: yes}", ""},
        {"{minVersion: VersionTLS12, cipherSuites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "
         "TLS_AES_128_GCM_SHA256], curvePreferences: [CurveP384, X25519], "
         "preferServerCipherSuites: "
         "true, disableSessionTickets: true}",
         "{min: 1.2, ciphers: [ECDHE-RSA-AES256-GCM-SHA384], groups: [P-384, X25519], tickets: no}",
         ""},
        {"{cipherSuites: [TLS_RSA_WITH_3DES_EDE_CBC_SHA]}", "", "isn't spoken"},
        {"{minVersion: SSLv3}", "", "is no version"},
        {"{clientAuth: {caFiles: [/ca.pem], clientAuthType: RequireAnyClientCert}}", "",
         "always verified"},
        {"{alpnProtocols: [h2]}", "", "options.alpnProtocols"},
        {"{minversion: VersionTLS13, sniStrickt: true}", "", "'sniStrickt' here"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t = {.ptr = NULL};
        text_printf(&t,
                    "http: {routers: {r: {rule: 'Host(`a`)', service: s, tls: {}}, p: {rule: "
                    "'Host(`p`)', service: s}}, " SERVICE "}\n"
                    "tls: {options: {default: %s, other: {}}}\n",
                    cases[i].options);
        struct converted r = convert(t.ptr, "{}");
        struct str problems = problems_text(&r);
        bool is_fine = cases[i].tls[0] != '\0';
        CHECK_STR(tree_text(r.settings.tls, &r.mem), str_of(cases[i].tls));
        CHECK_INT(problems.len == 0, is_fine);
        CHECK(is_fine || str_starts(problems, STR("!r@file: the options of TLS 'default@file': ")));
        if (str_search(problems, str_of(cases[i].problem)) == STR_NPOS)
            CHECK_STR(problems, str_of(cases[i].problem));
        CHECK_INT(r.settings.routes->n, 2);
        converted_fini(&r);
        text_fini(&t);
    }
}

static void options_of_tls_by_name_go_to_the_names_of_the_rule(void)
{
    static const struct {
        const char *options, *tls, *problem;
    } cases[] = {
        // What the default says, and they don't, is as if nobody had said it.
        {"modern", "{min: 1.3, tickets: no, max: 1.3, groups: []}", ""},
        {"Modern@file", "{min: 1.3, tickets: no, max: 1.3, groups: []}", ""},
        {"old", "{max: 1.2, groups: [X25519], min: 1.2}", ""},
        {"default", "", ""},
        {"none@file", "", "!r@file: there are no options of TLS 'none@file'"},
        {"modern@docker", "", "!r@file: there are no options of TLS 'modern@docker'"},
        {"wrong", "", "!r@file: the options of TLS 'wrong@file': 'SSLv3'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t = {.ptr = NULL};
        text_printf(
            &t,
            "http: {routers: {r: {rule: 'Host(`a`)', service: s, tls: {options: '%s'}}}, " SERVICE
            "}\n"
            "tls: {options: {default: {minVersion: VersionTLS12, maxVersion: VersionTLS12,\n"
            "  curvePreferences: [CurveP384]},\n"
            " modern: {minVersion: VersionTLS13, disableSessionTickets: true},\n"
            " old: {maxVersion: VersionTLS12, curvePreferences: [X25519]},\n"
            " wrong: {minVersion: SSLv3}}}\n",
            cases[i].options);
        struct converted r = convert(t.ptr, "{}");
        const struct conf_node *tls = conf_node_get(r.settings.routes->first, STR("tls"));
        CHECK_STR(tls ? tree_text(tls, &r.mem) : STR_NONE, str_of(cases[i].tls));
        CHECK(str_starts(problems_text(&r), str_of(cases[i].problem)));
        CHECK_INT(problems_text(&r).len == 0, cases[i].problem[0] == '\0');
        converted_fini(&r);
        text_fini(&t);
    }
}

static void a_name_has_one_kind_of_tls(void)
{
    struct converted r =
        convert("http: {routers: {\n"
                "  r: {rule: 'Host(`a`)', service: s, tls: {options: one}},\n"
                "  s: {rule: 'Host(`a`) && Path(`/s`)', service: s, tls: {options: one}},\n"
                "  t: {rule: 'Host(`a`) && Path(`/t`)', service: s, tls: {options: two}},\n"
                "  u: {rule: 'HostRegexp(`^a`)', service: s, tls: {options: one}},\n"
                "  v: {rule: 'HostRegexp(`^b`)', service: s, tls: {options: two}}},\n" SERVICE "}\n"
                "tls: {options: {one: {minVersion: VersionTLS13},\n"
                "  two: {clientAuth: {caFiles: [/ca.pem], clientAuthType: "
                "VerifyClientCertIfGiven}}}}\n",
                "{}");
    CHECK_STR(problems_text(&r),
              STR("!t@file: tls.options: 'a' has those of 'one@file' already, as another router "
                  "says, and a name has one kind of TLS; u@file: tls.options does nothing: the "
                  "rule has no Host; !v@file: tls.options: nobody would be asked for a "
                  "certificate, since the rule has no Host: name the hosts in it"));
    CHECK_INT(r.settings.routes->n, 5);
    converted_fini(&r);
}

// Who comes for a name is asked for a certificate by all of its routers, or they aren't served.
static void no_options_of_tls_let_clients_in_that_the_default_asks_for_a_certificate(void)
{
    static const struct {
        const char *routers, *auth, *problems;
    } cases[] = {
        {"r: {rule: 'Host(`a`)', service: s, tls: {}},\n"
         "s: {rule: 'Host(`a`) && Path(`/s`)', service: s, tls: {options: open}}",
         "clientAuth: {caFiles: [/ca.pem], clientAuthType: RequireAndVerifyClientCert}",
         "!s@file: tls.options: 'a' has those of 'default@file' already, as another router says, "
         "and a name has one kind of TLS"},
        {"r: {rule: 'Host(`a`) && Path(`/s`)', service: s, tls: {options: open}},\n"
         "s: {rule: 'Host(`b`) || Host(`a`)', service: s, tls: {options: default}}",
         "clientAuth: {caFiles: [/ca.pem], clientAuthType: RequireAndVerifyClientCert}",
         "!s@file: tls.options: 'a' has those of 'open@file' already, as another router says, and "
         "a name has one kind of TLS"},
        {"r: {rule: 'Host(`a`)', service: s, tls: {}},\n"
         "s: {rule: 'Host(`b`)', service: s, tls: {options: open}}",
         "clientAuth: {caFiles: [/ca.pem], clientAuthType: RequireAndVerifyClientCert}", ""},
        {"r: {rule: 'Host(`a`)', service: s, tls: {}},\n"
         "s: {rule: 'Host(`a`) && Path(`/s`)', service: s, tls: {options: open}}",
         "minVersion: VersionTLS12", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text t = {.ptr = NULL};
        text_printf(&t,
                    "http: {routers: {%s},\n" SERVICE "}\n"
                    "tls: {options: {default: {%s}, open: {minVersion: VersionTLS13}}}\n",
                    cases[i].routers, cases[i].auth);
        struct converted r = convert(t.ptr, "{}");
        CHECK_STR(problems_text(&r), str_of(cases[i].problems));
        converted_fini(&r);
        text_fini(&t);
    }
}

static void a_service_and_a_middleware_may_have_one_name(void)
{
    struct converted r =
        convert("http:\n"
                "  routers: {x: {rule: 'Host(`a`)', service: x, middlewares: [x]}}\n"
                "  services: {x: {loadBalancer: {servers: [{url: 'http://a'}]}}}\n"
                "  middlewares: {x: {addPrefix: {prefix: /a}}}\n",
                "{}");
    CHECK_STR(problems_text(&r), STR_NONE);
    CHECK_INT(r.settings.services->n, 1);
    CHECK_INT(r.settings.filters->n, 1);
    converted_fini(&r);
}

static void certificates_and_unknown_parts_are_told(void)
{
    struct converted r =
        convert("tls:\n"
                "  certificates: [{certFile: /a.pem, keyFile: /a.key, stores: [default]}]\n"
                "  stores: {default: {defaultCertificate: {certFile: /d.pem, keyFile: /d.key}}}\n"
                "  options: {x: {minVersion: VersionTLS13}}\n"
                "http: {router: {}}\n"
                "udp: {routers: {u: {service: x}}}\n",
                "{}");
    CHECK_STR(tree_text(r.settings.certificates, &r.mem),
              STR("[{cert: /a.pem, key: /a.key}, {cert: /d.pem, key: /d.key, default: yes}]"));
    CHECK_STR(problems_text(&r), STR(": there is no 'http.router': did you mean 'routers'?; "
                                     "!u@file: UDP isn't served"));
    converted_fini(&r);
}

static void what_is_joined_is_checked_as_a_whole(void)
{
    struct converted r =
        convert("tls: {certificates: [{certFile: /a.pem, keyFile: /a.key}]}\n"
                "tcp:\n"
                "  routers: {db: {rule: 'HostSNI(`*`)', entryPoints: [postgres], service: db}}\n"
                "  services: {db: {loadBalancer: {servers: [{address: '10.0.0.3:5432'}]}}}\n",
                "{}");
    struct diags diags = {.n = 0};
    struct conf_node *root = conf_yaml_parse(
        STR("entrypoints: {web: {listen: ':0'}, websecure: {listen: ':0', tls: yes}, postgres: "
            "{listen: ':0'}}"),
        "own", &r.mem, &diags);
    traefik_join(root, &r.settings, &r.mem);
    CHECK_STR(tree_text(root, &r.mem),
              STR("{entrypoints: {web: {listen: :0}, websecure: {listen: :0, tls: {certificates: "
                  "[{cert: /a.pem, key: /a.key}]}}, postgres: {listen: :0, protocol: tcp}}, "
                  "services: {tcp:db@file: {servers: [tcp://10.0.0.3:5432]}}, routes: [{"
                  "entrypoints: [postgres], match: HostSNI(`*`), name: tcp:db@file, priority: 12, "
                  "passthrough: no, to: tcp:db@file}]}"));
    diags_fini(&diags);
    converted_fini(&r);
}

int main(int argc, char **argv)
{
    const struct test_case cases[] = {
        TEST(routers_become_routes),
        TEST(routers_that_are_wrong_are_disabled),
        TEST(one_wrong_router_leaves_the_others_alone),
        TEST(a_name_has_one_issuer),
        TEST(servers_are_in_the_service),
        TEST(services_are_made_of_services),
        TEST(servers_that_cant_be_had_disable_the_router),
        TEST(names_that_mean_something_else_are_refused),
        TEST(default_options_of_tls_go_to_entrypoints),
        TEST(options_of_tls_by_name_go_to_the_names_of_the_rule),
        TEST(no_options_of_tls_let_clients_in_that_the_default_asks_for_a_certificate),
        TEST(a_name_has_one_kind_of_tls),
        TEST(a_service_and_a_middleware_may_have_one_name),
        TEST(certificates_and_unknown_parts_are_told),
        TEST(what_is_joined_is_checked_as_a_whole),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
