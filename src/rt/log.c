// SPDX-License-Identifier: Apache-2.0
// Each thread that logs owns a ring per stream, each stream has a thread that writes. A target that
// takes nothing holds up its own stream alone: its lines wait in the rings, and what finds no room
// there is lost and counted.
#include "rt/log.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/writer.h"
#include "codec/date.h"
#include "codec/json.h"
#include "rt/log_repeat.h"
#include "rt/log_ring.h"
#include "rt/log_target.h"

#define POLL_MS 10            // between two looks while lines come
#define POLLS_BEFORE_SLEEP 20 // empty looks before a log thread sleeps for good
#define RINGFUL 32            // rounds of BATCHES_OF_RING that empty any ring
#define BLOCKED_WAIT_MS 100   // between two looks at a target that takes nothing
#define BATCHES_OF_RING 64    // before the next ring has its turn
#define TELL_EVERY_MS 1000    // at most: how many lines were lost, or left out
#define DRAIN_MAX_MS 2000     // at the end, for a target that takes nothing
#define STOP_WAIT_S 3         // at the end, for the whole thread
#define LINE_BYTES 4096       // of the error log

struct stream {
    pthread_mutex_t lock; // guards wanted and direct_fd
    struct log_target wanted;
    int direct_fd;               // where lines go while no thread runs
    _Atomic unsigned wanted_seq; // changes with wanted
    unsigned taken_seq;          // the log thread's: the one of out
    bool has_thread;             // the starter's
    pthread_t thread;
    struct log_ring *_Atomic rings;
    _Atomic bool must_stop;
    _Atomic uint32_t sleeping; // futex: 1 while the log thread sleeps for good
    _Atomic uint64_t n_lost;
    // The log thread's:
    struct log_output out;
    struct log_ring *resume_at; // the ring whose line out has a part of
    uint64_t n_told;            // of n_lost
    int64_t told_ms;
    bool has_told_error;
    bool has_left_out; // lines that are to be told later
};

static struct {
    struct stream streams[LOG_STREAMS];
    _Atomic bool is_running;
    _Atomic unsigned level, format, repeats_max;
    const char *_Atomic name;
    struct utsname system; // for the host name; read before a sandbox may forbid it
} logger = {
    .streams =
        {
            [LOG_STREAM_ERROR] = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .direct_fd = STDERR_FILENO,
                                  .wanted = {.kind = LOG_TO_FD, .fd = STDERR_FILENO},
                                  .wanted_seq = 1,
                                  .out = {.fd = -1}},
            [LOG_STREAM_ACCESS] = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                   .direct_fd = -1,
                                   .out = {.fd = -1}},
        },
    .level = LOG_INFO,
    .name = "sallyport",
};

static _Thread_local struct log_ring *own_rings[LOG_STREAMS];

static const char *const level_names[] = {
#define X(id, text) [LOG_##id] = text,
    LOG_LEVEL_LIST(X)
#undef X
};

static const char *const stream_names[] = {
    [LOG_STREAM_ERROR] = "error log",
    [LOG_STREAM_ACCESS] = "access log",
};

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

// --- the side of those who log ---

static struct log_ring *new_ring(struct stream *s)
{
    struct log_ring *r = log_ring_new();
    r->next = atomic_load(&s->rings);
    while (!atomic_compare_exchange_weak(&s->rings, &r->next, r))
        ;
    return r;
}

static void wake_writer(struct stream *s)
{
    if (atomic_load(&s->sleeping) && atomic_exchange(&s->sleeping, 0))
        futex(&s->sleeping, FUTEX_WAKE, 1, NULL);
}

static void count_lost(struct stream *s, uint64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(&s->n_lost, n, memory_order_relaxed);
}

char *log_reserve(unsigned stream, size_t n)
{
    ASSERT(stream < LOG_STREAMS);
    struct stream *s = &logger.streams[stream];
    if (UNLIKELY(!own_rings[stream]))
        own_rings[stream] = new_ring(s);
    char *room = log_ring_reserve(own_rings[stream], n);
    if (UNLIKELY(!room))
        count_lost(s, 1);
    return room;
}

static void commit(unsigned stream, size_t n_used, enum log_level level, size_t own_bytes)
{
    ASSERT(own_rings[stream] != NULL);
    log_ring_commit(own_rings[stream], n_used, (uint16_t)level, (uint16_t)own_bytes);
    wake_writer(&logger.streams[stream]);
}

void log_commit(unsigned stream, size_t n_used)
{
    commit(stream, n_used, LOG_INFO, 0);
}

uint64_t log_lost(unsigned stream)
{
    ASSERT(stream < LOG_STREAMS);
    return atomic_load_explicit(&logger.streams[stream].n_lost, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < LOG_STREAMS; i++)
        n += log_lost(i);
    return n;
}

// --- lines of the error log ---

// Controls and what isn't ASCII as \xHH, so that a line stays a line and a terminal isn't steered.
static void put_plain(struct writer *w, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= ' ' && s.ptr[i] <= '~')
            writer_byte(w, s.ptr[i]);
        else
            writer_printf(w, "\\x%02x", (uint8_t)s.ptr[i]);
    }
}

// Returns how many bytes come before the text, in text form.
static size_t format_line(struct writer *w, enum log_level level, struct str text)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char date[DATE_ISO_BYTES];
    date_iso(now.tv_sec * 1000000000 + now.tv_nsec, date);
    struct str when = {date, sizeof date};
    const char *name = atomic_load(&logger.name);
    if (atomic_load(&logger.format) == LOG_JSON) {
        writer_printf(w, "{\"time\":\"" STR_FMT "\",\"level\":\"%s\",\"process\":\"%s\",\"text\":",
                      STR_ARG(when), level_names[level], name);
        json_put_str(w, text);
        writer_put(w, STR("}\n"));
        return 0;
    }
    writer_put(w, when);
    writer_printf(w, " %-5s %s: ", level_names[level], name);
    size_t own_bytes = w->len;
    put_plain(w, text);
    writer_byte(w, '\n');
    return own_bytes;
}

// A text that is too long for w is shortened until the line is whole.
static size_t put_line(enum log_level level, struct str text, struct writer *w)
{
    for (;;) {
        size_t own_bytes = format_line(w, level, text);
        if (!w->overflowed || text.len == 0)
            return own_bytes;
        w->len = 0;
        w->overflowed = false;
        text.len /= 2;
    }
}

static void write_directly(struct stream *s, struct str line)
{
    pthread_mutex_lock(&s->lock);
    struct pollfd p = {.fd = s->direct_fd, .events = POLLOUT};
    if (poll(&p, 1, 0) != 1 || write(s->direct_fd, line.ptr, line.len) != (ssize_t)line.len)
        count_lost(s, 1);
    pthread_mutex_unlock(&s->lock);
}

static void emit(enum log_level level, struct str text)
{
    char line[LINE_BYTES];
    struct writer w;
    writer_init(&w, line, sizeof line);
    size_t own_bytes = put_line(level, text, &w);
    if (!atomic_load(&logger.is_running)) {
        write_directly(&logger.streams[LOG_STREAM_ERROR], writer_str(&w));
        return;
    }
    char *room = log_reserve(LOG_STREAM_ERROR, w.len);
    if (!room) // counted as lost
        return;
    memcpy(room, line, w.len);
    commit(LOG_STREAM_ERROR, w.len, level, own_bytes);
}

// What people asked for is told however often. A format without a text of its own names no kind.
static bool is_one_too_many(enum log_level level, const char *fmt)
{
    unsigned max = atomic_load_explicit(&logger.repeats_max, memory_order_relaxed);
    if (max == 0 || !atomic_load(&logger.is_running) || level >= LOG_INFO ||
        strcmp(fmt, STR_FMT) == 0 || log_repeats_allow(fmt, level, max, now_ms()))
        return false;
    wake_writer(&logger.streams[LOG_STREAM_ERROR]); // which is to tell it in a while
    return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (!log_is_on(level) || is_one_too_many(level, fmt))
        return;
    char text[LINE_BYTES / 2];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    emit(level, str_from(text, MIN((size_t)n, sizeof text - 1)));
}

void log_set_level(enum log_level level, enum log_format format)
{
    atomic_store(&logger.level, level);
    atomic_store(&logger.format, format);
}

void log_set_repeats(unsigned lines_max)
{
    atomic_store(&logger.repeats_max, lines_max);
}

bool log_is_on(enum log_level level)
{
    return (unsigned)level <= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

// --- the log threads ---

static unsigned number_of(const struct stream *s)
{
    return (unsigned)(s - logger.streams);
}

static bool is_error_log(const struct stream *s)
{
    return number_of(s) == LOG_STREAM_ERROR;
}

static void take_target(struct stream *s)
{
    if (atomic_load(&s->wanted_seq) == s->taken_seq)
        return;
    pthread_mutex_lock(&s->lock);
    s->taken_seq = atomic_load(&s->wanted_seq);
    log_output_set(&s->out, &s->wanted);
    s->direct_fd = s->wanted.kind == LOG_TO_FD ? s->wanted.fd : STDERR_FILENO;
    pthread_mutex_unlock(&s->lock);
    s->has_told_error = false;
}

// Once per failure, and once when it is over. That the error log itself fails is told on standard
// error.
static void tell_error(struct stream *s)
{
    if ((s->out.error != 0) == s->has_told_error)
        return;
    s->has_told_error = !s->has_told_error;
    char where[256], text[512];
    if (!s->has_told_error) {
        int len =
            snprintf(text, sizeof text, "the %s is written again", stream_names[number_of(s)]);
        if (log_is_on(LOG_INFO))
            emit(LOG_INFO, str_from(text, (size_t)len));
        return;
    }
    struct str target = log_target_text(&s->out.target, where, sizeof where);
    int n = snprintf(text, sizeof text,
                     "the %s can't be written to " STR_FMT ": %s; lines wait in memory, then they "
                     "are lost",
                     stream_names[number_of(s)], STR_ARG(target), strerror(s->out.error));
    if (!is_error_log(s)) {
        emit(LOG_ERROR, str_from(text, (size_t)n));
        return;
    }
    char line[LINE_BYTES];
    struct writer w;
    writer_init(&w, line, sizeof line);
    put_line(LOG_ERROR, str_from(text, (size_t)n), &w);
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t ignored = poll(&p, 1, 0) == 1 ? write(STDERR_FILENO, line, w.len) : 0;
    (void)ignored;
}

static void tell_left_out(void *arg, const char *kind, unsigned level, uint64_t n)
{
    (void)arg;
    char name[256], text[512];
    int len = snprintf(text, sizeof text,
                       "%" PRIu64 " more lines like '" STR_FMT "' were left out within %d s", n,
                       STR_ARG(log_repeats_name(kind, name, sizeof name)), LOG_REPEATS_MS / 1000);
    emit((enum log_level)level, str_from(text, (size_t)len));
}

// What was left out, some time after it was.
static void tell_repeats(struct stream *s, bool is_end)
{
    if (is_error_log(s))
        s->has_left_out = log_repeats_sweep(now_ms(), is_end, tell_left_out, NULL);
}

// What was lost, once lines get through again. At the end the error log can tell of others' losses.
static void tell_lost(struct stream *s, bool is_end)
{
    count_lost(s, s->out.n_lost);
    s->out.n_lost = 0;
    uint64_t n = log_lost(number_of(s)) - s->n_told;
    if (n == 0 || (s->out.error != 0 && (!is_end || is_error_log(s))))
        return;
    s->n_told += n;
    if (!log_is_on(LOG_WARN))
        return;
    char text[128];
    int len = snprintf(text, sizeof text, "%" PRIu64 " log lines were lost (%s)", n,
                       stream_names[number_of(s)]);
    emit(LOG_WARN, str_from(text, (size_t)len));
}

static void tell_now_and_then(struct stream *s)
{
    int64_t now = now_ms();
    if (now - s->told_ms < TELL_EVERY_MS)
        return;
    s->told_ms = now;
    tell_repeats(s, false);
    tell_lost(s, false);
}

// Gives out what a ring has, up to a limit. False: the target takes no more.
static bool drain_ring(struct stream *s, struct log_ring *r, bool *ret_any)
{
    struct log_entry entries[LOG_BATCH];
    size_t n;
    for (int i = 0; i < BATCHES_OF_RING && (n = log_ring_peek(r, entries, LOG_BATCH)) > 0; i++) {
        *ret_any = true;
        size_t n_done = log_output_put(&s->out, entries, n);
        log_ring_drop(r, n_done);
        if (n_done < n)
            return false;
    }
    return true;
}

// The same for all rings, from the one where it ended on.
static bool drain(struct stream *s, bool *ret_any)
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
static void sleep_until_woken(struct stream *s)
{
    bool any;
    atomic_store(&s->sleeping, 1);
    tell_repeats(s, false);
    if (drain(s, &any) && !any && !atomic_load(&s->must_stop) &&
        atomic_load(&s->wanted_seq) == s->taken_seq) {
        bool has_more = s->has_left_out || log_lost(number_of(s)) != s->n_told;
        futex(&s->sleeping, FUTEX_WAIT, 1,
              has_more ? &(struct timespec){.tv_nsec = TELL_EVERY_MS * 1000000L - 1} : NULL);
    }
    atomic_store(&s->sleeping, 0);
}

// Gives out all that the rings had when it began.
static void drain_last(struct stream *s, int64_t until_ms)
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

static void lose_rest(struct stream *s)
{
    struct log_entry entry;
    for (struct log_ring *r = atomic_load(&s->rings); r; r = r->next) {
        for (; log_ring_peek(r, &entry, 1) > 0; log_ring_drop(r, 1))
            count_lost(s, 1);
    }
}

static void finish(struct stream *s)
{
    int64_t until_ms = now_ms() + DRAIN_MAX_MS;
    take_target(s);
    log_output_hurry(&s->out);
    drain_last(s, until_ms);
    if (!is_error_log(s))
        lose_rest(s);
    tell_error(s);
    tell_repeats(s, true);
    tell_lost(s, true);
    if (is_error_log(s)) {
        drain_last(s, until_ms);
        lose_rest(s);
    }
}

static void *log_thread(void *arg)
{
    struct stream *s = arg;
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

static void start_thread(struct stream *s)
{
    const char *name = is_error_log(s) ? atomic_load(&logger.name) : "access";
    s->out.sender = (struct log_sender){.host = str_of(logger.system.nodename),
                                        .kind = str_of(name),
                                        .pid = (uint32_t)getpid(),
                                        .facility = s->out.target.facility};
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
static void stop_thread(struct stream *s)
{
    atomic_store(&s->must_stop, true);
    wake_writer(s);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_S;
    if (pthread_timedjoin_np(s->thread, NULL, &until) == 0)
        s->has_thread = false;
    else
        pthread_detach(s->thread);
}

void log_start(const char *name, enum log_level level, enum log_format format)
{
    ASSERT(!atomic_load(&logger.is_running));
    atomic_store(&logger.name, name);
    log_set_level(level, format);
    uname(&logger.system);
    for (unsigned i = 0; i < LOG_STREAMS; i++)
        start_thread(&logger.streams[i]);
    atomic_store(&logger.is_running, true);
}

void log_stop(void)
{
    if (!atomic_load(&logger.is_running))
        return;
    stop_thread(&logger.streams[LOG_STREAM_ACCESS]); // which may have to tell something
    struct stream *errors = &logger.streams[LOG_STREAM_ERROR];
    stop_thread(errors);
    atomic_store(&logger.is_running, false);
    bool any;
    if (!errors->has_thread)
        drain(errors, &any); // what other threads wrote until they saw that
}

void log_set_target(unsigned stream, const struct log_target *target)
{
    ASSERT(stream < LOG_STREAMS);
    struct stream *s = &logger.streams[stream];
    pthread_mutex_lock(&s->lock);
    bool is_taken = atomic_load(&s->wanted_seq) == s->taken_seq;
    if (!is_taken && s->wanted.kind == LOG_TO_FD && s->wanted.fd > STDERR_FILENO)
        close(s->wanted.fd);
    s->wanted = *target;
    atomic_fetch_add(&s->wanted_seq, 1);
    pthread_mutex_unlock(&s->lock);
    if (s->has_thread)
        wake_writer(s);
    else
        take_target(s);
}
