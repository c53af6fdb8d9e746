// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt): what stands in front
// of a connection's bytes to tell who its client is.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "codec/ip.h"

#define PROXY_HEADER_ERROR_LIST(X)                                                                 \
    X(NONE, "ok")                                                                                  \
    X(SIGNATURE, "it doesn't begin with a PROXY header")                                           \
    X(VERSION, "a version or command that there isn't")                                            \
    X(LENGTH, "the header is too long")                                                            \
    X(FAMILY, "an address family that isn't TCP's")                                                \
    X(ADDRESS, "a malformed address")                                                              \
    X(PORT, "a malformed port")                                                                    \
    X(CHECKSUM, "its checksum is another")                                                         \
    X(LINE, "a malformed line")

enum proxy_header_error {
#define X(id, text) PROXY_HEADER_ERROR_##id,
    PROXY_HEADER_ERROR_LIST(X)
#undef X
};

const char *proxy_header_error_text(enum proxy_header_error e);

enum proxy_header_version {
    PROXY_HEADER_V1 = 1,
    PROXY_HEADER_V2 = 2,
};

// Whose connection it is. source.family 0: it doesn't say (a health check of the proxy itself, or a
// client that didn't come by IP): the addresses are those of the connection that carries it.
struct proxy_header {
    struct ip source, destination;
    uint16_t source_port, destination_port;
};

#define PROXY_HEADER_WRITE_BYTES 107
// Longest header that is read: version 1 by definition, of version 2 what its extensions may take.
#define PROXY_HEADER_V1_BYTES 107
#define PROXY_HEADER_V2_BYTES 4096

// Returns a slice of buf. Families that differ are both written as IPv6.
struct str proxy_header_write(enum proxy_header_version version, const struct proxy_header *h,
                              char buf[static PROXY_HEADER_WRITE_BYTES]);

// Reads a header of either version at the beginning of in. IO_AGAIN: more bytes are needed;
// IO_DONE: *ret is filled, *ret_used bytes are the header's; IO_FAIL: *reterr says why. A checksum
// (CRC32C) must be right where there is one; other extensions (TLVs) are skipped.
enum io proxy_header_parse(struct str in, struct proxy_header *ret, size_t *ret_used,
                           enum proxy_header_error *reterr) MUST_CHECK;
