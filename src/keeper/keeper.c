// SPDX-License-Identifier: Apache-2.0
#include "keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "gate/protocol.h"
#include "gate/worker.h"
#include "keeper/child.h"
#include "keeper/listeners.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define LIVED_WELL_MS 10000 // a gate that lived so long starts the back-off anew
#define EARLY_DEATHS_MAX 3  // of a gate that never served: then the keeper gives up
#define KILL_AFTER_MS 2000  // beyond the drain time-out
#define ANSWER_MAX_MS 60000 // for a gate's answer to settings
#define MESSAGES_PER_TURN 16

// Settings on their way to the gate, or in force.
struct offer {
    uint64_t seq;
    int settings_fd;   // owns: a sealed memfd
    int access_log_fd; // owns; -1: off
    int64_t drain_ms;
};

// What a gate may say.
union answer {
    uint32_t type;
    struct gate_ready ready;
    struct gate_refused refused;
};

struct keeper {
    const struct keeper_options *options;
    struct child gate;
    struct listeners listeners;
    struct offer current; // in force; seq 0: none yet
    struct offer next;    // on its way to be in force; seq 0: none
    uint64_t last_seq;
    uint64_t asked_seq;    // settings that the gate hasn't answered yet; 0: none
    int64_t answer_due_ms; // while asked_seq > 0
    unsigned n_workers;    // fixed by the first settings
    bool must_reload;      // asked for while the gate owed an answer
    bool is_stopping;
    int64_t kill_at_ms;    // while stopping
    int64_t restart_at_ms; // 0: no restart is planned
    int64_t backoff_ms;
    unsigned n_early_deaths;
    int exit_status;
    bool is_done;
};

#define NO_OFFER ((struct offer){.settings_fd = -1, .access_log_fd = -1})

// Accepts one that isn't whole.
static void close_offer(struct offer *o)
{
    if (o->settings_fd >= 0)
        close(o->settings_fd);
    if (o->access_log_fd >= 0)
        close(o->access_log_fd);
    *o = NO_OFFER;
}

static void log_diags(const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        char line[2048];
        struct str text = diag_text(&diags->items[i], line, sizeof line);
        log_line(diags->items[i].severity == DIAG_ERROR ? LOG_ERROR : LOG_WARN, STR_FMT,
                 STR_ARG(text));
    }
}

static unsigned count_cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static int open_access_log(const struct snapshot *s, struct diags *diags)
{
    const struct access_log_conf *conf = &s->settings.access_log;
    if (!conf->is_on)
        return -1;
    char *path = mem_copy(conf->path.text.ptr, conf->path.text.len);
    int fd = file_open_log(path);
    if (fd < 0)
        diag_fail(diags, ERR_SYSTEM, conf->path.place, "the access log %s can't be opened: %s",
                  path, strerror(errno));
    mem_free(path);
    return fd;
}

// Makes an offer of loaded settings: sockets opened, log opened, tree packed. False: told in diags.
static bool prepare_offer(struct keeper *k, struct loaded *l, struct offer *ret)
{
    const struct settings *settings = &l->snapshot->settings;
    unsigned n_workers;
    if (workers_parse(&settings->workers, count_cpus(), &l->diags, &n_workers) != ERR_OK)
        return false;
    if (k->n_workers == 0)
        k->n_workers = n_workers;
    else if (k->n_workers != n_workers)
        diag_warn(&l->diags, settings->workers.place,
                  "'workers' takes effect at the next start; %u stay at work", k->n_workers);
    struct offer o = {.seq = k->last_seq + 1, .drain_ms = settings->drain_ms};
    size_t n_errors = l->diags.n_errors;
    o.access_log_fd = open_access_log(l->snapshot, &l->diags);
    struct text packed = {.ptr = NULL};
    conf_node_pack(l->root, &packed);
    o.settings_fd = file_sealed("sallyport settings", text_str(&packed));
    mem_wipe(packed.ptr, packed.len);
    text_fini(&packed);
    if (o.settings_fd < 0)
        diag_fail(&l->diags, ERR_SYSTEM, (struct place){.line = 0},
                  "no memory file for the settings: %s", strerror(errno));
    if (l->diags.n_errors == n_errors &&
        listeners_plan(&k->listeners, l->snapshot, k->n_workers, &l->diags)) {
        k->last_seq++;
        *ret = o;
        return true;
    }
    close_offer(&o);
    return false;
}

// Nothing more is said to this gate or believed of it. Its end comes as SIGCHLD, and then another
// one is started.
static void give_up_gate(struct keeper *k)
{
    child_hang_up(&k->gate);
    child_kill(&k->gate);
}

static void tell_gate(struct keeper *k, const void *message, size_t n, int fd)
{
    if (k->gate.channel < 0)
        return;
    enum err err = child_send(&k->gate, message, n, fd);
    if (err == ERR_OK)
        return;
    log_error("can't talk to the gate: %s", err_text(err));
    give_up_gate(k); // a gate that misses a message isn't what we think it is
}

static void send_access_log(struct keeper *k, const struct offer *o)
{
    struct gate_log m = {.type = GATE_LOG, .stream = WORKER_ACCESS_LOG_STREAM};
    if (o->access_log_fd >= 0)
        tell_gate(k, &m, sizeof m, o->access_log_fd);
}

static void send_offer(struct keeper *k, const struct offer *o)
{
    if (k->gate.channel < 0)
        return;
    if (k->current.access_log_fd < 0) // or the first lines would have nowhere to go
        send_access_log(k, o);
    struct gate_snapshot m = {.type = GATE_SNAPSHOT, .n_workers = k->n_workers, .seq = o->seq};
    tell_gate(k, &m, sizeof m, o->settings_fd);
    k->asked_seq = o->seq;
    k->answer_due_ms = clock_now_ms() + ANSWER_MAX_MS;
}

static bool load(struct keeper *k, struct loaded *l)
{
    if (k->options->path)
        return load_file(k->options->path, l);
    load_begin(l);
    struct conf_node *root = k->options->build(k->options->arg, l);
    return root && load_tree(l, root);
}

static void follow_log_settings(const struct snapshot *s)
{
    log_set_level((enum log_level)s->settings.log.level, (enum log_format)s->settings.log.format);
}

// Reads the settings and offers them to the gate. False: nothing has changed.
static bool reload(struct keeper *k)
{
    if (k->next.seq > 0 || k->asked_seq > 0) {
        k->must_reload = true;
        return true;
    }
    k->must_reload = false;
    if (k->current.seq > 0 && k->options->path && strcmp(k->options->path, "-") == 0) {
        log_error("the settings came from standard input, which can't be read anew");
        return false;
    }
    struct loaded l;
    struct offer offer;
    bool is_fine = load(k, &l);
    if (is_fine && k->current.seq == 0) // so that the very first line has the form wished for
        follow_log_settings(l.snapshot);
    is_fine = is_fine && prepare_offer(k, &l, &offer);
    log_diags(&l.diags);
    if (is_fine) {
        follow_log_settings(l.snapshot);
        k->next = offer;
        send_offer(k, &k->next);
    } else {
        log_error(k->current.seq > 0 ? "the settings have errors: the old ones stay in force"
                                     : "the settings have errors: not started");
    }
    load_fini(&l);
    return is_fine;
}

static void tell_unlisten(void *arg, const struct listener *item)
{
    if (!item->is_sent)
        return;
    struct gate_unlisten m = {.type = GATE_UNLISTEN, .id = item->id};
    tell_gate(arg, &m, sizeof m, -1);
}

// Gives the gate what it needs beside the settings: log output, listening sockets.
static void send_outputs(struct keeper *k)
{
    send_access_log(k, &k->current);
    for (size_t i = 0; i < k->listeners.n; i++) {
        struct listener *item = &k->listeners.items[i];
        if (item->is_sent)
            continue;
        struct gate_listen m = {.type = GATE_LISTEN, .id = item->id, .worker = item->worker};
        m.name_bytes = (uint32_t)MIN(item->name.len, (size_t)GATE_NAME_MAX_BYTES);
        memcpy(m.name, item->name.ptr, m.name_bytes);
        tell_gate(k, &m, sizeof m, item->fd);
        item->is_sent = true;
    }
}

static void on_ready(struct keeper *k, const struct gate_ready *m)
{
    if (m->seq == k->next.seq) {
        close_offer(&k->current);
        k->current = k->next;
        k->next = NO_OFFER;
        listeners_commit(&k->listeners, tell_unlisten, k);
    }
    send_outputs(k);
    k->n_early_deaths = 0;
    log_info("settings %llu are in force on %u workers (built in %lld ms)",
             (unsigned long long)m->seq, k->n_workers, (long long)(m->build_ns / 1000000));
}

static void drop_next(struct keeper *k)
{
    close_offer(&k->next);
    listeners_cancel(&k->listeners);
}

static void on_refused(struct keeper *k, const struct gate_refused *m)
{
    struct str reason = {m->reason, MIN(m->reason_bytes, (uint32_t)sizeof m->reason)};
    log_error("the gate refused the settings: " STR_FMT, STR_ARG(reason));
    bool is_next = m->seq == k->next.seq;
    if (is_next)
        drop_next(k);
    if (k->current.seq == 0) {
        k->exit_status = 1;
        k->is_stopping = true;
    }
    if (k->current.seq == 0 || !is_next) // it serves nothing
        give_up_gate(k);
}

// Whatever a gate says is an answer to the settings it was sent last. False: it makes no sense.
static bool take_answer(struct keeper *k, const union answer *m, size_t len)
{
    bool is_ready = m->type == GATE_READY && len == sizeof m->ready;
    bool is_refused = m->type == GATE_REFUSED && len == sizeof m->refused;
    uint64_t seq = is_ready ? m->ready.seq : is_refused ? m->refused.seq : 0;
    if (seq == 0 || seq != k->asked_seq)
        return false;
    k->asked_seq = 0;
    if (is_ready)
        on_ready(k, &m->ready);
    else
        on_refused(k, &m->refused);
    if (k->must_reload && !k->is_stopping)
        reload(k);
    return true;
}

static void on_gate_messages(struct keeper *k)
{
    union answer m;
    for (int i = 0; i < MESSAGES_PER_TURN && k->gate.channel >= 0; i++) {
        size_t len;
        int fd = -1;
        memset(&m, 0, sizeof m);
        enum io io = channel_receive(k->gate.channel, &m, sizeof m, &len, &fd);
        if (io == IO_AGAIN)
            return;
        if (io != IO_DONE) { // it is dying, or wants to be rid of us
            give_up_gate(k);
            return;
        }
        if (fd >= 0) // the gate has nothing to give
            close(fd);
        if (!take_answer(k, &m, len)) {
            log_error("the gate sent a message that makes no sense");
            give_up_gate(k);
        }
    }
}

static void start_gate(struct keeper *k)
{
    k->restart_at_ms = 0;
    k->asked_seq = 0;
    for (size_t i = 0; i < k->listeners.n; i++)
        k->listeners.items[i].is_sent = false;
    if (!child_start(&k->gate)) {
        log_error("can't start the gate: %s", strerror(errno));
        k->restart_at_ms = clock_now_ms() + BACKOFF_MAX_MS;
        return;
    }
    if (k->next.seq > 0)
        send_offer(k, &k->next);
    else if (k->current.seq > 0)
        send_offer(k, &k->current);
}

static void describe_end(int status, char *buf, size_t n)
{
    if (WIFSIGNALED(status))
        snprintf(buf, n, "signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(buf, n, "exit status %d", WEXITSTATUS(status));
}

static void on_gate_end(struct keeper *k, int64_t lived_ms, int status)
{
    char how[128];
    describe_end(status, how, sizeof how);
    k->asked_seq = 0;
    if (k->is_stopping) {
        k->is_done = true;
        return;
    }
    if (k->current.seq == 0 && ++k->n_early_deaths >= EARLY_DEATHS_MAX) {
        log_error("the gate died (%s) before it could serve: giving up", how);
        k->exit_status = 1;
        k->is_done = true;
        return;
    }
    if (lived_ms >= LIVED_WELL_MS)
        k->backoff_ms = 0;
    if (k->next.seq > 0 && k->current.seq > 0) {
        log_error("the gate died (%s) with new settings: going back to those in force", how);
        drop_next(k);
    }
    log_error("the gate died (%s): starting another in %lld ms", how, (long long)k->backoff_ms);
    k->restart_at_ms = clock_now_ms() + k->backoff_ms;
    k->backoff_ms = MIN(MAX(k->backoff_ms * 2, (int64_t)BACKOFF_MIN_MS), (int64_t)BACKOFF_MAX_MS);
}

static void begin_stop(struct keeper *k)
{
    if (k->is_stopping || k->gate.pid == 0) {
        child_kill(&k->gate);
        k->is_done = k->gate.pid == 0;
        k->is_stopping = true;
        return;
    }
    k->is_stopping = true;
    log_info("stopping: running exchanges may take up to %lld s more",
             (long long)(k->current.drain_ms / 1000));
    struct gate_drain m = {.type = GATE_DRAIN, .limit_ms = k->current.drain_ms};
    tell_gate(k, &m, sizeof m, -1);
    listeners_close_all(&k->listeners);
    k->kill_at_ms = clock_now_ms() + k->current.drain_ms + KILL_AFTER_MS;
}

static void on_signal(struct keeper *k, uint32_t signal)
{
    int status;
    int64_t lived_ms = clock_now_ms() - k->gate.started_ms;
    switch (signal) {
    case SIGHUP:
        if (k->is_stopping)
            break;
        log_info("reading the settings anew");
        reload(k);
        break;
    case SIGCHLD:
        on_gate_messages(k); // what it said last
        if (child_reap(&k->gate, &status))
            on_gate_end(k, lived_ms, status);
        break;
    default: // SIGTERM, SIGINT
        begin_stop(k);
        break;
    }
}

// How long poll may sleep: until the next thing to do at a time.
static int time_to_wait_ms(const struct keeper *k)
{
    int64_t at = k->is_stopping     ? k->kill_at_ms
                 : k->asked_seq > 0 ? k->answer_due_ms
                                    : k->restart_at_ms;
    if (at == 0)
        return -1;
    return (int)MIN(MAX(at - clock_now_ms(), (int64_t)0), (int64_t)60000);
}

static void do_what_is_due(struct keeper *k)
{
    int64_t now = clock_now_ms();
    if (k->is_stopping && k->kill_at_ms > 0 && now >= k->kill_at_ms) {
        log_warn("the gate doesn't end: killing it");
        child_kill(&k->gate);
        k->kill_at_ms = now + KILL_AFTER_MS;
    }
    if (k->is_stopping)
        return;
    if (k->asked_seq > 0 && now >= k->answer_due_ms) {
        log_error("the gate doesn't answer: killing it");
        k->asked_seq = 0;
        give_up_gate(k);
    }
    if (k->restart_at_ms > 0 && now >= k->restart_at_ms)
        start_gate(k);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    // The last two end a process by default, and other servers have taught people to send them.
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void run(struct keeper *k, int signals)
{
    while (!k->is_done) {
        struct pollfd fds[2] = {{.fd = signals, .events = POLLIN},
                                {.fd = k->gate.channel, .events = POLLIN}};
        poll(fds, k->gate.pid > 0 ? 2 : 1, time_to_wait_ms(k));
        if (k->gate.pid > 0 && fds[1].revents != 0)
            on_gate_messages(k);
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
            on_signal(k, info.ssi_signo);
        do_what_is_due(k);
    }
}

int keeper_main(const struct keeper_options *options)
{
    int signals = open_signals(); // before any thread: they inherit the mask
    log_start("keeper", LOG_INFO, LOG_TEXT);
    struct keeper k = {
        .options = options, .gate = {.channel = -1}, .current = NO_OFFER, .next = NO_OFFER};
    if (signals < 0 || !reload(&k)) {
        listeners_close_all(&k.listeners);
        log_stop();
        return 1;
    }
    start_gate(&k);
    run(&k, signals);
    listeners_close_all(&k.listeners);
    close_offer(&k.current);
    close_offer(&k.next);
    close(signals);
    log_stop();
    return k.exit_status;
}
