// SPDX-License-Identifier: Apache-2.0
// Traefik's providers: Docker and files.
#include "dialect/traefik_labels.h"
#include "dialect/traefik_static_priv.h"

// --- tables ---

static const struct conf_item docker_tls_items[] = {
    ITEM_TEXT(traefik_docker_tls, ca, "ca"),
    ITEM_TEXT(traefik_docker_tls, cert, "cert"),
    ITEM_TEXT(traefik_docker_tls, key, "key"),
};

static const struct conf_section docker_tls_section = {
    .name = "providers.docker.tls",
    CONF_SECTION_OF(traefik_docker_tls, docker_tls_items),
    .place_offset = CONF_PLACE_AT(traefik_docker_tls, place),
};

static const struct conf_item docker_items[] = {
    ITEM_TEXT(traefik_docker_conf, endpoint, "endpoint"),
    ITEM_BOOL(traefik_docker_conf, exposed, "exposedByDefault", .def = "true"),
    ITEM_TEXT(traefik_docker_conf, network, "network"),
    ITEM_TEXT(traefik_docker_conf, rule, "defaultRule"),
    ITEM_TEXT(traefik_docker_conf, constraints, "constraints"),
    ITEM_SECTION(traefik_docker_conf, tls, "tls", struct traefik_docker_tls,
                 .section = &docker_tls_section),
    ITEM_BOOL(traefik_docker_conf, watch, "watch", .def = "true"),
};

static const struct conf_section docker_section = {
    .name = "providers.docker",
    CONF_SECTION_OF(traefik_docker_conf, docker_items),
    .place_offset = CONF_PLACE_AT(traefik_docker_conf, place),
};

static const struct conf_item file_items[] = {
    ITEM_TEXT(traefik_file_conf, name, "filename"),
    ITEM_TEXT(traefik_file_conf, directory, "directory"),
    ITEM_BOOL(traefik_file_conf, watch, "watch", .def = "true"),
};

static const struct conf_section file_section = {
    .name = "providers.file",
    CONF_SECTION_OF(traefik_file_conf, file_items),
    .place_offset = CONF_PLACE_AT(traefik_file_conf, place),
};

static const struct conf_item providers_items[] = {
    ITEM_SWITCHED(traefik_providers_conf, docker, "docker", struct traefik_docker_conf, is_on,
                  .section = &docker_section, .def = "off"),
    ITEM_SWITCHED(traefik_providers_conf, file, "file", struct traefik_file_conf, is_on,
                  .section = &file_section, .def = "off"),
    // Changes that come closely are taken together anyway.
    ITEM_TEXT(traefik_providers_conf, throttle, "providersThrottleDuration"),
};

const struct conf_section traefik_providers_section = {
    .name = "providers",
    CONF_SECTION_OF(traefik_providers_conf, providers_items),
};

// --- settings ---

// TLS goes with a CA here: without one, the system's authorities would have to vouch for an engine.
static void put_docker_tls(struct static_conv *s, const struct traefik_docker_tls *t,
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

static void put_docker(struct static_conv *s, const struct traefik_docker_conf *d,
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

void static_put_providers(struct static_conv *s, const struct traefik_providers_conf *p)
{
    const struct traefik_docker_conf *d = &p->docker;
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
