// SPDX-License-Identifier: Apache-2.0
// Servers in settings: what is accepted has a key that means the same server again, and holds
// nothing that could break a line or a Host field. What is refused says why, once.
#include <stdlib.h>

#include "base/ascii.h"
#include "upstream/server_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool cond)
{
    if (!cond)
        abort();
}

static void check_accepted(const struct server_url *u, struct arena *mem)
{
    check(u->key.len > 0 && u->authority.len > 0);
    bool is_unix = u->kind == SERVER_UNIX;
    for (size_t i = 0; i < u->authority.len; i++)
        check(ascii_is(u->authority.ptr[i], ASCII_TARGET) && u->authority.ptr[i] != '/');
    check(is_unix || u->port > 0);
    check((u->kind == SERVER_NAME) == (u->host.len > 0));
    check(u->host.len <= 253);
    struct str scheme = u->protocol == SERVER_TCP ? STR("tcp://")
                        : u->is_tls               ? STR("https://")
                                                  : STR("http://");
    struct conf_text again = {.text =
                                  is_unix ? u->key : arena_concat(mem, scheme, u->key, STR_NONE)};
    struct diags diags = {0};
    struct server_url second;
    check(server_url_parse(&again, mem, &diags, &second) == ERR_OK);
    check(second.kind == u->kind && str_eq(second.key, u->key) && second.port == u->port);
    check(str_eq(second.authority, u->authority));
    check(second.protocol == u->protocol && second.is_tls == u->is_tls);
    check(is_unix == (u->protocol == SERVER_ANYTHING));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 4096)
        return 0;
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct diags diags = {0};
    struct conf_text url = {.text = str_from((const char *)data, n)};
    struct server_url u;
    if (server_url_parse(&url, &mem, &diags, &u) == ERR_OK) {
        check(diags.n == 0);
        check_accepted(&u, &mem);
    } else {
        check(diags.n == 1);
    }
    diags_fini(&diags);
    arena_fini(&mem);
    return 0;
}
