// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_machine.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/sandbox.h"

#define FREE_GOOD_BYTES (UINT64_C(64) << 20)
#define FREE_MIN_BYTES (UINT64_C(1) << 20)
#define FILES_GOOD 4096u
#define PORT_UNPRIVILEGED 1024

// --- the state folder ---

static void look_at_space(const char *path, struct doctor_report *r)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0)
        return;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    enum doctor_level level = free_bytes < FREE_MIN_BYTES    ? DOCTOR_BAD
                              : free_bytes < FREE_GOOD_BYTES ? DOCTOR_WEAK
                                                             : DOCTOR_OK;
    doctor_add(r, level, "disk", NULL, "%" PRIu64 " MiB are free below %s", free_bytes >> 20, path);
    if (level != DOCTOR_OK)
        doctor_explain(r, "a certificate that can't be kept isn't ordered", "make room there");
    if ((fs.f_flag & ST_RDONLY) != 0) {
        doctor_add(r, DOCTOR_BAD, "disk", NULL, "the file system of %s is read-only", path);
        doctor_explain(r, "a certificate that can't be kept isn't ordered",
                       "choose another folder with 'state'");
    }
}

static void look_at_state(const char *path, struct doctor_report *r)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        bool is_new = errno == ENOENT;
        doctor_add(r, is_new ? DOCTOR_NOTE : DOCTOR_BAD, "state",
                   is_new ? NULL : "see its rights, and those of the folders above it", "%s: %s",
                   path, is_new ? "it is made at the first start" : strerror(errno));
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        doctor_add(r, DOCTOR_BAD, "state", "remove it, or choose another folder with 'state'",
                   "%s is no folder", path);
        return;
    }
    bool is_open = (st.st_mode & 077) != 0, is_mine = st.st_uid == geteuid() || geteuid() == 0;
    if (is_open) {
        doctor_add(r, DOCTOR_WEAK, "state", NULL, "others may look into %s (mode %03o)", path,
                   (unsigned)st.st_mode & 0777);
        doctor_explain(r, "private keys are kept there",
                       "'chmod 700 %s'; the proxy does it at its next start", path);
    }
    if (!is_mine || access(path, W_OK) != 0) {
        doctor_add(r, DOCTOR_BAD, "state", NULL, "%s belongs to uid %u and can't be written by %u",
                   path, (unsigned)st.st_uid, (unsigned)geteuid());
        doctor_explain(r, "certificates and the local CA are kept there",
                       "ask as the proxy's user, or 'chown' it");
    } else if (!is_open) {
        doctor_add(r, DOCTOR_OK, "state", NULL, "%s is its owner's alone", path);
    }
    look_at_space(path, r);
}

// --- ports ---

static bool is_proxys(const struct doctor_world *w, const struct listening_socket *s)
{
    pid_t keeper = (pid_t)json_integer_value(json_object_get(w->status, "pid"));
    const json_t *gate = json_object_get(w->status, "gate");
    pid_t gate_pid = (pid_t)json_integer_value(json_object_get(gate, "pid"));
    return s->pid > 0 && (s->pid == keeper || s->pid == gate_pid);
}

static void look_at_entrypoint(const struct doctor_world *w, const struct conf_map_item *item,
                               const struct listening *l, struct doctor_report *r)
{
    const struct entrypoint_conf *e = item->value;
    struct diags ignored = {.n = 0};
    struct listen_addr at;
    bool is_read = listen_parse(&e->listen, &ignored, &at) == ERR_OK;
    diags_fini(&ignored);
    if (!is_read || at.port == 0)
        return;
    struct ip any = {.family = 4};
    const struct listening_socket *s = listening_find(l, at.ip.family ? &at.ip : &any, at.port);
    if (s && is_proxys(w, s)) {
        doctor_add(r, DOCTOR_OK, "port", NULL, STR_FMT ": this proxy listens at port %u",
                   STR_ARG(item->name), at.port);
    } else if (s) {
        char owner[64] = "another program";
        if (s->pid > 0)
            snprintf(owner, sizeof owner, "%s, process %d", s->name, (int)s->pid);
        doctor_add(r, DOCTOR_BAD, "port", NULL, STR_FMT ": port %u is taken by %s",
                   STR_ARG(item->name), at.port, owner);
        doctor_explain(r, "the proxy can't start, or serves nobody there",
                       "stop that program, or let the entrypoint listen elsewhere");
    } else if (w->status) {
        doctor_add(r, DOCTOR_WEAK, "port", "'sallyport reload' puts the settings in force",
                   STR_FMT ": the proxy runs, but doesn't listen at port %u", STR_ARG(item->name),
                   at.port);
    } else {
        doctor_add(r, DOCTOR_OK, "port", NULL, STR_FMT ": port %u is free", STR_ARG(item->name),
                   at.port);
    }
}

void doctor_look_at_ports(const struct doctor_world *w, const struct listening *l,
                          struct doctor_report *r)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct listening_socket *s = &l->items[i];
        char at[46], owner[64] = "a process of another user or container";
        struct str address = ip_text(&s->address, at);
        bool is_twin = i > 0 && s->port == s[-1].port && ip_eq(&s->address, &s[-1].address);
        if (ip_is_loopback(&s->address) || is_twin) // one for each worker
            continue;
        if (s->pid > 0)
            snprintf(owner, sizeof owner, "%s, process %d", s->name, (int)s->pid);
        if (is_proxys(w, s)) {
            doctor_add(r, DOCTOR_OK, "listens", NULL, STR_FMT " port %u: this proxy",
                       STR_ARG(address), s->port);
            continue;
        }
        doctor_add(r, DOCTOR_NOTE, "listens", NULL, STR_FMT " port %u: %s", STR_ARG(address),
                   s->port, owner);
        doctor_explain(r, NULL,
                       "if nobody outside needs it, let it listen at 127.0.0.1, or close "
                       "it in the firewall");
    }
    if (l->n == 0)
        doctor_add(r, DOCTOR_OK, "listens", NULL, "nothing listens");
}

// --- the process ---

static void look_at_files(const struct doctor_world *w, struct doctor_report *r)
{
    struct rlimit limit;
    const json_t *report = json_object_get(w->status, "report");
    const json_t *running = json_object_get(report, "open_files_max");
    uint64_t max = 0;
    if (json_is_integer(running))
        max = (uint64_t)json_integer_value(running);
    else if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        max = limit.rlim_max; // the gate raises the soft one
    if (max == 0)
        return;
    bool is_few = max < FILES_GOOD;
    doctor_add(r, is_few ? DOCTOR_WEAK : DOCTOR_OK, "open-files", NULL,
               "%" PRIu64 " files may be open: about %" PRIu64 " clients at a time", max, max / 2);
    if (is_few)
        doctor_explain(r, "each client and each server needs one",
                       "raise 'LimitNOFILE=' of the unit, or 'ulimit -n'");
}

// In a process of its own, since nobody comes out of a sandbox.
static bool try_sandbox(struct sandbox_report *ret)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_report report;
        sandbox_enter(SANDBOX_BEST_EFFORT, &report);
        _exit(write(ends[1], &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
    }
    close(ends[1]);
    bool is_read = pid > 0 && read(ends[0], ret, sizeof *ret) == (ssize_t)sizeof *ret;
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return is_read;
}

static void look_at_sandbox(const struct doctor_world *w, struct doctor_report *r)
{
    struct sandbox_report report;
    char text[SANDBOX_TEXT_BYTES];
    bool is_required = w->wish && w->loaded.snapshot->settings.sandbox == SANDBOX_REQUIRE;
    if (w->wish && w->loaded.snapshot->settings.sandbox == SANDBOX_OFF) {
        doctor_add(r, DOCTOR_WEAK, "sandbox", "take 'sandbox: off' out of the settings",
                   "the settings turn it off");
        return;
    }
    if (!try_sandbox(&report)) {
        doctor_add(r, DOCTOR_NOTE, "sandbox", NULL, "it can't be tried here");
        return;
    }
    if (report.n_missing == 0) {
        doctor_add(r, DOCTOR_OK, "sandbox", NULL, "%s", sandbox_in_force(&report, text));
        return;
    }
    doctor_add(r, is_required ? DOCTOR_BAD : DOCTOR_WEAK, "sandbox", NULL, "%s",
               sandbox_missing(&report, text));
    doctor_explain(r, "a gate that was taken over could do more",
                   "use a kernel from 5.13 with Landlock and seccomp, and a container that allows "
                   "them");
}

void doctor_look_at_machine(const struct doctor_world *w, const struct listening *l,
                            struct doctor_report *r)
{
    const struct conf_map *entries = w->wish ? &w->loaded.snapshot->settings.entrypoints : NULL;
    doctor_begin(r, STR("this machine"));
    doctor_add(r, DOCTOR_OK, "programs", NULL, "no other program is needed");
    if (w->wish)
        look_at_state(w->wish->state, r);
    for (size_t i = 0; entries && i < entries->n; i++)
        look_at_entrypoint(w, &entries->items[i], l, r);
    look_at_files(w, r);
    look_at_sandbox(w, r);
    doctor_begin(r, STR_NONE);
}
