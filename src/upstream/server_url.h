// SPDX-License-Identifier: Apache-2.0
// What the text of a server in the settings means: an address, a name to be resolved, or a Unix
// socket.
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "rt/addr.h"
#include "tls/client_conf.h"

enum server_kind {
    SERVER_IP,
    SERVER_NAME,
    SERVER_UNIX,
};

// What is spoken with a server.
enum server_protocol {
    SERVER_ANYTHING, // a Unix socket: whatever the routes to it are for
    SERVER_HTTP,
    SERVER_TCP,
};

// Which HTTP: the setting `http` of a service, and what it means for a server.
enum server_http {
    SERVER_HTTP_AUTO, // of a server: by ALPN
    SERVER_HTTP_1,
    SERVER_HTTP_2,
};

struct server_url {
    enum server_kind kind;
    enum server_protocol protocol;
    enum server_http http; // HTTP_2: "h2c://…"; else AUTO: the URL doesn't tell
    struct rt_addr addr;   // SERVER_IP and SERVER_UNIX
    struct str host;       // SERVER_NAME: an A-label name in lower case
    uint16_t port;         // not of SERVER_UNIX
    struct str key;        // "10.0.0.1:8080", "[::1]:80", "app.internal:80", "unix:/run/app.sock"
    struct str authority;  // what its own Host field would say: "app.internal", "10.0.0.1:8080"
    bool is_tls;           // "https://…"
    struct tls_peer peer;  // who it is, by the URL; only with is_tls
    struct str learns_as;  // its key is learnt on first use, under this name; empty: it isn't
};

// Texts of *ret are in mem or borrowed from url. On failure one error was added.
enum err server_url_parse(const struct conf_text *url, struct arena *mem, struct diags *diags,
                          struct server_url *ret) MUST_CHECK;
