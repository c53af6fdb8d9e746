// SPDX-License-Identifier: Apache-2.0
#include "keeper/providers.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "discover/labels.h"
#include "discover/reach.h"
#include "gate/protocol.h"
#include "keeper/keeper_priv.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/log.h"

#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 15000
#define JOIN_MS 60 // changes that follow each other so closely are one
#define JOIN_LISTED_MS 250
#define REST_MAX_MS 300  // between two loads, when they take long: half of the time, at most
#define REST_TIMES 2     // as long as the last one took
#define MESSAGES_MAX 256 // of one look: the keeper has others to listen to
#define FILE_MAX_BYTES ((size_t)1 << 20)
#define MEM_MAX_BYTES ((size_t)16 << 20)

// --- where am I ---

static struct str read_text(const char *path, struct arena *mem)
{
    struct str text;
    const char *why;
    return file_read(path, FILE_MAX_BYTES, mem, &text, &why) == ERR_OK ? text : STR_NONE;
}

void providers_init(struct providers *p)
{
    struct arena mem;
    char host[256] = "";
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    (void)!gethostname(host, sizeof host - 1);
    *p = (struct providers){.state = PROVIDERS_OFF, .child = {.channel = -1}};
    containers_init(&p->containers,
                    reach_own_id(read_text("/proc/self/cgroup", &mem),
                                 read_text("/proc/self/mountinfo", &mem), str_of(host)));
    arena_fini(&mem);
}

// --- the process ---

static void enter(struct providers *p, enum providers_state state)
{
    p->state = state;
    p->since_ns = clock_wall_ns();
}

static void hang_up(struct providers *p)
{
    child_hang_up(&p->child);
    child_kill(&p->child); // SIGCHLD tells its end
}

static void plan_restart(struct providers *p)
{
    p->backoff_ms = MIN(MAX(p->backoff_ms * 2, (int64_t)BACKOFF_MIN_MS), (int64_t)BACKOFF_MAX_MS);
    p->restart_at_ms = clock_now_ms() + p->backoff_ms;
}

// The engine is away, for this reason. It is told once.
static void go_away(struct providers *p, const char *why)
{
    bool is_new = p->state != PROVIDERS_AWAY || strcmp(p->why, why) != 0;
    snprintf(p->why, sizeof p->why, "%s", why);
    if (p->state != PROVIDERS_AWAY)
        enter(p, PROVIDERS_AWAY);
    p->containers.is_listing = false;
    hang_up(p);
    plan_restart(p);
    if (is_new)
        log_warn("docker: %s; what is known of containers stays in force, and the engine is tried "
                 "again",
                 p->why);
}

static void start(struct providers *p)
{
    p->restart_at_ms = 0;
    if (p->child.pid > 0)
        return; // the last one's end is awaited
    int fd = file_sealed("sallyport engine", text_str(&p->order));
    if (fd < 0 || !child_start(&p->child, "engine")) {
        go_away(p, strerrordesc_np(errno));
    } else {
        if (p->state != PROVIDERS_AWAY)
            enter(p, PROVIDERS_ASKING);
        if (child_send(&p->child, "", 1, fd) != ERR_OK)
            go_away(p, "the process that speaks with the engine takes no order");
    }
    if (fd >= 0)
        close(fd);
}

void providers_pause(struct providers *p)
{
    hang_up(p);
    if (p->child.pid > 0)
        (void)waitpid(p->child.pid, NULL, 0); // it was killed
    p->child.pid = 0;
}

int providers_pack(const struct providers *p)
{
    struct text bytes = {.ptr = NULL};
    if (p->containers.n == 0)
        return -1;
    containers_pack(&p->containers, &bytes);
    int fd = file_sealed("sallyport containers", text_str(&bytes));
    text_wipe(&bytes); // labels may have hashes of passwords
    return fd;
}

void providers_adopt(struct providers *p, int fd)
{
    struct str bytes;
    if (!file_map_sealed(fd, &bytes))
        return;
    containers_unpack(&p->containers, bytes);
    file_unmap(bytes);
}

void providers_off(struct providers *p)
{
    if (p->state == PROVIDERS_OFF && p->containers.n == 0)
        return;
    struct str own_id = p->containers.own_id;
    if (p->state != PROVIDERS_OFF)
        log_info("docker: containers aren't looked at any more");
    hang_up(p);
    p->containers.own_id = STR_NONE;
    containers_fini(&p->containers);
    containers_init(&p->containers, own_id);
    mem_free((void *)(uintptr_t)own_id.ptr);
    p->restart_at_ms = p->changed_at_ms = 0;
    p->order.len = 0;
    enter(p, PROVIDERS_OFF);
}

void providers_fini(struct providers *p)
{
    hang_up(p);
    containers_fini(&p->containers);
    text_wipe(&p->order);
    text_fini(&p->told);
    checked_fini(&p->checked);
    mem_free((void *)(uintptr_t)p->endpoint.ptr);
    json_decref(p->problems);
}

// --- what it says ---

static void synced(struct providers *p, unsigned n_beyond)
{
    bool was_away = p->state == PROVIDERS_AWAY || p->state == PROVIDERS_ASKING;
    enter(p, PROVIDERS_FOLLOWING);
    p->backoff_ms = 0;
    p->why[0] = '\0';
    p->n_beyond = n_beyond;
    if (was_away)
        log_info("docker: %s (API %s): containers: %zu, with labels for us: %zu", p->engine, p->api,
                 p->containers.n, containers_n_labelled(&p->containers));
    if (n_beyond > 0)
        log_warn("docker: %u containers beyond %d aren't looked at", n_beyond, CONTAINERS_MAX);
}

static void take(struct providers *p, struct str bytes)
{
    struct arena mem;
    struct message m;
    arena_init(&mem, MEM_MAX_BYTES, NULL, 0);
    if (!message_unpack(bytes, &mem, &m)) {
        go_away(p, "the process that speaks with the engine has said something senseless");
        arena_fini(&mem);
        return;
    }
    if (containers_take(&p->containers, &m, bytes, clock_now_ms()) && p->changed_at_ms == 0)
        p->changed_at_ms = MAX(clock_now_ms(), (int64_t)1);
    if (m.kind == MESSAGE_HELLO) {
        snprintf(p->engine, sizeof p->engine, STR_FMT, STR_ARG(m.engine));
        snprintf(p->api, sizeof p->api, STR_FMT, STR_ARG(m.api));
    } else if (m.kind == MESSAGE_REFUSED || m.kind == MESSAGE_KEPT) {
        log_warn("docker: container " STR_FMT ": " STR_FMT, STR_ARG(str_first(m.id, 12)),
                 STR_ARG(m.why));
    } else if (m.kind == MESSAGE_SYNCED) {
        synced(p, m.n_beyond);
    } else if (m.kind == MESSAGE_TROUBLE) {
        char why[MESSAGE_WHY_MAX_BYTES + 1];
        snprintf(why, sizeof why, STR_FMT, STR_ARG(m.why));
        go_away(p, why);
    }
    arena_fini(&mem);
}

int providers_fd(const struct providers *p)
{
    return p->child.channel;
}

void providers_look(struct providers *p)
{
    static char buf[CHANNEL_MESSAGE_MAX_BYTES];
    for (unsigned i = 0; i < MESSAGES_MAX && p->child.channel >= 0; i++) {
        size_t len;
        int fd = -1;
        enum io io = channel_receive(p->child.channel, buf, sizeof buf, &len, &fd);
        if (fd >= 0)
            close(fd); // nothing that it should send
        if (io == IO_AGAIN)
            return;
        if (io == IO_DONE)
            take(p, str_from(buf, len));
        else
            go_away(p, "the process that speaks with the engine has ended");
    }
}

void providers_ended(struct providers *p)
{
    p->child.pid = 0;  // it has been waited for
    providers_look(p); // what it said last, which may be why
    bool is_early = p->child.channel >= 0;
    child_hang_up(&p->child);
    if (is_early && p->state != PROVIDERS_OFF)
        go_away(p, "the process that speaks with the engine has ended");
}

// --- settings ---

static void wait_for_all(struct providers *p)
{
    int64_t due_ms = clock_now_ms() + PROVIDERS_WAIT_MS;
    while (p->state == PROVIDERS_ASKING && clock_now_ms() < due_ms) {
        struct pollfd fd = {.fd = p->child.channel, .events = POLLIN};
        if (poll(&fd, 1, (int)(due_ms - clock_now_ms())) > 0)
            providers_look(p);
    }
    if (p->state == PROVIDERS_ASKING)
        log_warn("docker: the engine hasn't told of all containers in %d s: their sites come later",
                 PROVIDERS_WAIT_MS / 1000);
}

bool providers_find(void *arg, const struct settings *settings, const struct conf_node *docker,
                    struct arena *mem, struct found *ret)
{
    struct providers *p = arg;
    const struct docker_conf *conf = &settings->providers.docker;
    struct text order = {.ptr = NULL};
    bool is_first = p->state == PROVIDERS_OFF;
    message_pack_order(docker, settings->user.text, (enum sandbox_mode)settings->sandbox, &order);
    p->linger_ms = conf->linger_ms;
    if (!str_eq(text_str(&order), text_str(&p->order))) {
        text_wipe(&p->order);
        p->order = order;
        mem_free((void *)(uintptr_t)p->endpoint.ptr);
        struct str endpoint = conf->endpoint.text;
        p->endpoint = str_from(mem_copy(endpoint.ptr, endpoint.len), endpoint.len);
        hang_up(p);
        p->backoff_ms = 0;
        enter(p, PROVIDERS_ASKING);
        start(p); // or when the last one has ended
        if (is_first && p->containers.n == 0)
            wait_for_all(p);
    } else {
        text_wipe(&order);
    }
    struct reach reach = {.network = conf->network.text};
    reach.all = containers_list(&p->containers, mem, &reach.n);
    reach.self = containers_self(&p->containers, reach.all, reach.n);
    *ret = (struct found){.reach = reach,
                          .exposed_by_default = conf->exposed_by_default,
                          .constraints = conf->constraints};
    providers_taken(p);
    return true;
}

void providers_taken(struct providers *p)
{
    p->changed_at_ms = 0;
}

void providers_rest(struct providers *p, int64_t took_ms)
{
    p->rest_until_ms = clock_now_ms() + MIN(took_ms * REST_TIMES, (int64_t)REST_MAX_MS);
}

bool providers_do_what_is_due(struct providers *p, int64_t now_ms, int64_t *next_ms)
{
    if (p->state == PROVIDERS_OFF)
        return false;
    if (containers_forget(&p->containers, p->linger_ms, now_ms, next_ms) && p->changed_at_ms == 0)
        p->changed_at_ms = MAX(now_ms, (int64_t)1);
    if (p->child.pid == 0) {
        if (now_ms >= p->restart_at_ms)
            start(p);
        else
            *next_ms = MIN(*next_ms, p->restart_at_ms);
    }
    if (p->changed_at_ms == 0)
        return false;
    // While all are being told of, one load at the end is enough; unless that takes long.
    int64_t join_ms = p->containers.is_listing ? JOIN_LISTED_MS : JOIN_MS;
    int64_t due_ms = MAX(p->changed_at_ms + join_ms, p->rest_until_ms);
    if (now_ms < due_ms) {
        *next_ms = MIN(*next_ms, due_ms);
        return false;
    }
    return true;
}

// --- for people ---

static json_t *problem_json(const struct diag *d)
{
    const char *source = d->place.source ? d->place.source : "";
    return json_pack(
        "{s:s, s:o, s:o, s:o}", "severity", d->severity == DIAG_ERROR ? "error" : "warning",
        "source", report_text(str_of(source)), "container",
        report_text(labels_container_of(source)), "text", report_text(str_of(d->text)));
}

static bool has_line(struct str text, struct str line)
{
    struct str one;
    while (text.len > 0) {
        str_cut(text, '\n', &one, &text);
        if (str_eq(one, line))
            return true;
    }
    return false;
}

void providers_tell(struct providers *p, const struct diags *told)
{
    struct text lines = {.ptr = NULL};
    json_decref(p->problems);
    p->problems = json_array();
    for (size_t i = 0; i < told->n; i++) {
        char buf[2048];
        struct str line = diag_text(&told->items[i], buf, sizeof buf);
        if (!has_line(text_str(&p->told), line))
            log_line(told->items[i].severity == DIAG_ERROR ? LOG_ERROR : LOG_WARN, STR_FMT,
                     STR_ARG(line));
        text_put(&lines, line);
        text_byte(&lines, '\n');
        json_array_append_new(p->problems, problem_json(&told->items[i]));
    }
    text_fini(&p->told);
    p->told = lines;
}

static void add_refused(void *arg, struct str id, struct str why)
{
    json_array_append_new(arg, json_pack("{s:s, s:o, s:o, s:o}", "severity", "error", "source",
                                         report_text(STR("docker")), "container",
                                         report_text(str_first(id, 12)), "text", report_text(why)));
}

json_t *providers_report(const struct providers *p)
{
    static const char *const names[] = {
        [PROVIDERS_OFF] = "off",
        [PROVIDERS_ASKING] = "asking",
        [PROVIDERS_FOLLOWING] = "following",
        [PROVIDERS_AWAY] = "away",
    };
    if (p->state == PROVIDERS_OFF)
        return json_null();
    json_t *problems = p->problems ? json_copy(p->problems) : json_array();
    containers_each_refused(&p->containers, add_refused, problems);
    json_t *docker = json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "endpoint", report_text(p->endpoint),
        "state", names[p->state], "since", report_time(p->since_ns), "engine",
        report_text(str_of(p->engine)), "api", report_text(str_of(p->api)), "error",
        p->why[0] ? report_text(str_of(p->why)) : json_null(), "containers",
        (json_int_t)p->containers.n, "labelled", (json_int_t)containers_n_labelled(&p->containers),
        "beyond", (json_int_t)p->n_beyond, "problems", problems);
    return json_pack("{s:o}", "docker", docker);
}
