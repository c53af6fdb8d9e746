// SPDX-License-Identifier: Apache-2.0
// Each look makes the list of what is wanted anew. What looks on disk as it did (the same file,
// size and times) is taken over from the list before; the rest is read.
#include "certs/files.h"

#include <sys/stat.h>

#include "base/map.h"
#include "base/mem.h"
#include "certs/folder.h"
#include "rt/file.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define READ_MEM_MAX_BYTES ((size_t)16 << 20)
#define ITEM_MEM_MAX_BYTES ((size_t)2 << 20)
#define LIST_MEM_MAX_BYTES ((size_t)256 << 20)

// What tells a changed file from an unchanged one.
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed, modified;
};

struct item {
    struct certs_file file; // its texts in mem
    struct str name;        // in mem: paths of certificate and key
    struct stamp stamps[2];
    struct arena mem; // holds a secret
};

struct certs_files {
    struct watch *watch; // owns
    struct arena wishes_mem;
    struct certs_file_wish *wishes; // in wishes_mem
    size_t n_wishes;
    struct item **items; // owns, and each of them
    size_t n_items;
};

static struct stamp stamp_of(const char *path)
{
    struct stat st;
    struct stamp s;
    memset(&s, 0, sizeof s); // compared as bytes
    if (path && stat(path, &st) == 0) {
        s.dev = st.st_dev;
        s.ino = st.st_ino;
        s.size = st.st_size;
        s.changed = st.st_ctim;
        s.modified = st.st_mtim;
    }
    return s;
}

static void free_item(struct item *item)
{
    if (!item)
        return;
    arena_wipe(&item->mem);
    mem_free(item);
}

static struct item *new_item(const struct certs_found *found)
{
    struct item *item = MEM_NEW(struct item);
    arena_init(&item->mem, ITEM_MEM_MAX_BYTES, NULL, 0);
    item->file.path = arena_dup(&item->mem, found->cert);
    item->file.is_default = found->is_default;
    item->name = arena_dup(&item->mem, found->name);
    if (!found->why) {
        item->stamps[0] = stamp_of(found->cert.ptr);
        item->stamps[1] = stamp_of(found->key.ptr);
    }
    return item;
}

static void set_why(struct item *item, const char *why)
{
    item->file.cert = (struct tls_credential){.n_chain = 0};
    item->file.why = arena_dup(&item->mem, str_of(why)).ptr;
    if (!item->file.why)
        item->file.why = "it can't be read";
}

static void read_item(struct item *item, const struct certs_found *found, int64_t now_s)
{
    struct arena mem;
    struct str cert, key = STR_NONE;
    const char *why = NULL;
    arena_init(&mem, READ_MEM_MAX_BYTES, NULL, 0);
    bool is_read = file_read(found->cert.ptr, FILE_MAX_BYTES, &mem, &cert, &why) == ERR_OK &&
                   (found->key.len == 0 ||
                    file_read(found->key.ptr, FILE_MAX_BYTES, &mem, &key, &why) == ERR_OK);
    if (!is_read ||
        tls_credential_read(cert, key, now_s, &item->mem, &item->file.cert, &why) != ERR_OK)
        set_why(item, why);
    arena_wipe(&mem);
}

static bool is_same(const struct item *a, const struct item *b)
{
    const struct certs_file *x = &a->file, *y = &b->file;
    return str_eq(a->name, b->name) && x->is_default == y->is_default &&
           str_eq(str_of(x->why), str_of(y->why)) && str_eq(x->cert.chain_pem, y->cert.chain_pem) &&
           str_eq(x->cert.key_pem, y->cert.key_pem);
}

static void take_why(struct item *old, const struct item *now, bool *has_changed)
{
    if (str_eq(str_of(old->file.why), str_of(now->file.why)))
        return;
    *has_changed = true;
    old->file.why = arena_dup(&old->mem, str_of(now->file.why)).ptr;
    if (!old->file.why)
        old->file.why = "it can't be read";
}

// The item for what was found: `old` (may be NULL; taken over) if nothing has happened to it.
static struct item *make_item(const struct certs_found *found, struct item *old, int64_t now_s,
                              bool *has_changed)
{
    struct item *item = new_item(found);
    bool is_known = old && memcmp(old->stamps, item->stamps, sizeof item->stamps) == 0;
    if (found->why)
        set_why(item, found->why);
    else if (!is_known)
        read_item(item, found, now_s);
    bool is_worse = old && item->file.why && !found->why && old->file.cert.n_chain > 0 &&
                    item->stamps[0].ino != 0; // damaged, not gone
    if ((is_known && !found->why) || is_worse) {
        if (is_worse) // what was good of it stays in use
            take_why(old, item, has_changed);
        *has_changed = *has_changed || old->file.is_default != found->is_default;
        old->file.is_default = found->is_default;
        memcpy(old->stamps, item->stamps, sizeof old->stamps);
        free_item(item);
        return old;
    }
    *has_changed = *has_changed || !old || !is_same(item, old);
    free_item(old);
    return item;
}

// --- the list ---

static void scan_wish(const struct certs_files *f, const struct certs_file_wish *wish,
                      struct arena *mem, struct certs_found_list *list)
{
    const char *why = NULL;
    size_t from = list->n;
    if (wish->is_folder) {
        if (!certs_folder_scan(wish->cert, f->watch, mem, list, &why) &&
            certs_found_add(list, mem, wish->cert, STR_NONE))
            list->items[list->n - 1].why = arena_dup(mem, str_of(why)).ptr;
    } else {
        watch_add(f->watch, wish->cert.ptr);
        if (wish->key.len > 0)
            watch_add(f->watch, wish->key.ptr);
        certs_found_add(list, mem, wish->cert, wish->key);
    }
    for (size_t i = from; i < list->n; i++)
        list->items[i].is_default = wish->is_default;
}

// What is wanted twice is there once.
static void drop_doubles(struct certs_found_list *list, struct arena *mem)
{
    struct map seen = {.n = 0};
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct certs_found *found = &list->items[i];
        found->name = arena_concat(mem, found->cert, STR("\n"), found->key);
        struct certs_found *first = map_get(&seen, found->name);
        if (first) {
            first->is_default = first->is_default || found->is_default;
            continue;
        }
        list->items[n] = *found;
        map_set(&seen, list->items[n].name, &list->items[n]);
        n++;
    }
    list->n = n;
    map_fini(&seen);
}

// Takes the item of this name out of the list before. NULL: there is none.
static struct item *take_old(const struct map *old, struct str name)
{
    struct item **at = map_get(old, name);
    if (!at)
        return NULL;
    struct item *item = *at;
    *at = NULL;
    return item;
}

static bool scan_all(struct certs_files *f, int64_t now_s)
{
    struct arena mem;
    struct certs_found_list list = {.n = 0};
    struct map old = {.n = 0};
    bool has_changed = false;
    arena_init(&mem, LIST_MEM_MAX_BYTES, NULL, 0);
    for (size_t i = 0; i < f->n_wishes; i++)
        scan_wish(f, &f->wishes[i], &mem, &list);
    drop_doubles(&list, &mem);
    for (size_t i = 0; i < f->n_items; i++)
        map_set(&old, arena_dup(&mem, f->items[i]->name), &f->items[i]);
    struct item **items = MEM_ARRAY(struct item *, list.n + 1);
    for (size_t i = 0; i < list.n; i++)
        items[i] =
            make_item(&list.items[i], take_old(&old, list.items[i].name), now_s, &has_changed);
    map_fini(&old);
    for (size_t i = 0; i < f->n_items; i++) { // what is gone
        has_changed = has_changed || f->items[i];
        free_item(f->items[i]);
    }
    mem_free(f->items);
    arena_fini(&mem);
    f->items = items;
    f->n_items = list.n;
    return has_changed;
}

// --- for the keeper ---

struct certs_files *certs_files_new(void)
{
    struct certs_files *f = MEM_NEW(struct certs_files);
    f->watch = watch_new();
    return f;
}

void certs_files_free(struct certs_files *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_items; i++)
        free_item(f->items[i]);
    mem_free(f->items);
    arena_fini(&f->wishes_mem);
    watch_free(f->watch);
    mem_free(f);
}

bool certs_files_want(struct certs_files *f, const struct certs_file_wish *wishes, size_t n,
                      int64_t now_s)
{
    arena_fini(&f->wishes_mem);
    arena_init(&f->wishes_mem, LIST_MEM_MAX_BYTES, NULL, 0);
    f->wishes = ARENA_ARRAY(&f->wishes_mem, struct certs_file_wish, n);
    ASSERT(f->wishes); // settings have limits below this one's
    f->n_wishes = n;
    for (size_t i = 0; i < n; i++) {
        f->wishes[i] = wishes[i];
        f->wishes[i].cert = arena_dup(&f->wishes_mem, wishes[i].cert);
        f->wishes[i].key = arena_dup(&f->wishes_mem, wishes[i].key);
    }
    watch_clear(f->watch);
    return scan_all(f, now_s);
}

int certs_files_fd(const struct certs_files *f)
{
    return watch_fd(f->watch);
}

bool certs_files_look(struct certs_files *f, int64_t now_s)
{
    return watch_look(f->watch) && scan_all(f, now_s);
}

size_t certs_files_n(const struct certs_files *f)
{
    return f->n_items;
}

const struct certs_file *certs_files_get(const struct certs_files *f, size_t i)
{
    ASSERT(i < f->n_items);
    return &f->items[i]->file;
}
