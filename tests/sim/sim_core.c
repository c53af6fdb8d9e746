// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sim/sim.h"
#include "sim/sim_h2.h"
#include "sim/sim_sys.h"

#define START_NS (1000 * SIM_S) // the monotonic clock at the start: not 0, as on real machines
#define LOG_MAX_BYTES ((size_t)64 << 20)

struct event {
    int64_t at_ns;
    uint64_t order;
    sim_fn *fn;
    void *arg;
    uint64_t tag;
};

struct chunk {
    struct chunk *next;
};

static struct {
    int64_t now_ns;
    uint64_t random[2];
    struct event *events; // owns: a heap, the next one first
    size_t n_events, cap_events;
    uint64_t n_ordered, n_steps;
    uint64_t hook_step; // 0: none
    sim_fn *hook;
    void *hook_arg;
    struct chunk *chunks; // owns
    size_t chunk_bytes;
    char *log; // owns
    size_t log_len, log_cap;
    bool has_failed;
} sim;

// --- randomness: xoroshiro128+ ---

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_rand(void)
{
    uint64_t a = sim.random[0], b = sim.random[1] ^ sim.random[0];
    uint64_t sum = sim.random[0] + sim.random[1];
    sim.random[0] = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
    sim.random[1] = (b << 37) | (b >> 27);
    return sum;
}

uint32_t sim_below(uint32_t n)
{
    return n > 0 ? (uint32_t)((sim_rand() >> 32) * n >> 32) : 0;
}

int64_t sim_between(int64_t low, int64_t high)
{
    return low + (int64_t)(sim_rand() % (uint64_t)(high - low + 1));
}

bool sim_chance(uint32_t percent)
{
    return sim_below(100) < percent;
}

// --- life ---

void sim_start(uint64_t seed)
{
    ASSERT(!sim.chunks && sim.n_events == 0);
    sim.now_ns = START_NS;
    sim.random[0] = splitmix(&seed);
    sim.random[1] = splitmix(&seed);
    sim.n_ordered = sim.n_steps = sim.hook_step = 0;
    sim.log_len = 0;
    sim.has_failed = false;
}

void sim_end(void)
{
    sim.n_events = 0;
    while (sim.chunks) {
        struct chunk *c = sim.chunks;
        sim.chunks = c->next;
        mem_free(c);
    }
    sim.chunk_bytes = 0;
}

void *sim_alloc_raw(size_t n)
{
    struct chunk *c = mem_alloc_raw(sizeof *c + n);
    c->next = sim.chunks;
    sim.chunks = c;
    sim.chunk_bytes += malloc_usable_size(c);
    return c + 1;
}

void *sim_alloc(size_t n)
{
    return memset(sim_alloc_raw(n), 0, n);
}

size_t sim_heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2(); // zeros with a sanitizer
    size_t used = info.uordblks + info.hblkhd;
    size_t ours = sim.chunk_bytes + malloc_usable_size(sim.events) + malloc_usable_size(sim.log) +
                  sim_sys_heap_bytes() + sim_h2_heap_bytes();
    return used > ours ? used - ours : 0;
}

char *sim_printf(const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0 && (size_t)n < sizeof text);
    char *copy = sim_alloc((size_t)n + 1);
    memcpy(copy, text, (size_t)n + 1);
    return copy;
}

// --- time ---

int64_t sim_now_ns(void)
{
    return sim.now_ns;
}

int64_t sim_now_ms(void)
{
    return (sim.now_ns - START_NS) / SIM_MS;
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

void sim_at(int64_t at_ns, sim_fn *fn, void *arg, uint64_t tag)
{
    if (sim.n_events == sim.cap_events) {
        sim.cap_events = sim.cap_events > 0 ? sim.cap_events * 2 : 256;
        sim.events = mem_resize(sim.events, sim.cap_events, sizeof sim.events[0]);
    }
    struct event e = {.at_ns = at_ns > sim.now_ns ? at_ns : sim.now_ns,
                      .order = sim.n_ordered++,
                      .fn = fn,
                      .arg = arg,
                      .tag = tag};
    size_t i = sim.n_events++;
    while (i > 0 && is_before(&e, &sim.events[(i - 1) / 2])) {
        sim.events[i] = sim.events[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sim.events[i] = e;
}

void sim_in(int64_t wait_ns, sim_fn *fn, void *arg, uint64_t tag)
{
    sim_at(sim.now_ns + wait_ns, fn, arg, tag);
}

int64_t sim_next_ns(void)
{
    return sim.n_events > 0 ? sim.events[0].at_ns : INT64_MAX;
}

static struct event pop_event(void)
{
    struct event first = sim.events[0];
    struct event last = sim.events[--sim.n_events];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= sim.n_events)
            break;
        if (child + 1 < sim.n_events && is_before(&sim.events[child + 1], &sim.events[child]))
            child++;
        if (!is_before(&sim.events[child], &last))
            break;
        sim.events[i] = sim.events[child];
        i = child;
    }
    sim.events[i] = last;
    return first;
}

void sim_step(void)
{
    ASSERT(sim.n_events > 0);
    struct event e = pop_event();
    sim.now_ns = e.at_ns;
    sim.n_steps++;
    e.fn(e.arg, e.tag);
    if (sim.n_steps == sim.hook_step)
        sim.hook(sim.hook_arg, 0);
}

void sim_after_step(uint64_t n, sim_fn *fn, void *arg)
{
    sim.hook_step = n;
    sim.hook = fn;
    sim.hook_arg = arg;
}

uint64_t sim_n_steps(void)
{
    return sim.n_steps;
}

void sim_pass_until(int64_t at_ns)
{
    ASSERT(at_ns <= sim_next_ns());
    if (at_ns > sim.now_ns)
        sim.now_ns = at_ns;
}

// --- what happened ---

static void PRINTF(1, 0) put_line(const char *fmt, va_list args)
{
    char line[512];
    int64_t us = (sim.now_ns - START_NS) / 1000;
    int n = snprintf(line, sizeof line, "%7d.%03d ", (int)(us / 1000), (int)(us % 1000));
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, args);
    ASSERT(n > 0 && m >= 0);
    size_t len = strlen(line);
    line[len++] = '\n';
    if (sim.log_len + len > LOG_MAX_BYTES)
        return;
    if (sim.log_len + len > sim.log_cap) {
        sim.log_cap = (sim.log_len + len) * 2;
        sim.log = mem_resize(sim.log, sim.log_cap, 1);
    }
    memcpy(sim.log + sim.log_len, line, len);
    sim.log_len += len;
}

void sim_log(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put_line(fmt, args);
    va_end(args);
}

struct str sim_log_text(void)
{
    return str_from(sim.log, sim.log_len);
}

void sim_fail(const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!sim.has_failed)
        printf("# %s\n", text);
    sim.has_failed = true;
    sim_log("WRONG: %s", text);
}

bool sim_has_failed(void)
{
    return sim.has_failed;
}

void sim_check_int(const char *file, int line, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted)
        sim_fail("%s:%d: %s is %lld, wanted %lld", file, line, what, (long long)got,
                 (long long)wanted);
}

void sim_print_tail(size_t n_lines)
{
    size_t at = sim.log_len;
    while (at > 0) {
        if (sim.log[at - 1] == '\n' && n_lines-- == 0)
            break;
        at--;
    }
    struct str rest = str_from(sim.log + at, sim.log_len - at);
    while (rest.len > 0) {
        size_t n = str_find(rest, '\n');
        printf("# " STR_FMT "\n", (int)n, rest.ptr);
        rest = str_skip(rest, n + 1);
    }
}
