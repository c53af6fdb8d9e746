// SPDX-License-Identifier: Apache-2.0
#include "keeper/notify.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "rt/clock.h"
#include "unit/test.h"

// Listens as a service manager does; *ret_name is what belongs into $NOTIFY_SOCKET.
static int listen_as_manager(char kind, char ret_name[static 64])
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(ret_name, 64, "%ctmp/sallyport-notify-test-%d", kind, (int)getpid());
    size_t len = strlen(ret_name);
    memcpy(addr.sun_path, ret_name, len);
    if (kind == '@')
        addr.sun_path[0] = '\0';
    else
        unlink(ret_name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(bind(fd, (const void *)&addr,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0);
    return fd;
}

static struct str hear(int fd)
{
    static char buf[2048];
    ssize_t n = recv(fd, buf, sizeof buf, 0);
    return n < 0 ? STR("(nothing)") : str_from(buf, (size_t)n);
}

static void forget_manager(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    notify_init();
}

static void say_everything(int fd)
{
    notify_ready(NULL);
    CHECK_STR(hear(fd), STR("READY=1"));
    notify_ready("serving");
    CHECK_STR(hear(fd), STR("READY=1\nSTATUS=serving"));
    notify_stopping("draining");
    CHECK_STR(hear(fd), STR("STOPPING=1\nSTATUS=draining"));
    notify_status("%d workers", 4);
    CHECK_STR(hear(fd), STR("STATUS=4 workers"));
    notify_alive();
    CHECK_STR(hear(fd), STR("WATCHDOG=1"));
    CHECK_STR(hear(fd), STR("(nothing)"));
}

static void every_state_is_one_datagram_to_a_path_or_an_abstract_name(void)
{
    for (int i = 0; i < 2; i++) {
        char name[64];
        int fd = listen_as_manager("/@"[i], name);
        setenv("NOTIFY_SOCKET", name, 1);
        notify_init();
        say_everything(fd);
        close(fd);
        if (i == 0)
            unlink(name);
    }
    forget_manager();
}

static void a_reload_tells_its_time_in_microseconds(void)
{
    char name[64];
    int fd = listen_as_manager('@', name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_init();
    int64_t before = clock_exact_ns() / 1000;
    notify_reloading();
    struct str message = hear(fd), prefix = STR("RELOADING=1\nMONOTONIC_USEC=");
    CHECK(str_starts(message, prefix));
    uint64_t at = 0;
    CHECK(num_dec(str_skip(message, prefix.len), INT64_MAX, &at) == ERR_OK);
    CHECK((int64_t)at >= before && (int64_t)at <= clock_exact_ns() / 1000);
    close(fd);
    forget_manager();
}

static void a_status_is_one_line_and_never_a_variable(void)
{
    char name[64], longest[3000];
    int fd = listen_as_manager('@', name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_init();
    notify_status("%s", "bad file\nMAINPID=1\r\x01"
                        "ä");
    CHECK_STR(hear(fd), STR("STATUS=bad file MAINPID=1  ä"));
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    notify_ready(longest);
    struct str message = hear(fd);
    CHECK(str_starts(message, STR("READY=1\nSTATUS=xxx")));
    CHECK_INT(message.len, 1024);
    close(fd);
    forget_manager();
}

static void without_a_manager_or_with_a_strange_one_nothing_happens(void)
{
    static const char *const names[] = {"", "/", "relative", "vsock:2:1234", "@"};
    char too_long[200];
    memset(too_long, 'x', sizeof too_long);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    for (size_t i = 0; i <= ARRAY_LEN(names); i++) {
        setenv("NOTIFY_SOCKET", i < ARRAY_LEN(names) ? names[i] : too_long, 1);
        setenv("WATCHDOG_USEC", "1000000", 1);
        notify_init();
        notify_ready("x");
        notify_reloading();
        notify_alive();
        CHECK_INT(notify_watchdog_ms(), 0);
    }
    forget_manager();
    notify_ready(NULL);
}

static void the_watchdog_wants_twice_as_many_signs_as_needed(void)
{
    char mine[16];
    snprintf(mine, sizeof mine, "%d", (int)getpid());
    const struct {
        const char *usec, *pid;
        int64_t wanted_ms;
    } cases[] = {
        {"30000000", mine, 15000}, {"30000000", NULL, 15000}, {"1", mine, 1}, {"0", mine, 0},
        {"30000000", "1", 0},      {"30000000", "x", 0},      {"", mine, 0},  {"-1", mine, 0},
        {"1e9", mine, 0},          {NULL, mine, 0},
    };
    setenv("NOTIFY_SOCKET", "@nobody listens", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        if (cases[i].usec)
            setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid)
            setenv("WATCHDOG_PID", cases[i].pid, 1);
        notify_init();
        CHECK_INT(notify_watchdog_ms(), cases[i].wanted_ms);
    }
    forget_manager();
}

static bool has(char **environment, const char *prefix)
{
    for (; *environment; environment++)
        if (str_starts(str_of(*environment), str_of(prefix)))
            return true;
    return false;
}

static void a_child_gets_all_but_what_concerns_the_manager(void)
{
    setenv("NOTIFY_SOCKET", "@nobody listens", 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    setenv("NOTIFY_SOCKET_OF_ANOTHER", "x", 1);
    notify_init();
    char **child = notify_child_environment();
    CHECK(!has(child, "NOTIFY_SOCKET="));
    CHECK(!has(child, "WATCHDOG_USEC="));
    CHECK(has(child, "NOTIFY_SOCKET_OF_ANOTHER=x"));
    CHECK(getenv("NOTIFY_SOCKET") != NULL); // for the keeper's next self
    forget_manager();
}

TEST_MAIN(TEST(every_state_is_one_datagram_to_a_path_or_an_abstract_name),
          TEST(a_reload_tells_its_time_in_microseconds),
          TEST(a_status_is_one_line_and_never_a_variable),
          TEST(without_a_manager_or_with_a_strange_one_nothing_happens),
          TEST(the_watchdog_wants_twice_as_many_signs_as_needed),
          TEST(a_child_gets_all_but_what_concerns_the_manager))
