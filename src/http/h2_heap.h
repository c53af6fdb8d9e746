// SPDX-License-Identifier: Apache-2.0
// The memory of nghttp2's sessions of one worker, for both sides: what streams and fields need
// comes from pools, as hundreds of streams take and give the same few sizes, which is more than
// malloc keeps at hand. Where there is none left it panics, so that no call of a session fails for
// that. Not thread safe.
#pragma once

#include <nghttp2/nghttp2.h>

struct h2_heap;

struct h2_heap *h2_heap_new(void);
// All of its sessions have been deleted. Accepts NULL.
void h2_heap_free(struct h2_heap **h);
// For nghttp2_session_*_new3, which copies it.
nghttp2_mem *h2_heap_mem(struct h2_heap *h);
// How many pieces are out of the pools: for tests.
uint32_t h2_heap_pieces(const struct h2_heap *h);
