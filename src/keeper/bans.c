// SPDX-License-Identifier: Apache-2.0
#include "keeper/bans.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "certs/disk.h"
#include "keeper/ban_file.h"
#include "keeper/to_json.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"

#define FILE_NAME "bans"
#define FILE_MAX_BYTES ((size_t)256 << 20)
#define WRITE_AFTER_MS 2000 // a flood of bans is written together
#define LOOK_EVERY_MS 1000
#define BANS_MAX 1000000 // before settings are there
#define DAY_S 86400

void keeper_bans_init(struct keeper_bans *b)
{
    *b = (struct keeper_bans){.looked_s = clock_wall_s()};
    ban_book_init(&b->book, BANS_MAX);
}

// False with errno: there is no such folder, or it isn't ours.
static bool write_file(const struct keeper_bans *b)
{
    struct text t = {.ptr = NULL};
    int folder = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    ban_file_write(&b->book, &t);
    bool is_written = disk_replace(folder, FILE_NAME, str_from(t.ptr, t.len));
    disk_close(folder);
    text_fini(&t);
    return is_written;
}

static void save(struct keeper_bans *b)
{
    if (!b->is_changed || !b->folder)
        return;
    b->is_changed = false;
    if (!write_file(b) && errno != ENOENT)
        log_error("bans can't be written to %s/%s: %s", b->folder, FILE_NAME, strerror(errno));
}

void keeper_bans_fini(struct keeper_bans *b)
{
    save(b);
    ban_book_fini(&b->book);
    mem_free(b->folder);
}

static void read_file(struct keeper_bans *b)
{
    struct text t = {.ptr = NULL};
    int folder = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    if (!disk_read(folder, FILE_NAME, FILE_MAX_BYTES, &t))
        log_error("bans can't be read from %s/%s: %s", b->folder, FILE_NAME, strerror(errno));
    disk_close(folder);
    unsigned line = ban_file_read(str_from(t.ptr, t.len), clock_wall_s(), &b->book);
    if (line > 0)
        log_error("%s/%s:%u: no ban; those behind it are lost", b->folder, FILE_NAME, line);
    text_fini(&t);
}

static void changed(struct keeper_bans *b)
{
    if (!b->is_changed)
        b->write_at_ms = clock_now_ms() + WRITE_AFTER_MS;
    b->is_changed = true;
}

void keeper_bans_use(struct keeper_bans *b, const char *folder, size_t max)
{
    ban_book_set_max(&b->book, max);
    if (b->folder && strcmp(b->folder, folder) == 0)
        return;
    mem_free(b->folder);
    b->folder = mem_copy(folder, strlen(folder));
    if (b->is_known)
        changed(b);
    else
        read_file(b);
    b->is_known = true;
}

static void put_time(int64_t seconds, char *buf, size_t n)
{
    if (seconds % DAY_S == 0)
        snprintf(buf, n, "%lld d", (long long)(seconds / DAY_S));
    else if (seconds % 3600 == 0)
        snprintf(buf, n, "%lld h", (long long)(seconds / 3600));
    else if (seconds % 60 == 0)
        snprintf(buf, n, "%lld min", (long long)(seconds / 60));
    else
        snprintf(buf, n, "%lld s", (long long)seconds);
}

static void put_net(const struct ip_net *net, char buf[static 64])
{
    char ip[46];
    bool is_one = net->bits == (net->ip.family == 4 ? 32 : 128);
    int n = snprintf(buf, 64, STR_FMT, STR_ARG(ip_text(&net->ip, ip)));
    if (!is_one)
        snprintf(buf + n, (size_t)(64 - n), "/%u", net->bits);
}

bool keeper_bans_put(struct keeper_bans *b, const struct ban *ban)
{
    char net[64], time[32];
    if (!ban_is_sound(ban))
        return false;
    ban_book_put(&b->book, ban);
    changed(b);
    put_net(&ban->net, net);
    put_time(ban->until_s - ban->began_s, time, sizeof time);
    log_info("ban: %s is banned for %s by %.*s (ban no. %u)", net, time, (int)ban->by_bytes,
             ban->by, ban->times);
    return true;
}

bool keeper_bans_remove(struct keeper_bans *b, const struct ip_net *net)
{
    char text[64];
    const struct ban *ban = ban_book_find(&b->book, net);
    bool holds = ban && ban->until_s > clock_wall_s();
    (void)ban_book_remove(&b->book, net);
    changed(b);
    put_net(net, text);
    if (holds)
        log_info("ban: %s isn't banned any more: the ban was removed", text);
    return holds;
}

bool keeper_bans_order(struct str net, int64_t seconds, struct str by, struct ban *ret,
                       const char **ret_why)
{
    *ret = (struct ban){.began_s = clock_wall_s(), .times = 1};
    enum err err = ip_net_parse(net, &ret->net);
    *ret_why = err == ERR_RANGE ? "the network has bits set behind its prefix"
                                : "that is neither an address nor a network like 192.0.2.0/24";
    if (err != ERR_OK)
        return false;
    ret->until_s = ret->keep_s = ret->began_s + seconds;
    ret->by_bytes = (uint8_t)MIN(by.len, sizeof ret->by);
    memcpy(ret->by, by.ptr, ret->by_bytes);
    *ret_why = "the time or the reason can't be: a reason is printable ASCII";
    return seconds > 0 && ban_is_sound(ret);
}

static void put_bytes(void *arg, const struct ban *ban)
{
    text_put(arg, str_from((const char *)ban, sizeof *ban));
}

int keeper_bans_pack(const struct keeper_bans *b)
{
    struct text t = {.ptr = NULL};
    ban_book_each(&b->book, put_bytes, &t);
    int fd = file_sealed("bans", str_from(t.ptr, t.len));
    text_fini(&t);
    return fd;
}

struct report {
    json_t *list;
    int64_t now_s;
};

static void add_report(void *arg, const struct ban *ban)
{
    struct report *r = arg;
    char net[64];
    if (ban->until_s <= r->now_s)
        return;
    put_net(&ban->net, net);
    json_array_append_new(
        r->list, json_pack("{s:s, s:o, s:o, s:I, s:o}", "network", net, "since",
                           to_json_time(ban->began_s), "until", to_json_time(ban->until_s), "times",
                           (json_int_t)ban->times, "by", json_stringn(ban->by, ban->by_bytes)));
}

json_t *keeper_bans_report(const struct keeper_bans *b)
{
    struct report r = {.list = json_array(), .now_s = clock_wall_s()};
    ban_book_each(&b->book, add_report, &r);
    return r.list;
}

struct ending {
    int64_t after_s, until_s;
};

static void tell_end(void *arg, const struct ban *ban)
{
    const struct ending *e = arg;
    char net[64];
    if (ban->until_s <= e->after_s || ban->until_s > e->until_s)
        return;
    put_net(&ban->net, net);
    log_info("ban: %s isn't banned any more: the time is over", net);
}

void keeper_bans_do_what_is_due(struct keeper_bans *b, int64_t now_ms, int64_t *next_ms)
{
    if (b->is_changed && now_ms >= b->write_at_ms)
        save(b);
    if (b->book.n > 0 && now_ms >= b->look_at_ms) {
        struct ending e = {.after_s = b->looked_s, .until_s = clock_wall_s()};
        ban_book_each(&b->book, tell_end, &e);
        ban_book_forget(&b->book, e.until_s);
        b->looked_s = e.until_s;
        b->look_at_ms = now_ms + LOOK_EVERY_MS;
    }
    if (b->is_changed)
        *next_ms = MIN(*next_ms, b->write_at_ms);
    if (b->book.n > 0)
        *next_ms = MIN(*next_ms, b->look_at_ms);
}

void keeper_bans_restore(struct keeper_bans *b, struct str text)
{
    (void)ban_file_read(text, clock_wall_s(), &b->book);
    b->is_known = true;
    changed(b);
}
