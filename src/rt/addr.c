// SPDX-License-Identifier: Apache-2.0
#include "rt/addr.h"

#include <stddef.h>

#include "base/writer.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

void addr_from_ip(const struct ip *ip, uint16_t port, struct rt_addr *ret)
{
    *ret = (struct rt_addr){0};
    if (ip->family == 4) {
        ret->len = sizeof ret->u.in4;
        ret->u.in4.sin_family = AF_INET;
        ret->u.in4.sin_port = htons(port);
        memcpy(&ret->u.in4.sin_addr, ip->bytes, 4);
    } else {
        ret->len = sizeof ret->u.in6;
        ret->u.in6.sin6_family = AF_INET6;
        ret->u.in6.sin6_port = htons(port);
        memcpy(&ret->u.in6.sin6_addr, ip->bytes, 16);
    }
}

bool addr_from_path(struct str path, struct rt_addr *ret)
{
    bool is_abstract = str_starts(path, STR("@"));
    if (path.len == 0 || path.len >= sizeof ret->u.un.sun_path ||
        (!is_abstract && str_find(path, '\0') != STR_NPOS))
        return false;
    *ret = (struct rt_addr){0};
    ret->u.un.sun_family = AF_UNIX;
    memcpy(ret->u.un.sun_path, path.ptr, path.len);
    // unix(7): an abstract name begins with a NUL and ends by the length, a path with a NUL.
    if (is_abstract)
        ret->u.un.sun_path[0] = '\0';
    ret->len = (socklen_t)(PATH_OFFSET + path.len + (is_abstract ? 0 : 1));
    return true;
}

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff}; // RFC 4291 2.5.5.2

bool addr_to_ip(const struct rt_addr *a, struct ip *ret_ip, uint16_t *ret_port)
{
    struct ip ip = {.family = 4};
    if (a->u.any.sa_family == AF_INET) {
        memcpy(ip.bytes, &a->u.in4.sin_addr, 4);
        *ret_port = ntohs(a->u.in4.sin_port);
    } else if (a->u.any.sa_family == AF_INET6) {
        const uint8_t *bytes = a->u.in6.sin6_addr.s6_addr;
        if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
            memcpy(ip.bytes, bytes + sizeof mapped_prefix, 4);
        } else {
            ip.family = 6;
            memcpy(ip.bytes, bytes, 16);
        }
        *ret_port = ntohs(a->u.in6.sin6_port);
    } else {
        return false;
    }
    *ret_ip = ip;
    return true;
}

static void write_path(struct writer *w, const struct rt_addr *a)
{
    const char *path = a->u.un.sun_path;
    size_t len = a->len > PATH_OFFSET ? a->len - PATH_OFFSET : 0;
    writer_put(w, STR("unix:"));
    if (len > 0 && path[0] == '\0') {
        writer_byte(w, '@');
        writer_put(w, str_from(path + 1, len - 1));
    } else {
        writer_put(w, str_from(path, strnlen(path, len)));
    }
}

struct str addr_text(const struct rt_addr *a, char *buf, size_t buf_bytes)
{
    struct writer w;
    struct ip ip;
    uint16_t port;
    char text[46];
    writer_init(&w, buf, buf_bytes);
    if (!addr_to_ip(a, &ip, &port)) {
        write_path(&w, a);
        return writer_str(&w);
    }
    if (ip.family == 6)
        writer_byte(&w, '[');
    writer_put(&w, ip_text(&ip, text));
    if (ip.family == 6)
        writer_byte(&w, ']');
    writer_byte(&w, ':');
    writer_dec(&w, port);
    return writer_str(&w);
}
