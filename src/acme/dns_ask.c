// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_ask.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/rand.h>
#include <poll.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/url.h"
#include "rt/clock.h"

#define SLICE_MS 200 // how long a cancel may go unnoticed
#define REPEAT_MS 1500
#define UDP_MAX_BYTES 4096u
#define LENGTH_BYTES 2u

static bool resolve(struct str host, uint16_t port, struct rt_addr *ret)
{
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_DGRAM};
    struct text name = {0};
    text_put(&name, host);
    bool is_there = getaddrinfo(name.ptr, NULL, &hints, &found) == 0 && found &&
                    found->ai_addrlen <= sizeof ret->u;
    if (is_there) {
        struct ip ip;
        uint16_t ignored;
        ret->len = found->ai_addrlen;
        memcpy(&ret->u, found->ai_addr, found->ai_addrlen);
        is_there = addr_to_ip(ret, &ip, &ignored);
        if (is_there)
            addr_from_ip(&ip, port, ret);
    }
    if (found)
        freeaddrinfo(found);
    text_fini(&name);
    return is_there;
}

bool dns_server_parse(struct str server, struct rt_addr *ret)
{
    struct url_authority a;
    struct ip ip;
    if (ip_parse(server, &ip) == ERR_OK) {
        addr_from_ip(&ip, DNS_PORT, ret);
        return true;
    }
    if (url_authority_parse(server, &a) != ERR_OK)
        return false;
    uint16_t port = a.port > 0 ? a.port : DNS_PORT;
    struct str host = a.host;
    if (str_starts(host, STR("[")))
        host = str_from(host.ptr + 1, host.len - 2);
    if (ip_parse(host, &ip) != ERR_OK)
        return resolve(host, port, ret);
    addr_from_ip(&ip, port, ret);
    return true;
}

unsigned dns_random_id(void)
{
    unsigned char bytes[2] = {0};
    bool is_random = RAND_bytes(bytes, sizeof bytes) == 1;
    ASSERT(is_random);
    return (unsigned)(bytes[0] << 8 | bytes[1]);
}

// --- waiting ---

static enum err await(int fd, short events, struct deadline until, struct acme_cancel *cancel)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left_ms = until.at_ms - clock_now_ms();
        if (acme_cancel_is_set(cancel))
            return ERR_CANCELLED;
        if (left_ms <= 0)
            return ERR_TIMEOUT;
        int n = poll(&p, 1, (int)MIN(left_ms, SLICE_MS));
        if (n > 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            return ERR_SYSTEM;
    }
}

static bool is_for(struct str answer, struct str query)
{
    struct dns_message a, q;
    struct dns_record ra, rq;
    if (!dns_message_open(answer, &a) || !dns_message_open(query, &q) || a.id != q.id ||
        (a.flags & DNS_FLAG_ANSWER) == 0)
        return false;
    // RFC 2136 3.8: the answer to an update may leave everything out.
    if (a.n[DNS_QUESTION] == 0)
        return (q.flags & DNS_OPCODE_UPDATE) != 0 || DNS_RCODE(a.flags) != 0;
    return dns_message_next(&a, &ra) == IO_DONE && dns_message_next(&q, &rq) == IO_DONE &&
           strcmp(ra.name, rq.name) == 0 && ra.type == rq.type;
}

static int open_socket(const struct dns_ask *ask, int type)
{
    int fd = socket(ask->server->u.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, &ask->server->u.any, ask->server->len) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

// --- UDP ---

// What doesn't answer the query is somebody else's and is left lying.
static enum err receive(int fd, const struct dns_ask *ask, struct deadline until, struct text *ret)
{
    char buf[UDP_MAX_BYTES];
    for (;;) {
        enum err err = await(fd, POLLIN, until, ask->cancel);
        if (err != ERR_OK)
            return err;
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return ERR_UNAVAILABLE;
        if (n > 0 && is_for(str_from(buf, (size_t)n), ask->query)) {
            ret->len = 0;
            text_put(ret, str_from(buf, (size_t)n));
            return ERR_OK;
        }
    }
}

static enum err ask_udp(const struct dns_ask *ask, struct deadline until, struct text *ret)
{
    int fd = open_socket(ask, SOCK_DGRAM);
    if (fd < 0)
        return ERR_UNAVAILABLE;
    enum err err = ERR_TIMEOUT;
    while (err == ERR_TIMEOUT && clock_now_ms() < until.at_ms) {
        if (send(fd, ask->query.ptr, ask->query.len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
            err = ERR_UNAVAILABLE;
        else
            err = receive(fd, ask, deadline_min(until, deadline_in(REPEAT_MS)), ret);
    }
    close(fd);
    return err;
}

// --- TCP ---

static enum err send_all(int fd, struct str bytes, struct deadline until,
                         struct acme_cancel *cancel)
{
    while (bytes.len > 0) {
        enum err err = await(fd, POLLOUT, until, cancel);
        if (err != ERR_OK)
            return err;
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return ERR_UNAVAILABLE;
        bytes = str_skip(bytes, n > 0 ? (size_t)n : 0);
    }
    return ERR_OK;
}

static enum err receive_all(int fd, char *to, size_t len, struct deadline until,
                            struct acme_cancel *cancel)
{
    for (size_t have = 0; have < len;) {
        enum err err = await(fd, POLLIN, until, cancel);
        if (err != ERR_OK)
            return err;
        ssize_t n = recv(fd, to + have, len - have, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return ERR_UNAVAILABLE;
        have += n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

static enum err ask_tcp(const struct dns_ask *ask, struct deadline until, struct text *ret)
{
    char head[LENGTH_BYTES];
    struct text framed = {0};
    struct writer w;
    int fd = open_socket(ask, SOCK_STREAM);
    if (fd < 0)
        return ERR_UNAVAILABLE;
    writer_init(&w, head, sizeof head);
    dns_put_u16(&w, (unsigned)ask->query.len);
    text_put(&framed, writer_str(&w));
    text_put(&framed, ask->query);
    enum err err = send_all(fd, text_str(&framed), until, ask->cancel);
    if (err == ERR_OK)
        err = receive_all(fd, head, sizeof head, until, ask->cancel);
    if (err == ERR_OK) {
        size_t len = dns_get_u16(str_from(head, sizeof head), 0);
        char *answer = mem_alloc_raw(len + 1);
        err = receive_all(fd, answer, len, until, ask->cancel);
        ret->len = 0;
        text_put(ret, str_from(answer, err == ERR_OK ? len : 0));
        mem_free(answer);
        if (err == ERR_OK && !is_for(text_str(ret), ask->query))
            err = ERR_PROTOCOL;
    }
    text_fini(&framed);
    close(fd);
    return err;
}

enum err dns_ask(const struct dns_ask *ask, struct text *ret)
{
    struct deadline until = deadline_in(ask->timeout_ms);
    struct dns_message m;
    if (ask->by_tcp)
        return ask_tcp(ask, until, ret);
    enum err err = ask_udp(ask, until, ret);
    if (err == ERR_OK && dns_message_open(text_str(ret), &m) && (m.flags & DNS_FLAG_TRUNCATED) != 0)
        err = ask_tcp(ask, until, ret);
    return err;
}
