// SPDX-License-Identifier: Apache-2.0
// The gates: one serves; one more while another is to take its place; those that finish what they
// have begun.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "keeper/names.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define LIVED_WELL_MS 1000  // a gate that lived so long starts the back-off anew
#define EARLY_DEATHS_MAX 3  // of a gate that never served: then the keeper gives up
#define KILL_AFTER_MS 2000  // beyond the time that it was given to leave
#define AWAIT_MAX_MS 1000   // for an old gate to say that it accepts no more
#define ANSWER_MAX_MS 60000 // for a gate's answer to settings
#define PING_EVERY_MS 5000
#define PONG_MAX_MS 30000
#define HANDOVER_IDLE_MS 10000 // for kept connections to find out that their gate leaves
#define MESSAGES_PER_TURN 16
#define REPORT_MAX_BYTES ((size_t)32 << 20) // parsed it may take 20 times as much

// What a gate may say.
union answer {
    uint32_t type;
    struct gate_ready ready;
    struct gate_refused refused;
    struct gate_question question;
    struct gate_petition petition;
    struct gate_page page;
    struct gate_ban ban;
};

struct gate *gates_find(const struct keeper *k, enum gate_state state)
{
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g->state == state)
            return g;
    }
    return NULL;
}

size_t gates_count(const struct keeper *k)
{
    size_t count = 0;
    LIST_FOR (n, &k->gates)
        count++;
    return count;
}

// --- saying something ---

void gates_give_up(struct gate *g)
{
    child_hang_up(&g->child);
    if (!g->has_ended) // or its number may be another's by now
        child_kill(&g->child);
    g->state = GATE_ENDING;
    g->asked_seq = 0;
}

void gates_tell(struct gate *g, const void *message, size_t n, int fd)
{
    if (g->child.channel < 0)
        return;
    enum err err = child_send(&g->child, message, n, fd);
    if (err == ERR_OK)
        return;
    log_error("can't talk to gate %d: %s", (int)g->child.pid, err_text(err));
    gates_give_up(g); // a gate that misses a message isn't what we think it is
}

void gates_send_logs(struct gate *g, const struct logs *logs)
{
    for (unsigned stream = 0; stream < LOG_STREAMS; stream++) {
        struct gate_log m;
        int fd = logs_message(logs, stream, &m);
        gates_tell(g, &m, sizeof m, fd);
    }
}

void gates_send_names(struct keeper *k, struct gate *g)
{
    struct gate_names m = {.type = GATE_NAMES};
    int fd = names_packed(k->names);
    if (fd < 0) {
        log_error("can't pass on what the system says of names: %s", strerror(errno));
        return;
    }
    gates_tell(g, &m, sizeof m, fd);
    close(fd);
}

static void send_drain(struct gate *g, struct str service, struct str server, bool is_drained)
{
    struct gate_server m = {.type = GATE_SERVER, .is_drained = is_drained};
    ASSERT(service.len <= GATE_SERVER_MAX_BYTES && server.len <= GATE_SERVER_MAX_BYTES);
    m.service_bytes = (uint32_t)service.len;
    m.name_bytes = (uint32_t)server.len;
    memcpy(m.service, service.ptr, service.len);
    memcpy(m.name, server.ptr, server.len);
    gates_tell(g, &m, sizeof m, -1);
}

void gates_send_drains(const struct keeper *k, struct gate *g)
{
    for (size_t i = 0; i < drains_count(&k->drains); i++) {
        struct str service, server;
        drains_get(&k->drains, i, &service, &server);
        send_drain(g, service, server, true);
    }
}

void gates_tell_drain(const struct keeper *k, struct str service, struct str server,
                      bool is_drained)
{
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g->state != GATE_ENDING && !g->is_foreign)
            send_drain(g, service, server, is_drained);
    }
}

static void send_secret(struct gate *g, uint32_t type, int fd)
{
    struct gate_secrets m = {.type = type};
    if (fd < 0) {
        log_error("can't pass on what gates must know: %s", strerror(errno));
        return;
    }
    gates_tell(g, &m, sizeof m, fd);
    close(fd);
}

void gates_send_secrets(const struct keeper *k, struct gate *g)
{
    const struct secrets *s = &k->secrets;
    if (g->certs_version != s->certs_version)
        send_secret(g, GATE_CERTS, secrets_pack_certs(s));
    if (g->tickets_version != s->tickets_version)
        send_secret(g, GATE_TICKETS, secrets_pack_tickets(s));
    if (g->cookie_version != s->cookie_version)
        send_secret(g, GATE_COOKIE_KEY, secrets_pack_cookie_key(s));
    g->cookie_version = s->cookie_version;
    g->certs_version = s->certs_version;
    g->tickets_version = s->tickets_version;
}

// A ping behind it tells when all workers have it.
static void send_challenges(struct keeper *k, struct gate *g)
{
    uint64_t version = secrets_challenges_version(&k->secrets);
    if (version == g->challenges_version)
        return;
    send_secret(g, GATE_CHALLENGES, secrets_pack_challenges(&k->secrets, &g->challenges_version));
    struct gate_question m = {.type = GATE_PING, .seq = ++k->last_question};
    g->challenges_seq = m.seq;
    gates_tell(g, &m, sizeof m, -1);
}

static void forget_pins(const struct keeper *k, struct gate *g)
{
    struct gate_secrets m = {.type = GATE_FORGET_PINS};
    if (g->pins_version == k->secrets.pins_version)
        return;
    g->pins_version = k->secrets.pins_version;
    gates_tell(g, &m, sizeof m, -1);
}

void gates_spread_secrets(struct keeper *k)
{
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g->state != GATE_SERVING || g->is_foreign)
            continue;
        // Many certificates take a gate long: settings that it has been given come first.
        if (g->asked_seq == 0)
            gates_send_secrets(k, g);
        send_challenges(k, g);
        forget_pins(k, g);
    }
}

static void send_bans(const struct keeper *k, struct gate *g)
{
    if (k->bans.book.n > 0)
        send_secret(g, GATE_BANS, keeper_bans_pack(&k->bans));
}

void gates_spread_ban(struct keeper *k, const struct gate *but, const struct ban *ban,
                      bool is_banned)
{
    struct gate_ban m = {.type = is_banned ? GATE_BAN : GATE_UNBAN, .ban = *ban};
    LIST_FOR_SAFE (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g != but && !g->is_foreign && g->state != GATE_ENDING)
            gates_tell(g, &m, sizeof m, -1);
    }
}

void gates_offer(struct gate *g, const struct offer *o, const struct offer *before)
{
    bool had_access_log =
        g->state == GATE_SERVING && before->logs.targets[LOG_STREAM_ACCESS].kind != LOG_TO_NOTHING;
    if (!had_access_log) // or the first lines would have nowhere to go
        gates_send_logs(g, &o->logs);
    struct gate_snapshot m = {.type = GATE_SNAPSHOT, .n_workers = o->n_workers, .seq = o->seq};
    gates_tell(g, &m, sizeof m, o->gate_fd);
    if (g->state == GATE_ENDING)
        return;
    g->asked_seq = o->seq;
    g->answer_due_ms = clock_now_ms() + ANSWER_MAX_MS;
}

void gates_send_listeners(struct keeper *k)
{
    struct gate *g = gates_find(k, GATE_SERVING);
    if (!g || g->is_foreign)
        return;
    for (size_t i = 0; i < k->listeners.n; i++) {
        struct listener *item = &k->listeners.items[i];
        if (item->sent_to == g->child.pid)
            continue;
        if (!listeners_listen(item))
            log_error("entrypoint " STR_FMT " can't listen: %s", STR_ARG(item->name),
                      strerror(errno));
        struct gate_listen m = {.type = GATE_LISTEN, .id = item->id};
        m.worker = item->index % k->current.n_workers;
        m.name_bytes = (uint32_t)MIN(item->name.len, (size_t)GATE_NAME_MAX_BYTES);
        memcpy(m.name, item->name.ptr, m.name_bytes);
        gates_tell(g, &m, sizeof m, item->fd);
        item->sent_to = g->child.pid;
    }
}

void gates_tell_end(struct gate *g)
{
    struct gate_secrets m = {.type = GATE_LAST};
    if (!g->is_foreign)
        gates_tell(g, &m, sizeof m, -1);
}

void gates_drain(struct gate *g, int64_t idle_ms, int64_t limit_ms)
{
    struct gate_drain m = {
        .type = GATE_DRAIN, .idle_ms = (uint32_t)MIN(idle_ms, limit_ms), .limit_ms = limit_ms};
    g->leaving_since_ms = clock_now_ms();
    gates_tell(g, &m, sizeof m, -1);
    if (g->state == GATE_ENDING)
        return;
    g->state = GATE_LEAVING;
    g->asked_seq = 0;
    g->kill_at_ms = g->leaving_since_ms + limit_ms + KILL_AFTER_MS;
}

// Before the first settings: the file is the gate's for its life.
static void send_spool(struct gate *g, const struct spool_file *spool)
{
    struct gate_spool m = {.type = GATE_SPOOL, .max_bytes = spool->max_bytes};
    int fd = spool->folder ? spool_file_open(spool->folder) : -1;
    if (spool->folder && fd < 0)
        log_error("no file can be made in %s for bodies that are read ahead: %s; `buffer` does "
                  "with memory alone",
                  spool->folder, strerror(errno));
    if (fd < 0)
        return;
    gates_tell(g, &m, sizeof m, fd);
    close(fd);
}

// --- starting ---

static void plan_restart(struct keeper *k)
{
    if (k->is_stopping || k->restart_at_ms > 0)
        return;
    if (!gates_find(k, GATE_SERVING) && !gates_find(k, GATE_STARTING))
        k->restart_at_ms = MAX(clock_now_ms() + k->backoff_ms, (int64_t)1);
}

bool gates_start(struct keeper *k)
{
    ASSERT(!gates_find(k, GATE_STARTING));
    k->restart_at_ms = 0;
    struct gate *g = MEM_NEW(struct gate);
    if (!child_start(&g->child, "gate")) {
        int error = errno;
        log_error("can't start a gate: %s", strerror(error));
        mem_free(g);
        k->backoff_ms = BACKOFF_MAX_MS;
        plan_restart(k);
        errno = error;
        return false;
    }
    g->state = GATE_STARTING;
    list_push_back(&k->gates, &g->node);
    gates_send_names(k, g);
    gates_send_secrets(k, g);
    send_bans(k, g);
    gates_send_drains(k, g);
    const struct offer *o = k->next.seq > 0 ? &k->next : &k->current;
    send_spool(g, &o->spool);
    gates_offer(g, o, &k->current);
    return true;
}

void gates_resume(struct keeper *k)
{
    gates_send_listeners(k);
    plan_restart(k);
}

// --- what a gate says ---

static void ping(struct keeper *k, struct gate *g, uint64_t *ret_seq)
{
    struct gate_question m = {.type = GATE_PING, .seq = ++k->last_question};
    *ret_seq = m.seq;
    gates_tell(g, &m, sizeof m, -1);
}

// Returns the gate that served before; NULL: none.
static struct gate *take_over(struct keeper *k, struct gate *g)
{
    struct gate *old = gates_find(k, GATE_SERVING);
    g->state = GATE_SERVING;
    g->ping_at_ms = clock_now_ms() + PING_EVERY_MS;
    k->n_early_deaths = 0;
    if (old) {
        log_info("gate %d takes over; gate %d finishes what it has begun", (int)g->child.pid,
                 (int)old->child.pid);
        gates_drain(old, HANDOVER_IDLE_MS, k->current.drain_ms);
    }
    gates_send_listeners(k); // now that there is one gate that serves
    return old;
}

static void tell_in_force(struct keeper *k, const struct gate_ready *m, bool is_new)
{
    log_info("settings %llu are in force on %u workers (built in %lld ms)",
             (unsigned long long)m->seq, k->current.n_workers, (long long)(m->build_ns / 1000000));
    if (is_new)
        reload_succeeded(k, m);
}

static void await(struct keeper *k, struct gate *old, const struct gate_ready *m)
{
    k->awaited = (struct awaited){
        .pid = old->child.pid, .due_ms = clock_now_ms() + AWAIT_MAX_MS, .ready = *m};
    ping(k, old, &k->awaited.seq);
}

static void end_await(struct keeper *k)
{
    struct gate_ready m = k->awaited.ready;
    k->awaited = (struct awaited){.pid = 0};
    if (!k->is_stopping)
        tell_in_force(k, &m, true);
}

// A gate has banned somebody; others have to know.
static bool take_ban(struct keeper *k, const struct gate *g, const struct ban *ban)
{
    if (!keeper_bans_put(&k->bans, ban))
        return false;
    gates_spread_ban(k, g, ban, true);
    return true;
}

// What one says that was told to leave may have crossed that order; but its exchanges go on.
static void take_last_words(struct keeper *k, struct gate *g, const union answer *m, size_t len)
{
    if (m->type == GATE_PETITION && len == sizeof m->petition && !g->is_foreign)
        (void)verdicts_take(k, g, &m->petition);
    if (m->type == GATE_BAN && len == sizeof m->ban && !g->is_foreign)
        (void)take_ban(k, g, &m->ban.ban);
    if (m->type == GATE_INQUIRY && len == sizeof m->question && !g->is_foreign)
        inform_gate(k, g, m->question.seq);
    if (m->type == GATE_PONG && len == sizeof m->question && g->child.pid == k->awaited.pid &&
        m->question.seq == k->awaited.seq)
        end_await(k);
}

static void tell_unlisten(void *arg, const struct listener *item)
{
    struct gate *g = arg;
    if (!g || g->is_foreign || item->sent_to != g->child.pid)
        return;
    struct gate_unlisten m = {.type = GATE_UNLISTEN, .id = item->id};
    gates_tell(g, &m, sizeof m, -1);
}

void gates_unlisten_all(const struct keeper *k, struct gate *g)
{
    for (size_t i = 0; i < k->listeners.n; i++)
        tell_unlisten(g, &k->listeners.items[i]);
}

static void on_ready(struct keeper *k, struct gate *g, const struct gate_ready *m)
{
    bool is_next = m->seq == k->next.seq;
    if (is_next) {
        offer_fini(&k->current);
        k->current = k->next;
        k->next = NO_OFFER;
        listeners_commit(&k->listeners, tell_unlisten, gates_find(k, GATE_SERVING));
        reload_follow_log(k, &k->current);
    }
    struct gate *old = NULL;
    if (g->state == GATE_STARTING)
        old = take_over(k, g);
    else
        gates_send_listeners(k);
    if (is_next)
        gates_send_logs(g, &k->current.logs);
    if (old)
        await(k, old, m);
    else
        tell_in_force(k, m, is_next);
}

static void on_refused(struct keeper *k, struct gate *g, const struct gate_refused *m)
{
    char why[GATE_REASON_MAX_BYTES + 64];
    snprintf(why, sizeof why, "the gate refused the settings: %.*s",
             (int)MIN(m->reason_bytes, (uint32_t)sizeof m->reason), m->reason);
    bool is_next = m->seq == k->next.seq;
    if (g->state == GATE_STARTING || !is_next) // it serves nothing
        gates_give_up(g);
    if (is_next)
        reload_failed(k, why);
    else
        log_error("%s", why);
}

static void on_status(struct keeper *k, const struct gate_question *m, int fd)
{
    struct str bytes;
    json_t *report = NULL;
    if (!control_is_awaited(&k->control, CONTROL_WAIT_STATUS, m->seq))
        return; // too late, or never asked for: not worth reading
    if (fd >= 0 && file_map_sealed(fd, &bytes)) {
        if (bytes.len <= REPORT_MAX_BYTES)
            report = json_loadb(bytes.ptr, bytes.len, JSON_REJECT_DUPLICATES, NULL);
        file_unmap(bytes);
    }
    if (!report)
        log_error("the gate's report can't be read");
    control_answer(&k->control, CONTROL_WAIT_STATUS, m->seq, report_make(k, report));
    json_decref(report);
}

static void on_page(struct keeper *k, const struct gate_page *m, int fd)
{
    if (fd < 0 || !control_is_awaited(&k->control, CONTROL_WAIT_PAGE, m->seq))
        return;
    control_answer_file(&k->control, CONTROL_WAIT_PAGE, m->seq, fd,
                        json_pack("{s:b, s:i, s:I}", "ok", 1, "status", (int)m->status, "next_page",
                                  (json_int_t)m->next_page));
}

// False: it makes no sense.
static bool take_answer(struct keeper *k, struct gate *g, const union answer *m, size_t len, int fd)
{
    if (len < sizeof m->type)
        return false;
    if (m->type == GATE_PONG && len == sizeof m->question && m->question.seq == g->challenges_seq) {
        g->challenges_seq = 0;
        secrets_challenges_are_in_place(&k->secrets, g->challenges_version);
        control_beacon(k);
        return true;
    }
    if (m->type == GATE_PONG && len == sizeof m->question) {
        // Another number: the ping was that of this process before an upgrade that failed.
        if (g->pinged_seq == 0 || m->question.seq != g->pinged_seq)
            return true;
        g->pinged_seq = 0;
        g->ping_at_ms = clock_now_ms() + PING_EVERY_MS;
        return true;
    }
    if (m->type == GATE_PETITION && len == sizeof m->petition)
        return verdicts_take(k, g, &m->petition);
    if (m->type == GATE_BAN && len == sizeof m->ban)
        return take_ban(k, g, &m->ban.ban);
    if (m->type == GATE_INQUIRY && len == sizeof m->question) {
        inform_gate(k, g, m->question.seq);
        return true;
    }
    if (m->type == GATE_PAGE && len == sizeof m->page) {
        on_page(k, &m->page, fd);
        return true;
    }
    if (m->type == GATE_STATUS && len == sizeof m->question) {
        on_status(k, &m->question, fd);
        return true;
    }
    bool is_ready = m->type == GATE_READY && len == sizeof m->ready;
    if (is_ready && g->has_ended && g->state == GATE_STARTING)
        return true; // it died right after: nobody hands over to it
    bool is_refused = m->type == GATE_REFUSED && len == sizeof m->refused;
    uint64_t seq = is_ready ? m->ready.seq : is_refused ? m->refused.seq : 0;
    if (seq == 0 || seq != g->asked_seq)
        return false;
    g->asked_seq = 0;
    if (is_ready)
        on_ready(k, g, &m->ready);
    else
        on_refused(k, g, &m->refused);
    return true;
}

void gates_take_messages(struct keeper *k, struct gate *g)
{
    union answer m;
    for (int i = 0; i < MESSAGES_PER_TURN && g->child.channel >= 0; i++) {
        size_t len;
        int fd = -1;
        memset(&m, 0, sizeof m);
        enum io io = channel_receive(g->child.channel, &m, sizeof m, &len, &fd);
        if (io == IO_AGAIN)
            return;
        if (io != IO_DONE) { // it is dying, or wants to be rid of us
            child_hang_up(&g->child);
            if (g->state != GATE_LEAVING)
                gates_give_up(g);
            return;
        }
        bool makes_sense = true;
        if (g->state == GATE_LEAVING)
            take_last_words(k, g, &m, len);
        else if (!g->is_foreign)
            makes_sense = take_answer(k, g, &m, len, fd);
        if (fd >= 0)
            close(fd);
        if (!makes_sense) {
            log_error("gate %d sent a message that makes no sense", (int)g->child.pid);
            gates_give_up(g);
        }
    }
}

// --- its end ---

static void describe_end(int status, char *buf, size_t n)
{
    if (WIFSIGNALED(status))
        snprintf(buf, n, "signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(buf, n, "exit status %d", WEXITSTATUS(status));
}

// A gate died that wasn't told to leave.
static void on_death(struct keeper *k, bool has_served, bool owed_next, int64_t lived_ms,
                     const char *how)
{
    snprintf(k->last_end, sizeof k->last_end, "%s", how);
    if (lived_ms >= LIVED_WELL_MS)
        k->backoff_ms = 0;
    if (k->current.seq == 0 && k->next.seq > 0 && k->upgrade.state != UPGRADE_TAKING) {
        if (++k->n_early_deaths >= EARLY_DEATHS_MAX) {
            log_error("the gate died (%s) before it could serve: giving up", how);
            k->exit_status = 1;
            k->is_done = true;
            return;
        }
    } else if (k->next.seq > 0 && (owed_next || !has_served)) {
        char why[256];
        snprintf(why, sizeof why, "the gate died (%s) with new settings", how);
        reload_failed(k, why);
    }
    if (has_served || !gates_find(k, GATE_SERVING))
        log_error("the gate died (%s): starting another in %lld ms", how, (long long)k->backoff_ms);
    plan_restart(k);
    k->backoff_ms = MIN(MAX(k->backoff_ms * 2, (int64_t)BACKOFF_MIN_MS), (int64_t)BACKOFF_MAX_MS);
}

void gates_ended(struct keeper *k, struct gate *g, int status)
{
    char how[128];
    describe_end(status, how, sizeof how);
    g->has_ended = true;
    gates_take_messages(k, g); // what it said last
    int64_t lived_ms = clock_now_ms() - g->child.started_ms;
    bool was_leaving = g->leaving_since_ms > 0; // also one that took too long, and was killed
    bool has_served = g->ping_at_ms > 0;
    bool owed_next = k->next.seq > 0 && g->asked_seq == k->next.seq;
    child_hang_up(&g->child);
    list_remove(&g->node);
    if (was_leaving && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) && !k->is_stopping)
        log_error("gate %d, which was leaving, died (%s)", (int)g->child.pid, how);
    if (g->child.pid == k->awaited.pid)
        end_await(k);
    mem_free(g);
    if (k->is_stopping)
        k->is_done = list_is_empty(&k->gates);
    else if (!was_leaving)
        on_death(k, has_served, owed_next, lived_ms, how);
}

// --- time ---

static void look_at_ping(struct keeper *k, struct gate *g, int64_t now_ms)
{
    if (g->is_foreign || now_ms < g->ping_at_ms)
        return;
    if (g->pinged_seq > 0) {
        log_error("gate %d hangs: no sign of life for %d s; killing it", (int)g->child.pid,
                  PONG_MAX_MS / 1000);
        gates_give_up(g);
        return;
    }
    g->ping_at_ms = now_ms + PONG_MAX_MS;
    ping(k, g, &g->pinged_seq);
}

static void look_at_gate(struct keeper *k, struct gate *g, int64_t now_ms)
{
    if (g->asked_seq > 0 && now_ms >= g->answer_due_ms) {
        log_error("gate %d doesn't answer: killing it", (int)g->child.pid);
        gates_give_up(g);
    }
    if (g->state == GATE_LEAVING && now_ms >= g->kill_at_ms) {
        log_warn("gate %d doesn't end: killing it", (int)g->child.pid);
        gates_give_up(g);
    }
    if (g->state == GATE_SERVING && !k->is_stopping)
        look_at_ping(k, g, now_ms);
}

void gates_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms)
{
    LIST_FOR (n, &k->gates) {
        struct gate *g = CONTAINER_OF(n, struct gate, node);
        look_at_gate(k, g, now_ms);
        if (g->asked_seq > 0)
            *next_ms = MIN(*next_ms, g->answer_due_ms);
        if (g->state == GATE_LEAVING)
            *next_ms = MIN(*next_ms, g->kill_at_ms);
        if (g->state == GATE_SERVING && !g->is_foreign)
            *next_ms = MIN(*next_ms, g->ping_at_ms);
    }
    if (k->awaited.pid > 0 && now_ms >= k->awaited.due_ms)
        end_await(k);
    if (k->awaited.pid > 0)
        *next_ms = MIN(*next_ms, k->awaited.due_ms);
    if (k->restart_at_ms == 0 || k->is_stopping)
        return;
    if (now_ms >= k->restart_at_ms) {
        if (k->current.seq > 0)
            k->n_restarts++;
        gates_start(k);
    } else {
        *next_ms = MIN(*next_ms, k->restart_at_ms);
    }
}
