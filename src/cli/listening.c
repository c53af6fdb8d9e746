// SPDX-License-Identifier: Apache-2.0
#include "cli/listening.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/num.h"
#include "rt/file.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)
#define STATE_LISTEN STR("0A")

// --- the kernel's lists ---

static struct str next_word(struct str *rest)
{
    struct str word;
    while (rest->len > 0 && rest->ptr[0] == ' ')
        *rest = str_skip(*rest, 1);
    (void)str_cut(*rest, ' ', &word, rest);
    return word;
}

// The kernel writes each 32 bits of an address as a number of the machine's own byte order.
static bool read_address(struct str hex, bool is_ipv6, struct ip *ret)
{
    size_t n_words = is_ipv6 ? 4 : 1;
    *ret = (struct ip){.family = is_ipv6 ? 6 : 4};
    if (hex.len != n_words * 8)
        return false;
    for (size_t i = 0; i < n_words; i++) {
        uint64_t value;
        if (num_hex(str_from(hex.ptr + i * 8, 8), UINT32_MAX, &value) != ERR_OK)
            return false;
        uint32_t word = (uint32_t)value;
        memcpy(ret->bytes + i * 4, &word, sizeof word);
    }
    return true;
}

//  sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
static bool read_line(struct str line, bool is_ipv6, struct listening_socket *ret)
{
    struct str address, port;
    uint64_t number;
    (void)next_word(&line);
    struct str local = next_word(&line);
    (void)next_word(&line);
    struct str state = next_word(&line);
    for (int i = 0; i < 5; i++)
        (void)next_word(&line);
    *ret = (struct listening_socket){.pid = 0};
    if (!str_eq(state, STATE_LISTEN) || !str_cut(local, ':', &address, &port) ||
        !read_address(address, is_ipv6, &ret->address) ||
        num_hex(port, UINT16_MAX, &number) != ERR_OK)
        return false;
    ret->port = (uint16_t)number;
    return num_dec(next_word(&line), UINT64_MAX, &ret->inode) == ERR_OK;
}

static void add(struct listening *l, const struct listening_socket *item)
{
    if (l->n == l->cap) {
        l->cap = MAX(l->cap * 2, (size_t)32);
        l->items = mem_resize(l->items, l->cap, sizeof *l->items);
    }
    l->items[l->n++] = *item;
}

void listening_read(struct listening *l, struct str text, bool is_ipv6)
{
    struct str line;
    struct listening_socket item;
    while (text.len > 0) {
        (void)str_cut(text, '\n', &line, &text);
        if (read_line(line, is_ipv6, &item))
            add(l, &item);
    }
}

// --- whose they are ---

static void read_name(int proc, const char *pid, char ret[static 16])
{
    char path[64];
    snprintf(path, sizeof path, "%.20s/comm", pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, ret, 15) : 0;
    if (fd >= 0)
        close(fd);
    ret[MAX(n, (ssize_t)0)] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

static void claim(struct listening *l, uint64_t inode, pid_t pid, int proc, const char *pid_text)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].inode != inode || l->items[i].pid != 0)
            continue;
        l->items[i].pid = pid;
        read_name(proc, pid_text, l->items[i].name);
    }
}

// "socket:[12345]".
static bool read_inode(int folder, const char *name, uint64_t *ret)
{
    static const struct str begin = STR_INIT("socket:[");
    char target[64];
    ssize_t n = readlinkat(folder, name, target, sizeof target);
    struct str s = str_from(target, n > 0 ? (size_t)n : 0);
    return str_starts(s, begin) && str_ends(s, STR("]")) &&
           num_dec(str_from(s.ptr + begin.len, s.len - begin.len - 1), UINT64_MAX, ret) == ERR_OK;
}

static void look_at_process(struct listening *l, int proc, const char *pid_text, pid_t pid)
{
    char path[64];
    struct dirent *e;
    uint64_t inode;
    snprintf(path, sizeof path, "%.20s/fd", pid_text);
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    while (folder && (e = readdir(folder)) != NULL) {
        if (read_inode(fd, e->d_name, &inode))
            claim(l, inode, pid, proc, pid_text);
    }
    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
}

static void look_at_processes(struct listening *l)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    uint64_t pid;
    while (proc && (e = readdir(proc)) != NULL) {
        if (num_dec(str_of(e->d_name), INT32_MAX, &pid) == ERR_OK && pid > 0)
            look_at_process(l, dirfd(proc), e->d_name, (pid_t)pid);
    }
    if (proc)
        closedir(proc);
}

bool listening_look(struct listening *l)
{
    struct arena mem;
    struct str text;
    const char *why;
    *l = (struct listening){.n = 0};
    arena_init(&mem, FILE_MAX_BYTES * 3, NULL, 0);
    bool is_read = file_read("/proc/net/tcp", FILE_MAX_BYTES, &mem, &text, &why) == ERR_OK;
    if (is_read)
        listening_read(l, text, false);
    if (file_read("/proc/net/tcp6", FILE_MAX_BYTES, &mem, &text, &why) == ERR_OK)
        listening_read(l, text, true);
    arena_fini(&mem);
    if (is_read)
        look_at_processes(l);
    return is_read;
}

void listening_fini(struct listening *l)
{
    mem_free(l->items);
    *l = (struct listening){.n = 0};
}

static bool is_any(const struct ip *ip)
{
    static const struct ip none;
    return memcmp(ip->bytes, none.bytes, sizeof ip->bytes) == 0;
}

const struct listening_socket *listening_find(const struct listening *l, const struct ip *address,
                                              uint16_t port)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct listening_socket *s = &l->items[i];
        bool is_there = s->address.family == address->family &&
                        (is_any(&s->address) || is_any(address) || ip_eq(&s->address, address));
        // A socket for all of IPv6 takes IPv4 as well, as a rule.
        bool is_dual = s->address.family == 6 && address->family == 4 && is_any(&s->address);
        if (s->port == port && (is_there || is_dual))
            return s;
    }
    return NULL;
}
