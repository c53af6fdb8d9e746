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
#include "rt/notes.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

#define SEEDS_DEFAULT 300
#define TAIL_LINES 2000 // of a failure's log: all, but of the longest
// What a world leaves behind is looked for over many of them, as the heap keeps some freed memory.
#define LEAK_SEEDS_MIN 1000
#define LEAK_MAX_BYTES 32 // of one world, on average

static struct {
    uint64_t n_seeds, first, only;
    bool has_only, is_verbose;
    const char *name;
} options = {.n_seeds = SEEDS_DEFAULT, .first = 1};

static unsigned n_run, n_failed;
static char running[128]; // for the report of a panic

static void tell_of_death(void)
{
    printf("# died in %s\n", running);
    sim_print_tail(TAIL_LINES);
    fflush(stdout);
}

#if NOTES_ASAN
void __sanitizer_set_death_callback(void (*fn)(void));

static void catch_death(void)
{
    __sanitizer_set_death_callback(tell_of_death);
}
#else
static void on_death(int signal_number)
{
    (void)signal_number;
    tell_of_death();
}

// On a stack of its own, as that of a fiber may be what has overflowed. The signal comes again.
static void catch_death(void)
{
    static char stack[64 * 1024];
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_handler = on_death, .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
}
#endif

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

static void run_seeds(void)
{
    uint64_t half = options.n_seeds / 2;
    size_t heap_then = 0;
    for (uint64_t i = 0; i < options.n_seeds; i++) {
        if (i == half)
            heap_then = sim_heap_bytes();
        run_seed(options.first + i);
    }
    bool has_leak =
        options.n_seeds >= LEAK_SEEDS_MIN && sim_heap_bytes() > heap_then + half * LEAK_MAX_BYTES;
    if (has_leak)
        printf("# the heap has grown from %zu to %zu bytes\n", heap_then, sim_heap_bytes());
    n_failed += has_leak;
    printf("%s %u - %" PRIu64 " worlds from seed %" PRIu64 " on\n", has_leak ? "not ok" : "ok",
           ++n_run, options.n_seeds, options.first);
}

static bool read_number(int argc, char **argv, int *i, uint64_t *ret)
{
    if (*i + 1 >= argc || num_dec(str_of(argv[++*i]), UINT64_MAX, ret) != ERR_OK)
        return false;
    return true;
}

// What libraries allocate once doesn't count as any world's.
static void warm_up(void)
{
    world_limits_init();
    snprintf(running, sizeof running, "the world of the warm-up (repeat: sim --seed 1)");
    scenario_world(1);
    sim_end();
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
    catch_death();
    sim_tls_init();
    log_set_output(LOG_STREAM_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    warm_up();
    if (options.has_only) {
        run_seed(options.only);
    } else {
        run_directed(exchange_scenarios);
        run_directed(reset_scenarios);
        run_directed(timeout_scenarios);
        run_directed(reload_scenarios);
        run_directed(bug_scenarios);
        run_directed(drain_scenarios);
        run_directed(tls_scenarios);
        run_directed(h2_scenarios);
        run_directed(health_scenarios);
        if (!options.name || strcmp(options.name, "world") == 0)
            run_seeds();
    }
    sim_tls_fini();
    printf("1..%u\n", n_run);
    return n_failed > 0 || n_run == 0;
}
