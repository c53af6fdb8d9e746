// SPDX-License-Identifier: Apache-2.0
// The change from one stack to another: switch_<cpu>.S. Saves and restores what the ABI lets a
// callee keep (registers, and the floating point control words where they are per thread).
#pragma once

// Saves the running context on its own stack, its stack pointer in *ret_sp, and goes on in the
// context saved at to_sp. Returns when something switches back.
void switch_stack(void **ret_sp, void *to_sp);

// Makes a context on the fresh stack that ends below top (aligned to 16); the first switch to what
// is returned calls entry(arg), which must never return.
void *switch_prepare(void *top, void (*entry)(void *arg), void *arg);
