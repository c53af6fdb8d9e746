// SPDX-License-Identifier: Apache-2.0
// Why HTTP/2 messages and connections are refused (RFC 9113), for both sides.
#pragma once

// id, name for counters and logs, status to answer a request with (a server's answer that is
// refused becomes 502, whatever stands here), RFC section, text.
#define H2_ERROR_LIST(X)                                                                           \
    X(NONE, "none", 0, "", "ok")                                                                   \
    X(NAME, "field-name", 400, "9113 8.2.1", "a field name is empty or not a lower-case token")    \
    X(VALUE, "field-value", 400, "9113 8.2.1", "a control byte in a field value")                  \
    X(SPACE, "field-space", 400, "9113 8.2.1", "white space around a field value")                 \
    X(HOP, "connection-field", 400, "9113 8.2.2", "a connection-specific field")                   \
    X(TE, "te", 400, "9113 8.2.2", "TE with another value than trailers")                          \
    X(PSEUDO, "pseudo", 400, "9113 8.3", "a pseudo-header that isn't defined here")                \
    X(PSEUDO_TWICE, "pseudo-twice", 400, "9113 8.3", "a pseudo-header twice")                      \
    X(PSEUDO_ORDER, "pseudo-order", 400, "9113 8.3", "a pseudo-header behind a field")             \
    X(PSEUDO_MISSING, "pseudo-missing", 400, "9113 8.3.1", "a pseudo-header is missing")           \
    X(METHOD, "method", 400, "9110 9.1", "the method is not a token")                              \
    X(SCHEME, "scheme", 400, "9113 8.3.1", "the scheme is not http or https")                      \
    X(PATH, "path", 400, "9113 8.3.1", "the path is malformed")                                    \
    X(PATH_LENGTH, "path-length", 414, "9110 4.1", "method and path are too long")                 \
    X(CONNECT, "connect", 400, "9113 8.5", "CONNECT with the wrong pseudo-headers")                \
    X(PROTOCOL, "protocol", 501, "8441 4", "CONNECT with a protocol that isn't known")             \
    X(HOST_MISSING, "host-missing", 400, "9113 8.3.1", "neither :authority nor Host")              \
    X(HOST_FORM, "host-form", 400, "9113 8.3.1", ":authority is malformed")                        \
    X(HOST_TWICE, "host-twice", 400, "9110 7.2", "more than one Host field")                       \
    X(HOST_DIFFERS, "host-differs", 400, "9113 8.3.1", "Host is not what :authority says")         \
    X(STATUS, "status", 502, "9113 8.3.2", "the status is malformed")                              \
    X(LENGTH_FORM, "length-form", 400, "9110 8.6", "Content-Length is not one number")             \
    X(LENGTH_DIFFERS, "length-differs", 400, "9113 8.1.1", "Content-Length is not that of DATA")   \
    X(HEAD_LENGTH, "head-length", 431, "9113 10.5.1", "the field section is too long")             \
    X(FIELD_COUNT, "field-count", 431, "9113 10.5.1", "too many fields")                           \
    X(MEMORY, "memory", 431, "9113 10.5", "the memory of the exchange is used up")                 \
    X(TRAILER, "trailer", 400, "9110 6.5.1", "a field that must not be a trailer")                 \
    X(TRAILERS_OPEN, "trailers-open", 400, "9113 8.1", "trailers that don't end the message")      \
    X(INTERIM_END, "interim-end", 502, "9113 8.1", "an interim answer that ends the message")      \
    X(INTERIM_COUNT, "interim-count", 502, "9110 15.2", "too many interim answers")                \
    X(BODY, "body", 502, "9110 6.4.1", "DATA where an answer has no body")                         \
    X(TUNNEL, "tunnel", 400, "9113 8.5", "another frame than DATA on a tunnel")                    \
    X(FRAMES, "frames", 400, "9113 5.4", "a frame that is malformed or not allowed here")          \
    X(FLOOD, "flood", 400, "9113 10.5", "too many frames that bring nothing")                      \
    X(PREFACE, "preface", 400, "9113 3.4", "no connection preface, or not in time")                \
    X(RESETS, "resets", 400, "9113 10.5", "too many exchanges given up by the client")             \
    X(BOMB, "header-bomb", 431, "9113 10.5.1", "a field section far beyond the limit")             \
    X(SLOW_HEAD, "slow-head", 408, "9113 10.5", "a field section that didn't come in time")        \
    X(STALLED, "stalled", 408, "9113 10.5", "the client takes nothing that it is sent")

enum h2_error {
#define X(id, name, status, section, text) H2_ERROR_##id,
    H2_ERROR_LIST(X)
#undef X
};
#define H2_ERROR_ONE(id, name, status, section, text) +1
#define H2_ERROR_COUNT (0 H2_ERROR_LIST(H2_ERROR_ONE))

const char *h2_error_name(enum h2_error e); // "h2-length-differs"
int h2_error_status(enum h2_error e);
const char *h2_error_section(enum h2_error e); // "9113 8.1.1"
const char *h2_error_text(enum h2_error e);
