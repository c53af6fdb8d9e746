// SPDX-License-Identifier: Apache-2.0
// The keeper's parts as they see each other. One thread, one poll loop (keeper.c); nothing here
// waits for a gate or a command: what takes time ends in a message, a signal or a time.
#pragma once

#include <jansson.h>

#include "base/list.h"
#include "gate/protocol.h"
#include "gate/worker.h"
#include "keeper/bans.h"
#include "keeper/child.h"
#include "keeper/control.h"
#include "keeper/drains.h"
#include "keeper/inform.h"
#include "keeper/keeper.h"
#include "keeper/listeners.h"
#include "keeper/offer.h"
#include "keeper/providers.h"
#include "keeper/secrets.h"
#include "keeper/upgrade.h"
#include "rt/log.h"
#include "rt/watch.h"

#define GATES_MAX 16 // processes at a time: one serves, one may start, the rest finish

enum gate_state {
    GATE_STARTING, // hasn't put settings in force yet
    GATE_SERVING,
    GATE_LEAVING, // has the order to finish what it has begun
    GATE_ENDING,  // nothing more is said to it or believed of it: its end comes as SIGCHLD
};

// One gate process, from its start to its end.
struct gate {
    struct list_node node; // in keeper.gates
    struct child child;
    enum gate_state state;
    bool has_ended;        // waited for
    bool is_foreign;       // of another version: it is told to leave, and nothing else
    uint64_t asked_seq;    // settings that it hasn't answered; 0: none
    int64_t answer_due_ms; // while asked_seq > 0
    uint64_t pinged_seq;   // a ping that it hasn't answered; 0: none
    int64_t ping_at_ms;    // the next ping, or the time by which the last one must be answered
    int64_t kill_at_ms;    // while leaving
    int64_t leaving_since_ms;
    uint64_t certs_version, tickets_version, cookie_version; // of the secrets that it has
    uint64_t challenges_version;                             // the same
    uint64_t pins_version;                                   // the same
    uint64_t challenges_seq; // of the ping that tells that it has them; 0: none
};

// A gate that was told to leave, until it accepts no more connections: whoever connects then meets
// the new settings, and they count as in force.
struct awaited {
    pid_t pid;    // 0: none
    uint64_t seq; // of the ping behind its order to leave
    int64_t due_ms;
    struct gate_ready ready; // what its successor has said
};

// One attempt to put new settings in force.
struct attempt {
    uint64_t number; // counts up; 0: there was none
    bool is_running;
    bool has_new_gate;
    bool follows; // the settings in force, with what their files hold now
    int64_t began_ms;
    json_t *diagnostics; // owns; what was found in the settings
};

// How the last one ended, for the status.
struct last_reload {
    bool is_there, is_ok;
    uint64_t n_ok, n_failed; // since the keeper's start, or its last upgrade
    int64_t at_ns;           // wall clock
    char error[512];
};

struct keeper {
    const struct keeper_options *options;
    struct list gates; // of struct gate
    struct listeners listeners;
    struct offer current; // in force; seq 0: none yet
    struct offer next;    // of the attempt that is running
    uint64_t last_seq;
    struct attempt attempt;
    struct awaited awaited;
    struct last_reload last_reload;
    bool must_reload;       // asked for while another was running
    bool must_follow;       // files that settings name have changed
    struct watch *watch;    // owns: of these files
    char *text, *next_text; // own: of the settings file, in force and of the attempt; or NULL
    struct control control;
    struct upgrade upgrade;
    struct names *names; // owns: what the system says of host names
    struct providers providers;
    struct secrets secrets;
    struct keeper_bans bans;
    struct drains drains;
    struct inform inform;
    struct list awaiting; // gates that wait for a name to be decided on: verdicts.c
    size_t n_awaiting;
    bool is_stopping;
    int64_t kill_at_ms;    // while stopping
    int64_t restart_at_ms; // 0: no restart is planned
    int64_t backoff_ms;
    unsigned n_early_deaths;
    unsigned n_restarts; // gates that took the place of a dead one
    char last_end[160];  // how the last gate died that wasn't told to leave
    uint64_t last_question;
    int64_t started_ns;  // wall clock
    int64_t in_force_ns; // wall clock: since when the settings are
    int64_t alive_at_ms; // when the service manager is to be told next; 0: it doesn't ask
    enum log_level log_level;
    enum log_format log_format;
    int exit_status;
    bool is_done;
};

// Lets running exchanges finish and leaves; now, or asked for the second time: leaves at once.
void keeper_stop(struct keeper *k, bool now);

// --- gates.c ---

struct gate *gates_find(const struct keeper *k, enum gate_state state);
size_t gates_count(const struct keeper *k);

// Starts a gate and gives it the settings that are next, or in force. False with errno: told in the
// log, and tried again later if no gate serves.
bool gates_start(struct keeper *k);
// After the return from an upgrade that failed: what was opened meanwhile is the serving gate's; if
// that has died, another one is started.
void gates_resume(struct keeper *k);

// Sends one message; a gate that can't take it is given up.
void gates_tell(struct gate *g, const void *message, size_t n, int fd);
// Gives it settings; before: those in force.
void gates_offer(struct gate *g, const struct offer *o, const struct offer *before);
// The listening sockets that the serving gate doesn't have yet.
void gates_send_listeners(struct keeper *k);
void gates_send_logs(struct gate *g, const struct logs *logs);
void gates_send_names(struct keeper *k, struct gate *g);
// Which servers are to get no more requests.
void gates_send_drains(const struct keeper *k, struct gate *g);
// One of them, to all gates.
void gates_tell_drain(const struct keeper *k, struct str service, struct str server,
                      bool is_drained);
// Certificates and ticket keys, as far as it doesn't have them.
void gates_send_secrets(const struct keeper *k, struct gate *g);
// The same to the gate that serves, and what it is to answer authorities with.
void gates_spread_secrets(struct keeper *k);

// Tells all gates but one (or NULL) that somebody is banned, or isn't any more.
void gates_spread_ban(struct keeper *k, const struct gate *but, const struct ban *ban,
                      bool is_banned);

// Tells it that its listening sockets go, for everyone: before gates_drain, when no other gate
// accepts from them. Who is connecting at this moment is still let in.
void gates_unlisten_all(const struct keeper *k, struct gate *g);
// Tells it to finish what it has begun. limit_ms: then it is killed.
void gates_drain(struct gate *g, int64_t idle_ms, int64_t limit_ms);
void gates_give_up(struct gate *g);
// Tells it that no other gate will take over: before gates_drain.
void gates_tell_end(struct gate *g);

// Takes what it has said.
void gates_take_messages(struct keeper *k, struct gate *g);
// It has ended, as of waitpid's status. Frees it.
void gates_ended(struct keeper *k, struct gate *g, int status);

// What is due by now: pings, missing answers, restarts. *next_ms: lowered to when more is due.
void gates_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms);

// --- verdicts.c ---

// Answers what a gate asks for. False: it makes no sense.
bool verdicts_take(struct keeper *k, struct gate *g, const struct gate_petition *m);
// Puts in force what was decided on, and tells those who wait.
void verdicts_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms);
void verdicts_fini(struct keeper *k);

// --- reload.c ---

// Puts the settings in force as they are now, or after the attempt that is running.
void reload_ask(struct keeper *k);
// Files that the settings in force name have changed: these settings are put in force with what is
// in them now; a settings file that was edited meanwhile waits for reload_ask.
void reload_follow(struct keeper *k);
// Starts what reload_ask put off. False: the settings have errors.
bool reload_begin(struct keeper *k);
// Certificates that aren't the settings' alone have changed: what is wanted is wanted anew.
void reload_want_again(struct keeper *k);
bool reload_is_possible(const struct keeper *k);
// The log's level and form, as settings want them.
void reload_follow_log(struct keeper *k, const struct offer *o);
// A gate's answer to the settings that are next.
void reload_succeeded(struct keeper *k, const struct gate_ready *m);
void reload_failed(struct keeper *k, const char *why);

// --- report.c ---

// What the status says beside the gate's own report. The caller's.
json_t *report_make(const struct keeper *k, json_t *gate_report);
// What gates may tell to those who ask their internal services. The caller's.
json_t *report_for_gate(const struct keeper *k);
json_t *report_diags(const struct diags *diags);
// A date and time, or null for 0.
json_t *report_time(int64_t wall_ns);
// Text that may hold any byte: what isn't UTF-8 becomes '?'. JSON holds nothing else, and paths,
// outputs of programs and what a gate says may be anything.
json_t *report_text(struct str s);
// An answer that says no.
json_t *report_failure(const char *why);
