// SPDX-License-Identifier: Apache-2.0
// All settings with their defaults as a YAML file. What has no default is commented out ("#key"),
// and so is what stands for many ("#NAME:"); descriptions are comments with a space ("# Text").
#include "conf/print.h"

#define WIDTH 90
#define STEP 2

struct printer {
    struct text *to;
    size_t indent;
    bool is_comment;
    struct conf_sections shown; // commented out once already, or just now
};

static void put_section(struct printer *p, const struct conf_section *section);

static void begin_line(struct printer *p)
{
    if (p->is_comment)
        text_byte(p->to, '#');
    conf_put_indent(p->indent, p->to);
}

// Folds a description into lines.
static void put_doc(struct printer *p, const char *doc)
{
    struct str rest = str_of(doc), word;
    size_t column = 0; // 0: no line is begun
    while (str_next_item(&rest, ' ', &word)) {
        if (column > 0 && column + 1 + word.len > WIDTH) {
            text_byte(p->to, '\n');
            column = 0;
        }
        if (column == 0) {
            begin_line(p);
            text_byte(p->to, '#');
            column = p->indent + 2;
        }
        text_byte(p->to, ' ');
        text_put(p->to, word);
        column += 1 + word.len;
    }
    text_byte(p->to, '\n');
}

static void put_key(struct printer *p, const char *key)
{
    begin_line(p);
    text_printf(p->to, "%s:", key);
}

// A section inside of key, commented out; once per kind of section.
static void put_commented(struct printer *p, const struct conf_section *section)
{
    for (size_t i = 0; i < p->shown.n; i++) {
        if (p->shown.items[i] == section) {
            begin_line(p);
            text_printf(p->to, "# As shown above: a %s.\n", section->name);
            return;
        }
    }
    conf_sections_add(&p->shown, section);
    bool was_comment = p->is_comment;
    p->is_comment = true;
    put_section(p, section);
    p->is_comment = was_comment;
}

// The keys of a choice, each with its section.
static void put_choices(struct printer *p, const struct conf_item *item)
{
    bool was_comment = p->is_comment;
    p->is_comment = true;
    for (size_t i = 0; item->choices[i]; i++) {
        put_doc(p, item->choices[i]->section->doc);
        put_key(p, item->choices[i]->key);
        text_byte(p->to, '\n');
        p->indent += STEP;
        put_commented(p, item->choices[i]->section);
        p->indent -= STEP;
    }
    p->is_comment = was_comment;
}

// A list, map or choice: its default, then how an element looks.
static void put_holder(struct printer *p, const struct conf_item *item)
{
    if (item->def) {
        put_key(p, item->key);
        text_printf(p->to, " %s\n", item->def);
    }
    bool was_comment = p->is_comment;
    p->is_comment = true;
    put_key(p, item->key);
    text_byte(p->to, '\n');
    p->indent += STEP;
    if (item->kind == CONF_CHOICE) {
        put_choices(p, item);
    } else {
        begin_line(p);
        text_put(p->to, item->kind == CONF_MAP ? STR("NAME:\n") : STR("-\n"));
        p->indent += STEP;
        put_commented(p, item->section);
        p->indent -= STEP;
    }
    p->indent -= STEP;
    p->is_comment = was_comment;
}

static void put_inner_section(struct printer *p, const struct conf_item *item)
{
    bool is_on = true;
    bool is_off = item->has_switch && conf_bool_parse(str_of(item->def), &is_on) && !is_on;
    if (is_off) {
        put_key(p, item->key);
        text_put(p->to, STR(" off\n"));
    }
    bool was_comment = p->is_comment;
    p->is_comment |= is_off;
    put_key(p, item->key);
    text_byte(p->to, '\n');
    p->indent += STEP;
    if (p->is_comment)
        put_commented(p, item->section);
    else
        put_section(p, item->section);
    p->indent -= STEP;
    p->is_comment = was_comment;
}

static void put_single(struct printer *p, const struct conf_item *item)
{
    bool was_comment = p->is_comment;
    p->is_comment |= !item->def;
    put_key(p, item->key);
    p->is_comment = was_comment;
    if (item->def || item->example)
        text_byte(p->to, ' ');
    if (item->def)
        conf_put_value_text(item, item->def, p->to);
    else if (item->example)
        text_put(p->to, str_of(item->example));
    text_byte(p->to, '\n');
}

static void put_item(struct printer *p, const struct conf_item *item)
{
    put_doc(p, item->doc);
    if (item->key[0] == '\0')
        put_choices(p, item);
    else if (item->kind == CONF_SECTION)
        put_inner_section(p, item);
    else if (item->section || item->choices)
        put_holder(p, item);
    else
        put_single(p, item);
}

static void put_section(struct printer *p, const struct conf_section *section)
{
    for (size_t i = 0; i < section->n_items; i++) {
        if (p->indent == 0 && i > 0)
            text_byte(p->to, '\n');
        put_item(p, &section->items[i]);
    }
}

void conf_print_yaml(const struct conf_section *root, struct text *to)
{
    struct printer p = {.to = to};
    put_section(&p, root);
    conf_sections_fini(&p.shown);
}
