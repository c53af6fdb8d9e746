// SPDX-License-Identifier: Apache-2.0
// acme.json: what comes of it has ids that are names of files and keys that fit; what is no
// acme.json is one error.
#include <stdlib.h>

#include "certs/entry.h"
#include "certs/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool cond)
{
    if (!cond)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 65536)
        return 0;
    struct arena mem;
    struct diags diags = {0};
    struct certs_import all;
    arena_init(&mem, 8 << 20, NULL, 0);
    struct str json = str_from((const char *)data, n);
    enum err err =
        certs_import_traefik(json, (struct place){.source = "acme.json"}, &mem, &diags, &all);
    check((err == ERR_OK) == (diags.n_errors == 0));
    for (size_t i = 0; i < all.n_certs; i++) {
        check(certs_entry_name_is_valid(all.certs[i].id));
        check(all.certs[i].cert.n_chain > 0 && all.certs[i].cert.key_pem.len > 0);
    }
    for (size_t i = 0; i < all.n_accounts; i++) {
        check(certs_entry_name_is_valid(all.accounts[i].issuer));
        check(all.accounts[i].key_pem.len > 0);
    }
    diags_fini(&diags);
    arena_wipe(&mem);
    return 0;
}
