// SPDX-License-Identifier: Apache-2.0
#include "gate/questions.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "gate/protocol.h"
#include "rt/channel.h"
#include "rt/file.h"
#include "rt/log.h"
#include "rt/sys.h"

// One that is being answered.
struct question {
    struct questions *all; // borrows
    uint64_t seq;
    struct status *status; // owns; NULL of a ping
};

static void answer(const struct question *q, uint32_t type, int fd)
{
    struct gate_question m = {.type = type, .seq = q->seq};
    enum err err = channel_send(q->all->channel, str_from((const char *)&m, sizeof m), fd);
    if (err != ERR_OK && err != ERR_CLOSED) // a keeper that is gone is told once, by the gate
        log_error("can't answer the keeper: %s", err_text(err));
}

static struct question *new_question(struct questions *all, uint64_t seq)
{
    struct question *q = MEM_NEW(struct question);
    *q = (struct question){.all = all, .seq = seq};
    return q;
}

// --- life signs ---

static bool take_ping(void *arg, const struct worker *w)
{
    (void)arg;
    (void)w;
    return true; // that this is called is the sign
}

static void on_all_alive(void *arg)
{
    struct question *q = arg;
    answer(q, GATE_PONG, -1);
    q->all->n_pings--;
    mem_free(q);
}

void questions_ping(struct questions *all, uint64_t seq)
{
    if (all->n_pings == QUESTIONS_MAX)
        return;
    all->n_pings++;
    struct question *q = new_question(all, seq);
    if (all->crew)
        crew_visit(all->crew, take_ping, on_all_alive, q);
    else
        on_all_alive(q);
}

// --- status ---

static bool take_ask(void *arg, const struct worker *w)
{
    struct question *q = arg;
    return status_add(q->status, w);
}

static void on_all_added(void *arg)
{
    struct question *q = arg;
    struct text json = {.ptr = NULL};
    status_write(q->status, &q->all->process, &json);
    int fd = file_sealed("sallyport status", text_str(&json));
    if (fd >= 0) {
        answer(q, GATE_STATUS, fd);
        sys_close(fd);
    } else {
        log_error("can't make a file for the status: %s", strerror(errno));
    }
    text_fini(&json);
    status_free(q->status);
    q->all->n_asks--;
    mem_free(q);
}

void questions_ask(struct questions *all, uint64_t seq)
{
    if (!all->in_force || all->n_asks == QUESTIONS_MAX)
        return;
    all->n_asks++;
    struct question *q = new_question(all, seq);
    q->status = status_new(all->in_force);
    crew_visit(all->crew, take_ask, on_all_added, q);
}

void questions_in_force(struct questions *all, struct snapshot *s)
{
    struct snapshot *before = all->in_force;
    all->in_force = s;
    if (before)
        snapshot_unref(before);
}
