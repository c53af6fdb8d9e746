// SPDX-License-Identifier: Apache-2.0
#include "gate/status.h"

#include <string.h>

#include "base/mem.h"
#include "codec/h1.h"
#include "codec/json.h"
#include "gate/worker.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "rt/sandbox.h"
#include "rt/usage.h"
#include "upstream/breaker.h"
#include "upstream/group.h"
#include "upstream/mirror.h"
#include "upstream/survey.h"

struct status *status_new(struct snapshot *snapshot)
{
    struct status *s = MEM_NEW(struct status);
    atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    s->snapshot = snapshot;
    s->survey = survey_new(snapshot->all_services.items, snapshot->all_services.n);
    s->entry_conns = MEM_ARRAY(uint64_t, snapshot->n_entries);
    s->workers = MEM_ARRAY(struct status_worker, SNAPSHOT_WORKERS_MAX);
    meter_sums_init(&s->meters, &snapshot->meters);
    s->posted_ns = clock_exact_ns();
    return s;
}

void status_free(struct status *s)
{
    if (!s)
        return;
    survey_free(s->survey);
    recent_set_fini(&s->recent);
    mem_free(s->entry_conns);
    mem_free(s->workers);
    meter_sums_fini(&s->meters);
    snapshot_unref(s->snapshot);
    mem_free(s);
}

// --- a worker's part ---

static void add_listener(void *arg, struct str entry_name, uint32_t n_conns)
{
    struct status *s = arg;
    int index = snapshot_find_entry(s->snapshot, entry_name);
    if (index >= 0)
        s->entry_conns[index] += n_conns;
    else
        s->n_left_behind += n_conns;
}

static void add_all(uint64_t *to, const uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

bool status_add(struct status *s, const struct worker *w)
{
    struct status_worker *own = &s->workers[s->n_workers];
    if (s->posted_ns > 0)
        own->lag_ns = clock_exact_ns() - s->posted_ns;
    s->posted_ns = 0;
    if (!s->is_surveyed && !(s->is_surveyed = survey_add(s->survey)))
        return false;
    if (!meter_sums_add(&s->meters, &s->snapshot->meters, worker_meters(w)))
        return false;
    s->is_surveyed = false;
    const struct http_stats *stats = worker_stats(w);
    add_all(s->stats.counters, stats->counters, HTTP_COUNTER_COUNT);
    add_all(s->stats.client_errors, stats->client_errors, H1_ERROR_COUNT);
    add_all(s->stats.server_errors, stats->server_errors, H1_ERROR_COUNT);
    add_all(s->stats.server_h2_errors, stats->server_h2_errors, H2_ERROR_COUNT);
    add_all(s->stats.client_h2_errors, stats->client_h2_errors, H2_ERROR_COUNT);
    const struct door_stats *door = worker_door_stats(w);
    add_all(s->door.counters, door->counters, DOOR_COUNTER_COUNT);
    add_all(s->door.failures, door->failures, TLS_FAILURE_COUNT);
    worker_each_listener(w, add_listener, s);
    add_all(s->spans, worker_spans(w), TRACER_COUNTS);
    struct loop_stats loop;
    loop_stats(loop_self(), &loop);
    s->n_socks += loop.n_socks;
    own->longest_turn_ns = loop.longest_turn_ns;
    own->n_turns = loop.n_turns;
    own->n_fibers = loop.n_fibers;
    own->cpu_ns = usage_thread_cpu_ns();
    recent_collect(worker_recent(w), STR_NONE, &s->recent);
    s->n_workers++;
    s->posted_ns = clock_exact_ns();
    return true;
}

// --- JSON ---

static void put_texts(struct text *t, const char *key, const struct conf_texts *texts)
{
    json_text_open(t, key, '[');
    for (size_t i = 0; i < texts->n; i++)
        json_text_put(t, NULL, texts->items[i].text);
    text_byte(t, ']');
}

// --- the parts ---

static void write_counters(const struct http_stats *stats, struct text *t)
{
    static const char *const texts[] = {
#define X(id, text) text,
        HTTP_COUNTER_LIST(X)
#undef X
    };
    json_text_open(t, "counters", '{');
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_text_uint(t, texts[i], stats->counters[i]);
    text_byte(t, '}');
}

static void write_tls(const struct door_stats *door, struct text *t)
{
    static const char *const counters[] = {
#define X(id, text) text,
        DOOR_COUNTER_LIST(X)
#undef X
    };
    static const char *const failures[] = {
#define X(id, text) text,
        TLS_FAILURE_LIST(X)
#undef X
    };
    json_text_open(t, "tls", '{');
    for (size_t i = 0; i < ARRAY_LEN(counters); i++)
        json_text_uint(t, counters[i], door->counters[i]);
    json_text_open(t, "failed", '{');
    for (size_t i = TLS_FAILURE_NONE + 1; i < ARRAY_LEN(failures); i++) {
        if (door->failures[i] > 0)
            json_text_uint(t, failures[i], door->failures[i]);
    }
    text_put(t, STR("}}"));
}

static void write_refusals(const char *key, const uint64_t *counts, const uint64_t *h2_counts,
                           struct text *t)
{
    json_text_open(t, key, '{');
    for (unsigned i = H1_ERROR_NONE + 1; i < H1_ERROR_COUNT; i++) {
        if (counts[i] > 0)
            json_text_uint(t, h1_error_name((enum h1_error)i), counts[i]);
    }
    for (unsigned i = H2_ERROR_NONE + 1; h2_counts && i < H2_ERROR_COUNT; i++) {
        if (h2_counts[i] > 0)
            json_text_uint(t, h2_error_name((enum h2_error)i), h2_counts[i]);
    }
    text_byte(t, '}');
}

static void write_entrypoints(const struct status *s, struct text *t)
{
    json_text_open(t, "entrypoints", '[');
    for (unsigned i = 0; i < s->snapshot->n_entries; i++) {
        json_text_open(t, NULL, '{');
        json_text_put(t, "name", s->snapshot->entries[i].name);
        json_text_uint(t, "connections", s->entry_conns[i]);
        text_byte(t, '}');
    }
    text_byte(t, ']');
    json_text_uint(t, "connections_left_behind", s->n_left_behind);
}

static void write_sites(const struct conf_map *sites, struct text *t)
{
    json_text_open(t, "sites", '[');
    for (size_t i = 0; i < sites->n; i++) {
        const struct site_conf *site = sites->items[i].value;
        json_text_open(t, NULL, '{');
        json_text_put(t, "name", sites->items[i].name);
        put_texts(t, "aliases", &site->aliases);
        put_texts(t, "use", &site->use);
        struct text to = {.ptr = NULL};
        for (size_t k = 0; k < site->to.n; k++)
            text_printf(&to, "%s" STR_FMT, k > 0 ? ", " : "", STR_ARG(site->to.items[k].text));
        json_text_put(t, "to", text_str(&to));
        text_fini(&to);
        json_text_uint(t, "routes", site->routes.n);
        text_byte(t, '}');
    }
    text_byte(t, ']');
}

// A time of the monotonic clock.
static void put_time(struct text *t, const char *key, int64_t at_ms)
{
    json_text_time(t, key, clock_wall_ns() - (clock_now_ms() - at_ms) * 1000000);
}

static void write_breaker(const struct breaker *b, struct text *t)
{
    uint32_t state = atomic_load_explicit(&b->state, memory_order_relaxed);
    int64_t since_ms = atomic_load_explicit(&b->since_ms, memory_order_relaxed);
    json_text_open(t, "breaker", '{');
    json_text_put(t, "state", str_of(breaker_state_name((enum breaker_state)state)));
    if (since_ms > 0)
        put_time(t, "since", since_ms);
    json_text_uint(t, "refused", atomic_load_explicit(&b->n_refused, memory_order_relaxed));
    text_byte(t, '}');
}

static struct str state_of(const struct survey_server *server, const struct survey_address *a)
{
    if (a->is_down)
        return STR("down");
    if (a->ejected_until_ms > 0)
        return STR("ejected");
    if (a->is_skipped)
        return STR("skipped");
    return server->is_checked && a->health == HEALTH_UNKNOWN ? STR("unchecked") : STR("up");
}

static void write_address(const struct survey_server *server, const struct survey_address *a,
                          struct text *t)
{
    json_text_open(t, NULL, '{');
    json_text_put(t, "ip", a->text);
    json_text_put(t, "state", state_of(server, a));
    json_text_uint(t, "failures", a->n_failures);
    if (server->is_counted)
        json_text_uint(t, "active", a->n_active);
    if (a->since_ms > 0)
        put_time(t, "since", a->since_ms);
    if (a->ejected_until_ms > 0)
        put_time(t, "until", a->ejected_until_ms);
    if (a->why[0] != '\0')
        json_text_put(t, "reason", str_of(a->why));
    text_byte(t, '}');
}

static void write_server(const struct survey_server *server, struct text *t)
{
    json_text_open(t, NULL, '{');
    json_text_put(t, "url", server->url);
    json_text_put(t, "name", server->name);
    json_text_uint(t, "weight", server->weight);
    json_text_bool(t, "checked", server->is_checked);
    json_text_bool(t, "drained", server->is_drained);
    if (server->why)
        json_text_put(t, "error", str_of(server->why));
    json_text_open(t, "addresses", '[');
    for (size_t i = 0; i < server->n_addresses; i++) {
        write_address(server, &server->addresses[i], t);
    }
    text_byte(t, ']');
    json_text_uint(t, "connections", server->n_conns);
    json_text_uint(t, "idle", server->n_idle);
    json_text_uint(t, "requests", server->n_requests);
    json_text_uint(t, "failures", server->n_failures);
    if (server->is_tls) {
        json_text_open(t, "tls", '{');
        json_text_uint(t, "handshakes", server->n_handshakes);
        json_text_uint(t, "resumed", server->n_resumed);
        text_byte(t, '}');
    }
    text_byte(t, '}');
}

static void write_mirror(struct str to, const struct mirror_stats *m, struct text *t)
{
    if (!m)
        return;
    json_text_open(t, "mirror", '{');
    json_text_put(t, "to", to);
    json_text_uint(t, "sent", atomic_load_explicit(&m->n_sent, memory_order_relaxed));
    json_text_uint(t, "dropped", atomic_load_explicit(&m->n_dropped, memory_order_relaxed));
    json_text_uint(t, "failed", atomic_load_explicit(&m->n_failed, memory_order_relaxed));
    text_byte(t, '}');
}

void status_put_service(const struct survey *survey, size_t i, struct text *t)
{
    const struct survey_service *service = &survey->services[i];
    if (service->breaker)
        write_breaker(service->breaker, t);
    json_text_uint(t, "waiting", service->n_queued);
    write_mirror(service->mirror_to, service->mirror, t);
    json_text_open(t, "servers", '[');
    for (size_t k = 0; k < service->n_servers; k++)
        write_server(&survey->servers[service->first + k], t);
    text_byte(t, ']');
}

static void write_services(const struct survey *survey, struct text *t)
{
    json_text_open(t, "services", '[');
    for (size_t i = 0; i < survey->n_services; i++) {
        json_text_open(t, NULL, '{');
        json_text_put(t, "name", survey->services[i].name);
        status_put_service(survey, i, t);
        text_byte(t, '}');
    }
    text_byte(t, ']');
}

static void write_groups(const struct survey *survey, struct text *t)
{
    json_text_open(t, "groups", '[');
    for (size_t i = 0; i < survey->n_groups; i++) {
        const struct group *g = survey->groups[i];
        json_text_open(t, NULL, '{');
        json_text_put(t, "name", g->handler.name);
        json_text_put(t, "kind", g->is_failover ? STR("failover") : STR("split"));
        json_text_open(t, "members", '[');
        for (size_t k = 0; k < g->n; k++) {
            json_text_open(t, NULL, '{');
            json_text_put(t, "service", g->members[k].name);
            if (!g->is_failover)
                json_text_uint(t, "weight", g->members[k].weight);
            text_byte(t, '}');
        }
        text_byte(t, ']');
        if (g->mirror)
            write_mirror(g->mirror->name, g->mirror->stats, t);
        text_byte(t, '}');
    }
    text_byte(t, ']');
}

static void write_filters(const struct conf_map *filters, struct text *t)
{
    json_text_open(t, "filters", '[');
    for (size_t i = 0; i < filters->n; i++) {
        const struct filter_conf *filter = filters->items[i].value;
        json_text_open(t, NULL, '{');
        json_text_put(t, "name", filters->items[i].name);
        if (filter->choice.type)
            json_text_put(t, "kind", str_of(filter->choice.type->key));
        text_byte(t, '}');
    }
    text_byte(t, ']');
}

static void write_log_failures(struct text *t)
{
    json_text_open(t, "log_failures", '[');
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        const char *name;
        int error = log_trouble(i, &name);
        if (error == 0)
            continue;
        json_text_open(t, NULL, '{');
        json_text_put(t, "log", str_of(name));
        json_text_put(t, "error", str_of(strerrordesc_np(error)));
        text_byte(t, '}');
    }
    text_byte(t, ']');
}

static void write_parts(const char *key, const char parts[][SANDBOX_PART_BYTES], unsigned n,
                        struct text *t)
{
    json_text_open(t, key, '[');
    for (unsigned i = 0; i < n; i++)
        json_text_put(t, NULL, str_of(parts[i]));
    text_byte(t, ']');
}

static void write_sandbox(const struct sandbox_report *r, struct text *t)
{
    json_text_open(t, "sandbox", '{');
    json_text_put(t, "mode", str_of(sandbox_mode_text(r->mode)));
    write_parts("in_force", r->in_force, r->n_in_force, t);
    write_parts("missing", r->missing, r->n_missing, t);
    text_byte(t, '}');
}

static void write_process(const struct status *s, const struct status_process *p, struct text *t)
{
    struct usage usage;
    usage_read(&usage);
    json_text_uint(t, "workers", s->n_workers);
    json_text_put(t, "user", p->user);
    if (p->sandbox)
        write_sandbox(p->sandbox, t);
    if (usage.resident_bytes > 0)
        json_text_uint(t, "memory_kb", usage.resident_bytes / 1024);
    json_text_uint(t, "memory_peak_kb", usage.resident_peak_bytes / 1024);
    json_text_uint(t, "spool_max_bytes", p->spool_max_bytes);
    json_text_uint(t, "sockets", s->n_socks);
    if (usage.descriptors > 0)
        json_text_uint(t, "open_files", usage.descriptors);
    json_text_uint(t, "open_files_max", usage.descriptors_max);
    json_text_uint(t, "log_lines_lost", log_dropped());
    write_log_failures(t);
}

void status_put_process(const struct status *s, const struct status_process *p, struct text *to)
{
    write_process(s, p, to);
    write_counters(&s->stats, to);
    write_tls(&s->door, to);
    write_refusals("refused_requests", s->stats.client_errors, s->stats.client_h2_errors, to);
    write_refusals("refused_answers", s->stats.server_errors, s->stats.server_h2_errors, to);
}

void status_write(const struct status *s, const struct status_process *p, struct text *to)
{
    text_byte(to, '{');
    status_put_process(s, p, to);
    write_entrypoints(s, to);
    write_sites(&s->snapshot->settings.sites, to);
    write_services(s->survey, to);
    write_groups(s->survey, to);
    write_filters(&s->snapshot->settings.filters, to);
    text_byte(to, '}');
}
