// SPDX-License-Identifier: Apache-2.0
// What the system knows about names (/etc/resolv.conf and /etc/hosts), read and watched by the
// keeper for the gate, which can't open files.
#pragma once

#include <stdbool.h>

struct names;

// Reads both files and watches them. Without inotify they are read, but never again.
struct names *names_new(void);
// The same with other files: for tests.
struct names *names_new_at(const char *resolv_conf, const char *hosts);
// Accepts NULL.
void names_free(struct names *n);

// Readable when names_look is to be called; -1: never.
int names_fd(const struct names *n);

// Looks what has happened to the files. True: they say something else than before. Changes that
// follow each other closely are one.
bool names_look(struct names *n);

// What they say, for GATE_NAMES: a sealed memory file, the caller's. -1 with errno.
int names_packed(const struct names *n);
