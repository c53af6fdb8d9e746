// SPDX-License-Identifier: Apache-2.0
// A tiny DNS server on a UDP (and TCP) port of loopback, on the test's own loop. Its answers are
// set by the test, and may change while it runs.
#pragma once

#include "unit/rt/rt_test.h"

#define FAKE_DNS_NAMES_MAX 8
#define FAKE_DNS_ADDRS_MAX 40

struct fake_name {
    const char *name;
    const char *addrs[FAKE_DNS_ADDRS_MAX]; // IPv4 and IPv6
    uint32_t ttl_s;
    int rcode;      // 0: no error, 2: SERVFAIL, 3: NXDOMAIN
    bool is_silent; // gets no answer
    bool over_tcp;  // the UDP answer is cut: come by TCP
    int n_queries;  // of both kinds
};

struct fake_dns {
    struct rt_sock udp;
    int tcp; // listens
    struct rt_listener *listener;
    char servers[32]; // "127.0.0.1:5353": for dns_options
    struct fake_name names[FAKE_DNS_NAMES_MAX];
};

static inline void fake_put(uint8_t **to, const void *from, size_t n)
{
    memcpy(*to, from, n);
    *to += n;
}

static inline void fake_put_u16(uint8_t **to, unsigned v)
{
    fake_put(to, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

// The name of the question as text; returns the bytes that the whole question takes.
static inline size_t fake_question(const uint8_t *at, size_t n, char *ret_name, unsigned *ret_type)
{
    size_t i = 0, len = 0;
    while (i < n && at[i] > 0 && i + 1 + at[i] < n && len + at[i] + 1 < 256) {
        memcpy(ret_name + len, at + i + 1, at[i]);
        len += at[i];
        ret_name[len++] = '.';
        i += 1u + at[i];
    }
    ret_name[len > 0 ? len - 1 : 0] = '\0';
    if (i + 5 > n)
        return 0;
    *ret_type = (unsigned)(at[i + 1] << 8 | at[i + 2]);
    return i + 5;
}

static inline unsigned fake_put_addrs(uint8_t **to, const struct fake_name *name, unsigned type)
{
    unsigned n = 0;
    for (size_t i = 0; i < FAKE_DNS_ADDRS_MAX && name->addrs[i]; i++) {
        uint8_t ip[16];
        bool is_v6 = strchr(name->addrs[i], ':') != NULL;
        if (is_v6 != (type == 28) || inet_pton(is_v6 ? AF_INET6 : AF_INET, name->addrs[i], ip) != 1)
            continue;
        fake_put_u16(to, 0xC00C); // the question's name
        fake_put_u16(to, type);
        fake_put_u16(to, 1);
        fake_put_u16(to, name->ttl_s >> 16);
        fake_put_u16(to, name->ttl_s & 0xFFFF);
        fake_put_u16(to, is_v6 ? 16 : 4);
        fake_put(to, ip, is_v6 ? 16 : 4);
        n++;
    }
    return n;
}

// Returns the answer's bytes; 0: no answer.
static inline size_t fake_answer(struct fake_dns *f, const uint8_t *in, size_t n, bool is_udp,
                                 uint8_t out[2048])
{
    char text[256];
    unsigned type = 0;
    size_t question = n > 12 ? fake_question(in + 12, n - 12, text, &type) : 0;
    if (question == 0)
        return 0;
    struct fake_name *name = NULL;
    for (size_t i = 0; i < FAKE_DNS_NAMES_MAX && !name; i++)
        if (f->names[i].name && strcasecmp(f->names[i].name, text) == 0)
            name = &f->names[i];
    if (name && name->is_silent)
        return 0;
    uint8_t *at = out + 12;
    fake_put(&at, in + 12, question);
    bool is_cut = name && name->over_tcp && is_udp;
    unsigned n_answers = name && name->rcode == 0 && !is_cut ? fake_put_addrs(&at, name, type) : 0;
    if (name)
        name->n_queries++;
    unsigned rcode = name ? (unsigned)name->rcode : 3;
    uint8_t *head = out;
    fake_put(&head, in, 2);
    fake_put_u16(&head, 0x8180u | (is_cut ? 0x0200u : 0) | rcode);
    fake_put_u16(&head, 1);
    fake_put_u16(&head, n_answers);
    fake_put_u16(&head, 0);
    fake_put_u16(&head, 0);
    return (size_t)(at - out);
}

static inline void fake_on_udp(struct rt_sock *s)
{
    struct fake_dns *f = CONTAINER_OF(s, struct fake_dns, udp);
    for (;;) {
        uint8_t in[512], out[2048];
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof from;
        ssize_t n = recvfrom(s->fd, in, sizeof in, 0, (struct sockaddr *)&from, &from_bytes);
        if (n < 0)
            return;
        size_t out_bytes = fake_answer(f, in, (size_t)n, true, out);
        if (out_bytes > 0)
            (void)sendto(s->fd, out, out_bytes, 0, (struct sockaddr *)&from, from_bytes);
    }
}

struct fake_tcp {
    struct rt_sock sock;
    struct fake_dns *f;
};

// Reads n bytes; false at the end.
static inline bool fake_read(struct fake_tcp *t, uint8_t *to, size_t n)
{
    size_t got = 0;
    for (size_t have = 0; have < n; have += got)
        if (sock_read(&t->sock, to + have, n - have, deadline_in(SOON_MS), &got) != IO_DONE)
            return false;
    return true;
}

// Answers in pieces: the length, then a byte, then the rest.
static inline bool fake_write(struct fake_tcp *t, uint8_t *out, size_t n)
{
    const size_t cuts[] = {0, 2, 3, n};
    for (size_t i = 0; i + 1 < ARRAY_LEN(cuts); i++) {
        struct iovec iov = {out + cuts[i], cuts[i + 1] - cuts[i]};
        if (sock_writev(&t->sock, &iov, 1, SOON_MS, deadline_in(SOON_MS)) != IO_DONE)
            return false;
        fiber_yield();
    }
    return true;
}

static inline void fake_serve_tcp(void *arg)
{
    struct fake_tcp *t = arg;
    uint8_t in[512], out[2 + 2048];
    while (fake_read(t, in, 2)) {
        size_t n = (size_t)(in[0] << 8 | in[1]);
        if (n > sizeof in || !fake_read(t, in, n))
            break;
        size_t answered = fake_answer(t->f, in, n, false, out + 2);
        out[0] = (uint8_t)(answered >> 8);
        out[1] = (uint8_t)answered;
        if (answered == 0 || !fake_write(t, out, answered + 2))
            break;
    }
    sock_close(&t->sock);
    free(t);
}

static inline void fake_on_accept(void *arg, int fd, const struct rt_addr *peer)
{
    (void)peer;
    struct fake_tcp *t = calloc(1, sizeof *t);
    sock_init(&t->sock, fd);
    t->f = arg;
    fiber_start(fake_serve_tcp, t);
}

static inline void fake_dns_start(struct fake_dns *f)
{
    struct rt_addr addr;
    struct ip ip;
    uint16_t port;
    f->tcp = test_listen(&addr);
    f->listener = listener_start(f->tcp, fake_on_accept, f);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &addr.u.any, addr.len) != 0 || !addr_to_ip(&addr, &ip, &port))
        abort();
    sock_init(&f->udp, fd);
    f->udp.on_event = fake_on_udp;
    sock_watch(&f->udp);
    snprintf(f->servers, sizeof f->servers, "127.0.0.1:%u", port);
}

static inline void fake_dns_stop(struct fake_dns *f)
{
    sock_close(&f->udp);
    listener_stop(f->listener);
    close(f->tcp);
}
