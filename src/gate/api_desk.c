// SPDX-License-Identifier: Apache-2.0
#include "gate/api_desk.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "gate/api.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/file.h"
#include "rt/log.h"
#include "rt/sys.h"

#define MEM_MAX_BYTES ((size_t)64 << 10)
#define STEP_COST (16 * 1024)
#define PAGE_MAX_BYTES ((size_t)64 << 20) // what commands take

struct question {
    struct api_desk *desk;
    uint64_t seq;
    struct str target; // owns
};

static void answer(const struct question *q, unsigned status, uint64_t next_page, struct str body)
{
    struct gate_page m = {
        .type = GATE_PAGE, .status = status, .seq = q->seq, .next_page = next_page};
    int fd = file_sealed("sallyport page", body);
    if (fd < 0) {
        log_error("can't make a file for an answer of the API: %s", strerror(errno));
        return;
    }
    enum err err = channel_send(q->desk->channel, str_from((const char *)&m, sizeof m), fd);
    if (err != ERR_OK && err != ERR_CLOSED)
        log_error("can't answer the keeper: %s", err_text(err));
    sys_close(fd);
}

static void answer_message(const struct question *q, unsigned status, const char *message)
{
    struct text t = {.ptr = NULL};
    api_put_message(str_of(message), &t);
    answer(q, status, 0, text_str(&t));
    text_fini(&t);
}

// Waits.
static void answer_page(const struct question *q, const struct api_request *asked)
{
    const struct report *report;
    struct text t = {.ptr = NULL};
    const struct deadline until = {clock_now_ms() + INSIGHT_MAX_MS};
    if (insight_ask(q->desk->insight, until, &report) != ERR_OK) {
        answer_message(q, 503, "the gate can't tell now: its workers didn't answer in time");
        return;
    }
    struct api_page *page = api_open(report, asked);
    while (!api_prepare(page))
        fiber_give_way(STEP_COST);
    while (api_write(page, &t) && t.len <= PAGE_MAX_BYTES)
        fiber_give_way(STEP_COST);
    if (t.len <= PAGE_MAX_BYTES)
        answer(q, api_status(page), api_next_page(page), text_str(&t));
    else
        answer_message(q, 503, "the answer is too long: ask for parts of it");
    api_close(page);
    text_fini(&t);
}

static void run(void *arg)
{
    struct question *q = arg;
    struct str path, query;
    struct arena mem;
    struct api_request asked;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    str_cut(q->target, '?', &path, &query);
    enum err err = api_request_parse(path, query, &mem, &asked);
    if (err == ERR_OK)
        answer_page(q, &asked);
    else if (err == ERR_RANGE)
        answer_message(q, 400, "invalid request: page and per_page are numbers from 1");
    else
        answer_message(q, 404, "there is nothing of this path; /api/v1 says what there is");
    arena_fini(&mem);
    q->desk->n--;
    mem_free((void *)(uintptr_t)q->target.ptr);
    mem_free(q);
}

void api_desk_take(struct api_desk *d, const struct gate_api *m)
{
    if (d->n == API_DESK_MAX)
        return;
    size_t n = MIN(m->target_bytes, (uint32_t)sizeof m->target);
    struct question *q = MEM_NEW(struct question);
    *q = (struct question){.desk = d, .seq = m->seq, .target = {mem_copy(m->target, n), n}};
    d->n++;
    if (fiber_start(run, q))
        return;
    d->n--;
    mem_free((void *)(uintptr_t)q->target.ptr);
    mem_free(q);
}
