// SPDX-License-Identifier: Apache-2.0
// Each thread that logs owns a ring per stream; each stream has a thread that writes (log_stream).
#include "rt/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "codec/date.h"
#include "codec/json.h"
#include "rt/log_repeat.h"
#include "rt/log_stream.h"

static struct {
    struct log_stream streams[LOG_STREAMS];
    _Atomic bool is_running;
    _Atomic unsigned level, format, repeats_max;
    const char *_Atomic name;
    struct utsname system; // for the host name
} logger = {
    .streams = {[LOG_STREAM_ERROR] = {.name = "error log",
                                      .is_error_log = true,
                                      .lock = PTHREAD_MUTEX_INITIALIZER,
                                      .direct_fd = STDERR_FILENO,
                                      .wanted = {.kind = LOG_TO_FD, .fd = STDERR_FILENO},
                                      .wanted_seq = 1,
                                      .out = {.fd = -1}},
                [LOG_STREAM_ACCESS] = {.name = "access log",
                                       .lock = PTHREAD_MUTEX_INITIALIZER,
                                       .direct_fd = STDERR_FILENO,
                                       .out = {.fd = -1}}},
    .level = LOG_INFO,
    .name = "sallyport",
};

static _Thread_local struct log_ring *own_rings[LOG_STREAMS];

static const char *const level_names[] = {
#define X(id, text) [LOG_##id] = text,
    LOG_LEVEL_LIST(X)
#undef X
};

static struct log_stream *const errors = &logger.streams[LOG_STREAM_ERROR];

static struct log_ring *new_ring(struct log_stream *s)
{
    struct log_ring *r = log_ring_new();
    r->next = atomic_load(&s->rings);
    while (!atomic_compare_exchange_weak(&s->rings, &r->next, r))
        ;
    return r;
}

char *log_reserve(unsigned stream, size_t n)
{
    ASSERT(stream < LOG_STREAMS);
    struct log_stream *s = &logger.streams[stream];
    if (UNLIKELY(!own_rings[stream]))
        own_rings[stream] = new_ring(s);
    char *room = log_ring_reserve(own_rings[stream], n);
    if (UNLIKELY(!room))
        log_stream_lose(s, 1);
    return room;
}

static void commit(unsigned stream, size_t n_used, enum log_level level, size_t own_bytes)
{
    ASSERT(own_rings[stream] != NULL);
    log_ring_commit(own_rings[stream], n_used, (uint16_t)level, (uint16_t)own_bytes);
    log_stream_wake(&logger.streams[stream]);
}

void log_commit(unsigned stream, size_t n_used)
{
    commit(stream, n_used, LOG_INFO, 0);
}

int log_trouble(unsigned stream, const char **ret_name)
{
    ASSERT(stream < LOG_STREAMS);
    *ret_name = logger.streams[stream].name;
    return atomic_load_explicit(&logger.streams[stream].told_error, memory_order_relaxed);
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
size_t log_put_line(enum log_level level, struct str text, struct writer *w)
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

void log_emit(enum log_level level, struct str text)
{
    char line[LOG_OWN_LINE_BYTES];
    struct writer w;
    writer_init(&w, line, sizeof line);
    size_t own_bytes = log_put_line(level, text, &w);
    if (!atomic_load(&logger.is_running)) {
        log_stream_write_directly(errors, writer_str(&w));
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
    if (max == 0 || level >= LOG_INFO || !atomic_load(&logger.is_running) ||
        strcmp(fmt, STR_FMT) == 0)
        return false;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (log_repeats_allow(fmt, level, max, now.tv_sec * 1000 + now.tv_nsec / 1000000))
        return false;
    log_stream_wake(errors); // which is to tell it in a while
    return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (!log_is_on(level) || is_one_too_many(level, fmt))
        return;
    char text[LOG_OWN_LINE_BYTES / 2];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    log_emit(level, str_from(text, MIN((size_t)n, sizeof text - 1)));
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

void log_start(const char *name, enum log_level level, enum log_format format)
{
    ASSERT(!atomic_load(&logger.is_running));
    atomic_store(&logger.name, name);
    log_set_level(level, format);
    uname(&logger.system);
    struct log_sender from = {.host = str_of(logger.system.nodename), .pid = (uint32_t)getpid()};
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        from.kind = i == LOG_STREAM_ERROR ? str_of(name) : STR("access");
        log_stream_start(&logger.streams[i], &from);
    }
    atomic_store(&logger.is_running, true);
}

void log_stop(void)
{
    if (!atomic_load(&logger.is_running))
        return;
    log_stream_stop(&logger.streams[LOG_STREAM_ACCESS]); // which may have something to tell
    log_stream_stop(errors);
    atomic_store(&logger.is_running, false);
    log_stream_drain(errors); // what other threads wrote until they saw that
}

void log_set_target(unsigned stream, const struct log_target *target)
{
    ASSERT(stream < LOG_STREAMS);
    log_stream_set_target(&logger.streams[stream], target);
}
