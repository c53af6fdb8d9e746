// SPDX-License-Identifier: Apache-2.0
// What the files of redirect share: redirect.c (an exchange), redirect_conf.c (settings, building).
#pragma once

#include "filter/common.h"

struct redirect_conf {
    struct conf_text to, from;
    unsigned of; // enum redirect_subject
    bool ignore_case;
    unsigned scheme; // enum redirect_scheme
    uint32_t port;
    unsigned code; // index into code_names
    bool permanent;
    struct place place;
};

enum redirect_scheme {
    REDIRECT_SCHEME_NONE,
    REDIRECT_SCHEME_HTTP,
    REDIRECT_SCHEME_HTTPS,
};

// What `from` is looked for in.
enum redirect_subject {
    REDIRECT_OF_PATH,
    REDIRECT_OF_TARGET,
    REDIRECT_OF_URL,
};

// The variables of a template.
#define REDIRECT_PART_LIST(X)                                                                      \
    X(SCHEME, "{scheme}")                                                                          \
    X(HOST, "{host}")                                                                              \
    X(PORT, "{port}")                                                                              \
    X(PATH, "{path}")                                                                              \
    X(QUERY, "{query}")

enum redirect_part {
    REDIRECT_PART_TEXT,
    REDIRECT_PART_GROUP, // of the expression in `from`
#define X(id, name) REDIRECT_PART_##id,
    REDIRECT_PART_LIST(X)
#undef X
};

#define REDIRECT_PARTS_MAX 16

struct redirect {
    struct filter_base base;
    struct regex *from; // owns; NULL: every request is redirected
    enum redirect_subject of;
    struct {
        enum redirect_part kind;
        int group;
        struct str text;
    } parts[REDIRECT_PARTS_MAX];
    size_t n_parts;
    struct str scheme; // what comes by it (and the port) already isn't redirected; empty: none is
    uint16_t port;
    uint16_t code; // 0: by method
    bool is_permanent;
    bool needs_host;
    bool has_open_host; // a group is part of the host that it leads to
    bool is_of_site;    // nobody has named it
};

enum err redirect_serve(const struct handler *h, struct exchange *x) MUST_CHECK;
struct str redirect_explain(const struct handler *h, struct exchange *x);
