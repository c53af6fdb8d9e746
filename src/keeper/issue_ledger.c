// SPDX-License-Identifier: Apache-2.0
// A line per certificate: the time, and two numbers that stand for issuer and id. A line that was
// cut off by a sudden end is skipped.
#include "keeper/issue_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/text.h"
#include "rt/log.h"

#define FILE_NAME "ledger"
#define NEW_NAME ".ledger.new"
#define FILE_MAX_BYTES (4u << 20)

// Stays the same from process to process.
static uint64_t number_of(struct str s)
{
    uint64_t h = 14695981039346656037u; // FNV-1a, 64 bits
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 1099511628211u;
    return h;
}

static void remember(struct issue_ledger *l, struct issue_ledger_line line)
{
    if (l->n == l->cap) {
        l->cap = MAX(l->cap * 2, (size_t)64);
        l->lines = mem_resize(l->lines, l->cap, sizeof *l->lines);
    }
    l->lines[l->n++] = line;
}

static bool read_line(struct str line, struct issue_ledger_line *ret)
{
    struct str at, issuer, id, rest;
    uint64_t at_s;
    if (!str_cut(line, ' ', &at, &rest) || !str_cut(rest, ' ', &issuer, &id) ||
        num_dec(at, INT64_MAX, &at_s) != ERR_OK || num_dec(issuer, UINT64_MAX, &ret->issuer) != 0 ||
        num_dec(id, UINT64_MAX, &ret->id) != ERR_OK)
        return false;
    ret->at_s = (int64_t)at_s;
    return true;
}

static void read_lines(struct issue_ledger *l, int fd, int64_t now_s)
{
    char *bytes = mem_alloc_raw(FILE_MAX_BYTES);
    ssize_t n = pread(fd, bytes, FILE_MAX_BYTES, 0);
    struct str rest = {bytes, n > 0 ? (size_t)n : 0}, line;
    struct issue_ledger_line entry;
    while (rest.len > 0 && str_cut(rest, '\n', &line, &rest)) {
        if (read_line(line, &entry) && entry.at_s > now_s - ISSUE_LEDGER_WEEK_S)
            remember(l, entry);
    }
    mem_free(bytes);
}

static bool write_line(int fd, const struct issue_ledger_line *line)
{
    char text[80];
    int n = snprintf(text, sizeof text, "%" PRId64 " %" PRIu64 " %" PRIu64 "\n", line->at_s,
                     line->issuer, line->id);
    return write(fd, text, (size_t)n) == n;
}

void issue_ledger_read(struct issue_ledger *l, int folder, int64_t now_s)
{
    *l = (struct issue_ledger){.fd = -1};
    int fd = openat(folder, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    read_lines(l, fd, now_s);
    close(fd);
}

bool issue_ledger_open(struct issue_ledger *l, int folder, int64_t now_s)
{
    issue_ledger_read(l, folder, now_s);
    int fd = openat(folder, NEW_NAME,
                    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_fine = fd >= 0;
    for (size_t i = 0; is_fine && i < l->n; i++)
        is_fine = write_line(fd, &l->lines[i]);
    is_fine = is_fine && fsync(fd) == 0 && renameat(folder, NEW_NAME, folder, FILE_NAME) == 0;
    if (!is_fine && fd >= 0)
        close(fd);
    l->fd = is_fine ? fd : -1;
    return is_fine;
}

void issue_ledger_close(struct issue_ledger *l)
{
    if (l->fd >= 0)
        close(l->fd);
    mem_free(l->lines);
    *l = (struct issue_ledger){.fd = -1};
}

void issue_ledger_add(struct issue_ledger *l, struct str issuer, struct str id, int64_t now_s)
{
    struct issue_ledger_line line = {
        .at_s = now_s, .issuer = number_of(issuer), .id = number_of(id)};
    remember(l, line);
    if (!write_line(l->fd, &line) || fdatasync(l->fd) != 0)
        log_warn("the ledger of certificates can't be written: %s", strerrordesc_np(errno));
}

// When fewer than max of those that fn counts are in the time.
static int64_t room_at_s(const struct issue_ledger *l, int64_t now_s, int64_t time_s, size_t max,
                         uint64_t issuer, const uint64_t *id)
{
    size_t n = 0;
    for (size_t i = l->n; i-- > 0;) {
        const struct issue_ledger_line *line = &l->lines[i];
        if (line->at_s <= now_s - time_s)
            break;
        if (line->issuer == issuer && (!id || line->id == *id) && ++n == max)
            return line->at_s + time_s;
    }
    return now_s;
}

int64_t issue_ledger_allows_s(const struct issue_ledger *l, struct str issuer, struct str id,
                              int64_t now_s)
{
    uint64_t of_issuer = number_of(issuer), of_id = number_of(id);
    int64_t room_s =
        room_at_s(l, now_s, ISSUE_LEDGER_ISSUER_S, ISSUE_LEDGER_PER_ISSUER, of_issuer, NULL);
    if (room_s > now_s) // then there is no need to look through a week for each id
        return room_s;
    return room_at_s(l, now_s, ISSUE_LEDGER_WEEK_S, ISSUE_LEDGER_PER_ID, of_issuer, &of_id);
}

int64_t issue_ledger_next_s(const struct issue_ledger *l, struct str issuer, struct str id,
                            int64_t after_s)
{
    uint64_t of_issuer = number_of(issuer), of_id = number_of(id);
    for (size_t i = 0; i < l->n; i++) {
        const struct issue_ledger_line *line = &l->lines[i];
        if (line->at_s > after_s && line->issuer == of_issuer && line->id == of_id)
            return line->at_s;
    }
    return 0;
}
