// SPDX-License-Identifier: Apache-2.0
#include "rt/usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/str.h"
#include "rt/file.h"

// Sizes in pages: "TOTAL RESIDENT SHARED …" (proc(5)). Each read tells them anew.
static int statm_fd = -1;

// A folder whose size is the number of open descriptors. O_PATH: it can't be read through this.
static int fds_fd = -1;

void usage_prepare(void)
{
    if (statm_fd < 0)
        statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fds_fd < 0)
        fds_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static uint64_t read_resident_bytes(void)
{
    char buf[128];
    ssize_t n = statm_fd < 0 ? -1 : pread(statm_fd, buf, sizeof buf, 0);
    struct str total, rest, resident;
    uint64_t pages;
    if (n <= 0 || !str_cut(str_from(buf, (size_t)n), ' ', &total, &rest) ||
        !str_cut(rest, ' ', &resident, &rest) ||
        num_dec(resident, UINT64_MAX >> 20, &pages) != ERR_OK)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_descriptors(void)
{
    struct stat st;
    bool is_told = fds_fd >= 0 && file_stat(fds_fd, &st);
    return is_told ? (uint64_t)st.st_size : 0;
}

static int64_t ns_of(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

int64_t usage_thread_cpu_ns(void)
{
    struct timespec t = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void usage_read(struct usage *ret)
{
    struct rusage used = {.ru_maxrss = 0};
    struct rlimit limit = {.rlim_cur = 0};
    (void)getrusage(RUSAGE_SELF, &used);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    *ret = (struct usage){
        .resident_bytes = read_resident_bytes(),
        .resident_peak_bytes = (uint64_t)used.ru_maxrss * 1024,
        .descriptors = count_descriptors(),
        .descriptors_max = limit.rlim_cur,
        .cpu_ns = ns_of(used.ru_utime) + ns_of(used.ru_stime),
    };
}
