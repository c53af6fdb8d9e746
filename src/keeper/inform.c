// SPDX-License-Identifier: Apache-2.0
#include "keeper/inform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/keeper_priv.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"

void inform_init(struct inform *i)
{
    *i = (struct inform){.fd = -1};
}

void inform_fini(struct inform *i)
{
    if (i->fd >= 0)
        close(i->fd);
    i->fd = -1;
}

static int make(const struct keeper *k)
{
    json_t *json = report_for_gate(k);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (!text) {
        errno = ENOMEM;
        return -1;
    }
    int fd = file_sealed("sallyport knowledge", str_of(text));
    int error = errno;
    free(text);
    errno = error;
    return fd;
}

void inform_gate(struct keeper *k, struct gate *g, uint64_t seq)
{
    struct inform *i = &k->inform;
    struct gate_knowledge m = {
        .type = GATE_KNOWLEDGE,
        .is_last_reload_ok = !k->last_reload.is_there || k->last_reload.is_ok,
        .seq = seq,
        .n_reloads_ok = k->last_reload.n_ok,
        .n_reloads_failed = k->last_reload.n_failed,
        .n_restarts = k->n_restarts,
        .in_force_ns = k->in_force_ns,
    };
    int64_t now_ms = clock_now_ms();
    if (i->fd < 0 || now_ms - i->made_ms >= INFORM_EVERY_MS) {
        inform_fini(i);
        i->fd = make(k);
        i->made_ms = now_ms;
    }
    if (i->fd < 0)
        log_error("can't make a file of what gates ask for: %s", strerror(errno));
    gates_tell(g, &m, sizeof m, i->fd);
}
