// SPDX-License-Identifier: Apache-2.0
// The reference manual as a manual page: one subsection per section, one tagged paragraph per
// setting.
#include "conf/print.h"
#include "conf/roff.h"

static void put_example(const struct conf_item *item, struct text *to)
{
    struct text yaml = {.ptr = NULL};
    conf_put_example(item, &yaml);
    text_put(to, STR(".IP\n"));
    roff_put_block(to, text_str(&yaml));
    text_fini(&yaml);
}

static void put_item(const struct conf_item *item, struct text *to)
{
    struct text facts = {.ptr = NULL};
    text_put(to, STR(".TP\n"));
    if (item->key[0] == '\0')
        text_put(to, STR("One of these keys"));
    else {
        text_put(to, STR("\\fB"));
        roff_put_plain(to, str_of(item->key));
        text_put(to, STR("\\fR"));
    }
    text_byte(to, '\n');
    conf_put_facts(item, &facts);
    roff_put_text(to, text_str(&facts), true);
    text_fini(&facts);
    text_put(to, STR(".IP\n"));
    roff_put_text(to, str_of(item->doc), true);
    if (item->example)
        put_example(item, to);
}

void conf_print_man(const struct conf_section *root, struct text *to)
{
    struct conf_sections all;
    conf_sections_collect(root, &all);
    text_put(to, STR(".SH DESCRIPTION\n"));
    roff_put_text(to, conf_manual_introduction, false);
    text_put(to, STR(".SH SETTINGS\n"));
    for (size_t i = 0; i < all.n; i++) {
        const struct conf_section *section = all.items[i];
        struct text intro = {.ptr = NULL};
        text_put(to, STR(".SS "));
        roff_put_plain(to, str_of(section->name));
        text_byte(to, '\n');
        text_printf(&intro, "%s\n\n", section->doc);
        conf_put_uses(&all, section, &intro);
        roff_put_text(to, text_str(&intro), false);
        text_fini(&intro);
        for (size_t k = 0; k < section->n_items; k++)
            put_item(&section->items[k], to);
    }
    conf_sections_fini(&all);
}
