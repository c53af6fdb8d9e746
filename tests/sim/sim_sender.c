// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "sim/sim.h"
#include "sim/sim_peer.h"

static void go_on(void *arg, uint64_t tag)
{
    struct sim_sender *s = arg;
    (void)tag;
    s->is_pausing = false;
    sim_sender_go(s);
}

static size_t limit_of(const struct sim_sender *s)
{
    size_t limit = s->gate < s->text.len ? s->gate : s->text.len;
    return s->cut_at < limit ? s->cut_at : limit;
}

static bool is_cut(struct sim_sender *s)
{
    if (s->at != s->cut_at)
        return false;
    s->cut_at = SIZE_MAX;
    s->on_cut(s->arg);
    return true;
}

void sim_sender_go(struct sim_sender *s)
{
    size_t limit = limit_of(s);
    while (!s->is_pausing && !sim_wire_is_closed(s->wire) && s->at < limit) {
        size_t n = limit - s->at;
        if (s->pace.piece_bytes > 0 && n > s->pace.piece_bytes)
            n = s->pace.piece_bytes;
        ssize_t put = sim_wire_write(s->wire, s->text.ptr + s->at, n);
        if (put <= 0)
            return; // full, or gone: the end tells
        s->at += (size_t)put;
        if (s->pace.gap_ns > 0 && s->at < limit) {
            s->is_pausing = true;
            sim_in(s->pace.gap_ns, go_on, s, 0);
            return;
        }
    }
    if (s->is_pausing || sim_wire_is_closed(s->wire) || is_cut(s))
        return;
    if (s->at == s->text.len && s->on_sent)
        s->on_sent(s->arg);
}
