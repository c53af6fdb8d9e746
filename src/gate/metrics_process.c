// SPDX-License-Identifier: Apache-2.0
// Samples of the process, its workers, its connections, TLS.
#include <stdio.h>

#include "gate/metrics_priv.h"
#include "rt/log.h"
#include "rt/usage.h"
#include "tls/store.h"

// --- the program and its process ---

bool metrics_put_build_info(struct metrics_writer *w, const struct metric *m, size_t item)
{
    if (item > 0)
        return false;
    metrics_put_by(w, m, "version", STR(SALLYPORT_VERSION), 1);
    return true;
}

// A metric of one sample without labels: its value.
#define SINGLE(name, expression)                                                                   \
    bool metrics_put_##name(struct metrics_writer *w, const struct metric *m, size_t item)         \
    {                                                                                              \
        if (item > 0)                                                                              \
            return false;                                                                          \
        metrics_put(w, m, (uint64_t)(expression));                                                 \
        return true;                                                                               \
    }

#define SINGLE_SECONDS(name, ns)                                                                   \
    bool metrics_put_##name(struct metrics_writer *w, const struct metric *m, size_t item)         \
    {                                                                                              \
        if (item > 0)                                                                              \
            return false;                                                                          \
        exposition_seconds(&w->out, m, NULL, 0, (ns));                                             \
        return true;                                                                               \
    }

static struct usage usage_now(void)
{
    struct usage u;
    usage_read(&u);
    return u;
}

SINGLE_SECONDS(process_start, w->report->process->started_ns)
SINGLE_SECONDS(process_cpu, usage_now().cpu_ns)
SINGLE(process_memory, usage_now().resident_bytes)
SINGLE(process_fds, usage_now().descriptors)
SINGLE(process_max_fds, usage_now().descriptors_max)
SINGLE(sockets, w->report->status->n_socks)

bool metrics_put_log_lines_lost(struct metrics_writer *w, const struct metric *m, size_t item)
{
    static const struct str names[] = {
        [LOG_STREAM_ERROR] = STR_INIT("error"), [LOG_STREAM_ACCESS] = STR_INIT("access")};
    if (item >= ARRAY_LEN(names))
        return false;
    metrics_put_by(w, m, "log", names[item], log_lost((unsigned)item));
    return true;
}

// --- what the keeper tells ---

// One sample without labels, if it has told it.
#define TOLD(name, expression)                                                                     \
    bool metrics_put_##name(struct metrics_writer *w, const struct metric *m, size_t item)         \
    {                                                                                              \
        if (item > 0 || !w->report->is_told)                                                       \
            return false;                                                                          \
        metrics_put(w, m, (uint64_t)(w->report->facts.expression));                                \
        return true;                                                                               \
    }

TOLD(gate_restarts, n_restarts)
TOLD(reload_ok, is_last_reload_ok)

bool metrics_put_reload_at(struct metrics_writer *w, const struct metric *m, size_t item)
{
    if (item > 0 || !w->report->is_told)
        return false;
    exposition_seconds(&w->out, m, NULL, 0, w->report->facts.in_force_ns);
    return true;
}

bool metrics_put_reloads(struct metrics_writer *w, const struct metric *m, size_t item)
{
    const struct gate_knowledge *f = &w->report->facts;
    if (item > 1 || !w->report->is_told)
        return false;
    metrics_put_by(w, m, "result", item == 0 ? STR("ok") : STR("failed"),
                   item == 0 ? f->n_reloads_ok : f->n_reloads_failed);
    return true;
}

// --- workers ---

static bool put_worker(struct metrics_writer *w, const struct metric *m, size_t item, int64_t ns)
{
    char name[16];
    int n = snprintf(name, sizeof name, "%zu", item);
    exposition_seconds(&w->out, m,
                       METRICS_LABELS(METRICS_LABEL("worker", str_from(name, (size_t)MAX(n, 0)))),
                       1, ns);
    return true;
}

// A metric in seconds of each worker.
#define WORKER_SECONDS(name, field)                                                                \
    bool metrics_put_##name(struct metrics_writer *w, const struct metric *m, size_t item)         \
    {                                                                                              \
        const struct status *s = w->report->status;                                                \
        return item < s->n_workers && put_worker(w, m, item, s->workers[item].field);              \
    }

WORKER_SECONDS(worker_lag, lag_ns)
WORKER_SECONDS(worker_longest_turn, longest_turn_ns)
WORKER_SECONDS(worker_cpu, cpu_ns)

// --- connections ---

// A counter of the workers' alone.
#define HTTP_SINGLE(name, id) SINGLE(name, metrics_http(w)->counters[HTTP_COUNTER_##id])
#define DOOR_SINGLE(name, id) SINGLE(name, w->report->status->door.counters[DOOR_COUNTER_##id])

HTTP_SINGLE(conns_accepted, CONNS_ACCEPTED)
HTTP_SINGLE(conns_idle, CONNS_IDLE)
HTTP_SINGLE(conns_http2, CONNS_HTTP2)
HTTP_SINGLE(tunnels, TUNNELS_OPEN)
HTTP_SINGLE(requests_open, EXCHANGES_OPEN)
HTTP_SINGLE(bytes_in, BYTES_IN)
HTTP_SINGLE(bytes_out, BYTES_OUT)
HTTP_SINGLE(compressed, COMPRESSED)
HTTP_SINGLE(ahead_bytes, AHEAD_BYTES)
HTTP_SINGLE(spool_bytes, SPOOL_BYTES)
HTTP_SINGLE(spool_written, SPOOL_WRITTEN)
HTTP_SINGLE(spool_full, SPOOL_FULL)
SINGLE(spool_max, w->report->process->spool_max_bytes)

bool metrics_put_conns_open(struct metrics_writer *w, const struct metric *m, size_t item)
{
    const struct status *s = w->report->status;
    if (item >= s->snapshot->n_entries)
        return false;
    metrics_put_by(w, m, "entrypoint", s->snapshot->entries[item].name, s->entry_conns[item]);
    return true;
}

bool metrics_put_conns_refused(struct metrics_writer *w, const struct metric *m, size_t item)
{
    static const struct {
        struct str reason;
        enum http_counter counter;
    } rows[] = {
        {STR_INIT("limit"), HTTP_COUNTER_CONNS_REFUSED},
        {STR_INIT("proxy-header"), HTTP_COUNTER_PROXY_REFUSED},
    };
    if (item >= ARRAY_LEN(rows))
        return false;
    metrics_put_by(w, m, "reason", rows[item].reason,
                   metrics_http(w)->counters[rows[item].counter]);
    return true;
}

bool metrics_put_subs(struct metrics_writer *w, const struct metric *m, size_t item)
{
    const uint64_t *c = metrics_http(w)->counters;
    if (item > 1)
        return false;
    metrics_put_by(w, m, "result", item == 0 ? STR("answered") : STR("failed"),
                   item == 0 ? c[HTTP_COUNTER_SUBS] - c[HTTP_COUNTER_SUBS_FAILED]
                             : c[HTTP_COUNTER_SUBS_FAILED]);
    return true;
}

// --- TLS with clients ---

DOOR_SINGLE(handshakes_open, OPEN)
DOOR_SINGLE(resumptions, RESUMED)
DOOR_SINGLE(early, EARLY)
DOOR_SINGLE(passed_through, TAKEN)

bool metrics_put_handshakes(struct metrics_writer *w, const struct metric *m, size_t item)
{
    const uint64_t *c = w->report->status->door.counters;
    if (item > 1)
        return false;
    metrics_put_by(w, m, "version", item == 0 ? STR("1.2") : STR("1.3"),
                   item == 0 ? c[DOOR_COUNTER_TLS12]
                             : c[DOOR_COUNTER_DONE] - c[DOOR_COUNTER_TLS12]);
    return true;
}

bool metrics_put_handshakes_failed(struct metrics_writer *w, const struct metric *m, size_t item)
{
    static const char *const names[] = {
#define X(id, text) text,
        TLS_FAILURE_LIST(X)
#undef X
    };
    if (item >= ARRAY_LEN(names))
        return false;
    if (item > TLS_FAILURE_NONE)
        metrics_put_by(w, m, "reason", str_of(names[item]), w->report->status->door.failures[item]);
    return true;
}

bool metrics_put_certificates(struct metrics_writer *w, const struct metric *m, size_t item)
{
    const struct tls_store *certs = w->report->certs;
    char digest[2 * 4 + 1];
    if (!certs || item >= tls_store_n_chains(certs))
        return false;
    const struct tls_chain *c = tls_store_chain(certs, item);
    snprintf(digest, sizeof digest, "%02x%02x%02x%02x", c->digest[0], c->digest[1], c->digest[2],
             c->digest[3]);
    exposition_count(
        &w->out, m,
        METRICS_LABELS(METRICS_LABEL("certificate", c->id),
                       METRICS_LABEL("signer", c->is_local_ca ? STR("local") : STR("other")),
                       METRICS_LABEL("digest", str_from(digest, sizeof digest - 1))),
        3, (uint64_t)MAX(c->not_after_s, (int64_t)0));
    return true;
}

bool metrics_put_spans(struct metrics_writer *w, const struct metric *m, size_t item)
{
    static const struct str names[] = {
#define X(id, name) STR_INIT(name),
        TRACER_COUNT_LIST(X)
#undef X
    };
    if (item >= ARRAY_LEN(names))
        return false;
    metrics_put_by(w, m, "result", names[item], w->report->status->spans[item]);
    return true;
}
