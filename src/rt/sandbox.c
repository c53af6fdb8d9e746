// SPDX-License-Identifier: Apache-2.0
// What each part is for, and what it leaves open, is told in docs/internals/sandbox.md.
#include "rt/sandbox.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/writer.h"
#include "rt/notes.h"
#include "rt/privileges.h"

static const char *const mode_texts[] = {
#define X(id, text) [SANDBOX_##id] = text,
    SANDBOX_MODE_LIST(X)
#undef X
};

const char *sandbox_mode_text(enum sandbox_mode mode)
{
    return mode_texts[mode];
}

PRINTF(3, 0)
static void put(char parts[][SANDBOX_PART_BYTES], unsigned *n, const char *fmt, va_list args)
{
    ASSERT(*n < SANDBOX_PARTS_MAX);
    vsnprintf(parts[(*n)++], SANDBOX_PART_BYTES, fmt, args);
}

PRINTF(2, 3) static void put_in_force(struct sandbox_report *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put(r->in_force, &r->n_in_force, fmt, args);
    va_end(args);
}

PRINTF(2, 3) static void put_missing(struct sandbox_report *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put(r->missing, &r->n_missing, fmt, args);
    va_end(args);
}

// --- Landlock: what the kernel's objects allow ---

// <linux/landlock.h> of Debian 12 ends with the first version.
struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; // since 4
    uint64_t scoped;             // since 6
};

#define RULESET_VERSION 1u // a flag: create_ruleset tells what it knows
#define FS_FIRST ((UINT64_C(1) << 13) - 1)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define NET_BIND_TCP (UINT64_C(1) << 0)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

// Handled and allowed by no rule is forbidden. Connecting by TCP isn't handled: services come and
// go with reloads.
static struct ruleset ruleset_of(long abi)
{
    struct ruleset all = {.handled_access_fs = FS_FIRST};
    if (abi >= 2)
        all.handled_access_fs |= FS_REFER;
    if (abi >= 3)
        all.handled_access_fs |= FS_TRUNCATE;
    if (abi >= 4)
        all.handled_access_net = NET_BIND_TCP;
    if (abi >= 5)
        all.handled_access_fs |= FS_IOCTL_DEV;
    if (abi >= 6)
        all.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    return all;
}

static const char *why_no_landlock(int error)
{
    if (error == ENOSYS)
        return "the kernel is older than 5.13 or was built without it";
    if (error == EOPNOTSUPP)
        return "it is switched off at boot (lsm=)";
    if (error == EPERM)
        return "whoever started this process (a container's runtime?) forbids it";
    return strerrordesc_np(error);
}

static void enter_landlock(struct sandbox_report *r)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
    if (abi < 1) {
        put_missing(r, "landlock: %s", why_no_landlock(errno));
        return;
    }
    // A kernel takes a larger struct than its own if the rest is 0.
    struct ruleset rules = ruleset_of(abi);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) != 0)
        put_missing(r, "landlock: %s", why_no_landlock(errno));
    else
        put_in_force(r, "landlock %ld", abi);
    if (fd >= 0)
        close(fd);
}

// --- seccomp: which system calls there are ---

// Unconditional ones cost next to nothing: the kernel keeps them in a bitmap (since 5.11), and
// doesn't run the filter. All calls of the data path are here.
static const int allowed[] = {
    // the data path
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(splice),
    SCMP_SYS(close),
    SCMP_SYS(shutdown),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(futex),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    // time, chance
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(restart_syscall),
    // memory; PROT_EXEC too, which PCRE2's JIT needs
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    // what is open already: outputs of logs, sealed memory files, the file of the spool
    SCMP_SYS(memfd_create),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fstat),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(getdents64),
    // threads and their end
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    // who and where am I
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
};

// There is no file system. Libraries that look for a file of theirs take that softly.
static const int no_files[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),    SCMP_SYS(openat2),    SCMP_SYS(creat),
    SCMP_SYS(stat),       SCMP_SYS(lstat),     SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(access),     SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
};

// Nothing that this program or a library of it would ever try: whoever does has taken it over.
static const int deadly[] = {
    // other programs and processes
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(kcmp),
    // other views of the machine
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(chroot),
    SCMP_SYS(pivot_root),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    // ways into the kernel
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    // the machine itself
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(syslog),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
};

// clone makes a thread of this process, and nothing else.
#define CLONE_LOOKED_AT                                                                            \
    (CLONE_THREAD | CLONE_VM | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |       \
     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define RULES_MAX_ARGS 3

struct rule {
    int call;
    uint32_t action;
    unsigned n_args;
    struct scmp_arg_cmp args[RULES_MAX_ARGS];
};

#define SOCKET(family, type, protocol_)                                                            \
    {                                                                                              \
        .call = SCMP_SYS(socket), .action = SCMP_ACT_ALLOW, .n_args = 3, .args = {                 \
            {0, SCMP_CMP_EQ, (family), 0},                                                         \
            {1, SCMP_CMP_MASKED_EQ, 0xf, (type)},                                                  \
            {2, SCMP_CMP_EQ, (protocol_), 0}                                                       \
        }                                                                                          \
    }
#define WITH(name, i, value)                                                                       \
    {                                                                                              \
        .call = SCMP_SYS(name), .action = SCMP_ACT_ALLOW, .n_args = 1, .args = {                   \
            {(i), SCMP_CMP_EQ, (value), 0}                                                         \
        }                                                                                          \
    }

static const struct rule rules[] = {
    SOCKET(AF_INET, SOCK_STREAM, 0),
    SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(AF_INET, SOCK_DGRAM, 0),
    SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    SOCKET(AF_INET6, SOCK_STREAM, 0),
    SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(AF_INET6, SOCK_DGRAM, 0),
    SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    SOCKET(AF_UNIX, SOCK_STREAM, 0),
    SOCKET(AF_UNIX, SOCK_DGRAM, 0),
    {.call = SCMP_SYS(clone),
     .action = SCMP_ACT_ALLOW,
     .n_args = 1,
     .args = {{0, SCMP_CMP_MASKED_EQ, CLONE_LOOKED_AT, CLONE_THREAD | CLONE_VM}}},
    // Its flags are in memory, where no filter can look: the C library then takes clone.
    {.call = SCMP_SYS(clone3), .action = SCMP_ACT_ERRNO(ENOSYS)},
    WITH(prctl, 0, PR_SET_NAME),
    // Only questions about this process.
    {.call = SCMP_SYS(prlimit64),
     .action = SCMP_ACT_ALLOW,
     .n_args = 2,
     .args = {{0, SCMP_CMP_EQ, 0, 0}, {2, SCMP_CMP_EQ, 0, 0}}},
    // Not F_SETOWN and F_SETSIG, which send signals.
    WITH(fcntl, 1, F_GETFD),
    WITH(fcntl, 1, F_SETFD),
    WITH(fcntl, 1, F_GETFL),
    WITH(fcntl, 1, F_SETFL),
    WITH(fcntl, 1, F_DUPFD_CLOEXEC),
    WITH(fcntl, 1, F_SETPIPE_SZ),
    WITH(fcntl, 1, F_ADD_SEALS),
    WITH(fcntl, 1, F_GET_SEALS),
    WITH(ioctl, 1, FIONBIO),
    WITH(ioctl, 1, FIONREAD),
    WITH(ioctl, 1, SIOCGIFINDEX), // c-ares, for servers with link-local addresses
};

// A number below 0: this architecture has no such call.
static int add_rule(scmp_filter_ctx filter, const struct rule *r)
{
    return r->call < 0 ? 0 : seccomp_rule_add_array(filter, r->action, r->call, r->n_args, r->args);
}

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
    int error = 0;
    for (size_t i = 0; i < n && error == 0; i++)
        error = add_rule(filter, &(struct rule){.call = calls[i], .action = action});
    return error;
}

static int add_all(scmp_filter_ctx filter)
{
    // Signals go to threads of this process alone, as abort sends one.
    const struct rule own_signals = WITH(tgkill, 0, (scmp_datum_t)getpid());
    int error = add_calls(filter, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed));
    if (error == 0)
        error = add_calls(filter, SCMP_ACT_ERRNO(ENOENT), no_files, ARRAY_LEN(no_files));
    if (error == 0)
        error = add_calls(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_LEN(deadly));
    for (size_t i = 0; i < ARRAY_LEN(rules) && error == 0; i++)
        error = add_rule(filter, &rules[i]);
    return error == 0 ? add_rule(filter, &own_signals) : error;
}

static void enter_seccomp(struct sandbox_report *r)
{
    // What isn't named fails with EPERM and not deadly: the next version of a library may try
    // something new that it can do without.
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error = filter ? 0 : -ENOMEM;
    if (error == 0) // or it would hide the kernel's errors behind one of its own
        error = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error == 0) // or the kernel would slow the process down (speculative store bypass)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a binary tree
    if (error == 0)
        error = add_all(filter);
    if (error == 0)
        error = seccomp_load(filter);
    if (error == 0)
        put_in_force(r, "seccomp");
    else
        put_missing(r, "seccomp: %s", strerrordesc_np(-error));
    seccomp_release(filter);
}

// --- the whole ---

static void give_up_privileges(struct sandbox_report *r)
{
    if (privileges_never_gain())
        put_in_force(r, "no-new-privs");
    else
        put_missing(r, "no-new-privs: %s", strerrordesc_np(errno));
    if (privileges_drop_capabilities())
        put_in_force(r, "no capabilities");
    else
        put_missing(r, "no capabilities: %s", strerrordesc_np(errno));
}

void sandbox_enter(enum sandbox_mode mode, struct sandbox_report *ret)
{
    *ret = (struct sandbox_report){.mode = mode};
    give_up_privileges(ret);
    if (mode == SANDBOX_OFF)
        return;
    if (NOTES_ASAN || NOTES_TSAN) {
        put_missing(ret, "seccomp and landlock: a build with sanitizers needs files");
        return;
    }
    // The first call loads a library; a panic later couldn't.
    void *frame;
    backtrace(&frame, 1);
    enter_landlock(ret);
    enter_seccomp(ret); // last: it forbids what the others do
}

// n_parts texts, each in SANDBOX_PART_BYTES.
static const char *join(const char *parts, unsigned n_parts, char buf[static SANDBOX_TEXT_BYTES])
{
    struct writer w;
    writer_init(&w, buf, SANDBOX_TEXT_BYTES - 1);
    for (unsigned i = 0; i < n_parts; i++) {
        writer_put(&w, i > 0 ? STR("; ") : STR_NONE);
        writer_put(&w, str_of(parts + i * SANDBOX_PART_BYTES));
    }
    buf[w.len] = '\0';
    return buf;
}

const char *sandbox_in_force(const struct sandbox_report *r, char buf[static SANDBOX_TEXT_BYTES])
{
    return join(r->in_force[0], r->n_in_force, buf);
}

const char *sandbox_missing(const struct sandbox_report *r, char buf[static SANDBOX_TEXT_BYTES])
{
    return join(r->missing[0], r->n_missing, buf);
}
