// SPDX-License-Identifier: Apache-2.0
#include "cli/listening.h"

#include <sys/socket.h>
#include <unistd.h>

#include "rt/addr.h"
#include "unit/test.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define REST " 00000000:00000000 00:00000000 00000000     0        0 "

static struct ip ip(const char *text)
{
    struct ip ip;
    CHECK(ip_parse(str_of(text), &ip) == ERR_OK);
    return ip;
}

static void the_kernels_lists_are_read(void)
{
    static const struct str four =
        STR_INIT(HEAD "   0: 0100007F:0050 00000000:0000 0A" REST "101 1 0 100 0 0 10 0\n"
                      "   1: 00000000:01BB 00000000:0000 0A" REST "102 1 0 100 0 0 10 0\n"
                      "   2: 0100007F:1F90 0100007F:9C40 01" REST "103 1 0 100 0 0 10 0\n");
    static const struct str six = STR_INIT(
        HEAD
        "   0: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A" REST
        "104 1 0\n");
    struct listening l = {.n = 0};
    struct ip here = ip("127.0.0.1"), elsewhere = ip("192.0.2.1"), six_here = ip("::1");
    listening_read(&l, four, false);
    listening_read(&l, six, true);
    CHECK_INT(l.n, 3);
    CHECK(listening_find(&l, &here, 80) && listening_find(&l, &here, 80)->inode == 101);
    CHECK(!listening_find(&l, &elsewhere, 80));
    CHECK(listening_find(&l, &elsewhere, 443) && listening_find(&l, &here, 443));
    CHECK(!listening_find(&l, &here, 8080)); // a connection
    CHECK(listening_find(&l, &six_here, 81) && !listening_find(&l, &here, 81));
    listening_fini(&l);
}

static void an_address_for_all_of_ipv6_takes_ipv4_as_well(void)
{
    static const struct str six = STR_INIT(
        HEAD
        "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A" REST
        "1 1 0\n");
    struct listening l = {.n = 0};
    struct ip here = ip("127.0.0.1");
    listening_read(&l, six, true);
    CHECK(listening_find(&l, &here, 80) != NULL);
    listening_fini(&l);
}

static void lines_that_make_no_sense_are_left_out(void)
{
    static const char *const cases[] = {"",
                                        "\n\n\n",
                                        HEAD,
                                        "0: 0100007F 00000000:0000 0A" REST "1\n",
                                        "0: 0100007:0050 00000000:0000 0A" REST "1\n",
                                        "0: 0100007F:10050 00000000:0000 0A" REST "1\n",
                                        "0: 0100007F:0050 00000000:0000 0A" REST "x\n",
                                        "0: 0100007F:0050",
                                        "0A"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct listening l = {.n = 0};
        listening_read(&l, str_of(cases[i]), false);
        CHECK_INT(l.n, 0);
        listening_fini(&l);
    }
}

static void a_socket_of_this_process_is_found_with_its_owner(void)
{
    struct ip here = ip("127.0.0.1");
    struct rt_addr addr;
    struct listening l;
    uint16_t port = 0;
    addr_from_ip(&here, 0, &addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, &addr.u.any, addr.len) == 0 && listen(fd, 1) == 0);
    CHECK(getsockname(fd, &addr.u.any, &addr.len) == 0 && addr_to_ip(&addr, &here, &port));
    CHECK(listening_look(&l));
    const struct listening_socket *s = listening_find(&l, &here, port);
    CHECK(s && s->pid == getpid() && s->name[0] != '\0');
    listening_fini(&l);
    close(fd);
}

TEST_MAIN(TEST(the_kernels_lists_are_read), TEST(an_address_for_all_of_ipv6_takes_ipv4_as_well),
          TEST(lines_that_make_no_sense_are_left_out),
          TEST(a_socket_of_this_process_is_found_with_its_owner))
