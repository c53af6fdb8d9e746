// SPDX-License-Identifier: Apache-2.0
#include "certs/import.h"

#include "certs/import_priv.h"
#include "codec/base64.h"

#define STORED_MEM_MAX_BYTES ((size_t)16 << 20)

// --- for the sources ---

struct str certs_import_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? str_from(json_string_value(value), json_string_length(value))
                                 : STR_NONE;
}

struct str certs_import_bytes(const json_t *object, const char *name, bool is_url,
                              struct arena *mem)
{
    struct str text = certs_import_text(object, name);
    char *bytes = text.len > 0 ? ARENA_ARRAY(mem, char, text.len / 4 * 3 + 3) : NULL;
    size_t len;
    if (!bytes || base64_decode(text, is_url, bytes, &len) != ERR_OK)
        return STR_NONE;
    return str_from(bytes, len);
}

static void skip(const struct certs_importing *in, const char *what, struct str name,
                 const char *why)
{
    diag_warn(in->diags, in->place, "the %s '" STR_FMT "' is skipped: %s", what,
              STR_ARG(str_first(name, 253)), why);
}

void certs_import_add_cert(const struct certs_importing *in, struct str name, struct str chain_pem,
                           struct str key_pem, const struct certs_meta *meta)
{
    struct certs_import *all = in->all;
    struct certs_import_cert item = {.meta = *meta};
    const char *why = "there is no room for it";
    struct certs_import_cert *certs =
        ARENA_GROW(in->mem, struct certs_import_cert, all->certs, all->n_certs, &all->cap_certs);
    if (certs)
        all->certs = certs;
    if (!certs || tls_credential_read(chain_pem, key_pem, 0, in->mem, &item.cert, &why) != ERR_OK) {
        skip(in, "certificate", name, why);
        return;
    }
    const struct tls_cert_info *leaf = &item.cert.leaf;
    if (name.len == 0 && leaf->n_names > 0)
        name = leaf->names[0];
    item.id = certs_id_of(name, in->mem);
    item.meta.names = leaf->names;
    item.meta.n_names = leaf->n_names;
    item.meta.source = str_of(in->source);
    item.meta.created_s = leaf->not_before_s;
    item.meta.renewed_s = leaf->not_before_s;
    if (item.id.len > 0)
        all->certs[all->n_certs++] = item;
}

static bool has_account(const struct certs_import *all, struct str issuer)
{
    for (size_t i = 0; i < all->n_accounts; i++) {
        if (str_eq(all->accounts[i].issuer, issuer))
            return true;
    }
    return false;
}

void certs_import_add_account(const struct certs_importing *in, struct str issuer, EVP_PKEY *key,
                              const char *why, const struct certs_account_meta *meta)
{
    struct certs_import *all = in->all;
    struct certs_import_account item = {.issuer = certs_id_of(issuer, in->mem), .meta = *meta};
    struct text pem = {.ptr = NULL};
    struct certs_import_account *accounts = ARENA_GROW(
        in->mem, struct certs_import_account, all->accounts, all->n_accounts, &all->cap_accounts);
    if (accounts)
        all->accounts = accounts;
    if (key && tls_key_put_pem(key, &pem))
        item.key_pem = arena_dup(in->mem, text_str(&pem));
    tls_key_free(key);
    text_wipe(&pem);
    item.meta.source = str_of(in->source);
    if (!accounts || item.key_pem.len == 0 || item.issuer.len == 0)
        skip(in, "account", issuer, why ? why : "its key can't be written");
    else if (!has_account(all, item.issuer))
        all->accounts[all->n_accounts++] = item;
}

// --- into the store ---

// True: the store's is valid as long, or longer.
static bool is_newer(const struct certs_store *s, const struct certs_import_cert *item,
                     int64_t now_s)
{
    struct arena mem;
    struct certs_stored stored;
    const char *why;
    arena_init(&mem, STORED_MEM_MAX_BYTES, NULL, 0);
    bool is_newer = certs_store_get(s, item->id, now_s, &mem, &stored, &why) == ERR_OK &&
                    stored.cert.leaf.not_after_s >= item->cert.leaf.not_after_s;
    arena_wipe(&mem);
    return is_newer;
}

static bool is_account_there(const struct certs_store *s, struct str issuer)
{
    struct arena mem;
    struct str key;
    struct certs_account_meta meta;
    const char *why;
    arena_init(&mem, STORED_MEM_MAX_BYTES, NULL, 0);
    bool is_there = certs_account_get(s, issuer, &mem, &key, &meta, &why) == ERR_OK;
    arena_wipe(&mem);
    return is_there;
}

static enum err not_written(struct diags *diags, struct str id, const char *why)
{
    return diag_fail(diags, ERR_SYSTEM, (struct place){.source = NULL},
                     "'" STR_FMT "' can't be written to the store: %s", STR_ARG(id), why);
}

enum err certs_import_store(const struct certs_import *all, const struct certs_store *s,
                            int64_t now_s, struct diags *diags, struct certs_import_count *ret)
{
    const char *why = "";
    *ret = (struct certs_import_count){.n_certs = 0};
    for (size_t i = 0; i < all->n_certs; i++) {
        const struct certs_import_cert *c = &all->certs[i];
        if (is_newer(s, c, now_s)) {
            ret->n_kept++;
            continue;
        }
        if (certs_store_put(s, c->id, c->cert.chain_pem, c->cert.key_pem, &c->meta, &why) != ERR_OK)
            return not_written(diags, c->id, why);
        ret->n_certs++;
    }
    for (size_t i = 0; i < all->n_accounts; i++) {
        const struct certs_import_account *a = &all->accounts[i];
        if (is_account_there(s, a->issuer)) {
            ret->n_kept++;
            continue;
        }
        if (certs_account_put(s, a->issuer, a->key_pem, &a->meta, &why) != ERR_OK)
            return not_written(diags, a->issuer, why);
        ret->n_accounts++;
    }
    return ERR_OK;
}
