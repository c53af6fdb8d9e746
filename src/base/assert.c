// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STACK_DEPTH 32

NORETURN static void report_and_abort(const char *text, int len)
{
    void *frames[STACK_DEPTH];
    ssize_t ignored = write(STDERR_FILENO, text, (size_t)len);
    (void)ignored;
    int n = backtrace(frames, STACK_DEPTH);
    backtrace_symbols_fd(frames, n, STDERR_FILENO);
    abort();
}

void panic_at(const char *file, int line, const char *func, const char *cond)
{
    char text[512];
    int n = snprintf(text, sizeof text, "sallyport %s: panic at %s:%d in %s(): %s\n",
                     SALLYPORT_VERSION, file, line, func, cond);
    report_and_abort(text, n < (int)sizeof text ? n : (int)sizeof text - 1);
}

void panic(const char *fmt, ...)
{
    char text[512];
    int n = snprintf(text, sizeof text, "sallyport %s: panic: ", SALLYPORT_VERSION);
    va_list args;
    va_start(args, fmt);
    int m = vsnprintf(text + n, sizeof text - (size_t)n - 1, fmt, args);
    va_end(args);
    n = MIN(n + m, (int)sizeof text - 2);
    text[n++] = '\n';
    report_and_abort(text, n);
}
