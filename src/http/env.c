// SPDX-License-Identifier: Apache-2.0
#include "http/env.h"

#include "base/assert.h"
#include "base/mem.h"
#include "http/h2_heap.h"
#include "http/tunnel.h"
#include "rt/clock.h"
#include "rt/stream.h"
#include "rt/sys.h"

#define KEEP_MAX 1024       // free ones kept: 16 MiB of buffers, 8 MiB of blocks
#define PIECES_KEEP_MAX 256 // 4 MiB
#define POOL_SPARE 64       // beyond what connections need: work that has no connection
#define LARGE_MAX 64        // 4 MiB: more long answers at once do with ordinary buffers
#define LEAVE_PER_MS 64     // of those that were idle for long: not all in one turn

void http_env_init(struct http_env *env, const struct http_app *app, void *app_data,
                   uint32_t conns_max)
{
    *env = (struct http_env){
        .app = app,
        .h2_heap = h2_heap_new(),
        .app_data = app_data,
        .conns_max = conns_max,
        .id_ms = -1,
        .fields = MEM_ARRAY(struct field, H1_FIELDS_MAX),
    };
    // A connection has a buffer for each side, and a filter may hold a third.
    uint32_t n = MIN(conns_max, UINT32_MAX / 4);
    pool_init(&env->buffers, HTTP_BUFFER_BYTES, KEEP_MAX, 3 * n + HTTP_SUBS_MAX + POOL_SPARE);
    pool_init(&env->pieces, HTTP_BUFFER_BYTES, PIECES_KEEP_MAX, UINT32_MAX);
    pool_init(&env->large, HTTP_LARGE_BYTES, LARGE_MAX / 4, LARGE_MAX);
    pool_init(&env->blocks, HTTP_BLOCK_BYTES, KEEP_MAX, n + HTTP_SUBS_MAX + POOL_SPARE);
    list_init(&env->conns);
    list_init(&env->idle);
    list_init(&env->tunnels);
    list_init(&env->subs);
    sys_random(&env->id_prefix, sizeof env->id_prefix);
}

void http_env_fini(struct http_env *env)
{
    ASSERT(list_is_empty(&env->conns) && list_is_empty(&env->subs));
    pool_fini(&env->buffers);
    pool_fini(&env->pieces);
    pool_fini(&env->large);
    pool_fini(&env->blocks);
    zip_heap_fini(&env->zip);
    h2_heap_free(&env->h2_heap);
    mem_free(env->fields);
    *env = (struct http_env){.app = NULL};
}

bool http_make_room(struct http_env *env)
{
    if (env->stats.counters[HTTP_COUNTER_CONNS_OPEN] < env->conns_max)
        return true;
    http_count(env, HTTP_COUNTER_CONNS_REFUSED, 1);
    struct list_node *node = list_first(&env->idle);
    if (!node)
        return false;
    struct http_conn *oldest = CONTAINER_OF(node, struct http_conn, idle);
    oldest->ops->close(oldest);
    return true;
}

bool http_accept(struct http_env *env, int fd, const struct rt_addr *from, struct stream *ret,
                 struct ip *ret_peer, uint16_t *ret_port)
{
    *ret = (struct stream){.ops = NULL};
    sock_init(&ret->sock, fd);
    if (!http_make_room(env)) {
        sock_close(&ret->sock);
        return false;
    }
    if (!addr_to_ip(from, ret_peer, ret_port)) {
        *ret_peer = (struct ip){.family = 0};
        *ret_port = 0;
    }
    http_count(env, HTTP_COUNTER_CONNS_ACCEPTED, 1);
    return true;
}

void http_conn_begin(struct http_conn *c, struct http_listener *l, const struct http_conn_ops *ops)
{
    c->listener = l;
    c->ops = ops;
    list_push_back(&l->env->conns, &c->node);
    l->n_conns++;
    http_count(l->env, HTTP_COUNTER_CONNS_OPEN, 1);
}

void http_conn_end(struct http_conn *c)
{
    http_conn_rouse(c);
    list_remove(&c->node);
    c->listener->n_conns--;
    http_count(c->listener->env, HTTP_COUNTER_CONNS_OPEN, -1);
}

void http_conn_rest(struct http_conn *c)
{
    struct http_env *env = c->listener->env;
    if (list_node_is_linked(&c->idle))
        return;
    list_push_back(&env->idle, &c->idle);
    http_count(env, HTTP_COUNTER_CONNS_IDLE, 1);
}

void http_conn_rouse(struct http_conn *c)
{
    if (!list_node_is_linked(&c->idle))
        return;
    list_remove(&c->idle);
    http_count(c->listener->env, HTTP_COUNTER_CONNS_IDLE, -1);
}

struct str http_date(struct http_env *env)
{
    int64_t now_s = clock_wall_s();
    if (env->date_s != now_s) {
        env->date_s = now_s;
        date_http(now_s, env->date);
    }
    return str_from(env->date, sizeof env->date);
}

static struct http_leave leave_now(int64_t idle_ms)
{
    return (struct http_leave){
        .is_on = true, .idle_ms = idle_ms, .pipelines_until_ms = clock_now_ms() + idle_ms};
}

// The connections of l, or of all listeners (NULL); the idle ones first, by and by.
static void tell_to_leave(struct http_env *env, const struct http_listener *l, int64_t idle_ms)
{
    int64_t n_told = 0;
    LIST_FOR_SAFE (node, &env->idle) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, idle);
        if (!l || c->listener == l)
            c->ops->leave(c, idle_ms, clock_now_ms() + MIN(n_told++ / LEAVE_PER_MS, idle_ms));
    }
    LIST_FOR_SAFE (node, &env->conns) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, node);
        bool is_busy = !list_node_is_linked(&c->idle) && (!l || c->listener == l);
        if (is_busy && c->ops->leave)
            c->ops->leave(c, idle_ms, clock_now_ms());
    }
}

void http_env_drain(struct http_env *env, int64_t idle_ms)
{
    tell_to_leave(env, NULL, idle_ms);
    env->leave = leave_now(idle_ms);
}

void http_listener_drain(struct http_listener *l)
{
    if (l->leave.is_on)
        return;
    tell_to_leave(l->env, l, HTTP_LEAVE_IDLE_MS);
    l->leave = leave_now(HTTP_LEAVE_IDLE_MS);
}

int64_t http_leave_idle_ms(const struct http_listener *l)
{
    const struct http_leave *a = &l->leave, *b = &l->env->leave;
    return MIN(a->is_on ? a->idle_ms : INT64_MAX, b->is_on ? b->idle_ms : INT64_MAX);
}

bool http_may_pipeline(const struct http_listener *l)
{
    const struct http_leave *a = &l->leave, *b = &l->env->leave;
    int64_t now_ms = clock_now_ms();
    return (!a->is_on || now_ms < a->pipelines_until_ms) &&
           (!b->is_on || now_ms < b->pipelines_until_ms);
}

bool http_linger(struct http_env *env, struct stream *s, uint32_t *left)
{
    char *scratch = pool_take(&env->buffers);
    enum io io = scratch ? IO_DONE : IO_FAIL;
    while (io == IO_DONE && *left > 0) {
        size_t n = 0;
        io = stream_try_read(s, scratch, HTTP_BUFFER_BYTES, &n);
        *left -= (uint32_t)MIN(n, (size_t)*left);
    }
    if (scratch)
        pool_give(&env->buffers, scratch);
    return io == IO_AGAIN;
}

void http_env_abort(struct http_env *env)
{
    env->leave = leave_now(0);
    tunnel_abort_all(env);
    LIST_FOR (node, &env->subs) {
        struct http_sub *s = CONTAINER_OF(node, struct http_sub, node);
        s->stop(s);
    }
    LIST_FOR_SAFE (node, &env->conns) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, node);
        c->ops->close(c);
    }
}
