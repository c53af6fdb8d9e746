// SPDX-License-Identifier: Apache-2.0
// New settings: loaded, offered to the gate that serves or to a new one, and in force when that one
// says so. One attempt at a time; those who ask meanwhile get the next one.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "keeper/notify.h"
#include "rt/clock.h"
#include "rt/log.h"

static bool load(struct keeper *k, struct loaded *l)
{
    const struct load_finder finder = {
        .find = providers_find, .arg = &k->providers, .checked = &k->providers.checked};
    if (k->attempt.follows && k->text)
        return load_again(str_of(k->text), k->options->path, &finder, l);
    if (k->options->path)
        return load_file(k->options->path, &finder, l);
    load_begin(l);
    struct conf_node *root = k->options->build(k->options->arg, l);
    return root && load_tree(l, root, &finder);
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

void reload_follow_log(struct keeper *k, const struct offer *o)
{
    k->log_level = o->log_level;
    k->log_format = o->log_format;
    log_set_level(k->log_level, k->log_format);
}

bool reload_is_possible(const struct keeper *k)
{
    if (k->attempt.is_running || gates_find(k, GATE_STARTING))
        return false;
    const struct gate *g = gates_find(k, GATE_SERVING);
    return !g || g->asked_seq == 0;
}

// Ends the attempt: everybody who waits for it is told.
static void end_attempt(struct keeper *k, json_t *answer, const char *error)
{
    struct last_reload *last = &k->last_reload;
    *last = (struct last_reload){
        .is_there = true,
        .is_ok = !error,
        .at_ns = clock_wall_ns(),
        .n_ok = last->n_ok + !error,
        .n_failed = last->n_failed + (error != NULL),
    };
    if (error)
        snprintf(last->error, sizeof last->error, "%s", error);
    k->attempt.is_running = false;
    providers_rest(&k->providers, clock_now_ms() - k->attempt.began_ms);
    json_t *diagnostics = k->attempt.diagnostics;
    k->attempt.diagnostics = NULL;
    json_object_set_new(answer, "diagnostics", diagnostics ? diagnostics : json_array());
    control_answer(&k->control, CONTROL_WAIT_RELOAD, k->attempt.number, answer);
    if (k->current.seq > 0)
        notify_ready(error ? "Serving; the last reload failed" : "Serving");
}

void reload_succeeded(struct keeper *k, const struct gate_ready *m)
{
    char why[256];
    logs_use(&k->current.logs);
    if (!control_listen(&k->control, k->current.control_path, why, sizeof why))
        log_warn("no control socket: %s; commands can't reach this process", why);
    k->in_force_ns = clock_wall_ns();
    mem_free(k->text);
    k->text = k->next_text;
    k->next_text = NULL;
    json_t *answer =
        json_pack("{s:b, s:I, s:I, s:I, s:I, s:b}", "ok", 1, "seq", (json_int_t)m->seq, "took_ms",
                  (json_int_t)(clock_now_ms() - k->attempt.began_ms), "build_ms",
                  (json_int_t)(m->build_ns / 1000000), "switch_us",
                  (json_int_t)(m->switch_ns / 1000), "new_gate", (int)k->attempt.has_new_gate);
    end_attempt(k, answer, NULL);
    secrets_want(&k->secrets, k->current.wish); // those before aren't needed any more
    if (k->upgrade.state == UPGRADE_TAKING)
        upgrade_succeeded(k);
}

void reload_failed(struct keeper *k, const char *why)
{
    log_error("%s", why);
    offer_fini(&k->next);
    if (k->current.wish)
        secrets_want(&k->secrets, k->current.wish);
    listeners_cancel(&k->listeners);
    gates_send_listeners(k);
    end_attempt(k, report_failure(why), why);
    if (k->upgrade.state == UPGRADE_TAKING) {
        upgrade_failed(k, why);
        return;
    }
    if (k->current.seq == 0) {
        k->exit_status = 1;
        k->is_stopping = true;
        k->is_done = list_is_empty(&k->gates);
    }
}

static const char *reason_of_failure(const struct keeper *k)
{
    return k->current.seq > 0 ? "the settings have errors: the old ones stay in force"
                              : "the settings have errors: not started";
}

// From now on the files that these settings name are watched.
static void follow(struct keeper *k, const struct loaded *l)
{
    mem_free(k->next_text);
    k->next_text = l->text.len > 0 ? mem_copy(l->text.ptr, l->text.len) : NULL;
    if (k->watch)
        watch_clear(k->watch);
    for (size_t i = 0; k->watch && i < l->files.n; i++) {
        char *path = mem_copy(l->files.paths[i].ptr, l->files.paths[i].len);
        watch_add(k->watch, path);
        mem_free(path);
    }
}

static bool cannot_be_read_anew(const struct keeper *k)
{
    return !k->attempt.follows && k->current.seq > 0 && k->options->path &&
           strcmp(k->options->path, "-") == 0;
}

// Certificates of both are there until one of them is in force for good: connections are accepted
// under either.
static void want_next(struct keeper *k)
{
    struct wish *both = k->current.wish ? wish_both(k->next.wish, k->current.wish) : NULL;
    secrets_want(&k->secrets, both ? both : k->next.wish);
    wish_free(both);
}

void reload_want_again(struct keeper *k)
{
    if (k->next.wish)
        want_next(k);
    else if (k->current.wish)
        secrets_want(&k->secrets, k->current.wish);
}

// Loads and opens what is needed. False with a reason.
static bool prepare(struct keeper *k, const char **ret_why)
{
    if (cannot_be_read_anew(k)) {
        *ret_why = "the settings came from standard input, which can't be read anew";
        return false;
    }
    struct loaded l;
    bool is_fine = load(k, &l);
    if (is_fine && k->current.seq == 0) // so that the very first line has the form wished for
        log_set_level((enum log_level)l.snapshot->settings.log.level,
                      (enum log_format)l.snapshot->settings.log.format);
    is_fine = is_fine && offer_prepare(&l, k->last_seq + 1, &k->listeners, &k->next);
    log_diags(&l.diags);
    providers_tell(&k->providers, &l.told);
    k->attempt.diagnostics = report_diags(&l.diags);
    if (is_fine && !l.snapshot->settings.providers.docker.is_on)
        providers_off(&k->providers);
    if (is_fine) {
        k->last_seq++;
        follow(k, &l);
        want_next(k);
        keeper_bans_use(&k->bans, k->next.wish->state, l.snapshot->settings.ban.clients_max);
    }
    load_fini(&l);
    *ret_why = reason_of_failure(k);
    return is_fine;
}

bool reload_begin(struct keeper *k)
{
    ASSERT(reload_is_possible(k));
    const char *why;
    bool follows = k->must_follow && !k->must_reload;
    k->must_reload = k->must_follow = false;
    k->attempt = (struct attempt){.number = k->attempt.number + 1,
                                  .is_running = true,
                                  .follows = follows,
                                  .began_ms = clock_now_ms()};
    control_bind_reload(&k->control, k->attempt.number);
    if (k->current.seq > 0)
        notify_reloading();
    if (!prepare(k, &why)) {
        reload_failed(k, why);
        return false;
    }
    struct gate *g = gates_find(k, GATE_SERVING);
    if (g && !g->is_foreign && offer_fits(&k->current, &k->next)) {
        gates_send_secrets(k, g);
        gates_offer(g, &k->next, &k->current);
        return true;
    }
    if (g && gates_count(k) >= GATES_MAX - 2) {
        reload_failed(k, "too many old gates still finish what they have begun: try again later");
        return false;
    }
    k->attempt.has_new_gate = g != NULL;
    k->restart_at_ms = 0;
    if (!gates_start(k) && g) { // without one that serves it is tried again
        char text[128];
        snprintf(text, sizeof text, "can't start a gate: %s", strerror(errno));
        reload_failed(k, text);
        return false;
    }
    return true;
}

void reload_ask(struct keeper *k)
{
    if (k->is_stopping)
        return;
    k->must_reload = true;
    if (reload_is_possible(k))
        reload_begin(k);
}

void reload_follow(struct keeper *k)
{
    log_info("a file that the settings name has changed: they are put in force anew");
    k->must_follow = true; // do_what_is_due begins
}
