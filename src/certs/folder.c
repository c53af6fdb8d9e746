// SPDX-License-Identifier: Apache-2.0
#include "certs/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *cert, *key;
} pairs[] = {
    {"fullchain.pem", "privkey.pem"},
    {"cert.pem", "key.pem"},
};

static const char *const endings[] = {".pem", ".crt", ".cer"};

struct name_list {
    struct str *items;
    size_t n, cap;
};

bool certs_found_add(struct certs_found_list *list, struct arena *mem, struct str cert,
                     struct str key)
{
    if (!cert.ptr || list->n == CERTS_FOLDER_FILES_MAX)
        return false;
    struct certs_found *items =
        ARENA_GROW(mem, struct certs_found, list->items, list->n, &list->cap);
    if (!items)
        return false;
    list->items = items;
    list->items[list->n++] = (struct certs_found){.cert = cert, .key = key};
    return true;
}

static struct str below(struct arena *mem, struct str folder, struct str name)
{
    return arena_concat(mem, folder, str_ends(folder, STR("/")) ? STR_NONE : STR("/"), name);
}

// The folder's own pair. False: it has none.
static bool find_pair(struct str folder, struct arena *mem, struct certs_found *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        ret->cert = below(mem, folder, str_of(pairs[i].cert));
        ret->key = below(mem, folder, str_of(pairs[i].key));
        if (ret->cert.ptr && ret->key.ptr && access(ret->cert.ptr, F_OK) == 0 &&
            access(ret->key.ptr, F_OK) == 0)
            return true;
    }
    return false;
}

static bool add_pair(const struct certs_found *pair, struct watch *w, struct arena *mem,
                     struct certs_found_list *list)
{
    watch_add(w, pair->cert.ptr); // they may be links
    watch_add(w, pair->key.ptr);
    return certs_found_add(list, mem, pair->cert, pair->key);
}

// The key beside a certificate: NAME.key or NAME.pem.key. Empty: none.
static struct str find_key(struct str cert, size_t ending_bytes, struct arena *mem)
{
    struct str stem = str_first(cert, cert.len - ending_bytes);
    const struct str keys[] = {
        arena_concat(mem, stem, STR(".key"), STR_NONE),
        arena_concat(mem, cert, STR(".key"), STR_NONE),
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].ptr && access(keys[i].ptr, F_OK) == 0)
            return keys[i];
    }
    return STR_NONE;
}

static bool add_file(struct str path, struct watch *w, struct arena *mem,
                     struct certs_found_list *list)
{
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        if (!str_ends(path, str_of(endings[i])))
            continue;
        struct str key = find_key(path, strlen(endings[i]), mem);
        struct stat st;
        if (lstat(path.ptr, &st) == 0 && S_ISLNK(st.st_mode))
            watch_add(w, path.ptr);
        return certs_found_add(list, mem, path, key);
    }
    return true;
}

static bool add_entry(struct str path, struct watch *w, struct arena *mem,
                      struct certs_found_list *list)
{
    struct stat st;
    struct certs_found pair;
    if (stat(path.ptr, &st) != 0) // a link to nothing: reading it says so
        return add_file(path, w, mem, list);
    if (!S_ISDIR(st.st_mode))
        return add_file(path, w, mem, list);
    watch_add(w, path.ptr);
    return !find_pair(path, mem, &pair) || add_pair(&pair, w, mem, list);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool add_name(struct name_list *names, struct str name, struct arena *mem)
{
    if (names->n == CERTS_FOLDER_FILES_MAX * 2)
        return false;
    struct str *items = ARENA_GROW(mem, struct str, names->items, names->n, &names->cap);
    if (!items)
        return false;
    names->items = items;
    names->items[names->n] = arena_dup(mem, name);
    return names->items[names->n++].ptr != NULL;
}

static bool list_names(DIR *dir, struct arena *mem, struct name_list *names)
{
    for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (d->d_name[0] != '.' && !add_name(names, str_of(d->d_name), mem))
            return false;
    }
    if (names->n > 1)
        qsort(names->items, names->n, sizeof *names->items, by_name);
    return true;
}

bool certs_folder_scan(struct str path, struct watch *w, struct arena *mem,
                       struct certs_found_list *list, const char **ret_why)
{
    struct certs_found pair;
    struct name_list names = {.n = 0};
    watch_add(w, path.ptr); // before reading: nothing is missed between
    *ret_why = "it holds too many files";
    if (find_pair(path, mem, &pair))
        return add_pair(&pair, w, mem, list);
    DIR *dir = opendir(path.ptr);
    if (!dir) {
        *ret_why = strerror(errno);
        return errno == ENOENT;
    }
    bool is_fine = list_names(dir, mem, &names);
    closedir(dir);
    for (size_t i = 0; i < names.n && is_fine; i++) {
        struct str entry = below(mem, path, names.items[i]);
        is_fine = entry.ptr && add_entry(entry, w, mem, list);
    }
    return is_fine;
}
