// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_certs.h"

#include "base/assert.h"
#include "base/num.h"
#include "sim/sim_random.h"
#include "tls/bundle.h"
#include "tls/client_verify.h"
#include "tls/x509.h"

#define SEED 4
// Fixed, so that the certificates are the same in each run.
#define NOT_BEFORE_S 1600000000 // 2020
#define NOT_AFTER_S 4100000000  // 2099

struct generation {
    EVP_PKEY *key; // owns
    X509 *cert;    // owns
    struct credentials credentials;
};

static struct generation generations[SIM_CERTS_GENERATIONS];
static EVP_PKEY *server_key; // owns
static X509 *server_cert;    // owns
static char server_pin[TLS_PIN_TEXT_BYTES + 1];

static X509 *make_cert(EVP_PKEY *key, const struct str *names, size_t n)
{
    struct tls_cert_wish wish = {
        .role = TLS_CERT_LEAF,
        .names = names,
        .n_names = n,
        .not_before_s = NOT_BEFORE_S,
        .not_after_s = NOT_AFTER_S,
    };
    X509 *cert = key ? tls_cert_make(&wish, key, NULL, NULL) : NULL;
    if (!cert)
        panic("OpenSSL can't make a certificate");
    return cert;
}

static struct tls_store *store_of(const struct generation *g, const struct str *names, size_t n)
{
    struct text chain = {.ptr = NULL}, key = {.ptr = NULL}, bundle = {.ptr = NULL};
    if (!tls_cert_put_pem(g->cert, &chain) || !tls_key_put_pem(g->key, &key))
        panic("OpenSSL can't write a certificate");
    struct tls_bundle_item item = {
        .id = STR("sites"),
        .names = names,
        .n_names = n,
        .chain_pem = text_str(&chain),
        .key_pem = text_str(&key),
        .is_default = true,
    };
    tls_bundle_pack(&item, 1, &bundle);
    struct diags diags = {.n = 0};
    struct tls_store *store = tls_store_build(text_str(&bundle), &diags);
    if (!store || diags.n > 0)
        panic("the certificates of the simulation: %s", diags.n > 0 ? diags.items[0].text : "?");
    diags_fini(&diags);
    text_fini(&chain);
    text_fini(&key);
    text_fini(&bundle);
    return store;
}

// This generation's key of tickets and the one before, as a rotation leaves them.
static struct tls_tickets *tickets_of(uint8_t n)
{
    struct tls_ticket_key keys[2];
    memset(&keys[0], 0x40 + n, sizeof keys[0]);
    memset(&keys[1], 0x3f + n, sizeof keys[1]);
    return tls_tickets_new(str_from((const char *)keys, sizeof keys));
}

void sim_certs_init(void)
{
    static const struct str names[] = {STR_INIT("*.example")};
    static const struct str server_names[] = {STR_INIT("passed.example")};
    sim_random_start(SEED);
    for (uint8_t i = 0; i < SIM_CERTS_GENERATIONS; i++) {
        struct generation *g = &generations[i];
        g->key = tls_key_new(TLS_KEY_P256);
        g->cert = make_cert(g->key, names, ARRAY_LEN(names));
        g->credentials.store = store_of(g, names, ARRAY_LEN(names));
        g->credentials.tickets = tickets_of(i);
    }
    server_key = tls_key_new(TLS_KEY_P256);
    server_cert = make_cert(server_key, server_names, ARRAY_LEN(server_names));
    uint8_t hash[TLS_PIN_BYTES];
    ASSERT(tls_key_hash(server_cert, hash));
    (void)tls_pin_text(hash, server_pin);
}

void sim_certs_fini(void)
{
    for (uint8_t i = 0; i < SIM_CERTS_GENERATIONS; i++) {
        credentials_unref(&generations[i].credentials);
        tls_cert_free(generations[i].cert);
        tls_key_free(generations[i].key);
    }
    tls_cert_free(server_cert);
    tls_key_free(server_key);
}

const struct credentials *sim_certs_credentials(uint32_t n)
{
    return &generations[n % SIM_CERTS_GENERATIONS].credentials;
}

X509 *sim_certs_of_sites(uint32_t n)
{
    return generations[n % SIM_CERTS_GENERATIONS].cert;
}

X509 *sim_certs_of_server(void)
{
    return server_cert;
}

EVP_PKEY *sim_certs_key_of_server(void)
{
    return server_key;
}

const char *sim_certs_pin_of_server(void)
{
    return server_pin;
}
