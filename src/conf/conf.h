// SPDX-License-Identifier: Apache-2.0
// The settings engine. One row of a table per setting drives parsing, defaults, ranges, unknown-key
// errors with a suggestion, dumps, the manual and the JSON Schema. Features own their tables; the
// engine knows none of them. Pure: it opens no file (conf_resolve asks its caller).
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/text.h"
#include "codec/ip.h"
#include "conf/node.h"

struct conf_section;

// --- values of settings, as members of settings structs ---

// A text with its place, for what is parsed further later (rules, URLs, names).
struct conf_text {
    struct str text; // empty and .place zeroed: not set and no default
    struct place place;
};

struct conf_texts {
    struct conf_text *items;
    size_t n;
};

struct conf_nets {
    struct ip_net *items;
    size_t n;
    bool is_set; // something is written there; it may be a list of a file that has none
};

// A file that a setting names, with its content (resolved by the keeper).
struct conf_file {
    struct str path;
    struct str content;
    bool is_set;
    bool is_lost; // it couldn't be read, which is an error that was told already
    struct place place;
};

// A list of sections: items are pointers to the section's struct.
struct conf_list {
    void **items;
    size_t n;
};

struct conf_map_item {
    struct str name;
    struct place place; // of the name
    void *value;        // the section's struct
};

// Names to sections, in the file's order.
struct conf_map {
    struct conf_map_item *items;
    size_t n;
};

// Exactly one of several sections, chosen by its key: `{ redirect: {…} }`.
struct conf_choice {
    const struct conf_choice_type *type; // NULL: not set
    void *value;
    struct place place;
};

struct conf_choice_type {
    const char *key;
    const struct conf_section *section;
};

// --- tables ---

enum conf_kind {
    CONF_BOOL,     // bool: true/false/yes/no/on/off
    CONF_UINT,     // uint32_t
    CONF_SIZE,     // uint64_t, bytes
    CONF_DURATION, // int64_t, milliseconds
    CONF_RATE,     // uint64_t, events per second * 10^12
    CONF_ENUM,     // unsigned: index into .names
    CONF_TEXT,     // struct conf_text
    CONF_SECRET,   // struct conf_text: "file:PATH" or "env:NAME" is resolved; a literal is allowed
    CONF_TEXTS,    // struct conf_texts: a list; a single text is a list of one
    CONF_NETS,     // struct conf_nets: a list of addresses and networks
    CONF_FILE,     // struct conf_file
    CONF_SECTION,  // the section's struct, inline
    CONF_LIST,     // struct conf_list of .section; a single one is a list of one
    CONF_MAP,      // struct conf_map of .section
    CONF_CHOICE,   // struct conf_choice of .choices
};

// When a change of the setting takes effect.
enum conf_apply {
    CONF_LIVE,      // with the next exchange
    CONF_NEW_CONNS, // with the next connection
    CONF_HANDOVER,  // with the next connection: another process takes over
};

struct conf_item {
    // Kebab-case. "" in a row of CONF_CHOICE: the choice's alternatives are keys of the section
    // itself (`api-limit: { rate-limit: {…} }`); at most one such row.
    const char *key;
    enum conf_kind kind;
    size_t offset;
    // Text, parsed by the same code as the file; YAML where the value isn't a single one ("[a,
    // b]"). NULL: no default (0, false, empty). Switched sections say "on" or "off".
    const char *def;
    const char *min, *max;    // texts; for numbers, sizes, durations, rates
    const char *zero;         // the same kinds: a word for 0, allowed outside the bounds: "auto"
    const char *const *names; // CONF_ENUM: NULL-terminated
    const struct conf_section *section;            // CONF_SECTION, LIST, MAP
    const struct conf_choice_type *const *choices; // CONF_CHOICE: NULL-terminated
    // CONF_SECTION (ITEM_SWITCHED): "on" and "off" are values too, and tell a bool member of the
    // *section's* struct, at switch_offset, which of them it is; a map means "on".
    bool has_switch;
    size_t switch_offset;
    bool is_required; // in every section of this kind that is given
    // CONF_MAP: what stands under names like "Authorization" is secret, and isn't shown.
    bool has_secret_names;
    enum conf_apply apply;
    const char *since;
    const char *doc;     // sentences; Markdown
    const char *example; // one value as it stands in YAML
    const char *format;  // what a text is, for the manual and messages: "a rule", "HOST:PORT"
    const char *pattern; // a regular expression for the JSON Schema, or NULL
    // Further check of one text (CONF_TEXT, each of CONF_TEXTS); adds errors. May be NULL.
    enum err (*check_text)(const struct conf_text *value, struct diags *diags);
};

struct conf_section {
    const char *name; // of the struct, unique: "entrypoint"; the JSON Schema's $defs key
    const char *doc;
    size_t bytes, align;
    const struct conf_item *items;
    size_t n_items;
    // A node that isn't a map is taken as the value of this key ("to" in `sites: {a.example:
    // URL}`).
    const char *shorthand;
    // Where to put the section's own place: CONF_PLACE_AT(S, field), not the first member. 0 or
    // CONF_NO_PLACE: nowhere.
    size_t place_offset;
    // Rules between items of a section that is given and otherwise right. Adds errors to diags. May
    // be NULL.
    enum err (*check)(const void *value, struct diags *diags);
    // Keys that exclude each other, NULL behind the last: one of them is given, or none together
    // with the key `instead` (NULL: never). The schema says so; whoever has the struct sees to it.
    const char *const *one_of;
    const char *instead;
};

// The offset of a field, which doesn't compile when the field has another type.
#define CONF_AT(S, field, T) _Generic(((struct S *)0)->field, T : offsetof(struct S, field))
#define CONF_PLACE_AT(S, field) CONF_AT(S, field, struct place)

#define ITEM_BOOL(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_BOOL, .offset = CONF_AT(S, field, bool), __VA_ARGS__             \
    }
#define ITEM_UINT(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_UINT, .offset = CONF_AT(S, field, uint32_t), __VA_ARGS__         \
    }
#define ITEM_SIZE(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_SIZE, .offset = CONF_AT(S, field, uint64_t), __VA_ARGS__         \
    }
#define ITEM_DURATION(S, field, key_, ...)                                                         \
    {                                                                                              \
        .key = key_, .kind = CONF_DURATION, .offset = CONF_AT(S, field, int64_t), __VA_ARGS__      \
    }
#define ITEM_RATE(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_RATE, .offset = CONF_AT(S, field, uint64_t), __VA_ARGS__         \
    }
#define ITEM_ENUM(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_ENUM, .offset = CONF_AT(S, field, unsigned), __VA_ARGS__         \
    }
#define ITEM_TEXT(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_TEXT, .offset = CONF_AT(S, field, struct conf_text), __VA_ARGS__ \
    }
#define ITEM_SECRET(S, field, key_, ...)                                                           \
    {                                                                                              \
        .key = key_, .kind = CONF_SECRET, .offset = CONF_AT(S, field, struct conf_text),           \
        __VA_ARGS__                                                                                \
    }
#define ITEM_TEXTS(S, field, key_, ...)                                                            \
    {                                                                                              \
        .key = key_, .kind = CONF_TEXTS, .offset = CONF_AT(S, field, struct conf_texts),           \
        __VA_ARGS__                                                                                \
    }
#define ITEM_NETS(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_NETS, .offset = CONF_AT(S, field, struct conf_nets), __VA_ARGS__ \
    }
#define ITEM_FILE(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_FILE, .offset = CONF_AT(S, field, struct conf_file), __VA_ARGS__ \
    }
#define ITEM_SECTION(S, field, key_, T, ...)                                                       \
    {                                                                                              \
        .key = key_, .kind = CONF_SECTION, .offset = CONF_AT(S, field, T), __VA_ARGS__             \
    }
// A section that can be "off": T is its struct, switch_ a bool member of T.
#define ITEM_SWITCHED(S, field, key_, T, switch_, ...)                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_SECTION, .offset = CONF_AT(S, field, T), .has_switch = true,     \
        .switch_offset = _Generic(((T *)0)->switch_, bool                                          \
                                  : offsetof(T, switch_)),                                         \
        __VA_ARGS__                                                                                \
    }
#define ITEM_LIST(S, field, key_, ...)                                                             \
    {                                                                                              \
        .key = key_, .kind = CONF_LIST, .offset = CONF_AT(S, field, struct conf_list), __VA_ARGS__ \
    }
#define ITEM_MAP(S, field, key_, ...)                                                              \
    {                                                                                              \
        .key = key_, .kind = CONF_MAP, .offset = CONF_AT(S, field, struct conf_map), __VA_ARGS__   \
    }
#define ITEM_CHOICE(S, field, key_, ...)                                                           \
    {                                                                                              \
        .key = key_, .kind = CONF_CHOICE, .offset = CONF_AT(S, field, struct conf_choice),         \
        __VA_ARGS__                                                                                \
    }

#define CONF_NO_PLACE SIZE_MAX
// The common members of a section's row: CONF_SECTION_OF(entrypoint_conf, items), …
#define CONF_SECTION_OF(S, items_)                                                                 \
    .bytes = sizeof(struct S), .align = alignof(struct S), .items = (items_),                      \
    .n_items = sizeof(items_) / sizeof((items_)[0])

// --- reading ---

// Fills *ret (the section's struct) from node (NULL: nothing given): every member gets the node's
// value, else parent's (a finished struct of the same section, copied; may be NULL), else the row's
// default, else zero. Sections inside do the same with the parent's; lists and maps that are given
// replace the parent's. A key without a value counts as not given where a map or list belongs, and
// is an error elsewhere. All errors are collected; ERR_OK only when none was added. Texts borrow
// from the node's memory; lists and maps are made in mem. Places from defaults have "default" as
// their source.
enum err conf_read(const struct conf_section *section, const struct conf_node *node,
                   const void *parent, struct arena *mem, struct diags *diags, void *ret)
    MUST_CHECK;

// Tells what is wrong with a file's content; nothing, of one that is lost. Returns ERR_SYNTAX.
enum err conf_fail_file(const struct conf_file *file, struct diags *diags, const char *why);

// Reads what files, variables and lists of addresses hold into the tree, for CONF_SECRET, CONF_FILE
// and CONF_NETS rows, before conf_read. The callbacks return false with a text for people in
// *ret_why. Values are put into mem; trailing line ends of secrets are removed.
struct conf_resolver {
    bool (*read_file)(void *arg, struct str path, struct arena *mem, struct str *ret,
                      const char **ret_why);
    bool (*read_env)(void *arg, struct str name, struct arena *mem, struct str *ret,
                     const char **ret_why);
    // A list of addresses that has a name, as the text of a file.
    bool (*read_list)(void *arg, struct str name, struct arena *mem, struct str *ret,
                      const char **ret_why);
    void *arg;
};
enum err conf_resolve(const struct conf_section *section, struct conf_node *node,
                      const struct conf_resolver *resolver, struct arena *mem, struct diags *diags)
    MUST_CHECK;

// --- single settings by their paths: labels, flags ---

// Adds a setting to map, a tree of the section's, where the keys of path lead ("tls.min"): names in
// maps and kinds of choices are keys, too. "a, b" is a list where one belongs; lists and sections
// may be YAML in brackets; "on" switches a section on and leaves it to be told more. Errors name
// the key that is wrong and one like it. The texts are borrowed.
enum err conf_put(const struct conf_section *section, struct conf_node *map, struct str path,
                  struct str value, struct place place, struct arena *mem, struct diags *diags)
    MUST_CHECK;

// Whether path leads to a setting below the section.
bool conf_leads_somewhere(const struct conf_section *section, struct str path);

// --- printing; all from the same rows ---

// The reference manual of the root section and all that it leads to.
void conf_print_markdown(const struct conf_section *root, struct text *to);
// The same as roff, without the page's head and end: its chapters DESCRIPTION and SETTINGS.
void conf_print_man(const struct conf_section *root, struct text *to);
// JSON Schema, draft 2020-12, with descriptions, defaults, enums, ranges, patterns.
void conf_print_json_schema(const struct conf_section *root, struct text *to);
// Every setting with its default, as a commented YAML file.
void conf_print_yaml(const struct conf_section *root, struct text *to);
// The settings in force, defaults included, as YAML; each line ends with where its value came from
// ("# default", "# file.yaml:3"). Secrets are "***".
void conf_print_dump(const struct conf_section *section, const struct conf_node *node,
                     struct text *to);

// s as a YAML scalar that reads back as s anywhere, also inside "[…]". What isn't UTF-8 becomes
// U+FFFD.
void conf_put_yaml(struct str s, struct text *to);

// --- looking at rows ---

// The row of a section with this key, or NULL.
const struct conf_item *conf_item_find(const struct conf_section *section, struct str key);

// The row of kind CONF_CHOICE whose alternatives are keys of the section itself, or NULL.
const struct conf_item *conf_inline_choice(const struct conf_section *section);

// The alternative of a choice with this key, or NULL.
const struct conf_choice_type *conf_choice_find(const struct conf_item *item, struct str key);

// The value of one setting in force, or all below it, as JSON, each with where it came from. path:
// "log.level", "services.app.servers.0". Of lists and maps no more than items_max elements, and how
// many are left out. Secrets are "***". False: there is nothing of this path.
bool conf_print_json(const struct conf_section *root, const struct conf_node *node, struct str path,
                     size_t items_max, struct text *to);

// --- checking the tables themselves, for tests ---

// Walks all rows that root leads to: defaults, bounds and examples parse and fit, keys are
// kebab-case and unique, texts for people are there and end as sentences do, members lie inside
// their struct and apart from each other. ERR_OK only when no error was added.
enum err conf_check_tables(const struct conf_section *root, struct diags *diags) MUST_CHECK;

// The known name nearest to s, for "did you mean": NULL when none is near. names: NULL-terminated.
const char *conf_suggest(struct str s, const char *const *names);
