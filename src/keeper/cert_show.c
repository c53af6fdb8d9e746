// SPDX-License-Identifier: Apache-2.0
#include "keeper/cert_show.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#include "certs/disk.h"
#include "certs/entry.h"
#include "certs/meta.h"
#include "keeper/issue_ledger.h"
#include "keeper/issue_plan.h"
#include "keeper/to_json.h"

#define SHOW_MEM_BYTES ((size_t)32 << 20)

const char *cert_show_state(const struct tls_cert_info *leaf, int64_t now_s)
{
    return now_s > leaf->not_after_s    ? "expired"
           : now_s < leaf->not_before_s ? "not-yet-valid"
                                        : "valid";
}

static struct str digest(const uint8_t bytes[static TLS_SHA256_BYTES])
{
    return str_from((const char *)bytes, TLS_SHA256_BYTES);
}

static json_t *link_json(const struct tls_cert_info *info)
{
    json_t *j = json_object();
    json_object_set_new(j, "subject", to_json_text(info->subject));
    json_object_set_new(j, "issuer", to_json_text(info->issuer));
    json_object_set_new(j, "not_after", to_json_time(info->not_after_s));
    json_object_set_new(j, "key", json_string(tls_key_kind_text(info->key)));
    json_object_set_new(j, "sha256", to_json_hex(digest(info->sha256)));
    return j;
}

static json_t *chain_json(struct str pem)
{
    X509 *certs[TLS_CHAIN_MAX];
    struct arena mem;
    const char *why;
    size_t n = 0;
    json_t *list = json_array();
    arena_init(&mem, SHOW_MEM_BYTES, NULL, 0);
    if (tls_certs_read(pem, certs, &n, &why)) {
        for (size_t i = 0; i < n; i++) {
            struct tls_cert_info info;
            if (tls_cert_info(certs[i], &mem, &info))
                json_array_append_new(list, link_json(&info));
        }
        tls_certs_free(certs, n);
    }
    arena_fini(&mem);
    return list;
}

void cert_show_credential(const struct tls_credential *cert, int64_t now_s, json_t *to)
{
    const struct tls_cert_info *leaf = &cert->leaf;
    if (cert->n_chain == 0) {
        json_object_set_new(to, "state", json_string("missing"));
        return;
    }
    json_object_set_new(to, "state", json_string(cert_show_state(leaf, now_s)));
    json_object_set_new(to, "names", to_json_texts(leaf->names, leaf->n_names));
    json_object_set_new(to, "issued_by", to_json_text(leaf->issuer_name));
    json_object_set_new(to, "serial", to_json_hex(leaf->serial));
    json_object_set_new(to, "not_before", to_json_time(leaf->not_before_s));
    json_object_set_new(to, "not_after", to_json_time(leaf->not_after_s));
    json_object_set_new(to, "key", json_string(tls_key_kind_text(leaf->key)));
    json_object_set_new(to, "sha256", to_json_hex(digest(leaf->sha256)));
    json_object_set_new(to, "spki_sha256", to_json_hex(digest(leaf->spki_sha256)));
    json_object_set_new(to, "chain", chain_json(cert->chain_pem));
    if (cert->flaws != 0)
        json_object_set_new(to, "flaw", json_string(tls_flaw_text(cert->flaws)));
}

// --- what the store knows ---

static void put_text(json_t *to, const char *key, struct str value)
{
    if (value.len > 0)
        json_object_set_new(to, key, to_json_text(value));
}

static void put_time(json_t *to, const char *key, int64_t s)
{
    if (s > 0)
        json_object_set_new(to, key, to_json_time(s));
}

// The folder's path, as the kernel knows it.
static json_t *files_json(const struct certs_store *store, struct str id)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", certs_store_fd(store));
    ssize_t n = readlink(link, path, sizeof path);
    json_t *list = json_array();
    if (n <= 0)
        return list;
    static const char *const names[] = {"cert.pem", "key.pem", "meta.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct text file = {.ptr = NULL};
        text_printf(&file, "%.*s/certs/" STR_FMT "/%s", (int)n, path, STR_ARG(id), names[i]);
        json_array_append_new(list, to_json_text(text_str(&file)));
        text_fini(&file);
    }
    return list;
}

static json_t *renewal_json(const struct certs_stored *stored)
{
    const struct certs_meta *meta = &stored->meta;
    json_t *j = json_object();
    bool has_window = meta->ari_start_s > 0 && meta->ari_end_s > meta->ari_start_s;
    json_object_set_new(j, "at", to_json_time(issue_renewal_s(stored)));
    json_object_set_new(j, "by", json_string(has_window ? "authority" : "lifetime"));
    if (has_window) {
        put_time(j, "window_from", meta->ari_start_s);
        put_time(j, "window_to", meta->ari_end_s);
        put_text(j, "explanation", meta->ari_explanation);
    }
    put_time(j, "asked_again", meta->ari_next_s);
    return j;
}

static void put_origin(json_t *to, const struct certs_meta *meta)
{
    put_text(to, "issuer", meta->issuer);
    put_text(to, "directory", meta->directory);
    put_text(to, "profile", meta->profile);
    put_text(to, "order", meta->order);
    put_text(to, "url", meta->url);
    put_text(to, "imported_from", meta->source);
    put_time(to, "first_issued", meta->created_s);
    put_time(to, "issued", meta->renewed_s);
}

static json_t *order_json(const struct certs_meta *tries)
{
    json_t *j = json_object();
    json_object_set_new(j, "names", to_json_texts(tries->names, tries->n_names));
    put_text(j, "issuer", tries->issuer);
    put_text(j, "directory", tries->directory);
    put_text(j, "order", tries->order);
    put_time(j, "last_try", tries->last_try_s);
    put_time(j, "not_before", tries->next_try_s);
    json_object_set_new(j, "failures", json_integer(tries->n_failures));
    put_text(j, "last_error", tries->last_error);
    return j;
}

// Orders that are under way, or have failed: one for each authority, "ID@ISSUER".
static json_t *orders_json(int orders, struct str id, struct arena *mem, struct str *ret_issuer)
{
    struct str *entries, begin = arena_concat(mem, id, STR("@"), STR_NONE);
    size_t n = 0;
    json_t *list = json_array();
    if (orders < 0 || !certs_entry_list(orders, mem, &entries, &n))
        return list;
    for (size_t i = 0; i < n; i++) {
        struct certs_entry_file file = {.name = "meta.json"};
        struct certs_meta tries;
        const char *why;
        if (!str_starts(entries[i], begin) ||
            certs_entry_get(orders, entries[i], &file, 1, mem, &why) != ERR_OK ||
            !certs_meta_read(file.bytes, mem, &tries))
            continue;
        json_array_append_new(list, order_json(&tries));
        *ret_issuer = tries.issuer;
    }
    return list;
}

// From the ledger, which knows issuers and ids as numbers.
static json_t *history_json(const struct certs_store *store, struct str issuer, struct str id,
                            int64_t now_s)
{
    struct issue_ledger ledger;
    json_t *list = json_array();
    issue_ledger_read(&ledger, certs_store_fd(store), now_s);
    int64_t at_s = 0;
    while ((at_s = issue_ledger_next_s(&ledger, issuer, id, at_s)) > 0)
        json_array_append_new(list, to_json_time(at_s));
    issue_ledger_close(&ledger);
    return list;
}

enum err cert_show_stored(const struct certs_store *store, struct str id, int64_t now_s, json_t *to,
                          const char **ret_why)
{
    struct certs_stored stored = {.id = id};
    struct arena mem;
    arena_init(&mem, SHOW_MEM_BYTES, NULL, 0);
    enum err err = certs_store_get(store, id, now_s, &mem, &stored, ret_why);
    bool is_stored = err == ERR_OK;
    json_object_set_new(to, "id", to_json_text(id));
    json_object_set_new(to, "source", json_string("store"));
    if (!is_stored)
        stored = (struct certs_stored){.id = id};
    cert_show_credential(&stored.cert, now_s, to);
    if (err == ERR_SYSTEM || err == ERR_SYNTAX)
        json_object_set_new(to, "error", to_json_text(str_of(*ret_why)));
    if (is_stored) {
        put_origin(to, &stored.meta);
        json_object_set_new(to, "files", files_json(store, id));
        json_object_set_new(to, "renewal", renewal_json(&stored));
    }
    int orders = openat(certs_store_fd(store), "orders", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct str issuer = STR_NONE;
    json_t *open_orders = orders_json(orders, id, &mem, &issuer);
    bool has_orders = json_array_size(open_orders) > 0;
    json_object_set_new(to, "orders", open_orders);
    disk_close(orders);
    if (is_stored)
        issuer = stored.meta.issuer;
    json_object_set_new(to, "issued_lately", history_json(store, issuer, id, now_s));
    arena_wipe(&mem); // the key
    return err == ERR_NOT_FOUND && has_orders ? ERR_OK : err;
}
