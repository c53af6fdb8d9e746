// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_proofs.h"

#include <stdatomic.h>
#include <unistd.h>

#include "gate/challenges.h"
#include "rt/file.h"
#include "unit/test.h"

#define NOW_S INT64_C(1800000000)
#define LONG_MS 30000
#define THREADS 4
#define ROUNDS 200

static const struct acme_challenge http = {
    .kind = ACME_CHALLENGE_HTTP_01,
    .name = STR_INIT("a.example"),
    .token = STR_INIT("token-a"),
    .key_authorization = STR_INIT("token-a.thumb"),
};
static const struct acme_challenge tls = {
    .kind = ACME_CHALLENGE_TLS_ALPN_01,
    .name = STR_INIT("b.example"),
    .token = STR_INIT("token-b"),
    .key_authorization = STR_INIT("token-b.thumb"),
    .digest = {1, 2, 3},
};

static void count(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

// The set as a gate gets it; the caller's.
static struct challenges *packed(struct issue_proofs *p, uint64_t *ret_version)
{
    struct diags diags = {.n = 0};
    struct str bytes = STR_NONE;
    int fd = issue_proofs_pack(p, ret_version);
    CHECK(fd >= 0 && file_map_sealed(fd, &bytes));
    struct challenges *c = challenges_unpack(bytes, &diags);
    CHECK(c != NULL);
    file_unmap(bytes);
    close(fd);
    diags_fini(&diags);
    return c;
}

static void what_is_put_is_packed_until_it_is_dropped(void)
{
    _Atomic unsigned n_wakes = 0;
    struct issue_proofs p;
    struct text why = {.ptr = NULL};
    uint64_t version;
    issue_proofs_init(&p, count, &n_wakes);
    CHECK_INT(issue_proofs_version(&p), 0);
    CHECK(issue_proofs_put(&p, &http, NOW_S, &why) && issue_proofs_put(&p, &tls, NOW_S, &why));
    struct challenges *c = packed(&p, &version);
    CHECK_INT(version, 2);
    CHECK_INT(n_wakes, 2);
    CHECK(challenges_store(c) && tls_store_find_exact(challenges_store(c), STR("b.example")));
    challenges_unref(c);
    issue_proofs_drop(&p, &tls);
    issue_proofs_drop(&p, &tls); // twice is once
    c = packed(&p, &version);
    CHECK(version > 2 && !challenges_store(c));
    challenges_unref(c);
    CHECK_INT(why.len, 0);
    issue_proofs_fini(&p); // with one that nobody dropped
}

static void settling_waits_for_what_was_put_and_not_for_what_comes(void)
{
    _Atomic unsigned ignored = 0;
    struct issue_proofs p;
    struct text why = {.ptr = NULL};
    issue_proofs_init(&p, count, &ignored);
    CHECK(issue_proofs_settle(&p, 0)); // nothing was put
    CHECK(issue_proofs_put(&p, &http, NOW_S, &why));
    CHECK(!issue_proofs_settle(&p, 1));
    issue_proofs_are_in_place(&p, 1);
    CHECK(issue_proofs_settle(&p, LONG_MS));
    issue_proofs_are_in_place(&p, 0); // an old gate's answer changes nothing
    CHECK(issue_proofs_settle(&p, LONG_MS));
    issue_proofs_fini(&p);
}

static void *settle(void *arg)
{
    return issue_proofs_settle(arg, LONG_MS) ? arg : NULL;
}

static void a_stop_ends_waiting(void)
{
    _Atomic unsigned ignored = 0;
    struct issue_proofs p;
    struct text why = {.ptr = NULL};
    pthread_t thread;
    void *result = &p;
    issue_proofs_init(&p, count, &ignored);
    CHECK(issue_proofs_put(&p, &http, NOW_S, &why));
    CHECK_INT(pthread_create(&thread, NULL, settle, &p), 0);
    issue_proofs_stop(&p);
    pthread_join(thread, &result);
    CHECK(!result);
    issue_proofs_fini(&p);
}

static void *put_and_drop(void *arg)
{
    struct issue_proofs *p = arg;
    struct text why = {.ptr = NULL};
    bool is_fine = true;
    for (int n = 0; n < ROUNDS; n++) {
        is_fine =
            is_fine && issue_proofs_put(p, &http, NOW_S, &why) && issue_proofs_settle(p, LONG_MS);
        issue_proofs_drop(p, &http);
    }
    return is_fine ? p : NULL;
}

static void threads_put_while_the_loop_packs(void)
{
    _Atomic unsigned n_wakes = 0;
    struct issue_proofs p;
    pthread_t threads[THREADS];
    uint64_t version = 0;
    issue_proofs_init(&p, count, &n_wakes);
    for (size_t n = 0; n < THREADS; n++)
        CHECK_INT(pthread_create(&threads[n], NULL, put_and_drop, &p), 0);
    while (version < (uint64_t)2 * THREADS * ROUNDS) {
        struct challenges *c = packed(&p, &version);
        challenges_unref(c);
        issue_proofs_are_in_place(&p, version);
    }
    for (size_t n = 0; n < THREADS; n++) {
        void *result = NULL;
        pthread_join(threads[n], &result);
        CHECK(result);
    }
    CHECK_INT(n_wakes, 2 * THREADS * ROUNDS);
    CHECK(list_is_empty(&p.items));
    issue_proofs_fini(&p);
}

TEST_MAIN(TEST(what_is_put_is_packed_until_it_is_dropped),
          TEST(settling_waits_for_what_was_put_and_not_for_what_comes), TEST(a_stop_ends_waiting),
          TEST(threads_put_while_the_loop_packs))
