// SPDX-License-Identifier: Apache-2.0
#include "http/tunnel.h"

#include <errno.h>

#include "base/mem.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "rt/timer.h"

#define SPLICE_TURN_BYTES ((size_t)256 * 1024)

// One direction. A fiber carries it while there is something to carry.
struct flow {
    struct tunnel *tunnel;
    struct tunnel_side *from, *to;
    struct fiber *pump; // borrows: NULL while nothing moves
    uint64_t n_bytes;
    bool is_running; // a pump was started
    bool is_ended;   // the source has ended, and so have we towards the other side
};

struct tunnel {
    struct http_env *env; // borrows
    struct list_node node;
    struct flow flows[2]; // from a to b, from b to a
    struct rt_timer timer;
    int64_t idle_ms;
    int64_t moved_ms;     // the last progress
    const char *ended_by; // static text; NULL while it lives
    tunnel_done_fn *done;
    void *arg; // the owner's
};

static struct flow *other(struct flow *f)
{
    struct tunnel *t = f->tunnel;
    return f == &t->flows[0] ? &t->flows[1] : &t->flows[0];
}

static const char *closed_by(const struct flow *f)
{
    return f == &f->tunnel->flows[0] ? "client closed" : "server closed";
}

// --- end ---

static void finish(void *arg)
{
    struct tunnel *t = arg;
    struct tunnel_totals totals = {
        .a_to_b = t->flows[0].n_bytes,
        .b_to_a = t->flows[1].n_bytes,
        .ended_by = t->ended_by,
    };
    struct tunnel_side *a = t->flows[0].from, *b = t->flows[0].to;
    tunnel_done_fn *done = t->done;
    void *done_arg = t->arg;
    http_count(t->env, HTTP_COUNTER_TUNNELS_OPEN, -1);
    mem_free(t);
    b->release(b);
    a->release(a);
    done(done_arg, &totals);
}

// Once nothing runs on an ended tunnel, it goes with the end of this turn.
static void settle(struct tunnel *t)
{
    if (t->ended_by && !t->flows[0].is_running && !t->flows[1].is_running)
        loop_defer(finish, t);
}

// Idempotent. Pumps that run end at their next step.
static void end(struct tunnel *t, const char *by)
{
    if (t->ended_by)
        return;
    t->ended_by = by;
    timer_stop(&t->timer);
    list_remove(&t->node);
    for (struct flow *f = t->flows; f < t->flows + ARRAY_LEN(t->flows); f++) {
        f->from->stream->sock.on_event = NULL;
        if (f->pump && f->pump != fiber_self())
            fiber_cancel(f->pump);
    }
    settle(t);
}

// --- moving bytes ---

static void count(struct flow *f, uint64_t n)
{
    struct tunnel *t = f->tunnel;
    bool is_from_client = f == &t->flows[0];
    f->n_bytes += n;
    t->moved_ms = clock_now_ms();
    if (t->flows[0].from->counts_bytes)
        return;
    http_count(t->env, is_from_client ? HTTP_COUNTER_BYTES_IN : HTTP_COUNTER_BYTES_OUT, (int64_t)n);
}

// How long a side may take nothing.
static int64_t each_ms(const struct tunnel *t)
{
    return t->idle_ms > 0 ? t->idle_ms : INT64_MAX;
}

static void end_of_writing(struct tunnel *t, const struct stream *to)
{
    end(t, to->sock.error == ETIMEDOUT ? "idle" : "error");
}

static bool send_all(struct flow *f, struct str bytes)
{
    // WHY: iovec serves reading too and isn't const; writing leaves the bytes alone.
    struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    struct tunnel *t = f->tunnel;
    struct stream *to = f->to->stream;
    if (stream_writev(to, &iov, 1, each_ms(t), deadline_at(INT64_MAX)) != IO_DONE) {
        end_of_writing(t, to);
        return false;
    }
    count(f, bytes.len);
    return true;
}

// The source has ended: so do we towards the other side. Waits until that has left us: the end of a
// wrapped stream is bytes too, and a tunnel that is over closes at once.
static void pass_end(struct flow *f)
{
    struct tunnel *t = f->tunnel;
    struct stream *to = f->to->stream;
    t->moved_ms = clock_now_ms();
    stream_shut_write(to);
    while (!t->ended_by && stream_try_flush(to) == IO_AGAIN) {
        struct deadline until = t->idle_ms > 0 ? deadline_in(t->idle_ms) : deadline_at(INT64_MAX);
        if (sock_wait_writable(&to->sock, until) != IO_DONE)
            end_of_writing(t, to);
    }
    f->is_ended = true;
    if (other(f)->is_ended)
        end(t, closed_by(other(f)));
}

// A large transfer: moves what has come meanwhile inside the kernel. Does nothing unless more is
// there, because splicing would wait for it.
static void splice_some(struct flow *f)
{
    struct stream *from = f->from->stream, *to = f->to->stream;
    if (!from->sock.is_readable || !stream_is_plain(from) || !stream_is_plain(to))
        return;
    struct tunnel *t = f->tunnel;
    size_t n = 0;
    bool from_failed = false;
    enum io io = sock_splice(&from->sock, &to->sock, SPLICE_TURN_BYTES, each_ms(t),
                             deadline_at(INT64_MAX), &n, &from_failed);
    if (io == IO_DONE)
        count(f, n);
    else if (io == IO_FAIL && !from_failed)
        end_of_writing(t, to);
    // The source's end or failure is seen again by the next read.
}

// Moves what is there and ends.
static void pump(void *arg)
{
    struct flow *f = arg;
    struct tunnel *t = f->tunnel;
    f->pump = fiber_self();
    char *buf = pool_take(&t->env->buffers);
    if (!buf)
        end(t, "error");
    for (bool is_empty = false; !t->ended_by && !is_empty && !f->is_ended;) {
        size_t n = 0;
        switch (stream_try_read(f->from->stream, buf, HTTP_BUFFER_BYTES, &n)) {
        case IO_DONE:
            if (send_all(f, str_from(buf, n)) && n == HTTP_BUFFER_BYTES)
                splice_some(f);
            fiber_give_way((uint32_t)n);
            break;
        case IO_AGAIN:
            is_empty = true;
            break;
        case IO_EOF:
            pass_end(f);
            break;
        case IO_FAIL:
            end(t, "error");
            break;
        }
    }
    if (buf)
        pool_give(&t->env->buffers, buf);
    f->pump = NULL;
    f->is_running = false;
    settle(t);
}

static void wake(struct flow *f)
{
    if (f->is_running || f->is_ended || f->tunnel->ended_by)
        return;
    f->is_running = true;
    if (!fiber_run(pump, f)) {
        f->is_running = false;
        end(f->tunnel, "error");
    }
}

// --- events ---

// A stream that its client has reset: nothing of it counts any more, not even what a pump waits to
// pass on. (What came on a socket before it was reset is still passed on.)
static bool is_given_up(const struct flow *f)
{
    const struct rt_sock *s = &f->from->stream->sock;
    return s->has_error && s->fd < 0 && f == &f->tunnel->flows[0];
}

static void on_event(struct rt_sock *s)
{
    struct flow *f = s->event_arg;
    // Its end has been seen, ours towards it hasn't: so this is a reset.
    if ((f->is_ended && s->has_error) || is_given_up(f))
        end(f->tunnel, "error");
    else if (s->is_readable || s->has_hangup || s->has_error || !stream_is_plain(f->from->stream))
        wake(f); // a stream may have to send what it could not before
}

static void on_idle(struct rt_timer *timer)
{
    struct tunnel *t = CONTAINER_OF(timer, struct tunnel, timer);
    int64_t at_ms = t->moved_ms + t->idle_ms;
    if (at_ms > clock_now_ms())
        timer_start(&t->timer, at_ms, on_idle);
    else
        end(t, "idle");
}

// --- public ---

void tunnel_start(struct http_env *env, struct tunnel_side *a, struct tunnel_side *b,
                  int64_t idle_ms, tunnel_done_fn *done, void *arg)
{
    struct tunnel *t = MEM_NEW(struct tunnel);
    *t = (struct tunnel){
        .env = env,
        .flows = {{.tunnel = t, .from = a, .to = b}, {.tunnel = t, .from = b, .to = a}},
        .idle_ms = idle_ms,
        .moved_ms = clock_now_ms(),
        .done = done,
        .arg = arg,
    };
    list_push_back(&env->tunnels, &t->node);
    http_count(env, HTTP_COUNTER_TUNNELS_OPEN, 1);

    // Both flows count as running, so that no end can take the tunnel away meanwhile.
    for (struct flow *f = t->flows; f < t->flows + ARRAY_LEN(t->flows); f++) {
        f->from->stream->sock.on_event = NULL;
        f->is_running = true;
        f->pump = fiber_self();
    }
    for (struct flow *f = t->flows; f < t->flows + ARRAY_LEN(t->flows); f++) {
        if (!t->ended_by && f->from->early.len > 0)
            send_all(f, f->from->early);
    }
    for (struct flow *f = t->flows; f < t->flows + ARRAY_LEN(t->flows); f++) {
        f->pump = NULL;
        f->is_running = false;
    }
    if (t->ended_by) {
        settle(t);
        return;
    }
    if (idle_ms > 0)
        timer_start(&t->timer, clock_now_ms() + idle_ms, on_idle);
    for (struct flow *f = t->flows; f < t->flows + ARRAY_LEN(t->flows); f++) {
        struct rt_sock *s = &f->from->stream->sock;
        s->on_event = on_event;
        s->event_arg = f;
        sock_watch(s);
        if (stream_is_readable(f->from->stream))
            wake(f);
    }
}

void tunnel_abort_all(struct http_env *env)
{
    LIST_FOR_SAFE (node, &env->tunnels)
        end(CONTAINER_OF(node, struct tunnel, node), "shutdown");
}
