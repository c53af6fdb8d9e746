// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "base/num.h"
#include "dialect/traefik_labels.h"
#include "dialect/traefik_static_priv.h"
#include "gate/internal.h"

// --- tables ---

struct docker_tls_of_traefik {
    struct conf_text ca, cert, key;
    struct place place;
};

struct docker_conf_of_traefik {
    bool is_on;
    struct conf_text endpoint, network, rule, constraints;
    struct docker_tls_of_traefik tls;
    bool exposed, watch, is_swarm;
    struct place place;
};

static const struct conf_item docker_tls_items[] = {
    ITEM_TEXT(docker_tls_of_traefik, ca, "ca"),
    ITEM_TEXT(docker_tls_of_traefik, cert, "cert"),
    ITEM_TEXT(docker_tls_of_traefik, key, "key"),
};

static const struct conf_section docker_tls_section = {
    .name = "providers.docker.tls",
    CONF_SECTION_OF(docker_tls_of_traefik, docker_tls_items),
    .place_offset = CONF_PLACE_AT(docker_tls_of_traefik, place),
};

static const struct conf_item docker_items[] = {
    ITEM_TEXT(docker_conf_of_traefik, endpoint, "endpoint"),
    ITEM_BOOL(docker_conf_of_traefik, exposed, "exposedByDefault", .def = "true"),
    ITEM_TEXT(docker_conf_of_traefik, network, "network"),
    ITEM_TEXT(docker_conf_of_traefik, rule, "defaultRule"),
    ITEM_TEXT(docker_conf_of_traefik, constraints, "constraints"),
    ITEM_SECTION(docker_conf_of_traefik, tls, "tls", struct docker_tls_of_traefik,
                 .section = &docker_tls_section),
    ITEM_BOOL(docker_conf_of_traefik, watch, "watch", .def = "true"),
};

static const struct conf_section docker_section_of_traefik = {
    .name = "providers.docker",
    CONF_SECTION_OF(docker_conf_of_traefik, docker_items),
    .place_offset = CONF_PLACE_AT(docker_conf_of_traefik, place),
};

struct file_conf {
    bool is_on;
    struct conf_text name, directory;
    bool watch, debug;
    struct place place;
};

static const struct conf_item file_items[] = {
    ITEM_TEXT(file_conf, name, "filename"),
    ITEM_TEXT(file_conf, directory, "directory"),
    ITEM_BOOL(file_conf, watch, "watch", .def = "true"),
};

static const struct conf_section file_section = {
    .name = "providers.file",
    CONF_SECTION_OF(file_conf, file_items),
    .place_offset = CONF_PLACE_AT(file_conf, place),
};

struct providers_conf_of_traefik {
    struct docker_conf_of_traefik docker;
    struct file_conf file;
    struct conf_text throttle;
};

static const struct conf_item providers_items[] = {
    ITEM_SWITCHED(providers_conf_of_traefik, docker, "docker", struct docker_conf_of_traefik, is_on,
                  .section = &docker_section_of_traefik, .def = "off"),
    ITEM_SWITCHED(providers_conf_of_traefik, file, "file", struct file_conf, is_on,
                  .section = &file_section, .def = "off"),
    // Changes that come closely are taken together anyway.
    ITEM_TEXT(providers_conf_of_traefik, throttle, "providersThrottleDuration"),
};

static const struct conf_section providers_section_of_traefik = {
    .name = "providers",
    CONF_SECTION_OF(providers_conf_of_traefik, providers_items),
};

// The binary asks nobody about new versions, and tells nobody of itself.
struct global_conf {
    bool checks, sends;
};

static const struct conf_item global_items[] = {
    ITEM_BOOL(global_conf, checks, "checkNewVersion"),
    ITEM_BOOL(global_conf, sends, "sendAnonymousUsage"),
};

static const struct conf_section global_section = {
    .name = "global",
    CONF_SECTION_OF(global_conf, global_items),
};

struct log_conf_of_traefik {
    bool is_on;
    struct conf_text level, format, path;
    bool no_color;
};

static const struct conf_item log_items[] = {
    ITEM_TEXT(log_conf_of_traefik, level, "level", .def = "ERROR"),
    ITEM_TEXT(log_conf_of_traefik, format, "format", .def = "common"),
    ITEM_TEXT(log_conf_of_traefik, path, "filePath"),
    ITEM_BOOL(log_conf_of_traefik, no_color, "noColor"), // there is none
};

static const struct conf_section log_section_of_traefik = {
    .name = "log",
    CONF_SECTION_OF(log_conf_of_traefik, log_items),
};

struct access_conf_of_traefik {
    bool is_on;
    struct conf_text path, format;
    uint32_t buffering; // lines wait in rings in any case
};

static const struct conf_item access_items[] = {
    ITEM_TEXT(access_conf_of_traefik, path, "filePath"),
    ITEM_TEXT(access_conf_of_traefik, format, "format", .def = "common"),
    ITEM_UINT(access_conf_of_traefik, buffering, "bufferingSize"),
};

static const struct conf_section access_section = {
    .name = "accessLog",
    CONF_SECTION_OF(access_conf_of_traefik, access_items),
};

struct api_conf {
    bool is_on, insecure, dashboard, debug, hides_ad;
    struct place place;
};

static const struct conf_item api_items[] = {
    ITEM_BOOL(api_conf, insecure, "insecure"),
    ITEM_BOOL(api_conf, dashboard, "dashboard", .def = "true"),
    ITEM_BOOL(api_conf, hides_ad, "disableDashboardAd"),
};

static const struct conf_section api_section = {
    .name = "api",
    CONF_SECTION_OF(api_conf, api_items),
    .place_offset = CONF_PLACE_AT(api_conf, place),
};

struct ping_conf {
    bool is_on, is_manual;
    struct conf_text entry;
    struct place place;
};

static const struct conf_item ping_items[] = {
    ITEM_TEXT(ping_conf, entry, "entryPoint", .def = "traefik"),
    ITEM_BOOL(ping_conf, is_manual, "manualRouting"),
};

static const struct conf_section ping_section = {
    .name = "ping",
    CONF_SECTION_OF(ping_conf, ping_items),
    .place_offset = CONF_PLACE_AT(ping_conf, place),
};

static const struct conf_section prometheus_section = {
    .name = "metrics.prometheus",
    CONF_SECTION_OF(ping_conf, ping_items),
    .place_offset = CONF_PLACE_AT(ping_conf, place),
};

struct metrics_conf {
    struct ping_conf prometheus;
};

static const struct conf_item metrics_items[] = {
    ITEM_SWITCHED(metrics_conf, prometheus, "prometheus", struct ping_conf, is_on,
                  .section = &prometheus_section, .def = "off"),
};

static const struct conf_section metrics_section = {
    .name = "metrics",
    CONF_SECTION_OF(metrics_conf, metrics_items),
};

struct core_conf {
    struct conf_text syntax;
};

static const struct conf_item core_items[] = {
    ITEM_TEXT(core_conf, syntax, "defaultRuleSyntax", .def = "v3"),
};

static const struct conf_section core_section = {
    .name = "core",
    CONF_SECTION_OF(core_conf, core_items),
};

struct transport_conf {
    bool is_insecure;
};

static const struct conf_item transport_items[] = {
    ITEM_BOOL(transport_conf, is_insecure, "insecureSkipVerify"),
};

static const struct conf_section transport_section = {
    .name = "serversTransport",
    CONF_SECTION_OF(transport_conf, transport_items),
};

// Entrypoints and resolvers are read one by one.
struct static_conf {
    struct global_conf global;
    struct log_conf_of_traefik log;
    struct access_conf_of_traefik access;
    struct api_conf api;
    struct ping_conf ping;
    struct metrics_conf metrics;
    struct core_conf core;
    struct providers_conf_of_traefik providers;
    struct transport_conf transport;
    struct conf_map entries, resolvers; // taken out before
};

static const struct conf_item static_items[] = {
    ITEM_MAP(static_conf, entries, "entryPoints", .section = &traefik_entry_section),
    ITEM_MAP(static_conf, resolvers, "certificatesResolvers", .section = &traefik_entry_section),
    ITEM_SECTION(static_conf, global, "global", struct global_conf, .section = &global_section),
    ITEM_SWITCHED(static_conf, log, "log", struct log_conf_of_traefik, is_on,
                  .section = &log_section_of_traefik, .def = "off"),
    ITEM_SWITCHED(static_conf, access, "accessLog", struct access_conf_of_traefik, is_on,
                  .section = &access_section, .def = "off"),
    ITEM_SWITCHED(static_conf, api, "api", struct api_conf, is_on, .section = &api_section,
                  .def = "off"),
    ITEM_SWITCHED(static_conf, ping, "ping", struct ping_conf, is_on, .section = &ping_section,
                  .def = "off"),
    ITEM_SECTION(static_conf, metrics, "metrics", struct metrics_conf, .section = &metrics_section),
    ITEM_SECTION(static_conf, core, "core", struct core_conf, .section = &core_section),
    ITEM_SECTION(static_conf, providers, "providers", struct providers_conf_of_traefik,
                 .section = &providers_section_of_traefik),
    ITEM_SECTION(static_conf, transport, "serversTransport", struct transport_conf,
                 .section = &transport_section),
};

static const struct conf_section static_section = {
    .name = "traefik",
    CONF_SECTION_OF(static_conf, static_items),
};

#define OTHER_PROVIDER                                                                             \
    "there are the providers docker and file: describe what it would tell in a file"
#define OTHER_METRICS "metrics are told to Prometheus alone: use metrics.prometheus"

static const struct traefik_refusal refusals[] = {
    {"traefik", "experimental", "there are no plugins and experiments: leave it out"},
    {"traefik", "pilot", "there is no Pilot any more: leave it out"},
    {"traefik", "hub", "there is no Hub here: leave it out"},
    {"traefik", "tracing", "see `tracing` of the settings file, and leave it out"},
    {"traefik", "hostResolver", "names of hosts aren't flattened: leave it out"},
    {"traefik", "spiffe", "SPIFFE isn't supported: leave it out"},
    {"traefik", "tcpServersTransport", "TLS of TCP routers is left to servers: leave it out"},
    {"traefik", "ocsp", "OCSP isn't stapled: leave it out"},
    {"providers", "swarm", OTHER_PROVIDER},
    {"providers", "kubernetesIngress", OTHER_PROVIDER},
    {"providers", "kubernetesCRD", OTHER_PROVIDER},
    {"providers", "kubernetesGateway", OTHER_PROVIDER},
    {"providers", "rest", OTHER_PROVIDER},
    {"providers", "consulCatalog", OTHER_PROVIDER},
    {"providers", "nomad", OTHER_PROVIDER},
    {"providers", "ecs", OTHER_PROVIDER},
    {"providers", "consul", OTHER_PROVIDER},
    {"providers", "etcd", OTHER_PROVIDER},
    {"providers", "zooKeeper", OTHER_PROVIDER},
    {"providers", "redis", OTHER_PROVIDER},
    {"providers", "http", OTHER_PROVIDER},
    {"providers", "plugin", OTHER_PROVIDER},
    {"providers", "marathon", OTHER_PROVIDER},
    {"providers", "rancher", OTHER_PROVIDER},
    {"providers.docker", "swarmMode", "services of a swarm aren't found: leave it out"},
    {"providers.docker", "useBindPortIP",
     "containers are reached at their own addresses: leave it out"},
    {"providers.docker", "allowEmptyServices",
     "a container that starts or is unhealthy answers 503 anyway: leave it out"},
    {"providers.docker.tls", "insecureSkipVerify",
     "whoever answers in the engine's place would choose where requests go: name its authority by "
     "providers.docker.tls.ca"},
    {"providers.docker.tls", "caOptional",
     "the proxy shows a certificate where there is one: leave "
     "it out"},
    {"providers.docker", "httpClientTimeout", "it has its own time-outs: leave it out"},
    {"providers.docker", "username", "use TLS, by the settings file"},
    {"providers.docker", "password", "use TLS, by the settings file"},
    {"providers.file", "debugLogGeneratedTemplate", "files aren't templates: leave it out"},
    {"log", "maxSize", "use logrotate and SIGUSR1: leave it out"},
    {"log", "maxAge", "use logrotate and SIGUSR1: leave it out"},
    {"log", "maxBackups", "use logrotate and SIGUSR1: leave it out"},
    {"log", "compress", "use logrotate and SIGUSR1: leave it out"},
    {"log", "otlp", "use log.filePath: leave it out"},
    {"accessLog", "filters", "all requests are logged: leave it out"},
    {"accessLog", "fields", "format json has all fields; see `access-log` of the settings file"},
    {"accessLog", "otlp", "use accessLog.filePath: leave it out"},
    {"accessLog", "addInternals", "all requests are logged: leave it out"},
    {"api", "debug", "the binary has no debugging service: leave it out"},
    {"api", "basePath", "use a router with stripPrefix"},
    {"metrics", "datadog", OTHER_METRICS},
    {"metrics", "statsD", OTHER_METRICS},
    {"metrics", "influxDB", OTHER_METRICS},
    {"metrics", "influxDB2", OTHER_METRICS},
    {"metrics", "otlp", OTHER_METRICS},
    {"metrics", "addInternals", "leave it out"},
    {"metrics.prometheus", "buckets", "they are fixed: leave it out"},
    {"metrics.prometheus", "addEntryPointsLabels", "the labels are fixed: leave it out"},
    {"metrics.prometheus", "addRoutersLabels", "the labels are fixed: leave it out"},
    {"metrics.prometheus", "addServicesLabels", "the labels are fixed: leave it out"},
    {"metrics.prometheus", "headerLabels", "the labels are fixed: leave it out"},
    {"ping", "terminatingStatusCode", "it is 503: leave it out"},
    {"serversTransport", "rootCAs", "use http.serversTransports of a dynamic file"},
    {"serversTransport", "maxIdleConnsPerHost", "use http.serversTransports of a dynamic file"},
    {"serversTransport", "forwardingTimeouts", "use http.serversTransports of a dynamic file"},
    {"serversTransport", "spiffe", "SPIFFE isn't supported: leave it out"},
    {"entryPoints", "http3", "there is no HTTP/3 yet: leave it out, browsers use HTTP/2"},
    {"entryPoints", "udp", "UDP isn't served: leave it out"},
    {"entryPoints", "observability", "logs and metrics are for all: leave it out"},
    {"forwardedHeaders", "connection",
     "fields of one connection are never passed on: leave it out"},
    {"http", "encodeQuerySemicolons", "queries are passed on as they are: leave it out"},
    {"http", "encodedCharacters", "see `encoded-slash` and path-policy of the settings file"},
    {"transport", "keepAliveMaxTime", "connections are closed by keepAliveMaxRequests alone"},
    {"acme", "caSystemCertPool", "use caCertificates with one file of all"},
    {"acme", "caServerName", "the authority's certificate is for its name: leave it out"},
    {"acme", "clientTimeout", "it has its own time-outs: leave it out"},
    {"acme", "clientResponseHeaderTimeout", "it has its own time-outs: leave it out"},
    {"acme", "emailAddresses", "it is email"},
    {"acme", "disableCommonName", "names stand in the alternative names: leave it out"},
    {"httpChallenge", "delay", "orders wait for nothing: leave it out"},
    {"tlsChallenge", "delay", "orders wait for nothing: leave it out"},
    {"dnsChallenge", "delayBeforeCheck",
     "the zone's servers are asked until they know: leave it out"},
    {"dnsChallenge", "disablePropagationCheck", "use `dns-wait` of an issuer in a settings file"},
    {"dnsChallenge", "propagation", "use `dns-wait` of an issuer in a settings file"},
    {"certificatesResolvers", "tailscale", "Tailscale isn't asked for certificates: use acme"},
    {.section = NULL},
};

// --- helpers ---

bool static_fail(struct static_conv *s, struct place place, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)diag_fail(s->out.diags, ERR_SYNTAX, place, "%s", text);
    return false;
}

void *static_read(struct static_conv *s, const struct conf_section *section, struct conf_node *node,
                  bool *ret_is_fine)
{
    return traefik_read_all(&s->out, section, refusals, node, ret_is_fine);
}

struct conf_node *static_route(struct static_conv *s, const char *match, struct str name,
                               struct str entry, struct place place)
{
    struct conf_node *routes = traefik_list(&s->out, s->ret->root, "routes", place);
    struct conf_node *route = conf_node_new(s->out.mem, CONF_NODE_MAP, place);
    if (!route)
        panic("converted settings don't fit");
    traefik_set(&s->out, route, "match", str_of(match), place);
    traefik_set(&s->out, route, "name", name, place);
    traefik_push(&s->out, traefik_list(&s->out, route, "entrypoints", place), entry, place);
    conf_node_append(routes, route);
    return route;
}

// --- parts ---

// The level of ours that says as much.
static void put_log(struct static_conv *s, const struct log_conf_of_traefik *l, struct place place)
{
    static const struct {
        struct str name, twin;
    } levels[] = {{STR_INIT("TRACE"), STR_INIT("debug")}, {STR_INIT("DEBUG"), STR_INIT("debug")},
                  {STR_INIT("INFO"), STR_INIT("info")},   {STR_INIT("WARN"), STR_INIT("warn")},
                  {STR_INIT("ERROR"), STR_INIT("error")}, {STR_INIT("FATAL"), STR_INIT("error")},
                  {STR_INIT("PANIC"), STR_INIT("error")}};
    struct conf_node *log = traefik_map(&s->out, s->ret->root, "log", place);
    struct str level = l->is_on ? l->level.text : STR("ERROR");
    size_t i = 0;
    while (i < ARRAY_LEN(levels) && !str_ieq(level, levels[i].name))
        i++;
    if (i == ARRAY_LEN(levels))
        static_fail(s, l->level.place,
                    "log.level: '" STR_FMT "' is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL "
                    "and PANIC",
                    STR_ARG(level));
    else
        traefik_set(&s->out, log, "level", levels[i].twin, place);
    if (str_ieq(l->format.text, STR("json")))
        traefik_set(&s->out, log, "format", STR("json"), place);
    else if (l->is_on && !str_ieq(l->format.text, STR("common")))
        static_fail(s, l->format.place, "log.format: common or json");
    if (l->path.text.len > 0)
        traefik_set(&s->out, log, "path", l->path.text, l->path.place);
}

static void put_access(struct static_conv *s, const struct access_conf_of_traefik *a,
                       struct place place)
{
    // As Traefik's common format, but for the number of requests, which nobody knows here.
    static const char format[] =
        "{client} - {user} [{date}] \"{request}\" {status} {bytes-out} \"{referer}\" "
        "\"{user-agent}\" - \"{route}\" \"{server}\" {ms-total}ms";
    if (!a->is_on) {
        traefik_set(&s->out, s->ret->root, "access-log", STR("off"), place);
        return;
    }
    struct conf_node *log = traefik_map(&s->out, s->ret->root, "access-log", place);
    if (a->path.text.len > 0)
        traefik_set(&s->out, log, "path", a->path.text, a->path.place);
    if (str_ieq(a->format.text, STR("json")))
        traefik_set(&s->out, log, "format", STR("json"), place);
    else if (str_ieq(a->format.text, STR("genericCLF")))
        traefik_set(&s->out, log, "format", STR("combined"), place);
    else if (str_ieq(a->format.text, STR("common")))
        traefik_set(&s->out, log, "format", str_of(format), place);
    else
        static_fail(s, a->format.place, "accessLog.format: common, genericCLF or json");
}

static const struct traefik_entry *find_entry(const struct static_conv *s, struct str name)
{
    for (size_t i = 0; i < s->ret->n_entries; i++) {
        if (str_ieq(s->ret->entries[i].name, name))
            return &s->ret->entries[i];
    }
    return NULL;
}

// A route to an internal service; the entrypoint `traefik` at :8080 comes into being for it.
static void put_internal(struct static_conv *s, const char *match, const char *service,
                         struct str entry, struct place place)
{
    struct traefik_conv *out = &s->out;
    if (!internal_find(str_of(service))) {
        static_fail(s, place, "%s isn't there: leave it out", service);
        return;
    }
    const struct traefik_entry *at = find_entry(s, entry);
    if (!at) {
        if (!str_ieq(entry, STR("traefik"))) {
            static_fail(s, place, "there is no entrypoint '" STR_FMT "'", STR_ARG(entry));
            return;
        }
        struct conf_node *node = traefik_map(
            out, traefik_map(out, s->ret->root, "entrypoints", place), "traefik", place);
        traefik_set(out, node, "listen", STR(":8080"), place);
        struct traefik_entry *own = &s->ret->entries[s->ret->n_entries++];
        *own = (struct traefik_entry){.name = STR("traefik")};
        at = own;
    }
    struct str name = str_of(service);
    struct conf_node *route = static_route(s, match, name, at->name, place);
    traefik_set(out, route, "to", name, place);
}

static void put_internals(struct static_conv *s, const struct static_conf *c)
{
    const struct ping_conf *p = &c->ping, *m = &c->metrics.prometheus;
    if (c->api.is_on && c->api.insecure)
        put_internal(s, "PathPrefix(`/api`)", "api@internal", STR("traefik"), c->api.place);
    if (p->is_on && !p->is_manual)
        put_internal(s, "Path(`/ping`)", "ping@internal", p->entry.text, p->place);
    if (m->is_on && !m->is_manual)
        put_internal(s, "Path(`/metrics`)", "metrics@internal", m->entry.text, m->place);
}

// TLS goes with a CA here: without one, the system's authorities would have to vouch for an engine.
static void put_docker_tls(struct static_conv *s, const struct docker_tls_of_traefik *t,
                           struct conf_node *docker)
{
    const struct {
        const char *name;
        const struct conf_text *path;
    } files[] = {{"ca", &t->ca}, {"cert", &t->cert}, {"key", &t->key}};
    if (t->ca.text.len == 0 && (t->cert.text.len > 0 || t->key.text.len > 0))
        static_fail(s, t->cert.text.len > 0 ? t->cert.place : t->key.place,
                    "providers.docker.tls: name the authority of the engine's certificate as well, "
                    "by providers.docker.tls.ca");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const struct conf_text *path = files[i].path;
        if (path->text.len > 0)
            traefik_set(&s->out, traefik_map(&s->out, docker, "tls", path->place), files[i].name,
                        path->text, path->place);
    }
}

static void put_docker(struct static_conv *s, const struct docker_conf_of_traefik *d,
                       struct place place)
{
    struct traefik_conv *out = &s->out;
    if (!d->watch)
        static_fail(s, place, "providers.docker.watch: changes count at once: leave it out");
    struct conf_node *docker =
        traefik_map(out, traefik_map(out, s->ret->root, "providers", place), "docker", place);
    s->ret->has_docker = true;
    s->ret->default_rule = d->rule.text;
    if (!traefik_default_rule_is_known(d->rule.text))
        static_fail(
            s, d->rule.place,
            "providers.docker.defaultRule: of templates there are {{ normalize .Name }} and "
            "{{ .ContainerName }}");
    traefik_set_bool(out, docker, "exposed-by-default", d->exposed, place);
    if (d->endpoint.text.len > 0)
        traefik_set(out, docker, "endpoint", d->endpoint.text, d->endpoint.place);
    if (d->network.text.len > 0)
        traefik_set(out, docker, "network", d->network.text, d->network.place);
    if (d->constraints.text.len > 0)
        traefik_set(out, docker, "constraints", d->constraints.text, d->constraints.place);
    put_docker_tls(s, &d->tls, docker);
}

static void put_providers(struct static_conv *s, const struct providers_conf_of_traefik *p)
{
    const struct docker_conf_of_traefik *d = &p->docker;
    if (p->file.is_on) {
        s->ret->file = p->file.name.text;
        s->ret->directory = p->file.directory.text;
        s->ret->file_place = p->file.place;
        if ((s->ret->file.len > 0) == (s->ret->directory.len > 0))
            static_fail(s, p->file.place, "providers.file: give it filename or directory");
        if (!p->file.watch)
            static_fail(s, p->file.place,
                        "providers.file.watch: changes count at once: leave it "
                        "out");
    }
    if (d->is_on)
        put_docker(s, d, d->place.source ? d->place : s->ret->root->place);
}

// --- entrypoints ---

static void put_entries(struct static_conv *s, struct conf_node *entries)
{
    struct traefik_static *ret = s->ret;
    static const struct place none = {.source = "usual entrypoint"};
    size_t n = entries && entries->kind == CONF_NODE_MAP ? entries->n : 0;
    ret->entries = (struct traefik_entry *)arena_zalloc(s->out.mem, n + 2, sizeof *ret->entries,
                                                        alignof(struct traefik_entry));
    if (!ret->entries)
        panic("converted settings don't fit");
    for (struct conf_node *node = n > 0 ? entries->first : NULL; node; node = node->next)
        static_add_entry(s, arena_dup(s->out.mem, node->key), node);
    for (struct conf_node *node = n > 0 ? entries->first : NULL; node; node = node->next)
        static_add_redirection(s, arena_dup(s->out.mem, node->key), node);
    if (n == 0) {
        struct conf_node *map = traefik_map(&s->out, ret->root, "entrypoints", none);
        traefik_set(&s->out, traefik_map(&s->out, map, "http", none), "listen", STR(":80"), none);
        ret->entries[ret->n_entries++] = (struct traefik_entry){.name = STR("http")};
    }
}

// Routers that name none have those that say so, or else all but Traefik's own.
static void choose_defaults(struct traefik_static *ret)
{
    bool has_any = false;
    for (size_t i = 0; i < ret->n_entries; i++)
        has_any = has_any || ret->entries[i].is_default;
    for (size_t i = 0; i < ret->n_entries && !has_any; i++)
        ret->entries[i].is_default = !str_ieq(ret->entries[i].name, STR("traefik"));
}

// --- the whole ---

// Takes a child out, so that the rest fits the table.
static struct conf_node *take_child(struct conf_node *tree, struct str key)
{
    struct conf_node *before = NULL;
    for (struct conf_node *child = tree->first; child; before = child, child = child->next) {
        if (!str_ieq(child->key, key))
            continue;
        if (before)
            before->next = child->next;
        else
            tree->first = child->next;
        if (tree->last == child)
            tree->last = before;
        tree->n--;
        return child;
    }
    return NULL;
}

bool traefik_static_convert(struct conf_node *tree, bool is_flat, struct arena *mem,
                            struct diags *diags, struct traefik_static *ret)
{
    static const struct place place = {.source = "traefik"};
    const struct traefik_source source = {.provider = STR("static"), .is_flat = is_flat};
    struct static_conv s = {.ret = ret, .out = {.mem = mem, .diags = diags, .source = &source}};
    size_t n_errors = diags->n_errors;
    bool is_fine;
    *ret = (struct traefik_static){.root = conf_node_new(mem, CONF_NODE_MAP, place)};
    if (!ret->root)
        panic("converted settings don't fit");
    struct conf_node *entries = take_child(tree, STR("entryPoints"));
    struct conf_node *resolvers = take_child(tree, STR("certificatesResolvers"));
    const struct static_conf *c = static_read(&s, &static_section, tree, &is_fine);
    put_entries(&s, entries);
    put_log(&s, &c->log, place);
    put_access(&s, &c->access, place);
    put_providers(&s, &c->providers);
    ret->is_v2 = str_ieq(c->core.syntax.text, STR("v2"));
    ret->has_api = c->api.is_on;
    put_internals(&s, c);
    choose_defaults(ret);
    struct conf_node *first =
        resolvers && resolvers->kind == CONF_NODE_MAP ? resolvers->first : NULL;
    for (struct conf_node *node = first; node; node = node->next)
        static_add_resolver(&s, node->key, node);
    // Without a resolver nobody is asked: certificates are the local CA's.
    traefik_set(&s.out, ret->root, "issuer", STR("local"), place);
    if (s.grace_ms > 0)
        traefik_set_ms(&s.out, ret->root, "drain-timeout", s.grace_ms, place);
    ret->skips_verify = c->transport.is_insecure;
    return diags->n_errors == n_errors;
}
