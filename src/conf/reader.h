// SPDX-License-Identifier: Apache-2.0
// Reading trees into structs: what read.c (sections) and read_value.c (values) share.
#pragma once

#include "conf/conf_priv.h"

// A section's struct with nothing but defaults, made once per call of conf_read.
struct conf_defaults {
    const struct conf_defaults *next;
    const struct conf_section *section;
    const void *value;
};

struct conf_reader {
    struct arena *mem;
    struct diags *diags;
    size_t n_errors;
    const struct conf_defaults *defaults;
};

// Adds an error with the path in front.
void conf_fail(struct conf_reader *r, const struct conf_path *path, struct place place,
               const char *fmt, ...) PRINTF(4, 5);

// "expected a size …, found 'x'" and the hint, which may be empty.
void conf_fail_expected(struct conf_reader *r, const struct conf_path *path,
                        const struct conf_node *node, const char *expected, const char *hint);
// The same with what the row allows.
void conf_fail_item(struct conf_reader *r, const struct conf_path *path,
                    const struct conf_item *item, const struct conf_node *node, const char *hint);

// Zeroed. NULL at the arena's limit, after adding an error.
void *conf_alloc(struct conf_reader *r, size_t n, size_t bytes, size_t align) MUST_CHECK;

// Reads the value of a row that isn't made of sections. A wrong one is reported and leaves *field.
void conf_read_value(struct conf_reader *r, const struct conf_path *path,
                     const struct conf_item *item, const struct conf_node *node, void *field);

// Reads the value of any row; node is given. has_parent: *field holds the parent's value.
void conf_read_item(struct conf_reader *r, const struct conf_path *path,
                    const struct conf_item *item, const struct conf_node *node, bool has_parent,
                    void *field);

// Reads the row's default, which is there.
void conf_read_default(struct conf_reader *r, const struct conf_path *path,
                       const struct conf_item *item, void *field);

// A default or an example as a tree: a single value's text as it is, otherwise YAML. NULL after an
// error, which is added.
struct conf_node *conf_text_node(struct conf_reader *r, const struct conf_item *item,
                                 const char *text);

// What conf_resolve does, for the value of one row.
void conf_resolve_item(struct conf_reader *r, const struct conf_path *path,
                       const struct conf_item *item, struct conf_node *node,
                       const struct conf_resolver *resolver);
