// SPDX-License-Identifier: Apache-2.0
// What the commands of the control socket do.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "keeper/control_cert.h"
#include "keeper/control_priv.h"
#include "keeper/keeper_priv.h"
#include "rt/clock.h"
#include "rt/log.h"

#define REPORT_MAX_MS 5000  // for the gate's report
#define PAGE_MAX_MS 12000   // for an answer of the API
#define BEACON_MAX_MS 10000 // for the gate to have it

static void do_status(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    (void)request;
    struct gate *g = gates_find(k, GATE_SERVING);
    if (!g || g->is_foreign) {
        control_conn_finish(conn, report_make(k, NULL));
        return;
    }
    struct gate_question m = {.type = GATE_ASK, .seq = ++k->last_question};
    control_conn_wait(conn, CONTROL_WAIT_STATUS, m.seq, clock_now_ms() + REPORT_MAX_MS);
    gates_tell(g, &m, sizeof m, -1);
}

// What the API tells of this path, as a descriptor.
static void do_api(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    const json_t *path = json_object_get(request, "path");
    struct gate *g = gates_find(k, GATE_SERVING);
    struct gate_api m = {.type = GATE_API, .target_bytes = (uint32_t)json_string_length(path)};
    if (!json_is_string(path) || json_string_length(path) > sizeof m.target) {
        control_conn_refuse(conn, "a path is needed, like /api/v1; of 2048 bytes at most");
        return;
    }
    if (!g || g->is_foreign) {
        control_conn_refuse(conn, "no gate serves that could tell");
        return;
    }
    m.seq = ++k->last_question;
    memcpy(m.target, json_string_value(path), m.target_bytes);
    control_conn_wait(conn, CONTROL_WAIT_PAGE, m.seq, clock_now_ms() + PAGE_MAX_MS);
    gates_tell(g, &m, sizeof m, -1);
}

static void do_reload(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    (void)request;
    if (k->is_stopping) {
        control_conn_refuse(conn, "it is stopping");
        return;
    }
    control_conn_wait(conn, CONTROL_WAIT_RELOAD, 0, 0);
    reload_ask(k);
}

static void do_stop(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    json_t *answer = json_pack("{s:b, s:i}", "ok", 1, "pid", (int)getpid());
    control_conn_put(conn, answer);
    json_decref(answer);
    conn->state = CONTROL_CONN_HELD;
    conn->due_ms = 0;
    (void)control_conn_flush(conn);
    keeper_stop(k, json_is_true(json_object_get(request, "now")));
}

static void do_upgrade(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    char why[512];
    control_conn_wait(conn, CONTROL_WAIT_UPGRADE, 0, 0);
    if (!upgrade_begin(k, json_string_value(json_object_get(request, "binary")), why, sizeof why))
        control_conn_refuse(conn, why);
}

static void do_settings(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    (void)request;
    if (k->current.seq == 0) {
        control_conn_refuse(conn, "no settings are in force yet");
        return;
    }
    conn->out_fd = fcntl(k->current.settings_fd, F_DUPFD_CLOEXEC, 0);
    const char *path = k->options->path ? k->options->path : "command line";
    control_conn_finish(conn,
                        json_pack("{s:b, s:I, s:o}", "ok", 1, "seq", (json_int_t)k->current.seq,
                                  "source", report_text(str_of(path))));
}

// What takes long is answered when it has ended.
static void answer_or_wait(struct control_conn *conn, json_t *answer, uint64_t number)
{
    if (answer)
        control_conn_finish(conn, answer);
    else
        control_conn_wait(conn, CONTROL_WAIT_CERT, number, 0);
}

static void do_cert(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    uint64_t number = 0;
    json_t *answer = control_cert(k, request, &number);
    answer_or_wait(conn, answer, number);
}

static void do_account(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    uint64_t number = 0;
    json_t *answer = control_account(k, request, &number);
    answer_or_wait(conn, answer, number);
}

static json_t *beacon_answer(const struct keeper *k)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 1, "token", k->secrets.beacon.token, "body",
                     k->secrets.beacon.body);
}

static void do_beacon(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    (void)request;
    const char *why;
    if (!secrets_light_beacon(&k->secrets, &why))
        control_conn_refuse(conn, why);
    else if (secrets_beacon_is_seen(&k->secrets))
        control_conn_finish(conn, beacon_answer(k));
    else
        control_conn_wait(conn, CONTROL_WAIT_BEACON, 0, clock_now_ms() + BEACON_MAX_MS);
}

void control_beacon(struct keeper *k)
{
    if (secrets_beacon_is_seen(&k->secrets))
        control_answer(&k->control, CONTROL_WAIT_BEACON, 0, beacon_answer(k));
}

static void do_refresh(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    (void)request;
    secrets_refresh(&k->secrets);
    control_conn_finish(conn, json_pack("{s:b}", "ok", 1));
}

static void do_pin(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    const char *action = json_string_value(json_object_get(request, "action"));
    const char *server = json_string_value(json_object_get(request, "server"));
    const char *why = "an action is needed: list, or forget with a server";
    if (action && strcmp(action, "list") == 0)
        control_conn_finish(
            conn, json_pack("{s:b, s:o}", "ok", 1, "pins", secrets_report_pins(&k->secrets)));
    else if (action && strcmp(action, "forget") == 0 && server &&
             secrets_forget_pin(&k->secrets, str_of(server), &why))
        control_conn_finish(conn, json_pack("{s:b}", "ok", 1));
    else
        control_conn_refuse(conn, why);
}

static void add_ban(struct keeper *k, struct control_conn *conn, const json_t *request,
                    struct str net)
{
    struct ban ban;
    const char *why, *reason = json_string_value(json_object_get(request, "reason"));
    json_int_t seconds = json_integer_value(json_object_get(request, "seconds"));
    if (!keeper_bans_order(net, seconds, str_of(reason ? reason : "hand"), &ban, &why) ||
        !keeper_bans_put(&k->bans, &ban)) {
        control_conn_refuse(conn, why);
        return;
    }
    gates_spread_ban(k, NULL, &ban, true);
    control_conn_finish(conn, json_pack("{s:b}", "ok", 1));
}

static void remove_ban(struct keeper *k, struct control_conn *conn, struct str net)
{
    struct ban ban = {.times = 0};
    if (ip_net_parse(net, &ban.net) != ERR_OK) {
        control_conn_refuse(conn, "that is neither an address nor a network like 192.0.2.0/24");
        return;
    }
    bool was_banned = keeper_bans_remove(&k->bans, &ban.net);
    gates_spread_ban(k, NULL, &ban, false);
    if (was_banned)
        control_conn_finish(conn, json_pack("{s:b}", "ok", 1));
    else
        control_conn_refuse(conn, "it isn't banned, as `ban list` has it");
}

static void do_ban(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    const char *action = json_string_value(json_object_get(request, "action"));
    const char *net = json_string_value(json_object_get(request, "network"));
    if (action && strcmp(action, "list") == 0)
        control_conn_finish(conn,
                            json_pack("{s:b, s:o}", "ok", 1, "bans", keeper_bans_report(&k->bans)));
    else if (action && net && strcmp(action, "add") == 0)
        add_ban(k, conn, request, str_of(net));
    else if (action && net && strcmp(action, "remove") == 0)
        remove_ban(k, conn, str_of(net));
    else
        control_conn_refuse(conn, "an action is needed: list, or add or remove with a network");
}

static void do_server(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    const json_t *service = json_object_get(request, "service");
    const json_t *server = json_object_get(request, "server");
    const char *action = json_string_value(json_object_get(request, "action"));
    bool is_drain = action && strcmp(action, "drain") == 0;
    const char *why = "drain or undrain, a service and a server are needed";
    bool is_known = is_drain || (action && strcmp(action, "undrain") == 0);
    struct str service_name = str_from(json_string_value(service), json_string_length(service));
    struct str server_name = str_from(json_string_value(server), json_string_length(server));
    if (!is_known || !service || !server ||
        !drains_set(&k->drains, service_name, server_name, is_drain, &why)) {
        control_conn_refuse(conn, why);
        return;
    }
    log_info("service " STR_FMT ": server " STR_FMT " gets %s, by command", STR_ARG(service_name),
             STR_ARG(server_name), is_drain ? "no more requests" : "requests again");
    gates_tell_drain(k, service_name, server_name, is_drain);
    control_conn_finish(conn, json_pack("{s:b}", "ok", 1));
}

typedef void control_command_fn(struct keeper *k, struct control_conn *conn, const json_t *request);

static const struct {
    const char *name;
    control_command_fn *run;
} commands[] = {
    {"status", do_status},   {"reload", do_reload},     {"stop", do_stop},
    {"upgrade", do_upgrade}, {"settings", do_settings}, {"cert", do_cert},
    {"account", do_account}, {"pin", do_pin},           {"refresh", do_refresh},
    {"beacon", do_beacon},   {"ban", do_ban},           {"server", do_server},
    {"api", do_api},
};

static void refuse_unknown(struct control_conn *conn)
{
    struct text why = {.ptr = NULL};
    text_put(&why, STR("there is no such command; known: "));
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        text_put(&why, i > 0 ? STR(", ") : STR_NONE);
        text_put(&why, str_of(commands[i].name));
    }
    control_conn_refuse(conn, why.ptr);
    text_fini(&why);
}

void control_command(struct keeper *k, struct control_conn *conn, struct str line)
{
    json_t *request = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(request, "command"));
    size_t i = 0;
    while (name && i < ARRAY_LEN(commands) && strcmp(name, commands[i].name) != 0)
        i++;
    if (!name)
        control_conn_refuse(conn, "a request is one line of JSON with a \"command\"");
    else if (i < ARRAY_LEN(commands))
        commands[i].run(k, conn, request);
    else
        refuse_unknown(conn);
    json_decref(request);
}
