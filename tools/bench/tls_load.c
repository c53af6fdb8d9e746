// SPDX-License-Identifier: Apache-2.0
// Connects again and again, with one handshake of TLS 1.3 and one request each, and counts.
//   tls_load PORT new|resumed SECONDS
// "resumed" offers the ticket that the connection before has brought. Prints connections, resumed
// ones, and seconds.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char request[] =
    "GET /1k HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n";

static SSL_SESSION *ticket; // owns: the newest

static void die(const char *what)
{
    fprintf(stderr, "tls_load: %s\n", what);
    exit(1);
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1; // keeps the reference
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(unsigned short port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("can't connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

// Whether the session was resumed.
static bool exchange(SSL_CTX *ctx, unsigned short port, bool resumes)
{
    char answer[16384];
    size_t n, all = 0;
    int fd = dial(port);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (resumes && ticket)
        SSL_set_session(ssl, ticket);
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, request, sizeof request - 1) <= 0)
        die("no handshake");
    while (SSL_read_ex(ssl, answer, sizeof answer, &n) == 1)
        all += n;
    if (all < 1024)
        die("no answer");
    bool is_resumed = SSL_session_reused(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
    return is_resumed;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage: tls_load PORT new|resumed SECONDS");
    unsigned short port = (unsigned short)strtoul(argv[1], NULL, 10);
    bool resumes = strcmp(argv[2], "resumed") == 0;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    if (resumes)
        exchange(ctx, port, false);
    unsigned long n = 0, n_resumed = 0;
    double began = now(), until = began + strtod(argv[3], NULL);
    for (; now() < until; n++)
        n_resumed += exchange(ctx, port, resumes);
    printf("%lu %lu %.3f\n", n, n_resumed, now() - began);
}
