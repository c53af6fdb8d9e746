// SPDX-License-Identifier: Apache-2.0
#include "keeper/demand_ask.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"

#define THREADS 4
#define TIMEOUT_MS 5000L
#define HEAD_MAX_BYTES ((size_t)64 << 10)
#define USER_AGENT "sallyport/" SALLYPORT_VERSION " (on-demand)"

struct question {
    struct list_node node;
    struct text url; // with the name
    char name[DEMAND_ASK_NAME_BYTES];
    enum demand_said said;
    char why[DEMAND_ASK_WHY_BYTES];
};

struct demand_ask {
    int event; // owns
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list queue, done; // of struct question; under the lock, as the rest
    size_t n_open;
    pthread_t threads[THREADS];
    unsigned n_threads, n_idle;
    bool must_stop;
};

// --- one question ---

// libcurl needs no body: 0 of n bytes taken ends the transfer.
static size_t on_body(char *ptr, size_t size, size_t n, void *arg)
{
    (void)ptr;
    (void)arg;
    return size * n == 0 ? 0 : CURL_WRITEFUNC_ERROR;
}

static size_t on_field(char *ptr, size_t size, size_t n, void *arg)
{
    size_t *left = arg;
    (void)ptr;
    if (size * n >= *left) {
        *left = 0;
        return CURL_WRITEFUNC_ERROR;
    }
    *left -= size * n;
    return size * n;
}

static int on_progress(void *arg, curl_off_t down, curl_off_t down_now, curl_off_t up,
                       curl_off_t up_now)
{
    const struct demand_ask *a = arg;
    (void)down, (void)down_now, (void)up, (void)up_now;
    return __atomic_load_n(&a->must_stop, __ATOMIC_RELAXED);
}

static CURLcode set_up(CURL *curl, struct demand_ask *a, const struct question *q, size_t *head,
                       char *error)
{
    CURLcode bad = CURLE_OK;
    bad |= curl_easy_setopt(curl, CURLOPT_URL, q->url.ptr);
    bad |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    bad |= curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT);
    bad |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    bad |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_field);
    bad |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, head);
    bad |= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    bad |= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, a);
    bad |= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    return bad;
}

static void ask(struct demand_ask *a, struct question *q)
{
    char error[CURL_ERROR_SIZE] = "";
    size_t head = HEAD_MAX_BYTES;
    long status = 0;
    CURL *curl = curl_easy_init();
    q->said = DEMAND_SAID_NOTHING;
    CURLcode code = curl ? set_up(curl, a, q, &head, error) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    if (curl)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    // The body isn't read, which ends the transfer: the status is the answer.
    bool is_answer = (code == CURLE_OK || code == CURLE_WRITE_ERROR) && head > 0 && status >= 200;
    if (is_answer && status < 500)
        q->said = status == 200 ? DEMAND_SAID_YES : DEMAND_SAID_NO;
    else if (is_answer)
        snprintf(q->why, sizeof q->why, "it answers %ld", status);
    else if (head == 0)
        snprintf(q->why, sizeof q->why, "its answer has too many fields");
    else
        snprintf(q->why, sizeof q->why, "%s", error[0] ? error : curl_easy_strerror(code));
    curl_easy_cleanup(curl);
}

// --- threads ---

static void *run_thread(void *arg)
{
    struct demand_ask *a = arg;
    pthread_setname_np(pthread_self(), "on-demand");
    pthread_mutex_lock(&a->lock);
    while (!a->must_stop) {
        struct list_node *n = list_pop_front(&a->queue);
        if (!n) {
            a->n_idle++;
            pthread_cond_wait(&a->work, &a->lock);
            a->n_idle--;
            continue;
        }
        struct question *q = CONTAINER_OF(n, struct question, node);
        pthread_mutex_unlock(&a->lock);
        ask(a, q);
        pthread_mutex_lock(&a->lock);
        list_push_back(&a->done, &q->node);
        uint64_t one = 1;
        ssize_t ignored = write(a->event, &one, sizeof one);
        (void)ignored;
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct demand_ask *demand_ask_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct demand_ask *a = MEM_NEW(struct demand_ask);
    a->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (a->event < 0)
        panic("no eventfd");
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->work, NULL);
    list_init(&a->queue);
    list_init(&a->done);
    return a;
}

static void free_questions(struct list *list)
{
    struct list_node *n;
    while ((n = list_pop_front(list)) != NULL) {
        struct question *q = CONTAINER_OF(n, struct question, node);
        text_fini(&q->url);
        mem_free(q);
    }
}

void demand_ask_free(struct demand_ask *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    __atomic_store_n(&a->must_stop, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&a->work);
    pthread_mutex_unlock(&a->lock);
    for (unsigned i = 0; i < a->n_threads; i++)
        pthread_join(a->threads[i], NULL);
    free_questions(&a->queue);
    free_questions(&a->done);
    pthread_cond_destroy(&a->work);
    pthread_mutex_destroy(&a->lock);
    close(a->event);
    mem_free(a);
}

bool demand_ask_put(struct demand_ask *a, struct str url, struct str name)
{
    ASSERT(name.len < DEMAND_ASK_NAME_BYTES);
    pthread_mutex_lock(&a->lock);
    bool has_room = a->n_open < DEMAND_ASK_QUEUE_MAX;
    if (has_room) {
        struct question *q = MEM_NEW(struct question);
        text_put(&q->url, url);
        text_put(&q->url, str_find(url, '?') == STR_NPOS ? STR("?domain=") : STR("&domain="));
        text_put(&q->url, name);
        *str_copy(q->name, name) = '\0';
        list_push_back(&a->queue, &q->node);
        a->n_open++;
        bool needs_thread = a->n_idle == 0 && a->n_threads < THREADS;
        if (needs_thread && pthread_create(&a->threads[a->n_threads], NULL, run_thread, a) == 0)
            a->n_threads++;
        pthread_cond_signal(&a->work);
    }
    pthread_mutex_unlock(&a->lock);
    return has_room;
}

int demand_ask_fd(const struct demand_ask *a)
{
    return a->event;
}

bool demand_ask_take(struct demand_ask *a, char ret_name[static DEMAND_ASK_NAME_BYTES],
                     enum demand_said *ret, char ret_why[static DEMAND_ASK_WHY_BYTES])
{
    pthread_mutex_lock(&a->lock);
    struct list_node *n = list_pop_front(&a->done);
    uint64_t ignored;
    if (n)
        a->n_open--;
    else if (read(a->event, &ignored, sizeof ignored) < 0)
        n = NULL; // nothing was told
    pthread_mutex_unlock(&a->lock);
    if (!n)
        return false;
    struct question *q = CONTAINER_OF(n, struct question, node);
    memcpy(ret_name, q->name, sizeof q->name);
    memcpy(ret_why, q->why, sizeof q->why);
    *ret = q->said;
    text_fini(&q->url);
    mem_free(q);
    return true;
}
