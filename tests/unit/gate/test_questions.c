// SPDX-License-Identifier: Apache-2.0
// Plays the keeper of a real gate. To be run under ThreadSanitizer, too.
#include "gate/questions.h"

#include <jansson.h>
#include <poll.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "gate/gate.h"
#include "gate/protocol.h"
#include "rt/channel.h"
#include "rt/file.h"
#include "unit/rt/rt_test.h"

struct rig {
    pid_t pid;
    int channel;
    struct rt_addr addr; // where it listens
};

static void rig_init(struct rig *r)
{
    int ends[2];
    fflush(stdout);
    if (!channel_pair(ends))
        abort();
    r->pid = fork();
    if (r->pid == 0) {
        if (ends[1] == GATE_CHANNEL_FD ? fcntl(ends[1], F_SETFD, 0) < 0
                                       : dup2(ends[1], GATE_CHANNEL_FD) < 0)
            _exit(1);
        _exit(gate_main());
    }
    close(ends[1]);
    r->channel = ends[0];
}

static void rig_fini(struct rig *r)
{
    int status = -1;
    close(r->channel); // the gate leaves without its keeper
    CHECK(waitpid(r->pid, &status, 0) == r->pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void tell(struct rig *r, const void *message, size_t n, int fd)
{
    CHECK(channel_send(r->channel, str_from(message, n), fd) == ERR_OK);
    if (fd >= 0)
        close(fd);
}

static void ask(struct rig *r, enum gate_message type, uint64_t seq)
{
    struct gate_question m = {.type = type, .seq = seq};
    tell(r, &m, sizeof m, -1);
}

// The next message: its type, or 0.
static uint32_t hear(struct rig *r, void *buf, size_t cap, int *ret_fd)
{
    size_t len = 0;
    uint32_t type = 0;
    struct pollfd p = {.fd = r->channel, .events = POLLIN};
    CHECK(poll(&p, 1, SOON_MS) == 1);
    CHECK(channel_receive(r->channel, buf, cap, &len, ret_fd) == IO_DONE);
    if (len >= sizeof type)
        memcpy(&type, buf, sizeof type);
    return type;
}

// Expects the answer to a question.
static int hear_answer(struct rig *r, enum gate_message type, uint64_t seq)
{
    struct gate_question m = {.type = 0};
    int fd = -1;
    CHECK_INT(hear(r, &m, sizeof m, &fd), type);
    CHECK_INT(m.seq, seq);
    return fd;
}

static void put_in_force(struct rig *r, const char *yaml, uint64_t seq)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 1 << 24, NULL, 0);
    struct text packed = {.ptr = NULL};
    conf_node_pack(conf_yaml_parse(str_of(yaml), "test.yaml", &mem, &diags), &packed);
    struct gate_snapshot m = {.type = GATE_SNAPSHOT, .n_workers = 2, .seq = seq};
    tell(r, &m, sizeof m, file_sealed("settings", text_str(&packed)));
    text_fini(&packed);
    arena_fini(&mem);
    struct gate_ready ready = {.type = 0};
    int fd;
    CHECK_INT(hear(r, &ready, sizeof ready, &fd), GATE_READY);
    CHECK_INT(ready.seq, seq);
    CHECK(ready.build_ns > 0);
    CHECK(ready.switch_ns > 0);
}

static void let_listen(struct rig *r, const char *name)
{
    struct gate_listen m = {.type = GATE_LISTEN, .id = 1, .name_bytes = (uint32_t)strlen(name)};
    memcpy(m.name, name, strlen(name));
    tell(r, &m, sizeof m, test_listen(&r->addr));
}

static json_t *status_of(struct rig *r, uint64_t seq)
{
    ask(r, GATE_ASK, seq);
    struct str bytes = STR_NONE;
    int fd = hear_answer(r, GATE_STATUS, seq);
    CHECK(file_map_sealed(fd, &bytes));
    json_t *json = json_loadb(bytes.ptr, bytes.len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json != NULL);
    file_unmap(bytes);
    close(fd);
    return json;
}

static void a_gate_without_workers_yet_gives_a_life_sign(void)
{
    struct rig r;
    rig_init(&r);
    ask(&r, GATE_ASK, 1); // nothing to tell: no answer
    ask(&r, GATE_PING, 2);
    CHECK_INT(hear_answer(&r, GATE_PONG, 2), -1);
    rig_fini(&r);
}

static int get(struct rig *r)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    char answer[512];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, &r->addr.u.any, r->addr.len) == 0);
    CHECK(write(fd, request, sizeof request - 1) == sizeof request - 1);
    CHECK(read(fd, answer, sizeof answer) > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0);
    return fd;
}

static void status_tells_what_was_served(void)
{
    struct rig r;
    rig_init(&r);
    put_in_force(&r,
                 "entrypoints: { web: { listen: '127.0.0.1:0' } }\n"
                 "filters: { hi: { respond: hi } }\n"
                 "sites: { a.example: { use: hi } }\n",
                 5);
    let_listen(&r, "web");
    int client = get(&r);

    json_t *json = status_of(&r, 77);
    int workers, answers, connections, memory, sockets;
    CHECK_INT(json_unpack(json, "{s:i,s:{s:i},s:[{s:i}],s:i,s:i}", "workers", &workers, "counters",
                          "answers 2xx", &answers, "entrypoints", "connections", &connections,
                          "memory_kb", &memory, "sockets", &sockets),
              0);
    CHECK_INT(workers, 2);
    CHECK_INT(answers, 1);
    CHECK_INT(connections, 1);
    CHECK_INT(sockets, 1);
    CHECK(memory > 100);
    // The kernel tells it since 6.2; the gate has its channel, its memory's size and loops.
    const json_t *open_files = json_object_get(json, "open_files");
    CHECK(!open_files || json_integer_value(open_files) > 5);
    const char *mode;
    CHECK_INT(json_unpack(json, "{s:{s:s}}", "sandbox", "mode", &mode), 0);
    CHECK_STR(str_of(mode), STR("best-effort"));
    json_decref(json);

    put_in_force(&r, "entrypoints: { other: { listen: '127.0.0.1:0' } }\n", 6);
    json = status_of(&r, 78);
    CHECK_INT(json_array_size(json_object_get(json, "sites")), 0);
    CHECK_INT(json_unpack(json, "{s:{s:i}}", "counters", "answers 2xx", &answers), 0);
    CHECK_INT(answers, 1);
    json_decref(json);
    close(client);
    rig_fini(&r);
}

static void of_many_questions_at_once_some_are_answered_in_order(void)
{
    struct rig r;
    rig_init(&r);
    put_in_force(&r, "", 1);
    uint64_t last_pong = 0, last_status = 0, seq = 1;
    for (; seq <= 200; seq++) {
        ask(&r, GATE_PING, seq);
        ask(&r, GATE_ASK, seq);
    }
    while (last_pong == 0 || last_status == 0) {
        struct gate_question m = {.type = 0};
        int fd = -1;
        uint32_t type = hear(&r, &m, sizeof m, &fd);
        uint64_t *last = type == GATE_PONG ? &last_pong : &last_status;
        CHECK(type == GATE_PONG || type == GATE_STATUS);
        CHECK_INT(fd >= 0, type == GATE_STATUS);
        CHECK(m.seq > *last && m.seq <= 200);
        *last = m.seq;
        if (fd >= 0)
            close(fd);
        if (test_failed)
            break;
    }
    rig_fini(&r);
}

TEST_MAIN(TEST(a_gate_without_workers_yet_gives_a_life_sign), TEST(status_tells_what_was_served),
          TEST(of_many_questions_at_once_some_are_answered_in_order))
