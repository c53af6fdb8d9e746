// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/plain.h"
#include "rt/clock.h"

void progress_start(struct progress *p, const char *what, bool is_quiet)
{
    *p = (struct progress){
        .is_quiet = is_quiet,
        .is_terminal = isatty(STDERR_FILENO) == 1,
        .what = what,
        .started_ms = clock_now_ms(),
    };
}

int64_t progress_ms(const struct progress *p)
{
    return clock_now_ms() - p->started_ms;
}

void progress_clear(struct progress *p)
{
    if (p->is_line_open)
        fputs("\r\033[K", stderr);
    p->is_line_open = false;
}

void progress_tick(struct progress *p)
{
    if (p->is_quiet || !p->is_terminal || !p->what || progress_ms(p) < 1000)
        return;
    fprintf(stderr, "\r\033[K%s … %lld s", p->what, (long long)(progress_ms(p) / 1000));
    p->is_line_open = true;
}

void progress_step(struct progress *p, const char *text)
{
    progress_clear(p);
    if (p->is_quiet)
        return;
    struct text line = {.ptr = NULL};
    plain_put(&line, str_of(text));
    text_byte(&line, '\n');
    fwrite(line.ptr, 1, line.len, stderr);
    text_fini(&line);
}
