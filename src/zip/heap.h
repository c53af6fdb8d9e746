// SPDX-License-Identifier: Apache-2.0
// Memory of coders, which is large, short-lived and always of the same sizes: free blocks are kept
// for the next one. One heap per worker; not thread safe. A coder has a share, a promise that it
// needs no more, and shares together have a limit: what a coder does can't exceed it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ZIP_KEPT_MAX 48
#define ZIP_KEPT_MAX_BYTES ((size_t)8 * 1024 * 1024)

struct zip_heap {
    size_t promised_bytes; // of all shares
    size_t kept_bytes;     // of free blocks
    unsigned n_kept;
    struct {
        void *block; // owns
        size_t bytes;
    } kept[ZIP_KEPT_MAX]; // the newest last
};

struct zip_share {
    struct zip_heap *heap; // borrows; NULL: none was taken
    size_t max_bytes, used_bytes, peak_bytes;
};

// A zeroed heap is ready for use. All shares have ended.
void zip_heap_fini(struct zip_heap *h);

// False: all shares together would have more than limit_bytes.
bool zip_share_take(struct zip_share *s, struct zip_heap *h, size_t max_bytes, size_t limit_bytes);
// All of its blocks have been given back.
void zip_share_end(struct zip_share *s);

// n bytes, aligned to 64, not zeroed. NULL: beyond the share.
void *zip_share_alloc(struct zip_share *s, size_t n);
// The same, but beyond the share, too: for a library that ends the process when it gets none, and
// whose need is known by measuring.
void *zip_share_force(struct zip_share *s, size_t n);
// NULL is allowed.
void zip_share_free(struct zip_share *s, void *ptr);
