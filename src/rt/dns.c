// SPDX-License-Identifier: Apache-2.0
// c-ares' sockets are in an epoll set of their own, level-triggered as c-ares needs it (it reads
// once from a TCP socket, and leaves the rest for the next call). The loop watches that set.
#include "rt/dns.h"

#include <ares.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/writer.h"
#include "codec/hosts.h"
#include "codec/resolv.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "rt/sock.h"
#include "rt/sys.h"
#include "rt/timer.h"

#define TIMEOUT_MS_DEFAULT 2000
#define TRIES_DEFAULT 3
#define NAME_MAX_BYTES 253
#define EVENTS_PER_CALL 16
#define CALLS_PER_TURN 64
#define TTL_UNKNOWN UINT32_MAX
#define HOSTS_MEM_MAX_BYTES ((size_t)128 << 20)

// One set of servers. After a change the old one stays until its look-ups have ended.
struct channel {
    struct list_node node; // in dns.channels, until it is to be freed
    ares_channel ares;     // owns
    struct rt_sock set;    // owns: the epoll set
    struct rt_timer timer;
    size_t n_queries;
    bool is_leaving;
};

struct dns {
    struct list channels;    // own: the present one is the last
    struct channel *channel; // the present one
    struct arena mem;        // of hosts
    struct hosts hosts;
    char *servers; // owns: or NULL
    int64_t timeout_ms;
    int tries; // 0: not set
};

// A look-up. The fiber that waits owns it, or, when that has given up, c-ares' callback does.
struct query {
    struct channel *channel; // borrows
    struct fiber *fiber;     // borrows; NULL: nobody waits any more
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

static void set_timer(struct channel *c)
{
    struct timeval tv;
    if (!ares_timeout(c->ares, NULL, &tv)) {
        timer_stop(&c->timer);
        return;
    }
    // Rounded up, so that it has passed when the timer expires.
    int64_t wait_ms = (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
    timer_start(&c->timer, clock_now_ms() + wait_ms, on_timer);
}

static void process_ready(struct channel *c)
{
    struct epoll_event events[EVENTS_PER_CALL];
    for (int call = 0; call < CALLS_PER_TURN; call++) {
        int n = sys_epoll_wait(c->set.fd, events, EVENTS_PER_CALL, 0);
        for (int i = 0; i < n; i++) {
            ares_socket_t fd = (ares_socket_t)(intptr_t)events[i].data.ptr;
            bool can_write = (events[i].events & EPOLLOUT) != 0;
            bool can_read = (events[i].events & ~(uint32_t)EPOLLOUT) != 0;
            ares_process_fd(c->ares, can_read ? fd : ARES_SOCKET_BAD,
                            can_write ? fd : ARES_SOCKET_BAD);
        }
        if (n <= 0) {
            set_timer(c);
            return;
        }
    }
    // The rest in the next turn: there is no new edge for it.
    timer_start(&c->timer, clock_now_ms(), on_timer);
}

static void on_ready(struct rt_sock *s)
{
    process_ready(CONTAINER_OF(s, struct channel, set));
}

static void on_timer(struct rt_timer *t)
{
    struct channel *c = CONTAINER_OF(t, struct channel, timer);
    ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    process_ready(c);
}

static void on_socket_state(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
    struct channel *c = arg;
    uint32_t events =
        (is_readable ? (uint32_t)EPOLLIN : 0) | (is_writable ? (uint32_t)EPOLLOUT : 0);
    void *ptr = (void *)(intptr_t)fd;
    if (events == 0)
        (void)sys_epoll_del(c->set.fd, fd);
    else if (sys_epoll_mod(c->set.fd, fd, events, ptr) != 0 && errno == ENOENT)
        // On failure the query runs into its time-out.
        (void)sys_epoll_add(c->set.fd, fd, events, ptr);
}

// --- making and ending ---

// WHY: until 1.19.1 c-ares reads /dev/urandom, and where it can't, its queries' ids come from
// rand(), which nobody has seeded (CVE-2023-31147). 32 bits are enough: to find them one must have
// seen ids, and whoever sees those can answer anyway.
static void seed_ares(void)
{
#if ARES_VERSION < 0x011301
    unsigned seed;
    sys_random(&seed, sizeof seed);
    srandom(seed);
#endif
}

// c-ares is told everything, so that it has no reason to look for files of its own.
static int init_ares(struct channel *c, const struct dns *d, const struct resolv *r,
                     char *domains[static RESOLV_SEARCH_MAX])
{
    int tries = d->tries > 0 ? d->tries : r->attempts > 0 ? (int)r->attempts : TRIES_DEFAULT;
    struct ares_options o = {
        .timeout = (int)MIN(d->timeout_ms, INT32_MAX),
        .tries = tries,
        .ndots = (int)r->ndots,
        .domains = domains,
        .ndomains = (int)r->n_search,
        .lookups = (char[]){"b"}, // DNS alone: the hosts file is ours
        .resolvconf_path = (char[]){"/dev/null"},
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = c,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS |
               ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB |
               (r->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; // with 0 seconds: whoever asks anew wants a new answer
#endif
    seed_ares();
    return ares_init_options(&c->ares, &o, mask);
}

static int set_servers(struct channel *c, const struct dns *d, const struct resolv *r)
{
    if (d->servers)
        return ares_set_servers_ports_csv(c->ares, d->servers);
    if (r->n_servers == 0) // then c-ares asks 127.0.0.1, as the C library does
        return ARES_SUCCESS;
    char list[RESOLV_SERVERS_MAX * 48];
    struct writer w;
    writer_init(&w, list, sizeof list);
    for (size_t i = 0; i < r->n_servers; i++) {
        char text[46];
        if (i > 0)
            writer_byte(&w, ',');
        writer_put(&w, ip_text(&r->servers[i], text));
    }
    writer_byte(&w, '\0');
    ASSERT(!w.overflowed);
    return ares_set_servers_csv(c->ares, list);
}

static int open_ares(struct channel *c, const struct dns *d, const struct resolv *r)
{
    char *domains[RESOLV_SEARCH_MAX];
    for (size_t i = 0; i < r->n_search; i++)
        domains[i] = mem_copy(r->search[i].ptr, r->search[i].len);
    int status = init_ares(c, d, r, domains);
    for (size_t i = 0; i < r->n_search; i++)
        mem_free(domains[i]);
    if (status != ARES_SUCCESS)
        return status;
    status = set_servers(c, d, r);
    if (status != ARES_SUCCESS)
        ares_destroy(c->ares);
    return status;
}

static struct channel *channel_new(const struct dns *d, const struct resolv *r, const char **reterr)
{
    int set = sys_epoll_create();
    if (set < 0) {
        *reterr = strerrordesc_np(errno);
        return NULL;
    }
    struct channel *c = MEM_NEW(struct channel);
    sock_init(&c->set, set);
    c->set.on_event = on_ready;
    int status = open_ares(c, d, r);
    if (status != ARES_SUCCESS) {
        *reterr = ares_strerror(status);
        sock_close(&c->set);
        mem_free(c);
        return NULL;
    }
    sock_watch(&c->set);
    return c;
}

static void channel_free(void *arg)
{
    struct channel *c = arg;
    ares_destroy(c->ares); // ends all queries
    timer_stop(&c->timer);
    sock_close(&c->set);
    mem_free(c);
}

// c-ares may be calling us right now.
static void free_when_idle(struct channel *c)
{
    if (!c->is_leaving || c->n_queries > 0)
        return;
    list_remove(&c->node);
    loop_defer(channel_free, c);
}

struct dns *dns_new(const struct dns_options *options, const char **reterr)
{
    static const struct dns_files none;
    int failed = pthread_once(&library_once, init_library);
    ASSERT(failed == 0);
    if (library_status != ARES_SUCCESS) {
        *reterr = ares_strerror(library_status);
        return NULL;
    }
    struct dns *d = MEM_NEW(struct dns);
    list_init(&d->channels);
    d->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT;
    d->tries = options->tries;
    if (options->servers)
        d->servers = mem_copy(options->servers, strlen(options->servers));
    if (dns_use(d, options->files ? options->files : &none, reterr))
        return d;
    dns_free(d);
    return NULL;
}

bool dns_use(struct dns *d, const struct dns_files *files, const char **reterr)
{
    struct arena mem;
    struct hosts hosts;
    arena_init(&mem, HOSTS_MEM_MAX_BYTES, NULL, 0);
    if (hosts_parse(files->hosts, &mem, &hosts) != ERR_OK) {
        *reterr = "the hosts file is too large";
        arena_fini(&mem);
        return false;
    }
    struct resolv r = resolv_parse(files->resolv_conf);
    struct channel *c = channel_new(d, &r, reterr);
    if (!c) {
        arena_fini(&mem);
        return false;
    }
    arena_fini(&d->mem);
    d->mem = mem;
    d->hosts = hosts;
    struct channel *old = d->channel;
    list_push_back(&d->channels, &c->node);
    d->channel = c;
    if (old) {
        old->is_leaving = true;
        free_when_idle(old);
    }
    return true;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    struct list_node *n;
    while ((n = list_pop_front(&d->channels)) != NULL) {
        struct channel *c = CONTAINER_OF(n, struct channel, node);
        c->is_leaving = false; // or its last query would free it, too
        channel_free(c);
    }
    arena_fini(&d->mem);
    mem_free(d->servers);
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
    q->channel->n_queries--;
    free_when_idle(q->channel);
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
    struct channel *c = d->channel;
    q->channel = c;
    c->n_queries++;
    ares_getaddrinfo(c->ares, name, NULL, &hints, on_answer, q);
    set_timer(c);
}

// What needs no server: the hosts file, and localhost, which is this machine whatever anybody says
// (RFC 6761 6.3).
static bool answer_at_once(const struct dns *d, struct str name, struct dns_answer *ret)
{
    static const struct dns_answer loopback = {
        .addrs = {{.family = 4, .bytes = {127, 0, 0, 1}}, {.family = 6, .bytes = {[15] = 1}}},
        .n = 2,
    };
    if (name.ptr[name.len - 1] == '.')
        name.len--;
    struct dns_answer a = {.ttl_s = 0};
    a.n = hosts_find(&d->hosts, name, a.addrs, DNS_ADDRS_MAX);
    bool is_local = str_ieq(name, STR("localhost")) ||
                    (name.len > 10 && str_ieq(str_skip(name, name.len - 10), STR(".localhost")));
    for (size_t i = 0; i < a.n && is_local; i++) {
        if (!ip_is_loopback(&a.addrs[i]))
            a.n = 0;
    }
    if (a.n == 0 && !is_local)
        return false;
    *ret = a.n > 0 ? a : loopback;
    return true;
}

enum err dns_resolve(struct dns *d, struct str name, struct deadline until, struct dns_answer *ret,
                     const char **ret_why)
{
    char text[NAME_MAX_BYTES + 1];
    if (name.len == 0 || name.len > NAME_MAX_BYTES || str_find(name, '\0') != STR_NPOS) {
        *ret_why = "not a name";
        return ERR_NOT_FOUND;
    }
    if (answer_at_once(d, name, ret))
        return ERR_OK;
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
