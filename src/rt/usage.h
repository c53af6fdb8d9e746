// SPDX-License-Identifier: Apache-2.0
// What this process uses of the machine. For status: not for workers.
#pragma once

#include <stdint.h>

// Opens what later calls read: before a sandbox that opens nothing any more. Once per process.
void usage_prepare(void);

struct usage {
    uint64_t resident_bytes;      // now; 0: /proc wasn't there
    uint64_t resident_peak_bytes; // since the start
    uint64_t descriptors;         // open now; 0: not told (Linux before 6.2)
    uint64_t descriptors_max;     // the limit of them
    int64_t cpu_ns;               // of all threads, in the kernel too
};
void usage_read(struct usage *ret);

// The processor time of this thread.
int64_t usage_thread_cpu_ns(void);
