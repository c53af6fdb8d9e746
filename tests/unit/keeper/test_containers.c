// SPDX-License-Identifier: Apache-2.0
#include "keeper/containers.h"

#include "unit/discover/shapes.h"
#include "unit/test.h"

struct fixture {
    struct arena mem;
    struct containers c;
};

static void begin(struct fixture *f)
{
    arena_init(&f->mem, 64 << 20, NULL, 0);
    containers_init(&f->c, STR("ffff"));
}

static void end(struct fixture *f)
{
    containers_fini(&f->c);
    arena_fini(&f->mem);
}

static bool take(struct fixture *f, struct message m, int64_t now_ms)
{
    struct text t = {.ptr = NULL};
    struct message back;
    message_pack(&m, &t);
    CHECK(message_unpack(text_str(&t), &f->mem, &back));
    bool has_changed = containers_take(&f->c, &back, text_str(&t), now_ms);
    text_fini(&t);
    return has_changed;
}

static bool take_one(struct fixture *f, const char *id, const char *name, const char *labels,
                     enum container_state state, int64_t now_ms)
{
    struct message m = {.kind = MESSAGE_CONTAINER, .container = shape_with(name, labels, &f->mem)};
    m.container.id = str_of(id);
    m.container.state = state;
    return take(f, m, now_ms);
}

static size_t count(struct fixture *f)
{
    size_t n;
    (void)containers_list(&f->c, &f->mem, &n);
    return n;
}

static void only_what_labels_say_changes_settings(void)
{
    struct fixture f;
    begin(&f);
    CHECK(!take_one(&f, "a1", "plain", "x=y", CONTAINER_RUNNING, 1));
    CHECK(take_one(&f, "a2", "web", "sallyport.site=a", CONTAINER_RUNNING, 1));
    CHECK(!take_one(&f, "a2", "web", "sallyport.site=a", CONTAINER_RUNNING, 2)); // as before
    CHECK(take_one(&f, "a2", "web", "sallyport.site=b", CONTAINER_RUNNING, 3));
    CHECK(take_one(&f, "ffff01", "proxy", "x=y", CONTAINER_RUNNING, 3)); // its networks count
    CHECK_INT(count(&f), 3);
    CHECK_INT(containers_n_labelled(&f.c), 1);
    end(&f);
}

static void what_has_stopped_lingers_and_is_forgotten(void)
{
    struct fixture f;
    int64_t next_ms = INT64_MAX;
    begin(&f);
    take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 1000);
    CHECK(!take_one(&f, "a2", "old", "sallyport.site=b", CONTAINER_EXITED, 1000)); // never ran
    CHECK(take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_EXITED, 2000));
    CHECK(!take(&f, (struct message){.kind = MESSAGE_GONE, .id = STR("a1")}, 3000));
    CHECK_INT(count(&f), 1);
    CHECK(!containers_forget(&f.c, 5000, 6000, &next_ms));
    CHECK_INT(next_ms, 7000);
    CHECK(containers_forget(&f.c, 5000, 7000, &next_ms));
    CHECK_INT(count(&f), 0);
    end(&f);
}

static void one_that_is_removed_while_it_runs_is_shown_as_stopped(void)
{
    struct fixture f;
    size_t n;
    begin(&f);
    take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 1000);
    CHECK(take(&f, (struct message){.kind = MESSAGE_GONE, .id = STR("a1")}, 2000));
    const struct container *const *list = containers_list(&f.c, &f.mem, &n);
    CHECK(n == 1 && list[0]->state == CONTAINER_EXITED);
    // Its successor takes its place at once.
    CHECK(take_one(&f, "a2", "web", "sallyport.site=a", CONTAINER_RUNNING, 3000));
    list = containers_list(&f.c, &f.mem, &n);
    CHECK(n == 1 && list[0]->state == CONTAINER_RUNNING);
    end(&f);
}

static void what_a_new_list_doesnt_tell_is_gone(void)
{
    struct fixture f;
    int64_t next_ms = INT64_MAX;
    begin(&f);
    take(&f, (struct message){.kind = MESSAGE_LISTING}, 1);
    take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 1);
    take_one(&f, "a2", "api", "sallyport.site=b", CONTAINER_RUNNING, 1);
    CHECK(!take(&f, (struct message){.kind = MESSAGE_SYNCED}, 1));
    take(&f, (struct message){.kind = MESSAGE_LISTING}, 2);
    CHECK(f.c.is_listing);
    take_one(&f, "a2", "api", "sallyport.site=b", CONTAINER_RUNNING, 2);
    CHECK(take(&f, (struct message){.kind = MESSAGE_SYNCED}, 2));
    CHECK(containers_forget(&f.c, 0, 3, &next_ms));
    CHECK_INT(count(&f), 1);
    end(&f);
}

static void those_that_are_ready_come_first_then_names_count(void)
{
    struct fixture f;
    size_t n;
    begin(&f);
    take_one(&f, "a1", "c", "sallyport.site=a", CONTAINER_RUNNING, 1);
    take_one(&f, "a2", "b", "sallyport.site=a", CONTAINER_RUNNING, 1);
    take_one(&f, "a3", "a", "sallyport.site=a", CONTAINER_RUNNING, 1);
    take_one(&f, "a3", "a", "sallyport.site=a", CONTAINER_EXITED, 2);
    const struct container *const *list = containers_list(&f.c, &f.mem, &n);
    CHECK_INT(n, 3);
    CHECK_STR(list[0]->name, STR("b"));
    CHECK_STR(list[1]->name, STR("c"));
    CHECK_STR(list[2]->name, STR("a"));
    CHECK(containers_self(&f.c, list, n) == NULL);
    take_one(&f, "ffff01", "me", "", CONTAINER_RUNNING, 1);
    list = containers_list(&f.c, &f.mem, &n);
    CHECK(containers_self(&f.c, list, n) && containers_self(&f.c, list, n)->name.len == 2);
    end(&f);
}

static void count_refused(void *arg, struct str id, struct str why)
{
    CHECK_STR(id, STR("a1"));
    CHECK_STR(why, STR("too much"));
    ++*(int *)arg;
}

static void what_cant_be_used_is_remembered_with_its_reason(void)
{
    struct fixture f;
    int n = 0;
    struct message m = {.kind = MESSAGE_REFUSED, .id = STR("a1"), .why = STR("too much")};
    begin(&f);
    take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 1);
    CHECK(take(&f, m, 2));
    CHECK(!take(&f, m, 3));
    CHECK_INT(count(&f), 0);
    containers_each_refused(&f.c, count_refused, &n);
    CHECK_INT(n, 1);
    CHECK(!take(&f, (struct message){.kind = MESSAGE_GONE, .id = STR("a1")}, 4));
    containers_each_refused(&f.c, count_refused, &n);
    CHECK_INT(n, 1);
    end(&f);
}

static void count_hanging(void *arg, struct str id, struct str why)
{
    (void)id;
    *(size_t *)arg += str_eq(why, STR("it hangs"));
}

static void what_the_engine_fails_to_tell_of_stays(void)
{
    struct fixture f;
    size_t n_why = 0;
    begin(&f);
    take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 1);
    take_one(&f, "a2", "gone", "sallyport.site=b", CONTAINER_RUNNING, 1);
    take(&f, (struct message){.kind = MESSAGE_LISTING}, 2);
    CHECK(!take(&f, (struct message){.kind = MESSAGE_KEPT, .id = STR("a1"), .why = STR("it hangs")},
                3));
    CHECK(!take(&f, (struct message){.kind = MESSAGE_KEPT, .id = STR("a3"), .why = STR("it hangs")},
                3)); // nothing is known of this one
    CHECK(take(&f, (struct message){.kind = MESSAGE_SYNCED}, 4));
    CHECK_INT(containers_n_labelled(&f.c), 2);
    CHECK_INT(count(&f), 2);
    containers_each_refused(&f.c, count_hanging, &n_why);
    CHECK_INT(n_why, 2);
    CHECK(!take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 5)); // as before
    n_why = 0;
    containers_each_refused(&f.c, count_hanging, &n_why);
    CHECK_INT(n_why, 1);
    CHECK(!take(&f, (struct message){.kind = MESSAGE_GONE, .id = STR("a3")}, 6));
    CHECK_INT(f.c.n, 2);
    end(&f);
}

static void a_keeper_that_takes_over_knows_the_same(void)
{
    struct fixture f;
    struct text bytes = {.ptr = NULL};
    int64_t next_ms = INT64_MAX;
    begin(&f);
    take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 1000);
    take_one(&f, "a2", "halted", "sallyport.site=b", CONTAINER_RUNNING, 1000);
    take_one(&f, "a3", "gone", "sallyport.site=c", CONTAINER_RUNNING, 1000);
    take_one(&f, "a2", "halted", "sallyport.site=b", CONTAINER_EXITED, 3000);
    take(&f, (struct message){.kind = MESSAGE_GONE, .id = STR("a3")}, 2000);
    take(&f, (struct message){.kind = MESSAGE_REFUSED, .id = STR("a4"), .why = STR("no")}, 2000);
    containers_pack(&f.c, &bytes);
    end(&f);
    // Cut anywhere, nothing of it is believed.
    for (size_t n = 0; n < bytes.len; n += 7) {
        begin(&f);
        containers_unpack(&f.c, str_first(text_str(&bytes), n));
        CHECK_INT(f.c.n, 0);
        end(&f);
    }
    begin(&f);
    containers_unpack(&f.c, text_str(&bytes));
    containers_unpack(&f.c, text_str(&bytes)); // they are there already
    CHECK_INT(count(&f), 3);
    CHECK_INT(containers_n_labelled(&f.c), 3);
    // Each lingers since it went.
    CHECK(containers_forget(&f.c, 5000, 7000, &next_ms));
    CHECK_INT(next_ms, 8000);
    CHECK(containers_forget(&f.c, 5000, 8000, &next_ms));
    CHECK_INT(count(&f), 1);
    // What the engine tells anew of one that is known changes nothing; a successor takes its place.
    CHECK(!take_one(&f, "a1", "web", "sallyport.site=a", CONTAINER_RUNNING, 9000));
    CHECK(take_one(&f, "b1", "web", "sallyport.site=a", CONTAINER_RUNNING, 9000));
    CHECK_INT(count(&f), 1);
    text_fini(&bytes);
    end(&f);
}

TEST_MAIN(TEST(only_what_labels_say_changes_settings),
          TEST(what_has_stopped_lingers_and_is_forgotten),
          TEST(one_that_is_removed_while_it_runs_is_shown_as_stopped),
          TEST(what_a_new_list_doesnt_tell_is_gone),
          TEST(those_that_are_ready_come_first_then_names_count),
          TEST(what_cant_be_used_is_remembered_with_its_reason),
          TEST(what_the_engine_fails_to_tell_of_stays),
          TEST(a_keeper_that_takes_over_knows_the_same))
