// SPDX-License-Identifier: Apache-2.0
#include "keeper/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "keeper/handover.h"
#include "keeper/notify.h"
#include "rt/clock.h"
#include "rt/log.h"

#define TRIAL_MAX_MS 60000

void upgrade_init(struct upgrade *u)
{
    *u = (struct upgrade){.out = -1, .old_binary = -1, .settings_fd = -1};
}

// Ends it, whatever it was at, with an answer to who asked.
static void give_up(struct keeper *k, const char *fmt, ...) PRINTF(2, 3);
static void give_up(struct keeper *k, const char *fmt, ...)
{
    char why[sizeof k->upgrade.text + 256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    log_error("not upgraded: %s", why);
    if (k->upgrade.out >= 0)
        close(k->upgrade.out);
    upgrade_init(&k->upgrade);
    control_answer(&k->control, CONTROL_WAIT_UPGRADE, 0, report_failure(why));
}

// --- the trial: what does the other binary say of itself, and of the settings? ---

NORETURN static void become_trial(const char *binary, char *const argv[], int out)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // it answers the keeper, and nobody else
    int in = open("/dev/null", O_RDONLY);
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(out, STDERR_FILENO) >= 0)
        execve(binary, argv, notify_child_environment());
    const char *why = strerrordesc_np(errno);
    ssize_t ignored = write(STDERR_FILENO, why, strlen(why));
    (void)ignored;
    _exit(127);
}

static bool start_trial(struct keeper *k, enum upgrade_state state, char *const argv[])
{
    struct upgrade *u = &k->upgrade;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    fcntl(ends[1], F_SETFL, 0);
    u->pid = fork();
    if (u->pid == 0)
        become_trial(u->binary, argv, ends[1]);
    close(ends[1]);
    if (u->pid < 0) {
        u->pid = 0;
        close(ends[0]);
        return false;
    }
    u->state = state;
    u->out = ends[0];
    u->text_bytes = 0;
    u->due_ms = clock_now_ms() + TRIAL_MAX_MS;
    return true;
}

static bool find_own_binary(char *buf, size_t n)
{
    static const struct str deleted = STR_INIT(" (deleted)");
    ssize_t len = readlink("/proc/self/exe", buf, n - 1);
    if (len <= 0)
        return false;
    // A package manager has replaced it: the new one is at the same path.
    struct str path = {buf, (size_t)len};
    if (str_ends(path, deleted))
        path.len -= deleted.len;
    buf[path.len] = '\0';
    return true;
}

bool upgrade_begin(struct keeper *k, const char *binary, char *reterr, size_t n)
{
    struct upgrade *u = &k->upgrade;
    const char *why = NULL;
    if (k->is_stopping)
        why = "it is stopping";
    else if (u->state != UPGRADE_NONE)
        why = "another upgrade is going on";
    else if (k->options->path && strcmp(k->options->path, "-") == 0)
        why = "the settings came from standard input, which a new binary can't read";
    else if (binary && (binary[0] != '/' || strlen(binary) >= sizeof u->binary))
        why = "the binary's path must be absolute";
    else if (!binary && !find_own_binary(u->binary, sizeof u->binary))
        why = "the path of the running binary isn't known: name one";
    if (why) {
        snprintf(reterr, n, "%s", why);
        return false;
    }
    if (binary)
        snprintf(u->binary, sizeof u->binary, "%s", binary);
    if (access(u->binary, X_OK) != 0) {
        snprintf(reterr, n, "%.300s: %s", u->binary, strerror(errno));
        return false;
    }
    char *argv[] = {u->binary, (char[]){"version"}, NULL};
    if (start_trial(k, UPGRADE_VERSION, argv))
        return true;
    snprintf(reterr, n, "can't try the binary: %s", strerror(errno));
    return false;
}

void upgrade_on_output(struct keeper *k)
{
    struct upgrade *u = &k->upgrade;
    char rest[1024];
    for (;;) {
        size_t room = sizeof u->text - 1 - u->text_bytes;
        ssize_t n = room > 0 ? read(u->out, u->text + u->text_bytes, room)
                             : read(u->out, rest, sizeof rest);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        if (n == 0) {
            close(u->out);
            u->out = -1;
            return;
        }
        if (room > 0)
            u->text_bytes += (size_t)n;
    }
}

static struct str first_line_of_output(const struct upgrade *u)
{
    struct str line;
    (void)str_cut(str_from(u->text, u->text_bytes), '\n', &line, NULL);
    return line;
}

static void on_version(struct keeper *k)
{
    struct upgrade *u = &k->upgrade;
    char *config = (char *)(uintptr_t)k->options->path;
    static const struct str name = STR_INIT("sallyport ");
    struct str said = first_line_of_output(u);
    struct str version = str_skip(said, MIN(name.len, said.len));
    if (!str_starts(said, name) || version.len == 0 || version.len >= sizeof u->version) {
        give_up(k, "%s doesn't say that it is sallyport", u->binary);
        return;
    }
    snprintf(u->version, sizeof u->version, STR_FMT, STR_ARG(version));
    control_progress(&k->control, CONTROL_WAIT_UPGRADE, 0, "%s is version %s", u->binary,
                     u->version);
    if (!config) {
        u->state = UPGRADE_READY;
        return;
    }
    char *argv[] = {u->binary, (char[]){"check"}, (char[]){"--quiet"}, (char[]){"--config"}, config,
                    NULL};
    if (!start_trial(k, UPGRADE_CHECK, argv))
        give_up(k, "can't try %s: %s", u->binary, strerror(errno));
}

// Line by line: what was found in the settings, or why the binary doesn't work.
static void tell_output(struct keeper *k)
{
    struct str rest = {k->upgrade.text, k->upgrade.text_bytes}, line;
    while (rest.len > 0) {
        if (!str_cut(rest, '\n', &line, &rest))
            rest = STR_NONE;
        if (line.len > 0) {
            log_error("not upgraded: " STR_FMT, STR_ARG(line));
            control_progress(&k->control, CONTROL_WAIT_UPGRADE, 0, STR_FMT, STR_ARG(line));
        }
    }
}

void upgrade_on_child(struct keeper *k, pid_t pid, int status)
{
    struct upgrade *u = &k->upgrade;
    if (pid != u->pid || pid == 0)
        return;
    u->pid = 0;
    if (u->out >= 0)
        upgrade_on_output(k); // what it said last
    if (u->out >= 0)
        close(u->out);
    u->out = -1;
    bool is_fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!is_fine)
        tell_output(k);
    if (!is_fine && WIFSIGNALED(status))
        give_up(k, "%s died: %s", u->binary, strsignal(WTERMSIG(status)));
    else if (!is_fine)
        give_up(k, "%s %s: " STR_FMT, u->binary,
                u->state == UPGRADE_VERSION ? "doesn't work" : "refuses the settings",
                STR_ARG(first_line_of_output(u)));
    else if (u->state == UPGRADE_VERSION)
        on_version(k);
    else
        u->state = UPGRADE_READY;
}

// --- the move ---

static void execute(struct keeper *k)
{
    struct upgrade *u = &k->upgrade;
    int old_binary = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (old_binary < 0) {
        give_up(k, "the running binary can't be opened for the way back: %s", strerror(errno));
        return;
    }
    log_info("upgrading from version %s to %s: executing %s", SALLYPORT_VERSION, u->version,
             u->binary);
    control_progress(&k->control, CONTROL_WAIT_UPGRADE, 0, "executing it");
    notify_reloading();
    handover_execute(k, u->binary, old_binary, NULL);
    close(old_binary);
    give_up(k, "%s can't be executed: %s", u->binary, strerror(errno));
    notify_ready("Serving; the upgrade failed");
}

void upgrade_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms)
{
    struct upgrade *u = &k->upgrade;
    if (u->state == UPGRADE_READY && !k->is_stopping && reload_is_possible(k) && !k->must_reload)
        execute(k);
    if (u->pid == 0)
        return;
    if (now_ms >= u->due_ms) {
        kill(u->pid, SIGKILL); // its end is told by SIGCHLD
        u->due_ms = now_ms + TRIAL_MAX_MS;
    }
    *next_ms = MIN(*next_ms, u->due_ms);
}

static enum upgrade_arrival resume(struct keeper *k, const json_t *h)
{
    const char *error = json_string_value(json_object_get(h, "error"));
    struct loaded l;
    struct offer in_force = NO_OFFER;
    in_force.settings_fd = (int)json_integer_value(json_object_get(h, "settings"));
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(h, "seq"));
    bool is_fine = offer_load(&in_force, &l) && offer_prepare(&l, seq, &k->listeners, &k->current);
    if (is_fine) {
        listeners_commit(&k->listeners, NULL, NULL);
        reload_follow_log(k, &k->current);
        logs_use(&k->current.logs);
        secrets_want(&k->secrets, k->current.wish);
        k->in_force_ns = clock_wall_ns();
    }
    load_fini(&l);
    close(in_force.settings_fd);
    if (!is_fine)
        log_error("the settings in force can't be taken up again after an upgrade that failed");
    give_up(k, "%s", error);
    return is_fine ? UPGRADE_RETURNED : UPGRADE_BROKEN;
}

enum upgrade_arrival upgrade_arrive(struct keeper *k)
{
    json_t *h = handover_receive();
    if (!h)
        return UPGRADE_NOT;
    bool is_return = json_object_get(h, "error") != NULL;
    enum upgrade_arrival result = UPGRADE_BROKEN;
    const json_t *old_binary = json_object_get(h, "old_binary");
    if (!handover_restore(k, h, is_return)) {
        log_error("what the keeper before this one handed over makes no sense");
    } else if (is_return) {
        if (old_binary)
            close((int)json_integer_value(old_binary));
        result = resume(k, h);
    } else {
        struct upgrade *u = &k->upgrade;
        u->state = UPGRADE_TAKING;
        u->old_binary = old_binary ? (int)json_integer_value(old_binary) : -1;
        const char *version = json_string_value(json_object_get(h, "version"));
        snprintf(u->old_version, sizeof u->old_version, "%s", version ? version : "?");
        u->settings_fd = (int)json_integer_value(json_object_get(h, "settings"));
        u->seq = (uint64_t)json_integer_value(json_object_get(h, "seq"));
        result = UPGRADE_ARRIVED;
    }
    json_decref(h);
    return result;
}

void upgrade_succeeded(struct keeper *k)
{
    struct upgrade *u = &k->upgrade;
    log_info("upgraded from version %s to %s", u->old_version, SALLYPORT_VERSION);
    json_t *answer =
        json_pack("{s:b, s:s, s:s}", "ok", 1, "from", u->old_version, "to", SALLYPORT_VERSION);
    control_answer(&k->control, CONTROL_WAIT_UPGRADE, 0, answer);
    if (u->old_binary >= 0)
        close(u->old_binary);
    if (u->settings_fd >= 0)
        close(u->settings_fd);
    upgrade_init(u);
}

void upgrade_stop(struct keeper *k)
{
    const struct upgrade *u = &k->upgrade;
    if (u->state == UPGRADE_NONE)
        return;
    if (u->pid > 0)
        kill(u->pid, SIGKILL);
    give_up(k, "it is stopping");
}

void upgrade_failed(struct keeper *k, const char *why)
{
    struct upgrade *u = &k->upgrade;
    struct gate *fresh = gates_find(k, GATE_STARTING);
    if (fresh)
        gates_give_up(fresh);
    char reason[sizeof u->text];
    snprintf(reason, sizeof reason, "version %s: %s", SALLYPORT_VERSION, why);
    log_error("the upgrade failed: going back to version %s", u->old_version);
    // What the old binary needs to go on as if nothing had happened.
    k->current.settings_fd = u->settings_fd;
    k->current.seq = u->seq;
    handover_execute(k, NULL, u->old_binary, reason);
    log_error("the old binary can't be executed: %s", strerror(errno));
    k->exit_status = 1;
    k->is_done = true;
}
