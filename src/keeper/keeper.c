// SPDX-License-Identifier: Apache-2.0
// The keeper's loop: signals, gates, commands, and what is due at a time.
#include "keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "keeper/names.h"
#include "keeper/notify.h"
#include "rt/clock.h"

#define STOP_IDLE_MS 1000  // for a request that is on its way on a kept connection
#define KILL_AFTER_MS 2000 // beyond the drain time-out
// signals, names, output of a trial, secrets, orders, names on demand, files, containers
#define OWN_FDS 8
#define FDS_MAX (OWN_FDS + GATES_MAX + 1 + CONTROL_CONNS_MAX)

// --- stopping ---

void keeper_stop(struct keeper *k, bool now)
{
    bool is_second = k->is_stopping;
    // Right after an upgrade the old gate serves, and no settings are in force here yet.
    int64_t limit_ms = k->current.seq > 0 ? k->current.drain_ms : k->next.drain_ms;
    k->is_stopping = true;
    k->is_done = list_is_empty(&k->gates);
    notify_stopping("Finishing running exchanges");
    if (!is_second && !now)
        log_info("stopping: running exchanges may take up to %lld s more",
                 (long long)(limit_ms / 1000));
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (now || is_second || g->state == GATE_STARTING)
            gates_give_up(g);
        if (g->state == GATE_SERVING || g->state == GATE_LEAVING)
            gates_tell_end(g);
        if (g->state != GATE_SERVING)
            continue;
        gates_unlisten_all(k, g);
        gates_drain(g, STOP_IDLE_MS, limit_ms);
    }
    listeners_close_all(&k->listeners);
    upgrade_stop(k);
    control_refuse_all(&k->control, CONTROL_WAIT_RELOAD, "it is stopping");
    if (!is_second)
        k->kill_at_ms = clock_now_ms() + limit_ms + KILL_AFTER_MS;
}

static void kill_what_is_left(struct keeper *k, int64_t now_ms, int64_t *next_ms)
{
    if (!k->is_stopping)
        return;
    if (now_ms >= k->kill_at_ms) {
        log_warn("killing gates that don't end");
        LIST_FOR (n, &k->gates)
            gates_give_up(CONTAINER_OF(n, struct gate, node));
        k->kill_at_ms = now_ms + KILL_AFTER_MS;
    }
    *next_ms = MIN(*next_ms, k->kill_at_ms);
}

// --- signals ---

// Waits for a child, if it has ended; after a look at who has connected to the control socket, as
// long as it is known who is a child.
static bool reap(struct keeper *k, pid_t pid, int *ret_status)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid)
        return false;
    control_accept_all(&k->control);
    return waitpid(pid, ret_status, 0) == pid;
}

static void reap_children(struct keeper *k)
{
    // One by one: threads wait for children of their own.
    int status;
    LIST_FOR_SAFE (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (!reap(k, g->child.pid, &status))
            continue;
        listeners_forget(&k->listeners, g->child.pid);
        gates_ended(k, g, status);
    }
    if (k->providers.child.pid > 0 && reap(k, k->providers.child.pid, &status))
        providers_ended(&k->providers);
    pid_t trial = k->upgrade.pid;
    if (trial > 0 && reap(k, trial, &status))
        upgrade_on_child(k, trial, status);
}

static void reopen_logs(struct keeper *k)
{
    // Those of an attempt, too: it may have opened them before they were rotated away.
    bool is_fine = k->next.seq == 0 || logs_reopen(&k->next.logs);
    if (k->current.seq == 0)
        return;
    if (logs_reopen(&k->current.logs) && is_fine) // else what couldn't be opened stays as it was
        log_info("log files are opened anew");
    logs_use(&k->current.logs);
    // To those that leave, too: a long tunnel's line would go to a file that is rotated away.
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (!g->is_foreign)
            gates_send_logs(g, &k->current.logs);
    }
}

static void on_signal(struct keeper *k, uint32_t signal)
{
    switch (signal) {
    case SIGHUP:
        log_info("reading the settings anew");
        reload_ask(k);
        break;
    case SIGUSR1:
        reopen_logs(k);
        break;
    case SIGCHLD:
        reap_children(k);
        break;
    default: // SIGTERM, SIGINT
        keeper_stop(k, false);
        break;
    }
}

static int open_signals(void)
{
    static const int handled[] = {SIGHUP, SIGTERM, SIGINT, SIGCHLD, SIGUSR1};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(handled); i++)
        sigaddset(&set, handled[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN); // it would end the process, and other servers have taught its use
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

// --- the loop ---

static void say_alive(struct keeper *k, int64_t now_ms, int64_t *next_ms)
{
    if (k->alive_at_ms == 0)
        return;
    if (now_ms >= k->alive_at_ms) {
        notify_alive();
        k->alive_at_ms = now_ms + notify_watchdog_ms();
    }
    *next_ms = MIN(*next_ms, k->alive_at_ms);
}

// Returns how long poll may sleep.
static int do_what_is_due(struct keeper *k)
{
    int64_t now_ms = clock_now_ms(), next_ms = INT64_MAX;
    if (!k->is_stopping && providers_do_what_is_due(&k->providers, now_ms, &next_ms))
        k->must_follow = true;
    if ((k->must_reload || k->must_follow) && !k->is_stopping && reload_is_possible(k))
        reload_begin(k);
    gates_do_what_is_due(k, now_ms, &next_ms);
    control_do_what_is_due(k, now_ms, &next_ms);
    upgrade_do_what_is_due(k, now_ms, &next_ms);
    verdicts_do_what_is_due(k, now_ms, &next_ms);
    secrets_do_what_is_due(&k->secrets, now_ms, &next_ms);
    keeper_bans_do_what_is_due(&k->bans, now_ms, &next_ms);
    gates_spread_secrets(k);
    kill_what_is_left(k, now_ms, &next_ms);
    say_alive(k, now_ms, &next_ms);
    if (next_ms == INT64_MAX)
        return -1;
    return (int)MAX(MIN(next_ms - clock_now_ms(), (int64_t)60000), (int64_t)0);
}

static struct gate *gate_of_channel(const struct keeper *k, int fd)
{
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g->child.channel == fd)
            return g;
    }
    return NULL;
}

static void on_own_fds(struct keeper *k, const struct pollfd *fds)
{
    struct signalfd_siginfo info;
    while (read(fds[0].fd, &info, sizeof info) == (ssize_t)sizeof info)
        on_signal(k, info.ssi_signo);
    if (fds[1].revents && names_look(k->names)) {
        log_info("the system's resolver settings or hosts have changed");
        LIST_FOR (n, &k->gates) {
            struct gate *g = CONTAINER_OF(n, struct gate, node);
            if ((g->state == GATE_SERVING || g->state == GATE_STARTING) && !g->is_foreign)
                gates_send_names(k, g);
        }
    }
    if (fds[2].revents && fds[2].fd == k->upgrade.out)
        upgrade_on_output(k);
    if (fds[3].revents || fds[4].revents)
        secrets_look(&k->secrets); // do_what_is_due passes them on
    if (fds[6].revents && k->watch && watch_look(k->watch))
        reload_follow(k);
    if (fds[7].revents)
        providers_look(&k->providers);
}

static void run(struct keeper *k, int signals)
{
    struct pollfd fds[FDS_MAX];
    while (!k->is_done) {
        int wait_ms = do_what_is_due(k);
        if (k->is_done)
            return;
        size_t n = 0;
        fds[n++] = (struct pollfd){.fd = signals, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = names_fd(k->names), .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = k->upgrade.out, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = secrets_fd(&k->secrets), .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = secrets_issue_fd(&k->secrets), .events = POLLIN};
        // verdicts_do_what_is_due takes what has come
        fds[n++] = (struct pollfd){.fd = secrets_demand_fd(&k->secrets), .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = k->watch ? watch_fd(k->watch) : -1, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = providers_fd(&k->providers), .events = POLLIN};
        LIST_FOR (node, &k->gates) {
            ASSERT(n < OWN_FDS + GATES_MAX);
            fds[n++] = (struct pollfd){.fd = CONTAINER_OF(node, struct gate, node)->child.channel,
                                       .events = POLLIN};
        }
        size_t n_before = n;
        n += control_poll(&k->control, fds + n);
        poll(fds, (nfds_t)n, wait_ms);
        for (size_t i = OWN_FDS; i < n_before; i++) {
            struct gate *g = fds[i].revents ? gate_of_channel(k, fds[i].fd) : NULL;
            if (g)
                gates_take_messages(k, g);
        }
        control_on_poll(k, fds + n_before, n - n_before);
        on_own_fds(k, fds);
    }
}

// False: there is nothing to run.
static bool start(struct keeper *k, int signals)
{
    if (signals < 0)
        return false;
    switch (upgrade_arrive(k)) {
    case UPGRADE_NOT:
        return reload_begin(k);
    case UPGRADE_ARRIVED:
        reload_begin(k); // or it goes back, without returning
        return !k->is_done;
    case UPGRADE_RETURNED:
        gates_resume(k);
        return true;
    case UPGRADE_BROKEN:
        break;
    }
    return false;
}

static void on_order_end(void *arg, uint64_t number, const char *error, json_t *account)
{
    struct keeper *k = arg;
    json_t *answer =
        error ? report_failure(error) : json_pack("{s:b, s:O*}", "ok", 1, "account", account);
    control_answer(&k->control, CONTROL_WAIT_CERT, number, answer);
}

static void on_order_step(void *arg, uint64_t number, const char *text)
{
    struct keeper *k = arg;
    control_progress(&k->control, CONTROL_WAIT_CERT, number, "%s", text);
}

int keeper_main(const struct keeper_options *options)
{
    int signals = open_signals(); // before any thread: they inherit the mask
    log_start("keeper", LOG_INFO, LOG_TEXT);
    notify_init();
    struct keeper k = {.options = options,
                       .current = NO_OFFER,
                       .next = NO_OFFER,
                       .started_ns = clock_wall_ns(),
                       .log_level = LOG_INFO,
                       .log_format = LOG_TEXT};
    list_init(&k.gates);
    list_init(&k.awaiting);
    inform_init(&k.inform);
    control_init(&k.control);
    keeper_bans_init(&k.bans);
    k.watch = watch_new();
    secrets_init(&k.secrets, &(struct secrets_listener){
                                 .on_end = on_order_end, .on_step = on_order_step, .arg = &k});
    providers_init(&k.providers);
    upgrade_init(&k.upgrade);
    if (notify_watchdog_ms() > 0)
        k.alive_at_ms = clock_now_ms() + notify_watchdog_ms();
    k.names = names_new();
    if (start(&k, signals))
        run(&k, signals);
    else
        k.exit_status = 1;
    listeners_close_all(&k.listeners);
    LIST_FOR_SAFE (n, &k.gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        gates_give_up(g);
        mem_free(g);
    }
    control_fini(&k.control);
    offer_fini(&k.current);
    offer_fini(&k.next);
    json_decref(k.attempt.diagnostics); // of one that a stop has cut off
    names_free(k.names);
    verdicts_fini(&k);
    secrets_fini(&k.secrets);
    keeper_bans_fini(&k.bans);
    drains_fini(&k.drains);
    providers_fini(&k.providers);
    inform_fini(&k.inform);
    watch_free(k.watch);
    mem_free(k.text);
    mem_free(k.next_text);
    close(signals);
    log_stop();
    return k.exit_status;
}
