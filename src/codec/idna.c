// SPDX-License-Identifier: Apache-2.0
#include "codec/idna.h"

#include <idn2.h>

#include "codec/url.h"

// Longer than any text in UTF-8 whose A-labels fit into 253 bytes.
#define NAME_MAX_BYTES 1024

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((uint8_t)s.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

static enum err fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return ERR_SYNTAX;
}

// Maps name (UTF-8) to A-labels in mem.
static enum err convert(struct str name, struct arena *mem, struct str *ret, const char **ret_why)
{
    struct str in = arena_dup(mem, name);
    if (!in.ptr)
        return fail(ret_why, "the name is too long");
    char *labels = NULL;
    int rc = idn2_to_ascii_8z(in.ptr, &labels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc != IDN2_OK)
        return fail(ret_why, idn2_strerror(rc));
    *ret = arena_dup(mem, str_of(labels));
    idn2_free(labels);
    return ret->ptr ? ERR_OK : fail(ret_why, "the name is too long");
}

enum err idna_to_ascii(struct str name, struct arena *mem, struct str *ret, const char **ret_why)
{
    if (name.len > NAME_MAX_BYTES)
        return fail(ret_why, "the name is too long");
    if (str_find(name, '\0') != STR_NPOS)
        return fail(ret_why, "the name has a zero byte");
    struct str prefix = str_starts(name, STR("*.")) ? STR("*.") : STR_NONE;
    struct str host = str_skip(name, prefix.len);
    // What is ASCII stays out of the library: its rules refuse names that are in use in private
    // networks, such as "my_app.local" and "r3---x.example".
    if (!is_ascii(host)) {
        enum err err = convert(host, mem, &host, ret_why);
        if (err != ERR_OK)
            return err;
    }
    // The mapping can make other bytes than letters ("℀" is "a/c"), so the check comes last.
    struct url_authority authority;
    if (url_authority_parse(host, &authority) != ERR_OK || authority.host.len != host.len)
        return fail(ret_why, "a name has letters, digits, '-' and '_' in labels of 1 to 63 bytes, "
                             "253 bytes in all");
    char *canon = ARENA_ARRAY(mem, char, host.len);
    if (!canon)
        return fail(ret_why, "the name is too long");
    *ret = arena_concat(mem, prefix, url_host_canon(host, canon), STR_NONE);
    return ret->ptr ? ERR_OK : fail(ret_why, "the name is too long");
}
