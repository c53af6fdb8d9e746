// SPDX-License-Identifier: Apache-2.0
// metrics@internal: numbers for Prometheus and whoever reads its formats.
#include "base/mem.h"
#include "filter/pack_body.h"
#include "gate/insight.h"
#include "gate/internal.h"
#include "gate/metrics.h"
#include "gate/slices.h"
#include "gate/snapshot.h"
#include "gate/worker.h"
#include "rt/clock.h"

#define PACK_LEVEL 4
#define PACK_LIMIT_BYTES                                                                           \
    ((size_t)64 << 20) // for all packing of the worker: as the filter's default

static bool write_piece(void *arg, struct text *to)
{
    struct metrics_writer *w = arg;
    w->out.to = to;
    return metrics_write(w);
}

static void end(void *arg)
{
    struct metrics_writer *w = arg;
    report_unref(w->report);
    mem_free(w);
}

static bool takes_gzip(const struct exchange *x)
{
    static const enum coding ours[] = {CODING_GZIP};
    struct coding_accept a;
    const struct headers *h = &x->req.headers;
    coding_accept_init(&a);
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f))
        if (f->id == FIELD_ACCEPT_ENCODING && !coding_accept_add(&a, f->value))
            return false;
    coding_accept_end(&a);
    return coding_choose(&a, ours, ARRAY_LEN(ours)) == CODING_GZIP;
}

// Without memory for packing it goes out as it is.
static enum err pack(struct exchange *x)
{
    if (headers_add(&x->resp.headers, FIELD_VARY, STR("Accept, Accept-Encoding")) != ERR_OK)
        return ERR_LIMIT;
    if (!takes_gzip(x) || x->req.method_id == METHOD_HEAD ||
        pack_body_wrap(x, CODING_GZIP, PACK_LEVEL, PACK_LIMIT_BYTES) != PACK_BEGUN)
        return ERR_OK;
    return headers_add(&x->resp.headers, FIELD_CONTENT_ENCODING, STR("gzip"));
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct snapshot *s = x->snapshot;
    const struct report *r = NULL;
    if (!internal_is_read(h, x))
        return ERR_OK;
    enum err err = insight_ask(worker_insight(x->env), deadline_in(INSIGHT_MAX_MS), &r);
    if (err == ERR_CANCELLED)
        return err;
    if (err != ERR_OK) {
        internal_fail(h, x, err == ERR_TIMEOUT ? "a worker hangs" : "too many ask");
        return ERR_OK;
    }
    enum exposition_form form = exposition_choose(headers_get(&x->req.headers, FIELD_ACCEPT));
    struct metrics_writer *w = MEM_NEW(struct metrics_writer);
    *w = (struct metrics_writer){.out = {.form = form},
                                 .report = r,
                                 .has_durations =
                                     s->settings.metrics.durations == METRICS_DURATIONS_ROUTE};
    trail_add(&x->trail, h->name, "answered", STR_NONE);
    if (slices_respond(x, exposition_content_type(form),
                       &(struct slices_source){.write = write_piece, .fini = end, .arg = w}) !=
            ERR_OK ||
        pack(x) != ERR_OK)
        internal_fail(h, x, "the memory of the exchange is used up");
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    struct str accept = headers_get(&x->req.headers, FIELD_ACCEPT);
    (void)h;
    return exposition_choose(accept) == EXPOSITION_OPENMETRICS
               ? STR("answers with metrics as OpenMetrics")
               : STR("answers with metrics in Prometheus' text format");
}

static const struct handler_type type = {
    .name = "metrics@internal", .serve = serve, .explain = explain};

const struct internal_type internal_metrics = {
    .handler = {.type = &type, .name = STR_INIT("metrics@internal")},
    .doc = "numbers for Prometheus, as text or OpenMetrics: see [Metrics](metrics.md)",
    .is_private = true,
};
