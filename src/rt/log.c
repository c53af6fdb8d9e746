// SPDX-License-Identifier: Apache-2.0
// Each thread that logs owns a ring: it alone writes, the log thread alone reads. A line is a
// record of a header and its bytes, 8-byte aligned, never wrapped: a record that doesn't fit before
// the ring's end starts anew at its beginning, behind a skip mark.
#include "rt/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/writer.h"
#include "codec/date.h"
#include "codec/json.h"

#define RING_BYTES (1u << 20)
#define LINE_MAX_BYTES (64 * 1024)
#define POLL_NS 10000000       // between two looks while lines come
#define POLLS_BEFORE_SLEEP 20  // empty looks before the log thread sleeps for good
#define BATCH 64               // lines written by one call
#define STREAM_SKIP UINT32_MAX // the rest of the ring is unused
#define STOP_WAIT_S 2          // for an output that takes nothing

struct record {
    uint32_t bytes; // of the line; the record is this plus the header, rounded up to 8
    uint32_t stream;
    char line[];
};

struct ring {
    char *data;            // owns
    _Atomic uint64_t head; // written by the owner
    _Atomic uint64_t tail; // written by the log thread
    uint64_t reserved_at;  // the owner's: where the open reservation starts
    struct ring *next;     // owns: all rings, newest first; they live as long as the process
};

static struct {
    pthread_mutex_t lock; // rings being added
    struct ring *_Atomic rings;
    pthread_t thread;
    _Atomic bool is_running;
    _Atomic bool must_stop;
    _Atomic uint32_t sleeping;            // futex: 1 while the log thread sleeps for good
    _Atomic int outputs[LOG_STREAMS_MAX]; // descriptor + 1; 0: off
    _Atomic uint64_t n_dropped;
    _Atomic unsigned level;
    _Atomic unsigned format;
    const char *_Atomic name;
} logger = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .outputs = {[LOG_STREAM_ERROR] = STDERR_FILENO + 1},
    .level = LOG_INFO,
    .name = "sallyport",
};

static _Thread_local struct ring *own_ring;

static const char *const level_names[] = {
#define X(id, text) [LOG_##id] = text,
    LOG_LEVEL_LIST(X)
#undef X
};

static struct ring *ring_of_thread(void)
{
    if (own_ring)
        return own_ring;
    struct ring *r = MEM_NEW(struct ring);
    r->data = mem_alloc_raw(RING_BYTES);
    pthread_mutex_lock(&logger.lock);
    r->next = atomic_load(&logger.rings);
    atomic_store(&logger.rings, r);
    pthread_mutex_unlock(&logger.lock);
    own_ring = r;
    return r;
}

static uint64_t record_bytes(size_t line_bytes)
{
    return (sizeof(struct record) + line_bytes + 7) & ~(uint64_t)7;
}

static struct record *record_at(const struct ring *r, uint64_t at)
{
    return (struct record *)(void *)(r->data + (at & (RING_BYTES - 1)));
}

// Room for a record of n line bytes, or NULL.
static struct record *ring_reserve(struct ring *r, size_t n)
{
    uint64_t need = record_bytes(n);
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    uint64_t to_end = RING_BYTES - (head & (RING_BYTES - 1));
    uint64_t skip = to_end < need ? to_end : 0;
    if (RING_BYTES - (head - tail) < need + skip)
        return NULL;
    if (skip > 0)
        record_at(r, head)->stream = STREAM_SKIP;
    r->reserved_at = head + skip;
    return record_at(r, r->reserved_at);
}

static void wake_writer(void)
{
    if (atomic_load(&logger.sleeping) && atomic_exchange(&logger.sleeping, 0))
        syscall(SYS_futex, &logger.sleeping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

char *log_reserve(unsigned stream, size_t n)
{
    ASSERT(stream < LOG_STREAMS_MAX);
    struct record *rec = n <= LINE_MAX_BYTES ? ring_reserve(ring_of_thread(), n) : NULL;
    if (!rec) {
        atomic_fetch_add_explicit(&logger.n_dropped, 1, memory_order_relaxed);
        return NULL;
    }
    rec->stream = stream;
    return rec->line;
}

void log_commit(unsigned stream, size_t n_used)
{
    struct ring *r = own_ring;
    ASSERT(r != NULL);
    struct record *rec = record_at(r, r->reserved_at);
    ASSERT(rec->stream == stream);
    rec->bytes = (uint32_t)n_used;
    // Sequentially consistent with the log thread's "sleeping, then look once more".
    atomic_store(&r->head, r->reserved_at + record_bytes(n_used));
    wake_writer();
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&logger.n_dropped, memory_order_relaxed);
}

// --- the log thread ---

static void write_fully(int fd, struct iovec *iov, int n_iov)
{
    while (n_iov > 0) {
        ssize_t n = writev(fd, iov, n_iov);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) { // a pipe or terminal in non-blocking mode
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            continue;
        }
        if (n < 0) { // disk full and the like: the lines are lost, the service goes on
            atomic_fetch_add_explicit(&logger.n_dropped, (uint64_t)n_iov, memory_order_relaxed);
            return;
        }
        size_t left = (size_t)n;
        while (n_iov > 0 && left >= iov->iov_len) {
            left -= iov->iov_len;
            iov++;
            n_iov--;
        }
        if (n_iov > 0) {
            iov->iov_base = (char *)iov->iov_base + left;
            iov->iov_len -= left;
        }
    }
}

// Writes lines of one ring that go to one stream, up to BATCH; true when there were any.
static bool drain_batch(struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint64_t head = atomic_load(&r->head);
    struct iovec iov[BATCH];
    int n = 0;
    uint32_t stream = STREAM_SKIP;
    while (tail != head && n < BATCH) {
        struct record *rec = record_at(r, tail);
        if (rec->stream == STREAM_SKIP) {
            tail += RING_BYTES - (tail & (RING_BYTES - 1));
            continue;
        }
        if (stream != STREAM_SKIP && rec->stream != stream)
            break;
        stream = rec->stream;
        iov[n++] = (struct iovec){.iov_base = rec->line, .iov_len = rec->bytes};
        tail += record_bytes(rec->bytes);
    }
    if (n > 0) {
        int fd = atomic_load(&logger.outputs[stream]) - 1;
        if (fd >= 0)
            write_fully(fd, iov, n);
    }
    atomic_store_explicit(&r->tail, tail, memory_order_release);
    return n > 0;
}

static void put_line(enum log_level level, struct str text, struct writer *w);

// Tells that lines were lost, once they have been.
static void tell_dropped(uint64_t *told)
{
    uint64_t n = log_dropped();
    int fd = atomic_load(&logger.outputs[LOG_STREAM_ERROR]) - 1;
    if (n == *told || fd < 0 || !log_is_on(LOG_WARN))
        return;
    char text[80], line[256];
    struct writer w;
    writer_init(&w, line, sizeof line);
    int len = snprintf(text, sizeof text, "%" PRIu64 " log lines were lost", n - *told);
    put_line(LOG_WARN, str_from(text, (size_t)len), &w);
    write_fully(fd, &(struct iovec){.iov_base = line, .iov_len = w.len}, 1);
    *told = MAX(n, log_dropped()); // this line may have been lost, too
}

static bool drain_all(void)
{
    bool any = false;
    for (struct ring *r = atomic_load(&logger.rings); r; r = r->next) {
        while (drain_batch(r))
            any = true;
    }
    return any;
}

static void *log_thread(void *arg)
{
    (void)arg;
    int n_empty = 0;
    uint64_t n_told = log_dropped();
    while (!atomic_load(&logger.must_stop)) {
        n_empty = drain_all() ? 0 : n_empty + 1;
        tell_dropped(&n_told);
        if (n_empty < POLLS_BEFORE_SLEEP) {
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
            continue;
        }
        atomic_store(&logger.sleeping, 1);
        if (drain_all() || atomic_load(&logger.must_stop))
            atomic_store(&logger.sleeping, 0);
        else
            syscall(SYS_futex, &logger.sleeping, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
        n_empty = 0;
    }
    drain_all();
    tell_dropped(&n_told);
    return NULL;
}

void log_start(const char *name, enum log_level level, enum log_format format)
{
    ASSERT(!atomic_load(&logger.is_running));
    atomic_store(&logger.name, name);
    log_set_level(level, format);
    atomic_store(&logger.must_stop, false);
    int rc = pthread_create(&logger.thread, NULL, log_thread, NULL);
    if (rc != 0)
        panic("can't start the log thread: %s", strerror(rc));
    atomic_store(&logger.is_running, true);
}

void log_stop(void)
{
    if (!atomic_load(&logger.is_running))
        return;
    atomic_store(&logger.must_stop, true);
    wake_writer();
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_S;
    // A reader that has stopped reading must not keep the process from ending.
    bool has_ended = pthread_timedjoin_np(logger.thread, NULL, &until) == 0;
    atomic_store(&logger.is_running, false);
    if (has_ended)
        drain_all(); // what other threads wrote until they saw that
    else
        pthread_detach(logger.thread);
}

void log_set_output(unsigned stream, int fd)
{
    ASSERT(stream < LOG_STREAMS_MAX && fd >= 0);
    int old = atomic_load(&logger.outputs[stream]) - 1;
    if (old > STDERR_FILENO) {
        // The log thread may be writing to the old one: the number stays, the file behind it
        // changes.
        dup3(fd, old, O_CLOEXEC);
        close(fd);
        return;
    }
    atomic_store(&logger.outputs[stream], fd + 1);
}

void log_set_level(enum log_level level, enum log_format format)
{
    atomic_store(&logger.level, level);
    atomic_store(&logger.format, format);
}

bool log_is_on(enum log_level level)
{
    return (unsigned)level <= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

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

static void format_line(struct writer *w, enum log_level level, struct str text)
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
        return;
    }
    writer_put(w, when);
    writer_printf(w, " %-5s %s: ", level_names[level], name);
    put_plain(w, text);
    writer_byte(w, '\n');
}

// A text that is too long for w is shortened until the line is whole.
static void put_line(enum log_level level, struct str text, struct writer *w)
{
    size_t start = w->len;
    for (;;) {
        format_line(w, level, text);
        if (!w->overflowed || text.len == 0)
            return;
        w->len = start;
        w->overflowed = false;
        text.len /= 2;
    }
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (!log_is_on(level))
        return;
    char text[2048], line[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    struct writer w;
    writer_init(&w, line, sizeof line);
    put_line(level, str_from(text, MIN((size_t)n, sizeof text - 1)), &w);
    if (atomic_load(&logger.is_running)) {
        char *room = log_reserve(LOG_STREAM_ERROR, w.len);
        if (!room) // the ring is full: counted as dropped
            return;
        memcpy(room, line, w.len);
        log_commit(LOG_STREAM_ERROR, w.len);
        return;
    }
    ssize_t ignored = write(atomic_load(&logger.outputs[LOG_STREAM_ERROR]) - 1, line, w.len);
    (void)ignored;
}
