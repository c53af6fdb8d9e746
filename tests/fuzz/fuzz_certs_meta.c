// SPDX-License-Identifier: Apache-2.0
// meta.json of the store: what is read is written and read again as it was.
#include <stdlib.h>

#include "certs/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool cond)
{
    if (!cond)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 16384)
        return 0;
    struct arena mem;
    struct certs_meta meta, again;
    struct certs_account_meta account, account_again;
    struct text text = {0}, account_text = {0};
    arena_init(&mem, 4 << 20, NULL, 0);
    struct str json = str_from((const char *)data, n);
    bool is_json = certs_meta_read(json, &mem, &meta);
    check(certs_account_meta_read(json, &mem, &account) == is_json);
    certs_meta_write(&meta, &text);
    certs_account_meta_write(&account, &account_text);
    check(certs_meta_read(text_str(&text), &mem, &again));
    check(certs_account_meta_read(text_str(&account_text), &mem, &account_again));
    check(str_eq(meta.issuer, again.issuer) && str_eq(meta.last_error, again.last_error));
    check(meta.created_s == again.created_s && meta.n_failures == again.n_failures);
    check(meta.n_names == again.n_names);
    for (size_t i = 0; i < meta.n_names; i++)
        check(str_eq(meta.names[i], again.names[i]));
    check(str_eq(account.contact, account_again.contact));
    text_fini(&text);
    text_fini(&account_text);
    arena_fini(&mem);
    return 0;
}
