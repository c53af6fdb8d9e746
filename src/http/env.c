// SPDX-License-Identifier: Apache-2.0
#include "http/env.h"

#include "base/assert.h"
#include "base/mem.h"
#include "http/tunnel.h"
#include "rt/clock.h"
#include "rt/sys.h"

#define POOL_KEEP_MAX 256 // free ones kept: 4 MiB of buffers, 2 MiB of blocks
#define POOL_SPARE 64     // beyond what connections need: work that has no connection

void http_env_init(struct http_env *env, const struct http_app *app, void *app_data,
                   uint32_t conns_max)
{
    *env = (struct http_env){
        .app = app,
        .app_data = app_data,
        .conns_max = conns_max,
        .id_ms = -1,
        .fields = MEM_ARRAY(struct field, H1_FIELDS_MAX),
    };
    // A connection has a buffer for each side, and a filter may hold a third.
    uint32_t n = MIN(conns_max, UINT32_MAX / 4);
    pool_init(&env->buffers, HTTP_BUFFER_BYTES, POOL_KEEP_MAX, 3 * n + POOL_SPARE);
    pool_init(&env->blocks, HTTP_BLOCK_BYTES, POOL_KEEP_MAX, n + POOL_SPARE);
    list_init(&env->conns);
    list_init(&env->idle);
    list_init(&env->tunnels);
    sys_random(&env->id_prefix, sizeof env->id_prefix);
}

void http_env_fini(struct http_env *env)
{
    ASSERT(list_is_empty(&env->conns));
    pool_fini(&env->buffers);
    pool_fini(&env->blocks);
    mem_free(env->fields);
    *env = (struct http_env){.app = NULL};
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

void http_env_drain(struct http_env *env)
{
    env->is_draining = true;
    LIST_FOR_SAFE (node, &env->idle) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, idle);
        c->close(c);
    }
}

void http_listener_drain(struct http_listener *l)
{
    l->is_closing = true;
    LIST_FOR_SAFE (node, &l->env->idle) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, idle);
        if (c->listener == l)
            c->close(c);
    }
}

void http_env_abort(struct http_env *env)
{
    env->is_draining = true;
    tunnel_abort_all(env);
    LIST_FOR_SAFE (node, &env->conns) {
        struct http_conn *c = CONTAINER_OF(node, struct http_conn, node);
        c->close(c);
    }
}
