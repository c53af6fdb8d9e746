// SPDX-License-Identifier: Apache-2.0
#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/mem.h"

_Static_assert(sizeof(struct tls_ticket_key) == 80, "as the keeper hands them over");

struct tls_tickets {
    _Atomic uint32_t refs;
    unsigned n;
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX]; // newest first
};

// What OpenSSL answers (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
enum answer { ANSWER_ERROR = -1, ANSWER_NO_TICKET = 0, ANSWER_USE = 1, ANSWER_RENEW = 2 };

static EVP_CIPHER *cipher; // fetched once: a look-up by name costs more than sealing
static int index_of_tickets;

static void prepare(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    index_of_tickets = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (!cipher || index_of_tickets < 0)
        panic("OpenSSL can't seal tickets");
}

struct tls_tickets *tls_tickets_new(struct str bytes)
{
    size_t n = bytes.len / sizeof(struct tls_ticket_key);
    if (n == 0 || n > TLS_TICKET_KEYS_MAX || n * sizeof(struct tls_ticket_key) != bytes.len)
        return NULL;
    struct tls_tickets *t = MEM_NEW(struct tls_tickets);
    atomic_init(&t->refs, 1);
    t->n = (unsigned)n;
    memcpy(t->keys, bytes.ptr, bytes.len);
    return t;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *t)
{
    if (t)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tls_tickets_unref(struct tls_tickets *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
        return;
    mem_wipe(t, sizeof *t);
    mem_free(t);
}

static bool set_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
    // WHY: parameters serve reading too and aren't const; a key is only read.
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac,
                                          sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static enum answer seal(const struct tls_ticket_key *key, unsigned char *name, unsigned char *iv,
                        EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac)
{
    memcpy(name, key->name, sizeof key->name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher)) != 1 ||
        EVP_EncryptInit_ex(ctx, cipher, NULL, key->cipher, iv) != 1 || !set_mac(mac, key))
        return ANSWER_ERROR;
    return ANSWER_USE;
}

// A ticket of TLS 1.3 is for one use, so a client that has used one gets another.
static enum answer unseal(const struct tls_tickets *t, bool is_for_one_use,
                          const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *ctx,
                          EVP_MAC_CTX *mac)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct tls_ticket_key *key = &t->keys[i];
        if (memcmp(name, key->name, sizeof key->name) != 0)
            continue;
        if (EVP_DecryptInit_ex(ctx, cipher, NULL, key->cipher, iv) != 1 || !set_mac(mac, key))
            return ANSWER_ERROR;
        return i == 0 && !is_for_one_use ? ANSWER_USE : ANSWER_RENEW;
    }
    return ANSWER_NO_TICKET;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx,
                     EVP_MAC_CTX *mac, int is_sealing)
{
    const struct tls_tickets *t = SSL_get_ex_data(ssl, index_of_tickets);
    if (!t)
        return ANSWER_NO_TICKET;
    if (is_sealing)
        return seal(&t->keys[0], name, iv, ctx, mac);
    return unseal(t, SSL_version(ssl) >= TLS1_3_VERSION, name, iv, ctx, mac);
}

void tls_tickets_use(SSL_CTX *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

void tls_tickets_set(SSL *ssl, struct tls_tickets *t)
{
    if (SSL_set_ex_data(ssl, index_of_tickets, t) != 1)
        panic("OpenSSL has no memory");
}
