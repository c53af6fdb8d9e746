// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

struct reader {
    struct inbox inbox;
    struct upstream_registry *registry;
    unsigned n_portions, n_read;
};

static void read_portion(struct rt_mail *mail)
{
    struct reader *reader = CONTAINER_OF(mail, struct reader, inbox.mail);
    struct message *m = registry_open(reader->registry, &reader->inbox, 4);
    for (struct message *next; m; m = next) {
        next = m->next;
        registry_unhold(m->about); // the worker's
        message_free(m);
        reader->n_read++;
    }
    reader->n_portions++;
}

// A worker that knows many servers which all go at once reads of it in many turns; it isn't told of
// those that it has never met.
static void news_are_read_in_portions_and_only_of_what_is_known(void)
{
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = 0});
    loop_enter(loop);
    struct upstream_registry *registry = upstream_registry_new();
    struct reader reader = {.registry = registry,
                            .inbox = {.mail = {.fn = read_portion}, .loop = loop}};
    registry_join_worker(registry, 0, &reader.inbox);
    struct shared *known[10], *unknown[10];
    char key[16];
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        snprintf(key, sizeof key, "known %zu", i);
        known[i] = registry_take_service(registry, str_of(key));
        registry_hold(known[i]);
        snprintf(key, sizeof key, "unknown %zu", i);
        unknown[i] = registry_take_service(registry, str_of(key));
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        registry_drop(known[i]);
        registry_drop(unknown[i]);
    }
    loop_turn(loop, 0);
    CHECK_INT(reader.n_read, 4);
    while (registry_is_posted(registry, &reader.inbox))
        loop_turn(loop, 0);
    CHECK_INT(reader.n_read, 10);
    CHECK_INT(reader.n_portions, 3);
    registry_leave_worker(registry, 0);
    upstream_registry_free(registry);
    loop_free(loop);
}

TEST_MAIN(TEST(news_are_read_in_portions_and_only_of_what_is_known))
