// SPDX-License-Identifier: Apache-2.0
// Subscribes to events first and lists then, so that nothing falls between; an event says only that
// a container is to be looked at again. What is said of one is always all of it, as it is now.
// Everything is asked without waiting for it: what hangs holds up nothing else.
#include "discover/engine.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "discover/engine_http.h"
#include "discover/engine_json.h"
#include "discover/engine_looks.h"
#include "discover/engine_user.h"
#include "discover/message.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/file.h"

#define LINE_MAX_BYTES ((size_t)1 << 20) // of one event
#define LIST_MAX_BYTES ((size_t)64 << 20)
#define SMALL_MAX_BYTES ((size_t)256 << 10) // of answers to /version and /_ping
#define MEM_MAX_BYTES ((size_t)256 << 20)
#define ORDER_WAIT_MS 10000
#define ANSWER_MS 10000        // for what all depends on
#define SUBSCRIBE_WAIT_MS 2000 // for the head of the answer: some engines send it with an event
#define PING_MS 20000          // of silence: is the engine alive?
#define LIST_AGAIN_MS 1000     // between two lists, whatever events there are

struct engine {
    struct arena order_mem;
    struct docker_conf conf;
    struct engine_http *http;   // owns
    struct engine_looks *looks; // owns
    unsigned api;               // minor number of the version that is spoken
    int64_t clock_s;            // the engine's, when it was asked first
    bool is_agreed;             // on a version
    bool is_subscribed;         // the head of the events' answer has come
    struct text line;           // of events, so far
    bool must_list;             // too many have changed, or what an event says is nonsense
    bool is_list_asked;
    bool is_listing; // it was asked for, and not all of it is told
    bool is_ping_asked;
    int64_t list_at_ms; // not before
    int64_t ping_at_ms;
    unsigned n_beyond;
};

// --- to the keeper ---

static void say(struct message m)
{
    char why[MESSAGE_WHY_MAX_BYTES];
    struct text t = {.ptr = NULL};
    size_t n = MIN(m.why.len, sizeof why);
    for (size_t i = 0; i < n; i++)
        why[i] = m.why.ptr[i] >= ' ' && m.why.ptr[i] <= '~' ? m.why.ptr[i] : '?';
    m.why = str_from(why, n);
    message_pack(&m, &t);
    if (t.len > CHANNEL_MESSAGE_MAX_BYTES) {
        text_fini(&t);
        say((struct message){.kind = MESSAGE_REFUSED,
                             .id = m.container.id,
                             .why = STR("its labels, networks and ports are too much together")});
        return;
    }
    if (channel_send(ENGINE_CHANNEL_FD, text_str(&t), -1) != ERR_OK)
        _exit(0); // nobody listens
    text_fini(&t);
}

PRINTF(1, 2) NORETURN static void give_up(const char *fmt, ...)
{
    char why[MESSAGE_WHY_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    say((struct message){.kind = MESSAGE_TROUBLE, .why = str_of(why)});
    _exit(0);
}

// --- questions ---

static void ask(struct engine *e, const char *path, size_t max_bytes, engine_answer_fn *fn)
{
    const struct engine_limits limits = {.max_bytes = max_bytes, .timeout_ms = ANSWER_MS};
    if (!engine_http_ask(e->http, path, limits, fn, e))
        give_up("no memory");
}

// What all depends on is there, or this is the end.
static struct str expect(const char *path, const struct engine_answer *answer, const char *why)
{
    if (!answer)
        give_up("GET %s: %s", path, why);
    if (answer->status != 200)
        give_up("GET %s: the engine answers %u", path, answer->status);
    return text_str(&answer->body);
}

// Waits for answers and events, or the keeper's end.
static void wait_for(struct engine *e, int64_t until_ms)
{
    int64_t wait_ms = MIN(MAX(until_ms - clock_now_ms(), (int64_t)0), (int64_t)PING_MS);
    if (engine_http_wait(e->http, ENGINE_CHANNEL_FD, wait_ms))
        _exit(0); // there are no further orders: the keeper is gone, or wants another one
}

// --- version ---

static void on_version(void *arg, const struct engine_answer *answer, const char *why)
{
    struct engine *e = arg;
    struct engine_version version;
    struct arena mem;
    char api[16];
    struct str body = expect("/version", answer, why);
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (!engine_json_version(body, &mem, &version, &why))
        give_up("%s", why);
    if (version.api < ENGINE_API_MIN || version.api_oldest > ENGINE_API_MAX)
        give_up("the engine speaks versions 1.%u to 1.%u of the API; 1.%u to 1.%u are understood",
                version.api_oldest, version.api, ENGINE_API_MIN, ENGINE_API_MAX);
    e->api = MIN(version.api, (unsigned)ENGINE_API_MAX);
    e->clock_s = answer->date_s > 0 ? answer->date_s : clock_wall_s();
    e->is_agreed = true;
    snprintf(api, sizeof api, "1.%u", e->api);
    say((struct message){.kind = MESSAGE_HELLO, .engine = version.name, .api = str_of(api)});
    arena_fini(&mem);
}

static void agree_on_version(struct engine *e)
{
    ask(e, "/version", SMALL_MAX_BYTES, on_version);
    while (!e->is_agreed)
        wait_for(e, INT64_MAX);
    e->looks = engine_looks_new(e->http, e->api, say);
}

// --- events ---

static void take_line(struct engine *e, struct str line)
{
    struct arena mem;
    struct engine_event event = {.id = STR_NONE};
    const char *why;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (str_trim(line).len > 0 && !engine_json_event(line, &mem, &event, &why))
        e->must_list = true; // it may have been about anything
    if (event.id.len > 0 && !engine_looks_mark(e->looks, event.id, event.is_early))
        e->must_list = true;
    arena_fini(&mem);
}

static bool on_events(void *arg, struct str rest)
{
    struct engine *e = arg;
    struct str line;
    e->is_subscribed = true;
    while (str_cut(rest, '\n', &line, &rest)) {
        text_put(&e->line, line);
        take_line(e, text_str(&e->line));
        e->line.len = 0;
    }
    text_put(&e->line, line);
    return e->line.len <= LINE_MAX_BYTES;
}

static void on_events_end(void *arg, const struct engine_answer *answer, const char *why)
{
    const struct engine *e = arg;
    if (e->line.len > LINE_MAX_BYTES)
        give_up("an event is larger than %zu MiB", LINE_MAX_BYTES >> 20);
    if (answer)
        give_up("the engine has ended the stream of events");
    give_up("events: %s", why);
}

static void subscribe(struct engine *e)
{
    char path[160];
    // What happened in the second before is told again, which does no harm.
    snprintf(path, sizeof path,
             "/v1.%u/events?since=%lld&filters=%%7B%%22type%%22%%3A%%5B%%22container%%22%%2C"
             "%%22network%%22%%5D%%7D",
             e->api, (long long)e->clock_s - 1);
    if (!engine_http_stream(e->http, path, on_events, on_events_end, e))
        give_up("no memory");
    int64_t due_ms = clock_now_ms() + SUBSCRIBE_WAIT_MS;
    while (!e->is_subscribed && clock_now_ms() < due_ms)
        wait_for(e, due_ms);
}

// --- all of them ---

static void on_list(void *arg, const struct engine_answer *answer, const char *why)
{
    struct engine *e = arg;
    struct engine_ids ids;
    struct arena mem;
    struct str body = expect("/containers/json", answer, why);
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (!engine_json_ids(body, &mem, &ids, &why))
        give_up("%s", why);
    e->n_beyond = (unsigned)ids.n_beyond;
    for (size_t i = 0; i < ids.n; i++)
        e->n_beyond += !engine_looks_mark_listed(e->looks, ids.items[i]);
    e->is_list_asked = false;
    arena_fini(&mem);
}

static void begin_list(struct engine *e)
{
    char path[64];
    snprintf(path, sizeof path, "/v1.%u/containers/json", e->api);
    e->must_list = false;
    e->is_list_asked = e->is_listing = true;
    e->list_at_ms = clock_now_ms() + LIST_AGAIN_MS;
    // What comes while it is made isn't in it, and is told after this.
    say((struct message){.kind = MESSAGE_LISTING});
    ask(e, path, LIST_MAX_BYTES, on_list);
}

// Begins a list where one is due, and ends the one that is told. Returns when to call next.
static int64_t do_lists(struct engine *e)
{
    if (e->is_listing && !e->is_list_asked && engine_looks_n_listed(e->looks) == 0) {
        e->is_listing = false;
        say((struct message){.kind = MESSAGE_SYNCED, .n_beyond = e->n_beyond});
    }
    if (!e->must_list || e->is_listing)
        return INT64_MAX;
    if (clock_now_ms() < e->list_at_ms)
        return e->list_at_ms;
    begin_list(e);
    return INT64_MAX;
}

// --- is it alive? ---

static void on_pong(void *arg, const struct engine_answer *answer, const char *why)
{
    struct engine *e = arg;
    (void)expect("/_ping", answer, why);
    e->is_ping_asked = false;
    e->ping_at_ms = clock_now_ms() + PING_MS;
}

static int64_t do_pings(struct engine *e)
{
    if (e->is_ping_asked)
        return INT64_MAX;
    if (clock_now_ms() < e->ping_at_ms)
        return e->ping_at_ms;
    e->is_ping_asked = true;
    ask(e, "/_ping", SMALL_MAX_BYTES, on_pong);
    return INT64_MAX;
}

// --- the process ---

static bool take_order(struct engine *e, struct message_order *ret)
{
    char byte;
    size_t len;
    int fd = -1;
    struct str bytes;
    struct pollfd channel = {.fd = ENGINE_CHANNEL_FD, .events = POLLIN};
    poll(&channel, 1, ORDER_WAIT_MS);
    if (channel_receive(ENGINE_CHANNEL_FD, &byte, sizeof byte, &len, &fd) != IO_DONE || fd < 0 ||
        !file_map_sealed(fd, &bytes))
        return false;
    close(fd);
    // The mapping stays: texts borrow from it.
    return message_unpack_order(bytes, &e->order_mem, ret) &&
           conf_read(&docker_section, ret->docker, NULL, &e->order_mem, NULL, &e->conf) == ERR_OK;
}

static void enter_sandbox(const struct message_order *order)
{
    struct sandbox_report report;
    char text[SANDBOX_TEXT_BYTES];
    sandbox_enter(order->sandbox, &report);
    if (order->sandbox == SANDBOX_REQUIRE && report.n_missing > 0)
        give_up("'sandbox: require' can't be had here: %s", sandbox_missing(&report, text));
}

NORETURN static void run(struct engine *e)
{
    agree_on_version(e);
    subscribe(e);
    e->must_list = true;
    e->ping_at_ms = clock_now_ms() + PING_MS;
    for (;;) {
        int64_t looks_ms = engine_looks_begin(e->looks);
        int64_t lists_ms = do_lists(e);
        wait_for(e, MIN(MIN(looks_ms, lists_ms), do_pings(e)));
    }
}

int engine_main(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN); // the keeper decides, by closing the channel
    prctl(PR_SET_NAME, "sallyport");
    struct engine e = {.api = 0};
    struct message_order order;
    const char *why = "";
    arena_init(&e.order_mem, MEM_MAX_BYTES, NULL, 0);
    if (!take_order(&e, &order))
        return 1;
    curl_global_init(CURL_GLOBAL_DEFAULT); // opens files of OpenSSL's, while they can be
    e.http = engine_http_new(&e.conf, &why);
    if (!e.http)
        give_up(STR_FMT ": %s", STR_ARG(e.conf.endpoint.text), why);
    if (!engine_user_change(&e.conf, order.user, &why))
        give_up("the process can't become user '" STR_FMT "' (setting 'user'): %s",
                STR_ARG(order.user), why);
    enter_sandbox(&order);
    run(&e);
}
