// SPDX-License-Identifier: Apache-2.0
#include "rt/log_stream.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "rt/log_repeat.h"

#define POLL_MS 10            // between two looks while lines come
#define POLLS_BEFORE_SLEEP 20 // empty looks before a log thread sleeps for good
#define BATCHES_OF_RING 64    // before the next ring has its turn
#define RINGFUL 32            // rounds of BATCHES_OF_RING that empty any ring
#define BLOCKED_WAIT_MS 100   // between two looks at a target that takes nothing
#define TELL_EVERY_MS 1000    // at most: how many lines were lost, or left out
#define DRAIN_MAX_MS 2000     // at the end, for a target that takes nothing
#define STOP_WAIT_S 3         // at the end, for the whole thread

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void futex(_Atomic uint32_t *at, int op, uint32_t value, const struct timespec *timeout)
{
    syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void log_stream_wake(struct log_stream *s)
{
    if (atomic_load(&s->sleeping) && atomic_exchange(&s->sleeping, 0))
        futex(&s->sleeping, FUTEX_WAKE, 1, NULL);
}

void log_stream_lose(struct log_stream *s, uint64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(&s->n_lost, n, memory_order_relaxed);
}

static uint64_t lost(const struct log_stream *s)
{
    return atomic_load_explicit(&s->n_lost, memory_order_relaxed);
}

// A pipe or terminal that takes nothing isn't waited for.
static bool write_now(int fd, struct str line)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && write(fd, line.ptr, line.len) == (ssize_t)line.len;
}

void log_stream_write_directly(struct log_stream *s, struct str line)
{
    pthread_mutex_lock(&s->lock);
    bool is_written = write_now(s->direct_fd, line);
    pthread_mutex_unlock(&s->lock);
    log_stream_lose(s, is_written ? 0 : 1);
}

static void take_target(struct log_stream *s)
{
    if (atomic_load(&s->wanted_seq) == s->taken_seq)
        return;
    pthread_mutex_lock(&s->lock);
    s->taken_seq = atomic_load(&s->wanted_seq);
    log_output_set(&s->out, &s->wanted);
    s->direct_fd = s->wanted.kind == LOG_TO_FD ? s->wanted.fd : STDERR_FILENO;
    pthread_mutex_unlock(&s->lock);
    s->has_told_error = false;
    atomic_store_explicit(&s->told_error, 0, memory_order_relaxed);
}

// Once per failure, and once when it is over. That the error log itself fails is told on standard
// error.
static void tell_error(struct log_stream *s)
{
    if ((s->out.error != 0) == s->has_told_error)
        return;
    s->has_told_error = !s->has_told_error;
    atomic_store_explicit(&s->told_error, s->out.error, memory_order_relaxed);
    char where[256], text[512];
    if (!s->has_told_error) {
        int len = snprintf(text, sizeof text, "the %s is written again", s->name);
        if (log_is_on(LOG_INFO))
            log_emit(LOG_INFO, str_from(text, (size_t)len));
        return;
    }
    struct str target = log_target_text(&s->out.target, where, sizeof where);
    int n = snprintf(text, sizeof text,
                     "the %s can't be written to " STR_FMT ": %s; lines wait in memory, then they "
                     "are lost",
                     s->name, STR_ARG(target), strerror(s->out.error));
    if (!s->is_error_log) {
        log_emit(LOG_ERROR, str_from(text, (size_t)n));
        return;
    }
    char line[LOG_OWN_LINE_BYTES];
    struct writer w;
    writer_init(&w, line, sizeof line);
    log_put_line(LOG_ERROR, str_from(text, (size_t)n), &w);
    write_now(STDERR_FILENO, writer_str(&w));
}

static void tell_left_out(void *arg, const char *kind, unsigned level, uint64_t n)
{
    (void)arg;
    char name[256], text[512];
    int len = snprintf(text, sizeof text,
                       "%" PRIu64 " more lines like '" STR_FMT "' were left out within %d s", n,
                       STR_ARG(log_repeats_name(kind, name, sizeof name)), LOG_REPEATS_MS / 1000);
    log_emit((enum log_level)level, str_from(text, (size_t)len));
}

// What was left out, some time after it was.
static void tell_repeats(struct log_stream *s, bool is_end)
{
    if (s->is_error_log)
        s->has_left_out = log_repeats_sweep(now_ms(), is_end, tell_left_out, NULL);
}

// What was lost, once lines get through again. At the end the error log can tell of others' losses.
static void tell_lost(struct log_stream *s, bool is_end)
{
    uint64_t n = lost(s) - s->n_told;
    if (n == 0 || (s->out.error != 0 && (!is_end || s->is_error_log)))
        return;
    s->n_told += n;
    if (!log_is_on(LOG_WARN))
        return;
    char text[128];
    int len = snprintf(text, sizeof text, "%" PRIu64 " log lines were lost (%s)", n, s->name);
    log_emit(LOG_WARN, str_from(text, (size_t)len));
}

static void tell_now_and_then(struct log_stream *s)
{
    int64_t now = now_ms();
    if (now - s->told_ms < TELL_EVERY_MS)
        return;
    s->told_ms = now;
    tell_repeats(s, false);
    tell_lost(s, false);
}

// Gives out what a ring has, up to a limit. False: the target takes no more.
static bool drain_ring(struct log_stream *s, struct log_ring *r, bool *ret_any)
{
    struct log_entry entries[LOG_BATCH];
    size_t n;
    for (int i = 0; i < BATCHES_OF_RING && (n = log_ring_peek(r, entries, LOG_BATCH)) > 0; i++) {
        *ret_any = true;
        size_t n_done = log_output_put(&s->out, entries, n);
        log_ring_drop(r, n_done);
        log_stream_lose(s, s->out.n_lost);
        s->out.n_lost = 0;
        if (n_done < n)
            return false;
    }
    return true;
}

// The same for all rings, from the one where it ended on.
static bool drain(struct log_stream *s, bool *ret_any)
{
    *ret_any = false;
    struct log_ring *r = s->resume_at ? s->resume_at : atomic_load(&s->rings);
    s->resume_at = NULL;
    for (; r; r = r->next) {
        if (drain_ring(s, r, ret_any))
            continue;
        s->resume_at = r;
        return false;
    }
    return true;
}

// Returns when a line comes, or after a time when there is something to tell then.
static void sleep_until_woken(struct log_stream *s)
{
    bool any;
    atomic_store(&s->sleeping, 1);
    tell_repeats(s, false);
    if (drain(s, &any) && !any && !atomic_load(&s->must_stop) &&
        atomic_load(&s->wanted_seq) == s->taken_seq) {
        bool has_more = s->has_left_out || lost(s) != s->n_told;
        futex(&s->sleeping, FUTEX_WAIT, 1,
              has_more ? &(struct timespec){.tv_nsec = TELL_EVERY_MS * 1000000L - 1} : NULL);
    }
    atomic_store(&s->sleeping, 0);
}

// Gives out all that the rings had when it began.
static void drain_last(struct log_stream *s, int64_t until_ms)
{
    bool any = true;
    for (int i = 0; any && i < RINGFUL;) {
        if (drain(s, &any))
            i++;
        else if (s->out.error != 0 || now_ms() >= until_ms)
            return;
        else
            log_output_wait(&s->out, BLOCKED_WAIT_MS);
    }
}

static void lose_rest(struct log_stream *s)
{
    struct log_entry entry;
    for (struct log_ring *r = atomic_load(&s->rings); r; r = r->next) {
        for (; log_ring_peek(r, &entry, 1) > 0; log_ring_drop(r, 1))
            log_stream_lose(s, 1);
    }
}

static void finish(struct log_stream *s)
{
    int64_t until_ms = now_ms() + DRAIN_MAX_MS;
    take_target(s);
    log_output_hurry(&s->out);
    drain_last(s, until_ms);
    if (!s->is_error_log)
        lose_rest(s);
    tell_error(s);
    tell_repeats(s, true);
    tell_lost(s, true);
    if (s->is_error_log) {
        drain_last(s, until_ms);
        lose_rest(s);
    }
}

static void *log_thread(void *arg)
{
    struct log_stream *s = arg;
    int n_empty = 0;
    while (!atomic_load(&s->must_stop)) {
        bool any;
        take_target(s);
        bool takes = drain(s, &any);
        tell_error(s);
        if (!takes) {
            n_empty = 0;
            log_output_wait(&s->out, BLOCKED_WAIT_MS);
            continue;
        }
        tell_now_and_then(s);
        n_empty = any ? 0 : n_empty + 1;
        if (n_empty < POLLS_BEFORE_SLEEP) {
            nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
            continue;
        }
        sleep_until_woken(s);
        n_empty = 0;
    }
    finish(s);
    return NULL;
}

void log_stream_start(struct log_stream *s, const struct log_sender *sender)
{
    s->out.sender = *sender;
    s->out.sender.facility = s->out.target.facility;
    atomic_store(&s->must_stop, false);
    sigset_t all, old;
    sigfillset(&all); // signals are for the threads that wait for them
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->thread, NULL, log_thread, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        panic("can't start a log thread: %s", strerror(rc));
    s->has_thread = true;
}

// A disk that doesn't answer must not keep the process from ending.
void log_stream_stop(struct log_stream *s)
{
    atomic_store(&s->must_stop, true);
    log_stream_wake(s);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_S;
    if (pthread_timedjoin_np(s->thread, NULL, &until) == 0)
        s->has_thread = false;
    else
        pthread_detach(s->thread);
}

void log_stream_drain(struct log_stream *s)
{
    bool any;
    if (!s->has_thread)
        drain(s, &any);
}

void log_stream_set_target(struct log_stream *s, const struct log_target *target)
{
    pthread_mutex_lock(&s->lock);
    bool is_taken = atomic_load(&s->wanted_seq) == s->taken_seq;
    if (!is_taken && s->wanted.kind == LOG_TO_FD && s->wanted.fd > STDERR_FILENO)
        close(s->wanted.fd);
    s->wanted = *target;
    atomic_fetch_add(&s->wanted_seq, 1);
    pthread_mutex_unlock(&s->lock);
    if (s->has_thread)
        log_stream_wake(s);
    else
        take_target(s);
}
