// SPDX-License-Identifier: Apache-2.0
// A live view of the running proxy's traffic.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/api_ask.h"
#include "cli/top_screen.h"
#include "cli/top_terminal.h"
#include "rt/clock.h"

#define EVERY_MS 1000
#define SCROLL_ROWS 10

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_CONTROL,
    {.name = "once", .doc = "Look for one second, print all lists, and end."},
    {.name = "json", .doc = "The same as one JSON object."},
};

// False after telling why not.
static bool look(const struct cli_args *args, struct top_sample *ret)
{
    json_t *traffic = api_ask_json(args, "/api/v1/traffic");
    bool is_read = traffic && top_sample_read(traffic, ret);
    if (traffic && !is_read)
        fprintf(stderr, "sallyport: the proxy's answer says nothing of traffic\n");
    json_decref(traffic);
    return is_read;
}

static void wait_ms(int64_t ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static int show_once(const struct cli_args *args)
{
    struct top_sample before = {.at_ms = 0}, after = {.at_ms = 0};
    bool is_fine = look(args, &before);
    if (is_fine)
        wait_ms(EVERY_MS);
    is_fine = is_fine && look(args, &after);
    if (is_fine && cli_has(args, "json")) {
        json_t *j = top_json(&before, &after);
        control_client_print_json(j);
        json_decref(j);
    } else if (is_fine) {
        struct text t = {.ptr = NULL};
        top_put_all(&before, &after, &t);
        fwrite(t.ptr, 1, t.len, stdout);
        text_fini(&t);
    }
    top_sample_fini(&before);
    top_sample_fini(&after);
    return is_fine ? CLI_OK : CLI_FAILED;
}

// --- live ---

struct top {
    const struct cli_args *args;
    struct top_sample before, after;
    struct top_view view;
};

static void draw(const struct top *t)
{
    struct text lines = {.ptr = NULL};
    size_t width, height;
    top_terminal_size(&width, &height);
    top_screen_put(&t->before, &t->after, &t->view, width, height, &lines);
    top_terminal_show(text_str(&lines));
    text_fini(&lines);
}

static bool look_again(struct top *t)
{
    struct top_sample next;
    if (!look(t->args, &next))
        return false;
    top_sample_fini(&t->before);
    t->before = t->after;
    t->after = next;
    return true;
}

static void choose_list(struct top *t, enum top_list list)
{
    t->view.list = list;
    t->view.first = 0;
}

// False: it is the end.
static bool take_key(struct top *t, int key)
{
    switch (key) {
#define X(id, name, letter)                                                                        \
    case letter:                                                                                   \
        choose_list(t, TOP_##id);                                                                  \
        break;
        TOP_LIST_LIST(X)
#undef X
    case '>':
        t->view.by = (t->view.by + 1) % TOP_SORTS;
        break;
    case '<':
        t->view.by = (t->view.by + TOP_SORTS - 1) % TOP_SORTS;
        break;
    case 'j':
        t->view.first += SCROLL_ROWS;
        break;
    case 'k':
        t->view.first -= MIN(t->view.first, (size_t)SCROLL_ROWS);
        break;
    case ' ':
        t->view.is_paused = !t->view.is_paused;
        break;
    case 'q':
    case TOP_KEY_END:
        return false;
    default: // other keys mean nothing, and a new size is drawn anyway
        break;
    }
    return true;
}

// What went wrong was told where nobody can read it any more.
static bool try_again(struct top *t)
{
    top_terminal_close();
    return look_again(t) && top_terminal_open();
}

static bool run_live(struct top *t)
{
    int64_t next_ms = clock_now_ms();
    for (bool goes_on = true; goes_on;) {
        draw(t);
        int key = top_terminal_key(next_ms);
        goes_on = take_key(t, key);
        if (clock_now_ms() < next_ms)
            continue;
        next_ms = clock_now_ms() + EVERY_MS;
        if (!goes_on || t->view.is_paused)
            continue;
        top_terminal_leave();
        bool is_fine = look_again(t);
        top_terminal_return();
        if (!is_fine && !try_again(t))
            return false;
    }
    return true;
}

static int show_live(const struct cli_args *args)
{
    struct top t = {.args = args};
    if (!look(args, &t.after))
        return CLI_FAILED;
    if (!top_terminal_open()) {
        fprintf(stderr, "sallyport: can't use the terminal: %s\n", strerror(errno));
        top_sample_fini(&t.after);
        return CLI_FAILED;
    }
    bool is_fine = run_live(&t);
    top_terminal_close();
    top_sample_fini(&t.before);
    top_sample_fini(&t.after);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_args *args)
{
    if (cli_has(args, "once") || cli_has(args, "json"))
        return show_once(args);
    if (top_terminal_is_there())
        return show_live(args);
    fprintf(stderr, "sallyport: this is no terminal to draw on: looking once\n");
    return show_once(args);
}

const struct cli_command cli_top = {
    .name = "top",
    .summary = "Watch the running proxy's traffic.",
    .doc =
        "Requests, errors, durations and bytes of each second: by site, route, service, server "
        "or filter. Keys: `s` sites, `r` routes, `v` services, `b` servers (backends), `f` "
        "filters (how many requests each has answered itself); `<` and `>` change the order, "
        "`j` and `k` scroll, a space pauses, `q` quits. Durations are of requests to their last "
        "byte; half are below `p50`, of a hundred 99 below `p99`. Without a terminal, one second "
        "is printed, as with `--once`. Exit status 1: the proxy can't be reached.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
