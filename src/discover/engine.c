// SPDX-License-Identifier: Apache-2.0
// Subscribes to events first and lists then, so that nothing falls between; an event says only that
// a container is to be looked at again. What is said of one is always all of it, as it is now.
#include "discover/engine.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "discover/engine_http.h"
#include "discover/engine_json.h"
#include "discover/engine_user.h"
#include "discover/message.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/file.h"

#define LINE_MAX_BYTES ((size_t)1 << 20) // of one event
#define MEM_MAX_BYTES ((size_t)256 << 20)
#define ORDER_WAIT_MS 10000
#define SUBSCRIBE_WAIT_MS 2000 // for the head of the answer: some engines send it with an event
#define PING_MS 20000          // of silence: is the engine alive?
#define RETRY_MS 1000          // after an answer that makes no sense
#define EVENTS_EVERY 16        // containers looked at between two looks at events

struct engine {
    struct arena order_mem;
    struct docker_conf conf;
    struct engine_http *http; // owns
    CURLM *multi;             // owns
    CURL *events;             // owns
    unsigned api;             // minor number of the version that is spoken
    int64_t clock_s;          // the engine's, when it was asked first
    bool is_subscribed;       // the head of the events' answer has come
    struct text line;         // of events, so far
    struct arena dirty_mem;
    struct map dirty; // ids of containers to look at; keys in dirty_mem
    bool must_list;   // too many of them, or what an event says is nonsense
    int64_t retry_at_ms;
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

// --- events ---

static void mark(struct engine *e, struct str id)
{
    if (map_get(&e->dirty, id))
        return;
    struct str own = e->dirty.n < CONTAINERS_MAX ? arena_dup(&e->dirty_mem, id) : STR_NONE;
    if (own.ptr)
        map_set(&e->dirty, own, e);
    else
        e->must_list = true;
}

static void take_line(struct engine *e, struct str line)
{
    struct arena mem;
    struct str id = STR_NONE;
    const char *why;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (str_trim(line).len > 0 && !engine_json_event(line, &mem, &id, &why))
        e->must_list = true; // it may have been about anything
    if (id.len > 0)
        mark(e, id);
    arena_fini(&mem);
}

static size_t on_events(char *bytes, size_t size, size_t n, void *arg)
{
    struct engine *e = arg;
    struct str rest = str_from(bytes, size * n), line;
    e->is_subscribed = true;
    while (str_cut(rest, '\n', &line, &rest)) {
        text_put(&e->line, line);
        take_line(e, text_str(&e->line));
        e->line.len = 0;
    }
    text_put(&e->line, line);
    return e->line.len <= LINE_MAX_BYTES ? size * n : 0;
}

static size_t on_events_head(char *bytes, size_t size, size_t n, void *arg)
{
    struct engine *e = arg;
    e->is_subscribed = e->is_subscribed || str_starts(str_from(bytes, size * n), STR("\r\n"));
    return size * n;
}

// Takes what has come of events.
static void pump(struct engine *e)
{
    int n_running, n_left;
    curl_multi_perform(e->multi, &n_running);
    const CURLMsg *m = curl_multi_info_read(e->multi, &n_left);
    if (!m || m->msg != CURLMSG_DONE)
        return;
    if (e->line.len > LINE_MAX_BYTES)
        give_up("an event is larger than %zu bytes", LINE_MAX_BYTES);
    if (m->data.result == CURLE_OK)
        give_up("the engine has ended the stream of events");
    give_up("events: %s", curl_easy_strerror(m->data.result));
}

// Waits for events, or the keeper's end.
static void wait_for_events(struct engine *e, int64_t wait_ms)
{
    int n_ready;
    struct curl_waitfd channel = {.fd = ENGINE_CHANNEL_FD, .events = CURL_WAIT_POLLIN};
    curl_multi_poll(e->multi, &channel, 1, (int)wait_ms, &n_ready);
    if (channel.revents)
        _exit(0); // there are no further orders: the keeper is gone, or wants another one
    pump(e);
}

static void subscribe(struct engine *e)
{
    char path[160];
    // What happened in the second before is told again, which does no harm.
    snprintf(path, sizeof path,
             "/v1.%u/events?since=%lld&filters=%%7B%%22type%%22%%3A%%5B%%22container%%22%%2C"
             "%%22network%%22%%5D%%7D",
             e->api, (long long)e->clock_s - 1);
    e->events = engine_http_stream(e->http, path, on_events, e);
    if (!e->events)
        give_up("no memory");
    curl_easy_setopt(e->events, CURLOPT_HEADERFUNCTION, on_events_head);
    curl_easy_setopt(e->events, CURLOPT_HEADERDATA, e);
    curl_multi_add_handle(e->multi, e->events);
    int64_t due_ms = clock_now_ms() + SUBSCRIBE_WAIT_MS;
    pump(e);
    while (!e->is_subscribed && clock_now_ms() < due_ms)
        wait_for_events(e, due_ms - clock_now_ms());
}

// --- questions ---

static void ask(struct engine *e, const char *path, struct engine_answer *ret)
{
    const char *why;
    if (!engine_http_get(e->http, path, ret, &why))
        give_up("GET %s: %s", path, why);
}

// The same, and anything but 200 is the end.
static void ask_for(struct engine *e, const char *path, struct engine_answer *ret)
{
    ask(e, path, ret);
    if (ret->status != 200)
        give_up("GET %s: the engine answers %u", path, ret->status);
}

static void agree_on_version(struct engine *e)
{
    struct engine_answer answer;
    struct engine_version version;
    struct arena mem;
    char api[16];
    const char *why;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    ask_for(e, "/version", &answer);
    if (!engine_json_version(text_str(&answer.body), &mem, &version, &why))
        give_up("%s", why);
    if (version.api < ENGINE_API_MIN || version.api_oldest > ENGINE_API_MAX)
        give_up("the engine speaks versions 1.%u to 1.%u of the API; 1.%u to 1.%u are understood",
                version.api_oldest, version.api, ENGINE_API_MIN, ENGINE_API_MAX);
    e->api = MIN(version.api, (unsigned)ENGINE_API_MAX);
    e->clock_s = answer.date_s > 0 ? answer.date_s : clock_wall_s();
    snprintf(api, sizeof api, "1.%u", e->api);
    say((struct message){.kind = MESSAGE_HELLO, .engine = version.name, .api = str_of(api)});
    engine_answer_fini(&answer);
    arena_fini(&mem);
}

// Tells how a container is now.
static void look_at(struct engine *e, struct str id)
{
    char path[CONTAINER_ID_MAX_BYTES + 64];
    struct engine_answer answer;
    struct message m = {.kind = MESSAGE_GONE, .id = id};
    struct arena mem;
    const char *why = "";
    snprintf(path, sizeof path, "/v1.%u/containers/" STR_FMT "/json", e->api, STR_ARG(id));
    ask(e, path, &answer);
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (answer.status == 200) {
        bool is_fine = engine_json_container(text_str(&answer.body), &mem, &m.container, &why) &&
                       str_eq(m.container.id, id);
        m.kind = is_fine ? MESSAGE_CONTAINER : MESSAGE_REFUSED;
        m.why = str_of(*why ? why : "the engine tells of another one");
    }
    if (answer.status == 200 || answer.status == 404)
        say(m);
    else if (e->retry_at_ms == 0) // what is known of it stays
        e->retry_at_ms = clock_now_ms() + RETRY_MS;
    engine_answer_fini(&answer);
    arena_fini(&mem);
}

static void look_at_marked(struct engine *e)
{
    struct map dirty = e->dirty;
    struct arena mem = e->dirty_mem;
    size_t n = 0;
    e->dirty = (struct map){.n = 0}; // what changes meanwhile is looked at again
    arena_init(&e->dirty_mem, MEM_MAX_BYTES, NULL, 0);
    MAP_FOR(item, &dirty)
    {
        look_at(e, item->key);
        if (++n % EVENTS_EVERY == 0)
            pump(e);
    }
    map_fini(&dirty);
    arena_fini(&mem);
}

static void list(struct engine *e)
{
    char path[64];
    struct engine_answer answer;
    struct engine_ids ids;
    struct arena mem;
    const char *why;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    snprintf(path, sizeof path, "/v1.%u/containers/json", e->api);
    e->must_list = false;
    ask_for(e, path, &answer);
    if (!engine_json_ids(text_str(&answer.body), &mem, &ids, &why))
        give_up("%s", why);
    engine_answer_fini(&answer);
    say((struct message){.kind = MESSAGE_LISTING});
    for (size_t i = 0; i < ids.n; i++)
        mark(e, ids.items[i]);
    look_at_marked(e);
    say((struct message){.kind = MESSAGE_SYNCED, .n_beyond = (unsigned)ids.n_beyond});
    arena_fini(&mem);
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

static void run(struct engine *e)
{
    agree_on_version(e);
    subscribe(e);
    list(e);
    for (int64_t ping_at_ms = clock_now_ms() + PING_MS;;) {
        int64_t now_ms = clock_now_ms();
        int64_t due_ms = e->retry_at_ms > 0 ? MIN(e->retry_at_ms, ping_at_ms) : ping_at_ms;
        wait_for_events(e, MAX(due_ms - now_ms, (int64_t)0));
        now_ms = clock_now_ms();
        if (e->must_list || (e->retry_at_ms > 0 && now_ms >= e->retry_at_ms)) {
            e->retry_at_ms = 0;
            list(e);
        }
        look_at_marked(e);
        if (now_ms < ping_at_ms)
            continue;
        struct engine_answer answer;
        ask_for(e, "/_ping", &answer);
        engine_answer_fini(&answer);
        ping_at_ms = now_ms + PING_MS;
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
    arena_init(&e.dirty_mem, MEM_MAX_BYTES, NULL, 0);
    if (!take_order(&e, &order))
        return 1;
    curl_global_init(CURL_GLOBAL_DEFAULT); // opens files of OpenSSL's, while they can be
    e.multi = curl_multi_init();
    e.http = engine_http_new(&e.conf, &why);
    if (!e.multi || !e.http)
        give_up(STR_FMT ": %s", STR_ARG(e.conf.endpoint.text), why);
    if (!engine_user_change(&e.conf, order.user, &why))
        give_up("the process can't become user '" STR_FMT "' (setting 'user'): %s",
                STR_ARG(order.user), why);
    enter_sandbox(&order);
    run(&e);
    return 0;
}
