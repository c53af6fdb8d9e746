// SPDX-License-Identifier: Apache-2.0
// The connection: its events, what it sends, its end.
#include "http/h2_client.h"

#include <stdio.h>

#include "base/mem.h"
#include "http/env.h"
#include "http/h2_client_priv.h"
#include "rt/clock.h"
#include "rt/loop.h"
#include "tls/conn.h"

#define READ_TURN_BYTES ((size_t)256 * 1024) // then others have their turn
#define UNKNOWN_MAX_BYTES                                                                          \
    ((uint64_t)128 * 1024) // of frames that nobody knows, one behind the other
// Of streams that we have reset: what they all may have is on its way at most.
#define LATE_MAX_BYTES ((uint64_t)64 * 1024 * 1024)
#define LATE_FACTOR 2 // heads of frames and padding count as well
#define RESETS_MAX                                                                                 \
    100 // of streams, beyond those that were served; the careful allow ten times that
#define PROBE_AFTER_MS 2000 // of silence

static void on_turn_end(void *arg);

void h2_client_schedule(struct h2_client *c)
{
    if (c->is_scheduled)
        return;
    c->is_scheduled = true;
    loop_defer(on_turn_end, c);
}

void h2_client_change(struct h2_client *c)
{
    c->is_changed = true;
    h2_client_schedule(c);
}

// An exchange that waits for a sign of life, on its fiber's stack.
struct h2_listener {
    struct list_node node;
    struct fiber *fiber; // borrows
};

static void wake_listeners(struct h2_client *c)
{
    for (struct list_node *n; (n = list_pop_front(&c->listeners));)
        fiber_wake(CONTAINER_OF(n, struct h2_listener, node)->fiber);
}

void h2_client_break(struct h2_client *c, enum h2_failure failure, const char *why)
{
    if (c->is_over)
        return;
    c->is_over = true;
    timer_stop(&c->timer);
    c->stream.sock.on_event = NULL;
    stream_close(&c->stream);
    LIST_FOR_SAFE (n, &c->calls) {
        struct h2_call *call = CONTAINER_OF(n, struct h2_call, node);
        if (!call->is_complete && call->failure == H2_FAILURE_NONE)
            h2_call_note(call, "%s", why);
        h2_call_end_stream(call, failure);
    }
    wake_listeners(c);
    h2_client_change(c);
}

// --- sending ---

// Fills out with frames. *ret_over: one that no longer fits, good until the next call.
static size_t gather(struct h2_client *c, char *out, size_t cap, struct str *ret_over)
{
    size_t n = 0;
    *ret_over = STR_NONE;
    while (n < cap) {
        const uint8_t *frame;
        ssize_t got = nghttp2_session_mem_send(c->session, &frame);
        ASSERT(got >= 0); // no callback of ours fails for good
        if (got == 0)
            break;
        if ((size_t)got > cap - n) {
            *ret_over = str_from((const char *)frame, (size_t)got);
            break;
        }
        memcpy(out + n, frame, (size_t)got);
        n += (size_t)got;
    }
    return n;
}

// As much as the socket takes. False: it is broken.
static bool put(struct h2_client *c, struct iovec *iov, int *at, int n_iov)
{
    while (*at < n_iov) {
        size_t n = 0;
        switch (stream_try_writev(&c->stream, iov + *at, n_iov - *at, &n)) {
        case IO_DONE:
            break;
        case IO_AGAIN:
            return true;
        case IO_EOF:
        case IO_FAIL:
            return false;
        }
        for (; *at < n_iov && n >= iov[*at].iov_len; (*at)++)
            n -= iov[*at].iov_len;
        if (*at < n_iov) {
            iov[*at].iov_base = (char *)iov[*at].iov_base + n;
            iov[*at].iov_len -= n;
        }
    }
    return true;
}

static void keep_rest(struct h2_client *c, const struct iovec *iov, int n_iov)
{
    size_t bytes = 0;
    for (int i = 0; i < n_iov; i++)
        bytes += iov[i].iov_len;
    c->rest = mem_alloc_raw(bytes);
    c->rest_at = c->rest_end = 0;
    for (int i = 0; i < n_iov; i++) {
        memcpy(c->rest + c->rest_end, iov[i].iov_base, iov[i].iov_len);
        c->rest_end += iov[i].iov_len;
    }
}

static bool send_rest(struct h2_client *c)
{
    struct iovec iov = {c->rest + c->rest_at, c->rest_end - c->rest_at};
    int at = 0;
    if (!put(c, &iov, &at, 1))
        return false;
    c->rest_at = c->rest_end - iov.iov_len;
    if (at == 1) {
        mem_free(c->rest);
        c->rest = NULL;
    }
    return true;
}

// Sends what is there to be sent. False: the socket is broken.
static bool flush(struct h2_client *c)
{
    if (c->rest && !send_rest(c))
        return false;
    if (c->rest || !nghttp2_session_want_write(c->session))
        return true;
    char *out = pool_take(&c->env->pieces);
    bool is_sound = true;
    while (is_sound && !c->rest) {
        struct str over;
        size_t n = gather(c, out, HTTP_BUFFER_BYTES, &over);
        if (n + over.len == 0)
            break;
        // WHY: iovec serves reading too and isn't const; writing leaves the bytes alone.
        struct iovec iov[] = {{out, n}, {(void *)(uintptr_t)over.ptr, over.len}};
        int at = n == 0, n_iov = over.len > 0 ? 2 : 1;
        is_sound = put(c, iov, &at, n_iov);
        if (is_sound && at < n_iov)
            keep_rest(c, iov + at, n_iov - at);
    }
    pool_give(&c->env->pieces, out);
    return is_sound;
}

// --- receiving ---

static const char *error_text(const struct h2_client *c)
{
    const char *alert = tls_conn_alert(&c->stream);
    int error = c->stream.sock.error;
    return alert ? alert : error != 0 ? strerrordesc_np(error) : "the connection broke";
}

// nghttp2 or we have found that the server breaks the protocol: what is queued says so to it.
static void refuse(struct h2_client *c)
{
    char why[200];
    (void)flush(c); // says why in GOAWAY, where nghttp2 knows it better
    enum h2_error e = c->error != H2_ERROR_NONE ? c->error : H2_ERROR_FRAMES;
    http_count_server_h2_error(c->env, e);
    snprintf(why, sizeof why, "broke the connection: %s%s%s (RFC %s)", h2_error_text(e),
             c->why[0] != '\0' ? ": " : "", c->why, h2_error_section(e));
    h2_client_break(c, H2_FAILURE_PROTOCOL, why);
}

// RFC 9113 5.1: what was on its way when a stream was reset is read over. nghttp2 tells of it as
// little as of frames that it doesn't know.
void h2_client_expect_late(struct h2_client *c, uint64_t window)
{
    c->late_bytes = MIN(c->late_bytes + LATE_FACTOR * window, LATE_MAX_BYTES);
}

static bool is_unknown_too_much(struct h2_client *c)
{
    if (c->unknown_bytes <= UNKNOWN_MAX_BYTES)
        return false;
    uint64_t late = MIN(c->unknown_bytes - UNKNOWN_MAX_BYTES, c->late_bytes);
    c->late_bytes -= late;
    c->unknown_bytes -= late;
    return c->unknown_bytes > UNKNOWN_MAX_BYTES;
}

// One read. False: nothing more is to be read now.
static bool read_some(struct h2_client *c, char *buf, size_t *ret_n)
{
    switch (stream_try_read(&c->stream, buf, HTTP_BUFFER_BYTES, ret_n)) {
    case IO_DONE:
        break;
    case IO_AGAIN:
        return false;
    case IO_EOF:
        h2_client_break(c, H2_FAILURE_GONE, "closed the connection");
        return false;
    case IO_FAIL:
        h2_client_break(c, H2_FAILURE_GONE, error_text(c));
        return false;
    }
    c->heard_ms = clock_now_ms();
    c->unknown_bytes += *ret_n;
    ssize_t used = nghttp2_session_mem_recv(c->session, (const uint8_t *)buf, *ret_n);
    if (used >= 0 && c->error == H2_ERROR_NONE && !is_unknown_too_much(c))
        return true;
    if (c->error == H2_ERROR_NONE) // or nghttp2's own limits
        c->error = H2_ERROR_FLOOD;
    bool is_flood = c->error == H2_ERROR_FLOOD;
    (void)nghttp2_session_terminate_session(c->session, is_flood ? NGHTTP2_ENHANCE_YOUR_CALM
                                                                 : NGHTTP2_PROTOCOL_ERROR);
    refuse(c);
    return false;
}

static void on_timer(struct rt_timer *timer);

static void read_all(struct h2_client *c)
{
    char *buf = pool_take(&c->env->pieces);
    size_t total = 0, n = 0;
    while (total < READ_TURN_BYTES && read_some(c, buf, &n))
        total += n;
    pool_give(&c->env->pieces, buf);
    if (!c->is_over && total >= READ_TURN_BYTES)
        timer_start(&c->timer, clock_now_ms(), on_timer);
    h2_client_schedule(c);
}

static void on_event(struct rt_sock *s)
{
    struct h2_client *c = CONTAINER_OF(s, struct h2_client, stream.sock);
    read_all(c);
}

// --- signs of life ---

static void on_timer(struct rt_timer *timer)
{
    struct h2_client *c = CONTAINER_OF(timer, struct h2_client, timer);
    if (stream_is_readable(&c->stream)) {
        read_all(c);
        if (c->is_over || timer_is_running(timer))
            return;
    }
    if (c->probe_ms == 0)
        return;
    if (clock_now_ms() < c->probe_ms)
        timer_start(timer, c->probe_ms, on_timer);
    else
        h2_client_break(c, H2_FAILURE_GONE, "gave no sign of life");
}

void h2_client_probe(struct h2_client *c, int64_t within_ms)
{
    int64_t now = clock_now_ms();
    if (c->is_over || c->probe_ms != 0 || now - c->heard_ms < PROBE_AFTER_MS)
        return;
    if (nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL) != 0)
        return;
    c->probe_ms = now + within_ms;
    c->doubt_ms = now + within_ms / 2;
    if (!timer_is_running(&c->timer))
        timer_start(&c->timer, c->probe_ms, on_timer);
    h2_client_schedule(c);
}

void h2_client_lives(struct h2_client *c)
{
    if (LIKELY(c->probe_ms == 0))
        return;
    c->probe_ms = 0;
    wake_listeners(c);
    h2_client_change(c);
}

enum fiber_wake h2_client_hear(struct h2_client *c)
{
    while (c->probe_ms != 0 && !c->is_over) {
        struct h2_listener me = {.fiber = fiber_self()};
        list_push_back(&c->listeners, &me.node);
        enum fiber_wake wake = fiber_wait(deadline_at(c->doubt_ms));
        list_remove(&me.node);
        if (wake != FIBER_READY)
            return wake;
    }
    return FIBER_READY;
}

// --- the end of a turn ---

// Nothing is to be read or sent any more, as far as nghttp2 knows.
static bool is_done(const struct h2_client *c)
{
    return !c->rest && !nghttp2_session_want_read(c->session) &&
           !nghttp2_session_want_write(c->session);
}

void h2_client_flush(struct h2_client *c)
{
    if (!c->is_over && !flush(c))
        h2_client_break(c, H2_FAILURE_GONE, error_text(c));
}

static void tell_tunnels(struct h2_client *c)
{
    for (struct list_node *n; (n = list_pop_front(&c->told));)
        h2_call_tell(CONTAINER_OF(n, struct h2_call, told));
}

static void on_turn_end(void *arg)
{
    struct h2_client *c = arg;
    tell_tunnels(c);
    h2_client_flush(c);
    if (!c->is_over && c->is_leaving && c->n_calls == 0 && !c->rest)
        h2_client_break(c, H2_FAILURE_GONE, "left");
    else if (!c->is_over && is_done(c))
        refuse(c);
    c->is_scheduled = false;
    if (!list_is_empty(&c->told)) // by what was sent just now
        h2_client_schedule(c);
    if (!c->is_changed)
        return;
    c->is_changed = false;
    c->changed(c); // c may be freed with the end of the turn
}

// --- public ---

void h2_client_start(struct h2_client *c, struct http_env *env)
{
    ASSERT(c->changed && c->stream.sock.fd >= 0);
    c->env = env;
    list_init(&c->calls);
    list_init(&c->told);
    list_init(&c->listeners);
    c->heard_ms = c->idle_since_ms = c->credit_ms = clock_now_ms();
    h2_session_begin(c);
    struct rt_sock *sock = &c->stream.sock;
    sock->on_event = on_event;
    sock_watch(sock);
    if (!sock->is_watched) {
        h2_client_break(c, H2_FAILURE_GONE, error_text(c));
        return;
    }
    if (stream_is_readable(&c->stream)) // what came with the handshake
        timer_start(&c->timer, clock_now_ms(), on_timer);
    h2_client_schedule(c);
}

uint32_t h2_client_room(const struct h2_client *c)
{
    bool is_doubtful = c->probe_ms != 0 && c->doubt_ms <= clock_now_ms();
    if (c->is_over || c->is_leaving || is_doubtful)
        return 0;
    uint32_t max = 1;
    if (c->is_ready)
        max = MIN(H2_CLIENT_STREAMS_MAX, nghttp2_session_get_remote_settings(
                                             c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
    return max > c->n_calls ? max - c->n_calls : 0;
}

// No stream of the server's was ever taken.
static void say_goodbye(struct h2_client *c)
{
    (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
}

void h2_client_leave(struct h2_client *c)
{
    if (c->is_over || c->is_leaving)
        return;
    c->is_leaving = true;
    say_goodbye(c);
    h2_client_schedule(c);
}

void h2_client_count_reset(struct h2_client *c)
{
    if (++c->n_resets >= RESETS_MAX)
        h2_client_leave(c);
}

void h2_client_count_served(struct h2_client *c)
{
    c->n_resets -= c->n_resets > 0;
}

void h2_client_fini(struct h2_client *c)
{
    ASSERT(list_is_empty(&c->calls) && list_is_empty(&c->listeners));
    tell_tunnels(c);
    timer_stop(&c->timer);
    if (!c->is_over) {
        say_goodbye(c);
        (void)flush(c);
        c->stream.sock.on_event = NULL;
        stream_close(&c->stream);
    }
    c->is_over = true; // the turn's end may still look at it, and has nothing to tell
    c->is_changed = false;
    nghttp2_session_del(c->session);
    mem_free(c->rest);
    c->session = NULL;
    c->rest = NULL;
}
