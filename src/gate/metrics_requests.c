// SPDX-License-Identifier: Apache-2.0
// Samples of requests by routes, of filters, of servers.
#include "codec/h1.h"
#include "gate/metrics_priv.h"
#include "upstream/breaker.h"
#include "upstream/survey.h"

// --- requests ---

static struct str method_name(size_t i)
{
    static const struct str names[] = {[METHOD_OTHER] = STR_INIT("other"),
#define X(id, text) [METHOD_##id] = STR_INIT(text),
                                       METHOD_LIST(X)
#undef X
    };
    return names[i];
}

static struct str status_name(size_t i)
{
    static const struct str names[METER_STATUSES] = {STR_INIT("none"), STR_INIT("1xx"),
                                                     STR_INIT("2xx"),  STR_INIT("3xx"),
                                                     STR_INIT("4xx"),  STR_INIT("5xx")};
    return names[i];
}

// What was counted for a route at this place; NULL: nothing, or it is none of that kind.
static const struct meter_row *row_at(const struct metrics_writer *w, size_t place,
                                      enum meter_kind kind)
{
    const struct status *s = w->report->status;
    return s->snapshot->meters.items[place]->kind == kind ? s->meters.items[place] : NULL;
}

static bool is_place(const struct metrics_writer *w, size_t place)
{
    return place < w->report->status->meters.n;
}

#define ROUTE_LABELS_MAX 5 // those of a route, and two more

// Those that each route has; returns how many.
static size_t put_route_labels(const struct metrics_writer *w, size_t place,
                               struct metric_label ret[ROUTE_LABELS_MAX])
{
    const struct meter *m = w->report->status->snapshot->meters.items[place];
    ret[0] = (struct metric_label){"route", m->name};
    ret[1] = (struct metric_label){"site", m->site};
    ret[2] = (struct metric_label){"service", m->service};
    return 3;
}

bool metrics_put_requests(struct metrics_writer *w, const struct metric *m, size_t item)
{
    struct metric_label labels[ROUTE_LABELS_MAX];
    if (!is_place(w, item))
        return false;
    const struct meter_row *row = row_at(w, item, METER_ROUTE);
    size_t n = put_route_labels(w, item, labels);
    for (size_t i = 0; row && i < METER_METHODS; i++) {
        for (size_t k = 0; k < METER_STATUSES; k++) {
            if (row->requests[i][k] == 0)
                continue;
            labels[n] = (struct metric_label){"method", method_name(i)};
            labels[n + 1] = (struct metric_label){"status", status_name(k)};
            exposition_count(&w->out, m, labels, n + 2, row->requests[i][k]);
        }
    }
    return true;
}

bool metrics_put_all_durations(struct metrics_writer *w, const struct metric *m, size_t item)
{
    if (item > 0)
        return false;
    exposition_histogram(&w->out, m, NULL, 0, &w->report->status->meters.durations);
    return true;
}

bool metrics_put_durations(struct metrics_writer *w, const struct metric *m, size_t item)
{
    struct metric_label labels[ROUTE_LABELS_MAX];
    if (!w->has_durations || !is_place(w, item))
        return false;
    const struct meter_row *row = row_at(w, item, METER_ROUTE);
    if (row)
        exposition_histogram(&w->out, m, labels, put_route_labels(w, item, labels),
                             &row->durations);
    return true;
}

// A counter of each route that has counted something.
#define ROUTE_COUNT(name, kind, expression)                                                        \
    bool metrics_put_##name(struct metrics_writer *w, const struct metric *m, size_t item)         \
    {                                                                                              \
        struct metric_label labels[ROUTE_LABELS_MAX];                                              \
        if (!is_place(w, item))                                                                    \
            return false;                                                                          \
        const struct meter_row *row = row_at(w, item, kind);                                       \
        if (row)                                                                                   \
            exposition_count(&w->out, m, labels, put_route_labels(w, item, labels), (expression)); \
        return true;                                                                               \
    }

static uint64_t sum_of(const struct meter_row *row)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < METER_METHODS; i++)
        for (size_t k = 0; k < METER_STATUSES; k++)
            sum += row->requests[i][k];
    return sum;
}

ROUTE_COUNT(request_bytes, METER_ROUTE, row->bytes_in)
ROUTE_COUNT(response_bytes, METER_ROUTE, row->bytes_out)
ROUTE_COUNT(retries, METER_ROUTE, row->retries)
ROUTE_COUNT(tcp_connections, METER_TCP_ROUTE, sum_of(row))

bool metrics_put_ends(struct metrics_writer *w, const struct metric *m, size_t item)
{
    if (item >= EXCHANGE_END_COUNT)
        return false;
    metrics_put_by(w, m, "end", str_of(exchange_end_name((enum exchange_end)item)),
                   w->report->status->meters.ends[item]);
    return true;
}

bool metrics_put_filtered(struct metrics_writer *w, const struct metric *m, size_t item)
{
    if (!is_place(w, item))
        return false;
    const struct meter_row *row = row_at(w, item, METER_FILTER);
    const struct meter *meter = w->report->status->snapshot->meters.items[item];
    for (size_t k = 0; row && k < METER_STATUSES; k++) {
        if (row->requests[METHOD_OTHER][k] > 0)
            exposition_count(&w->out, m,
                             METRICS_LABELS(METRICS_LABEL("filter", meter->name),
                                            METRICS_LABEL("status", status_name(k))),
                             2, row->requests[METHOD_OTHER][k]);
    }
    return true;
}

// Of HTTP/1 and then of HTTP/2; only what has happened: there are a hundred.
static bool put_refusals(struct metrics_writer *w, const struct metric *m, size_t item,
                         const uint64_t *h1, const uint64_t *h2)
{
    bool is_h1 = item < H1_ERROR_COUNT;
    size_t i = is_h1 ? item : item - H1_ERROR_COUNT;
    if (item >= H1_ERROR_COUNT + H2_ERROR_COUNT)
        return false;
    uint64_t n = is_h1 ? h1[i] : h2[i];
    if (n > 0)
        exposition_count(
            &w->out, m,
            METRICS_LABELS(
                METRICS_LABEL("protocol", is_h1 ? STR("HTTP/1") : STR("HTTP/2")),
                METRICS_LABEL("reason", str_of(is_h1 ? h1_error_name((enum h1_error)i)
                                                     : h2_error_name((enum h2_error)i)))),
            2, n);
    return true;
}

bool metrics_put_refused_requests(struct metrics_writer *w, const struct metric *m, size_t item)
{
    return put_refusals(w, m, item, metrics_http(w)->client_errors,
                        metrics_http(w)->client_h2_errors);
}

bool metrics_put_refused_answers(struct metrics_writer *w, const struct metric *m, size_t item)
{
    return put_refusals(w, m, item, metrics_http(w)->server_errors,
                        metrics_http(w)->server_h2_errors);
}

// --- servers ---

static const struct survey *survey_of(const struct metrics_writer *w)
{
    return w->report->status->survey;
}

// A server by its number over all services.
static const struct survey_server *server_at(const struct metrics_writer *w, size_t item,
                                             struct metric_label ret[static 2])
{
    const struct survey *s = survey_of(w);
    // Services have their servers one behind the other: the last that doesn't begin behind it.
    size_t low = 0, high = s->n_services;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(s->services[middle].first <= item ? &low : &high) = middle;
    }
    ret[0] = (struct metric_label){"service", s->services[low].name};
    ret[1] = (struct metric_label){"server", s->servers[item].url};
    return &s->servers[item];
}

static bool is_up(const struct survey_server *s)
{
    for (size_t i = 0; i < s->n_addresses; i++) {
        const struct survey_address *a = &s->addresses[i];
        if (!a->is_down && a->ejected_until_ms == 0 && !a->is_skipped)
            return true;
    }
    return false;
}

// A value of each server.
#define SERVER_COUNT(name, expression)                                                             \
    bool metrics_put_##name(struct metrics_writer *w, const struct metric *m, size_t item)         \
    {                                                                                              \
        struct metric_label labels[2];                                                             \
        if (item >= survey_of(w)->n_servers)                                                       \
            return false;                                                                          \
        const struct survey_server *s = server_at(w, item, labels);                                \
        exposition_count(&w->out, m, labels, 2, (uint64_t)(expression));                           \
        return true;                                                                               \
    }

SERVER_COUNT(server_up, is_up(s))
SERVER_COUNT(server_drained, s->is_drained)
SERVER_COUNT(server_in_use, s->n_conns - MIN(s->n_idle, s->n_conns))
SERVER_COUNT(server_idle, s->n_idle)
SERVER_COUNT(server_requests, s->n_requests)
SERVER_COUNT(server_failures, s->n_failures)
SERVER_COUNT(server_handshakes, s->n_handshakes)
SERVER_COUNT(server_resumptions, s->n_resumed)

bool metrics_put_breakers(struct metrics_writer *w, const struct metric *m, size_t item)
{
    const struct survey *s = survey_of(w);
    if (item >= s->n_services)
        return false;
    const struct breaker *b = s->services[item].breaker;
    if (b)
        metrics_put_by(w, m, "service", s->services[item].name,
                       atomic_load_explicit(&b->n_refused, memory_order_relaxed));
    return true;
}
