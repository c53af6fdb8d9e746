// SPDX-License-Identifier: Apache-2.0
#include "cli/top_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/text.h"
#include "rt/clock.h"

#define ENTER "\033[?1049h\033[?25l" // another screen, no cursor
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define REST_OF_LINE "\033[K"
#define REST_OF_SCREEN "\033[J"

static struct termios before; // as it was
static volatile sig_atomic_t is_open, is_ending, is_resized, is_stopping;
static volatile sig_atomic_t is_elsewhere; // nobody looks at is_ending
static sigset_t outside; // signals are let in only while a key is waited for, or elsewhere
static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void write_all(struct str s)
{
    while (s.len > 0) {
        ssize_t n = write(STDOUT_FILENO, s.ptr, s.len);
        if (n < 0 && errno != EINTR)
            return;
        s = str_skip(s, n > 0 ? (size_t)n : 0);
    }
}

// Also from a signal's handler: all of it may be called there.
static void restore(void)
{
    if (!is_open)
        return;
    is_open = 0;
    write_all(STR(LEAVE));
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void on_signal(int sig)
{
    if (sig == SIGWINCH) {
        is_resized = 1;
    } else if (sig == SIGTSTP) {
        is_stopping = 1;
    } else if (is_elsewhere) {
        restore();
        _exit(0);
    } else {
        is_ending = 1;
    }
}

static void on_crash(int sig)
{
    restore();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void catch_signals(void)
{
    static const int crashes[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = on_signal}, crash = {.sa_handler = on_crash};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        sigaction(endings[i], &action, NULL);
        sigaddset(&set, endings[i]);
    }
    sigaction(SIGWINCH, &action, NULL);
    sigaddset(&set, SIGWINCH);
    sigaction(SIGTSTP, &action, NULL);
    sigaddset(&set, SIGTSTP);
    for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
        sigaction(crashes[i], &crash, NULL);
    sigprocmask(SIG_BLOCK, &set, &outside);
    is_elsewhere = 0;
}

static bool take_over(void)
{
    struct termios raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO); // Ctrl-C and Ctrl-Z stay signals
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
        return false;
    is_open = 1;
    write_all(STR(ENTER));
    return true;
}

bool top_terminal_is_there(void)
{
    const char *term = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && term[0] &&
           strcmp(term, "dumb") != 0;
}

bool top_terminal_open(void)
{
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    catch_signals();
    atexit(restore);
    return take_over();
}

void top_terminal_close(void)
{
    restore();
    is_elsewhere = 1;
    sigprocmask(SIG_SETMASK, &outside, NULL);
}

static void change_mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        sigaddset(&set, endings[i]);
    sigprocmask(how, &set, NULL);
}

void top_terminal_leave(void)
{
    is_elsewhere = 1;
    change_mask(SIG_UNBLOCK);
}

void top_terminal_return(void)
{
    change_mask(SIG_BLOCK);
    is_elsewhere = 0;
}

void top_terminal_size(size_t *ret_width, size_t *ret_height)
{
    struct winsize size = {.ws_col = 0};
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *ret_width = size.ws_col > 0 ? size.ws_col : 80;
    *ret_height = size.ws_row > 0 ? size.ws_row : 24;
}

void top_terminal_show(struct str lines)
{
    struct text t = {.ptr = NULL};
    struct str line;
    bool is_first = true;
    text_put(&t, STR(HOME));
    for (bool has_more = true; has_more;) {
        has_more = str_cut(lines, '\n', &line, &lines);
        text_put(&t, is_first ? STR_NONE : STR("\r\n"));
        text_put(&t, line);
        text_put(&t, STR(REST_OF_LINE));
        is_first = false;
    }
    text_put(&t, STR(REST_OF_SCREEN));
    write_all(text_str(&t));
    text_fini(&t);
}

// As any program does that Ctrl-Z stops, and back.
static int stop_and_go_on(void)
{
    sigset_t set, was;
    is_stopping = 0;
    restore();
    signal(SIGTSTP, SIG_DFL);
    raise(SIGTSTP);
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &set, &was); // here it stops, and here it goes on
    sigprocmask(SIG_SETMASK, &was, NULL);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTSTP, &action, NULL);
    return take_over() ? TOP_KEY_RESIZE : TOP_KEY_END;
}

int top_terminal_key(int64_t until_ms)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t wait_ms = MAX(until_ms - clock_now_ms(), (int64_t)0);
    const struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    int n = ppoll(&fd, 1, &wait, &outside);
    if (is_ending)
        return TOP_KEY_END;
    if (is_stopping)
        return stop_and_go_on();
    if (is_resized) {
        is_resized = 0;
        return TOP_KEY_RESIZE;
    }
    char key;
    if (n <= 0)
        return n == 0 || errno == EINTR ? TOP_KEY_NONE : TOP_KEY_END;
    return read(STDIN_FILENO, &key, 1) == 1 ? (unsigned char)key : TOP_KEY_END;
}
