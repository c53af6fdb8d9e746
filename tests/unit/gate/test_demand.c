// SPDX-License-Identifier: Apache-2.0
#include "gate/demand.h"

#include "rt/channel.h"
#include "tls/bundle.h"
#include "unit/rt/rt_test.h"
#include "unit/tls/made.h"

static void only_names_that_an_authority_may_sign_are_names(void)
{
    static const struct {
        const char *name;
        bool is_name;
    } cases[] = {
        {"a.example", true},
        {"xn--bcher-kva.example", true},
        {"a-b.c1.example", true},
        {"1.2.3.example", true},
        {"", false},
        {"example", false},
        {"a..example", false},
        {".a.example", false},
        {"a.example.", false},
        {"-a.example", false},
        {"a-.example", false},
        {"A.example", false},
        {"*.a.example", false},
        {"a_b.example", false},
        {"a b.example", false},
        {"127.0.0.1", false},
        {"a.example.1", false},
        {"a/b.example", false},
        {"\xc3\xa4.example", false},
        {"a.example\n", false},
    };
    char label[80], long_name[300];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str name = str_of(cases[i].name);
        if (demand_is_name(name) != cases[i].is_name)
            printf("# " STR_FMT "\n", STR_ARG(name));
        CHECK(demand_is_name(name) == cases[i].is_name);
    }
    memset(label, 'a', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    snprintf(long_name, sizeof long_name, "%.63s.example", label);
    CHECK(demand_is_name(str_of(long_name)));
    snprintf(long_name, sizeof long_name, "%.64s.example", label);
    CHECK(!demand_is_name(str_of(long_name)));
    memset(long_name, 'a', sizeof long_name);
    for (size_t i = 9; i < 253; i += 10)
        long_name[i] = '.';
    CHECK(demand_is_name(str_from(long_name, 253)));
    CHECK(!demand_is_name(str_from(long_name, 254)));
}

static void a_wildcard_allows_one_label(void)
{
    const struct str allow[] = {STR("*.a.example"), STR("b.example")};
    CHECK(demand_allows(allow, 2, STR("x.a.example")));
    CHECK(demand_allows(allow, 2, STR("b.example")));
    CHECK(!demand_allows(allow, 2, STR("a.example")));
    CHECK(!demand_allows(allow, 2, STR("x.y.a.example")));
    CHECK(!demand_allows(allow, 2, STR("x.b.example")));
    CHECK(!demand_allows(allow, 0, STR("b.example")));
}

static void names_with_a_certificate_or_a_site_are_left_alone(void)
{
    struct made_ca ca;
    struct made_leaf own, local; // a.example and *.a.example; b.example and *.b.example
    made_ca_begin(&ca);
    made_leaf_begin(&own, &ca, TLS_KEY_P256, STR("a.example"), 3650);
    made_leaf_begin(&local, &ca, TLS_KEY_P256, STR("b.example"), 3650);
    struct str own_names[] = {STR("a.example"), STR("*.w.example")};
    struct str local_names[] = {STR("b.example"), STR("*.b.example")};
    const struct tls_bundle_item items[] = {
        {.id = STR("a"),
         .names = own_names,
         .n_names = 2,
         .chain_pem = text_str(&own.chain_pem),
         .key_pem = text_str(&own.key_pem)},
        {.id = STR("b"),
         .names = local_names,
         .n_names = 2,
         .chain_pem = text_str(&local.chain_pem),
         .key_pem = text_str(&local.key_pem),
         .is_local_ca = true},
    };
    struct text bundle = {.ptr = NULL};
    struct diags diags = {.n = 0};
    tls_bundle_pack(items, 2, &bundle);
    struct tls_store *store = tls_store_build(text_str(&bundle), &diags);
    CHECK(store != NULL);
    struct demand_rules rules = {.wait_ms = 1};
    map_set(&rules.wildcards, STR("b.example"), &rules);
    static const struct {
        const char *name;
        bool is_for, has;
    } cases[] = {
        {"a.example", true, true},      // it is used
        {"x.w.example", false, false},  // a wildcard has it
        {"b.example", false, false},    // a site's, which waits for its own
        {"x.b.example", true, false},   // below a site's wildcard that is on demand
        {"new.example", true, false},   // nobody's
        {"x.y.b.example", true, false}, // nobody's
        {"localhost", false, false},    // no name
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool has = false;
        CHECK(demand_is_for(&rules, store, str_of(cases[i].name), &has) == cases[i].is_for);
        CHECK(!cases[i].is_for || has == cases[i].has);
    }
    const struct str allow[] = {STR("*.example")};
    bool has;
    rules.allow = allow;
    rules.n_allow = 1;
    CHECK(demand_is_for(&rules, NULL, STR("new.example"), &has) && !has);
    CHECK(!demand_is_for(&rules, store, STR("new.other"), &has));
    CHECK(!demand_is_for(NULL, store, STR("new.example"), &has));
    map_fini(&rules.wildcards);
    tls_store_unref(store);
    text_wipe(&bundle);
    diags_fini(&diags);
    made_leaf_end(&own);
    made_leaf_end(&local);
    made_ca_end(&ca);
}

// --- asking ---

struct rig {
    struct rt_loop *aux;
    int ends[2]; // the gate's, the keeper's
    struct petitions *petitions;
    struct demand *demand;
    struct str name;
    bool got;
};

static void begin(struct rig *r)
{
    *r = (struct rig){.aux = test_loop(0)};
    if (!channel_pair(r->ends))
        abort();
    r->petitions = petitions_new(r->aux, r->ends[0]);
    r->demand = demand_new(r->petitions);
}

static void end(struct rig *r)
{
    demand_free(r->demand);
    petitions_free(r->petitions);
    loop_free(r->aux);
    close(r->ends[0]);
    close(r->ends[1]);
}

static void wait_on_fiber(void *arg)
{
    struct rig *r = arg;
    const struct demand_rules rules = {.wait_ms = SOON_MS};
    r->got = demand_wait(r->demand, &rules, r->name);
}

// What the keeper is asked in the next turns, if anything, it answers so.
static bool hear_and_answer(struct rig *r, bool is_yes)
{
    struct gate_petition m;
    size_t len;
    int fd;
    bool was_asked = false;
    for (int i = 0; i < 20 || test_n_fibers(r->aux) > 0; i++) {
        loop_turn(r->aux, 0);
        if (channel_receive(r->ends[1], &m, sizeof m, &len, &fd) != IO_DONE)
            continue;
        was_asked = true;
        CHECK_INT(m.kind, GATE_PETITION_CERT);
        petitions_answer(r->petitions, &(struct gate_verdict){.seq = m.seq, .is_yes = is_yes});
    }
    return was_asked;
}

static bool wait_for(struct rig *r, const char *name, bool is_yes, bool *ret_was_asked)
{
    r->name = str_of(name);
    r->got = false;
    fiber_start(wait_on_fiber, r);
    *ret_was_asked = hear_and_answer(r, is_yes);
    return r->got;
}

static void a_no_is_believed_for_a_while_and_a_yes_is_not_needed_twice(void)
{
    struct rig r;
    bool was_asked;
    begin(&r);
    CHECK(!wait_for(&r, "no.example", false, &was_asked) && was_asked);
    CHECK(!wait_for(&r, "no.example", true, &was_asked) && !was_asked);
    CHECK(wait_for(&r, "yes.example", true, &was_asked) && was_asked);
    demand_note_use(r.demand, STR("yes.example")); // the keeper knows
    CHECK(!hear_and_answer(&r, true));
    demand_note_use(r.demand, STR("other.example"));
    CHECK(hear_and_answer(&r, true));
    demand_note_use(r.demand, STR("other.example"));
    CHECK(!hear_and_answer(&r, true));
    end(&r);
}

static void a_flood_of_names_asks_the_keeper_for_few(void)
{
    struct rig r;
    unsigned n_asked = 0;
    begin(&r);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        bool was_asked;
        snprintf(name, sizeof name, "n%d.example", i);
        CHECK(!wait_for(&r, name, false, &was_asked));
        n_asked += was_asked;
    }
    CHECK(n_asked >= 100 && n_asked < 500); // the burst, and what the time of the test allows
    end(&r);
}

TEST_MAIN(TEST(only_names_that_an_authority_may_sign_are_names), TEST(a_wildcard_allows_one_label),
          TEST(names_with_a_certificate_or_a_site_are_left_alone),
          TEST(a_no_is_believed_for_a_while_and_a_yes_is_not_needed_twice),
          TEST(a_flood_of_names_asks_the_keeper_for_few))
