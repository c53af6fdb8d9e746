// SPDX-License-Identifier: Apache-2.0
// What the API tells of settings: as they are in force, each value with where it came from, secrets
// masked. What only the keeper needs (issuers, and whom to ask about certificates on demand) never
// came to the gate.
#include "codec/json.h"
#include "gate/api_priv.h"

#define ELEMENTS_MAX 50      // of a list or map, when everything is asked for
#define ELEMENTS_OF_ONE 1000 // when a part is

bool api_settings_are_there(const struct report *r, struct str path)
{
    struct text ignored = {.ptr = NULL};
    bool is_there = path.len == 0 || conf_print_json(&settings_section, r->status->snapshot->root,
                                                     path, 0, &ignored);
    text_fini(&ignored);
    return is_there;
}

// The next row of the root that has something to tell. False: there is none.
static bool put_row(size_t *at, const struct conf_node *root, struct text *to)
{
    bool is_first = *at == 0, is_put = false;
    while (!is_put && *at < settings_section.n_items) {
        struct str key = str_of(settings_section.items[(*at)++].key);
        struct text value = {.ptr = NULL};
        is_put = conf_print_json(&settings_section, root, key, ELEMENTS_MAX, &value);
        if (is_put) {
            text_byte(to, is_first ? '{' : ',');
            json_text_str(to, key);
            text_byte(to, ':');
            text_put(to, text_str(&value));
        }
        text_fini(&value);
    }
    return is_put;
}

bool api_settings_write(size_t *at, const struct report *r, struct str path, struct text *to)
{
    const struct conf_node *root = r->status->snapshot->root;
    if (path.len > 0) {
        (void)conf_print_json(&settings_section, root, path, ELEMENTS_OF_ONE, to);
        return false;
    }
    if (put_row(at, root, to))
        return true;
    text_byte(to, '}');
    return false;
}
