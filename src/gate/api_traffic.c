// SPDX-License-Identifier: Apache-2.0
// What the API tells of traffic: counters of routes, filters and servers, for whoever makes rates
// of two looks at them (sallyport top). What has counted nothing yet is left out.
#include "codec/json.h"
#include "gate/api_priv.h"
#include "upstream/survey.h"

static const struct meter_row *row_at(const struct report *r, size_t i)
{
    return r->status->meters.items[i];
}

static const struct meter *meter_at(const struct report *r, size_t i)
{
    return r->status->snapshot->meters.items[i];
}

static void put_durations(const struct metric_histogram *h, struct text *to)
{
    size_t n = ARRAY_LEN(h->buckets);
    while (n > 0 && h->buckets[n - 1] == 0)
        n--;
    json_text_open(to, "durations", '[');
    for (size_t i = 0; i < n; i++)
        json_text_uint(to, NULL, h->buckets[i]);
    text_byte(to, ']');
}

static uint64_t count_of(const struct meter_row *row, size_t from, size_t end)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < METER_METHODS; i++)
        for (size_t k = from; k < end; k++)
            sum += row->requests[i][k];
    return sum;
}

static void put_counts(const struct meter_row *row, struct text *to)
{
    json_text_uint(to, "requests", count_of(row, 0, METER_STATUSES));
    json_text_uint(to, "4xx", count_of(row, 4, 5));
    json_text_uint(to, "5xx", count_of(row, 5, 6));
}

static void put_route(const struct meter *m, const struct meter_row *row, struct text *to)
{
    text_byte(to, '{');
    json_text_put(to, "name", m->name);
    json_text_put(to, "site", m->site);
    json_text_put(to, "service", m->service);
    put_counts(row, to);
    json_text_uint(to, "bytes_in", row->bytes_in);
    json_text_uint(to, "bytes_out", row->bytes_out);
    put_durations(&row->durations, to);
    text_byte(to, '}');
}

static void put_filter(const struct meter *m, const struct meter_row *row, struct text *to)
{
    text_byte(to, '{');
    json_text_put(to, "name", m->name);
    put_counts(row, to);
    text_byte(to, '}');
}

static struct str state_of(const struct survey_server *s)
{
    return s->is_drained ? STR("drained") : api_server_is_up(s) ? STR("up") : STR("down");
}

static void put_server(const struct survey_service *service, const struct survey_server *s,
                       struct text *to)
{
    text_byte(to, '{');
    json_text_put(to, "service", service->name);
    json_text_put(to, "server", s->url);
    json_text_put(to, "state", state_of(s));
    json_text_uint(to, "requests", s->n_requests);
    json_text_uint(to, "5xx", s->n_failures);
    json_text_uint(to, "connections", s->n_conns);
    text_byte(to, '}');
}

static void put_all(const struct report *r, struct text *to)
{
    const uint64_t *counters = r->status->stats.counters;
    uint64_t refused = counters[HTTP_COUNTER_STATUS_4XX];
    uint64_t failed = counters[HTTP_COUNTER_STATUS_5XX];
    json_text_uint(to, "at_ms", (uint64_t)(r->at_ns / 1000000));
    json_text_uint(to, "gate_started_ms", (uint64_t)(r->process->started_ns / 1000000));
    json_text_uint(to, "connections", counters[HTTP_COUNTER_CONNS_OPEN]);
    json_text_uint(to, "idle", counters[HTTP_COUNTER_CONNS_IDLE]);
    json_text_open(to, "all", '{');
    json_text_uint(to, "requests",
                   counters[HTTP_COUNTER_STATUS_2XX] + counters[HTTP_COUNTER_STATUS_3XX] + refused +
                       failed);
    json_text_uint(to, "4xx", refused);
    json_text_uint(to, "5xx", failed);
    json_text_uint(to, "bytes_in", counters[HTTP_COUNTER_BYTES_IN]);
    json_text_uint(to, "bytes_out", counters[HTTP_COUNTER_BYTES_OUT]);
    put_durations(&r->status->meters.durations, to);
    text_byte(to, '}');
}

static void put_bounds(struct text *to)
{
    static const char *const seconds[] = {
#define X(ns, text) text,
        METRIC_BOUND_LIST(X)
#undef X
    };
    json_text_open(to, "bounds_s", '[');
    for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
        json_text_key(to, NULL);
        text_put(to, str_of(seconds[i]));
    }
    text_byte(to, ']');
}

// The comma before an item that isn't the first of its list.
static void begin_item(struct api_traffic *t, struct text *to)
{
    if (t->n_written++ > 0)
        text_byte(to, ',');
}

static void begin_list(struct api_traffic *t, const char *key, struct text *to)
{
    text_printf(to, "%s\"%s\":[", t->list == API_TRAFFIC_ROUTES ? "," : "],", key);
    t->at = t->n_written = 0;
}

static size_t count_items(const struct report *r, enum api_traffic_list list)
{
    return list == API_TRAFFIC_SERVERS ? r->status->survey->n_services : r->status->meters.n;
}

static void put_item(struct api_traffic *t, const struct report *r, struct text *to)
{
    size_t i = t->at++;
    if (t->list == API_TRAFFIC_SERVERS) {
        const struct survey_service *service = &r->status->survey->services[i];
        for (size_t k = 0; k < service->n_servers; k++) {
            begin_item(t, to);
            put_server(service, &r->status->survey->servers[service->first + k], to);
        }
        return;
    }
    const struct meter *m = meter_at(r, i);
    bool is_filter = m->kind == METER_FILTER;
    if (!row_at(r, i) || is_filter != (t->list == API_TRAFFIC_FILTERS))
        return;
    begin_item(t, to);
    if (is_filter)
        put_filter(m, row_at(r, i), to);
    else
        put_route(m, row_at(r, i), to);
}

bool api_traffic_write(struct api_traffic *t, const struct report *r, struct text *to)
{
    static const char *const keys[] = {[API_TRAFFIC_ROUTES] = "routes",
                                       [API_TRAFFIC_FILTERS] = "filters",
                                       [API_TRAFFIC_SERVERS] = "servers"};
    if (t->list == API_TRAFFIC_ALL) {
        text_byte(to, '{');
        put_all(r, to);
        put_bounds(to);
    } else if (t->at < count_items(r, t->list)) {
        put_item(t, r, to);
        return true;
    }
    if (t->list == API_TRAFFIC_SERVERS) {
        text_put(to, STR("]}"));
        return false;
    }
    t->list++;
    begin_list(t, keys[t->list], to);
    return true;
}
