// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_disk.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "rt/offload.h"
#include "rt/sys.h"
#include "sim/sim.h"
#include "sim/sim_sys_priv.h"

struct sim_disk sim_disk;
static uint32_t n_waiting, n_jobs;

void sim_disk_init(void)
{
    sim_disk = (struct sim_disk){.n_written = 0};
    n_waiting = n_jobs = 0;
}

uint32_t sim_disk_n_waiting(void)
{
    return n_waiting;
}

uint32_t sim_disk_n_jobs(void)
{
    return n_jobs;
}

// --- the file ---

struct sim_file {
    char *bytes; // of the simulation's memory
    size_t n, cap;
};

int sim_disk_open(void)
{
    int fd = sim_fd_open(KIND_FILE);
    sim_fd_find(fd, "open")->file = sim_alloc(sizeof(struct sim_file));
    return fd;
}

static struct sim_file *file_of(int fd, const char *call)
{
    struct sim_fd *d = sim_fd_find(fd, call);
    ASSERT(!d || d->kind == KIND_FILE);
    return d ? d->file : NULL;
}

static bool comes(uint32_t permille)
{
    return permille > 0 && sim_below(1000) < permille;
}

static void grow(struct sim_file *f, size_t to)
{
    if (to > f->cap) {
        size_t cap = MAX(to, f->cap * 2);
        char *bytes = sim_alloc(cap);
        if (f->n > 0)
            memcpy(bytes, f->bytes, f->n);
        f->bytes = bytes;
        f->cap = cap;
    }
    f->n = MAX(f->n, to);
}

// Some of it at a time, as the kernel may.
static size_t part_of(size_t n)
{
    return n > 1 && sim_chance(5) ? (size_t)sim_between(1, (int64_t)n) : n;
}

ssize_t sys_pwrite(int fd, const void *buf, size_t n, int64_t at)
{
    struct sim_file *f = file_of(fd, "pwrite");
    if (!f)
        return -1;
    if (comes(sim_disk.full_permille))
        return sim_fd_fail(ENOSPC);
    if (comes(sim_disk.failure_permille))
        return sim_fd_fail(EIO);
    n = part_of(n);
    grow(f, (size_t)at + n);
    memcpy(f->bytes + at, buf, n);
    sim_disk.n_written += n;
    return (ssize_t)n;
}

ssize_t sys_pread(int fd, void *buf, size_t n, int64_t at)
{
    struct sim_file *f = file_of(fd, "pread");
    if (!f)
        return -1;
    if (comes(sim_disk.failure_permille))
        return sim_fd_fail(EIO);
    n = (size_t)at < f->n ? part_of(MIN(n, f->n - (size_t)at)) : 0;
    memcpy(buf, f->bytes + at, n);
    return (ssize_t)n;
}

int sys_truncate(int fd, int64_t to)
{
    struct sim_file *f = file_of(fd, "truncate");
    if (!f)
        return -1;
    if (f->n > (size_t)to)
        memset(f->bytes + to, 0, f->n - (size_t)to);
    grow(f, (size_t)to);
    f->n = (size_t)to;
    return 0;
}

// --- helper threads ---

struct offload {
    unsigned n_under_way, queue_max;
};

struct offload *offload_new(unsigned n_threads, unsigned queue_max)
{
    ASSERT(n_threads == 0);
    struct offload *o = MEM_NEW(struct offload);
    o->queue_max = queue_max;
    return o;
}

bool offload_start(struct offload *o, unsigned n_threads)
{
    (void)o, (void)n_threads;
    panic("the simulation has no threads");
}

void offload_free(struct offload *o)
{
    if (!o)
        return;
    SIM_CHECK_INT(o->n_under_way, 0);
    mem_free(o);
}

static void on_mail(struct rt_mail *m)
{
    struct offload_job *j = CONTAINER_OF(m, struct offload_job, mail);
    j->is_done = true;
    if (j->waiter)
        fiber_wake(j->waiter);
    else
        j->free(j);
}

struct task {
    struct offload *offload;
    struct offload_job *job;
};

// Of each half: before the work, and between it and its end.
static int64_t delay(void)
{
    return sim_between(sim_disk.delay_min_ns / 2, sim_disk.delay_max_ns / 2);
}

static void end_task(void *arg, uint64_t tag)
{
    struct offload_job *j = ((struct task *)arg)->job;
    (void)tag;
    ((struct task *)arg)->offload->n_under_way--;
    n_jobs--;
    bool has_waiter = j->state == OFFLOAD_QUEUED;
    if (!has_waiter) {
        j->free(j);
        return;
    }
    j->state = OFFLOAD_POSTED;
    loop_post(j->loop, &j->mail);
}

static void do_task(void *arg, uint64_t tag)
{
    const struct task *t = arg;
    (void)tag;
    if (t->job->state != OFFLOAD_ABANDONED)
        t->job->run(t->job);
    sim_in(delay(), end_task, arg, 0);
}

static bool begin_task(struct offload *o, struct offload_job *j, enum offload_state state)
{
    if (o->n_under_way == o->queue_max)
        return false;
    struct task *t = sim_alloc(sizeof *t);
    *t = (struct task){.offload = o, .job = j};
    j->state = state;
    o->n_under_way++;
    n_jobs++;
    sim_in(delay(), do_task, t, 0);
    return true;
}

bool offload_send(struct offload *o, struct offload_job *j)
{
    if (sim_chance(sim_disk.delay_percent))
        return begin_task(o, j, OFFLOAD_SENT);
    j->run(j);
    j->free(j);
    return true;
}

enum fiber_wake offload_run(struct offload *o, struct offload_job *j, struct deadline until,
                            bool *ret_refused)
{
    *ret_refused = false;
    if (!sim_chance(sim_disk.delay_percent)) {
        j->run(j);
        return FIBER_READY;
    }
    j->loop = loop_self();
    j->waiter = fiber_self();
    j->is_done = false;
    j->mail = (struct rt_mail){.fn = on_mail};
    if (!begin_task(o, j, OFFLOAD_QUEUED)) {
        *ret_refused = true;
        return FIBER_READY;
    }
    while (!j->is_done) {
        n_waiting++;
        enum fiber_wake why = fiber_wait(until);
        n_waiting--;
        if (why == FIBER_READY || j->is_done)
            continue;
        j->waiter = NULL;
        if (j->state == OFFLOAD_QUEUED)
            j->state = OFFLOAD_ABANDONED;
        return why;
    }
    return FIBER_READY;
}
