// SPDX-License-Identifier: Apache-2.0
#include "cli/status_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/plain.h"
#include "cli/status_providers.h"

#define NAME_WIDTH 14 // of the names in the first section
#define WIDTH_MAX 48  // of a column of names

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void put_value(struct text *to, const char *value)
{
    plain_put(to, str_of(value ? value : "?"));
}

// A list of texts with ", " between; true when there was any.
static bool put_texts(struct text *to, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (i > 0)
            text_put(to, STR(", "));
        put_value(to, json_string_value(item));
    }
    return json_array_size(list) > 0;
}

static void put_name(struct text *to, const char *name)
{
    text_printf(to, "  %-*s", NAME_WIDTH, name);
}

// An RFC 3339 time as "2026-11-21 18:23:54 UTC (3 min ago)".
static void put_time(struct text *to, const char *time_text)
{
    struct tm tm = {.tm_year = 0};
    char buf[64];
    const char *rest = time_text ? strptime(time_text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest || rest[strspn(rest, ".0123456789")] != 'Z') {
        put_value(to, time_text);
        return;
    }
    strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S UTC (", &tm);
    text_put(to, str_of(buf));
    plain_put_span(to, time(NULL) - timegm(&tm));
    text_put(to, STR(" ago)"));
}

// --- the processes ---

static void put_settings(const json_t *status, struct text *to)
{
    const json_t *settings = json_object_get(status, "settings");
    const json_t *last = json_object_get(settings, "last_reload");
    if (!settings)
        return;
    put_name(to, "settings");
    text_printf(to, "%" PRId64, number_of(settings, "seq"));
    if (text_of(settings, "source")) {
        text_put(to, STR(" from "));
        put_value(to, text_of(settings, "source"));
    }
    text_put(to, STR(", in force since "));
    put_time(to, text_of(settings, "in_force_since"));
    text_byte(to, '\n');
    if (!json_is_false(json_object_get(last, "ok")))
        return;
    put_name(to, "");
    text_put(to, STR("the last reload failed at "));
    put_time(to, text_of(last, "at"));
    text_put(to, STR(": "));
    put_value(to, text_of(last, "error"));
    text_byte(to, '\n');
}

static void put_gate(const json_t *status, struct text *to)
{
    const json_t *gate = json_object_get(status, "gate");
    const json_t *report = json_object_get(status, "report");
    if (!json_is_object(gate))
        return;
    put_name(to, "gate");
    put_value(to, text_of(gate, "state"));
    text_printf(to, ", process %" PRId64 ", up ", number_of(gate, "pid"));
    plain_put_span(to, number_of(gate, "uptime_s"));
    if (json_is_object(report)) {
        text_printf(to, ", %" PRId64 " worker%s, user ", number_of(report, "workers"),
                    S_UNLESS_ONE(number_of(report, "workers")));
        put_value(to, text_of(report, "user"));
        text_put(to, STR(", "));
        plain_put_kib(to, number_of(report, "memory_kb"));
        text_printf(to, ", %" PRId64 " open files", number_of(report, "open_files"));
    } else {
        text_put(to, STR(", gave no report"));
    }
    text_byte(to, '\n');
    if (number_of(gate, "restarts") > 0) {
        put_name(to, "");
        text_printf(to, "started anew %" PRId64 " time%s", number_of(gate, "restarts"),
                    S_UNLESS_ONE(number_of(gate, "restarts")));
        if (text_of(gate, "last_end")) {
            text_put(to, STR("; the last end: "));
            put_value(to, text_of(gate, "last_end"));
        }
        text_byte(to, '\n');
    }
}

static void put_sandbox(const json_t *report, struct text *to)
{
    const json_t *sandbox = json_object_get(report, "sandbox");
    const json_t *missing = json_object_get(sandbox, "missing");
    size_t i;
    json_t *why;
    if (!sandbox)
        return;
    put_name(to, "sandbox");
    put_value(to, text_of(sandbox, "mode"));
    text_put(to, STR(": "));
    if (!put_texts(to, json_object_get(sandbox, "in_force")))
        text_put(to, STR("nothing in force"));
    text_byte(to, '\n');
    json_array_foreach(missing, i, why)
    {
        put_name(to, "");
        text_put(to, STR("missing: "));
        put_value(to, json_string_value(why));
        text_byte(to, '\n');
    }
}

static void put_spool(const json_t *report, struct text *to)
{
    const json_t *counters = json_object_get(report, "counters");
    int64_t max = number_of(report, "spool_max_bytes");
    int64_t used = number_of(counters, "bytes of the spool that they have now");
    if (max == 0 || used == 0)
        return;
    put_name(to, "spool");
    plain_put_kib(to, used / 1024);
    text_put(to, STR(" of "));
    plain_put_kib(to, max / 1024);
    text_byte(to, '\n');
}

static void put_logs(const json_t *report, struct text *to)
{
    const char *title = "logs";
    size_t i;
    json_t *failure;
    json_array_foreach(json_object_get(report, "log_failures"), i, failure)
    {
        put_name(to, title);
        text_put(to, STR("the "));
        put_value(to, text_of(failure, "log"));
        text_put(to, STR(" can't be written: "));
        put_value(to, text_of(failure, "error"));
        text_byte(to, '\n');
        title = "";
    }
    if (number_of(report, "log_lines_lost") > 0) {
        put_name(to, title);
        plain_put_count(to, number_of(report, "log_lines_lost"));
        text_put(to, STR(" lines lost\n"));
    }
}

static void put_processes(const json_t *status, struct text *to)
{
    const json_t *report = json_object_get(status, "report");
    size_t i;
    json_t *old;
    text_put(to, STR("sallyport "));
    put_value(to, text_of(status, "version"));
    text_printf(to, ", process %" PRId64 ", up ", number_of(status, "pid"));
    plain_put_span(to, number_of(status, "uptime_s"));
    text_byte(to, '\n');
    put_settings(status, to);
    if (text_of(status, "control")) {
        put_name(to, "control");
        put_value(to, text_of(status, "control"));
        text_byte(to, '\n');
    }
    put_gate(status, to);
    put_sandbox(report, to);
    json_array_foreach(json_object_get(status, "leaving"), i, old)
    {
        put_name(to, "leaving");
        text_printf(to, "gate of process %" PRId64 ", finishing for ", number_of(old, "pid"));
        plain_put_span(to, number_of(old, "since_s"));
        text_byte(to, '\n');
    }
    put_spool(report, to);
    put_logs(report, to);
}

// --- lists ---

static size_t width_of(const char *s)
{
    size_t n = 0; // characters of UTF-8
    for (; s && *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static size_t widest(const json_t *list, const char *key, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        width = MAX(width, width_of(text_of(json_array_get(list, i), key)));
    return MIN(width, (size_t)WIDTH_MAX);
}

static void put_padded(struct text *to, const char *value, size_t width)
{
    put_value(to, value);
    for (size_t n = width_of(value); n < width; n++)
        text_byte(to, ' ');
}

// The headline of a list; returns how many of it are shown.
static size_t begin_list(struct text *to, const char *title, const json_t *list, bool wants_all)
{
    size_t n = json_array_size(list);
    if (n == 0)
        return 0;
    if (n <= STATUS_LIST_MAX || wants_all) {
        text_printf(to, "\n%s\n", title);
        return n;
    }
    text_printf(to, "\n%s (the first %d of %zu; --all shows them all)\n", title, STATUS_LIST_MAX,
                n);
    return STATUS_LIST_MAX;
}

static int64_t connections_of(const json_t *report, const char *entrypoint)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(report, "entrypoints"), i, item)
    {
        const char *name = text_of(item, "name");
        if (name && entrypoint && strcmp(name, entrypoint) == 0)
            return number_of(item, "connections");
    }
    return 0;
}

static void put_entrypoints(const json_t *status, struct text *to)
{
    const json_t *list = json_object_get(status, "entrypoints");
    size_t n = begin_list(to, "entrypoints", list, true);
    size_t names = widest(list, "name", n), listens = widest(list, "listen", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        const char *listen = text_of(item, "listen");
        text_put(to, STR("  "));
        put_padded(to, text_of(item, "name"), names);
        text_put(to, STR("  "));
        put_padded(to, listen, listens);
        if (listen && str_ends(str_of(listen), STR(":0")))
            text_printf(to, "  port %" PRId64, number_of(item, "port"));
        int64_t open = connections_of(json_object_get(status, "report"), text_of(item, "name"));
        text_put(to, STR("  "));
        plain_put_count(to, open);
        text_printf(to, " connection%s\n", S_UNLESS_ONE(open));
    }
}

static void put_sites(const json_t *report, bool wants_all, struct text *to)
{
    const json_t *list = json_object_get(report, "sites");
    size_t n = begin_list(to, "sites", list, wants_all);
    size_t names = widest(list, "name", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        text_put(to, STR("  "));
        put_padded(to, text_of(item, "name"), names);
        if (text_of(item, "to")) {
            text_put(to, STR("  to "));
            put_value(to, text_of(item, "to"));
        }
        if (json_array_size(json_object_get(item, "aliases")) > 0) {
            text_put(to, STR("  also "));
            put_texts(to, json_object_get(item, "aliases"));
        }
        text_byte(to, '\n');
    }
}

// Of what isn't up: since when, and what a check has found.
static void put_trouble(const json_t *address, struct text *to)
{
    const char *state = text_of(address, "state"), *since = text_of(address, "since");
    if (!state || strcmp(state, "up") == 0)
        return;
    if (since) {
        text_put(to, STR(", "));
        put_time(to, since);
    }
    if (text_of(address, "until")) {
        text_put(to, STR(", until "));
        put_value(to, text_of(address, "until"));
    }
    if (text_of(address, "reason")) {
        text_put(to, STR(": "));
        put_value(to, text_of(address, "reason"));
    }
}

static void put_addresses(const json_t *server, struct text *to)
{
    size_t i;
    json_t *a;
    json_array_foreach(json_object_get(server, "addresses"), i, a)
    {
        int64_t failures = number_of(a, "failures");
        text_put(to, i > 0 ? STR("; ") : STR("  "));
        put_value(to, text_of(a, "state"));
        if (text_of(a, "ip")) {
            text_put(to, STR(" at "));
            put_value(to, text_of(a, "ip"));
        }
        if (failures > 0)
            text_printf(to, " after %" PRId64 " failure%s", failures, S_UNLESS_ONE(failures));
        put_trouble(a, to);
    }
}

// Requests in progress, where they are counted, of all its addresses.
static int64_t n_active(const json_t *server)
{
    size_t i;
    json_t *a;
    int64_t n = 0;
    json_array_foreach(json_object_get(server, "addresses"), i, a)
    {
        n += number_of(a, "active");
    }
    return n;
}

static void put_server(const json_t *server, size_t url_width, bool has_weights, struct text *to)
{
    int64_t open = number_of(server, "connections"), idle = number_of(server, "idle");
    put_padded(to, text_of(server, "url"), url_width);
    if (has_weights)
        text_printf(to, "  weight %-4" PRId64, number_of(server, "weight"));
    put_addresses(server, to);
    if (json_is_true(json_object_get(server, "drained")))
        text_put(to, STR("  drained"));
    if (text_of(server, "error")) {
        text_put(to, STR("  no address: "));
        put_value(to, text_of(server, "error"));
    }
    if (open == 0 && idle == 0)
        return;
    text_put(to, STR("  "));
    plain_put_count(to, open);
    text_printf(to, " connection%s", S_UNLESS_ONE(open));
    if (idle > 0)
        text_printf(to, ", %" PRId64 " idle", idle);
    if (n_active(server) > 0)
        text_printf(to, ", %" PRId64 " in progress", n_active(server));
}

void status_text_put_servers(const json_t *service, const char *before, struct text *to)
{
    const json_t *servers = json_object_get(service, "servers");
    size_t width = widest(servers, "url", json_array_size(servers)), i;
    bool has_weights = false;
    json_t *server;
    json_array_foreach(servers, i, server)
    {
        has_weights = has_weights || number_of(server, "weight") != 1;
    }
    json_array_foreach(servers, i, server)
    {
        text_put(to, str_of(before));
        put_server(server, width, has_weights, to);
        text_byte(to, '\n');
    }
}

static void put_breaker(const json_t *breaker, struct text *to)
{
    const char *state = text_of(breaker, "state");
    if (!state)
        return;
    text_put(to, STR("  breaker "));
    put_value(to, state);
    if (strcmp(state, "closed") != 0 && text_of(breaker, "since")) {
        text_put(to, STR(" since "));
        put_time(to, text_of(breaker, "since"));
    }
    int64_t n = number_of(breaker, "refused");
    if (n > 0)
        text_printf(to, ", %" PRId64 " request%s refused", n, S_UNLESS_ONE(n));
}

static void put_mirror(const json_t *mirror, struct text *to)
{
    if (!text_of(mirror, "to"))
        return;
    text_put(to, STR("  mirrored to "));
    put_value(to, text_of(mirror, "to"));
    text_printf(to, ": %" PRId64 " sent, %" PRId64 " dropped, %" PRId64 " failed",
                number_of(mirror, "sent"), number_of(mirror, "dropped"),
                number_of(mirror, "failed"));
}

static void put_members(const json_t *group, struct text *to)
{
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(group, "members"), i, m)
    {
        text_put(to, i > 0 ? STR(", ") : STR(" "));
        if (json_object_get(m, "weight"))
            text_printf(to, "%" PRId64 " to ", number_of(m, "weight"));
        put_value(to, text_of(m, "service"));
    }
}

static void put_groups(const json_t *report, bool wants_all, struct text *to)
{
    const json_t *list = json_object_get(report, "groups");
    size_t n = begin_list(to, "services of services", list, wants_all);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        text_put(to, STR("  "));
        put_value(to, text_of(item, "name"));
        text_put(to, STR("  "));
        put_value(to, text_of(item, "kind"));
        put_members(item, to);
        put_mirror(json_object_get(item, "mirror"), to);
        text_byte(to, '\n');
    }
}

static void put_services(const json_t *report, bool wants_all, struct text *to)
{
    const json_t *list = json_object_get(report, "services");
    size_t n = begin_list(to, "services", list, wants_all);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        text_put(to, STR("  "));
        put_value(to, text_of(item, "name"));
        put_breaker(json_object_get(item, "breaker"), to);
        put_mirror(json_object_get(item, "mirror"), to);
        if (number_of(item, "waiting") > 0)
            text_printf(to, "  %" PRId64 " waiting for a place", number_of(item, "waiting"));
        text_byte(to, '\n');
        status_text_put_servers(item, "    ", to);
    }
}

// --- certificates ---

#define DATE_CHARS 10 // of "2027-02-19T18:14:22.000Z"

static const char *source_text(const char *source)
{
    return !source                           ? "?"
           : strcmp(source, "file") == 0     ? "file"
           : strcmp(source, "local-ca") == 0 ? "local CA"
                                             : "issued";
}

static void put_certificate(const json_t *item, size_t width, struct text *to)
{
    const char *state = text_of(item, "state"), *until = text_of(item, "not_after");
    text_put(to, STR("  "));
    put_padded(to, text_of(item, "id"), width);
    text_put(to, STR("  "));
    put_padded(to, source_text(text_of(item, "source")), width_of("local CA"));
    text_put(to, STR("  "));
    put_value(to, state);
    if (until) {
        text_put(to, STR(" until "));
        plain_put(to, str_first(str_of(until), DATE_CHARS));
    }
    const char *error = text_of(item, "error");
    if (!error)
        error = text_of(item, "flaw");
    if (error) {
        text_put(to, STR(": "));
        put_value(to, error);
    }
    text_byte(to, '\n');
}

static void put_certificates(const json_t *status, bool wants_all, struct text *to)
{
    const json_t *list = json_object_get(status, "certificates");
    size_t n = begin_list(to, "certificates", list, wants_all);
    size_t width = widest(list, "id", n);
    for (size_t i = 0; i < n; i++)
        put_certificate(json_array_get(list, i), width, to);
}

// --- counters ---

// An object of numbers; those that aren't 0.
// Servers that have shown another key than on their first use.
static void put_alarms(const json_t *status, struct text *to)
{
    size_t i;
    const json_t *pin;
    bool has_title = false;
    json_array_foreach(json_object_get(status, "pins"), i, pin)
    {
        int64_t n = number_of(pin, "refused");
        if (n == 0)
            continue;
        text_put(to, has_title ? STR_NONE : STR("\nservers that show another key than they did\n"));
        has_title = true;
        text_put(to, STR("  "));
        put_value(to, text_of(pin, "server"));
        text_printf(to, ": %" PRId64 " connection%s refused, the last one ", n, S_UNLESS_ONE(n));
        put_time(to, text_of(pin, "refused_at"));
        text_put(to, STR("; see sallyport pin list\n"));
    }
}

static void put_counters(struct text *to, const char *title, json_t *counters)
{
    size_t width = 0;
    const char *key;
    json_t *value;
    json_object_foreach(counters, key, value)
    {
        if (json_integer_value(value) != 0)
            width = MAX(width, width_of(key));
    }
    if (width == 0)
        return;
    text_printf(to, "\n%s\n", title);
    json_object_foreach(counters, key, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        text_put(to, STR("  "));
        put_padded(to, key, width);
        text_put(to, STR("  "));
        plain_put_count(to, json_integer_value(value));
        text_byte(to, '\n');
    }
}

void status_text_put(const json_t *status, bool wants_all, struct text *to)
{
    const json_t *report = json_object_get(status, "report");
    put_processes(status, to);
    put_entrypoints(status, to);
    put_sites(report, wants_all, to);
    put_services(report, wants_all, to);
    put_groups(report, wants_all, to);
    put_certificates(status, wants_all, to);
    status_providers_put(status, to);
    put_alarms(status, to);
    put_counters(to, "counters", json_object_get(report, "counters"));
    put_counters(to, "refused requests", json_object_get(report, "refused_requests"));
    put_counters(to, "refused answers of servers", json_object_get(report, "refused_answers"));
}

const json_t *status_text_find_service(const json_t *status, struct str name)
{
    size_t i;
    json_t *item;
    const json_t *report = json_object_get(status, "report");
    json_array_foreach(json_object_get(report, "services"), i, item)
    {
        const char *its = text_of(item, "name");
        if (its && str_eq(str_of(its), name))
            return item;
    }
    return NULL;
}
