// SPDX-License-Identifier: Apache-2.0
#include "rt/dns_files.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "codec/hosts.h"
#include "rt/file.h"

#define RESOLV_CONF_MAX_BYTES 65536
#define MAGIC 0x6e616d65u // and the version of the form

struct header {
    uint32_t magic;
    uint32_t resolv_conf_bytes;
    uint32_t hosts_bytes;
};

static bool read_one(const char *path, size_t max_bytes, struct arena *mem, struct str *ret,
                     const char **ret_why)
{
    *ret = STR_NONE;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    return file_read(path, max_bytes, mem, ret, ret_why) == ERR_OK;
}

bool dns_files_read(const char *resolv_conf, const char *hosts, struct arena *mem,
                    struct dns_files *ret, const char **ret_why)
{
    bool is_fine = read_one(hosts, HOSTS_TEXT_MAX_BYTES, mem, &ret->hosts, ret_why);
    return read_one(resolv_conf, RESOLV_CONF_MAX_BYTES, mem, &ret->resolv_conf, ret_why) && is_fine;
}

void dns_files_pack(const struct dns_files *f, struct text *to)
{
    struct header h = {
        .magic = MAGIC,
        .resolv_conf_bytes = (uint32_t)f->resolv_conf.len,
        .hosts_bytes = (uint32_t)f->hosts.len,
    };
    text_put(to, str_from((const char *)&h, sizeof h));
    text_put(to, f->resolv_conf);
    text_put(to, f->hosts);
}

bool dns_files_unpack(struct str bytes, struct dns_files *ret)
{
    struct header h;
    if (bytes.len < sizeof h)
        return false;
    memcpy(&h, bytes.ptr, sizeof h);
    bytes = str_skip(bytes, sizeof h);
    if (h.magic != MAGIC || h.resolv_conf_bytes > RESOLV_CONF_MAX_BYTES ||
        h.hosts_bytes > HOSTS_TEXT_MAX_BYTES ||
        bytes.len != (size_t)h.resolv_conf_bytes + h.hosts_bytes)
        return false;
    *ret = (struct dns_files){.resolv_conf = str_first(bytes, h.resolv_conf_bytes),
                              .hosts = str_skip(bytes, h.resolv_conf_bytes)};
    return true;
}
