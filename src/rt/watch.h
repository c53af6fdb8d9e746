// SPDX-License-Identifier: Apache-2.0
// Watches files of the control side. Files are replaced (a new one renamed over the old), rewritten
// in place, reached through links that change, or don't exist yet: so the folders on the way to a
// file are watched, and the file. Not for workers.
#pragma once

#include <stdbool.h>

struct watch;

// Without inotify nothing is seen: watch_fd is -1, and errno says why.
struct watch *watch_new(void);
// Accepts NULL.
void watch_free(struct watch *w);

// Watches a file or a folder (what is in it), and what links on the way lead to; if it's missing,
// the folder where it would come. What is watched already may be added again.
void watch_add(struct watch *w, const char *path);
// Forgets all.
void watch_clear(struct watch *w);

// Readable when watch_look is to be called; -1: never.
int watch_fd(const struct watch *w);
// True: something has happened, and then nothing more for a moment: look at the files again.
bool watch_look(struct watch *w);
