// SPDX-License-Identifier: Apache-2.0
// The status as JSON: what the keeper knows, and the gate's own report.
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "codec/date.h"
#include "keeper/keeper_priv.h"
#include "rt/addr.h"
#include "rt/clock.h"

json_t *report_text(struct str s)
{
    json_t *j = json_stringn(s.ptr, s.len);
    if (j)
        return j;
    char copy[512];
    size_t n = MIN(s.len, sizeof copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = (unsigned char)s.ptr[i] < 0x80 ? s.ptr[i] : '?';
    return json_stringn(copy, n);
}

json_t *report_time(int64_t wall_ns)
{
    char date[DATE_ISO_BYTES];
    if (wall_ns == 0)
        return json_null();
    date_iso(wall_ns, date);
    return json_stringn(date, sizeof date);
}

json_t *report_failure(const char *why)
{
    return json_pack("{s:b, s:o}", "ok", 0, "error", report_text(str_of(why)));
}

json_t *report_diags(const struct diags *diags)
{
    json_t *list = json_array();
    for (size_t i = 0; i < diags->n; i++) {
        const struct diag *d = &diags->items[i];
        json_t *item = json_object();
        json_object_set_new(item, "severity",
                            json_string(d->severity == DIAG_ERROR ? "error" : "warning"));
        const char *source = d->place.source ? d->place.source : "";
        json_object_set_new(item, "source", report_text(str_of(source)));
        json_object_set_new(item, "line", json_integer(d->place.line));
        json_object_set_new(item, "column", json_integer(d->place.column));
        json_object_set_new(item, "text", report_text(str_of(d->text)));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *entrypoints_json(const struct listeners *l)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->n; i++) {
        const struct listener *item = &l->items[i];
        struct rt_addr addr = {.len = sizeof addr.u};
        struct ip ip;
        uint16_t port = 0;
        if (item->index > 0 || !item->is_in_force)
            continue;
        if (getsockname(item->fd, &addr.u.any, &addr.len) == 0)
            addr_to_ip(&addr, &ip, &port);
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:i}", "name", report_text(item->name),
                                        "listen", report_text(item->address), "port", (int)port));
    }
    return list;
}

static json_t *gate_json(const struct keeper *k, const struct gate *g)
{
    int64_t up_ms = clock_now_ms() - g->child.started_ms;
    json_t *j = json_pack("{s:i, s:s, s:o, s:I, s:i}", "pid", (int)g->child.pid, "state",
                          g->state == GATE_SERVING ? "serving" : "starting", "started",
                          report_time(clock_wall_ns() - up_ms * 1000000), "uptime_s",
                          (json_int_t)(up_ms / 1000), "restarts", (int)k->n_restarts);
    json_object_set_new(j, "last_end",
                        k->last_end[0] ? report_text(str_of(k->last_end)) : json_null());
    return j;
}

static json_t *leaving_json(const struct keeper *k)
{
    json_t *list = json_array();
    LIST_FOR (n, &k->gates) {
        const struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g->state == GATE_LEAVING)
            json_array_append_new(
                list, json_pack("{s:i, s:I}", "pid", (int)g->child.pid, "since_s",
                                (json_int_t)((clock_now_ms() - g->leaving_since_ms) / 1000)));
    }
    return list;
}

static json_t *last_reload_json(const struct last_reload *r)
{
    if (!r->is_there)
        return json_null();
    return json_pack("{s:b, s:o, s:o}", "ok", (int)r->is_ok, "at", report_time(r->at_ns), "error",
                     r->is_ok ? json_null() : report_text(str_of(r->error)));
}

static json_t *settings_json(const struct keeper *k)
{
    const char *path = k->options->path ? k->options->path : "command line";
    return json_pack("{s:o, s:I, s:o, s:o, s:{s:I, s:I}}", "source", report_text(str_of(path)),
                     "seq", (json_int_t)k->current.seq, "in_force_since",
                     report_time(k->in_force_ns), "last_reload", last_reload_json(&k->last_reload),
                     "reloads", "ok", (json_int_t)k->last_reload.n_ok, "failed",
                     (json_int_t)k->last_reload.n_failed);
}

json_t *report_for_gate(const struct keeper *k)
{
    int64_t up_ns = clock_wall_ns() - k->started_ns;
    return json_pack("{s:s, s:o, s:I, s:i, s:o, s:o, s:o, s:o, s:o}", "version", SALLYPORT_VERSION,
                     "started", report_time(k->started_ns), "uptime_s",
                     (json_int_t)(up_ns / 1000000000), "restarts", (int)k->n_restarts, "settings",
                     settings_json(k), "entrypoints", entrypoints_json(&k->listeners), "orders",
                     secrets_report_orders(&k->secrets), "certificates",
                     secrets_report(&k->secrets), "providers", providers_report(&k->providers));
}

json_t *report_make(const struct keeper *k, json_t *gate_report)
{
    int64_t up_ns = clock_wall_ns() - k->started_ns;
    const struct gate *g = gates_find(k, GATE_SERVING);
    if (!g)
        g = gates_find(k, GATE_STARTING);
    json_t *status = json_pack(
        "{s:s, s:i, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "version",
        SALLYPORT_VERSION, "pid", (int)getpid(), "started", report_time(k->started_ns), "uptime_s",
        (json_int_t)(up_ns / 1000000000), "settings", settings_json(k), "control",
        report_text(str_of(k->control.path)), "entrypoints", entrypoints_json(&k->listeners),
        "gate", g ? gate_json(k, g) : json_null(), "leaving", leaving_json(k), "orders",
        secrets_report_orders(&k->secrets), "certificates", secrets_report(&k->secrets), "pins",
        secrets_report_pins(&k->secrets), "on_demand", secrets_report_demand(&k->secrets),
        "providers", providers_report(&k->providers), "report",
        gate_report ? gate_report : json_null());
    return json_pack("{s:b, s:o}", "ok", 1, "status", status);
}
