// SPDX-License-Identifier: Apache-2.0
// The reference manual: one chapter per section, one heading per setting.
#include "conf/print.h"

const struct str conf_manual_introduction = STR_INIT(
    "- A **duration** is written as `250ms`, `5s`, `1m30s`, `2h` or `7d`; a **size** as `512`, "
    "`16KiB`, `4MiB` or `4MB`; a **rate** as `100/s`, `30/m` or `5/h`.\n"
    "- **Yes or no** is `true`, `yes` or `on`, and `false`, `no` or `off`.\n"
    "- A **list** of one can be written as its only element.\n"
    "- A **secret** is `file:PATH` or `env:NAME`, or the text itself; it is never shown. A "
    "**file** is a path.\n"
    "- *Takes effect*: with the next request, or with new connections; where a process can't "
    "change it, "
    "a new one takes over meanwhile. Nothing needs a restart.\n");

void conf_put_uses(const struct conf_sections *all, const struct conf_section *section,
                   struct text *to)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct conf_section *parent = all->items[i];
        for (size_t j = 0; j < parent->n_items; j++) {
            const struct conf_item *item = &parent->items[j];
            const char *dot = item->key[0] != '\0' ? "." : "";
            const char *tail = item->kind == CONF_MAP ? ".NAME" : "";
            if (item->section == section)
                text_printf(to, "%s`%s%s%s%s`", n++ > 0 ? ", " : "In: ", i > 0 ? parent->name : "",
                            i > 0 ? dot : "", item->key, tail);
            for (size_t k = 0; item->choices && item->choices[k]; k++) {
                if (item->choices[k]->section == section)
                    text_printf(to, "%s`%s%s%s.%s`",
                                n++ > 0 ? ", " : "In: ", i > 0 ? parent->name : "",
                                i > 0 ? dot : "", item->key, item->choices[k]->key);
            }
        }
    }
    if (n > 0)
        text_put(to, STR(".\n\n"));
    if (section->shorthand)
        text_printf(to, "A value that is not a map is taken as `%s`.\n\n", section->shorthand);
}

void conf_put_facts(const struct conf_item *item, struct text *to)
{
    conf_put_type(item, to);
    if (item->is_required)
        text_put(to, STR(" · **required**"));
    if (item->def) {
        text_put(to, STR(" · default `"));
        conf_put_value_text(item, item->def, to);
        text_byte(to, '`');
    }
    text_printf(to, " · takes effect: %s · since %s\n\n", conf_apply_text(item->apply),
                item->since);
}

void conf_put_example(const struct conf_item *item, struct text *to)
{
    struct str rest = str_of(item->example), line;
    bool is_block = str_find(rest, '\n') != STR_NPOS;
    if (item->key[0] != '\0')
        text_printf(to, "%s:%s", item->key, is_block ? "\n" : " ");
    while (rest.len > 0) {
        str_cut(rest, '\n', &line, &rest);
        text_printf(to, "%s" STR_FMT "\n", is_block ? "  " : "", STR_ARG(line));
    }
}

static void put_section(const struct conf_sections *all, const struct conf_section *section,
                        struct text *to)
{
    bool is_root = section == all->items[0];
    text_printf(to, "\n## %s\n\n%s\n\n", section->name, section->doc);
    conf_put_uses(all, section, to);
    for (size_t i = 0; i < section->n_items; i++) {
        const struct conf_item *item = &section->items[i];
        if (item->key[0] == '\0')
            text_put(to, STR("### One of these keys\n\n"));
        else
            text_printf(to, "### `%s%s%s`\n\n", is_root ? "" : section->name, is_root ? "" : ".",
                        item->key);
        conf_put_facts(item, to);
        text_printf(to, "%s\n\n", item->doc);
        if (item->example) {
            text_put(to, STR("```yaml\n"));
            conf_put_example(item, to);
            text_put(to, STR("```\n\n"));
        }
    }
    while (str_ends(text_str(to), STR("\n\n")))
        to->len--;
}

void conf_print_markdown(const struct conf_section *root, struct text *to)
{
    struct conf_sections all;
    conf_sections_collect(root, &all);
    text_put(to, STR("# Settings\n\nPrinted by `sallyport print settings --as=markdown` from the "
                     "tables that read the file.\n\n"));
    text_put(to, conf_manual_introduction);
    for (size_t i = 0; i < all.n; i++)
        put_section(&all, all.items[i], to);
    conf_sections_fini(&all);
}
