// SPDX-License-Identifier: Apache-2.0
// The settings of entrypoints.
#pragma once

#include "gate/certificate_conf.h"
#include "tls/tls_conf.h"

struct entry_tls_conf {
    bool is_on;
    struct conf_list certificates; // of certificate_conf
    bool strict_sni;
    int64_t handshake_ms;
    struct tls_conf policy;
};

// Who sends PROXY headers to an entrypoint.
struct proxy_in_conf {
    bool is_on;
    struct conf_nets from;
    unsigned others; // enum proxy_in_others
    int64_t timeout_ms;
    struct place place;
};

enum proxy_in_others {
    PROXY_IN_REFUSE,
    PROXY_IN_ACCEPT,
};

enum entrypoint_protocol {
    ENTRYPOINT_HTTP,
    ENTRYPOINT_TCP,
};

enum encoded_slash {
    ENCODED_SLASH_KEEP,
    ENCODED_SLASH_DECODE,
    ENCODED_SLASH_REJECT,
};

struct entrypoint_conf {
    struct conf_text listen;
    unsigned protocol; // enum entrypoint_protocol
    struct conf_texts use;
    struct entry_tls_conf tls;
    int64_t idle_ms, head_ms, body_idle_ms, tunnel_idle_ms, linger_ms;
    uint64_t body_min_rate;
    uint64_t body_max_bytes, line_max_bytes, head_max_bytes, exchange_mem_bytes;
    uint32_t fields_max, requests_max;
    bool http2, h2c;
    uint32_t http2_streams_max;
    unsigned encoded_slash;
    bool merge_slashes;
    struct proxy_in_conf proxy_protocol;
    struct conf_nets trusted_proxies;
    bool x_forwarded, x_real_ip, forwarded, request_id;
    struct conf_text via;
    struct place place;
};

extern const struct conf_section entrypoint_section;

// What "listen" says: "[HOST]:PORT"; an empty host is every address. ERR_SYNTAX with an error.
struct listen_addr {
    struct ip ip;  // family 0: every address, IPv4 and IPv6
    uint16_t port; // 0: the kernel chooses (tests)
};
enum err listen_parse(const struct conf_text *text, struct diags *diags, struct listen_addr *ret)
    MUST_CHECK;
