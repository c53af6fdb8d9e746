// SPDX-License-Identifier: Apache-2.0
// Bytes of a body that wait for their reader: in pieces of the worker's memory, and beyond that in
// slots of its file (rt/slots.h). One fiber puts and another may take, both on the worker's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/str.h"

struct http_env;
struct slots_block;
struct spool_piece;

// Zeroed but for env and limits: empty.
struct spool {
    struct http_env *env;             // borrows: the worker's, whose spooled_bytes counts all
    size_t memory_bytes;              // of this body: more goes to the file, where there is one
    size_t all_bytes;                 // of memory, of all that this worker has read ahead
    struct spool_piece *first, *last; // own
    struct slots_block *open;         // owns: bytes for the file behind all pieces; NULL: none
    struct slots_block *lent;         // owns: what the reader has of the file
    size_t n_bytes;                   // that wait
    size_t n_lent;                    // of the first piece in memory: freed with the next call
    size_t held_bytes;                // of the pieces in memory, those that aren't filled yet too
    bool is_writing;                  // open is on its way
    bool has_failed;                  // open is full, and was refused by the file
    int error;                        // an errno of the file: bytes are lost; 0: none
};

enum spool_end {
    SPOOL_DONE,
    SPOOL_FULL, // the limits, or the file has no room
    SPOOL_LOST, // s->error; every further call says so
};

// Takes bytes from the front of *bytes; what is left of them didn't fit. Waits for the disk.
enum spool_end spool_put(struct spool *s, struct str *bytes);
// The same for what must be taken: beyond all limits.
void spool_force(struct spool *s, struct str *bytes);
// Nothing more will be put for now: what is on its way to the file gets there. Waits for the disk.
enum spool_end spool_flush(struct spool *s);

// Whether spool_put would take something into memory or a block for the file.
bool spool_has_room(const struct spool *s);

// Lends the next bytes, valid until the next call of this or of spool_drop. IO_EOF: none are there
// to be read, as yet; IO_AGAIN: they are on disk (with BODY_NO_WAIT); IO_FAIL: they are lost, as
// s->error says. Waits for the disk.
enum io spool_take(struct spool *s, struct str *ret, struct deadline until);

// Ends it, when nobody waits in a call. Accepts a zeroed one.
void spool_drop(struct spool *s);
