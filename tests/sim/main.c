// SPDX-License-Identifier: Apache-2.0
// sim [--seeds N] [--first S] [--seed S] [--verbose] [NAME]: the directed scenarios (or those whose
// names contain NAME), N whole worlds (also alone: "world") and half as many services in trouble
// ("trouble"), as TAP. --seed: only this one, with its whole log.
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

// What seeds make.
struct kind {
    const char *name;
    void (*run)(uint64_t seed);
    uint64_t part; // of the seeds: 1 of so many
};
static const struct kind kinds_of_seeds[] = {
    {"world", scenario_world, 1},
    {"trouble", scenario_trouble, 2},
};

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

static void run_seed(const struct kind *kind, uint64_t seed)
{
    world_limits_init();
    snprintf(running, sizeof running, "seed %" PRIu64 " (repeat: sim --seed %" PRIu64 " %s)", seed,
             seed, kind->name);
    kind->run(seed);
    sim_end();
    if (sim_has_failed() || options.is_verbose)
        report(running);
}

static void run_seeds(const struct kind *kind)
{
    uint64_t n = MAX(options.n_seeds / kind->part, 1), half = n / 2;
    size_t heap_then = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (i == half)
            heap_then = sim_heap_bytes();
        run_seed(kind, options.first + i);
    }
    bool has_leak = n >= LEAK_SEEDS_MIN && sim_heap_bytes() > heap_then + half * LEAK_MAX_BYTES;
    if (has_leak)
        printf("# the heap has grown from %zu to %zu bytes\n", heap_then, sim_heap_bytes());
    n_failed += has_leak;
    printf("%s %u - %" PRIu64 " of the kind '%s' from seed %" PRIu64 " on\n",
           has_leak ? "not ok" : "ok", ++n_run, n, kind->name, options.first);
}

// Worlds bring the rest along, as whoever asks for many of them wants to see all that seeds show.
static bool is_asked_for(const struct kind *kind)
{
    return !options.name || strcmp(options.name, kind->name) == 0 ||
           strcmp(options.name, "world") == 0;
}

static void run_all_seeds(void)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds_of_seeds); i++) {
        if (is_asked_for(&kinds_of_seeds[i]))
            run_seeds(&kinds_of_seeds[i]);
    }
}

// The world of this seed, unless another kind was named.
static void run_only(void)
{
    size_t i = ARRAY_LEN(kinds_of_seeds) - 1;
    while (i > 0 && (!options.name || strcmp(options.name, kinds_of_seeds[i].name) != 0))
        i--;
    run_seed(&kinds_of_seeds[i], options.only);
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
        run_only();
    } else {
        run_directed(exchange_scenarios);
        run_directed(reset_scenarios);
        run_directed(timeout_scenarios);
        run_directed(reload_scenarios);
        run_directed(bug_scenarios);
        run_directed(drain_scenarios);
        run_directed(tls_scenarios);
        run_directed(h2_scenarios);
        run_directed(https_scenarios);
        run_directed(health_scenarios);
        run_all_seeds();
    }
    sim_tls_fini();
    printf("1..%u\n", n_run);
    return n_failed > 0 || n_run == 0;
}
