// SPDX-License-Identifier: Apache-2.0
// PEM blocks, and one certificate or key as DER: reading ends, blocks follow one another and lie
// within the input, and what is decoded is written and read again as it was.
#include <stdlib.h>

#include "tls/pem.h"
#include "tls/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool cond)
{
    if (!cond)
        abort();
}

static void check_der(struct str der)
{
    struct arena mem;
    struct tls_cert_info info;
    const char *why = "";
    arena_init(&mem, 1 << 20, NULL, 0);
    X509 *cert = tls_cert_read_der(der, &why);
    if (cert && tls_cert_info(cert, &mem, &info)) {
        check(info.serial.len > 0 && info.n_names <= 1000);
        struct str id = tls_cert_ari_id(&info, &mem);
        check((id.len > 0) == (info.authority_key_id.len > 0));
    }
    tls_cert_free(cert);
    EVP_PKEY *key = tls_key_read_der(der, &why);
    check(!key || tls_key_bits(key) > 0);
    tls_key_free(key);
    arena_fini(&mem);
}

static void check_block(const struct tls_pem_block *block)
{
    struct arena mem;
    struct text text = {0};
    struct tls_pem_block again;
    const char *why = "";
    arena_init(&mem, 1 << 20, NULL, 0);
    tls_pem_put(&text, STR("CERTIFICATE"), block->der);
    struct str rest = text_str(&text);
    check(tls_pem_next(&rest, &mem, &again, &why) == IO_DONE);
    check(str_eq(again.der, block->der));
    check(tls_pem_next(&rest, &mem, &again, &why) == IO_EOF);
    check_der(block->der);
    arena_fini(&mem);
    text_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 65536)
        return 0;
    struct arena mem;
    struct tls_pem_block block;
    const char *why = NULL;
    struct str all = str_from((const char *)data, n), rest = all;
    enum io io;
    arena_init(&mem, 4 << 20, NULL, 0);
    while ((io = tls_pem_next(&rest, &mem, &block, &why)) == IO_DONE) {
        check(block.text.ptr >= all.ptr && block.text.ptr + block.text.len == rest.ptr);
        if (block.der.len > 0)
            check_block(&block);
    }
    check(io == IO_EOF || (why && why[0] != '\0'));
    check_der(all);
    arena_wipe(&mem);
    return 0;
}
