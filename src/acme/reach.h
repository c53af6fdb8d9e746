// SPDX-License-Identifier: Apache-2.0
// Which addresses of an authority's are followed. An answer may name other hosts than the
// directory's, but it must not turn us against the network that we stand in.
#pragma once

#include "base/arena.h"
#include "codec/ip.h"
#include "codec/url.h"

#define ACME_URL_MAX_BYTES 2048u

struct acme_reach {
    struct str host;  // of the directory, in lower case
    bool allow_http;  // to loopback: for tests
    bool is_internal; // the directory itself was found at an internal address
};

// Of the directory's URL; host is in mem. False with *ret_why.
bool acme_reach_init(struct acme_reach *r, struct str directory_url, bool allow_http,
                     struct arena *mem, const char **ret_why);

// https only, without user, password or fragment; another host than the directory's must be a name
// with a dot. False with *ret_why.
bool acme_reach_check(const struct acme_reach *r, struct str url, const char **ret_why);

// Whether url's host (NUL-terminated URL that was checked) may be found at ip: anything for the
// directory's own host, which is remembered; public addresses for others, unless the directory is
// internal too.
bool acme_reach_address(struct acme_reach *r, struct str url, const struct ip *ip);

// Loopback, private, link-local, shared (RFC 6890) and the like.
bool acme_ip_is_internal(const struct ip *ip);
