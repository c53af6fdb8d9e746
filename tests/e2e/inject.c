// SPDX-License-Identifier: Apache-2.0
// Makes a thread of another process do system calls, as somebody would who has taken it over: for
// tests of the sandbox. x86-64 alone.
//   inject TID CALL ARG… [-- CALL ARG…]…
// An argument is a number, s:TEXT for the address of a text, or x:HEX for that of bytes. Prints the
// result of each call, -errno for failures, or "killed by SIGNAL", which ends it.
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 6
#define ROOM_BYTES 512       // for each argument in memory
#define BELOW_STACK 8192     // where they lie: nothing of the thread's is there
#define SYSCALL_BYTES 2      // of the instruction: 0f 05
#define SYSCALL_CODE 0x050fu // as a little-endian number

// clang-format off
static const struct {
    const char *name;
    long number;
} calls[] = {
#define X(name) {#name, SYS_##name},
    X(bind) X(bpf) X(clone) X(connect) X(execve) X(fcntl) X(getpid) X(init_module)
    X(io_uring_setup) X(keyctl) X(kill) X(listen) X(mount) X(openat) X(prctl)
    X(process_vm_readv) X(ptrace) X(readlink) X(sendto) X(setuid) X(shutdown) X(socket) X(tgkill)
    X(unlink) X(unshare)
#undef X
};
// clang-format on

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(2);
}

static long number_of(const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(calls[i].name, name) == 0)
            return calls[i].number;
    }
    fprintf(stderr, "inject: unknown call %s\n", name);
    exit(2);
}

// Copies bytes into the thread's memory, word by word.
static void put(pid_t tid, uint64_t at, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += sizeof(long)) {
        long word = 0;
        memcpy(&word, bytes + i, n - i < sizeof word ? n - i : sizeof word);
        if (ptrace(PTRACE_POKEDATA, tid, at + i, word) != 0)
            fail("writing its memory");
    }
}

static size_t from_hex(const char *hex, unsigned char *ret)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        ret[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return n;
}

// The value of an argument; what it points to is put at `at`.
static uint64_t value_of(pid_t tid, const char *arg, uint64_t at)
{
    unsigned char bytes[ROOM_BYTES] = {0};
    if (strlen(arg) >= ROOM_BYTES) {
        fprintf(stderr, "inject: an argument is too long\n");
        exit(2);
    }
    if (strncmp(arg, "s:", 2) == 0)
        put(tid, at, (const unsigned char *)arg + 2, strlen(arg + 2) + 1);
    else if (strncmp(arg, "x:", 2) == 0)
        put(tid, at, bytes, from_hex(arg + 2, bytes));
    else
        return (uint64_t)strtoll(arg, NULL, 0);
    return at;
}

// Stops the thread inside a system call, where the instruction for one is right behind it.
static struct user_regs_struct stop(pid_t tid)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
        fail("tracing it");
    for (;;) {
        int status;
        if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0 || waitpid(tid, &status, __WALL) != tid)
            fail("stopping it");
        if (!WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0)
            fail("reading its registers");
        long code = ptrace(PTRACE_PEEKTEXT, tid, regs.rip - SYSCALL_BYTES, NULL);
        if ((code & 0xffff) == SYSCALL_CODE)
            return regs;
        ptrace(PTRACE_CONT, tid, NULL, NULL);
    }
}

// False: that was the end of it.
static bool call(pid_t tid, const struct user_regs_struct *at, char **words, int n_words)
{
    uint64_t args[ARGS_MAX] = {0};
    for (int i = 1; i < n_words && i <= ARGS_MAX; i++)
        args[i - 1] = value_of(tid, words[i], at->rsp - BELOW_STACK + (uint64_t)i * ROOM_BYTES);
    struct user_regs_struct regs = *at;
    regs.rip -= SYSCALL_BYTES;
    regs.rax = (uint64_t)number_of(words[0]);
    regs.orig_rax = UINT64_MAX; // not in a system call: nothing is to be repeated
    regs.rdi = args[0], regs.rsi = args[1], regs.rdx = args[2];
    regs.r10 = args[3], regs.r8 = args[4], regs.r9 = args[5];
    int status;
    if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) != 0 ||
        ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) != 0 || waitpid(tid, &status, __WALL) != tid)
        fail("making it call");
    if (WIFSIGNALED(status)) {
        printf("killed by %d\n", WTERMSIG(status));
        return false;
    }
    if (!WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0)
        fail("reading the result");
    printf("%lld\n", (long long)regs.rax);
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: inject TID CALL ARG... [-- CALL ARG...]...\n");
        return 2;
    }
    pid_t tid = (pid_t)strtol(argv[1], NULL, 10);
    struct user_regs_struct regs = stop(tid);
    bool is_alive = true;
    for (int i = 2; i < argc && is_alive; i++) {
        int first = i;
        while (i < argc && strcmp(argv[i], "--") != 0)
            i++;
        is_alive = call(tid, &regs, argv + first, i - first);
    }
    if (is_alive && (ptrace(PTRACE_SETREGS, tid, NULL, &regs) != 0 ||
                     ptrace(PTRACE_DETACH, tid, NULL, NULL) != 0))
        fail("letting it go");
    return 0;
}
