// SPDX-License-Identifier: Apache-2.0
#include "keeper/bans.h"

#include <stdlib.h>
#include <unistd.h>

#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"
#include "unit/test.h"

static char folder[] = "/tmp/sallyport-bans-XXXXXX";

static struct ban order(const char *net, int64_t seconds)
{
    struct ban ban;
    const char *why = NULL;
    CHECK(keeper_bans_order(str_of(net), seconds, STR("hand"), &ban, &why));
    return ban;
}

static size_t n_reported(const struct keeper_bans *b)
{
    json_t *list = keeper_bans_report(b);
    size_t n = json_array_size(list);
    json_decref(list);
    return n;
}

static void bans_are_there_again_after_a_restart(void)
{
    struct keeper_bans b;
    struct ban ban = order("192.0.2.1", 1000);
    keeper_bans_init(&b);
    keeper_bans_use(&b, folder, 100);
    CHECK(keeper_bans_put(&b, &ban));
    keeper_bans_fini(&b);
    keeper_bans_init(&b);
    keeper_bans_use(&b, folder, 100);
    CHECK_INT(n_reported(&b), 1);
    CHECK(keeper_bans_remove(&b, &ban.net));
    CHECK(!keeper_bans_remove(&b, &ban.net));
    keeper_bans_fini(&b);
    keeper_bans_init(&b);
    keeper_bans_use(&b, folder, 100);
    CHECK_INT(n_reported(&b), 0);
    keeper_bans_fini(&b);
}

static void what_the_binary_before_says_goes_before_the_file(void)
{
    struct keeper_bans b;
    struct ban ban = order("192.0.2.2", 1000);
    keeper_bans_init(&b);
    keeper_bans_use(&b, folder, 100);
    CHECK(keeper_bans_put(&b, &ban));
    keeper_bans_fini(&b);
    keeper_bans_init(&b);
    keeper_bans_restore(&b, STR_NONE); // it was removed
    keeper_bans_use(&b, folder, 100);
    CHECK_INT(n_reported(&b), 0);
    keeper_bans_fini(&b);
}

static void without_a_folder_they_live_in_memory(void)
{
    struct keeper_bans b;
    struct ban ban = order("192.0.2.1", 1000);
    keeper_bans_init(&b);
    keeper_bans_use(&b, "/nonexistent/sallyport", 100);
    CHECK(keeper_bans_put(&b, &ban));
    CHECK_INT(n_reported(&b), 1);
    int fd = keeper_bans_pack(&b);
    struct str bytes;
    CHECK(file_map_sealed(fd, &bytes));
    CHECK_INT(bytes.len, sizeof(struct ban));
    file_unmap(bytes);
    close(fd);
    keeper_bans_fini(&b);
}

static void what_is_due_is_told_and_written(void)
{
    struct keeper_bans b;
    struct ban ban = order("192.0.2.3", 1);
    keeper_bans_init(&b);
    keeper_bans_use(&b, folder, 100);
    CHECK(keeper_bans_put(&b, &ban));
    int64_t next_ms = INT64_MAX, now_ms = clock_now_ms();
    keeper_bans_do_what_is_due(&b, now_ms, &next_ms);
    CHECK(next_ms < now_ms + 5000);
    keeper_bans_do_what_is_due(&b, now_ms + 5000, &next_ms);
    CHECK(!b.is_changed);
    keeper_bans_fini(&b);
}

static void orders_that_make_no_sense_are_refused(void)
{
    struct ban ban;
    const char *why = NULL;
    CHECK(!keeper_bans_order(STR("nobody"), 10, STR("hand"), &ban, &why));
    CHECK(!keeper_bans_order(STR("192.0.2.1/24"), 10, STR("hand"), &ban, &why));
    CHECK(!keeper_bans_order(STR("192.0.2.1"), 0, STR("hand"), &ban, &why));
    CHECK(!keeper_bans_order(STR("192.0.2.1"), INT64_C(1) << 41, STR("hand"), &ban, &why));
    CHECK(!keeper_bans_order(STR("192.0.2.1"), 10, STR("a\nb"), &ban, &why));
    CHECK(why != NULL);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(bans_are_there_again_after_a_restart),
        TEST(what_the_binary_before_says_goes_before_the_file),
        TEST(without_a_folder_they_live_in_memory),
        TEST(what_is_due_is_told_and_written),
        TEST(orders_that_make_no_sense_are_refused),
    };
    if (!mkdtemp(folder))
        abort();
    log_set_level(LOG_ERROR, LOG_TEXT);
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
