// SPDX-License-Identifier: Apache-2.0
// Flags and variables of Traefik's as trees.
#include "base/ascii.h"
#include "dialect/traefik_static.h"
#include "dialect/traefik_tree.h"

static struct str lower(struct str s, struct arena *mem)
{
    struct str copy = arena_dup(mem, s);
    for (size_t i = 0; i < copy.len; i++)
        ((char *)(uintptr_t)copy.ptr)[i] = ascii_lower(copy.ptr[i]);
    return copy;
}

bool traefik_flags(char *const *words, struct conf_node *root, struct arena *mem,
                   struct diags *diags, struct str *ret_file)
{
    size_t n_errors = diags->n_errors;
    *ret_file = STR_NONE;
    for (size_t i = 0; words[i]; i++) {
        struct str word = str_of(words[i]), name, value;
        const struct place place = {
            .source = arena_printf(mem, "flag " STR_FMT, STR_ARG(str_first(word, 200))).ptr};
        if (!str_starts(word, STR("-"))) {
            diag_fail(diags, ERR_SYNTAX, place, "expected a flag such as --providers.docker");
            continue;
        }
        word = str_skip(word, str_starts(word, STR("--")) ? 2 : 1);
        // "--name value": what doesn't begin with a dash belongs to the flag before it.
        if (!str_cut(word, '=', &name, &value)) {
            bool has_value = words[i + 1] && words[i + 1][0] != '-';
            value = has_value ? str_of(words[++i]) : STR("true");
        }
        if (str_ieq(name, STR("configfile")))
            *ret_file = arena_dup(mem, value);
        else
            (void)!traefik_put(root, lower(name, mem), arena_dup(mem, value), place, mem, diags);
    }
    return diags->n_errors == n_errors;
}

bool traefik_environment(char *const *variables, struct conf_node *root, struct arena *mem,
                         struct diags *diags)
{
    size_t n_errors = diags->n_errors;
    for (size_t i = 0; variables[i]; i++) {
        struct str name, value;
        if (!str_cut(str_of(variables[i]), '=', &name, &value) ||
            !str_istarts(name, STR("TRAEFIK_")) || name.len == STR("TRAEFIK_").len)
            continue;
        const struct place place = {.source = arena_printf(mem, STR_FMT, STR_ARG(name)).ptr};
        struct str path = lower(str_skip(name, STR("TRAEFIK_").len), mem);
        for (size_t n = 0; n < path.len; n++) {
            if (path.ptr[n] == '_')
                ((char *)(uintptr_t)path.ptr)[n] = '.';
        }
        (void)!traefik_put(root, path, arena_dup(mem, value), place, mem, diags);
    }
    return diags->n_errors == n_errors;
}
