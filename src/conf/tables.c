// SPDX-License-Identifier: Apache-2.0
// Checks tables of settings: what the compiler can't see, a unit test does.
#include <stdio.h>

#include "base/ascii.h"
#include "base/map.h"
#include "base/num.h"
#include "conf/reader.h"

#define MEM_MAX_BYTES ((size_t)64 << 20)

struct checker {
    struct conf_reader r;
    struct map names; // of sections
};

static const struct place table_place = {.source = "table"};

#define FAIL(c, path, ...) conf_fail(&(c)->r, path, table_place, __VA_ARGS__)

// a-z, digits and single dashes between them; begins with a letter.
static bool is_kebab(const char *key)
{
    struct str s = str_of(key);
    for (size_t i = 0; i < s.len; i++) {
        bool is_dash = s.ptr[i] == '-' && i > 0 && i + 1 < s.len && s.ptr[i - 1] != '-';
        bool is_digit = ascii_is(s.ptr[i], ASCII_DIGIT) && i > 0;
        if (!is_dash && !is_digit && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'z'))
            return false;
    }
    return s.len > 0;
}

static bool is_sentence(const char *doc)
{
    struct str s = str_of(doc);
    return s.len > 1 && str_ends(s, STR("."));
}

// "0.1", "1.12"
static bool is_version(const char *since)
{
    struct str major, minor;
    uint64_t number;
    return str_cut(str_of(since), '.', &major, &minor) && num_dec(major, 1000, &number) == ERR_OK &&
           num_dec(minor, 1000, &number) == ERR_OK;
}

static size_t member_bytes(const struct conf_item *item)
{
    if (item->kind == CONF_SECTION)
        return item->section ? item->section->bytes : 0;
    return conf_kinds[item->kind].bytes;
}

static void check_member(struct checker *c, const struct conf_path *path,
                         const struct conf_section *section, const struct conf_item *item)
{
    size_t bytes = member_bytes(item);
    if (item->offset > section->bytes || bytes > section->bytes - item->offset)
        FAIL(c, path, "lies outside its struct");
    for (const struct conf_item *other = section->items; other < item; other++) {
        if (item->offset < other->offset + member_bytes(other) &&
            other->offset < item->offset + bytes)
            FAIL(c, path, "shares its member with '%s'", other->key);
    }
    if (item->has_switch &&
        (item->kind != CONF_SECTION || item->switch_offset >= member_bytes(item)))
        FAIL(c, path, "the switch lies outside the section's struct");
}

static void check_bounds(struct checker *c, const struct conf_path *path,
                         const struct conf_item *item)
{
    enum err (*parse)(struct str, uint64_t *) = conf_kinds[item->kind].parse;
    if (!parse) {
        if (item->min || item->max || item->zero)
            FAIL(c, path, "only numbers have bounds and a word for 0");
        return;
    }
    uint64_t min = 0, max = UINT64_MAX, number;
    if (item->min && parse(str_of(item->min), &min) != ERR_OK)
        FAIL(c, path, "the lower bound '%s' is malformed", item->min);
    if (item->max && parse(str_of(item->max), &max) != ERR_OK)
        FAIL(c, path, "the upper bound '%s' is malformed", item->max);
    if (min > max)
        FAIL(c, path, "the bounds leave no value");
    if (item->zero && parse(str_of(item->zero), &number) == ERR_OK)
        FAIL(c, path, "the word for 0 is a number");
}

static void check_kind(struct checker *c, const struct conf_path *path,
                       const struct conf_item *item)
{
    bool needs_section =
        item->kind == CONF_SECTION || item->kind == CONF_LIST || item->kind == CONF_MAP;
    if (needs_section != (item->section != NULL))
        FAIL(c, path, needs_section ? "has no section" : "a section belongs to other kinds");
    if ((item->kind == CONF_ENUM) != (item->names && item->names[0]))
        FAIL(c, path, "names are for enumerations, which need them");
    if ((item->kind == CONF_CHOICE) != (item->choices && item->choices[0]))
        FAIL(c, path, "choices are for rows of that kind, which need them");
    for (size_t i = 0; item->choices && item->choices[i]; i++) {
        if (!is_kebab(item->choices[i]->key) || !item->choices[i]->section)
            FAIL(c, path, "the choice '%s' has no kebab-case key or no section",
                 item->choices[i]->key);
        for (size_t j = 0; j < i; j++) {
            if (str_eq(str_of(item->choices[i]->key), str_of(item->choices[j]->key)))
                FAIL(c, path, "the choice '%s' is there twice", item->choices[i]->key);
        }
    }
}

static void check_default(struct checker *c, const struct conf_path *path,
                          const struct conf_section *section, const struct conf_item *item)
{
    if (item->has_switch && !item->def)
        FAIL(c, path, "a section with a switch says whether it is on by default");
    if (!item->def)
        return;
    if (item->is_required)
        FAIL(c, path, "is required, and has a default");
    if (item->kind == CONF_SECRET || item->kind == CONF_FILE ||
        (item->kind == CONF_SECTION && !item->has_switch)) {
        FAIL(c, path, "can't have a default");
        return;
    }
    char *scratch = conf_alloc(&c->r, 1, section->bytes, section->align);
    if (scratch)
        conf_read_default(&c->r, path, item, scratch + item->offset);
}

static bool always_there(void *arg, struct str name, struct arena *mem, struct str *ret,
                         const char **ret_why)
{
    (void)arg, (void)name, (void)mem, (void)ret_why;
    *ret = STR("192.0.2.1"); // which is a list of addresses as well
    return true;
}

static void check_example(struct checker *c, const struct conf_path *path,
                          const struct conf_section *section, const struct conf_item *item)
{
    if (!item->example)
        return;
    static const struct conf_resolver resolver = {
        .read_file = always_there, .read_env = always_there, .read_list = always_there};
    struct conf_node *node =
        conf_yaml_parse(str_of(item->example), "example", c->r.mem, c->r.diags);
    char *scratch = conf_alloc(&c->r, 1, section->bytes, section->align);
    if (!node)
        FAIL(c, path, "the example is not one value in YAML");
    if (!node || !scratch)
        return;
    conf_resolve_item(&c->r, path, item, node, &resolver);
    conf_read_item(&c->r, path, item, node, false, scratch + item->offset);
}

static void check_key(struct checker *c, const struct conf_path *path,
                      const struct conf_section *section, const struct conf_item *item)
{
    bool is_inline = item->kind == CONF_CHOICE && item->key[0] == '\0';
    if (!is_inline && !is_kebab(item->key))
        FAIL(c, path, "the key '%s' is not kebab-case", item->key);
    bool is_true;
    if (conf_bool_parse(str_of(item->key), &is_true))
        FAIL(c, path, "other readers of YAML take the key '%s' for a boolean", item->key);
    for (const struct conf_item *other = section->items; other < item; other++) {
        if (str_eq(str_of(other->key), str_of(item->key)))
            FAIL(c, path, "the key '%s' is there twice", item->key);
    }
    for (size_t i = 0; is_inline && item->choices && item->choices[i]; i++) {
        if (conf_item_find(section, str_of(item->choices[i]->key)))
            FAIL(c, path, "the choice '%s' is a key too", item->choices[i]->key);
    }
    if (!item->doc || !is_sentence(item->doc))
        FAIL(c, path, "the description does not end with a full stop");
    if (!item->since || !is_version(item->since))
        FAIL(c, path, "since is not a version such as 0.1");
}

static void check_item(struct checker *c, const struct conf_path *up,
                       const struct conf_section *section, const struct conf_item *item)
{
    struct conf_path path = {.up = up,
                             .name = item->key[0] != '\0' ? str_of(item->key) : STR("choice")};
    size_t n_errors = c->r.n_errors;
    check_key(c, &path, section, item);
    check_kind(c, &path, item);
    check_bounds(c, &path, item);
    if (c->r.n_errors > n_errors)
        return;
    check_member(c, &path, section, item);
    check_default(c, &path, section, item);
    check_example(c, &path, section, item);
}

static void check_one_of(struct checker *c, const struct conf_path *path,
                         const struct conf_section *section)
{
    for (size_t i = 0; section->one_of && section->one_of[i]; i++) {
        if (!conf_item_find(section, str_of(section->one_of[i])))
            FAIL(c, path, "there is no key '%s' to be one of", section->one_of[i]);
    }
    if (section->instead && !conf_item_find(section, str_of(section->instead)))
        FAIL(c, path, "there is no key '%s' to be instead of others", section->instead);
    if (section->one_of && conf_inline_choice(section))
        FAIL(c, path, "keys that exclude each other stand beside a choice");
}

static void check_section(struct checker *c, const struct conf_section *section)
{
    struct conf_path path = {.name = str_of(section->name)};
    if (!is_kebab(section->name))
        FAIL(c, &path, "the section's name is not kebab-case");
    if (map_get(&c->names, path.name))
        FAIL(c, &path, "two sections have this name");
    else
        map_set(&c->names, path.name, &c->names);
    if (!section->doc || !is_sentence(section->doc))
        FAIL(c, &path, "the description does not end with a full stop");
    const struct conf_item *shorthand = conf_shorthand(section);
    if (section->shorthand && (!shorthand || shorthand->kind == CONF_MAP ||
                               shorthand->kind == CONF_CHOICE || shorthand->kind == CONF_SECTION))
        FAIL(c, &path, "the shorthand '%s' is not a key for values other than maps",
             section->shorthand);
    if (section->place_offset != 0 && section->place_offset != CONF_NO_PLACE &&
        section->place_offset + sizeof(struct place) > section->bytes)
        FAIL(c, &path, "the place lies outside the struct");
    check_one_of(c, &path, section);
    for (size_t i = 0; i < section->n_items; i++)
        check_item(c, &path, section, &section->items[i]);
}

enum err conf_check_tables(const struct conf_section *root, struct diags *diags)
{
    struct arena mem;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    struct checker c = {.r = {.mem = &mem, .diags = diags}};
    struct conf_sections all;
    conf_sections_collect(root, &all);
    for (size_t i = 0; i < all.n; i++)
        check_section(&c, all.items[i]);
    conf_sections_fini(&all);
    map_fini(&c.names);
    arena_fini(&mem);
    return c.r.n_errors == 0 ? ERR_OK : ERR_SYNTAX;
}
