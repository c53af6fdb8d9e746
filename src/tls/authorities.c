// SPDX-License-Identifier: Apache-2.0
#include "tls/authorities.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include "base/assert.h"
#include "tls/pem.h"
#include "tls/server.h"
#include "tls/x509.h"

#define AUTHORITIES_MAX 10000u
#define AUTHORITIES_MEM_BYTES ((size_t)64 << 20)

void tls_authorities_init(struct tls_authorities *ret, const struct conf_file *file)
{
    tls_init();
    *ret = (struct tls_authorities){.file = *file};
    if (EVP_Digest(file->content.ptr, file->content.len, ret->digest, NULL, EVP_sha256(), NULL) !=
        1)
        panic("OpenSSL has no SHA-256");
}

static bool add(X509_STORE *store, struct str der, const char **ret_why)
{
    X509 *cert = tls_cert_read_der(der, ret_why);
    if (!cert)
        return false;
    bool is_added = X509_STORE_add_cert(store, cert) == 1;
    if (!is_added)
        *ret_why = "OpenSSL refuses a certificate in it";
    tls_cert_free(cert);
    return is_added;
}

static unsigned add_all(X509_STORE *store, struct str pem, bool is_lenient, struct arena *mem,
                        const char **ret_why)
{
    unsigned n = 0;
    for (unsigned i = 0; i < AUTHORITIES_MAX; i++) {
        struct tls_pem_block block;
        struct str before = pem;
        enum io io = tls_pem_next(&pem, mem, &block, ret_why);
        if (io == IO_EOF)
            break;
        bool is_good =
            io == IO_DONE && (block.kind != TLS_PEM_CERTIFICATE || add(store, block.der, ret_why));
        bool has_moved = pem.ptr != before.ptr;
        if (!is_good && (!is_lenient || !has_moved))
            return is_lenient ? n : 0;
        n += is_good && block.kind == TLS_PEM_CERTIFICATE;
    }
    if (n == 0)
        *ret_why = "it holds no certificate";
    return n;
}

X509_STORE *tls_authorities_read(struct str pem, bool is_lenient, const char **ret_why)
{
    X509_STORE *store = X509_STORE_new();
    if (!store)
        panic("OpenSSL has no memory");
    struct arena mem;
    arena_init(&mem, AUTHORITIES_MEM_BYTES, NULL, 0);
    unsigned n = add_all(store, pem, is_lenient, &mem, ret_why);
    arena_fini(&mem);
    ERR_clear_error();
    if (n > 0)
        return store;
    X509_STORE_free(store);
    return NULL;
}
