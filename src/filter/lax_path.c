// SPDX-License-Identifier: Apache-2.0
#include "filter/lax_path.h"

#include "base/ascii.h"

// The byte at the start of s, or the one that an escape there stands for, if it is one of those
// that servers read differently; 0: neither. *ret_n: how many bytes that takes.
static char special_at(struct str s, size_t *ret_n)
{
    static const char specials[] = {'/', '\\', ';'};
    bool is_escape =
        s.len >= 3 && s.ptr[0] == '%' && ascii_hex(s.ptr[1]) >= 0 && ascii_hex(s.ptr[2]) >= 0;
    char c = is_escape ? (char)(ascii_hex(s.ptr[1]) << 4 | ascii_hex(s.ptr[2])) : s.ptr[0];
    *ret_n = is_escape ? 3 : 1;
    for (size_t i = 0; i < sizeof specials; i++) {
        if (c == specials[i])
            return c;
    }
    return '\0';
}

static bool is_plain(struct str path)
{
    size_t n;
    bool was_slash = false;
    for (struct str rest = path; rest.len > 0; rest = str_skip(rest, 1)) {
        char c = special_at(rest, &n);
        bool is_slash = c == '/' && n == 1;
        if ((c != '\0' && !is_slash) || (is_slash && was_slash))
            return false;
        was_slash = is_slash;
    }
    return true;
}

// Cuts the next segment off: up to a separator, without its parameters.
static struct str cut_segment(struct str *rest)
{
    struct str segment = *rest;
    bool has_parameters = false;
    size_t at = 0, n = 0;
    for (; at < rest->len; at += n) {
        char c = special_at(str_skip(*rest, at), &n);
        if (c == ';' && !has_parameters) {
            segment.len = at;
            has_parameters = true;
        }
        if (c == '/' || c == '\\')
            break;
    }
    if (!has_parameters)
        segment.len = at;
    *rest = str_skip(*rest, at < rest->len ? at + n : at);
    return segment;
}

struct str lax_path(struct str path, struct arena *mem)
{
    if (is_plain(path))
        return path;
    char *out = ARENA_ARRAY(mem, char, path.len + 1);
    if (!out)
        return STR_NONE;
    size_t n = 0;
    for (struct str rest = path; rest.len > 0;) {
        struct str segment = cut_segment(&rest);
        if (str_eq(segment, STR(".."))) {
            while (n > 0 && out[--n] != '/')
                continue;
        } else if (segment.len > 0 && !str_eq(segment, STR("."))) {
            out[n++] = '/';
            n = (size_t)(str_copy(out + n, segment) - out);
        }
    }
    if (n == 0)
        out[n++] = '/';
    return str_from(out, n);
}
