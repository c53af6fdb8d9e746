// SPDX-License-Identifier: Apache-2.0
#include "certs/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/writer.h"
#include "certs/disk.h"
#include "certs/entry.h"
#include "certs/meta.h"

struct certs_store {
    int root;     // owns: the folder `state`
    int certs;    // owns
    int accounts; // owns
};

#define CHECK_MEM_MAX_BYTES ((size_t)8 << 20)

// --- opening ---

// Makes the folders on the way to path; errors show when path itself is made.
static void make_parents(const char *path)
{
    char at[PATH_MAX];
    snprintf(at, sizeof at, "%s", path);
    for (char *slash = strchr(at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(at, 0700);
        *slash = '/';
    }
}

struct certs_store *certs_store_open(const char *path, struct diags *diags)
{
    make_parents(path);
    struct certs_store *s = MEM_NEW(struct certs_store);
    *s = (struct certs_store){.root = certs_folder_open(AT_FDCWD, path, diags), .certs = -1};
    s->accounts = -1;
    if (s->root >= 0)
        s->certs = certs_folder_open(s->root, "certs", diags);
    if (s->certs >= 0)
        s->accounts = certs_folder_open(s->root, "accounts", diags);
    if (s->accounts >= 0)
        return s;
    certs_store_close(s);
    return NULL;
}

void certs_store_close(struct certs_store *s)
{
    if (!s)
        return;
    disk_close(s->accounts);
    disk_close(s->certs);
    disk_close(s->root);
    mem_free(s);
}

bool certs_store_hold(const struct certs_store *s, enum certs_hold how)
{
    return flock(s->root, (how == CERTS_HOLD_ALONE ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0;
}

int certs_store_fd(const struct certs_store *s)
{
    return s->root;
}

struct str certs_id_of(struct str name, struct arena *mem)
{
    char id[CERTS_ENTRY_NAME_MAX_BYTES];
    struct writer w;
    writer_init(&w, id, sizeof id);
    if (str_starts(name, STR("*."))) {
        writer_put(&w, STR("_wildcard"));
        name = str_skip(name, 1);
    }
    for (size_t i = 0; i < name.len && w.len < w.cap; i++) {
        char c = ascii_lower(name.ptr[i]);
        bool is_fine = ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || c == '-' || (c == '.' && w.len);
        writer_byte(&w, is_fine ? c : '_');
    }
    return w.len > 0 ? arena_dup(mem, writer_str(&w)) : arena_dup(mem, STR("_"));
}

// --- certificates ---

// What is written is what is read: a chain and a key that belong together, or nothing.
static enum err check_pair(struct str chain_pem, struct str key_pem, const char **ret_why)
{
    struct arena mem;
    struct tls_credential cert;
    arena_init(&mem, CHECK_MEM_MAX_BYTES, NULL, 0);
    enum err err = tls_credential_read(chain_pem, key_pem, 0, &mem, &cert, ret_why);
    arena_wipe(&mem);
    return err;
}

enum err certs_store_put(const struct certs_store *s, struct str id, struct str chain_pem,
                         struct str key_pem, const struct certs_meta *meta, const char **ret_why)
{
    struct text json = {.ptr = NULL};
    enum err err = check_pair(chain_pem, key_pem, ret_why);
    if (err != ERR_OK)
        return err;
    certs_meta_write(meta, &json);
    const struct certs_entry_file files[] = {
        {.name = "cert.pem", .bytes = chain_pem},
        {.name = "key.pem", .bytes = key_pem},
        {.name = "meta.json", .bytes = text_str(&json)},
    };
    err = certs_entry_put(s->certs, id, files, ARRAY_LEN(files), ret_why);
    text_fini(&json);
    return err;
}

enum err certs_store_put_meta(const struct certs_store *s, struct str id,
                              const struct certs_meta *meta, const char **ret_why)
{
    struct text json = {.ptr = NULL};
    certs_meta_write(meta, &json);
    const struct certs_entry_file file = {.name = "meta.json", .bytes = text_str(&json)};
    enum err err = certs_entry_put_file(s->certs, id, &file, ret_why);
    text_fini(&json);
    return err;
}

enum err certs_store_get(const struct certs_store *s, struct str id, int64_t now_s,
                         struct arena *mem, struct certs_stored *ret, const char **ret_why)
{
    struct certs_entry_file files[] = {
        {.name = "cert.pem"},
        {.name = "key.pem"},
        {.name = "meta.json"},
    };
    enum err err = certs_entry_get(s->certs, id, files, 3, mem, ret_why);
    if (err == ERR_NOT_FOUND) // without the third, which only adds to it
        err = certs_entry_get(s->certs, id, files, 2, mem, ret_why);
    if (err != ERR_OK)
        return err;
    *ret = (struct certs_stored){.id = arena_dup(mem, id)};
    certs_meta_read(files[2].bytes, mem, &ret->meta);
    *ret_why = "it is too large";
    if (!ret->id.ptr)
        return ERR_LIMIT;
    return tls_credential_read(files[0].bytes, files[1].bytes, now_s, mem, &ret->cert, ret_why);
}

bool certs_store_list(const struct certs_store *s, struct arena *mem, struct str **ret,
                      size_t *ret_n)
{
    return certs_entry_list(s->certs, mem, ret, ret_n);
}

enum err certs_store_forget(const struct certs_store *s, struct str id, const char **ret_why)
{
    return certs_entry_remove(s->certs, id, ret_why);
}

void certs_export_bundle(const struct tls_credential *cert, struct text *to)
{
    text_reserve(to, cert->chain_pem.len + cert->key_pem.len);
    text_put(to, cert->chain_pem);
    text_put(to, cert->key_pem);
}

// --- accounts ---

enum err certs_account_put(const struct certs_store *s, struct str issuer, struct str key_pem,
                           const struct certs_account_meta *meta, const char **ret_why)
{
    struct text json = {.ptr = NULL};
    EVP_PKEY *key = tls_key_read(key_pem, ret_why);
    if (!key)
        return ERR_SYNTAX;
    tls_key_free(key);
    certs_account_meta_write(meta, &json);
    const struct certs_entry_file files[] = {
        {.name = "key.pem", .bytes = key_pem},
        {.name = "meta.json", .bytes = text_str(&json)},
    };
    enum err err = certs_entry_put(s->accounts, issuer, files, ARRAY_LEN(files), ret_why);
    text_fini(&json);
    return err;
}

enum err certs_account_get(const struct certs_store *s, struct str issuer, struct arena *mem,
                           struct str *ret_key_pem, struct certs_account_meta *ret_meta,
                           const char **ret_why)
{
    struct certs_entry_file files[] = {{.name = "key.pem"}, {.name = "meta.json"}};
    enum err err = certs_entry_get(s->accounts, issuer, files, ARRAY_LEN(files), mem, ret_why);
    if (err != ERR_OK)
        return err;
    EVP_PKEY *key = tls_key_read(files[0].bytes, ret_why);
    if (!key)
        return ERR_SYNTAX;
    tls_key_free(key);
    certs_account_meta_read(files[1].bytes, mem, ret_meta);
    *ret_key_pem = files[0].bytes;
    return ERR_OK;
}

enum err certs_account_put_next(const struct certs_store *s, struct str issuer,
                                struct str next_key_pem, const char **ret_why)
{
    const struct certs_entry_file file = {.name = "next.pem", .bytes = next_key_pem};
    return certs_entry_put_file(s->accounts, issuer, &file, ret_why);
}

enum err certs_account_get_next(const struct certs_store *s, struct str issuer, struct arena *mem,
                                struct str *ret_next_key_pem, const char **ret_why)
{
    struct certs_entry_file file = {.name = "next.pem"};
    enum err err = certs_entry_get(s->accounts, issuer, &file, 1, mem, ret_why);
    if (err == ERR_OK)
        *ret_next_key_pem = file.bytes;
    return err;
}

bool certs_account_list(const struct certs_store *s, struct arena *mem, struct str **ret,
                        size_t *ret_n)
{
    return certs_entry_list(s->accounts, mem, ret, ret_n);
}

enum err certs_account_forget(const struct certs_store *s, struct str issuer, const char **ret_why)
{
    return certs_entry_remove(s->accounts, issuer, ret_why);
}
