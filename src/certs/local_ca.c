// SPDX-License-Identifier: Apache-2.0
#include "certs/local_ca.h"

#include <stdio.h>

#include "base/mem.h"
#include "certs/disk.h"
#include "certs/entry.h"
#include "codec/ip.h"

#define DAY_S ((int64_t)86400)
#define ROOT_LIFE_S (3650 * DAY_S)
#define ROOT_LEFT_S (365 * DAY_S) // renewed when so much is left: time to trust the new one
#define MID_LIFE_S (1825 * DAY_S)
#define BACKDATE_S 3600 // clocks differ
#define MEM_MAX_BYTES ((size_t)1 << 20)

// A CA's certificate with its key.
struct authority {
    X509 *cert;    // owns
    EVP_PKEY *key; // owns
    int64_t not_before_s, not_after_s;
};

struct certs_local_ca {
    struct authority root, mid;
    struct text root_pem, mid_pem;
};

static const struct str entry_name = STR_INIT("ca");

static bool read_times(struct authority *a)
{
    struct arena mem;
    struct tls_cert_info info;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    bool is_fine = tls_cert_info(a->cert, &mem, &info) && info.is_ca;
    a->not_before_s = is_fine ? info.not_before_s : 0;
    a->not_after_s = is_fine ? info.not_after_s : 0;
    arena_fini(&mem);
    return is_fine;
}

static void authority_fini(struct authority *a)
{
    tls_cert_free(a->cert);
    tls_key_free(a->key);
    *a = (struct authority){.cert = NULL};
}

// --- making ---

static bool make(struct authority *a, enum tls_cert_role role, const char *what, int64_t now_s,
                 int64_t not_after_s, const struct authority *issuer)
{
    // Told apart from those of other machines, without telling every client of this one's name.
    char random[DISK_RANDOM_CHARS + 1], name[64];
    disk_random(random);
    int len = snprintf(name, sizeof name, "%s %.8s", what, random);
    struct tls_cert_wish wish = {
        .role = role,
        .common_name = str_from(name, (size_t)len),
        .not_before_s = now_s - BACKDATE_S,
        .not_after_s = not_after_s,
    };
    authority_fini(a);
    a->key = tls_key_new(TLS_KEY_P256);
    if (a->key)
        a->cert =
            tls_cert_make(&wish, a->key, issuer ? issuer->cert : NULL, issuer ? issuer->key : NULL);
    return a->cert && read_times(a);
}

static bool is_root_due(const struct authority *root, int64_t now_s)
{
    return !root->cert || now_s > root->not_after_s - ROOT_LEFT_S;
}

static bool is_mid_due(const struct authority *mid, int64_t now_s)
{
    return !mid->cert || now_s > mid->not_before_s + (mid->not_after_s - mid->not_before_s) / 3 * 2;
}

static bool write_pems(struct certs_local_ca *ca)
{
    text_fini(&ca->root_pem);
    text_fini(&ca->mid_pem);
    return tls_cert_put_pem(ca->root.cert, &ca->root_pem) &&
           tls_cert_put_pem(ca->mid.cert, &ca->mid_pem);
}

static enum err save(const struct certs_local_ca *ca, const struct certs_store *s,
                     const char **ret_why)
{
    struct text root_key = {.ptr = NULL}, mid_key = {.ptr = NULL};
    enum err err = ERR_SYSTEM;
    *ret_why = "its keys can't be written";
    if (tls_key_put_pem(ca->root.key, &root_key) && tls_key_put_pem(ca->mid.key, &mid_key)) {
        const struct certs_entry_file files[] = {
            {.name = "root.pem", .bytes = text_str(&ca->root_pem)},
            {.name = "root.key", .bytes = text_str(&root_key)},
            {.name = "intermediate.pem", .bytes = text_str(&ca->mid_pem)},
            {.name = "intermediate.key", .bytes = text_str(&mid_key)},
        };
        err = certs_entry_put(certs_store_fd(s), entry_name, files, ARRAY_LEN(files), ret_why);
    }
    text_wipe(&root_key);
    text_wipe(&mid_key);
    return err;
}

// Makes what is missing or due.
static enum err complete(struct certs_local_ca *ca, const struct certs_store *s, int64_t now_s,
                         const char **ret_why)
{
    bool is_new_root = is_root_due(&ca->root, now_s);
    bool is_new_mid = is_new_root || is_mid_due(&ca->mid, now_s);
    *ret_why = "OpenSSL can't make its certificates";
    if (is_new_root &&
        !make(&ca->root, TLS_CERT_ROOT, "Local CA root", now_s, now_s + ROOT_LIFE_S, NULL))
        return ERR_SYSTEM;
    int64_t mid_end_s = MIN(now_s + MID_LIFE_S, ca->root.not_after_s);
    if (is_new_mid &&
        !make(&ca->mid, TLS_CERT_INTERMEDIATE, "Local CA", now_s, mid_end_s, &ca->root))
        return ERR_SYSTEM;
    if (!write_pems(ca))
        return ERR_SYSTEM;
    return is_new_mid && s ? save(ca, s, ret_why) : ERR_OK;
}

// --- reading ---

static bool read_authority(struct authority *a, struct str cert_pem, struct str key_pem,
                           const char **ret_why)
{
    a->cert = tls_cert_read(cert_pem, ret_why);
    a->key = a->cert ? tls_key_read(key_pem, ret_why) : NULL;
    if (!a->key)
        return false;
    *ret_why = "the local CA's certificate and key don't belong together";
    return tls_cert_has_key(a->cert, a->key) && read_times(a);
}

static enum err load(struct certs_local_ca *ca, const struct certs_store *s, struct arena *mem,
                     const char **ret_why)
{
    struct certs_entry_file files[] = {
        {.name = "root.pem"},
        {.name = "root.key"},
        {.name = "intermediate.pem"},
        {.name = "intermediate.key"},
    };
    enum err err =
        certs_entry_get(certs_store_fd(s), entry_name, files, ARRAY_LEN(files), mem, ret_why);
    if (err != ERR_OK)
        return err;
    bool is_fine = read_authority(&ca->root, files[0].bytes, files[1].bytes, ret_why) &&
                   read_authority(&ca->mid, files[2].bytes, files[3].bytes, ret_why);
    return is_fine ? ERR_OK : ERR_SYNTAX;
}

struct certs_local_ca *certs_local_ca_open(const struct certs_store *s, int64_t now_s,
                                           const char **ret_why)
{
    struct certs_local_ca *ca = MEM_NEW(struct certs_local_ca);
    struct arena mem;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    enum err err = s ? load(ca, s, &mem, ret_why) : ERR_NOT_FOUND;
    arena_wipe(&mem);
    if (err == ERR_OK || err == ERR_NOT_FOUND)
        err = complete(ca, s, now_s, ret_why);
    if (err == ERR_OK)
        return ca;
    certs_local_ca_close(ca);
    return NULL;
}

void certs_local_ca_close(struct certs_local_ca *ca)
{
    if (!ca)
        return;
    authority_fini(&ca->root);
    authority_fini(&ca->mid);
    text_fini(&ca->root_pem);
    text_fini(&ca->mid_pem);
    mem_free(ca);
}

bool certs_local_ca_is_due(const struct certs_local_ca *ca, int64_t now_s)
{
    return is_root_due(&ca->root, now_s) || is_mid_due(&ca->mid, now_s);
}

struct str certs_local_ca_root_pem(const struct certs_local_ca *ca)
{
    return text_str(&ca->root_pem);
}

// --- leaves ---

enum err certs_local_ca_leaf(const struct certs_local_ca *ca, const struct str *names,
                             size_t n_names, int64_t now_s, struct arena *mem,
                             struct tls_credential *ret, const char **ret_why)
{
    struct tls_cert_wish wish = {
        .role = TLS_CERT_LEAF,
        .names = names,
        .n_names = n_names,
        .not_before_s = now_s - BACKDATE_S,
        .not_after_s = MIN(now_s - BACKDATE_S + CERTS_LOCAL_LEAF_LIFE_S, ca->mid.not_after_s),
    };
    *ret_why = "no certificate can be made for these names";
    EVP_PKEY *key = tls_key_new(TLS_KEY_P256);
    X509 *cert = key ? tls_cert_make(&wish, key, ca->mid.cert, ca->mid.key) : NULL;
    bool is_made =
        cert && tls_credential_make(cert, key, text_str(&ca->mid_pem), 1, now_s, mem, ret);
    tls_cert_free(cert);
    tls_key_free(key);
    return is_made ? ERR_OK : ERR_RANGE;
}

int64_t certs_renewal_s(const struct tls_cert_info *leaf)
{
    return leaf->not_before_s + (leaf->not_after_s - leaf->not_before_s) / 3 * 2;
}

// --- names ---

static bool is_public_ip(const struct ip *ip)
{
    // RFC 6890: what isn't reachable from everywhere.
    static const char *const nets[] = {
        "0.0.0.0/8",     "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/127",
        "fc00::/7",      "fe80::/10",      "ff00::/8",
    };
    for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
        struct ip_net net;
        if (ip_net_parse(str_of(nets[i]), &net) == ERR_OK && ip_net_contains(&net, ip))
            return false;
    }
    return true;
}

bool certs_is_local_name(struct str name)
{
    static const char *const zones[] = {"localhost", "test", "invalid", "local", "internal",
                                        "home.arpa", "lan",  "home",    "onion"};
    struct ip ip;
    if (ip_parse(name, &ip) == ERR_OK)
        return !is_public_ip(&ip);
    if (str_starts(name, STR("*.")))
        name = str_skip(name, 2);
    if (str_find(name, '.') == STR_NPOS)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        struct str zone = str_of(zones[i]);
        if (str_ends(name, zone) &&
            (name.len == zone.len || name.ptr[name.len - zone.len - 1] == '.'))
            return true;
    }
    return false;
}
