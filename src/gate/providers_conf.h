// SPDX-License-Identifier: Apache-2.0
// Settings of what brings sites beside the settings file. Only the keeper acts on them.
#pragma once

#include "conf/conf.h"

struct docker_tls_conf {
    struct conf_file ca, cert, key;
    struct place place;
};

struct docker_conf {
    bool is_on;
    struct conf_text endpoint;
    struct docker_tls_conf tls;
    bool exposed_by_default;
    struct conf_text network;     // a name; empty: none is preferred
    struct conf_text constraints; // for rule_parse_labels; empty: all containers count
    int64_t linger_ms;
    struct place place;
};

struct providers_conf {
    struct docker_conf docker;
};

extern const struct conf_section docker_section;
extern const struct conf_section providers_section;

enum docker_endpoint_kind { DOCKER_UNIX, DOCKER_TCP };

// "unix:///PATH" or "tcp://HOST:PORT".
struct docker_endpoint {
    enum docker_endpoint_kind kind;
    struct str path; // DOCKER_UNIX: borrows
    struct str host; // DOCKER_TCP: borrows; as in a URL
    uint16_t port;
};
bool docker_endpoint_parse(struct str text, struct docker_endpoint *ret) MUST_CHECK;
