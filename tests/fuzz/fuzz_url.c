// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the policy. Property: a canonical path is a fixed point, has only pchar,
// '/' and well-formed escapes in upper case, and no dot segment. The target around it splits into
// slices of itself that put it together again.
#include "base/ascii.h"
#include "base/assert.h"
#include "codec/url.h"

static bool is_unreserved(char c)
{
    return ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || (c != '\0' && strchr("-._~", c));
}

static bool is_upper_hex(char c)
{
    return ascii_is(c, ASCII_DIGIT) || (c >= 'A' && c <= 'F');
}

static void check_bytes(struct str path)
{
    ASSERT(path.len > 0 && path.ptr[0] == '/');
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '%') {
            ASSERT(ascii_is(path.ptr[i], ASCII_PCHAR));
            continue;
        }
        ASSERT(i + 2 < path.len);
        ASSERT(is_upper_hex(path.ptr[i + 1]) && is_upper_hex(path.ptr[i + 2]));
        ASSERT(
            !is_unreserved((char)(ascii_hex(path.ptr[i + 1]) << 4 | ascii_hex(path.ptr[i + 2]))));
        i += 2;
    }
}

static void check_segments(struct str path, const struct url_path_policy *policy)
{
    struct str segment, rest = str_skip(path, 1);
    bool has_more;
    do {
        has_more = str_cut(rest, '/', &segment, &rest);
        ASSERT(policy->keep_dots || !(str_eq(segment, STR(".")) || str_eq(segment, STR(".."))));
        ASSERT(!policy->merge_slashes || !has_more || segment.len > 0);
    } while (has_more);
}

static void check_path(struct str raw, const struct url_path_policy *policy)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct str path, again;
    if (url_path_canon(raw, policy, &mem, &path) == ERR_OK) {
        check_bytes(path);
        check_segments(path, policy);
        if (!policy->allow_nul)
            ASSERT(str_search(path, STR("%00")) == STR_NPOS);
        if (policy->decode_slash || policy->reject_slash)
            ASSERT(str_search(path, STR("%2F")) == STR_NPOS);
        ASSERT(url_path_canon(path, policy, &mem, &again) == ERR_OK);
        ASSERT(str_eq(path, again));
        // A smaller arena changes nothing but the chance to fail.
        struct arena small;
        arena_init(&small, raw.len, NULL, 0);
        enum err err = url_path_canon(raw, policy, &small, &again);
        ASSERT(err == ERR_LIMIT || (err == ERR_OK && str_eq(path, again)));
        arena_fini(&small);
    }
    struct str decoded = url_decode(raw, true, &mem);
    ASSERT(decoded.len <= raw.len);
    arena_fini(&mem);
}

static void check_target(struct str in, const struct url_path_policy *policy)
{
    struct url_target t;
    if (url_target_parse(in, false, &t) != ERR_OK)
        return;
    size_t len = t.query.len + t.has_query;
    if (t.form == URL_ABSOLUTE)
        len += t.scheme.len + strlen("://") + t.authority.len;
    if (t.form == URL_ASTERISK)
        len = 1;
    bool has_path = t.path.ptr >= in.ptr && t.path.ptr < in.ptr + in.len;
    ASSERT(in.len == len + (has_path ? t.path.len : 0));
    if (t.form == URL_ORIGIN || t.form == URL_ABSOLUTE)
        check_path(t.path, policy);
    struct str name, value;
    while (url_query_next(&t.query, &name, &value))
        ASSERT(str_find(name, '&') == STR_NPOS && str_find(value, '&') == STR_NPOS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct url_path_policy policy = {
        .decode_slash = (data[0] & 1) != 0,
        .reject_slash = (data[0] & 2) != 0,
        .merge_slashes = (data[0] & 4) != 0,
        .keep_dots = (data[0] & 8) != 0,
        .allow_nul = (data[0] & 16) != 0,
    };
    struct str in = {(const char *)data + 1, size - 1};
    check_path(in, &policy);
    check_target(in, &policy);
    return 0;
}
