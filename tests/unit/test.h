// SPDX-License-Identifier: Apache-2.0
// The whole harness of the unit tests: prints TAP, names are sentences.
#pragma once

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

typedef void test_fn(void);

struct test_case {
    const char *name;
    test_fn *fn;
};

static bool test_failed;

// clang-format off
#define TEST(fn_) {#fn_, fn_}
// clang-format on

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                                    \
            test_failed = true;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_STR(got, wanted)                                                                     \
    do {                                                                                           \
        struct str got_ = (got), wanted_ = (wanted);                                               \
        if (!str_eq(got_, wanted_)) {                                                              \
            printf("# %s:%d: got '" STR_FMT "', wanted '" STR_FMT "'\n", __FILE__, __LINE__,       \
                   STR_ARG(got_), STR_ARG(wanted_));                                               \
            test_failed = true;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_INT(got, wanted)                                                                     \
    do {                                                                                           \
        intmax_t got_ = (intmax_t)(got), wanted_ = (intmax_t)(wanted);                             \
        if (got_ != wanted_) {                                                                     \
            printf("# %s:%d: %s is %jd, wanted %jd\n", __FILE__, __LINE__, #got, got_, wanted_);   \
            test_failed = true;                                                                    \
        }                                                                                          \
    } while (0)

// Runs the cases whose name contains argv[1], or all.
static inline int test_main(int argc, char **argv, const struct test_case *cases, size_t n)
{
    size_t n_failed = 0, n_run = 0;
    for (size_t i = 0; i < n; i++) {
        if (argc > 1 && !strstr(cases[i].name, argv[1]))
            continue;
        test_failed = false;
        cases[i].fn();
        n_failed += test_failed;
        printf("%s %zu - %s\n", test_failed ? "not ok" : "ok", ++n_run, cases[i].name);
        fflush(stdout);
    }
    printf("1..%zu\n", n_run);
    return n_failed > 0 || n_run == 0;
}

#define TEST_MAIN(...)                                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct test_case cases[] = {__VA_ARGS__};                                     \
        return test_main(argc, argv, cases, sizeof cases / sizeof cases[0]);                       \
    }
