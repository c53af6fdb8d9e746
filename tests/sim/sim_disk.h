// SPDX-License-Identifier: Apache-2.0
// A file in memory, and helper threads (rt/offload.h) whose jobs take virtual time: what they do is
// done at some moment between the order and its end, also when nobody waits for it any more.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim_disk {
    uint32_t failure_permille; // of reads and writes
    uint32_t full_permille;    // of writes: no space is left
    uint32_t delay_percent;    // of jobs that take time
    int64_t delay_min_ns, delay_max_ns;
    uint64_t n_written; // bytes
};
extern struct sim_disk sim_disk;
void sim_disk_init(void);

// Fibers that wait for it now.
uint32_t sim_disk_n_waiting(void);
// What it has still to do, for them or for nobody.
uint32_t sim_disk_n_jobs(void);

// An empty file, for slots_new.
int sim_disk_open(void);
