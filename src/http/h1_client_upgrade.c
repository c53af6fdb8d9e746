// SPDX-License-Identifier: Apache-2.0
// A server's connection after "101 Switching Protocols", or without any HTTP from the beginning:
// one side of a tunnel, free of the exchange that it began with. It holds no buffer, and the
// connection is never used for HTTP again.
#include "base/mem.h"
#include "http/h1_client_priv.h"
#include "http/tunnel.h"

struct upgraded {
    struct tunnel_side side;
    struct h1_client *c; // borrows: until done is called
    char early[];        // came behind the head
};

static void upgraded_release(struct tunnel_side *side)
{
    struct upgraded *u = CONTAINER_OF(side, struct upgraded, side);
    struct h1_client *c = u->c;
    stream_close(&c->stream);
    c->state = NULL;
    mem_free(u);
    c->done(c, false);
}

static struct tunnel_side *upgrade(struct h1_client *c, struct str early)
{
    struct upgraded *u = mem_alloc(1, sizeof *u + early.len);
    if (early.len > 0)
        memcpy(u->early, early.ptr, early.len);
    u->c = c;
    u->side = (struct tunnel_side){
        .stream = &c->stream,
        .early = str_from(u->early, early.len),
        .release = upgraded_release,
    };
    c->n_exchanges++;
    c->state = u;
    return &u->side;
}

struct tunnel_side *h1_call_tunnel(struct h1_call *call)
{
    struct tunnel_side *side = upgrade(call->c, h1_call_unread(call));
    call->c = NULL;
    h1_call_give_buffer(call);
    return side;
}

struct tunnel_side *h1_client_take(struct h1_client *c)
{
    ASSERT(!c->state && c->n_exchanges == 0);
    return upgrade(c, STR_NONE);
}
