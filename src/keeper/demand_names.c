// SPDX-License-Identifier: Apache-2.0
#include "keeper/demand_names.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "certs/disk.h"
#include "gate/demand.h"

#define FILE_NAME "demand"
#define NAMES_MAX 20000u
#define FILE_MAX_BYTES ((size_t)NAMES_MAX * 280)

struct demand_name *demand_names_find(const struct demand_names *d, struct str name)
{
    for (size_t i = 0; i < d->n; i++) {
        if (str_eq(str_of(d->items[i].name), name))
            return &d->items[i];
    }
    return NULL;
}

void demand_names_add(struct demand_names *d, struct str name, int64_t now_s)
{
    if (d->n == d->cap) {
        d->cap = MAX(d->cap * 2, (size_t)16);
        d->items = mem_resize(d->items, d->cap, sizeof *d->items);
    }
    d->items[d->n++] = (struct demand_name){.name = mem_copy(name.ptr, name.len), .used_s = now_s};
    d->is_dirty = true;
}

void demand_names_remove(struct demand_names *d, struct demand_name *item)
{
    mem_free(item->name);
    *item = d->items[--d->n];
    d->is_dirty = true;
}

void demand_names_close(struct demand_names *d)
{
    for (size_t i = 0; i < d->n; i++)
        mem_free(d->items[i].name);
    mem_free(d->items);
    *d = (struct demand_names){.n = 0};
}

// --- the file ---

static bool parse_line(struct demand_names *d, struct str line)
{
    struct str name, used;
    uint64_t used_s;
    if (!str_cut(line, ' ', &name, &used) || !demand_is_name(name) ||
        num_dec(used, INT64_MAX, &used_s) != ERR_OK || d->n == NAMES_MAX ||
        demand_names_find(d, name))
        return false;
    demand_names_add(d, name, (int64_t)used_s);
    return true;
}

bool demand_names_parse(struct demand_names *d, struct str bytes)
{
    struct str line;
    bool is_fine = true;
    for (struct str rest = bytes; is_fine && rest.len > 0;)
        is_fine = str_cut(rest, '\n', &line, &rest) && parse_line(d, line);
    d->is_dirty = false;
    if (!is_fine)
        demand_names_close(d);
    return is_fine;
}

void demand_names_write(const struct demand_names *d, struct text *to)
{
    for (size_t i = 0; i < d->n; i++)
        text_printf(to, "%s %lld\n", d->items[i].name, (long long)d->items[i].used_s);
}

bool demand_names_save(struct demand_names *d, int folder)
{
    struct text bytes = {.ptr = NULL};
    if (!d->is_dirty)
        return true;
    demand_names_write(d, &bytes);
    d->is_dirty = !disk_replace(folder, FILE_NAME, text_str(&bytes));
    text_fini(&bytes);
    return !d->is_dirty;
}

bool demand_names_open(struct demand_names *d, int folder, const char **ret_why)
{
    struct text bytes = {.ptr = NULL};
    *d = (struct demand_names){.n = 0};
    bool is_read = disk_read(folder, FILE_NAME, FILE_MAX_BYTES, &bytes);
    *ret_why = is_read ? "it makes no sense" : strerrordesc_np(errno);
    bool is_fine = is_read && demand_names_parse(d, text_str(&bytes));
    text_fini(&bytes);
    return is_fine;
}
