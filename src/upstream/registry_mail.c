// SPDX-License-Identifier: Apache-2.0
// News for the threads: of addresses, of what goes, and that there is something to do.
#include "upstream/registry_priv.h"

void registry_post(struct inbox *box)
{
    if (!box || box->is_posted)
        return;
    box->is_posted = true;
    loop_post(box->loop, &box->mail);
}

void registry_tell_workers(struct upstream_registry *r, struct shared *s,
                           const struct server_answer *answer)
{
    for (unsigned i = 0; i < r->n_workers; i++) {
        struct inbox *box = r->workers[i];
        if (!box)
            continue;
        struct message *m = MEM_NEW(struct message);
        m->about = s;
        s->n_holds++;
        if (answer) {
            m->answer = MEM_NEW(struct server_answer);
            *m->answer = *answer;
        }
        *box->last = m;
        box->last = &m->next;
        registry_post(box);
    }
}

static void box_init(struct inbox *box)
{
    box->first = NULL;
    box->last = &box->first;
    box->is_posted = false;
}

void registry_join_worker(struct upstream_registry *r, unsigned index, struct inbox *box)
{
    ASSERT(index < UPSTREAM_WORKERS_MAX);
    registry_lock(r);
    ASSERT(r->workers[index] == NULL);
    box_init(box);
    r->workers[index] = box;
    r->n_workers = MAX(r->n_workers, index + 1);
    registry_unlock(r);
}

void registry_leave_worker(struct upstream_registry *r, unsigned index)
{
    registry_lock(r);
    r->workers[index] = NULL;
    registry_unlock(r);
}

void registry_join_resolver(struct upstream_registry *r, struct inbox *box)
{
    registry_lock(r);
    ASSERT(r->resolver == NULL);
    box_init(box);
    r->resolver = box;
    registry_unlock(r);
}

void registry_leave_resolver(struct upstream_registry *r)
{
    registry_lock(r);
    r->resolver = NULL;
    registry_unlock(r);
}

void registry_join_checker(struct upstream_registry *r, struct inbox *box)
{
    registry_lock(r);
    ASSERT(r->checker == NULL);
    box_init(box);
    r->checker = box;
    registry_unlock(r);
}

void registry_leave_checker(struct upstream_registry *r)
{
    registry_lock(r);
    r->checker = NULL;
    registry_unlock(r);
}

struct message *registry_open(struct upstream_registry *r, struct inbox *box, unsigned max)
{
    registry_lock(r);
    struct message *first = box->first, **end = &box->first;
    while (*end && max-- > 0)
        end = &(*end)->next;
    struct message *rest = *end;
    struct message **last = box->last;
    *end = NULL;
    box_init(box);
    if (rest) {
        box->first = rest;
        box->last = last;
        registry_post(box);
    }
    registry_unlock(r);
    return first;
}

bool registry_is_posted(struct upstream_registry *r, const struct inbox *box)
{
    registry_lock(r);
    bool is_posted = box->is_posted;
    registry_unlock(r);
    return is_posted;
}

void message_free(struct message *m)
{
    registry_unhold(m->about);
    mem_free(m->answer);
    mem_free(m);
}
