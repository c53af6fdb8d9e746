// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_plan.h"

#include "base/attr.h"
#include "unit/test.h"

#define DAY_S INT64_C(86400)
#define BORN_S (1000 * DAY_S)
#define END_S (BORN_S + 90 * DAY_S)

static const struct str both_names[] = {STR_INIT("a.example"), STR_INIT("www.a.example")};

static const struct issue_source sources[] = {
    {.issuer = STR_INIT("le"), .directory = STR_INIT("https://le.example/dir")},
    {.issuer = STR_INIT("zero"), .directory = STR_INIT("https://zero.example/dir")},
};

static const struct issue_need need = {.id = STR_INIT("a.example"),
                                       .names = both_names,
                                       .n_names = 2,
                                       .sources = sources,
                                       .n_sources = 2};

static struct certs_stored stored_one(void)
{
    return (struct certs_stored){
        .id = need.id,
        .cert = {.n_chain = 2,
                 .leaf = {.names = both_names,
                          .n_names = 2,
                          .not_before_s = BORN_S,
                          .not_after_s = END_S}},
        .meta = {.issuer = STR("le"), .directory = STR("https://le.example/dir")},
    };
}

static int64_t due_of(const struct certs_stored *stored, int64_t now_s)
{
    const char *why = NULL;
    int64_t due_s = issue_due_s(&need, stored, now_s, &why);
    CHECK(why && *why);
    return due_s;
}

static void without_one_it_is_due_at_once(void)
{
    CHECK_INT(due_of(NULL, BORN_S), BORN_S);
    struct certs_stored empty = {.meta = {.issuer = STR("le")}};
    CHECK_INT(due_of(&empty, BORN_S), BORN_S);
}

static void one_is_renewed_a_little_before_two_thirds_of_its_life(void)
{
    struct certs_stored stored = stored_one();
    int64_t due_s = due_of(&stored, BORN_S);
    CHECK(due_s <= BORN_S + 60 * DAY_S && due_s > BORN_S + 56 * DAY_S);
    CHECK_INT(due_of(&stored, END_S), due_s); // whenever it is asked
}

static void what_the_authority_suggests_counts_instead(void)
{
    struct certs_stored stored = stored_one();
    stored.meta.ari_start_s = BORN_S + 10 * DAY_S;
    stored.meta.ari_end_s = BORN_S + 12 * DAY_S;
    int64_t due_s = due_of(&stored, BORN_S);
    CHECK(due_s >= stored.meta.ari_start_s && due_s < stored.meta.ari_end_s);
    stored.meta.ari_end_s = stored.meta.ari_start_s; // no window
    CHECK(due_of(&stored, BORN_S) > BORN_S + 56 * DAY_S);
}

static void certificates_of_one_day_are_renewed_at_different_times(void)
{
    struct certs_stored stored = stored_one();
    int64_t first_s = issue_renewal_s(&stored);
    size_t n_others = 0;
    static const struct str ids[] = {STR_INIT("b.example"), STR_INIT("c.example"),
                                     STR_INIT("d.example"), STR_INIT("e.example")};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        stored.id = ids[i];
        n_others += issue_renewal_s(&stored) != first_s;
    }
    CHECK(n_others >= 3);
}

static void one_of_another_authority_or_without_a_name_is_replaced_at_once(void)
{
    struct certs_stored stored = stored_one();
    stored.meta.directory = STR("https://staging.example/dir"); // under the same name in settings
    CHECK_INT(due_of(&stored, BORN_S), BORN_S);
    stored = stored_one();
    stored.cert.leaf.n_names = 1;
    CHECK_INT(due_of(&stored, BORN_S), BORN_S);
}

static void one_that_was_imported_is_kept(void)
{
    struct certs_stored stored = stored_one();
    stored.meta.directory = STR_NONE; // acme.json doesn't tell it, only the resolver's name
    CHECK(due_of(&stored, BORN_S) > BORN_S);
    stored.meta.issuer = STR("other");
    CHECK_INT(due_of(&stored, BORN_S), BORN_S);
    stored.meta.directory = sources[0].directory; // a renamed issuer is the same authority
    CHECK(due_of(&stored, BORN_S) > BORN_S);
}

static void one_of_the_second_authority_is_kept_until_its_time(void)
{
    struct certs_stored stored = stored_one();
    stored.meta =
        (struct certs_meta){.issuer = sources[1].issuer, .directory = sources[1].directory};
    CHECK_INT(issue_signer(&need, &stored.meta), 1);
    CHECK(due_of(&stored, BORN_S) > BORN_S + 56 * DAY_S);
    stored.meta.directory = STR("https://third.example/dir");
    CHECK_INT(issue_signer(&need, &stored.meta), 2);
    CHECK_INT(due_of(&stored, BORN_S), BORN_S);
}

static void failures_make_the_next_try_later_and_later(void)
{
    int64_t before_s = 0;
    for (int64_t n = 1; n <= 8; n++) {
        struct certs_meta tries = {.n_failures = n, .last_try_s = BORN_S};
        int64_t wait_s = issue_again_s(need.id, &tries) - BORN_S;
        CHECK(wait_s > before_s);
        before_s = wait_s;
    }
    struct certs_meta tries = {.n_failures = 1000000, .last_try_s = BORN_S};
    CHECK_INT(issue_again_s(need.id, &tries) - BORN_S, before_s);
    CHECK(before_s >= DAY_S && before_s <= DAY_S + DAY_S / 4);
    CHECK(issue_backoff_s(1, need.id) >= 60 && issue_backoff_s(1, need.id) <= 75);
    CHECK(issue_backoff_s(0, need.id) >= 60);
    tries.n_failures = 0; // only begun
    CHECK_INT(issue_again_s(need.id, &tries), 0);
}

static void a_limit_of_the_authority_is_waited_for(void)
{
    struct certs_meta tries = {
        .n_failures = 1, .last_try_s = BORN_S, .next_try_s = BORN_S + 3 * DAY_S};
    CHECK_INT(issue_again_s(need.id, &tries), BORN_S + 3 * DAY_S);
}

static void failures_count_for_the_same_names_alone(void)
{
    struct certs_meta tries = {.names = both_names, .n_names = 2};
    CHECK(issue_has_names(&need, &tries));
    tries.n_names = 1;
    CHECK(!issue_has_names(&need, &tries));
    const struct str others[] = {both_names[0], STR("b.example")};
    tries = (struct certs_meta){.names = others, .n_names = 2};
    CHECK(!issue_has_names(&need, &tries));
}

static void the_first_authority_that_may_be_asked_has_the_turn(void)
{
    static const struct {
        int64_t due_s, ready_s[3], at_s;
        size_t turn;
    } cases[] = {
        {.due_s = 90, .ready_s = {0, 0, 0}, .at_s = 90, .turn = 0},
        {.due_s = 90, .ready_s = {160, 0, 0}, .at_s = 90, .turn = 1},
        {.due_s = 90, .ready_s = {160, 400, 100}, .at_s = 90, .turn = 2},
        {.due_s = 90, .ready_s = {160, 400, 130}, .at_s = 130, .turn = 2}, // none yet
        {.due_s = 90, .ready_s = {160, 160, 160}, .at_s = 160, .turn = 0},
        {.due_s = 500, .ready_s = {160, 0, 0}, .at_s = 500, .turn = 0}, // by then it may
        {.due_s = 500, .ready_s = {900, 600, 0}, .at_s = 500, .turn = 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t at_s = 0;
        CHECK_INT(issue_turn(cases[i].due_s, cases[i].ready_s, 3, 100, &at_s), cases[i].turn);
        CHECK_INT(at_s, cases[i].at_s);
    }
}

TEST_MAIN(TEST(without_one_it_is_due_at_once),
          TEST(one_is_renewed_a_little_before_two_thirds_of_its_life),
          TEST(what_the_authority_suggests_counts_instead),
          TEST(certificates_of_one_day_are_renewed_at_different_times),
          TEST(one_of_another_authority_or_without_a_name_is_replaced_at_once),
          TEST(one_that_was_imported_is_kept),
          TEST(one_of_the_second_authority_is_kept_until_its_time),
          TEST(failures_make_the_next_try_later_and_later),
          TEST(a_limit_of_the_authority_is_waited_for),
          TEST(failures_count_for_the_same_names_alone),
          TEST(the_first_authority_that_may_be_asked_has_the_turn))
