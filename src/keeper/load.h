// SPDX-License-Identifier: Apache-2.0
// From a settings file to a checked configuration: reading, resolving files and variables, typing,
// building. What `run`, `reload`, `check`, `explain` and `print` all begin with.
#pragma once

#include "conf/conf.h"
#include "gate/snapshot.h"
#include "keeper/checked.h"
#include "keeper/join.h"

// Files that settings name, as they were found; in the arena of the tree.
struct loaded_files {
    struct str *paths;
    size_t n, cap;
};

// Where containers are known. The settings are the file's: whether they want any, and of which
// engine. False: there is none to be known.
struct load_finder {
    bool (*find)(void *arg, const struct settings *settings, const struct conf_node *docker,
                 struct arena *mem, struct found *ret);
    void *arg;
    struct checked *checked; // what earlier loads have found to be right; NULL: they don't tell
};

struct keeper_traefik;

struct loaded {
    struct arena mem;                     // of the tree
    struct str text;                      // of the file; in mem; empty: there was none
    struct loaded_files files;            // whose change changes the settings
    const struct keeper_traefik *traefik; // in mem: what Traefik's files say; NULL: nothing
    struct conf_node *root;               // resolved; in mem
    struct checked *checked;              // borrows; or NULL
    struct snapshot *snapshot; // NULL when there was an error; serves nothing, only tells
    struct upstream_registry *registry;
    struct diags diags; // all errors and warnings, but those about containers
    struct diags told;  // the latter: each has cost its container its sites, and nothing else
};

// Loads path ("-": standard input). ret is to be ended by load_fini whatever happened. True: no
// error. finder NULL: containers aren't looked for.
bool load_file(const char *path, const struct load_finder *finder, struct loaded *ret);

// The same from the file's text, as it was earlier; copied.
bool load_again(struct str text, const char *path, const struct load_finder *finder,
                struct loaded *ret);

// The same from a tree that was built in mem of *ret (flags): load_begin, build, load_tree.
void load_begin(struct loaded *ret);
bool load_tree(struct loaded *ret, struct conf_node *root, const struct load_finder *finder);

// Whether a tree, in mem of *l, could be put in force; it isn't. Files that it names are noted.
bool load_check_tree(struct loaded *l, struct conf_node *root, struct diags *diags);

// A change of this file or folder changes the settings.
void load_note_file(struct loaded *l, struct str path);

void load_fini(struct loaded *l);

// Errors and warnings, one line each, to standard error; those about containers as well.
void load_print_diags(const struct loaded *l);
