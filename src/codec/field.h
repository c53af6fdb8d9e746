// SPDX-License-Identifier: Apache-2.0
// Header and trailer fields, and the small integers that stand for well-known names.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define FIELD_LIST(X)                                                                              \
    X(ACCEPT, "Accept")                                                                            \
    X(ACCEPT_ENCODING, "Accept-Encoding")                                                          \
    X(ACCEPT_LANGUAGE, "Accept-Language")                                                          \
    X(ACCEPT_RANGES, "Accept-Ranges")                                                              \
    X(AGE, "Age")                                                                                  \
    X(ALLOW, "Allow")                                                                              \
    X(ALT_SVC, "Alt-Svc")                                                                          \
    X(AUTHORIZATION, "Authorization")                                                              \
    X(CACHE_CONTROL, "Cache-Control")                                                              \
    X(CONNECTION, "Connection")                                                                    \
    X(CONTENT_DISPOSITION, "Content-Disposition")                                                  \
    X(CONTENT_ENCODING, "Content-Encoding")                                                        \
    X(CONTENT_LENGTH, "Content-Length")                                                            \
    X(CONTENT_LOCATION, "Content-Location")                                                        \
    X(CONTENT_RANGE, "Content-Range")                                                              \
    X(CONTENT_TYPE, "Content-Type")                                                                \
    X(COOKIE, "Cookie")                                                                            \
    X(DATE, "Date")                                                                                \
    X(ETAG, "ETag")                                                                                \
    X(EXPECT, "Expect")                                                                            \
    X(EXPIRES, "Expires")                                                                          \
    X(FORWARDED, "Forwarded")                                                                      \
    X(HOST, "Host")                                                                                \
    X(HTTP2_SETTINGS, "HTTP2-Settings")                                                            \
    X(IF_MATCH, "If-Match")                                                                        \
    X(IF_MODIFIED_SINCE, "If-Modified-Since")                                                      \
    X(IF_NONE_MATCH, "If-None-Match")                                                              \
    X(IF_RANGE, "If-Range")                                                                        \
    X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since")                                                  \
    X(KEEP_ALIVE, "Keep-Alive")                                                                    \
    X(LAST_MODIFIED, "Last-Modified")                                                              \
    X(LOCATION, "Location")                                                                        \
    X(MAX_FORWARDS, "Max-Forwards")                                                                \
    X(ORIGIN, "Origin")                                                                            \
    X(PRAGMA, "Pragma")                                                                            \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate")                                                    \
    X(PROXY_AUTHENTICATION_INFO, "Proxy-Authentication-Info")                                      \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization")                                                  \
    X(PROXY_CONNECTION, "Proxy-Connection")                                                        \
    X(RANGE, "Range")                                                                              \
    X(REFERER, "Referer")                                                                          \
    X(RETRY_AFTER, "Retry-After")                                                                  \
    X(SERVER, "Server")                                                                            \
    X(SET_COOKIE, "Set-Cookie")                                                                    \
    X(STRICT_TRANSPORT_SECURITY, "Strict-Transport-Security")                                      \
    X(TE, "TE")                                                                                    \
    X(TRAILER, "Trailer")                                                                          \
    X(TRANSFER_ENCODING, "Transfer-Encoding")                                                      \
    X(UPGRADE, "Upgrade")                                                                          \
    X(USER_AGENT, "User-Agent")                                                                    \
    X(VARY, "Vary")                                                                                \
    X(VIA, "Via")                                                                                  \
    X(WWW_AUTHENTICATE, "WWW-Authenticate")                                                        \
    X(X_FORWARDED_FOR, "X-Forwarded-For")                                                          \
    X(X_FORWARDED_HOST, "X-Forwarded-Host")                                                        \
    X(X_FORWARDED_PORT, "X-Forwarded-Port")                                                        \
    X(X_FORWARDED_PROTO, "X-Forwarded-Proto")                                                      \
    X(X_REAL_IP, "X-Real-IP")                                                                      \
    X(X_REQUEST_ID, "X-Request-Id")

enum field_id {
    FIELD_OTHER, // not a known name: compare names
#define X(id, text) FIELD_##id,
    FIELD_LIST(X)
#undef X
};

// A set of ids in one word.
#define FIELD_BIT(id) ((uint64_t)1 << (id))
_Static_assert(FIELD_X_REQUEST_ID < 64, "a set of ids fits into one word");

struct field {
    struct str name;  // as received or as to be sent; borrows
    struct str value; // without surrounding white space; borrows
    uint16_t id;      // enum field_id
    // As received: from name.ptr on, "Name: value CRLF" stood in one piece of this length. 0: no.
    uint32_t line_bytes;
};

// The id of a name in any case; FIELD_OTHER when it isn't a known one. A few ns.
enum field_id field_id_of(struct str name);

// The name in its usual spelling. id is not FIELD_OTHER.
struct str field_name(enum field_id id);

// Whether two names are the same to servers that can't tell '_' from '-', as many can't that get
// them as variables. In any case.
bool field_is_twin(struct str a, struct str b);

// A field of a known name.
#define FIELD(id_, value_) ((struct field){.name = field_name(id_), .value = (value_), .id = (id_)})
