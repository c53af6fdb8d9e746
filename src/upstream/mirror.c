// SPDX-License-Identifier: Apache-2.0
#include "upstream/mirror.h"

#include <string.h>

#include "http/sub.h"
#include "upstream/worker.h"

#define ANSWER_MAX_BYTES ((size_t)16 * 1024 * 1024) // of an answer that is read and dropped

static void count(_Atomic uint64_t *n)
{
    atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static void drop(const struct mirror *m, struct str who, struct exchange *x, const char *why)
{
    count(&m->stats->n_dropped);
    trail_add(&x->trail, who, "did not mirror", str_of(why));
}

static void on_done(void *arg, enum sub_end end, const struct sub_answer *answer)
{
    struct mirror_stats *stats = arg;
    (void)answer;
    if (end != SUB_ANSWERED)
        count(&stats->n_failed);
}

static void send_copy(const struct mirror *m, struct str who, struct exchange *x, struct str body)
{
    struct sub_request r = sub_request_to(x, m->to);
    r.method = x->req.method;
    r.body = body;
    r.timeout_ms = m->timeout_ms;
    r.answer_max_bytes = ANSWER_MAX_BYTES;
    bool is_sent = sub_copy_fields(&r, x, true) == ERR_OK && sub_send(x, &r, on_done, m->stats);
    count(is_sent ? &m->stats->n_sent : &m->stats->n_dropped);
    trail_add(&x->trail, who, is_sent ? "mirrored to" : "was too busy to mirror to", m->name);
}

// --- bodies ---

// The original's body, of which a copy is kept as it is read.
struct copying {
    struct body body;
    struct body *inner; // borrows: the exchange's
    const struct mirror *m;
    struct str who;
    struct exchange *x; // borrows
    char *bytes;        // in its memory
    size_t n, cap;
    bool is_over; // sent, or given up
};

static void give_up(struct copying *c, const char *why)
{
    c->is_over = true;
    drop(c->m, c->who, c->x, why);
}

// Room for n more bytes: all at once where the length is known, else doubled, so that what is
// copied anew stays a small part of it. Half of the memory is left to the exchange itself and its
// answer.
static bool make_room(struct copying *c, size_t n)
{
    if (c->cap - c->n >= n)
        return true;
    const struct arena *mem = c->x->mem;
    size_t cap = MAX(c->cap * 2, MAX(c->n + n, (size_t)4096));
    if (c->body.length > 0)
        cap = MAX(c->n + n, (size_t)c->body.length);
    bool has_room = mem->used_bytes + cap <= mem->limit_bytes / 2;
    char *bigger = has_room ? arena_alloc(c->x->mem, cap, 1, 1) : NULL;
    if (!bigger)
        return false;
    if (c->n > 0)
        memcpy(bigger, c->bytes, c->n);
    c->bytes = bigger;
    c->cap = cap;
    return true;
}

static void keep(struct copying *c, struct str piece)
{
    if (c->is_over)
        return;
    if (piece.len > c->m->body_max_bytes - c->n) {
        give_up(c, "the body is too large");
    } else if (!make_room(c, piece.len)) {
        give_up(c, "the exchange's memory is used up");
    } else {
        memcpy(c->bytes + c->n, piece.ptr, piece.len);
        c->n += piece.len;
    }
}

static enum io read_and_keep(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct copying *c = CONTAINER_OF(b, struct copying, body);
    enum io io = body_read(c->inner, ret_piece, until);
    body_follow(b, c->inner);
    if (io == IO_DONE)
        keep(c, *ret_piece);
    // Of a body whose length is known nobody may ask for the end.
    bool is_whole = io == IO_EOF || (io == IO_DONE && b->length == (int64_t)c->n);
    if (is_whole && !c->is_over) {
        c->is_over = true;
        send_copy(c->m, c->who, c->x, str_from(c->bytes, c->n));
    }
    return io;
}

static void end_copying(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct copying, body)->inner);
}

static const struct body_ops copying_ops = {
    .name = "mirror", .read = read_and_keep, .fini = end_copying};

static void copy_body(const struct mirror *m, struct str who, struct exchange *x)
{
    struct copying *c = ARENA_NEW(x->mem, struct copying);
    if (!c) {
        drop(m, who, x, "the exchange's memory is used up");
        return;
    }
    *c = (struct copying){
        .body = {.ops = &copying_ops, .length = x->req.body->length},
        .inner = x->req.body,
        .m = m,
        .who = who,
        .x = x,
    };
    x->req.body = &c->body;
}

// --- public ---

void mirror_count(struct mirror *m, struct shared *service)
{
    if (m)
        m->stats = &service_state_of(service)->mirrored;
}

void mirror_begin(const struct mirror *m, struct str who, struct exchange *x)
{
    const struct request *r = &x->req;
    if (r->is_raw || r->is_upgrade)
        return;
    if (m->share < 100 && upstream_worker_random(upstream_worker_self()) % 100 >= m->share)
        return;
    if (!r->body || r->body->length == 0)
        send_copy(m, who, x, STR_NONE);
    else if (r->body->length > (int64_t)m->body_max_bytes)
        drop(m, who, x, "the body is too large");
    else
        copy_body(m, who, x);
}

enum err mirror_build(const struct service_conf *conf, struct arena *mem, struct diags *diags,
                      struct mirror **ret)
{
    const struct mirror_conf *c = &conf->mirror;
    if (c->to.text.len == 0)
        return diag_fail(diags, ERR_SYNTAX, c->place,
                         "'mirror' needs 'to': the service that gets the copies");
    const struct handler *to = conf->names->find(conf->names, &c->to);
    if (!to)
        return ERR_NOT_FOUND;
    if (service_protocol(to) == SERVER_TCP)
        return diag_fail(diags, ERR_SYNTAX, c->to.place,
                         "'" STR_FMT "' has servers for TCP routes, and copies are requests",
                         STR_ARG(c->to.text));
    *ret = ARENA_NEW(mem, struct mirror);
    if (!*ret)
        return diag_fail(diags, ERR_LIMIT, c->place, "memory limit of the settings");
    **ret = (struct mirror){
        .to = to,
        .name = c->to.text,
        .share = c->share,
        .body_max_bytes = c->body_max_bytes,
        .timeout_ms = c->timeout_ms,
    };
    return ERR_OK;
}
