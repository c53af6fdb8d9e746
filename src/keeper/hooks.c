// SPDX-License-Identifier: Apache-2.0
#include "keeper/hooks.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "codec/date.h"
#include "keeper/program.h"
#include "rt/log.h"

#define QUEUE_MAX 10000 // as many as a certificate each of a large machine
#define LAST_MAX_MS 3000
#define CALL_MEM_BYTES ((size_t)1 << 20)
#define ENV_MAX 16

// A call with all that its program needs: settings may change before its turn.
struct turn {
    struct list_node node;
    struct arena mem;
    char **argv; // in mem
    char *env[ENV_MAX];
    size_t n_env;
    struct str id; // in mem
    enum hooks_event event;
    int64_t timeout_ms;
};

struct hooks {
    struct arena mem; // of the wish
    struct hooks_wish wish;
    struct acme_cancel cancel;
    pthread_mutex_t lock; // the rest
    pthread_cond_t work;
    struct list queue; // of struct turn
    size_t n_queued;
    pthread_t thread;
    bool has_thread, must_stop;
};

static const char *const event_names[] = {
#define X(id, name) name,
    HOOKS_EVENT_LIST(X)
#undef X
};

static void free_turn(struct turn *t)
{
    arena_fini(&t->mem);
    mem_free(t);
}

// --- the thread ---

static void run(struct hooks *h, struct turn *t)
{
    struct text output = {.ptr = NULL};
    const struct program program = {.argv = t->argv,
                                    .env = t->env,
                                    .timeout_ms = t->timeout_ms,
                                    .last_ms = LAST_MAX_MS,
                                    .cancel = &h->cancel};
    bool is_fine = program_run(&program, &output);
    const char *name = event_names[t->event];
    if (!is_fine)
        log_error("hook %s (certificate " STR_FMT " %s) failed: " STR_FMT, t->argv[0],
                  STR_ARG(t->id), name, STR_ARG(text_str(&output)));
    else if (output.len > 0)
        log_info("hook %s (certificate " STR_FMT " %s): " STR_FMT, t->argv[0], STR_ARG(t->id), name,
                 STR_ARG(text_str(&output)));
    text_fini(&output);
}

static void *run_thread(void *arg)
{
    struct hooks *h = arg;
    pthread_setname_np(pthread_self(), "hooks");
    pthread_mutex_lock(&h->lock);
    while (!h->must_stop) {
        struct list_node *n = list_pop_front(&h->queue);
        if (!n) {
            pthread_cond_wait(&h->work, &h->lock);
            continue;
        }
        h->n_queued--;
        pthread_mutex_unlock(&h->lock);
        struct turn *t = CONTAINER_OF(n, struct turn, node);
        run(h, t);
        free_turn(t);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

// --- for the loop ---

struct hooks *hooks_new(void)
{
    struct hooks *h = MEM_NEW(struct hooks);
    acme_cancel_init(&h->cancel);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->work, NULL);
    list_init(&h->queue);
    return h;
}

void hooks_free(struct hooks *h)
{
    if (!h)
        return;
    acme_cancel_set(&h->cancel);
    pthread_mutex_lock(&h->lock);
    h->must_stop = true;
    pthread_cond_signal(&h->work);
    pthread_mutex_unlock(&h->lock);
    if (h->has_thread)
        pthread_join(h->thread, NULL);
    if (h->n_queued > 0)
        log_warn("%zu hooks weren't run any more", h->n_queued);
    for (struct list_node *n; (n = list_pop_front(&h->queue)) != NULL;)
        free_turn(CONTAINER_OF(n, struct turn, node));
    acme_cancel_fini(&h->cancel);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->work);
    arena_fini(&h->mem);
    mem_free(h);
}

static const struct str *copy_texts(struct arena *mem, const struct str *texts, size_t n)
{
    struct str *copy = ARENA_ARRAY(mem, struct str, n + 1);
    if (!copy)
        panic("the settings' hooks don't fit");
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_dup(mem, texts[i]);
    return copy;
}

void hooks_want(struct hooks *h, const struct hooks_wish *wish)
{
    arena_fini(&h->mem);
    arena_init(&h->mem, CALL_MEM_BYTES, NULL, 0);
    h->wish = *wish;
    h->wish.issued = copy_texts(&h->mem, wish->issued, wish->n_issued);
    h->wish.trouble = copy_texts(&h->mem, wish->trouble, wish->n_trouble);
}

// An argument or a variable ends at a NUL: what is behind it is dropped.
static char *text_of(struct turn *t, struct str s)
{
    char *copy = ARENA_ARRAY(&t->mem, char, s.len + 1);
    if (copy)
        *str_copy(copy, s) = '\0';
    return copy;
}

static void set(struct turn *t, const char *name, struct str value)
{
    struct text all = {.ptr = NULL};
    text_printf(&all, "SALLYPORT_%s=" STR_FMT, name, STR_ARG(value));
    char *copy = text_of(t, text_str(&all));
    ASSERT(t->n_env < ENV_MAX - 1);
    if (copy)
        t->env[t->n_env++] = copy;
    text_fini(&all);
}

static void set_environment(struct turn *t, const struct hooks_call *call)
{
    char date[DATE_ISO_BYTES];
    struct text names = {.ptr = NULL};
    for (size_t i = 0; i < call->n_names; i++) {
        text_put(&names, i > 0 ? STR(" ") : STR_NONE);
        text_put(&names, call->names[i]);
    }
    date_iso_s(call->not_after_s, date);
    set(t, "EVENT", str_of(event_names[call->event]));
    set(t, "CERTIFICATE", call->id);
    set(t, "NAMES", text_str(&names));
    set(t, "ISSUER", call->issuer);
    set(t, "CERT_FILE", call->cert_file);
    set(t, "KEY_FILE", call->key_file);
    set(t, "ERROR", call->error);
    set(t, "NOT_AFTER", call->not_after_s > 0 ? str_from(date, sizeof date) : STR_NONE);
    text_fini(&names);
}

static struct turn *new_turn(const struct hooks *h, const struct hooks_call *call,
                             const struct str *argv, size_t n)
{
    struct turn *t = MEM_NEW(struct turn);
    arena_init(&t->mem, CALL_MEM_BYTES, NULL, 0);
    t->event = call->event;
    t->timeout_ms = h->wish.timeout_ms;
    t->id = arena_dup(&t->mem, call->id);
    t->argv = ARENA_ARRAY(&t->mem, char *, n + 1);
    for (size_t i = 0; t->argv && i < n; i++)
        t->argv[i] = text_of(t, argv[i]);
    if (t->argv)
        t->argv[n] = NULL;
    set_environment(t, call);
    return t;
}

void hooks_call(struct hooks *h, const struct hooks_call *call)
{
    bool is_issue = call->event == HOOKS_ISSUED || call->event == HOOKS_RENEWED;
    const struct str *argv = is_issue ? h->wish.issued : h->wish.trouble;
    size_t n = is_issue ? h->wish.n_issued : h->wish.n_trouble;
    if (n == 0)
        return;
    struct turn *t = new_turn(h, call, argv, n);
    pthread_mutex_lock(&h->lock);
    bool has_room = h->n_queued < QUEUE_MAX && t->argv && t->argv[0];
    if (has_room) {
        list_push_back(&h->queue, &t->node);
        h->n_queued++;
    }
    if (!h->has_thread)
        h->has_thread = pthread_create(&h->thread, NULL, run_thread, h) == 0;
    bool has_thread = h->has_thread;
    pthread_cond_signal(&h->work);
    pthread_mutex_unlock(&h->lock);
    if (!has_room || !has_thread)
        log_error("no %s for the hook of certificate " STR_FMT, has_room ? "thread" : "room",
                  STR_ARG(call->id));
    if (!has_room)
        free_turn(t);
}

static void check_program(const struct conf_texts *program, struct diags *diags)
{
    char path[PATH_MAX];
    if (program->n == 0)
        return;
    const struct conf_text *first = &program->items[0];
    int n = snprintf(path, sizeof path, STR_FMT, STR_ARG(first->text));
    if (n > 0 && (size_t)n < sizeof path && access(path, X_OK) == 0)
        return;
    diag_warn(diags, first->place, "the hook '" STR_FMT "' can't be run: %s", STR_ARG(first->text),
              strerrordesc_np(n < PATH_MAX ? errno : ENAMETOOLONG));
}

void hooks_check(const struct hooks_conf *conf, struct diags *diags)
{
    check_program(&conf->issued, diags);
    check_program(&conf->trouble, diags);
}
