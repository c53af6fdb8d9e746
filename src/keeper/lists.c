// SPDX-License-Identifier: Apache-2.0
#include "keeper/lists.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/mem.h"
#include "rt/file.h"

#define FILE_MAX_BYTES (64u << 20)

static const struct {
    struct str name, text;
} built_in[] = {
    {STR_INIT("loopback"), STR_INIT("127.0.0.0/8\n::1\n")},
    {STR_INIT("private"),
     STR_INIT("127.0.0.0/8\n::1\n"                          // this machine
              "10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\n" // RFC 1918
              "fc00::/7\n"                                  // RFC 4193
              "169.254.0.0/16\nfe80::/10\n"                 // RFC 3927, RFC 4291 2.5.6
              "100.64.0.0/10\n")},                          // RFC 6598
};

static bool read_from(struct str folder, struct str name, struct arena *mem, struct str *ret,
                      struct str *ret_path, const char **ret_why)
{
    struct str path = arena_printf(mem, STR_FMT "/" STR_FMT ".txt", STR_ARG(folder), STR_ARG(name));
    char *text = mem_copy(path.ptr, path.len);
    bool is_there = access(text, F_OK) == 0;
    if (is_there && file_read(text, FILE_MAX_BYTES, mem, ret, ret_why) == ERR_OK)
        *ret_path = path;
    mem_free(text);
    return is_there;
}

// The folder of those that come with the program; the variable is for builds that aren't installed.
static struct str shipped(struct arena *mem)
{
    const char *data = getenv("SALLYPORT_DATA");
    return arena_concat(mem, str_of(data ? data : SALLYPORT_DATA), STR("/lists"), STR_NONE);
}

bool lists_read(struct str own, struct str name, struct arena *mem, struct str *ret,
                struct str *ret_path, const char **ret_why)
{
    *ret_why = NULL;
    *ret_path = STR_NONE;
    if (read_from(own, name, mem, ret, ret_path, ret_why) ||
        read_from(shipped(mem), name, mem, ret, ret_path, ret_why))
        return *ret_why == NULL;
    for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
        if (str_eq(name, built_in[i].name)) {
            *ret = built_in[i].text;
            return true;
        }
    }
    struct str why =
        arena_printf(mem,
                     "there is no such list: neither " STR_FMT "/" STR_FMT ".txt nor " STR_FMT
                     "/" STR_FMT ".txt is there, and `private` and "
                     "`loopback` are all that is built in%c",
                     STR_ARG(own), STR_ARG(name), STR_ARG(shipped(mem)), STR_ARG(name), 0);
    *ret_why = why.ptr ? why.ptr : "there is no such list";
    return false;
}
