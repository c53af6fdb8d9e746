// SPDX-License-Identifier: Apache-2.0
// What the printers of settings share.
#pragma once

#include "conf/conf_priv.h"

// Whether a name sounds as if what it has were secret: "X-Api-Key", "Authorization".
bool conf_is_secret_name(struct str name);

// Whether a value shows by itself that it has a secret in it: "Bearer …", "https://ann:…@host",
// "/verify?key=…".
bool conf_is_secret_value(struct str value);

// n spaces.
void conf_put_indent(size_t n, struct text *to);

// A row's default or example as it stands in YAML.
void conf_put_value_text(const struct conf_item *item, const char *value, struct text *to);

// "a duration, 1s to 1h", "one of a, b or c": what a row takes, in the manual.
void conf_put_type(const struct conf_item *item, struct text *to);

// When a change takes effect: "next request".
const char *conf_apply_text(enum conf_apply apply);

// --- the manual, in Markdown; the manual page is made of the same (print_markdown.c) ---

// How values are written.
extern const struct str conf_manual_introduction;

// "In: `sites.NAME`.": where sections of this kind stand, and what their shorthand is.
void conf_put_uses(const struct conf_sections *all, const struct conf_section *section,
                   struct text *to);

// Type, default, when a change takes effect; ends with an empty line.
void conf_put_facts(const struct conf_item *item, struct text *to);

// The row's example as lines of YAML.
void conf_put_example(const struct conf_item *item, struct text *to);
