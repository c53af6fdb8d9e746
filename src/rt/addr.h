// SPDX-License-Identifier: Apache-2.0
// Socket addresses: TCP over IPv4 and IPv6, and Unix sockets.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "codec/ip.h"

struct rt_addr {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
};

void addr_from_ip(const struct ip *ip, uint16_t port, struct rt_addr *ret);

// False when path is too long for a Unix socket (107 bytes). "@name" is an abstract one.
bool addr_from_path(struct str path, struct rt_addr *ret);

// The IP address and port; IPv4-mapped ones become IPv4. False for Unix sockets.
bool addr_to_ip(const struct rt_addr *a, struct ip *ret_ip, uint16_t *ret_port);

// "127.0.0.1:80", "[::1]:80" or "unix:/path". Returns what was written; 128 bytes always suffice.
struct str addr_text(const struct rt_addr *a, char *buf, size_t buf_bytes);
