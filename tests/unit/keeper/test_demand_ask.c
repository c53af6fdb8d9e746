// SPDX-License-Identifier: Apache-2.0
// With a web server of the test's own.
#include "keeper/demand_ask.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "unit/test.h"

#define SOON_MS 20000

struct server {
    int fd;
    uint16_t port;
    const char *answer; // to everybody
    char asked[1024];   // the last request
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct server *s = arg;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd)) {
        ssize_t n = read(fd, s->asked, sizeof s->asked - 1);
        s->asked[n > 0 ? n : 0] = '\0';
        n = write(fd, s->answer, strlen(s->answer));
        shutdown(fd, SHUT_WR);
        char rest[256];
        while (n > 0 && read(fd, rest, sizeof rest) > 0)
            ;
    }
    return NULL;
}

static void server_begin(struct server *s, const char *answer)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    *s = (struct server){.answer = answer};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->fd, (struct sockaddr *)&addr, len) != 0 || listen(s->fd, 16) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&addr, &len) != 0 ||
        pthread_create(&s->thread, NULL, serve, s) != 0)
        abort();
    s->port = ntohs(addr.sin_port);
}

static void server_end(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static enum demand_said ask(const char *url, char *ret_why)
{
    struct demand_ask *a = demand_ask_new();
    char name[DEMAND_ASK_NAME_BYTES] = "";
    enum demand_said said = DEMAND_SAID_NOTHING;
    CHECK(demand_ask_put(a, str_of(url), STR("a.example")));
    struct pollfd p = {.fd = demand_ask_fd(a), .events = POLLIN};
    CHECK(poll(&p, 1, SOON_MS) == 1);
    CHECK(demand_ask_take(a, name, &said, ret_why));
    CHECK_STR(str_of(name), STR("a.example"));
    char again[DEMAND_ASK_WHY_BYTES];
    CHECK(!demand_ask_take(a, name, &said, again));
    CHECK(poll(&p, 1, 0) == 0);
    demand_ask_free(a);
    return said;
}

static void only_200_is_yes_and_what_is_no_answer_is_neither(void)
{
    static const struct {
        const char *answer;
        enum demand_said said;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", DEMAND_SAID_YES},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome of it", DEMAND_SAID_YES},
        {"HTTP/1.1 204 No Content\r\n\r\n", DEMAND_SAID_NO},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", DEMAND_SAID_NO},
        {"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", DEMAND_SAID_NOTHING},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         DEMAND_SAID_NO},
        {"HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
         DEMAND_SAID_NO},
        {"nonsense\r\n\r\n", DEMAND_SAID_NOTHING},
        {"", DEMAND_SAID_NOTHING},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server s;
        char url[64], why[DEMAND_ASK_WHY_BYTES];
        server_begin(&s, cases[i].answer);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/may", s.port);
        enum demand_said said = ask(url, why);
        if (said != cases[i].said)
            printf("# %s: %s\n", cases[i].answer, why);
        CHECK_INT(said, cases[i].said);
        CHECK((why[0] != '\0') == (said == DEMAND_SAID_NOTHING));
        CHECK(str_starts(str_of(s.asked), STR("GET /may?domain=a.example HTTP/1.1\r\n")));
        server_end(&s);
    }
}

static void a_url_with_a_query_keeps_it(void)
{
    struct server s;
    char url[64], why[DEMAND_ASK_WHY_BYTES];
    server_begin(&s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/?key=1", s.port);
    CHECK_INT(ask(url, why), DEMAND_SAID_YES);
    CHECK(str_starts(str_of(s.asked), STR("GET /?key=1&domain=a.example HTTP/1.1\r\n")));
    server_end(&s);
}

static void fields_without_end_are_no_answer(void)
{
    struct server s;
    struct text answer = {.ptr = NULL};
    char url[64], why[DEMAND_ASK_WHY_BYTES];
    text_put(&answer, STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 10000; i++)
        text_put(&answer, STR("X-More: and more\r\n"));
    server_begin(&s, answer.ptr);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    CHECK_INT(ask(url, why), DEMAND_SAID_NOTHING);
    server_end(&s);
    text_fini(&answer);
}

static void nobody_there_is_no_answer(void)
{
    struct server s;
    char url[64], why[DEMAND_ASK_WHY_BYTES];
    server_begin(&s, "");
    server_end(&s);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    CHECK_INT(ask(url, why), DEMAND_SAID_NOTHING);
    CHECK(why[0] != '\0');
}

static void questions_that_are_too_many_are_refused_and_ended_with_it(void)
{
    struct server s;
    char url[64];
    struct demand_ask *a = demand_ask_new();
    server_begin(&s, "");
    shutdown(s.fd, SHUT_RD); // whoever comes waits
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    for (int i = 0; i < DEMAND_ASK_QUEUE_MAX; i++)
        CHECK(demand_ask_put(a, str_of(url), STR("a.example")));
    CHECK(!demand_ask_put(a, str_of(url), STR("a.example")));
    demand_ask_free(a);
    server_end(&s);
}

TEST_MAIN(TEST(only_200_is_yes_and_what_is_no_answer_is_neither), TEST(a_url_with_a_query_keeps_it),
          TEST(fields_without_end_are_no_answer), TEST(nobody_there_is_no_answer),
          TEST(questions_that_are_too_many_are_refused_and_ended_with_it))
