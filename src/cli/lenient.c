// SPDX-License-Identifier: Apache-2.0
#include "cli/lenient.h"

#include <string.h>

#include "rt/file.h"

#define FILE_MAX_BYTES (64u << 20)

// The lines from "key:" to the next one that isn't indented.
static struct str cut_block(struct str text, struct str key)
{
    struct str rest = text, line;
    while (rest.len > 0) {
        struct str begin = rest;
        str_cut(rest, '\n', &line, &rest);
        if (!str_starts(line, key) || !str_starts(str_skip(line, key.len), STR(":")))
            continue;
        while (rest.len > 0 && strchr(" \t\r\n#", rest.ptr[0]))
            str_cut(rest, '\n', NULL, &rest);
        return str_first(begin, begin.len - rest.len);
    }
    return STR_NONE;
}

static struct conf_node *find_key(const struct conf_node *root, struct str key)
{
    return root && root->kind == CONF_NODE_MAP ? conf_node_get(root, key) : NULL;
}

struct conf_node *lenient_find_in(struct str text, const char *source, struct str key,
                                  struct arena *mem, struct diags *diags)
{
    struct conf_node *root = conf_yaml_parse(text, source, mem, diags);
    if (root)
        return find_key(root, key);
    struct diags ignored = {.n = 0};
    root = conf_yaml_parse(cut_block(text, key), source, mem, &ignored);
    diags_fini(&ignored);
    return find_key(root, key);
}

struct conf_node *lenient_find(const char *path, struct str key, struct arena *mem,
                               struct diags *diags)
{
    struct str text;
    const char *why = "it is standard input";
    if (!str_eq(str_of(path), STR("-")) &&
        file_read(path, FILE_MAX_BYTES, mem, &text, &why) == ERR_OK)
        return lenient_find_in(text, path, key, mem, diags);
    diag_fail(diags, ERR_SYSTEM, (struct place){.source = path}, "the settings can't be read: %s",
              why);
    return NULL;
}

enum lenient_control lenient_control(const struct conf_node *control, struct str *ret_path)
{
    if (control && control->kind == CONF_NODE_MAP)
        control = conf_node_get(control, STR("socket"));
    if (!control || control->kind != CONF_NODE_SCALAR || control->text.len == 0)
        return LENIENT_CONTROL_UNSAID;
    if (str_starts(control->text, STR("/"))) {
        *ret_path = control->text;
        return LENIENT_CONTROL_PATH;
    }
    bool is_off = str_ieq(control->text, STR("off")) || str_ieq(control->text, STR("no")) ||
                  str_ieq(control->text, STR("false"));
    return is_off ? LENIENT_CONTROL_OFF : LENIENT_CONTROL_UNSAID;
}
