// SPDX-License-Identifier: Apache-2.0
// Messages with descriptors between keeper and gate: a pair of SOCK_SEQPACKET sockets. A message is
// whole or not there. Calls don't wait unless they say so.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define CHANNEL_MESSAGE_MAX_BYTES (64 * 1024)

// Both ends close-on-exec. False with errno.
bool channel_pair(int ret_fds[2]);

// Sends bytes with a descriptor (-1: none; it stays the caller's). Waits while the peer's queue is
// full, at most 10 s. ERR_CLOSED, ERR_TIMEOUT, ERR_SYSTEM.
enum err channel_send(int channel, struct str bytes, int fd) MUST_CHECK;

// Sends bytes alone and doesn't wait: IO_AGAIN: the peer's queue is full. IO_FAIL: the peer
// is gone, or errno.
enum io channel_try_send(int channel, struct str bytes) MUST_CHECK;

// Takes the next message: IO_DONE with *ret_len bytes and *ret_fd (the caller's from now on; -1:
// none came, or this process has no number free for it), IO_AGAIN: none is there, IO_EOF: the peer
// is gone or sent nothing, IO_FAIL: larger than cap, or errno.
enum io channel_receive(int channel, void *buf, size_t cap, size_t *ret_len, int *ret_fd)
    MUST_CHECK;
