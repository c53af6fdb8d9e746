// SPDX-License-Identifier: Apache-2.0
// Request targets, authorities and paths (RFC 3986, RFC 9112 3.2). One canonical path is made
// here and used by router, filters, cache and servers alike.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

// A host as in an authority: "example.com", "192.0.2.1", "[::1]".
struct url_authority {
    struct str host; // as written, brackets included
    uint16_t port;   // 0: none given
    bool is_ip;      // an IPv4 or a bracketed IPv6 address
};

// The port of a URL that names none; the scheme is http or https, in any case.
static inline uint16_t url_usual_port(struct str scheme)
{
    return str_ieq(scheme, STR("https")) ? 443 : 80;
}

// host [":" port] (RFC 3986 3.2.2 without userinfo, which is refused; RFC 9110 4.2.4). An empty
// host or label, and bytes that no host name has, are ERR_SYNTAX; names are limited to 253 bytes
// and labels to 63; underscores are allowed, and so is one dot at the end. A name that ends like a
// number must be an IPv4 address. "host:" has no port; port 0 and ports over 65535 are ERR_RANGE.
enum err url_authority_parse(struct str in, struct url_authority *ret) MUST_CHECK;

// The canonical form of a host for look-ups: lower case, without a trailing dot; the digits of an
// IPv6 address stay as written. Writes at most host.len bytes into buf and returns the slice.
struct str url_host_canon(struct str host, char *buf);

// True when s is already canonical: the fast path, nothing to copy.
bool url_host_is_canon(struct str host);

enum url_form {
    URL_ORIGIN,    // "/path?query"
    URL_ABSOLUTE,  // "http://host/path?query"
    URL_AUTHORITY, // "host:port" (CONNECT)
    URL_ASTERISK,  // "*" (OPTIONS)
};

struct url_target {
    enum url_form form;
    struct str scheme;    // absolute form, as written
    struct str authority; // absolute and authority form, as written
    struct str path;      // raw; "/" when an absolute form has none; empty for the others
    struct str query;     // raw, without '?'
    bool has_query;
};

// Splits a request target by form. is_connect: only the authority form is allowed; it is refused
// otherwise. A fragment, and bytes that are not visible ASCII (RFC 9112 3.2), are ERR_SYNTAX. An
// authority is only cut out here: url_authority_parse checks it.
enum err url_target_parse(struct str in, bool is_connect, struct url_target *ret) MUST_CHECK;

// How a path is made canonical. Zeroed: the strict default.
struct url_path_policy {
    bool decode_slash;  // "%2F" becomes "/" (default: stays "%2F", a path segment's data)
    bool reject_slash;  // "%2F" and backslashes are ERR_SYNTAX; goes before decode_slash
    bool merge_slashes; // "//" becomes "/"
    bool keep_dots;     // "." and ".." segments stay (default: removed, RFC 3986 5.2.4)
    bool allow_nul;     // never set by default: "%00" stays encoded instead of ERR_SYNTAX
};

// The canonical form of a raw path: unreserved escapes decoded, others in upper case, dot segments
// removed (encoded ones too, for escapes are decoded first), backslashes kept as "%5C". Bytes
// outside of RFC 3986's pchar are escaped. Parameters are data: "..;" is a name like any other.
// The result is a fixed point. It may begin with "//" when merge_slashes is off: a Location header
// made of it needs a host in front.
// A path without '/' at its start, malformed escapes and NUL: ERR_SYNTAX. A path that climbs above
// the root: ERR_RANGE. No room in mem: ERR_LIMIT. Returns raw itself when nothing changes (the
// common case, one pass, no copy), else a copy in mem.
enum err url_path_canon(struct str raw, const struct url_path_policy *policy, struct arena *mem,
                        struct str *ret) MUST_CHECK;

// True when a segment is "." or "..", their dots escaped or not.
bool url_path_has_dots(struct str path);

// Percent-decodes into mem (or returns s when there is nothing to decode). plus_is_space for
// form-encoded text. Malformed escapes stay as they are. The result may hold any byte, NUL too. ptr
// is NULL when mem is at its limit.
struct str url_decode(struct str s, bool plus_is_space, struct arena *mem);

// Takes the next "name=value" off a query; both still encoded; false at the end. Empty pairs are
// skipped; a pair without '=' is a name with an empty value.
bool url_query_next(struct str *rest, struct str *ret_name, struct str *ret_value);
