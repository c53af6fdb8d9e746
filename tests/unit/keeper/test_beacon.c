// SPDX-License-Identifier: Apache-2.0
#include "keeper/beacon.h"

#include "unit/test.h"

#define NOW_S INT64_C(1800000000)

static void ignore(void *arg)
{
    (void)arg;
}

static void it_burns_for_a_while_after_the_last_who_asked(void)
{
    struct issue_proofs proofs;
    struct beacon b = {.version = 0};
    char token[BEACON_TOKEN_BYTES + 1];
    int64_t next_ms = INT64_MAX;
    issue_proofs_init(&proofs, ignore, NULL);
    beacon_do_what_is_due(&b, &proofs, 1000, &next_ms);
    CHECK(next_ms == INT64_MAX && issue_proofs_version(&proofs) == 0);
    beacon_light(&b, &proofs, NOW_S, 1000);
    CHECK_INT(strlen(b.token), BEACON_TOKEN_BYTES);
    CHECK(strcmp(b.token, b.body) != 0);
    CHECK_INT(b.version, issue_proofs_version(&proofs));
    memcpy(token, b.token, sizeof token);
    int64_t first_ms = b.until_ms;
    beacon_light(&b, &proofs, NOW_S, 2000);
    CHECK(strcmp(token, b.token) == 0 && b.until_ms == first_ms + 1000);
    beacon_do_what_is_due(&b, &proofs, first_ms, &next_ms);
    CHECK_INT(next_ms, b.until_ms);
    CHECK_INT(issue_proofs_version(&proofs), 1);
    beacon_do_what_is_due(&b, &proofs, b.until_ms, &next_ms);
    CHECK(b.token[0] == '\0' && issue_proofs_version(&proofs) == 2);
    beacon_light(&b, &proofs, NOW_S, 3000);
    CHECK(strcmp(token, b.token) != 0);
    issue_proofs_fini(&proofs);
}

TEST_MAIN(TEST(it_burns_for_a_while_after_the_last_who_asked))
