// SPDX-License-Identifier: Apache-2.0
// The sandbox of a process that has its descriptors and needs nothing else of the machine: no
// files, no programs, no other processes, no new listening sockets. docs/internals/sandbox.md.
#pragma once

#include <stdbool.h>

#define SANDBOX_MODE_LIST(X) X(BEST_EFFORT, "best-effort") X(REQUIRE, "require") X(OFF, "off")
enum sandbox_mode {
#define X(id, text) SANDBOX_##id,
    SANDBOX_MODE_LIST(X)
#undef X
};

const char *sandbox_mode_text(enum sandbox_mode mode);

#define SANDBOX_PARTS_MAX 4
#define SANDBOX_PART_BYTES 160

// What became of it: texts for people.
struct sandbox_report {
    enum sandbox_mode mode;
    unsigned n_in_force, n_missing;
    char in_force[SANDBOX_PARTS_MAX][SANDBOX_PART_BYTES]; // "seccomp"
    char missing[SANDBOX_PARTS_MAX][SANDBOX_PART_BYTES];  // "landlock: the kernel has none"
};

// Enters the sandbox, for good: this process and the threads that it starts. To be called while it
// has one thread. Without seccomp and Landlock (SANDBOX_OFF) only privileges are given up.
// Whatever can't be had is missing in the report; the rest is in force.
void sandbox_enter(enum sandbox_mode mode, struct sandbox_report *ret);

// The parts as one text each, "; " between them; returns buf.
#define SANDBOX_TEXT_BYTES (SANDBOX_PARTS_MAX * (SANDBOX_PART_BYTES + 2))
const char *sandbox_in_force(const struct sandbox_report *r, char buf[static SANDBOX_TEXT_BYTES]);
const char *sandbox_missing(const struct sandbox_report *r, char buf[static SANDBOX_TEXT_BYTES]);
