// SPDX-License-Identifier: Apache-2.0
#include "tls/record.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/attr.h"

#define KEY_MAX_BYTES 32
#define LABEL_MAX_BYTES 18
// Up to here copying costs less than a call of OpenSSL for the type alone.
#define COPY_MAX_BYTES 4096

struct tls_suite {
    uint16_t number;
    const char *cipher, *hash;
    size_t key_bytes, hash_bytes;
};

static const struct tls_suite suites[] = {
    {.number = 0x1301,
     .cipher = "AES-128-GCM",
     .hash = "SHA256",
     .key_bytes = 16,
     .hash_bytes = 32},
    {.number = 0x1302,
     .cipher = "AES-256-GCM",
     .hash = "SHA384",
     .key_bytes = 32,
     .hash_bytes = 48},
    {.number = 0x1303,
     .cipher = "ChaCha20-Poly1305",
     .hash = "SHA256",
     .key_bytes = 32,
     .hash_bytes = 32},
};

// Of each suite, fetched once: a look-up by name costs more than sealing.
static EVP_CIPHER *ciphers[ARRAY_LEN(suites)];
static EVP_MAC_CTX *macs[ARRAY_LEN(suites)]; // HMAC with the suite's hash, to be copied

static void fetch_all(void)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
        // WHY: parameters serve reading too and aren't const; a name is only read.
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                             (char *)(uintptr_t)suites[i].hash, 0),
            OSSL_PARAM_construct_end(),
        };
        ciphers[i] = EVP_CIPHER_fetch(NULL, suites[i].cipher, NULL);
        macs[i] = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
        if (!ciphers[i] || !macs[i] || EVP_MAC_CTX_set_params(macs[i], params) != 1)
            panic("OpenSSL can't seal with %s", suites[i].cipher);
    }
    EVP_MAC_free(hmac);
}

void tls_record_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_all);
}

// HKDF-Expand-Label with an empty context (RFC 8446 7.1). No more than one hash is ever wanted.
static void expand(const struct tls_record_key *k, struct str label, uint8_t *to, size_t n)
{
    uint8_t info[4 + LABEL_MAX_BYTES], out[TLS_SECRET_MAX_BYTES];
    size_t len = 0, n_out = 0;
    ASSERT(label.len <= LABEL_MAX_BYTES && n <= k->suite->hash_bytes);
    info[len++] = 0;
    info[len++] = (uint8_t)n;
    info[len++] = (uint8_t)label.len;
    memcpy(info + len, label.ptr, label.len);
    len += label.len;
    info[len++] = 0; // the context's length
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(macs[k->suite - suites]);
    const uint8_t first_block = 1;
    if (!mac || EVP_MAC_init(mac, k->secret, k->suite->hash_bytes, NULL) != 1 ||
        EVP_MAC_update(mac, info, len) != 1 || EVP_MAC_update(mac, &first_block, 1) != 1 ||
        EVP_MAC_final(mac, out, &n_out, sizeof out) != 1 || n_out < n)
        panic("OpenSSL can't derive a key");
    EVP_MAC_CTX_free(mac);
    memcpy(to, out, n);
    OPENSSL_cleanse(out, sizeof out);
}

static void use_secret(struct tls_record_key *k)
{
    uint8_t key[KEY_MAX_BYTES];
    expand(k, STR("tls13 key"), key, k->suite->key_bytes);
    expand(k, STR("tls13 iv"), k->nonce, sizeof k->nonce);
    // -1: the direction stays what it is.
    if (EVP_CipherInit_ex2(k->cipher, NULL, key, NULL, -1, NULL) != 1)
        panic("OpenSSL takes no key");
    OPENSSL_cleanse(key, sizeof key);
}

bool tls_record_key_init(struct tls_record_key *k, uint16_t suite, const uint8_t *secret,
                         size_t n_bytes, uint64_t n_records, bool is_to_seal)
{
    size_t i = 0;
    while (i < ARRAY_LEN(suites) && suites[i].number != suite)
        i++;
    if (i == ARRAY_LEN(suites) || suites[i].hash_bytes != n_bytes)
        return false;
    tls_record_init();
    *k = (struct tls_record_key){
        .suite = &suites[i], .cipher = EVP_CIPHER_CTX_new(), .n_records = n_records};
    memcpy(k->secret, secret, n_bytes);
    if (!k->cipher || EVP_CipherInit_ex2(k->cipher, ciphers[i], NULL, NULL, is_to_seal, NULL) != 1)
        panic("OpenSSL has no memory");
    use_secret(k);
    return true;
}

void tls_record_key_fini(struct tls_record_key *k)
{
    EVP_CIPHER_CTX_free(k->cipher);
    OPENSSL_cleanse(k, sizeof *k);
}

void tls_record_key_update(struct tls_record_key *k)
{
    uint8_t next[TLS_SECRET_MAX_BYTES];
    expand(k, STR("tls13 traffic upd"), next, k->suite->hash_bytes);
    memcpy(k->secret, next, sizeof k->secret);
    OPENSSL_cleanse(next, sizeof next);
    k->n_records = 0;
    use_secret(k);
}

// RFC 8446 5.3.
static void next_nonce(struct tls_record_key *k, uint8_t nonce[static TLS_NONCE_BYTES])
{
    uint64_t number = __builtin_bswap64(k->n_records++), tail;
    memcpy(nonce, k->nonce, TLS_NONCE_BYTES);
    memcpy(&tail, nonce + TLS_NONCE_BYTES - sizeof tail, sizeof tail);
    tail ^= number;
    memcpy(nonce + TLS_NONCE_BYTES - sizeof tail, &tail, sizeof tail);
}

static OSSL_PARAM tag_param(uint8_t *tag)
{
    return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, TLS_RECORD_TAG_BYTES);
}

// The content and its type, which is sealed with it. Gives what was written.
static size_t seal_content(EVP_CIPHER_CTX *cipher, struct str plain, uint8_t type, uint8_t *to)
{
    const uint8_t *from = (const uint8_t *)plain.ptr;
    int put = 0, last = 0, none;
    if (from != to && plain.len <= COPY_MAX_BYTES) {
        if (plain.len > 0)
            memcpy(to, from, plain.len);
        from = to;
    }
    bool is_in_place = from == to;
    if (is_in_place)
        to[plain.len] = type;
    if (EVP_EncryptUpdate(cipher, to, &put, from, (int)plain.len + is_in_place) != 1 ||
        (!is_in_place && EVP_EncryptUpdate(cipher, to + put, &last, &type, 1) != 1) ||
        EVP_EncryptFinal_ex(cipher, to + put + last, &none) != 1)
        return 0;
    return (size_t)put + (size_t)last;
}

size_t tls_record_seal(struct tls_record_key *k, enum tls_content content, struct str plain,
                       char *to)
{
    ASSERT(plain.len <= TLS_RECORD_PLAIN_MAX_BYTES);
    size_t n = plain.len + 1 + TLS_RECORD_TAG_BYTES;
    uint8_t nonce[TLS_NONCE_BYTES], *head = (uint8_t *)to, *at = head + TLS_RECORD_HEAD_BYTES;
    int none;
    next_nonce(k, nonce);
    OSSL_PARAM params[] = {tag_param(at + plain.len + 1), OSSL_PARAM_construct_end()};
    // All look like data of TLS 1.2 (RFC 8446 5.2).
    memcpy(head, (uint8_t[]){TLS_CONTENT_DATA, 3, 3, (uint8_t)(n >> 8), (uint8_t)n},
           TLS_RECORD_HEAD_BYTES);
    if (EVP_EncryptInit_ex2(k->cipher, NULL, NULL, nonce, NULL) != 1 ||
        EVP_EncryptUpdate(k->cipher, NULL, &none, head, TLS_RECORD_HEAD_BYTES) != 1 ||
        seal_content(k->cipher, plain, (uint8_t)content, at) != plain.len + 1 ||
        EVP_CIPHER_CTX_get_params(k->cipher, params) != 1)
        panic("OpenSSL can't seal a record");
    return TLS_RECORD_HEAD_BYTES + n;
}

size_t tls_record_bytes(const char head[static TLS_RECORD_HEAD_BYTES])
{
    const uint8_t *h = (const uint8_t *)head;
    size_t n = TLS_RECORD_HEAD_BYTES + ((size_t)h[3] << 8 | h[4]);
    // The version counts for nothing (RFC 8446 5.2).
    return h[0] == TLS_CONTENT_DATA && n <= TLS_RECORD_MAX_BYTES ? n : 0;
}

bool tls_record_open(struct tls_record_key *k, char *record, size_t n_bytes, uint8_t *ret_content,
                     struct str *ret_plain)
{
    ASSERT(n_bytes >= TLS_RECORD_HEAD_BYTES && n_bytes <= TLS_RECORD_MAX_BYTES);
    if (n_bytes < TLS_RECORD_EXTRA_BYTES) // not even a type
        return false;
    size_t n = n_bytes - TLS_RECORD_HEAD_BYTES - TLS_RECORD_TAG_BYTES;
    uint8_t nonce[TLS_NONCE_BYTES], *head = (uint8_t *)record, *at = head + TLS_RECORD_HEAD_BYTES;
    int put = 0, none;
    next_nonce(k, nonce);
    OSSL_PARAM params[] = {tag_param(at + n), OSSL_PARAM_construct_end()};
    if (EVP_DecryptInit_ex2(k->cipher, NULL, NULL, nonce, params) != 1 ||
        EVP_DecryptUpdate(k->cipher, NULL, &none, head, TLS_RECORD_HEAD_BYTES) != 1 ||
        EVP_DecryptUpdate(k->cipher, at, &put, at, (int)n) != 1 ||
        EVP_DecryptFinal_ex(k->cipher, at + put, &none) != 1) {
        ERR_clear_error();
        return false;
    }
    ASSERT((size_t)put == n);
    while (n > 0 && at[n - 1] == 0) // padding
        n--;
    *ret_content = n > 0 ? at[n - 1] : 0;
    *ret_plain = str_from((const char *)at, n > 0 ? n - 1 : 0);
    return true;
}
