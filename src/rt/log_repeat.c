// SPDX-License-Identifier: Apache-2.0
#include "rt/log_repeat.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "base/writer.h"
#include "rt/log.h"

#define KINDS_MAX 128 // per thread; what is beyond has no limit

struct kind {
    const char *_Atomic format; // NULL: free
    unsigned level;
    unsigned n_written;          // the thread's own, since began_ms
    int64_t began_ms;            // the thread's own
    _Atomic uint64_t n_left_out; // added to by the thread, taken by the log thread
    _Atomic int64_t left_out_ms; // when the first of them was
};

struct table {
    struct kind kinds[KINDS_MAX];
    struct table *next; // owns: all tables; they live as long as the process
};

static struct table *_Atomic tables;
static _Thread_local struct table *own_table;

static struct table *table_of_thread(void)
{
    if (own_table)
        return own_table;
    struct table *t = MEM_NEW(struct table);
    t->next = atomic_load(&tables);
    while (!atomic_compare_exchange_weak(&tables, &t->next, t))
        ;
    own_table = t;
    return t;
}

// NULL: the table is full.
static struct kind *find_kind(struct table *t, const char *format, unsigned level)
{
    size_t at = ((uintptr_t)format * 0x9e3779b97f4a7c15u) >> 57; // 7 bits: KINDS_MAX
    for (size_t i = 0; i < KINDS_MAX; i++) {
        struct kind *k = &t->kinds[(at + i) % KINDS_MAX];
        const char *found = atomic_load_explicit(&k->format, memory_order_relaxed);
        if (found == format)
            return k;
        if (found)
            continue;
        k->level = level;
        atomic_store_explicit(&k->format, format, memory_order_release);
        return k;
    }
    return NULL;
}

bool log_repeats_allow(const char *kind, unsigned level, unsigned max, int64_t now_ms)
{
    struct kind *k = find_kind(table_of_thread(), kind, level);
    if (!k)
        return true;
    if (k->n_written == 0 || now_ms - k->began_ms >= LOG_REPEATS_MS) {
        k->began_ms = now_ms;
        k->n_written = 0;
    }
    if (k->n_written < max) {
        k->n_written++;
        return true;
    }
    if (atomic_load_explicit(&k->n_left_out, memory_order_relaxed) == 0)
        atomic_store_explicit(&k->left_out_ms, now_ms, memory_order_relaxed);
    atomic_fetch_add_explicit(&k->n_left_out, 1, memory_order_release);
    return false;
}

bool log_repeats_sweep(int64_t now_ms, bool is_end, log_repeats_fn *fn, void *arg)
{
    bool has_more = false;
    for (struct table *t = atomic_load(&tables); t; t = t->next) {
        for (size_t i = 0; i < KINDS_MAX; i++) {
            struct kind *k = &t->kinds[i];
            const char *format = atomic_load_explicit(&k->format, memory_order_acquire);
            if (!format || atomic_load_explicit(&k->n_left_out, memory_order_acquire) == 0)
                continue;
            int64_t since_ms = atomic_load_explicit(&k->left_out_ms, memory_order_relaxed);
            if (is_end || now_ms - since_ms >= LOG_REPEATS_MS)
                fn(arg, format, k->level, atomic_exchange(&k->n_left_out, 0));
            else
                has_more = true;
        }
    }
    return has_more;
}

struct str log_repeats_name(const char *kind, char *buf, size_t n)
{
    struct writer w;
    writer_init(&w, buf, n);
    for (const char *p = kind; *p; p++) {
        if (*p != '%' || p[1] == '%') {
            p += *p == '%';
            writer_byte(&w, *p);
            continue;
        }
        p += strspn(p + 1, "-+ #0123456789.*hlqjzt") + 1; // at the letter of the conversion
        if (w.len == 0 || w.ptr[w.len - 1] != '*')
            writer_byte(&w, '*');
        if (!*p)
            break;
    }
    return writer_str(&w);
}
