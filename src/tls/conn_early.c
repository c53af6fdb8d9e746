// SPDX-License-Identifier: Apache-2.0
// Early data of TLS 1.3 (RFC 8446 2.3): requests that are read before the client has shown that it
// is no replay.
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/conn_priv.h"

void tls_conn_take_early_data(struct stream *s, struct tls_tickets *tickets)
{
    struct tls_conn *t = s->tls;
    ASSERT(!stream_is_plain(s) && !t->early);
    struct tls_early *e = mem_alloc_raw(sizeof *e); // its bytes needn't be zeroed
    e->tickets = tls_tickets_ref(tickets);
    e->is_read = e->ends_write = false;
    e->pos = e->len = 0;
    t->early = e;
}

void tls_conn_drop_early(struct tls_conn *t)
{
    if (!t->early)
        return;
    tls_tickets_unref(t->early->tickets);
    mem_free(t->early);
    t->early = NULL;
}

// The client's Finished is here: it is no replay.
static void confirm(struct tls_conn *t)
{
    t->info.is_early = false;
    t->is_open = true;
    tls_tickets_set(t->ssl, NULL);
    if (t->early->ends_write) {
        tls_conn_send_end(t);
        t->ends_socket = true;
    }
}

// Goes on with a handshake that has ended early. IO_DONE: more was read into t->early, or it is
// over (info.is_early).
static enum io go_on(struct tls_conn *t)
{
    struct tls_early *e = t->early;
    size_t n = 0;
    if (!e->is_read) {
        switch (SSL_read_early_data(t->ssl, e->bytes + e->len, sizeof e->bytes - e->len, &n)) {
        case SSL_READ_EARLY_DATA_SUCCESS:
            e->len += n;
            return IO_DONE;
        case SSL_READ_EARLY_DATA_FINISH:
            e->is_read = true;
            break;
        default:
            return tls_conn_read_nothing(t);
        }
    }
    t->wire.is_corked = true; // the ticket's records go together
    bool is_over = SSL_do_handshake(t->ssl) == 1;
    if (is_over)
        confirm(t);
    t->wire.is_corked = false;
    tls_conn_flush_some(t);
    return is_over ? IO_DONE : tls_conn_read_nothing(t);
}

enum io tls_conn_read_early(struct tls_conn *t, void *buf, size_t n, size_t *ret_n)
{
    struct tls_early *e = t->early;
    size_t taken = 0;
    enum io io = IO_DONE;
    while (io == IO_DONE && e->pos == e->len && t->info.is_early)
        io = go_on(t);
    if (io == IO_DONE && e->pos < e->len) {
        taken = MIN(n, e->len - e->pos);
        memcpy(buf, e->bytes + e->pos, taken);
        e->pos += taken;
    }
    if (!t->info.is_early && e->pos == e->len)
        tls_conn_drop_early(t);
    *ret_n = taken;
    return io;
}

enum io tls_conn_confirm(struct stream *s, struct deadline until)
{
    for (;;) {
        struct tls_conn *t = tls_conn_enter(s);
        enum io io = IO_DONE;
        while (io == IO_DONE && t->info.is_early)
            io = t->is_broken ? tls_conn_fail(t, EPROTO) : go_on(t);
        if (io != IO_AGAIN)
            return io;
        io = sock_wait_readable(&s->sock, until);
        if (io != IO_DONE)
            return io;
    }
}
