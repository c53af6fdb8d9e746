// SPDX-License-Identifier: Apache-2.0
#include "keeper/demand.h"

#include "base/mem.h"

#include "unit/certs/folder.h"
#include "unit/test.h"

#define NOW_S INT64_C(1800000000)
#define DAY_S 86400

static const struct str allow_all[] = {STR_INIT("*.shops.example")};
static const struct issue_source source = {.issuer = STR_INIT("le")};

struct fixture {
    struct test_folder folder;
    struct certs_store *store;
    struct demand_desk *desk;
    struct demand_wish wish;
    int64_t now_ms;
};

static void want(struct fixture *f)
{
    demand_desk_want(f->desk, &f->wish, NULL, 0);
}

static void begin(struct fixture *f)
{
    struct diags diags = {.n = 0};
    *f = (struct fixture){.now_ms = 1000000};
    test_folder_begin(&f->folder);
    f->store = certs_store_open(f->folder.path, &diags);
    CHECK(f->store != NULL);
    diags_fini(&diags);
    f->desk = demand_desk_new(f->store, f->now_ms);
    f->wish = (struct demand_wish){.is_on = true,
                                   .allow = allow_all,
                                   .n_allow = 1,
                                   .issuer = STR("le"),
                                   .sources = &source,
                                   .n_sources = 1,
                                   .limit = 1000000,
                                   .names_max = 5,
                                   .forget_s = 30 * DAY_S};
    want(f);
}

static void begin_anew(struct fixture *f)
{
    demand_desk_free(f->desk);
    f->desk = demand_desk_new(f->store, f->now_ms);
    want(f);
}

static void end(struct fixture *f)
{
    demand_desk_free(f->desk);
    certs_store_close(f->store);
    test_folder_end(&f->folder);
}

static enum demand_answer ask(struct fixture *f, const char *name)
{
    return demand_desk_ask(f->desk, str_of(name), NOW_S, f->now_ms);
}

static bool turn(struct fixture *f, int64_t now_s)
{
    int64_t next_ms = INT64_MAX;
    return demand_desk_turn(f->desk, now_s, f->now_ms, &next_ms);
}

// How many certificates and orders are wanted.
static void count_wanted(struct fixture *f, size_t *ret_names, size_t *ret_needs)
{
    size_t n = demand_desk_n_max(f->desk);
    struct keeper_certs_name *names = MEM_ARRAY(struct keeper_certs_name, n + 1);
    struct issue_need *needs = MEM_ARRAY(struct issue_need, n + 1);
    *ret_names = *ret_needs = 0;
    demand_desk_add(f->desk, names, ret_names, needs, ret_needs);
    for (size_t i = 0; i < *ret_needs; i++)
        CHECK(needs[i].n_sources == 1 && needs[i].n_names == 1 &&
              str_eq(needs[i].id, needs[i].names[0]));
    mem_free(names);
    mem_free(needs);
}

// Orders a name to its end; error NULL: well.
static void order(struct fixture *f, const char *name, const char *error)
{
    static uint64_t number;
    struct str next, ended;
    char decided[DEMAND_ASK_NAME_BYTES] = "";
    bool is_yes = false;
    CHECK_INT(ask(f, name), DEMAND_LATER);
    CHECK(turn(f, NOW_S));
    CHECK(demand_desk_next_order(f->desk, &next) && str_eq(next, str_of(name)));
    demand_desk_ordered(f->desk, next, ++number);
    CHECK(!demand_desk_next_order(f->desk, &next));
    CHECK_INT(ask(f, name), DEMAND_LATER); // it is under way
    CHECK(!demand_desk_end(f->desk, number + 1, NULL, NOW_S, f->now_ms, &ended));
    CHECK(demand_desk_end(f->desk, number, error, NOW_S, f->now_ms, &ended));
    CHECK_STR(ended, str_of(name));
    CHECK(demand_desk_next(f->desk, decided, &is_yes));
    CHECK_STR(str_of(decided), str_of(name));
    CHECK(is_yes == !error);
    CHECK(!demand_desk_next(f->desk, decided, &is_yes));
    CHECK(turn(f, NOW_S));
}

// Of a name that isn't ordered.
static bool decision(struct fixture *f, const char *name)
{
    char decided[DEMAND_ASK_NAME_BYTES] = "";
    bool is_yes = true;
    CHECK_INT(ask(f, name), DEMAND_LATER);
    CHECK(demand_desk_next(f->desk, decided, &is_yes));
    CHECK_STR(str_of(decided), str_of(name));
    CHECK_INT(ask(f, name), DEMAND_NO); // it is remembered
    return is_yes;
}

static void a_name_that_is_allowed_is_ordered_kept_and_wanted(void)
{
    struct fixture f;
    size_t n_names, n_needs;
    begin(&f);
    order(&f, "a.shops.example", NULL);
    CHECK_INT(ask(&f, "a.shops.example"), DEMAND_YES);
    count_wanted(&f, &n_names, &n_needs);
    CHECK(n_names == 1 && n_needs == 1);
    begin_anew(&f);
    CHECK_INT(ask(&f, "a.shops.example"), DEMAND_YES);
    f.wish.is_on = false;
    want(&f);
    CHECK_INT(ask(&f, "a.shops.example"), DEMAND_NO);
    count_wanted(&f, &n_names, &n_needs);
    CHECK(n_names == 0 && n_needs == 0);
    end(&f);
}

static void names_that_are_not_allowed_cost_nothing(void)
{
    static const char *const names[] = {"a.other.example", "x.a.shops.example", "shops.example",
                                        "A.shops.example", "nas.local",         ""};
    struct fixture f;
    struct str next;
    begin(&f);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK_INT(ask(&f, names[i]), DEMAND_NO);
    turn(&f, NOW_S);
    CHECK(!demand_desk_next_order(f.desk, &next));
    end(&f);
}

static void a_site_of_the_settings_has_its_own(void)
{
    struct fixture f;
    const struct str own = STR("a.shops.example");
    const struct keeper_certs_name name = {.id = own, .names = &own, .n_names = 1};
    begin(&f);
    demand_desk_want(f.desk, &f.wish, &name, 1);
    CHECK_INT(ask(&f, "a.shops.example"), DEMAND_NO);
    end(&f);
}

static void a_failed_order_is_not_repeated_at_once(void)
{
    struct fixture f;
    size_t n_names, n_needs;
    begin(&f);
    order(&f, "a.shops.example", "refused");
    count_wanted(&f, &n_names, &n_needs);
    CHECK(n_names == 0 && n_needs == 0);
    CHECK_INT(ask(&f, "a.shops.example"), DEMAND_NO);
    f.now_ms += 59 * 60 * 1000;
    CHECK_INT(ask(&f, "a.shops.example"), DEMAND_NO);
    f.now_ms += 2 * 60 * 1000;
    CHECK_INT(ask(&f, "a.shops.example"), DEMAND_LATER);
    end(&f);
}

static void there_are_no_more_names_than_settings_want(void)
{
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.shops.example", i);
        order(&f, name, NULL);
    }
    CHECK(!decision(&f, "more.shops.example"));
    CHECK_INT(ask(&f, "n0.shops.example"), DEMAND_YES);
    demand_desk_drop(f.desk, STR("n0.shops.example"));
    f.now_ms += 60000; // the no of before
    CHECK_INT(ask(&f, "more.shops.example"), DEMAND_LATER);
    end(&f);
}

static void a_flood_begins_no_more_orders_than_the_limit(void)
{
    struct fixture f;
    struct str next;
    char decided[DEMAND_ASK_NAME_BYTES];
    bool is_yes;
    unsigned n_orders = 0;
    begin(&f);
    f.wish.names_max = 10000;
    f.wish.limit = 100000; // one in ten seconds, after ten
    want(&f);
    for (int i = 0; i < 1100; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.shops.example", i);
        (void)ask(&f, name);
        turn(&f, NOW_S);
        for (; demand_desk_next_order(f.desk, &next); n_orders++)
            demand_desk_ordered(f.desk, next, 1000 + n_orders);
        while (demand_desk_next(f.desk, decided, &is_yes))
            CHECK(!is_yes);
        f.now_ms += 10;
    }
    CHECK_INT(n_orders, 11);
    end(&f);
}

static void names_that_nobody_asks_for_are_forgotten(void)
{
    struct fixture f;
    size_t n_names, n_needs;
    begin(&f);
    order(&f, "a.shops.example", NULL);
    order(&f, "b.shops.example", NULL);
    CHECK_INT(demand_desk_ask(f.desk, STR("b.shops.example"), NOW_S + 20 * DAY_S, f.now_ms),
              DEMAND_YES);
    f.now_ms += 3600 * 1000;
    CHECK(!turn(&f, NOW_S + 29 * DAY_S));
    f.now_ms += 3600 * 1000;
    CHECK(turn(&f, NOW_S + 31 * DAY_S));
    count_wanted(&f, &n_names, &n_needs);
    CHECK(n_names == 1 && n_needs == 1);
    begin_anew(&f);
    count_wanted(&f, &n_names, &n_needs);
    CHECK_INT(n_names, 1);
    end(&f);
}

TEST_MAIN(TEST(a_name_that_is_allowed_is_ordered_kept_and_wanted),
          TEST(names_that_are_not_allowed_cost_nothing), TEST(a_site_of_the_settings_has_its_own),
          TEST(a_failed_order_is_not_repeated_at_once),
          TEST(there_are_no_more_names_than_settings_want),
          TEST(a_flood_begins_no_more_orders_than_the_limit),
          TEST(names_that_nobody_asks_for_are_forgotten))
