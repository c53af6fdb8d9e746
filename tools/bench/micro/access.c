// SPDX-License-Identifier: Apache-2.0
// What lists and limits cost: nanoseconds per look-up of an address among 100 000 networks, and per
// request at a limit with a million clients, with the memory that these take. Prints the best of
// many short rounds, which is the figure that other work on the machine disturbs least.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/attr.h"
#include "base/mem.h"
#include "codec/ip_set.h"
#include "filter/rate_table.h"

#define N_NETS 100000
#define N_KEYS 1000000
#define N_ROUNDS 2000
#define N_PER_ROUND 500

static uint64_t seed = 1;

// xorshift64*: the same in each run.
static uint64_t next(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(2685821657736338717);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct ip_net random_net(uint8_t family)
{
    struct ip_net net = {.ip.family = family, .bits = family == 4 ? 24 : 48};
    for (int i = 0; i < net.bits / 8; i++)
        net.ip.bytes[i] = (uint8_t)(next() >> 56);
    return net;
}

static struct ip random_ip(uint8_t family)
{
    struct ip ip = {.family = family};
    for (int i = 0; i < (family == 4 ? 4 : 16); i++)
        ip.bytes[i] = (uint8_t)(next() >> 56);
    return ip;
}

static void measure_set(uint8_t family)
{
    static struct ip_net nets[N_NETS];
    static struct ip ips[N_PER_ROUND];
    struct arena mem;
    struct ip_set set;
    size_t n_hits = 0;
    double best_ns = 1e9;
    arena_init(&mem, SIZE_MAX, NULL, 0);
    for (size_t i = 0; i < N_NETS; i++)
        nets[i] = random_net(family);
    if (ip_set_build(nets, N_NETS, &mem, &set) != ERR_OK)
        abort();
    for (int round = 0; round < N_ROUNDS; round++) {
        for (size_t i = 0; i < N_PER_ROUND; i++)
            ips[i] = i % 2 ? nets[next() % N_NETS].ip : random_ip(family);
        double start = now_ns();
        for (size_t i = 0; i < N_PER_ROUND; i++)
            n_hits += ip_set_contains(&set, &ips[i]);
        double ns = (now_ns() - start) / N_PER_ROUND;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("%d networks of IPv%u: %.0f ns, %.0f %% found\n", N_NETS, family, best_ns,
           100.0 * (double)n_hits / N_ROUNDS / N_PER_ROUND);
    arena_fini(&mem);
}

static long resident_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void measure_limit(void)
{
    long before_kb = resident_kb();
    struct rate_table *t = rate_table_new(N_KEYS);
    struct rate rate = {.interval_ns = 1000000000, .burst = 5};
    uint64_t *keys = MEM_ARRAY(uint64_t, N_KEYS);
    size_t n_within = 0;
    double best_ns = 1e9;
    long own_kb = (long)(N_KEYS * sizeof *keys / 1024);
    for (size_t i = 0; i < N_KEYS; i++) {
        keys[i] = next();
        n_within += rate_table_take(t, keys[i], &rate, 0, 1).is_within;
    }
    long kb = resident_kb() - before_kb - own_kb;
    for (int round = 0; round < N_ROUNDS; round++) {
        double start = now_ns();
        for (size_t i = 0; i < N_PER_ROUND; i++)
            n_within += rate_table_take(t, keys[next() % N_KEYS], &rate, 0, 1).is_within;
        double ns = (now_ns() - start) / N_PER_ROUND;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("%d clients at a limit: %.0f ns, %.0f MiB (%zu within)\n", N_KEYS, best_ns,
           (double)kb / 1024, n_within);
    mem_free(keys);
    rate_table_free(t);
}

int main(void)
{
    measure_limit();
    measure_set(4);
    measure_set(6);
    return 0;
}
