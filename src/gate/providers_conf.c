// SPDX-License-Identifier: Apache-2.0
#include "gate/providers_conf.h"

#include "codec/url.h"
#include "route/rule.h"

#define RULE_MAX_BYTES ((size_t)1 << 20) // that a rule takes once it is parsed
#define SOCKET_PATH_MAX_BYTES 107        // of struct sockaddr_un, and a NUL

bool docker_endpoint_parse(struct str text, struct docker_endpoint *ret)
{
    struct url_authority authority;
    if (str_starts(text, STR("unix://"))) {
        *ret = (struct docker_endpoint){.kind = DOCKER_UNIX, .path = str_skip(text, 7)};
        return ret->path.len > 1 && ret->path.ptr[0] == '/' &&
               ret->path.len <= SOCKET_PATH_MAX_BYTES && str_find(ret->path, '\0') == STR_NPOS;
    }
    if (!str_starts(text, STR("tcp://")) ||
        url_authority_parse(str_skip(text, 6), &authority) != ERR_OK || authority.port == 0)
        return false;
    *ret = (struct docker_endpoint){
        .kind = DOCKER_TCP, .host = authority.host, .port = authority.port};
    return true;
}

static enum err check_endpoint(const struct conf_text *text, struct diags *diags)
{
    struct docker_endpoint ignored;
    if (docker_endpoint_parse(text->text, &ignored))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is not where an engine listens; write it like "
                     "unix:///var/run/docker.sock or tcp://10.0.0.5:2376",
                     STR_ARG(text->text));
}

static enum err check_constraints(const struct conf_text *text, struct diags *diags)
{
    struct arena mem;
    arena_init(&mem, RULE_MAX_BYTES, NULL, 0);
    struct rule *rule =
        text->text.len > 0 ? rule_parse_labels(text->text, text->place, &mem, diags) : NULL;
    bool is_fine = text->text.len == 0 || rule;
    rule_fini(rule);
    arena_fini(&mem);
    return is_fine ? ERR_OK : ERR_SYNTAX;
}

static const struct conf_item tls_items[] = {
    ITEM_FILE(docker_tls_conf, ca, "ca", .since = "0.1", .apply = CONF_LIVE, .format = "a PEM file",
              .example = "/etc/sallyport/docker/ca.pem",
              .doc = "The authority that has signed the engine's certificate."),
    ITEM_FILE(docker_tls_conf, cert, "cert", .since = "0.1", .apply = CONF_LIVE,
              .format = "a PEM file", .example = "/etc/sallyport/docker/cert.pem",
              .doc = "The certificate that is shown to the engine, which should ask for one: "
                     "whoever may speak with it is root on its machine."),
    ITEM_FILE(docker_tls_conf, key, "key", .since = "0.1", .apply = CONF_LIVE,
              .format = "a PEM file", .example = "/etc/sallyport/docker/key.pem",
              .doc = "The key of `cert`."),
};

static enum err check_tls(const void *value, struct diags *diags)
{
    const struct docker_tls_conf *c = value;
    if (c->cert.is_set == c->key.is_set)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, c->place, "'cert' and 'key' need each other");
}

static const struct conf_section tls_section = {
    .name = "docker-tls",
    .doc = "How TLS is spoken with an engine at `tcp://`. With `ca` it is; without, bytes go as "
           "they are, for a network that nobody else is on.",
    CONF_SECTION_OF(docker_tls_conf, tls_items),
    .place_offset = CONF_PLACE_AT(docker_tls_conf, place),
    .check = check_tls,
};

static const struct conf_item docker_items[] = {
    ITEM_TEXT(docker_conf, endpoint, "endpoint", .def = "unix:///var/run/docker.sock",
              .since = "0.1", .apply = CONF_LIVE, .format = "unix:///PATH or tcp://HOST:PORT",
              .pattern = "^(unix:///.+|tcp://.+:[0-9]+)$", .example = "tcp://10.0.0.5:2376",
              .check_text = check_endpoint,
              .doc = "Where the engine listens: Docker, or Podman's compatible service. The socket "
                     "may be mounted read-only."),
    ITEM_SECTION(docker_conf, tls, "tls", struct docker_tls_conf, .section = &tls_section,
                 .since = "0.1", .apply = CONF_LIVE,
                 .doc = "For an engine at `tcp://`: whom it has to be, and what is shown to it."),
    ITEM_BOOL(docker_conf, exposed_by_default, "exposed-by-default", .def = "yes", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Whether labels count without `sallyport.enable=true` (or "
                     "`traefik.enable=true`) among them."),
    ITEM_TEXT(docker_conf, network, "network", .since = "0.1", .apply = CONF_LIVE,
              .format = "a network's name", .example = "web",
              .doc = "The network through which containers are reached that share none with the "
                     "proxy, unless their label `sallyport.network` names another."),
    ITEM_TEXT(docker_conf, constraints, "constraints", .since = "0.1", .apply = CONF_LIVE,
              .format = "Label(`name`, `value`), LabelRegex(`name`, `expression`), &&, ||, !, ( )",
              .example = "Label(`team`, `web`) && !LabelRegex(`stage`, `^(test|dev)$`)",
              .check_text = check_constraints,
              .doc = "Only labels of containers for which this is true count. Any labels may be "
                     "named; one that a container doesn't have is empty."),
    ITEM_DURATION(docker_conf, linger_ms, "linger", .def = "30s", .min = "0", .max = "1h",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long the sites of a container that has stopped or gone are kept, "
                         "with answers of 503 and Retry-After: it may be on its way back."),
};

const struct conf_section docker_section = {
    .name = "docker",
    .doc = "Sites from the labels of containers. A process of its own, without other rights, "
           "speaks with the engine; changes are in force within half a second.",
    CONF_SECTION_OF(docker_conf, docker_items),
    .shorthand = "endpoint",
    .place_offset = CONF_PLACE_AT(docker_conf, place),
};

static const struct conf_item providers_items[] = {
    ITEM_SWITCHED(providers_conf, docker, "docker", struct docker_conf, is_on,
                  .section = &docker_section, .def = "off", .since = "0.1", .apply = CONF_LIVE,
                  .example = "on", .doc = "Containers of Docker or Podman."),
};

const struct conf_section providers_section = {
    .name = "providers",
    .doc = "What brings sites beside this file.",
    CONF_SECTION_OF(providers_conf, providers_items),
    .place_offset = CONF_NO_PLACE,
};
