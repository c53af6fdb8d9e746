// SPDX-License-Identifier: Apache-2.0
// What the files of the settings engine share; seen only inside this folder.
#pragma once

#include <yaml.h>

#include "base/writer.h"
#include "conf/conf.h"

// --- kinds of rows (value.c) ---

struct conf_kind_info {
    const char *name;  // "duration": for the manual
    const char *words; // "a duration such as 250ms, 5s or 1m30s": for messages
    bool is_single;    // one text in the file
    size_t bytes;      // of the member; 0: a section's struct
    enum err (*parse)(struct str s, uint64_t *ret); // numbers; NULL: no number
};

extern const struct conf_kind_info conf_kinds[CONF_CHOICE + 1];

// true/false/yes/no/on/off in any case; false when s is none of them.
bool conf_bool_parse(struct str s, bool *ret) MUST_CHECK;

// A number as the row's kind writes it, inside the row's bounds, or the row's word for 0.
enum err conf_number_parse(const struct conf_item *item, struct str s, uint64_t *ret) MUST_CHECK;

// "a duration such as … from 1s to 1h", "one of a, b or c": what a row allows.
void conf_put_expected(const struct conf_item *item, struct writer *w);

// "1s to 1h", "at least 1s", or nothing.
void conf_put_range(const struct conf_item *item, struct writer *w);

// s in quotes for a message: escaped and cut. Returns buf.
#define CONF_QUOTED_BYTES 256
const char *conf_quoted(struct str s, char buf[static CONF_QUOTED_BYTES]);

// Where in the settings a value is: "entrypoints.web.listen", "routes[2].match". Links on the
// stack.
struct conf_path {
    const struct conf_path *up; // NULL: the root
    struct str name;            // empty: an element of a list
    size_t index;               // of the element
};

// Returns buf: the path, and ": " behind it unless it is the root's.
#define CONF_PATH_BYTES 512
const char *conf_path_text(const struct conf_path *path, char buf[static CONF_PATH_BYTES]);

// --- rows ---

struct conf_sections {
    const struct conf_section **items; // owns
    size_t n, cap;
};

void conf_sections_add(struct conf_sections *sections, const struct conf_section *section);
// All that root leads to, root first, each once.
void conf_sections_collect(const struct conf_section *root, struct conf_sections *ret);
void conf_sections_fini(struct conf_sections *sections);

// The row that a value other than a map belongs to, or NULL.
const struct conf_item *conf_shorthand(const struct conf_section *section);

// What a setting refers to: "file:PATH", "env:NAME"; the name of a list only where one belongs.
enum conf_ref { CONF_REF_NONE, CONF_REF_FILE, CONF_REF_ENV, CONF_REF_LIST };
enum conf_ref conf_ref_parse(struct str text, struct str *ret_target);

// Among networks: "file:PATH" or a list's name, which is a letter and then letters, digits and '-'.
bool conf_is_list_ref(struct str text);

// --- suggestions (suggest.c) ---

// The nearest of the names offered so far.
struct conf_nearest {
    struct str wanted;
    const char *name; // NULL: none is near
    size_t distance;  // in halves
};

void conf_nearest_offer(struct conf_nearest *nearest, const char *name);

// --- YAML (yaml.c, yaml_error.c) ---

// Tells what libyaml found wrong, in plain words.
void conf_yaml_explain(const yaml_parser_t *parser, struct str text, const char *source,
                       struct diags *diags);
