// SPDX-License-Identifier: Apache-2.0
// PEM files: what is accepted is a chain and a key that are accepted again as they were written,
// and give the same; what is refused says why. The input is cut at its first 0 into two files.
#include <stdlib.h>

#include "tls/credential.h"

#define NOW_S 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool cond)
{
    if (!cond)
        abort();
}

static void check_names(const struct tls_cert_info *info)
{
    for (size_t i = 0; i < info->n_names; i++) {
        check(info->names[i].len > 0);
        for (size_t k = 0; k < info->names[i].len; k++) {
            char c = info->names[i].ptr[k];
            check(c > ' ' && c < 0x7f && (c < 'A' || c > 'Z'));
        }
        check(tls_cert_covers(info, info->names[i]));
    }
}

static void check_accepted(const struct tls_credential *c, struct arena *mem)
{
    struct tls_credential again;
    const char *why = NULL;
    check(c->n_chain >= 1 && c->n_chain <= TLS_CHAIN_MAX);
    check(tls_credential_read(c->chain_pem, c->key_pem, NOW_S, mem, &again, &why) == ERR_OK);
    check(str_eq(again.chain_pem, c->chain_pem) && str_eq(again.key_pem, c->key_pem));
    check(again.flaws == c->flaws && again.n_chain == c->n_chain);
    for (size_t i = 0; i < c->leaf.subject.len; i++)
        check(c->leaf.subject.ptr[i] >= ' ');
    check_names(&c->leaf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 65536)
        return 0;
    struct arena mem;
    struct tls_credential c;
    const char *why = NULL;
    struct str first = str_from((const char *)data, n), second = STR_NONE;
    str_cut(first, '\0', &first, &second);
    arena_init(&mem, 4 << 20, NULL, 0);
    if (tls_credential_read(first, second, NOW_S, &mem, &c, &why) == ERR_OK)
        check_accepted(&c, &mem);
    else
        check(why && why[0] != '\0');
    arena_wipe(&mem);
    return 0;
}
