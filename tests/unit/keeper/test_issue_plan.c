// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_plan.h"

#include "base/attr.h"
#include "unit/test.h"

#define DAY_S INT64_C(86400)
#define BORN_S (1000 * DAY_S)
#define END_S (BORN_S + 90 * DAY_S)

static const struct str both_names[] = {STR_INIT("a.example"), STR_INIT("www.a.example")};

static const struct issue_need need = {.id = STR_INIT("a.example"),
                                       .names = both_names,
                                       .n_names = 2,
                                       .issuer = STR_INIT("le"),
                                       .directory = STR_INIT("https://le.example/dir")};

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

static int64_t due_of(const struct certs_stored *stored, const struct certs_meta *tries,
                      int64_t now_s)
{
    const char *why = NULL;
    int64_t due_s = issue_due_s(&need, stored, tries, now_s, &why);
    CHECK(why && *why);
    return due_s;
}

static void without_one_it_is_due_at_once(void)
{
    CHECK_INT(due_of(NULL, NULL, BORN_S), BORN_S);
    struct certs_stored empty = {.meta = {.issuer = STR("le")}};
    CHECK_INT(due_of(&empty, NULL, BORN_S), BORN_S);
}

static void one_is_renewed_a_little_before_two_thirds_of_its_life(void)
{
    struct certs_stored stored = stored_one();
    int64_t due_s = due_of(&stored, NULL, BORN_S);
    CHECK(due_s <= BORN_S + 60 * DAY_S && due_s > BORN_S + 56 * DAY_S);
    CHECK_INT(due_of(&stored, NULL, END_S), due_s); // whenever it is asked
}

static void what_the_authority_suggests_counts_instead(void)
{
    struct certs_stored stored = stored_one();
    stored.meta.ari_start_s = BORN_S + 10 * DAY_S;
    stored.meta.ari_end_s = BORN_S + 12 * DAY_S;
    int64_t due_s = due_of(&stored, NULL, BORN_S);
    CHECK(due_s >= stored.meta.ari_start_s && due_s < stored.meta.ari_end_s);
    stored.meta.ari_end_s = stored.meta.ari_start_s; // no window
    CHECK(due_of(&stored, NULL, BORN_S) > BORN_S + 56 * DAY_S);
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
    CHECK_INT(due_of(&stored, NULL, BORN_S), BORN_S);
    stored = stored_one();
    stored.cert.leaf.n_names = 1;
    CHECK_INT(due_of(&stored, NULL, BORN_S), BORN_S);
}

static void one_that_was_imported_is_kept(void)
{
    struct certs_stored stored = stored_one();
    stored.meta.directory = STR_NONE; // acme.json doesn't tell it, only the resolver's name
    CHECK(due_of(&stored, NULL, BORN_S) > BORN_S);
    stored.meta.issuer = STR("other");
    CHECK_INT(due_of(&stored, NULL, BORN_S), BORN_S);
    stored.meta.directory = need.directory; // a renamed issuer is the same authority
    CHECK(due_of(&stored, NULL, BORN_S) > BORN_S);
}

static void failures_make_the_next_try_later_and_later(void)
{
    int64_t before_s = 0;
    for (int64_t n = 1; n <= 8; n++) {
        struct certs_meta tries = {.n_failures = n, .last_try_s = BORN_S};
        int64_t wait_s = due_of(NULL, &tries, BORN_S) - BORN_S;
        CHECK(wait_s > before_s);
        before_s = wait_s;
    }
    struct certs_meta tries = {.n_failures = 1000000, .last_try_s = BORN_S};
    CHECK_INT(due_of(NULL, &tries, BORN_S) - BORN_S, before_s);
    CHECK(before_s >= DAY_S && before_s <= DAY_S + DAY_S / 4);
    CHECK(issue_backoff_s(1, need.id) >= 60 && issue_backoff_s(1, need.id) <= 75);
    CHECK(issue_backoff_s(0, need.id) >= 60);
}

static void a_limit_of_the_authority_is_waited_for(void)
{
    struct certs_meta tries = {
        .n_failures = 1, .last_try_s = BORN_S, .next_try_s = BORN_S + 3 * DAY_S};
    CHECK_INT(due_of(NULL, &tries, BORN_S), BORN_S + 3 * DAY_S);
    struct certs_stored stored = stored_one(); // but not when it isn't due before
    CHECK(due_of(&stored, &tries, BORN_S) > BORN_S + 56 * DAY_S);
}

TEST_MAIN(TEST(without_one_it_is_due_at_once),
          TEST(one_is_renewed_a_little_before_two_thirds_of_its_life),
          TEST(what_the_authority_suggests_counts_instead),
          TEST(certificates_of_one_day_are_renewed_at_different_times),
          TEST(one_of_another_authority_or_without_a_name_is_replaced_at_once),
          TEST(one_that_was_imported_is_kept), TEST(failures_make_the_next_try_later_and_later),
          TEST(a_limit_of_the_authority_is_waited_for))
