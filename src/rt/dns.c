// SPDX-License-Identifier: Apache-2.0
// c-ares' sockets are in an epoll set of their own, level-triggered as c-ares needs it (it reads
// once from a TCP socket, and leaves the rest for the next call). The loop watches that set.
#include "rt/dns.h"

#include <ares.h>
#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/sock.h"
#include "rt/sys.h"
#include "rt/timer.h"

#define TIMEOUT_MS_DEFAULT 2000
#define TRIES_DEFAULT 3
#define NAME_MAX_BYTES 253
#define EVENTS_PER_CALL 16
#define CALLS_PER_TURN 64
#define TTL_UNKNOWN UINT32_MAX

struct dns {
    ares_channel channel; // owns
    struct rt_sock set;   // owns: the epoll set
    struct rt_timer timer;
};

// A look-up. The fiber that waits owns it, or, when that has given up, c-ares' callback does.
struct query {
    struct fiber *fiber; // borrows; NULL: nobody waits any more
    bool is_done;
    int status;
    struct dns_answer answer;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void init_library(void)
{
    library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

// --- sockets and time ---

static void on_timer(struct rt_timer *t);

static void set_timer(struct dns *d)
{
    struct timeval tv;
    if (!ares_timeout(d->channel, NULL, &tv)) {
        timer_stop(&d->timer);
        return;
    }
    // Rounded up, so that it has passed when the timer expires.
    int64_t wait_ms = (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
    timer_start(&d->timer, clock_now_ms() + wait_ms, on_timer);
}

static void process_ready(struct dns *d)
{
    struct epoll_event events[EVENTS_PER_CALL];
    for (int call = 0; call < CALLS_PER_TURN; call++) {
        int n = sys_epoll_wait(d->set.fd, events, EVENTS_PER_CALL, 0);
        for (int i = 0; i < n; i++) {
            ares_socket_t fd = (ares_socket_t)(intptr_t)events[i].data.ptr;
            bool can_write = (events[i].events & EPOLLOUT) != 0;
            bool can_read = (events[i].events & ~(uint32_t)EPOLLOUT) != 0;
            ares_process_fd(d->channel, can_read ? fd : ARES_SOCKET_BAD,
                            can_write ? fd : ARES_SOCKET_BAD);
        }
        if (n <= 0) {
            set_timer(d);
            return;
        }
    }
    // The rest in the next turn: there is no new edge for it.
    timer_start(&d->timer, clock_now_ms(), on_timer);
}

static void on_ready(struct rt_sock *s)
{
    process_ready(CONTAINER_OF(s, struct dns, set));
}

static void on_timer(struct rt_timer *t)
{
    struct dns *d = CONTAINER_OF(t, struct dns, timer);
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    process_ready(d);
}

static void on_socket_state(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
    struct dns *d = arg;
    uint32_t events =
        (is_readable ? (uint32_t)EPOLLIN : 0) | (is_writable ? (uint32_t)EPOLLOUT : 0);
    void *ptr = (void *)(intptr_t)fd;
    if (events == 0)
        (void)sys_epoll_del(d->set.fd, fd);
    else if (sys_epoll_mod(d->set.fd, fd, events, ptr) != 0 && errno == ENOENT)
        // On failure the query runs into its time-out.
        (void)sys_epoll_add(d->set.fd, fd, events, ptr);
}

// --- making and ending ---

static int open_channel(struct dns *d, const struct dns_options *options)
{
    bool has_timeout = options && options->timeout_ms > 0;
    struct ares_options o = {
        .timeout = has_timeout ? (int)MIN(options->timeout_ms, INT32_MAX) : TIMEOUT_MS_DEFAULT,
        .tries = options && options->tries > 0 ? options->tries : TRIES_DEFAULT,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = d,
    };
    int status = ares_init_options(&d->channel, &o,
                                   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS || !options || !options->servers)
        return status;
    status = ares_set_servers_ports_csv(d->channel, options->servers);
    if (status != ARES_SUCCESS)
        ares_destroy(d->channel);
    return status;
}

struct dns *dns_new(const struct dns_options *options, const char **reterr)
{
    int failed = pthread_once(&library_once, init_library);
    ASSERT(failed == 0);
    if (library_status != ARES_SUCCESS) {
        *reterr = ares_strerror(library_status);
        return NULL;
    }
    int set = sys_epoll_create();
    if (set < 0) {
        *reterr = strerrordesc_np(errno);
        return NULL;
    }
    struct dns *d = MEM_NEW(struct dns);
    sock_init(&d->set, set);
    d->set.on_event = on_ready;
    int status = open_channel(d, options);
    if (status != ARES_SUCCESS) {
        *reterr = ares_strerror(status);
        sock_close(&d->set);
        mem_free(d);
        return NULL;
    }
    sock_watch(&d->set);
    return d;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    ares_destroy(d->channel); // ends all queries
    timer_stop(&d->timer);
    sock_close(&d->set);
    mem_free(d);
}

// --- look-ups ---

static void add_node(struct dns_answer *a, const struct ares_addrinfo_node *node)
{
    if (a->n == DNS_ADDRS_MAX)
        return;
    struct ip ip = {0};
    if (node->ai_family == AF_INET) {
        struct sockaddr_in in4;
        memcpy(&in4, node->ai_addr, sizeof in4);
        memcpy(ip.bytes, &in4.sin_addr, 4);
        ip.family = 4;
    } else if (node->ai_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, node->ai_addr, sizeof in6);
        memcpy(ip.bytes, &in6.sin6_addr, 16);
        ip.family = 6;
    } else {
        return;
    }
    a->addrs[a->n++] = ip;
}

static uint32_t smaller_ttl(uint32_t ttl_s, int other_s)
{
    return MIN(ttl_s, (uint32_t)MAX(other_s, 0));
}

static void fill_answer(struct dns_answer *a, const struct ares_addrinfo *info)
{
    uint32_t ttl_s = TTL_UNKNOWN;
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
        add_node(a, n);
        ttl_s = smaller_ttl(ttl_s, n->ai_ttl);
    }
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        ttl_s = smaller_ttl(ttl_s, c->ttl);
    a->ttl_s = ttl_s == TTL_UNKNOWN ? 0 : ttl_s;
}

static void on_answer(void *arg, int status, int n_timeouts, struct ares_addrinfo *info)
{
    (void)n_timeouts;
    struct query *q = arg;
    q->is_done = true;
    q->status = status;
    if (status == ARES_SUCCESS) {
        fill_answer(&q->answer, info);
        ares_freeaddrinfo(info);
    }
    if (q->fiber)
        fiber_wake(q->fiber);
    else
        mem_free(q);
}

static enum err err_of(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        return ERR_NOT_FOUND;
    case ARES_ETIMEOUT:
        return ERR_TIMEOUT;
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED:
        return ERR_CANCELLED;
    default: // c-ares' numbers, not an enum
        return ERR_UNAVAILABLE;
    }
}

static enum err result_of(const struct query *q, struct dns_answer *ret, const char **ret_why)
{
    if (q->status != ARES_SUCCESS) {
        *ret_why = ares_strerror(q->status);
        return err_of(q->status);
    }
    if (q->answer.n == 0) {
        *ret_why = "the name has no address";
        return ERR_NOT_FOUND;
    }
    *ret = q->answer;
    return ERR_OK;
}

static void start(struct dns *d, const char *name, struct query *q)
{
    static const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, // the resolver's order, and no probing by sockets
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    ares_getaddrinfo(d->channel, name, NULL, &hints, on_answer, q);
    set_timer(d);
}

enum err dns_resolve(struct dns *d, struct str name, struct deadline until, struct dns_answer *ret,
                     const char **ret_why)
{
    char text[NAME_MAX_BYTES + 1];
    if (name.len == 0 || name.len > NAME_MAX_BYTES || str_find(name, '\0') != STR_NPOS) {
        *ret_why = "not a name";
        return ERR_NOT_FOUND;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';

    struct query *q = MEM_NEW(struct query);
    q->fiber = fiber_self();
    start(d, text, q);
    enum fiber_wake wake = FIBER_READY;
    while (!q->is_done && wake == FIBER_READY)
        wake = fiber_wait(until);
    if (!q->is_done) {
        q->fiber = NULL; // the callback frees it
        *ret_why = wake == FIBER_EXPIRED ? "no answer in time" : "cancelled";
        return wake == FIBER_EXPIRED ? ERR_TIMEOUT : ERR_CANCELLED;
    }
    enum err err = result_of(q, ret, ret_why);
    mem_free(q);
    return err;
}
