// SPDX-License-Identifier: Apache-2.0
#include "cli/lenient.h"

#include "rt/file.h"

#define FILE_MAX_BYTES (64u << 20)

struct conf_node *lenient_tree(const char *path, struct arena *mem, struct diags *diags)
{
    struct str text;
    const char *why = "it is standard input";
    if (str_eq(str_of(path), STR("-")) ||
        file_read(path, FILE_MAX_BYTES, mem, &text, &why) != ERR_OK) {
        diag_fail(diags, ERR_SYSTEM, (struct place){.source = path},
                  "the settings can't be read: %s", why);
        return NULL;
    }
    return conf_yaml_parse(text, path, mem, diags);
}

enum lenient_control lenient_control(const struct conf_node *root, struct str *ret_path)
{
    const struct conf_node *control =
        root->kind == CONF_NODE_MAP ? conf_node_get(root, STR("control")) : NULL;
    if (!control)
        return LENIENT_CONTROL_UNSAID;
    if (control->kind == CONF_NODE_MAP)
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
