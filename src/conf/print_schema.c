// SPDX-License-Identifier: Apache-2.0
// JSON Schema, draft 2020-12. What it refuses, conf_read refuses too, and as a rule the other way
// round; YAML gives editors numbers and booleans where the engine sees texts, so these are allowed.
#include <inttypes.h>

#include "base/ascii.h"
#include "base/num.h"
#include "codec/json.h"
#include "conf/print.h"

#define BOOL_SCHEMA                                                                                \
    "\"type\":[\"boolean\",\"string\"],\"pattern\":\"^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|"     \
    "[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff])$\""
#define SIZE_PATTERN "^[0-9]+[ \\\\t]*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?$"
#define DURATION_PATTERN "^(0|(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"

static void put_json(const char *s, struct text *to)
{
    json_text_str(to, str_of(s));
}

static void put_ref(const struct conf_section *section, struct text *to)
{
    text_printf(to, "{\"$ref\":\"#/$defs/%s\"}", section->name);
}

// A word as the schema's reader may see it: YAML makes booleans and numbers of some.
static void put_word(const char *word, struct text *to)
{
    put_json(word, to);
    struct str s = str_of(word);
    bool is_true, is_number = s.len > 0 && ascii_is(s.ptr[s.len - 1], ASCII_DIGIT);
    if (conf_bool_parse(s, &is_true))
        text_put(to, is_true ? STR(",true") : STR(",false"));
    for (size_t i = 0; i < s.len; i++)
        is_number &= ascii_is(s.ptr[i], ASCII_DIGIT) || (s.ptr[i] == '.' && i > 0);
    if (is_number && (s.ptr[0] != '0' || s.len == 1))
        text_printf(to, ",%s", word);
}

static void put_names(const struct conf_item *item, struct text *to)
{
    text_put(to, STR("\"enum\":["));
    for (size_t i = 0; item->names[i]; i++) {
        if (i > 0)
            text_byte(to, ',');
        put_word(item->names[i], to);
    }
    text_byte(to, ']');
}

static void put_bounds(const struct conf_item *item, struct text *to)
{
    uint64_t bound;
    if (item->min && conf_kinds[item->kind].parse(str_of(item->min), &bound) == ERR_OK)
        text_printf(to, ",\"minimum\":%" PRIu64, bound);
    else
        text_put(to, STR(",\"minimum\":0"));
    if (item->max && conf_kinds[item->kind].parse(str_of(item->max), &bound) == ERR_OK)
        text_printf(to, ",\"maximum\":%" PRIu64, bound);
    else if (item->kind == CONF_UINT)
        text_printf(to, ",\"maximum\":%u", UINT32_MAX);
}

static void put_number_only(const struct conf_item *item, struct text *to)
{
    uint64_t min = 0;
    if (item->min && conf_kinds[item->kind].parse(str_of(item->min), &min) != ERR_OK)
        min = 0;
    if (item->kind == CONF_UINT) {
        text_put(to, STR("\"type\":[\"integer\",\"string\"],\"pattern\":\"^[0-9]+$\""));
        put_bounds(item, to);
    } else if (item->kind == CONF_SIZE) {
        text_put(to, STR("\"type\":[\"integer\",\"string\"],\"pattern\":\"" SIZE_PATTERN "\""));
        put_bounds(item, to);
    } else if (item->kind == CONF_RATE) {
        text_put(to, STR("\"type\":\"string\",\"pattern\":\"^[0-9]+/[smhd]$\""));
    } else if (min > 0) {
        text_put(to, STR("\"type\":\"string\",\"pattern\":\"" DURATION_PATTERN "\""));
    } else { // a bare 0 is a number to YAML
        text_put(to, STR("\"type\":[\"string\",\"integer\"],\"pattern\":\"" DURATION_PATTERN
                         "\",\"minimum\":0,\"maximum\":0"));
    }
}

static void put_number(const struct conf_item *item, struct text *to)
{
    if (!item->zero) {
        put_number_only(item, to);
        return;
    }
    text_put(to, STR("\"anyOf\":[{"));
    put_number_only(item, to);
    text_put(to, STR("},{\"enum\":["));
    put_word(item->zero, to);
    text_put(to, STR("]}]"));
}

static void put_text(const struct conf_item *item, struct text *to)
{
    text_put(to, STR("\"type\":[\"string\",\"number\",\"boolean\"]"));
    if (item->pattern) {
        text_put(to, STR(",\"pattern\":"));
        put_json(item->pattern, to);
    }
}

static void put_texts(const struct conf_item *item, struct text *to)
{
    text_put(to, STR("\"anyOf\":[{"));
    put_text(item, to);
    text_put(to, STR("},{\"type\":\"array\",\"items\":{"));
    put_text(item, to);
    text_put(to, STR("}},{\"type\":\"null\"}]"));
}

// A key without a value is as good as an empty map here.
static void put_ref_or_null(const struct conf_section *section, struct text *to)
{
    text_put(to, STR("{\"anyOf\":["));
    put_ref(section, to);
    text_put(to, STR(",{\"type\":\"null\"}]}"));
}

static void put_sections(const struct conf_item *item, struct text *to)
{
    if (item->kind == CONF_MAP) {
        text_put(to, STR("\"type\":[\"object\",\"null\"],\"propertyNames\":{\"minLength\":1,"
                         "\"maxLength\":255},\"additionalProperties\":"));
        put_ref_or_null(item->section, to);
        return;
    }
    text_put(to, STR("\"anyOf\":["));
    if (item->kind == CONF_LIST) {
        text_put(to, STR("{\"type\":\"array\",\"items\":"));
        put_ref(item->section, to);
        text_put(to, STR("},"));
    }
    put_ref(item->section, to);
    text_put(to, STR(",{\"type\":\"null\"}"));
    if (item->has_switch)
        text_put(to, STR(",{" BOOL_SCHEMA "}"));
    text_byte(to, ']');
}

static void put_choice(const struct conf_item *item, struct text *to)
{
    text_put(to, STR("\"oneOf\":["));
    for (size_t i = 0; item->choices[i]; i++) {
        text_put(to, STR("{\"type\":\"object\",\"additionalProperties\":false,\"required\":["));
        put_json(item->choices[i]->key, to);
        text_put(to, STR("],\"properties\":{"));
        put_json(item->choices[i]->key, to);
        text_byte(to, ':');
        put_ref_or_null(item->choices[i]->section, to);
        text_put(to, STR("}},"));
    }
    text_put(to, STR("{\"type\":\"null\"}]"));
}

// The members of the schema of a row's value, without the braces around them.
static void put_value(const struct conf_item *item, struct text *to)
{
    switch (item->kind) {
    case CONF_BOOL:
        text_put(to, STR(BOOL_SCHEMA));
        return;
    case CONF_UINT:
    case CONF_SIZE:
    case CONF_DURATION:
    case CONF_RATE:
        put_number(item, to);
        return;
    case CONF_ENUM:
        put_names(item, to);
        return;
    case CONF_TEXT:
    case CONF_SECRET:
        put_text(item, to);
        return;
    case CONF_FILE:
        text_put(to, STR("\"type\":\"string\",\"minLength\":1"));
        return;
    case CONF_TEXTS:
    case CONF_NETS:
        put_texts(item, to);
        return;
    case CONF_SECTION:
    case CONF_LIST:
    case CONF_MAP:
        put_sections(item, to);
        return;
    case CONF_CHOICE:
        put_choice(item, to);
        return;
    }
}

// A tree as JSON, all scalars as texts.
static void put_node(const struct conf_node *node, struct text *to)
{
    if (node->kind == CONF_NODE_NULL) {
        text_put(to, STR("null"));
        return;
    }
    if (node->kind == CONF_NODE_SCALAR) {
        json_text_str(to, node->text);
        return;
    }
    bool is_map = node->kind == CONF_NODE_MAP;
    text_byte(to, is_map ? '{' : '[');
    for (const struct conf_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            text_byte(to, ',');
        if (is_map) {
            json_text_str(to, child->key);
            text_byte(to, ':');
        }
        put_node(child, to);
    }
    text_byte(to, is_map ? '}' : ']');
}

static void put_yaml_as_json(const char *yaml, struct text *to)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    const struct conf_node *node = conf_yaml_parse(str_of(yaml), "table", &mem, NULL);
    if (node)
        put_node(node, to);
    else
        text_put(to, STR("null"));
    arena_fini(&mem);
}

static void put_default(const struct conf_item *item, struct text *to)
{
    bool is_true;
    uint64_t number;
    text_put(to, STR(",\"default\":"));
    if ((item->kind == CONF_BOOL || item->has_switch) &&
        conf_bool_parse(str_of(item->def), &is_true))
        text_put(to, is_true ? STR("true") : STR("false"));
    else if (item->kind == CONF_UINT && num_dec(str_of(item->def), UINT32_MAX, &number) == ERR_OK)
        text_printf(to, "%" PRIu64, number);
    else if (conf_kinds[item->kind].is_single)
        put_json(item->def, to);
    else
        put_yaml_as_json(item->def, to);
}

static void put_property(const char *key, const struct conf_item *item, struct text *to)
{
    put_json(key, to);
    text_put(to, STR(":{\"description\":"));
    put_json(item->doc, to);
    text_byte(to, ',');
    put_value(item, to);
    if (item->def)
        put_default(item, to);
    if (item->example) {
        text_put(to, STR(",\"examples\":["));
        put_yaml_as_json(item->example, to);
        text_byte(to, ']');
    }
    text_byte(to, '}');
}

// One of the alternatives has to be there, or at most one of them.
static void put_inline_choice(const struct conf_item *item, struct text *to)
{
    text_put(to, STR(",\n      \"oneOf\":["));
    for (size_t i = 0; item->choices[i]; i++)
        text_printf(to, "%s{\"required\":[\"%s\"]}", i > 0 ? "," : "", item->choices[i]->key);
    if (!item->is_required) {
        text_put(to, STR(",{\"not\":{\"anyOf\":["));
        for (size_t i = 0; item->choices[i]; i++)
            text_printf(to, "%s{\"required\":[\"%s\"]}", i > 0 ? "," : "", item->choices[i]->key);
        text_put(to, STR("]}}"));
    }
    text_byte(to, ']');
}

static void put_one_of(const struct conf_section *section, struct text *to)
{
    text_put(to, STR(",\n      \"oneOf\":["));
    for (size_t i = 0; section->one_of[i]; i++)
        text_printf(to, "%s{\"required\":[\"%s\"]}", i > 0 ? "," : "", section->one_of[i]);
    if (section->instead) {
        text_printf(to, ",{\"required\":[\"%s\"],\"not\":{\"anyOf\":[", section->instead);
        for (size_t i = 0; section->one_of[i]; i++)
            text_printf(to, "%s{\"required\":[\"%s\"]}", i > 0 ? "," : "", section->one_of[i]);
        text_put(to, STR("]}}"));
    }
    text_byte(to, ']');
}

static void put_required(const struct conf_section *section, struct text *to)
{
    size_t n = 0;
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        if (item->is_required && item->key[0] != '\0')
            text_printf(to, "%s\"%s\"", n++ > 0 ? "," : ",\n      \"required\":[", item->key);
    }
    if (n > 0)
        text_byte(to, ']');
}

static void put_properties(const struct conf_section *section, struct text *to)
{
    size_t n = 0;
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        if (item->key[0] != '\0') {
            text_put(to, n++ > 0 ? STR(",\n        ") : STR("\n        "));
            put_property(item->key, item, to);
            continue;
        }
        for (size_t j = 0; item->choices[j]; j++) {
            text_put(to, n++ > 0 ? STR(",\n        ") : STR("\n        "));
            put_json(item->choices[j]->key, to);
            text_byte(to, ':');
            put_ref_or_null(item->choices[j]->section, to);
        }
    }
}

static void put_section(const struct conf_section *section, struct text *to)
{
    text_printf(to, "    \"%s\":{\n      \"description\":", section->name);
    put_json(section->doc, to);
    const struct conf_item *shorthand = conf_shorthand(section);
    if (shorthand) {
        text_put(to, STR(",\n      \"anyOf\":[{\"not\":{\"type\":[\"object\",\"null\"]},"));
        put_value(shorthand, to);
        text_put(to, STR("},{"));
    } else {
        text_put(to, STR(",\n      "));
    }
    text_put(to, STR("\"type\":\"object\",\"additionalProperties\":false,\n"
                     "      \"properties\":{"));
    put_properties(section, to);
    text_byte(to, '}');
    put_required(section, to);
    const struct conf_item *choice = conf_inline_choice(section);
    if (choice)
        put_inline_choice(choice, to);
    else if (section->one_of)
        put_one_of(section, to);
    text_put(to, shorthand ? STR("}]}") : STR("}"));
}

void conf_print_json_schema(const struct conf_section *root, struct text *to)
{
    struct conf_sections all;
    conf_sections_collect(root, &all);
    text_put(to, STR("{\n  \"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\n"
                     "  \"title\":\"Settings of Sallyport\",\n"));
    text_printf(to, "  \"anyOf\":[{\"$ref\":\"#/$defs/%s\"},{\"type\":\"null\"}],\n  \"$defs\":{\n",
                root->name);
    for (size_t i = 0; i < all.n; i++) {
        put_section(all.items[i], to);
        text_put(to, i + 1 < all.n ? STR(",\n") : STR("\n"));
    }
    text_put(to, STR("  }\n}\n"));
    conf_sections_fini(&all);
}
