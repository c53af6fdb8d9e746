// SPDX-License-Identifier: Apache-2.0
#include "rt/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "rt/file.h"
#include "rt/notes.h"
#include "unit/test.h"

#define KILLED 1000 // plus the signal
#define IS_SANITIZED (NOTES_ASAN || NOTES_TSAN)

static int listening; // opened outside
static pid_t parent;
static long old_abi; // of Landlock

// What becomes of fn in a process of its own, inside the sandbox: an errno, 0, or a signal.
static int result_inside(int (*fn)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_report report;
        sandbox_enter(SANDBOX_BEST_EFFORT, &report);
        _exit(fn());
    }
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int result(long value)
{
    return value < 0 ? errno : 0;
}

// One system call, as a function without parameters.
#define TRY(name, ...)                                                                             \
    static int name(void)                                                                          \
    {                                                                                              \
        return result(__VA_ARGS__);                                                                \
    }

TRY(open_file, open("/etc/passwd", O_RDONLY))
TRY(open_by_the_old_call, syscall(SYS_openat, AT_FDCWD, "/", O_PATH))
TRY(create_file, open("/tmp/sallyport-sandbox", O_CREAT | O_WRONLY, 0600))
TRY(open_self, open("/proc/self/mem", O_RDWR))
TRY(look_at_file, access("/etc/passwd", R_OK))
TRY(look_at_folder, syscall(SYS_newfstatat, AT_FDCWD, "/etc", &(struct stat){.st_mode = 0}, 0))
TRY(remove_file, unlink("/tmp/sallyport-sandbox"))
TRY(make_folder, mkdir("/tmp/sallyport-sandbox", 0700))
TRY(rename_file, rename("/tmp/a", "/tmp/b"))
TRY(change_mode, chmod("/tmp", 0777))
TRY(run_program, execl("/bin/true", "true", NULL))
TRY(run_program_by_descriptor, syscall(SYS_execveat, 0, "", NULL, NULL, AT_EMPTY_PATH))
TRY(trace_parent, ptrace(PTRACE_ATTACH, parent, NULL, NULL))
TRY(be_traced, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
TRY(read_other_memory, syscall(SYS_process_vm_readv, parent, NULL, 0, NULL, 0, 0))
TRY(take_descriptor, syscall(SYS_pidfd_getfd, 0, 0, 0))
TRY(new_namespace, unshare(CLONE_NEWUSER))
TRY(load_bpf, syscall(SYS_bpf, 0, NULL, 0))
TRY(use_io_uring, syscall(SYS_io_uring_setup, 1, NULL))
TRY(use_keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
TRY(use_perf, syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0))
TRY(fault_in_user_space, syscall(SYS_userfaultfd, 0))
TRY(load_module, syscall(SYS_init_module, NULL, 0, ""))
TRY(mount_something, syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL))
TRY(signal_parent, kill(parent, 0))
TRY(signal_thread_of_parent, syscall(SYS_tgkill, parent, parent, 0))
TRY(signal_all, kill(-1, SIGTERM))
TRY(new_process, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
TRY(new_process_by_vfork_flags, syscall(SYS_clone, CLONE_VM | CLONE_VFORK, NULL, NULL, NULL, NULL))
TRY(thread_in_new_namespace,
    syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWNET, NULL, NULL, NULL, 0))
TRY(clone_by_the_new_call, syscall(SYS_clone3, NULL, 0))
TRY(raw_socket, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))
TRY(packet_socket, socket(AF_PACKET, SOCK_RAW, 0))
TRY(netlink_socket, socket(AF_NETLINK, SOCK_RAW, 0))
TRY(vsock_socket, socket(AF_VSOCK, SOCK_STREAM, 0))
TRY(sctp_socket, socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP))
TRY(listen_anew, listen(listening, 1))
TRY(become_root, setresuid(0, 0, 0))
TRY(raise_limit, setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 1}))
TRY(be_dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
TRY(get_signals_of_a_socket, fcntl(listening, F_SETOWN, parent))
TRY(push_into_terminal, syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x"))
TRY(unknown_call, syscall(9999))

static int bind_socket(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? 0 : result(bind(fd, (struct sockaddr *)&any, sizeof any));
}

static void what_it_must_not_do_fails_or_ends_it(void)
{
    static const struct {
        const char *what;
        int (*fn)(void);
        int wanted;
    } cases[] = {
#define CASE(fn, wanted) {#fn, fn, wanted}
        CASE(open_file, ENOENT),
        CASE(open_by_the_old_call, ENOENT),
        CASE(create_file, ENOENT),
        CASE(open_self, ENOENT),
        CASE(look_at_file, ENOENT),
        CASE(look_at_folder, ENOENT),
        CASE(remove_file, EPERM),
        CASE(make_folder, EPERM),
        CASE(rename_file, EPERM),
        CASE(change_mode, EPERM),
        CASE(run_program, KILLED + SIGSYS),
        CASE(run_program_by_descriptor, KILLED + SIGSYS),
        CASE(trace_parent, KILLED + SIGSYS),
        CASE(be_traced, KILLED + SIGSYS),
        CASE(read_other_memory, KILLED + SIGSYS),
        CASE(take_descriptor, KILLED + SIGSYS),
        CASE(new_namespace, KILLED + SIGSYS),
        CASE(load_bpf, KILLED + SIGSYS),
        CASE(use_io_uring, KILLED + SIGSYS),
        CASE(use_keys, KILLED + SIGSYS),
        CASE(use_perf, KILLED + SIGSYS),
        CASE(fault_in_user_space, KILLED + SIGSYS),
        CASE(load_module, KILLED + SIGSYS),
        CASE(mount_something, KILLED + SIGSYS),
        CASE(signal_parent, EPERM),
        CASE(signal_thread_of_parent, EPERM),
        CASE(signal_all, EPERM),
        CASE(new_process, EPERM),
        CASE(new_process_by_vfork_flags, EPERM),
        CASE(thread_in_new_namespace, EPERM),
        CASE(clone_by_the_new_call, ENOSYS),
        CASE(raw_socket, EPERM),
        CASE(packet_socket, EPERM),
        CASE(netlink_socket, EPERM),
        CASE(vsock_socket, EPERM),
        CASE(sctp_socket, EPERM),
        CASE(bind_socket, EPERM),
        CASE(listen_anew, EPERM),
        CASE(become_root, EPERM),
        CASE(raise_limit, EPERM),
        CASE(be_dumpable, EPERM),
        CASE(get_signals_of_a_socket, EPERM),
        CASE(push_into_terminal, EPERM),
        CASE(unknown_call, EPERM),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases) && !IS_SANITIZED; i++) {
        int got = result_inside(cases[i].fn);
        if (got != cases[i].wanted)
            printf("# %s: %d, wanted %d\n", cases[i].what, got, cases[i].wanted);
        test_failed = test_failed || got != cases[i].wanted;
    }
}

#if defined(__x86_64__) && !IS_SANITIZED
// As a 32-bit program calls the system: other numbers, which no rule knows.
static int call_as_32_bit(void)
{
    long value;
    __asm__ volatile("int $0x80" : "=a"(value) : "a"(20 /* getpid */) : "memory");
    return value > 0 ? 0 : 1;
}

TRY(call_as_x32, syscall(0x40000000 | SYS_getpid))

static void calls_of_other_architectures_end_it(void)
{
    CHECK_INT(result_inside(call_as_32_bit), KILLED + SIGSYS);
    CHECK_INT(result_inside(call_as_x32), KILLED + SIGSYS);
}
#else
static void calls_of_other_architectures_end_it(void)
{
}
#endif

static void *run_thread(void *arg)
{
    return prctl(PR_SET_NAME, "thread", 0, 0, 0) == 0 ? arg : NULL;
}

// 0, or the number of what failed.
static int work(void)
{
    pthread_t thread;
    void *ret = NULL;
    if (pthread_create(&thread, NULL, run_thread, &listening) != 0 ||
        pthread_join(thread, &ret) != 0 || ret != &listening)
        return 1;
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t len = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || getsockname(listening, (struct sockaddr *)&to, &len) != 0 ||
        connect(fd, (struct sockaddr *)&to, len) != 0 || accept4(listening, NULL, NULL, 0) < 0)
        return 2; // connecting stays allowed, wherever: services come and go
    if (socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0) < 0 ||
        socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP) < 0)
        return 3;
    struct str bytes;
    int sealed = file_sealed("test", STR("bytes"));
    if (sealed < 0 || !file_map_sealed(sealed, &bytes) || !str_eq(bytes, STR("bytes")))
        return 4;
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                      -1, 0); // PCRE2's compiler
    return code != MAP_FAILED ? 0 : 5;
}

static void what_the_gate_does_goes_on_inside(void)
{
    CHECK_INT(result_inside(work), 0);
}

static int break_a_rule_of_ours(void)
{
    int null = open("/dev/null", O_WRONLY);
    (void)null;
    panic("a test's");
}

static void a_panic_ends_as_an_abort(void)
{
    if (!IS_SANITIZED)
        CHECK_INT(result_inside(break_a_rule_of_ours), KILLED + SIGABRT);
}

static int report_of(enum sandbox_mode mode)
{
    struct sandbox_report r;
    char in_force[SANDBOX_TEXT_BYTES], missing[SANDBOX_TEXT_BYTES];
    sandbox_enter(mode, &r);
    sandbox_in_force(&r, in_force);
    sandbox_missing(&r, missing);
    bool has_base = strstr(in_force, "no-new-privs; no capabilities") == in_force;
    bool has_seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0; // EPERM inside, -1
    bool is_full = strstr(in_force, "seccomp") && r.n_missing == 0;
    if (mode == SANDBOX_OFF)
        return has_base && !has_seccomp && r.n_in_force == 2 && r.n_missing == 0 ? 0 : 1;
    if (IS_SANITIZED)
        return has_base && r.n_missing == 1 && strstr(missing, "sanitizers") ? 0 : 2;
    if (old_abi < 1)
        return strstr(missing, "landlock: ") ? 0 : 3;
    return has_base && has_seccomp && is_full && strstr(in_force, "landlock ") ? 0 : 4;
}

static int report_of_off(void)
{
    return report_of(SANDBOX_OFF);
}

static int report_of_require(void)
{
    return report_of(SANDBOX_REQUIRE);
}

static int status_outside(int (*fn)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn());
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_report_tells_what_is_in_force(void)
{
    CHECK_INT(status_outside(report_of_off), 0);
    CHECK_INT(status_outside(report_of_require), 0);
    CHECK_STR(str_of(sandbox_mode_text(SANDBOX_BEST_EFFORT)), STR("best-effort"));
}

static int enter_again(void)
{
    struct sandbox_report r;
    sandbox_enter(SANDBOX_REQUIRE, &r);
    return r.n_missing > 0 ? 0 : 1;
}

static void what_cannot_be_had_is_missing(void)
{
    CHECK_INT(result_inside(enter_again), 0); // the first one forbids to make another
}

static void prepare(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listening = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listening, (struct sockaddr *)&any, sizeof any) != 0 || listen(listening, 8) != 0)
        abort();
    parent = getpid();
    old_abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(what_it_must_not_do_fails_or_ends_it), TEST(calls_of_other_architectures_end_it),
        TEST(what_the_gate_does_goes_on_inside),    TEST(a_panic_ends_as_an_abort),
        TEST(the_report_tells_what_is_in_force),    TEST(what_cannot_be_had_is_missing),
    };
    prepare();
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
