// SPDX-License-Identifier: Apache-2.0
#include "rt/slots.h"

#include <errno.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "rt/sys.h"

#define SLOTS_PER_WORD 64

struct slots {
    int fd; // owns
    struct offload *disk;
    pthread_mutex_t lock;   // guards what follows
    pthread_cond_t trimmed; // is_trimming has ended
    uint64_t *used;         // owns: one bit for each slot
    uint32_t i_free;        // no word before this one has a free slot
    uint32_t n_slots, n_used;
    bool is_stopped, is_trim_sent;
    bool is_trimming; // the file is being emptied: nobody may write
};

struct trim {
    struct offload_job job;
    struct slots *slots;
};

// On a helper thread, and without the lock, for which loops may wait.
static void run_trim(struct offload_job *j)
{
    struct slots *s = CONTAINER_OF(j, struct trim, job)->slots;
    pthread_mutex_lock(&s->lock);
    s->is_trim_sent = false;
    bool must_trim = s->n_used == 0 && !s->is_trimming;
    s->is_trimming |= must_trim;
    pthread_mutex_unlock(&s->lock);
    if (!must_trim)
        return;
    (void)!sys_truncate(s->fd, 0); // what stays is written over
    pthread_mutex_lock(&s->lock);
    s->is_trimming = false;
    pthread_cond_broadcast(&s->trimmed);
    pthread_mutex_unlock(&s->lock);
}

static void free_trim(struct offload_job *j)
{
    mem_free(CONTAINER_OF(j, struct trim, job));
}

static void send_trim(struct slots *s)
{
    struct trim *t = MEM_NEW(struct trim);
    *t = (struct trim){.job = {.run = run_trim, .free = free_trim}, .slots = s};
    if (offload_send(s->disk, &t->job))
        return;
    mem_free(t); // too much to do: the next one that is the last tries again
    pthread_mutex_lock(&s->lock);
    s->is_trim_sent = false;
    pthread_mutex_unlock(&s->lock);
}

struct slots *slots_new(int fd, uint64_t max_bytes, struct offload *disk)
{
    struct slots *s = MEM_NEW(struct slots);
    s->fd = fd;
    s->disk = disk;
    s->n_slots = (uint32_t)MIN(max_bytes / SLOTS_BYTES, (uint64_t)(SLOTS_NONE - 1));
    s->used = MEM_ARRAY(uint64_t, s->n_slots / SLOTS_PER_WORD + 1);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->trimmed, NULL);
    return s;
}

void slots_stop(struct slots *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_stopped = true;
    pthread_mutex_unlock(&s->lock);
}

void slots_free(struct slots *s)
{
    if (!s)
        return;
    ASSERT(s->n_used == 0);
    pthread_cond_destroy(&s->trimmed);
    pthread_mutex_destroy(&s->lock);
    sys_close(s->fd);
    mem_free(s->used);
    mem_free(s);
}

static int64_t offset_of(uint32_t slot)
{
    return (int64_t)slot * (int64_t)SLOTS_BYTES;
}

// The lowest free one: the file stays as short as it can.
static uint32_t find_free(struct slots *s)
{
    while (s->i_free < s->n_slots / SLOTS_PER_WORD && s->used[s->i_free] == UINT64_MAX)
        s->i_free++;
    if (s->used[s->i_free] == UINT64_MAX)
        return SLOTS_NONE;
    uint32_t slot = s->i_free * SLOTS_PER_WORD + (uint32_t)__builtin_ctzll(~s->used[s->i_free]);
    return slot < s->n_slots ? slot : SLOTS_NONE;
}

// On a helper thread: may wait for the disk.
static uint32_t take(struct slots *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->is_trimming)
        pthread_cond_wait(&s->trimmed, &s->lock);
    uint32_t slot = find_free(s);
    if (slot != SLOTS_NONE) {
        s->used[slot / SLOTS_PER_WORD] |= UINT64_C(1) << slot % SLOTS_PER_WORD;
        s->n_used++;
    }
    pthread_mutex_unlock(&s->lock);
    return slot;
}

void slots_release(struct slots *s, uint32_t slot)
{
    if (slot == SLOTS_NONE)
        return;
    uint64_t bit = UINT64_C(1) << slot % SLOTS_PER_WORD;
    pthread_mutex_lock(&s->lock);
    ASSERT((s->used[slot / SLOTS_PER_WORD] & bit) != 0);
    s->used[slot / SLOTS_PER_WORD] &= ~bit;
    s->i_free = MIN(s->i_free, slot / SLOTS_PER_WORD);
    s->n_used--;
    bool must_trim = s->n_used == 0 && !s->is_trim_sent && !s->is_stopped;
    s->is_trim_sent |= must_trim;
    pthread_mutex_unlock(&s->lock);
    if (must_trim)
        send_trim(s);
}

size_t slots_used(struct slots *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n_used;
    pthread_mutex_unlock(&s->lock);
    return n;
}

// --- on helper threads ---

static int write_all(int fd, const char *bytes, size_t n, int64_t at)
{
    while (n > 0) {
        ssize_t done = sys_pwrite(fd, bytes, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : ENOSPC;
        bytes += done;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

static int read_all(int fd, char *bytes, size_t n, int64_t at)
{
    while (n > 0) {
        ssize_t done = sys_pread(fd, bytes, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : EIO;
        bytes += done;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

static struct slots_block *block_of(struct offload_job *j)
{
    return CONTAINER_OF(j, struct slots_block, job);
}

static void run_write(struct offload_job *j)
{
    struct slots_block *b = block_of(j);
    b->slot = take(b->slots);
    if (b->slot == SLOTS_NONE) {
        b->error = ENOSPC;
        return;
    }
    b->error = write_all(b->slots->fd, b->bytes, b->n, offset_of(b->slot));
    if (b->error == 0)
        return;
    slots_release(b->slots, b->slot);
    b->slot = SLOTS_NONE;
}

static void run_read(struct offload_job *j)
{
    struct slots_block *b = block_of(j);
    int64_t at = offset_of(b->slot) + (int64_t)b->at;
    b->error = read_all(b->slots->fd, b->bytes, b->n, at);
    if (b->is_last || b->error != 0) {
        slots_release(b->slots, b->slot);
        b->slot = SLOTS_NONE;
    }
}

static void free_block(struct offload_job *j)
{
    struct slots_block *b = block_of(j);
    slots_release(b->slots, b->slot);
    mem_free(b);
}

// --- for their owners ---

struct slots_block *slots_block_new(struct slots *s, size_t cap)
{
    ASSERT(cap <= SLOTS_BYTES);
    struct slots_block *b = mem_alloc_raw(sizeof *b + cap);
    *b = (struct slots_block){.job.free = free_block, .slots = s, .slot = SLOTS_NONE, .cap = cap};
    return b;
}

void slots_block_free(struct slots_block *b)
{
    if (b)
        free_block(&b->job);
}

static enum slots_end run(struct slots_block *b, void (*fn)(struct offload_job *j),
                          struct deadline until)
{
    bool is_refused;
    b->job.run = fn;
    b->error = 0;
    if (offload_run(b->slots->disk, &b->job, until, &is_refused) != FIBER_READY)
        return SLOTS_GONE;
    if (is_refused) {
        slots_release(b->slots, b->slot);
        b->slot = SLOTS_NONE;
        b->error = EAGAIN;
    }
    return b->error == 0 ? SLOTS_DONE : SLOTS_FAILED;
}

enum slots_end slots_write(struct slots_block *b, struct deadline until, uint32_t *ret_slot)
{
    ASSERT(b->n <= b->cap && b->slot == SLOTS_NONE);
    enum slots_end end = run(b, run_write, until);
    if (end == SLOTS_DONE) {
        *ret_slot = b->slot;
        b->slot = SLOTS_NONE;
    }
    return end;
}

enum slots_end slots_read(struct slots_block *b, struct slots_part part, struct deadline until)
{
    ASSERT(part.n <= b->cap && b->slot == SLOTS_NONE);
    ASSERT(part.at + part.n <= SLOTS_BYTES);
    b->slot = part.slot;
    b->at = part.at;
    b->n = part.n;
    b->is_last = part.is_last;
    enum slots_end end = run(b, run_read, until);
    if (end == SLOTS_DONE)
        b->slot = SLOTS_NONE; // the caller's, as before
    return end;
}
