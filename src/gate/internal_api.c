// SPDX-License-Identifier: Apache-2.0
// api@internal: what runs, as JSON (docs/guide/api.md).
#include "gate/api.h"
#include "gate/insight.h"
#include "gate/internal.h"
#include "gate/slices.h"
#include "gate/worker.h"
#include "http/exchange.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define JSON STR("application/json")
#define STEP_COST (16 * 1024) // of one piece of looking for what is asked, as fiber_give_way counts

static bool write_piece(void *arg, struct text *to)
{
    return api_write(arg, to);
}

static void fini(void *arg)
{
    api_close(arg);
}

// A short answer that is in x->mem.
static enum err respond(struct exchange *x, unsigned status, struct str type, struct str body)
{
    enum err err = exchange_respond(x, status, type, body);
    return err != ERR_OK ? err
                         : headers_add(&x->resp.headers, FIELD_CACHE_CONTROL, STR("no-store"));
}

static enum err respond_message(struct exchange *x, unsigned status, const char *message)
{
    struct text t = {.ptr = NULL};
    api_put_message(str_of(message), &t);
    struct str body = arena_dup(x->mem, text_str(&t));
    text_fini(&t);
    return body.ptr ? respond(x, status, JSON, body) : ERR_LIMIT;
}

static enum err respond_failure(struct exchange *x, struct api_page *p)
{
    struct text t = {.ptr = NULL};
    unsigned status = api_status(p);
    (void)api_write(p, &t);
    struct str body = arena_dup(x->mem, text_str(&t));
    text_fini(&t);
    api_close(p);
    return body.ptr ? respond(x, status, JSON, body) : ERR_LIMIT;
}

static enum err respond_page(struct exchange *x, struct api_page *p)
{
    const struct slices_source source = {.write = write_piece, .fini = fini, .arg = p};
    uint64_t next = api_next_page(p);
    enum err err = slices_respond(x, JSON, &source);
    if (err == ERR_OK && next > 0)
        err = headers_add_named(&x->resp.headers, STR("X-Next-Page"),
                                arena_printf(x->mem, "%llu", (unsigned long long)next));
    return err;
}

// Waits. ERR_OK: x has an answer; ERR_LIMIT: there is no memory for one; ERR_CANCELLED.
static enum err answer(const struct handler *h, struct exchange *x, const struct api_request *asked)
{
    const struct report *report;
    const struct deadline until = {clock_now_ms() + INSIGHT_MAX_MS};
    enum err err = insight_ask(worker_insight(x->env), until, &report);
    if (err == ERR_CANCELLED)
        return err;
    if (err != ERR_OK) {
        internal_fail(h, x,
                      err == ERR_TIMEOUT ? "the workers didn't answer in time"
                                         : "too many ask at once");
        return ERR_OK;
    }
    struct api_page *page = api_open(report, asked);
    while (!api_prepare(page))
        fiber_give_way(STEP_COST);
    return api_status(page) == 200 ? respond_page(x, page) : respond_failure(x, page);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    struct api_request asked;
    if (!internal_is_read(h, x))
        return ERR_OK;
    trail_add(&x->trail, h->name, "asked", x->req.path);
    enum err err = api_request_parse(x->req.path, x->req.query, x->mem, &asked);
    if (err == ERR_NOT_FOUND)
        err = respond_message(x, 404, "there is nothing of this path; /api/v1 says what there is");
    else if (err == ERR_RANGE)
        err = respond_message(x, 400, "invalid request: page and per_page are numbers from 1");
    else if (err == ERR_OK && asked.view == API_PING)
        err = respond(x, 200, STR("text/plain; charset=utf-8"), STR("OK"));
    else if (err == ERR_OK)
        err = answer(h, x, &asked);
    if (err != ERR_LIMIT)
        return err;
    internal_fail(h, x, "the memory of the exchange is used up");
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    struct api_request asked;
    (void)h;
    if (api_request_parse(x->req.path, x->req.query, x->mem, &asked) != ERR_OK)
        return STR("answers 404 or 400: /api/v1 says what there is");
    return arena_printf(x->mem, "answers with what is at " STR_FMT,
                        STR_ARG(api_view_path(asked.view)));
}

static const struct handler_type type = {
    .name = "api@internal", .serve = serve, .explain = explain};

const struct internal_type internal_api = {
    .handler = {.type = &type, .name = STR_INIT("api@internal")},
    .doc = "what runs, as JSON: sites, routes, filters, services with their servers, certificates, "
           "requests that went wrong; also in the form of Traefik's API",
    .is_private = true,
};
