// SPDX-License-Identifier: Apache-2.0
// sim [--seeds N] [--first S] [--seed S] [--verbose] [NAME]: the directed scenarios (or those whose
// names contain NAME) and N whole worlds (also alone: "world"), as TAP. --seed: only this one, with
// its whole log.
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "rt/log.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

#define SEEDS_DEFAULT 300
#define TAIL_LINES 60

static struct {
    uint64_t n_seeds, first, only;
    bool has_only, is_verbose;
    const char *name;
} options = {.n_seeds = SEEDS_DEFAULT, .first = 1};

static unsigned n_run, n_failed;
static char running[128]; // for the report of a panic

#ifdef __SANITIZE_ADDRESS__
void __sanitizer_set_death_callback(void (*fn)(void));
#endif

static void tell_of_death(void)
{
    printf("# died in %s\n", running);
    sim_print_tail(TAIL_LINES);
    fflush(stdout);
}

static void on_abort(int signal_number)
{
    (void)signal_number;
    tell_of_death();
}

static void report(const char *name)
{
    bool is_wrong = sim_has_failed();
    n_failed += is_wrong;
    if (is_wrong || options.is_verbose)
        sim_print_tail(options.is_verbose ? SIZE_MAX : TAIL_LINES);
    printf("%s %u - %s\n", is_wrong ? "not ok" : "ok", ++n_run, name);
    fflush(stdout);
}

static void run_directed(const struct scenario *s)
{
    for (; s->name; s++) {
        if (options.name && !strstr(s->name, options.name))
            continue;
        world_limits_init();
        snprintf(running, sizeof running, "%s", s->name);
        s->run();
        sim_end();
        report(s->name);
    }
}

static void run_seed(uint64_t seed)
{
    world_limits_init();
    snprintf(running, sizeof running, "seed %" PRIu64 " (repeat: sim --seed %" PRIu64 ")", seed,
             seed);
    scenario_world(seed);
    sim_end();
    if (sim_has_failed() || options.is_verbose)
        report(running);
}

static bool read_number(int argc, char **argv, int *i, uint64_t *ret)
{
    if (*i + 1 >= argc || num_dec(str_of(argv[++*i]), UINT64_MAX, ret) != ERR_OK)
        return false;
    return true;
}

static bool read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool is_right = true;
        if (strcmp(argv[i], "--seeds") == 0) {
            is_right = read_number(argc, argv, &i, &options.n_seeds);
        } else if (strcmp(argv[i], "--first") == 0) {
            is_right = read_number(argc, argv, &i, &options.first);
        } else if (strcmp(argv[i], "--seed") == 0) {
            is_right = read_number(argc, argv, &i, &options.only);
            options.has_only = options.is_verbose = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            options.is_verbose = true;
        } else if (argv[i][0] != '-') {
            options.name = argv[i];
        } else {
            is_right = false;
        }
        if (!is_right) {
            fprintf(stderr, "usage: sim [--seeds N] [--first S] [--seed S] [--verbose] [NAME]\n");
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!read_options(argc, argv))
        return 2;
    signal(SIGABRT, on_abort);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_set_death_callback(tell_of_death);
#endif
    log_set_output(LOG_STREAM_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (options.has_only) {
        run_seed(options.only);
    } else {
        run_directed(exchange_scenarios);
        run_directed(reset_scenarios);
        run_directed(timeout_scenarios);
        run_directed(reload_scenarios);
        run_directed(bug_scenarios);
        run_directed(drain_scenarios);
        bool is_world = !options.name || strcmp(options.name, "world") == 0;
        for (uint64_t i = 0; is_world && i < options.n_seeds; i++)
            run_seed(options.first + i);
        if (is_world)
            printf("ok %u - %" PRIu64 " worlds from seed %" PRIu64 " on\n", ++n_run,
                   options.n_seeds, options.first);
    }
    printf("1..%u\n", n_run);
    return n_failed > 0 || n_run == 0;
}
