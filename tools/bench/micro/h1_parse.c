// SPDX-License-Identifier: Apache-2.0
// Nanoseconds per request head: a browser's request of 614 bytes with 11 fields, and a short one
// as load generators send them. Prints the best of many short rounds, which is the figure that
// other work on the machine disturbs least.
#include <stdio.h>
#include <time.h>

#include "codec/h1_priv.h"

#define N_ROUNDS 3000
#define N_PER_ROUND 200

static const struct str browser =
    STR_INIT("GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n"
             "Host: www.kittyhell.com\r\n"
             "User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) "
             "Gecko/20100401 Firefox/3.6.3 Pathtraq/0.9\r\n"
             "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
             "Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n"
             "Accept-Encoding: gzip,deflate\r\n"
             "Cache-Control: max-age=0\r\n"
             "Referer: http://www.kittyhell.com/2010/03/\r\n"
             "X-Forwarded-Proto: https\r\n"
             "Keep-Alive: 115\r\n"
             "Connection: keep-alive\r\n"
             "Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; "
             "__utma=xxxxxxxxx.xxxxxxxxxx.xxxxxx\r\n"
             "\r\n");

static const struct str small = STR_INIT("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");

typedef enum io parse_fn(struct str in, const struct h1_limits *limits, struct field *fields,
                         struct h1_request *ret, size_t *ret_used, enum h1_error *reterr);

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *name, parse_fn *parse, struct str in, bool with_framing)
{
    static struct field fields[128];
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    struct h1_request r = {0};
    double best_ns = 1e9;
    size_t n_bad = 0;
    for (int round = 0; round < N_ROUNDS; round++) {
        double start = now_ns();
        for (int i = 0; i < N_PER_ROUND; i++) {
            size_t used = 0;
            enum h1_error e;
            struct h1_framing f;
            n_bad += parse(in, &limits, fields, &r, &used, &e) != IO_DONE || used != in.len;
            n_bad += with_framing && h1_request_framing(&r, &f) != H1_ERROR_NONE;
            __asm__ volatile("" ::: "memory");
        }
        double ns = (now_ns() - start) / N_PER_ROUND;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("%-28s %4zu bytes %3u fields %8.1f ns%s\n", name, in.len, r.n_fields, best_ns,
           n_bad > 0 ? "  REFUSED" : "");
}

int main(void)
{
    measure("browser, vectors", h1_request_parse, browser, false);
    measure("browser, vectors, framing", h1_request_parse, browser, true);
    measure("browser, scalar", h1_request_parse_scalar, browser, false);
    measure("small, vectors", h1_request_parse, small, false);
    measure("small, vectors, framing", h1_request_parse, small, true);
    measure("small, scalar", h1_request_parse_scalar, small, false);
    return 0;
}
