// SPDX-License-Identifier: Apache-2.0
// The settings of active checks: `health` of a service.
#pragma once

#include "conf/conf.h"

enum health_kind {
    HEALTH_AUTO, // HTTP, or TCP where servers of a service are for TCP routes
    HEALTH_HTTP,
    HEALTH_GRPC,
    HEALTH_TLS,
    HEALTH_TCP,
};

enum health_start {
    HEALTH_START_UP,
    HEALTH_START_DOWN,
};

struct health_conf {
    bool is_on;
    unsigned kind; // enum health_kind
    struct conf_text path, method, host;
    struct conf_map fields;   // of health_field_conf
    struct conf_texts status; // "200", "200-399"
    struct conf_text body;    // empty: any
    struct conf_text body_regex;
    struct conf_text grpc_service;
    uint32_t port; // 0: the server's own
    bool is_plain; // without TLS, whatever the server's URL says
    int64_t every_ms, timeout_ms;
    uint32_t jitter_percent; // of every_ms, to both sides
    uint32_t rise, fall;
    unsigned start; // enum health_start
    struct place place;
};

struct health_field_conf {
    struct conf_text value;
};

extern const struct conf_section health_section;

// A range of statuses: "204" or "200-399". False: it is none.
bool health_status_parse(struct str text, unsigned *ret_first, unsigned *ret_last);
