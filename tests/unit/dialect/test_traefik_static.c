// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik_static.h"

#include "dialect/toml.h"
#include "traefik_test.h"

struct result {
    struct arena mem;
    struct diags diags;
    struct traefik_static st;
    bool is_fine;
};

static struct result convert_flags(const char *const *flags)
{
    struct result r = {.is_fine = false};
    struct str file;
    arena_init(&r.mem, 16 << 20, NULL, 0);
    struct conf_node *root = conf_node_new(&r.mem, CONF_NODE_MAP, (struct place){.source = "f"});
    r.is_fine = traefik_flags((char *const *)(uintptr_t)flags, root, &r.mem, &r.diags, &file) &&
                traefik_static_convert(root, true, &r.mem, &r.diags, &r.st);
    return r;
}

static void result_fini(struct result *r)
{
    diags_fini(&r->diags);
    arena_fini(&r->mem);
}

// Flags, the key of our settings that tells of them, and what it says.
static const struct {
    const char *flags[6], *key, *wanted;
} cases[] = {
    {{"--entrypoints.web.address=:80"},
     "entrypoints",
     "{web: {listen: :80, tls: no, http2-streams-max: 250, idle-timeout: 180000ms}}"},
    {{"--entryPoints.WebSecure.Address=:443/tcp"},
     "entrypoints",
     "{websecure: {listen: :443, tls: yes, http2-streams-max: 250, idle-timeout: 180000ms}}"},
    {{"--entrypoints.x.address=127.0.0.1:9000", "--entrypoints.x.http.tls",
      "--entrypoints.x.http2.maxconcurrentstreams=7",
      "--entrypoints.x.transport.respondingtimeouts.idletimeout=30"},
     "entrypoints",
     "{x: {listen: 127.0.0.1:9000, tls: yes, http2-streams-max: 7, idle-timeout: 30000ms}}"},
    {{"--entrypoints.x.address=:80",
      "--entrypoints.x.forwardedheaders.trustedips=10.0.0.1,10.1.2.3/8",
      "--entrypoints.x.proxyprotocol.insecure"},
     "entrypoints",
     "{x: {listen: :80, tls: no, http2-streams-max: 250, trusted-proxies: [10.0.0.1, 10.0.0.0/8], "
     "proxy-protocol: {from: [0.0.0.0/0, ::/0], others: accept}, idle-timeout: 180000ms}}"},
    {{"--log.level", "debug", "--log.format=json", "--log.filepath=/var/log/t.log"},
     "log",
     "{level: debug, format: json, path: /var/log/t.log}"},
    {{"--api"}, "log", "{level: error}"},
    {{"--accesslog=true", "--accesslog.format=json"}, "access-log", "{format: json}"},
    {{"--api"}, "access-log", "off"},
    {{"--providers.docker", "--providers.docker.exposedbydefault=false",
      "--providers.docker.network=web"},
     "providers",
     "{docker: {exposed-by-default: no, network: web}}"},
    {{"--providers.docker.endpoint=tcp://docker.example:2376", "--providers.docker.tls.ca=/ca.pem",
      "--providers.docker.tls.cert=/c.pem", "--providers.docker.tls.key=/k.pem",
      "--providers.docker.constraints=Label(`a`,`b`)"},
     "providers",
     "{docker: {exposed-by-default: yes, endpoint: tcp://docker.example:2376, "
     "constraints: Label(`a`,`b`), tls: {ca: /ca.pem, cert: /c.pem, key: /k.pem}}}"},
    {{"--ping"},
     "routes",
     "[{match: Path(`/ping`), name: ping@internal, entrypoints: [traefik], to: ping@internal}]"},
    {{"--certificatesresolvers.LE.acme.email=a@b.example",
      "--certificatesresolvers.le.acme.httpchallenge.entrypoint=web",
      "--certificatesresolvers.le.acme.keytype=RSA4096", "--entrypoints.web.address=:80",
      "--certificatesresolvers.le.acme.caserver=https://ca.example/dir"},
     "issuers",
     "{le: {acme: {email: a@b.example, directory: https://ca.example/dir, key: rsa-4096, "
     "challenges: [http-01]}}}"},
    {{"--entrypoints.web.address=:80", "--entrypoints.s.address=:8443",
      "--entrypoints.web.http.redirections.entrypoint.to=s"},
     "filters",
     "{redirect-web@internal: {redirect: {scheme: https, port: 8443, permanent: yes}}}"},
    {{"--api"}, "issuer", "local"},
    {{"--global.checknewversion", "--global.sendanonymoususage=false"},
     "entrypoints",
     "{http: {listen: :80}}"},
    {{"--entrypoints.web.address=:80", "--entrypoints.web.transport.lifecycle.gracetimeout=25s"},
     "drain-timeout",
     "25000ms"},
};

static void flags_become_settings(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct result r = convert_flags(cases[i].flags);
        CHECK(r.is_fine);
        for (size_t n = 0; n < r.diags.n; n++)
            CHECK_STR(str_of(r.diags.items[n].text), STR_NONE);
        CHECK_STR(tree_text(conf_node_get(r.st.root, str_of(cases[i].key)), &r.mem),
                  str_of(cases[i].wanted));
        result_fini(&r);
    }
}

static void what_is_refused_is_named(void)
{
    static const struct {
        const char *flags[4], *error;
    } refused[] = {
        {{"--entrypoints.web.adress=:80"}, "there is no 'adress' here: did you mean 'address'"},
        {{"--entrypoints.web.address=80"}, "'80' is no address"},
        {{"--entrypoints.web.address=:99999"}, "is no address"},
        {{"--entrypoints.web.address=:53/udp"}, "UDP isn't served"},
        {{"--entrypoints.web.address=:1", "--entrypoints.web.http.redirections.entrypoint.to=x"},
         "there is no entrypoint 'x'"},
        {{"--entrypoints.web.address=:1", "--entrypoints.web.forwardedheaders.trustedips=private"},
         "'private' is neither an address"},
        {{"--log.level=loud"}, "log.level: 'loud' is none of"},
        {{"--accesslog.filters.statuscodes=200"}, "accessLog.filters: all requests are logged"},
        {{"--providers.kubernetescrd"}, "providers.kubernetesCRD"},
        {{"--metrics.datadog"}, "metrics.datadog"},
        {{"--tracing"}, "traefik.tracing"},
        {{"--providers.file"}, "give it filename or directory"},
        {{"--ping.entrypoint=x", "--ping"}, "there is no entrypoint 'x'"},
        {{"--certificatesresolvers.le.tailscale"}, "Tailscale"},
        {{"--certificatesresolvers.le.acme.tlschallenge",
          "--certificatesresolvers.le.acme.storage=/a/x",
          "--certificatesresolvers.b.acme.tlschallenge"},
         "all resolvers keep theirs in one folder"},
        {{"--certificatesresolvers.le.acme.httpchallenge.entrypoint=gone"},
         "there is no entrypoint 'gone'"},
        {{"--providers.docker.tls.insecureskipverify"}, "providers.docker.tls.ca"},
        {{"--providers.docker.tls.cert=/c.pem", "--providers.docker.tls.key=/k.pem"},
         "name the authority"},
        {{"--api.debug"}, "api.debug"},
        {{"--api", "--api"}, ""},
        {{"api"}, "expected a flag"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct result r = convert_flags(refused[i].flags);
        bool is_told = refused[i].error[0] == '\0';
        CHECK(!r.is_fine || is_told);
        for (size_t n = 0; n < r.diags.n; n++)
            is_told |=
                str_search(str_of(r.diags.items[n].text), str_of(refused[i].error)) != STR_NPOS;
        if (!is_told)
            CHECK_STR(r.diags.n > 0 ? str_of(r.diags.items[0].text) : STR_NONE,
                      str_of(refused[i].error));
        result_fini(&r);
    }
}

static void entrypoints_are_what_routers_may_name(void)
{
    const char *const flags[] = {"--entrypoints.web.address=:80",
                                 "--entrypoints.websecure.address=:443",
                                 "--entrypoints.websecure.http.middlewares=a@file,b@file",
                                 "--entrypoints.db.address=:5432",
                                 "--entrypoints.traefik.address=:8080",
                                 NULL};
    struct result r = convert_flags(flags);
    CHECK(r.is_fine);
    CHECK_INT(r.st.n_entries, 4);
    for (size_t i = 0; r.is_fine && i < 4; i++) {
        const struct traefik_entry *e = &r.st.entries[i];
        CHECK_INT(e->is_tls, i == 1);
        CHECK_INT(e->may_be_tcp, i == 2);
        CHECK_INT(e->is_default, i != 3);
        CHECK_INT(e->http != NULL, i == 1);
    }
    result_fini(&r);
}

static void variables_are_flags_in_capitals(void)
{
    static const char *const variables[] = {"PATH=/bin",
                                            "TRAEFIK_ENTRYPOINTS_WEB_ADDRESS=:80",
                                            "TRAEFIK_API=true",
                                            "TRAEFIK_API_X=no",
                                            "TRAEFIK_=x",
                                            "NOTHING",
                                            NULL};
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 1 << 20, NULL, 0);
    struct conf_node *root = conf_node_new(&mem, CONF_NODE_MAP, (struct place){.source = "env"});
    CHECK(traefik_environment((char *const *)(uintptr_t)variables, root, &mem, &diags));
    CHECK_STR(tree_text(root, &mem), STR("{entrypoints: {web: {address: :80}}, api: {x: no}}"));
    diags_fini(&diags);
    arena_fini(&mem);
}

// The same settings as flags, variables, YAML and TOML.
static const struct {
    const char *flags[7], *variables[7], *yaml, *toml;
} forms[] = {
    {{"--ENTRYPOINTS.web.Address=:80", "--entrypoints.web.asdefault",
      "--entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.1,10.2.0.0/16",
      "--entrypoints.web.proxyprotocol.insecure=true"},
     {"TRAEFIK_ENTRYPOINTS_WEB_ADDRESS=:80", "traefik_entrypoints_web_asDefault=true",
      "TRAEFIK_ENTRYPOINTS_WEB_FORWARDEDHEADERS_TRUSTEDIPS=10.0.0.1,10.2.0.0/16",
      "TRAEFIK_ENTRYPOINTS_WEB_PROXYPROTOCOL_INSECURE=1"},
     "entrypoints: {web: {address: ':80', asDefault: true, forwardedheaders: {trustedIPs: "
     "[10.0.0.1, 10.2.0.0/16]}, proxyProtocol: {insecure: true}}}",
     "[entryPoints.web]\naddress = ':80'\nasDefault = true\nforwardedHeaders.trustedIPs = "
     "['10.0.0.1', '10.2.0.0/16']\nproxyProtocol = { insecure = true }\n"},
    {{"--entrypoints.a.address=:80", "--entrypoints.b.address=:443",
      "--entrypoints.a.http.redirections.entrypoint.to=b",
      "--entrypoints.a.http.redirections.entrypoint.permanent=false",
      "--entrypoints.b.http.middlewares=x@file,y@file"},
     {"TRAEFIK_ENTRYPOINTS_A_ADDRESS=:80", "TRAEFIK_ENTRYPOINTS_B_ADDRESS=:443",
      "TRAEFIK_ENTRYPOINTS_A_HTTP_REDIRECTIONS_ENTRYPOINT_TO=b",
      "TRAEFIK_ENTRYPOINTS_A_HTTP_REDIRECTIONS_ENTRYPOINT_PERMANENT=F",
      "TRAEFIK_ENTRYPOINTS_B_HTTP_MIDDLEWARES=x@file,y@file"},
     "entryPoints:\n  a: {address: ':80', http: {redirections: {entryPoint: {to: b, permanent: "
     "false}}}}\n  b:\n    address: ':443'\n    http:\n      middlewares:\n      - x@file\n"
     "      - y@file\n",
     "[entryPoints]\n[entryPoints.a]\naddress = ':80'\n"
     "[entryPoints.a.http.redirections.entryPoint]\nto = 'b'\npermanent = false\n"
     "[entryPoints.b]\naddress = ':443'\n[entryPoints.b.http]\nmiddlewares = ['x@file', "
     "'y@file']\n"},
    {{"--entrypoints.s.address=:8443", "--entrypoints.s.http.tls.certresolver=le",
      "--entrypoints.s.http.tls.domains[0].main=a.example",
      "--entrypoints.s.http.tls.domains[0].sans=b.example,c.example",
      "--entrypoints.s.transport.lifecycle.gracetimeout=1m30s"},
     {"TRAEFIK_ENTRYPOINTS_S_ADDRESS=:8443", "TRAEFIK_ENTRYPOINTS_S_HTTP_TLS_CERTRESOLVER=le",
      "TRAEFIK_ENTRYPOINTS_S_HTTP_TLS_DOMAINS_0_MAIN=a.example",
      "TRAEFIK_ENTRYPOINTS_S_HTTP_TLS_DOMAINS_0_SANS=b.example,c.example",
      "TRAEFIK_ENTRYPOINTS_S_TRANSPORT_LIFECYCLE_GRACETIMEOUT=90"},
     "entryPoints: {s: {address: ':8443', transport: {lifeCycle: {graceTimeOut: 90s}}, http: {tls: "
     "{certResolver: le, domains: [{main: a.example, sans: [b.example, c.example]}]}}}}",
     "[entryPoints.s]\naddress = ':8443'\ntransport.lifeCycle.graceTimeOut = 90\n"
     "[entryPoints.s.http.tls]\ncertResolver = 'le'\n[[entryPoints.s.http.tls.domains]]\n"
     "main = 'a.example'\nsans = ['b.example', 'c.example']\n"},
    {{"--certificatesresolvers.le.acme.email=a@b.example",
      "--certificatesresolvers.le.acme.storage=/d/acme.json",
      "--certificatesresolvers.le.acme.tlschallenge",
      "--certificatesresolvers.le.acme.keytype=EC384", "--certificatesresolvers.le.acme.eab.kid=k"},
     {"TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EMAIL=a@b.example",
      "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_STORAGE=/d/acme.json",
      "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_TLSCHALLENGE=true",
      "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_KEYTYPE=EC384",
      "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EAB_KID=k"},
     "certificatesResolvers: {le: {acme: {email: a@b.example, storage: /d/acme.json, keyType: "
     "EC384, eab: {kid: k}, tlsChallenge: {}}}}",
     "[certificatesResolvers.le.acme]\nemail = 'a@b.example'\nstorage = '/d/acme.json'\nkeyType = "
     "'EC384'\n[certificatesResolvers.le.acme.eab]\nkid = 'k'\n"
     "[certificatesResolvers.le.acme.tlsChallenge]\n"},
    {{"--providers.docker", "--providers.docker.exposedbydefault=false",
      "--providers.docker.network=web", "--providers.file.directory=/etc/t",
      "--providers.file.watch=true"},
     {"TRAEFIK_PROVIDERS_DOCKER=true", "TRAEFIK_PROVIDERS_DOCKER_EXPOSEDBYDEFAULT=0",
      "TRAEFIK_PROVIDERS_DOCKER_NETWORK=web", "TRAEFIK_PROVIDERS_FILE_DIRECTORY=/etc/t",
      "TRAEFIK_PROVIDERS_FILE_WATCH=t"},
     "providers: {docker: {exposedByDefault: false, network: web}, file: {directory: /etc/t, "
     "watch: true}}",
     "[providers.docker]\nexposedByDefault = false\nnetwork = 'web'\n[providers.file]\n"
     "directory = '/etc/t'\nwatch = true\n"},
    {{"--log.level", "info", "--log.format=json", "--accesslog", "--accesslog.filepath=/a.log",
      "--accesslog.bufferingsize=100"},
     {"TRAEFIK_LOG_LEVEL=info", "TRAEFIK_LOG_FORMAT=json", "TRAEFIK_ACCESSLOG=true",
      "TRAEFIK_ACCESSLOG_FILEPATH=/a.log", "TRAEFIK_ACCESSLOG_BUFFERINGSIZE=100"},
     "log: {level: info, format: json}\naccessLog: {filePath: /a.log, bufferingSize: 100}\n",
     "[log]\nlevel = 'info'\nformat = 'json'\n[accessLog]\nfilePath = '/a.log'\n"
     "bufferingSize = 100\n"},
    {{"--api.insecure=true", "--ping", "--metrics.prometheus=true",
      "--serverstransport.insecureskipverify", "--core.defaultrulesyntax=v2",
      "--global.sendanonymoususage=false"},
     {"TRAEFIK_API_INSECURE=true", "TRAEFIK_PING=true", "TRAEFIK_METRICS_PROMETHEUS=true",
      "TRAEFIK_SERVERSTRANSPORT_INSECURESKIPVERIFY=true", "TRAEFIK_CORE_DEFAULTRULESYNTAX=v2",
      "TRAEFIK_GLOBAL_SENDANONYMOUSUSAGE=false"},
     "api: {insecure: true}\nping: {}\nmetrics: {prometheus: {}}\nserversTransport: "
     "{insecureSkipVerify: true}\ncore: {defaultRuleSyntax: v2}\n"
     "global: {sendAnonymousUsage: false}\n",
     "[api]\ninsecure = true\n[ping]\n[metrics.prometheus]\n[serversTransport]\n"
     "insecureSkipVerify = true\n[core]\ndefaultRuleSyntax = 'v2'\n[global]\n"
     "sendAnonymousUsage = false\n"},
};

// All that comes of a static configuration, as a text.
static struct str static_text(const struct traefik_static *st, struct arena *mem)
{
    struct str text = arena_printf(
        mem, STR_FMT " v2=%d api=%d verify=%d docker=%d file=" STR_FMT STR_FMT " storage=" STR_FMT,
        STR_ARG(tree_text(st->root, mem)), st->is_v2, st->has_api, !st->skips_verify,
        st->has_docker, STR_ARG(st->file), STR_ARG(st->directory), STR_ARG(st->storage));
    for (size_t i = 0; i < st->n_entries; i++) {
        const struct traefik_entry *e = &st->entries[i];
        text = arena_printf(mem, STR_FMT " " STR_FMT " tls=%d tcp=%d default=%d", STR_ARG(text),
                            STR_ARG(e->name), e->is_tls, e->may_be_tcp, e->is_default);
    }
    return text;
}

static struct str form_text(size_t i, unsigned kind, struct arena *mem)
{
    struct diags diags = {.n = 0};
    struct str file;
    struct traefik_static st;
    struct conf_node *root = conf_node_new(mem, CONF_NODE_MAP, (struct place){.source = "f"});
    bool is_read = true;
    if (kind == 0)
        is_read = traefik_flags((char *const *)(uintptr_t)forms[i].flags, root, mem, &diags, &file);
    else if (kind == 1)
        is_read =
            traefik_environment((char *const *)(uintptr_t)forms[i].variables, root, mem, &diags);
    else if (kind == 2)
        root = conf_yaml_parse(str_of(forms[i].yaml), "f", mem, &diags);
    else
        root = toml_parse(str_of(forms[i].toml), "f", mem, &diags);
    bool is_fine = is_read && root && traefik_static_convert(root, kind < 2, mem, &diags, &st);
    struct str text = is_fine ? static_text(&st, mem) : arena_dup(mem, str_of(diags.items[0].text));
    diags_fini(&diags);
    return text;
}

static void all_forms_mean_the_same(void)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct arena mem;
        arena_init(&mem, 16 << 20, NULL, 0);
        struct str wanted = form_text(i, 2, &mem);
        CHECK(str_starts(wanted, STR("{")));
        for (unsigned kind = 0; kind < 4; kind++)
            CHECK_STR(form_text(i, kind, &mem), wanted);
        arena_fini(&mem);
    }
}

int main(int argc, char **argv)
{
    const struct test_case tests[] = {
        TEST(flags_become_settings),
        TEST(what_is_refused_is_named),
        TEST(entrypoints_are_what_routers_may_name),
        TEST(variables_are_flags_in_capitals),
        TEST(all_forms_mean_the_same),
    };
    return test_main(argc, argv, tests, ARRAY_LEN(tests));
}
