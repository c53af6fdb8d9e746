// SPDX-License-Identifier: Apache-2.0
#include "keeper/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "keeper/ban_file.h"
#include "rt/clock.h"
#include "rt/log.h"

#define HANDOVER_MAX_BYTES (4u << 20)

// --- writing ---

static void put_fd(json_t *to, const char *key, int fd)
{
    if (fd >= 0)
        json_object_set_new(to, key, json_integer(fd));
}

static json_t *listeners_json(const struct listeners *l)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->n; i++) {
        const struct listener *item = &l->items[i];
        json_array_append_new(
            list, json_pack("{s:i, s:I, s:i, s:o, s:o}", "fd", item->fd, "id", (json_int_t)item->id,
                            "sent_to", (int)item->sent_to, "name",
                            json_stringn_nocheck(item->name.ptr, item->name.len), "listen",
                            json_stringn_nocheck(item->address.ptr, item->address.len)));
    }
    return list;
}

static json_t *gates_json(const struct keeper *k)
{
    json_t *list = json_array();
    LIST_FOR (n, &k->gates) {
        const struct gate *g = CONTAINER_OF(n, struct gate, node);
        if (g->state == GATE_STARTING)
            continue;
        bool is_leaving = g->state != GATE_SERVING; // or ending: somebody must wait for it
        int64_t since_ms = g->leaving_since_ms > 0 ? g->leaving_since_ms : clock_now_ms();
        json_t *j = json_pack("{s:i, s:b, s:I, s:I, s:I}", "pid", (int)g->child.pid, "is_leaving",
                              (int)is_leaving, "started_ms", (json_int_t)g->child.started_ms,
                              "leaving_since_ms", (json_int_t)(is_leaving ? since_ms : 0),
                              "kill_at_ms", (json_int_t)g->kill_at_ms);
        put_fd(j, "channel", g->child.channel);
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *describe(const struct keeper *k, int old_binary, const char *error)
{
    json_t *h = json_pack("{s:i, s:s, s:I, s:I, s:I, s:i}", "format", HANDOVER_FORMAT, "version",
                          SALLYPORT_VERSION, "started_ns", (json_int_t)k->started_ns, "last_seq",
                          (json_int_t)k->last_seq, "seq", (json_int_t)k->current.seq, "restarts",
                          (int)k->n_restarts);
    json_object_set_new(h, "listeners", listeners_json(&k->listeners));
    json_object_set_new(h, "gates", gates_json(k));
    json_object_set_new(h, "control_path", report_text(str_of(k->control.path)));
    json_object_set_new(h, "drained", drains_pack(&k->drains));
    json_object_set_new(h, "must_reload", json_boolean(k->must_reload));
    put_fd(h, "control", k->control.fd);
    put_fd(h, "asked_by", control_upgrade_fd(&k->control));
    put_fd(h, "settings", k->current.settings_fd);
    put_fd(h, "old_binary", old_binary);
    put_fd(h, "containers", providers_pack(&k->providers));
    if (k->secrets.n_keys > 0) {
        put_fd(h, "tickets", secrets_pack_tickets(&k->secrets));
        json_object_set_new(h, "rotate_at_ms", json_integer(k->secrets.rotate_at_ms));
    }
    struct text bans = {.ptr = NULL};
    ban_file_write(&k->bans.book, &bans);
    json_object_set_new(h, "bans", report_text(str_from(bans.ptr, bans.len)));
    text_fini(&bans);
    if (error)
        json_object_set_new(h, "error", report_text(str_of(error)));
    return h;
}

// All descriptors that h names, wherever.
static void keep_open(const json_t *h, bool is_kept)
{
    static const char *const names[] = {"fd",       "channel",    "control", "asked_by",
                                        "settings", "old_binary", "tickets", "containers"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const json_t *fd = json_object_get(h, names[i]);
        if (fd)
            fcntl((int)json_integer_value(fd), F_SETFD, is_kept ? 0 : FD_CLOEXEC);
    }
    static const char *const lists[] = {"listeners", "gates"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        size_t at;
        json_t *item;
        json_array_foreach(json_object_get(h, lists[i]), at, item) keep_open(item, is_kept);
    }
}

static int write_file(const json_t *h)
{
    char *text = json_dumps(h, JSON_COMPACT);
    int fd = text ? memfd_create("sallyport handover", 0) : -1;
    if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        close(fd);
        fd = -1;
    }
    free(text);
    return fd;
}

// They are copied in both directions, unlike all else.
static void close_copied(const json_t *h)
{
    static const char *const names[] = {"tickets", "containers"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const json_t *fd = json_object_get(h, names[i]);
        if (fd)
            close((int)json_integer_value(fd));
    }
}

void handover_execute(struct keeper *k, const char *path, int old_binary, const char *error)
{
    providers_pause(&k->providers); // the next binary would never wait for its end
    json_t *h = describe(k, old_binary, error);
    int fd = write_file(h);
    char number[16];
    if (fd >= 0) {
        snprintf(number, sizeof number, "%d", fd);
        setenv(HANDOVER_VARIABLE, number, 1);
        keep_open(h, true);
        log_stop();
        if (path)
            execv(path, k->options->argv);
        else
            fexecve(old_binary, k->options->argv, environ);
        int failure = errno;
        log_start("keeper", k->log_level, k->log_format);
        keep_open(h, false);
        unsetenv(HANDOVER_VARIABLE);
        close(fd);
        errno = failure;
    }
    int failure = errno;
    close_copied(h);
    json_decref(h);
    errno = failure;
}

// --- reading ---

json_t *handover_receive(void)
{
    const char *text = getenv(HANDOVER_VARIABLE);
    if (!text)
        return NULL;
    uint64_t number;
    bool is_number = num_dec(str_of(text), INT32_MAX, &number) == ERR_OK && number > STDERR_FILENO;
    int fd = is_number ? (int)number : -1;
    unsetenv(HANDOVER_VARIABLE);
    off_t size = is_number ? lseek(fd, 0, SEEK_END) : -1;
    if (size <= 0 || size > (off_t)HANDOVER_MAX_BYTES)
        return NULL;
    char *bytes = mem_alloc_raw((size_t)size);
    json_t *h = NULL;
    if (pread(fd, bytes, (size_t)size, 0) == size)
        h = json_loadb(bytes, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
    mem_free(bytes);
    close(fd);
    if (json_integer_value(json_object_get(h, "format")) != HANDOVER_FORMAT) {
        json_decref(h);
        return NULL;
    }
    keep_open(h, false);
    return h;
}

static int fd_of(const json_t *j, const char *key)
{
    const json_t *fd = json_object_get(j, key);
    return fd ? (int)json_integer_value(fd) : -1;
}

static int64_t int_of(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static struct str text_of(const json_t *j, const char *key)
{
    const json_t *text = json_object_get(j, key);
    return str_from(json_string_value(text), json_string_length(text));
}

static bool restore_listeners(struct keeper *k, const json_t *list)
{
    size_t at;
    json_t *item;
    json_array_foreach(list, at, item)
    {
        struct str name = text_of(item, "name"), address = text_of(item, "listen");
        if (fd_of(item, "fd") < 0 || name.len == 0 || address.len == 0)
            return false;
        listeners_adopt(&k->listeners, name, address, fd_of(item, "fd"),
                        (uint32_t)int_of(item, "id"), (pid_t)int_of(item, "sent_to"));
    }
    return true;
}

static bool restore_gates(struct keeper *k, const json_t *list, bool is_return)
{
    size_t at;
    json_t *item;
    json_array_foreach(list, at, item)
    {
        struct gate *g = MEM_NEW(struct gate);
        bool is_leaving = json_is_true(json_object_get(item, "is_leaving"));
        g->child = (struct child){.pid = (pid_t)int_of(item, "pid"),
                                  .channel = fd_of(item, "channel"),
                                  .started_ms = int_of(item, "started_ms")};
        g->state = is_leaving ? GATE_LEAVING : GATE_SERVING;
        g->is_foreign = !is_return;
        g->ping_at_ms = clock_now_ms(); // it has served
        g->leaving_since_ms = int_of(item, "leaving_since_ms");
        g->kill_at_ms = int_of(item, "kill_at_ms");
        list_push_back(&k->gates, &g->node);
        if (g->child.pid <= 0)
            return false;
    }
    return true;
}

bool handover_restore(struct keeper *k, const json_t *h, bool is_return)
{
    k->started_ns = int_of(h, "started_ns");
    k->last_seq = (uint64_t)int_of(h, "last_seq");
    k->n_restarts = (unsigned)int_of(h, "restarts");
    // Asked for while another binary tried; a new binary reads the settings anyway.
    const char *bans = json_string_value(json_object_get(h, "bans"));
    if (bans) // else it was a binary without any
        keeper_bans_restore(&k->bans, str_of(bans));
    drains_adopt(&k->drains, json_object_get(h, "drained"));
    k->must_reload = is_return && json_is_true(json_object_get(h, "must_reload"));
    if (fd_of(h, "tickets") >= 0)
        secrets_adopt_tickets(&k->secrets, fd_of(h, "tickets"), int_of(h, "rotate_at_ms"));
    if (fd_of(h, "containers") >= 0)
        providers_adopt(&k->providers, fd_of(h, "containers"));
    close_copied(h);
    if (fd_of(h, "control") >= 0)
        control_adopt(&k->control, fd_of(h, "control"));
    if (fd_of(h, "asked_by") >= 0)
        control_adopt_upgrade(&k->control, fd_of(h, "asked_by"));
    return restore_listeners(k, json_object_get(h, "listeners")) &&
           restore_gates(k, json_object_get(h, "gates"), is_return);
}
