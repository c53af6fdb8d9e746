// SPDX-License-Identifier: Apache-2.0
#include "tls/secrets.h"

#include <openssl/ssl.h>
#include <pthread.h>

#include "base/ascii.h"
#include "base/assert.h"

#define RANDOM_DIGITS 64 // the client's random, in the middle of each line

static int index_of_secrets;

static void prepare(void)
{
    index_of_secrets = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (index_of_secrets < 0)
        panic("OpenSSL has no memory");
}

// Gives the number of bytes; 0: these are none.
static uint8_t read_hex(struct str s, uint8_t to[static TLS_SECRET_MAX_BYTES])
{
    if (s.len % 2 != 0 || s.len > 2 * TLS_SECRET_MAX_BYTES)
        return 0;
    for (size_t i = 0; i < s.len / 2; i++) {
        int high = ascii_hex(s.ptr[2 * i]), low = ascii_hex(s.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return (uint8_t)(s.len / 2);
}

// "CLIENT_TRAFFIC_SECRET_0 <random> <secret>"; other lines are of no use.
static void on_line(const SSL *ssl, const char *line)
{
    static const struct str client = STR_INIT("CLIENT_TRAFFIC_SECRET_0 "),
                            server = STR_INIT("SERVER_TRAFFIC_SECRET_0 ");
    struct tls_secrets *to = SSL_get_ex_data(ssl, index_of_secrets);
    struct str s = str_of(line);
    bool is_client = str_starts(s, client);
    if (!to || !(is_client || str_starts(s, server)) || s.len < client.len + RANDOM_DIGITS + 1)
        return;
    struct str digits = str_skip(s, client.len + RANDOM_DIGITS + 1);
    if (is_client) {
        to->n_of_client = read_hex(digits, to->of_client);
    } else {
        to->n_of_server = read_hex(digits, to->of_server);
        to->n_sent = 0; // the next record is the first one of this key
    }
}

static void on_message(int is_sent, int version, int type, const void *bytes, size_t n, SSL *ssl,
                       void *arg)
{
    (void)version, (void)bytes, (void)n, (void)arg;
    struct tls_secrets *to = SSL_get_ex_data(ssl, index_of_secrets);
    if (to && is_sent && type == SSL3_RT_HEADER)
        to->n_sent++;
}

void tls_secrets_prepare(SSL_CTX *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    SSL_CTX_set_keylog_callback(ctx, on_line);
    SSL_CTX_set_msg_callback(ctx, on_message);
}

void tls_secrets_collect(SSL *ssl, struct tls_secrets *to)
{
    if (SSL_set_ex_data(ssl, index_of_secrets, to) != 1)
        panic("OpenSSL has no memory");
}
