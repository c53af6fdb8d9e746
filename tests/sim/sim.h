// SPDX-License-Identifier: Apache-2.0
// The simulation's heart: virtual time, events, randomness from a seed, the log of what happened,
// and what was found to be wrong. One simulation at a time, one thread. All memory of a simulation
// is freed at its end, so that no callback can outlive what it names.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

#define SIM_MS ((int64_t)1000000)
#define SIM_S (1000 * SIM_MS)

// tag: the caller's, to tell a stale event from a current one.
typedef void sim_fn(void *arg, uint64_t tag);

void sim_start(uint64_t seed);
void sim_end(void);

// --- time ---

int64_t sim_now_ns(void);
int64_t sim_now_ms(void); // since the start
// Lets time pass without an event. Never beyond the next one.
void sim_pass_until(int64_t at_ns);
// Runs fn(arg, tag) at a time; those of the same time in the order of the calls.
void sim_at(int64_t at_ns, sim_fn *fn, void *arg, uint64_t tag);
void sim_in(int64_t wait_ns, sim_fn *fn, void *arg, uint64_t tag);
// When the next event is due; INT64_MAX: there is none.
int64_t sim_next_ns(void);
// Runs the next event, at its time.
void sim_step(void);
uint64_t sim_n_steps(void);
// Runs fn(arg, 0) right behind the n-th event from the start.
void sim_after_step(uint64_t n, sim_fn *fn, void *arg);

// --- randomness ---

uint64_t sim_rand(void);
uint32_t sim_below(uint32_t n); // 0 to n - 1; 0 when n is 0
int64_t sim_between(int64_t low, int64_t high);
bool sim_chance(uint32_t percent);

// --- memory, until sim_end ---

void *sim_alloc(size_t n);     // zeroed
void *sim_alloc_raw(size_t n); // not zeroed
char *sim_printf(const char *fmt, ...) PRINTF(1, 2);

// Bytes of the heap that are in use, what the simulation itself holds not counted. 0: unknown.
size_t sim_heap_bytes(void);

// --- what happened ---

// Adds a line, with the time in front.
void sim_log(const char *fmt, ...) PRINTF(1, 2);
// The whole log, valid until the next sim_start.
struct str sim_log_text(void);
// Notes that something is wrong; the simulation goes on.
void sim_fail(const char *fmt, ...) PRINTF(1, 2);
bool sim_has_failed(void);
// Prints the last lines of the log as comments of TAP.
void sim_print_tail(size_t n_lines);

#define SIM_CHECK(cond) ((cond) ? (void)0 : sim_fail("%s:%d: %s", __FILE__, __LINE__, #cond))
#define SIM_CHECK_INT(got, wanted) sim_check_int(__FILE__, __LINE__, #got, (got), (wanted))
void sim_check_int(const char *file, int line, const char *what, int64_t got, int64_t wanted);
