// SPDX-License-Identifier: Apache-2.0
// What of a request says whose it is, for limits and for balancing: a list such as
// [client-ip, "header:X-Api-Key"].
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "http/exchange.h"

// Kind, name in settings, whether ":NAME" follows.
#define REQUEST_KEY_LIST(X)                                                                        \
    X(ALL, "all", false)                                                                           \
    X(CLIENT_IP, "client-ip", false)                                                               \
    X(USER, "user", false)                                                                         \
    X(HOST, "host", false)                                                                         \
    X(PATH, "path", false)                                                                         \
    X(QUERY, "query", false)                                                                       \
    X(PARAMETER, "query", true)                                                                    \
    X(METHOD, "method", false)                                                                     \
    X(HEADER, "header", true)                                                                      \
    X(COOKIE, "cookie", true)

enum request_key_kind {
#define X(id, name, has_argument) REQUEST_KEY_##id,
    REQUEST_KEY_LIST(X)
#undef X
};

#define REQUEST_KEY_PARTS_MAX 8
#define REQUEST_KEY_FORMAT                                                                         \
    "client-ip, user, host, path, query, query:NAME, method, header:NAME, cookie:NAME, or all: a " \
    "list for several"

struct request_key {
    struct {
        enum request_key_kind kind;
        struct str name; // of the field, cookie or parameter; borrows: the settings'
    } parts[REQUEST_KEY_PARTS_MAX];
    size_t n;
    uint8_t v4_bits, v6_bits; // of an address that count: clients have whole networks of IPv6
};

// What settings say of a key, and its rows in the table of S, where it is the member `at`.
struct request_key_conf {
    struct conf_texts parts;
    uint32_t v4_prefix, v6_prefix;
};

#define REQUEST_KEY_ITEMS(S, at, example_)                                                         \
    ITEM_TEXTS(S, at.parts, "key", .def = "client-ip", .since = "0.1", .apply = CONF_LIVE,         \
               .format = REQUEST_KEY_FORMAT, .example = example_,                                  \
               .doc = "What has a limit of its own: requests that are equal in all of these "      \
                      "share one. What a request lacks counts as empty. `all`: the whole of what " \
                      "this filter stands before."),                                               \
        ITEM_UINT(S, at.v4_prefix, "ipv4-prefix", .def = "32", .min = "8", .max = "32",            \
                  .since = "0.1", .apply = CONF_LIVE,                                              \
                  .doc = "How many bits of an IPv4 address count for `client-ip`."),               \
        ITEM_UINT(S, at.v6_prefix, "ipv6-prefix", .def = "64", .min = "16", .max = "128",          \
                  .since = "0.1", .apply = CONF_LIVE,                                              \
                  .doc = "How many of an IPv6 address: whoever has one has at least the 2^64 of "  \
                         "a /64.")

// Makes a key of settings. False with errors in diags.
bool request_key_build(const struct request_key_conf *c, struct diags *diags,
                       struct request_key *ret);

// Reads the parts; all bits of addresses count. False with errors in diags.
bool request_key_parse(const struct conf_texts *texts, struct diags *diags,
                       struct request_key *ret);

// A keyed hash of these things of a request: nobody can find two that are equal. What a request
// lacks (a header, a cookie) counts as empty.
uint64_t request_key_hash(const struct request_key *key, const struct exchange *x);

// The same for every process and at all times, and so not for limits: who likes finds two that are
// equal. False: the request has none of these things.
bool request_key_hash_lasting(const struct request_key *key, const struct exchange *x,
                              uint64_t *ret);

// The first cookie of that name (RFC 6265 5.4), which is the one that servers take; empty: none.
struct str request_cookie(const struct exchange *x, struct str name);
