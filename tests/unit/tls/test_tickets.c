// SPDX-License-Identifier: Apache-2.0
// That sessions are resumed with them is in test_server.c.
#include "tls/tickets.h"

#include <openssl/ssl.h>

#include "unit/test.h"

static void keys_are_whole_and_at_most_three(void)
{
    static const struct {
        size_t bytes;
        bool is_good;
    } cases[] = {{0, false},  {1, false},  {79, false},  {80, true},   {81, false},
                 {160, true}, {240, true}, {241, false}, {320, false}, {8000, false}};
    char bytes[8000] = {1};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_tickets *t = tls_tickets_new(str_from(bytes, cases[i].bytes));
        CHECK_INT(t != NULL, cases[i].is_good);
        tls_tickets_unref(tls_tickets_ref(t));
        tls_tickets_unref(t);
    }
}

static void a_connection_has_the_keys_that_it_was_given(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    tls_tickets_use(ctx);
    SSL *ssl = SSL_new(ctx);
    tls_tickets_set(ssl, NULL);
    char bytes[80] = {1};
    struct tls_tickets *t = tls_tickets_new(str_from(bytes, sizeof bytes));
    tls_tickets_set(ssl, t);
    tls_tickets_set(ssl, NULL);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    tls_tickets_unref(t);
}

TEST_MAIN(TEST(keys_are_whole_and_at_most_three), TEST(a_connection_has_the_keys_that_it_was_given))
