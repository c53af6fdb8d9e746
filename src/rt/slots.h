// SPDX-License-Identifier: Apache-2.0
// A file without a name as an extension of memory: cut into slots of one size, which are written
// and read on helper threads. Any thread may use it. When no slot is in use, the file is emptied.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "rt/offload.h"

#define SLOTS_BYTES ((size_t)64 * 1024) // of a slot
#define SLOTS_NONE UINT32_MAX

struct slots;

// Takes over fd, a file open for reading and writing that nobody else uses. disk: threads for it,
// outlives it. max_bytes is rounded down to whole slots.
struct slots *slots_new(int fd, uint64_t max_bytes, struct offload *disk);

// Before offload_free of its threads: the file isn't emptied any more. Accepts NULL.
void slots_stop(struct slots *s);
// Behind that, when no job uses it any more. Accepts NULL.
void slots_free(struct slots *s);

// Bytes on their way to a slot or back. On the heap, for it may outlive the wait of its owner.
struct slots_block {
    struct offload_job job;
    struct slots *slots; // borrows
    uint32_t slot;       // owns, while a job is under way; else SLOTS_NONE
    int error;           // an errno of the last job; 0: none
    bool is_last;        // of a reading: the slot is given back behind it
    size_t at;           // of the slot, where bytes are read from
    size_t n, cap;       // bytes that are there, and that have room
    char bytes[];
};

// cap: at most SLOTS_BYTES.
struct slots_block *slots_block_new(struct slots *s, size_t cap);
// Accepts NULL.
void slots_block_free(struct slots_block *b);

enum slots_end {
    SLOTS_DONE,
    SLOTS_FAILED, // b->error: ENOSPC when no slot is free or no space, EAGAIN when the threads have
                  // too much to do, or what the disk says
    SLOTS_GONE,   // the wait was cancelled or has expired: b isn't the caller's any more
};

// Writes b's bytes to a slot, which is the caller's then; b keeps them. Waits.
enum slots_end slots_write(struct slots_block *b, struct deadline until, uint32_t *ret_slot);

// Which bytes of a slot; is_last: nobody needs it behind this.
struct slots_part {
    uint32_t slot;
    size_t at, n;
    bool is_last;
};

// Reads a part of a slot into b. The slot stays the caller's if that is done and it wasn't the last
// part; else it is given back. Waits.
enum slots_end slots_read(struct slots_block *b, struct slots_part part, struct deadline until);

// Gives a slot back unread. Accepts SLOTS_NONE. Doesn't wait.
void slots_release(struct slots *s, uint32_t slot);

// Slots in use, those of jobs under way too.
size_t slots_used(struct slots *s);
