// SPDX-License-Identifier: Apache-2.0
#include "upstream/worker.h"

#include "base/mem.h"
#include "rt/sys.h"
#include "upstream/conn.h"

#define ITEMS_MIN 64
#define ADDR_TEXT_BYTES 128
// Each may close connections.
#define NEWS_PER_TURN 64

static _Thread_local struct upstream_worker *self;

struct waiter {
    struct list_node node;
    struct fiber *fiber; // borrows
};

// --- items ---

struct worker_item *worker_item_get(const struct upstream_worker *w, const struct shared *shared)
{
    if (UNLIKELY(shared->index >= w->n_items))
        return NULL;
    struct worker_item *item = w->items[shared->index];
    ASSERT(!item || item->shared == shared);
    return item;
}

void worker_item_set(struct upstream_worker *w, struct shared *shared, struct worker_item *item)
{
    if (shared->index >= w->n_items) {
        uint32_t n = MAX(ITEMS_MIN, w->n_items * 2);
        n = MAX(n, shared->index + 1);
        w->items = mem_resize(w->items, n, sizeof(struct worker_item *));
        memset(w->items + w->n_items, 0, (n - w->n_items) * sizeof(struct worker_item *));
        w->n_items = n;
    }
    ASSERT(w->items[shared->index] == NULL);
    item->shared = shared;
    w->items[shared->index] = item;
    w->n_used++;
}

// Lets go of the shared object, which may be its end.
static void forget_item(struct upstream_worker *w, struct shared *shared)
{
    ASSERT(w->items[shared->index] != NULL);
    w->items[shared->index] = NULL;
    w->n_used--;
    registry_unhold(shared);
}

// --- targets ---

static struct target *target_new(struct worker_server *s, const struct rt_addr *addr, uint8_t slot)
{
    struct target *t = MEM_NEW(struct target);
    char buf[ADDR_TEXT_BYTES];
    struct str name = addr_text(addr, buf, sizeof buf);
    *t = (struct target){
        .server = s,
        .slot = &s->state->slots[slot],
        .slot_index = slot,
        .addr = *addr,
        .name = str_from(mem_copy(name.ptr, name.len), name.len),
    };
    list_init(&t->idle);
    list_init(&t->muxes);
    list_init(&t->queue);
    return t;
}

static void free_server_if_left(struct worker_server *s)
{
    if (!s->is_leaving || s->n_leaving > 0)
        return;
    ASSERT(s->n_targets == 0 && list_is_empty(&s->waiters));
    forget_item(s->worker, s->item.shared);
    mem_free(s);
}

// What was sent to a target is told of its server when the target has left.
static void keep_count(struct target *t)
{
    t->server->n_requests_past += t->n_requests;
    t->n_requests = 0;
}

void target_free_if_left(struct target *t)
{
    if (!t->is_leaving || t->n_conns > 0)
        return;
    ASSERT(list_is_empty(&t->idle) && list_is_empty(&t->muxes) && list_is_empty(&t->queue));
    struct worker_server *s = t->server;
    timer_stop(&t->idle_timer);
    tls_session_forget(&t->session);
    keep_count(t);
    union {
        const char *read_only;
        void *ptr;
    } name = {.read_only = t->name.ptr};
    mem_free(name.ptr);
    mem_free(t);
    s->n_leaving--;
    free_server_if_left(s);
}

// t is no longer among the server's; what runs on it runs to its end. t may be freed.
static void target_leave(struct target *t)
{
    t->is_leaving = true;
    keep_count(t);
    t->server->n_leaving++;
    t->server->worker->generation++;
    t->n_conns++; // keeps it while its connections are closed
    target_close_idle(t);
    target_leave_muxes(t);
    target_send_away(t);
    t->n_conns--;
    target_free_if_left(t);
}

static void wake_waiters(struct worker_server *s)
{
    struct list_node *n;
    while ((n = list_pop_front(&s->waiters)) != NULL)
        fiber_wake(CONTAINER_OF(n, struct waiter, node)->fiber);
}

static size_t find_slot(const struct server_answer *a, const struct target *t)
{
    size_t i = 0;
    for (; i < a->n; i++) {
        struct ip ip;
        uint16_t port;
        if (a->addrs[i].slot == t->slot_index && addr_to_ip(&t->addr, &ip, &port) &&
            ip_eq(&ip, &a->addrs[i].ip))
            break;
    }
    return i;
}

// Makes the targets those of the answer; what stays keeps its connections.
static void take_answer(struct worker_server *s, const struct server_answer *a)
{
    if (a->version <= s->version)
        return;
    s->version = a->version;
    s->why = a->why;
    bool is_kept[DNS_ADDRS_MAX] = {false};
    struct target *leaving[DNS_ADDRS_MAX];
    uint32_t n_leaving = 0, n_kept = 0;
    for (uint32_t i = 0; i < s->n_targets; i++) {
        size_t at = find_slot(a, s->targets[i]);
        if (at < a->n) {
            is_kept[at] = true;
            s->targets[n_kept++] = s->targets[i];
        } else {
            leaving[n_leaving++] = s->targets[i];
        }
    }
    s->n_targets = n_kept;
    for (size_t i = 0; i < a->n; i++) {
        if (is_kept[i])
            continue;
        struct rt_addr addr;
        addr_from_ip(&a->addrs[i].ip, s->state->port, &addr);
        s->targets[s->n_targets++] = target_new(s, &addr, a->addrs[i].slot);
    }
    s->worker->generation++;
    for (uint32_t i = 0; i < n_leaving; i++)
        target_leave(leaving[i]);
    wake_waiters(s);
}

// --- servers ---

struct worker_server *worker_server_of(struct upstream_worker *w, struct server_state *state)
{
    struct worker_item *item = worker_item_get(w, &state->shared);
    if (item)
        return CONTAINER_OF(item, struct worker_server, item);
    struct worker_server *s =
        mem_alloc(1, sizeof(struct worker_server) + state->n_slots * sizeof(struct target *));
    s->worker = w;
    s->state = state;
    list_init(&s->waiters);
    struct server_answer answer = {0};
    registry_hold_server(state, &answer);
    worker_item_set(w, &state->shared, &s->item);
    if (state->kind == SERVER_NAME) {
        take_answer(s, &answer);
        return s;
    }
    s->version = 1;
    s->targets[s->n_targets++] = target_new(s, &state->addr, 0);
    return s;
}

enum fiber_wake worker_server_wait(struct worker_server *s, struct deadline until)
{
    struct waiter waiter = {.fiber = fiber_self()};
    list_push_back(&s->waiters, &waiter.node);
    enum fiber_wake wake = fiber_wait(until);
    list_remove(&waiter.node);
    return wake;
}

// No snapshot names it any more: no exchange will come for it.
static void server_leave(struct worker_server *s)
{
    ASSERT(!s->is_leaving);
    uint32_t n = s->n_targets;
    s->n_targets = 0;
    s->n_leaving++; // keeps s while its targets are let go
    for (uint32_t i = 0; i < n; i++)
        target_leave(s->targets[i]);
    s->is_leaving = true;
    s->n_leaving--;
    free_server_if_left(s);
}

static void item_leave(struct upstream_worker *w, struct worker_item *item)
{
    if (item->shared->kind == SHARED_SERVER) {
        server_leave(CONTAINER_OF(item, struct worker_server, item));
        return;
    }
    struct shared *shared = item->shared;
    item->free(item);
    forget_item(w, shared);
}

// --- the worker ---

static void read_news(struct upstream_worker *w)
{
    struct message *m = registry_open(w->registry, &w->inbox, NEWS_PER_TURN);
    while (m) {
        struct message *next = m->next;
        struct worker_item *item = worker_item_get(w, m->about);
        if (item && m->answer)
            take_answer(CONTAINER_OF(item, struct worker_server, item), m->answer);
        else if (item)
            item_leave(w, item);
        message_free(m);
        m = next;
    }
}

static void on_mail(struct rt_mail *mail)
{
    read_news(CONTAINER_OF(mail, struct upstream_worker, inbox.mail));
}

struct upstream_worker *upstream_worker_new(struct upstream_registry *r, unsigned worker_index,
                                            struct rt_loop *loop)
{
    ASSERT(self == NULL);
    struct upstream_worker *w = MEM_NEW(struct upstream_worker);
    w->registry = r;
    w->loop = loop;
    w->index = worker_index;
    sys_random(&w->random, sizeof w->random);
    w->random |= 1; // never 0, which stays 0
    w->inbox.mail.fn = on_mail;
    w->inbox.loop = loop;
    registry_join_worker(r, worker_index, &w->inbox);
    self = w;
    return w;
}

void upstream_worker_free(struct upstream_worker *w)
{
    if (!w)
        return;
    registry_leave_worker(w->registry, w->index);
    // A mail that was posted already must be read before w goes, and what was deferred be done.
    loop_turn(w->loop, 0);
    while (registry_is_posted(w->registry, &w->inbox))
        loop_turn(w->loop, 0);
    for (uint32_t i = 0; i < w->n_items; i++)
        if (w->items[i])
            item_leave(w, w->items[i]);
    ASSERT(w->n_used == 0);
    loop_turn(w->loop, 0);
    self = NULL;
    mem_free(w->items);
    mem_free(w);
}

uint64_t upstream_worker_random(struct upstream_worker *w) // xorshift64*
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return w->random * UINT64_C(0x2545f4914f6cdd1d);
}

struct upstream_worker *upstream_worker_self(void)
{
    return self;
}
