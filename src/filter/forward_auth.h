// SPDX-License-Identifier: Apache-2.0
// What the files of forward-auth share: forward_auth.c (an exchange), forward_auth_fields.c (what
// servers get from the auth server's answer), forward_auth_conf.c (settings, building).
#pragma once

#include "filter/common.h"
#include "http/regex.h"

struct forward_auth_conf {
    struct conf_text address; // a URL, or the name of a service
    struct conf_text path;
    unsigned preset; // enum forward_auth_preset
    struct conf_texts request_headers, response_headers, cookies;
    struct conf_text response_regex, user;
    int64_t timeout_ms;
    uint64_t answer_max_bytes, body_max_bytes;
    bool forwards_body, keeps_method;
    struct place place;
};

struct forward_auth {
    struct filter_base base;
    const struct forward_auth_conf *conf; // borrows: the snapshot's
    const struct handler *service;        // borrows: the auth server
    struct str authority;                 // its own; empty: the client's
    struct str path, query;
    bool has_query;
    const struct str *names; // of the answer's fields for servers; borrows
    size_t n_names;
    struct regex *regex; // of more names; owns; NULL: none
    struct str user;     // the field with the user's name; may be empty
};

enum err forward_auth_serve(const struct handler *h, struct exchange *x) MUST_CHECK;

// Drops what the client says in the fields that the auth server is to say, in the head and in
// trailers, and takes them from its answer. ERR_LIMIT: the arena is full.
enum err forward_auth_take_fields(const struct forward_auth *f, struct exchange *x,
                                  const struct headers *from) MUST_CHECK;
