// SPDX-License-Identifier: Apache-2.0
// Whatever happens to one of the files, both are read again, and what they say is compared.
#include "keeper/names.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/dns_files.h"
#include "rt/file.h"
#include "rt/log.h"
#include "rt/watch.h"

#define MEM_MAX_BYTES ((size_t)8 << 20)

struct names {
    char *resolv_conf;   // owns: a path
    char *hosts;         // owns: a path
    struct watch *watch; // owns
    struct text packed;  // what the files said last
};

static void watch_all(const struct names *n)
{
    watch_add(n->watch, n->resolv_conf);
    watch_add(n->watch, n->hosts);
}

static struct text read_files(const struct names *n)
{
    struct arena mem;
    struct dns_files files;
    struct text packed = {.ptr = NULL};
    const char *why = NULL;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (!dns_files_read(n->resolv_conf, n->hosts, &mem, &files, &why))
        log_warn("%s or %s can't be read and counts as empty: %s", n->resolv_conf, n->hosts, why);
    dns_files_pack(&files, &packed);
    arena_fini(&mem);
    return packed;
}

// While one is missing, it is being replaced: its coming is another event.
static bool are_there(const struct names *n)
{
    return access(n->resolv_conf, F_OK) == 0 && access(n->hosts, F_OK) == 0;
}

static bool read_again(struct names *n)
{
    watch_all(n); // links may lead elsewhere, and the files are other ones
    if (!are_there(n))
        return false;
    struct text now = read_files(n);
    bool is_new = !str_eq(text_str(&now), text_str(&n->packed));
    if (is_new) {
        text_fini(&n->packed);
        n->packed = now;
    } else {
        text_fini(&now);
    }
    return is_new;
}

// --- for the keeper ---

struct names *names_new_at(const char *resolv_conf, const char *hosts)
{
    struct names *n = MEM_NEW(struct names);
    n->resolv_conf = mem_copy(resolv_conf, strlen(resolv_conf));
    n->hosts = mem_copy(hosts, strlen(hosts));
    n->watch = watch_new();
    if (watch_fd(n->watch) < 0)
        log_warn("changes of %s and %s won't be seen: %s", resolv_conf, hosts, strerror(errno));
    watch_all(n); // before reading: nothing is missed between
    n->packed = read_files(n);
    return n;
}

struct names *names_new(void)
{
    return names_new_at(DNS_RESOLV_CONF, DNS_HOSTS);
}

void names_free(struct names *n)
{
    if (!n)
        return;
    watch_free(n->watch);
    text_fini(&n->packed);
    mem_free(n->resolv_conf);
    mem_free(n->hosts);
    mem_free(n);
}

int names_fd(const struct names *n)
{
    return watch_fd(n->watch);
}

bool names_look(struct names *n)
{
    return watch_look(n->watch) && read_again(n);
}

int names_packed(const struct names *n)
{
    return file_sealed("sallyport names", text_str(&n->packed));
}
