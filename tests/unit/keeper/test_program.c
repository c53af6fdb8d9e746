// SPDX-License-Identifier: Apache-2.0
#include "keeper/program.h"

#include "base/attr.h"
#include "keeper/notify.h"
#include "rt/clock.h"
#include "unit/test.h"

#define LONG_MS 60000

static bool run(const char *script, int64_t timeout_ms, struct acme_cancel *cancel,
                struct text *output)
{
    char sh[] = "/bin/sh", c[] = "-c", text[256], more[] = "MORE=of it";
    *str_copy(text, str_of(script)) = '\0';
    char *argv[] = {sh, c, text, NULL}, *env[] = {more, NULL};
    return program_run(
        &(struct program){.argv = argv, .env = env, .timeout_ms = timeout_ms, .cancel = cancel},
        output);
}

static void its_end_and_its_words_are_told(void)
{
    static const struct {
        const char *script, *output;
        bool is_fine;
    } cases[] = {
        {"exit 0", "", true},
        {"exit 3", "", false},
        {"echo one; echo two >&2", "one two", true},
        {"printf 'a\\033[1m\\377b'; exit 1", "a?[1m?b", false},
        {"echo $MORE", "of it", true},
        {"kill -9 $$", "", false},
        {"read line || echo nothing", "nothing", true},
    };
    notify_init();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text output = {.ptr = NULL};
        CHECK(run(cases[i].script, LONG_MS, NULL, &output) == cases[i].is_fine);
        CHECK_STR(text_str(&output), str_of(cases[i].output));
        text_fini(&output);
    }
}

static void one_that_is_not_there_is_told(void)
{
    struct text output = {.ptr = NULL};
    char path[] = "/nowhere/program";
    char *argv[] = {path, NULL};
    CHECK(!program_run(&(struct program){.argv = argv, .timeout_ms = LONG_MS}, &output));
    CHECK(str_search(text_str(&output), STR("No such file")) != STR_NPOS);
    text_fini(&output);
}

static void one_that_prints_without_end_is_read_in_part(void)
{
    struct text output = {.ptr = NULL};
    CHECK(run("i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done", LONG_MS, NULL,
              &output));
    CHECK(output.len <= PROGRAM_OUTPUT_MAX_BYTES && output.len > PROGRAM_OUTPUT_MAX_BYTES / 2);
    text_fini(&output);
}

static void one_that_hangs_is_killed_with_its_children(void)
{
    struct text output = {.ptr = NULL};
    int64_t began_ms = clock_now_ms();
    CHECK(!run("sleep 1000 & sleep 1000", 50, NULL, &output));
    CHECK(clock_now_ms() - began_ms < LONG_MS / 2);
    text_fini(&output);
}

static void a_cancelled_one_is_killed_at_once(void)
{
    struct text output = {.ptr = NULL};
    struct acme_cancel cancel;
    acme_cancel_init(&cancel);
    acme_cancel_set(&cancel);
    int64_t began_ms = clock_now_ms();
    CHECK(!run("sleep 1000", LONG_MS, &cancel, &output));
    CHECK(clock_now_ms() - began_ms < LONG_MS / 2);
    acme_cancel_fini(&cancel);
    text_fini(&output);
}

TEST_MAIN(TEST(its_end_and_its_words_are_told), TEST(one_that_is_not_there_is_told),
          TEST(one_that_prints_without_end_is_read_in_part),
          TEST(one_that_hangs_is_killed_with_its_children), TEST(a_cancelled_one_is_killed_at_once))
