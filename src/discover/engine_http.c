// SPDX-License-Identifier: Apache-2.0
#include "discover/engine_http.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "codec/date.h"
#include "rt/addr.h"

#define CONNECT_MS 5000L
#define KEEPALIVE_S 15L
#define IDLE_CONNECTIONS_MAX 8L // kept for what is asked next

struct engine_http {
    CURLM *multi;                   // owns
    struct curl_slist *resolve;     // owns: what the host's name stands for; or NULL
    char base[320];                 // "http://docker", "https://10.0.0.5:2376"
    char path[128];                 // of the Unix socket; or empty
    struct conf_file ca, cert, key; // borrow
};

// Something that is asked, until it is answered.
struct question {
    CURL *easy; // owns
    struct engine_limits limits;
    engine_bytes_fn *on_bytes; // NULL: the body is collected
    engine_answer_fn *on_end;
    void *arg;
    struct engine_answer answer;
    bool has_begun;
    bool is_too_large;
    char error[CURL_ERROR_SIZE];
};

// --- addresses ---

// A sandbox has no resolver: the name's addresses are looked up beforehand.
static bool resolve(struct engine_http *h, const struct docker_endpoint *to, const char **ret_why)
{
    char host[256], line[1024];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    bool is_ip6 = str_starts(to->host, STR("["));
    struct str bare = is_ip6 ? str_from(to->host.ptr + 1, to->host.len - 2) : to->host;
    snprintf(host, sizeof host, STR_FMT, STR_ARG(bare));
    int failed = getaddrinfo(host, NULL, &hints, &found);
    if (failed != 0) {
        *ret_why = gai_strerror(failed);
        return false;
    }
    size_t n = (size_t)snprintf(line, sizeof line, "%s:%u:", host, to->port);
    for (const struct addrinfo *a = found; a; a = a->ai_next) {
        struct rt_addr addr = {.len = a->ai_addrlen};
        struct ip ip;
        uint16_t port;
        char text[46];
        memcpy(&addr.u, a->ai_addr, MIN(sizeof addr.u, (size_t)a->ai_addrlen));
        if (!addr_to_ip(&addr, &ip, &port) || n + sizeof text + 3 > sizeof line)
            continue;
        struct str written = ip_text(&ip, text);
        n += (size_t)snprintf(line + n, sizeof line - n, ip.family == 6 ? "%s[%.*s]" : "%s%.*s",
                              line[n - 1] == ':' ? "" : ",", STR_ARG(written));
    }
    freeaddrinfo(found);
    h->resolve = curl_slist_append(NULL, line);
    return h->resolve != NULL;
}

struct engine_http *engine_http_new(const struct docker_conf *conf, const char **ret_why)
{
    struct docker_endpoint to;
    struct engine_http *h = MEM_NEW(struct engine_http);
    h->multi = curl_multi_init();
    h->ca = conf->tls.ca;
    h->cert = conf->tls.cert;
    h->key = conf->tls.key;
    *ret_why = "libcurl can't";
    bool is_fine =
        h->multi && docker_endpoint_parse(conf->endpoint.text, &to) &&
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX) == CURLM_OK;
    if (is_fine && to.kind == DOCKER_UNIX) {
        snprintf(h->base, sizeof h->base, "http://docker");
        snprintf(h->path, sizeof h->path, STR_FMT, STR_ARG(to.path));
    } else if (is_fine) {
        snprintf(h->base, sizeof h->base, "%s://" STR_FMT ":%u", h->ca.is_set ? "https" : "http",
                 STR_ARG(to.host), to.port);
        is_fine = resolve(h, &to, ret_why);
    }
    if (is_fine)
        return h;
    curl_multi_cleanup(h->multi);
    mem_free(h);
    return NULL;
}

// --- what curl calls ---

static bool begin(struct question *q)
{
    bool is_first = !q->has_begun;
    q->has_begun = true;
    return !is_first || !q->on_bytes || q->on_bytes(q->arg, STR_NONE);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct question *q = arg;
    size_t len = size * n; // curl never sends more than 64 KiB
    if (q->on_bytes)
        return begin(q) && q->on_bytes(q->arg, str_from(bytes, len)) ? len : 0;
    q->is_too_large = q->answer.body.len + len > q->limits.max_bytes;
    if (q->is_too_large)
        return 0;
    text_put(&q->answer.body, str_from(bytes, len));
    return len;
}

static size_t on_field(char *bytes, size_t size, size_t n, void *arg)
{
    struct question *q = arg;
    struct str name, value, line = str_from(bytes, size * n);
    int64_t date_s;
    while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == '\n'))
        line.len--;
    if (line.len == 0 && !begin(q)) // the head's end; events may take a while to follow
        return 0;
    if (str_cut(line, ':', &name, &value) && str_ieq(name, STR("date")) &&
        date_http_parse(str_trim(value), &date_s) == ERR_OK)
        q->answer.date_s = date_s;
    return size * n;
}

// --- questions ---

static CURLcode set_blob(CURL *easy, CURLoption option, const struct conf_file *file)
{
    struct curl_blob blob = {(void *)(uintptr_t)file->content.ptr, file->content.len,
                             CURL_BLOB_NOCOPY};
    return file->is_set ? curl_easy_setopt(easy, option, &blob) : CURLE_OK;
}

static CURLcode set_peer(const struct engine_http *h, CURL *easy)
{
    CURLcode bad = CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "sallyport/" SALLYPORT_VERSION);
    if (h->path[0])
        return bad | curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, h->path);
    bad |= curl_easy_setopt(easy, CURLOPT_RESOLVE, h->resolve);
    bad |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    bad |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    if (!h->ca.is_set)
        return bad;
    bad |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    bad |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); // instead of the system's
    bad |= set_blob(easy, CURLOPT_CAINFO_BLOB, &h->ca);
    bad |= set_blob(easy, CURLOPT_SSLCERT_BLOB, &h->cert);
    return bad | set_blob(easy, CURLOPT_SSLKEY_BLOB, &h->key);
}

static CURLcode set_url(const struct engine_http *h, CURL *easy, const char *path)
{
    char url[1024];
    int n = snprintf(url, sizeof url, "%s%s", h->base, path);
    return n < (int)sizeof url ? curl_easy_setopt(easy, CURLOPT_URL, url) : CURLE_URL_MALFORMAT;
}

static void question_free(struct question *q)
{
    curl_easy_cleanup(q->easy);
    text_fini(&q->answer.body);
    mem_free(q);
}

static bool send_off(struct engine_http *h, const char *path, struct question *q)
{
    q->easy = curl_easy_init();
    if (!q->easy)
        return false;
    CURLcode bad = set_peer(h, q->easy) | set_url(h, q->easy, path);
    bad |= curl_easy_setopt(q->easy, CURLOPT_TIMEOUT_MS, (long)q->limits.timeout_ms);
    bad |= curl_easy_setopt(q->easy, CURLOPT_ERRORBUFFER, q->error);
    bad |= curl_easy_setopt(q->easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(q->easy, CURLOPT_WRITEDATA, q);
    bad |= curl_easy_setopt(q->easy, CURLOPT_HEADERFUNCTION, on_field);
    bad |= curl_easy_setopt(q->easy, CURLOPT_HEADERDATA, q);
    bad |= curl_easy_setopt(q->easy, CURLOPT_PRIVATE, (void *)q);
    if (q->on_bytes) // else another status than 200 is an answer as well
        bad |= curl_easy_setopt(q->easy, CURLOPT_FAILONERROR, 1L);
    return bad == CURLE_OK && curl_multi_add_handle(h->multi, q->easy) == CURLM_OK;
}

static bool ask(struct engine_http *h, const char *path, struct question what)
{
    struct question *q = MEM_NEW(struct question);
    *q = what;
    if (send_off(h, path, q))
        return true;
    question_free(q);
    return false;
}

bool engine_http_ask(struct engine_http *h, const char *path, struct engine_limits limits,
                     engine_answer_fn *fn, void *arg)
{
    return ask(h, path, (struct question){.limits = limits, .on_end = fn, .arg = arg});
}

bool engine_http_stream(struct engine_http *h, const char *path, engine_bytes_fn *on_bytes,
                        engine_answer_fn *on_end, void *arg)
{
    return ask(h, path, (struct question){.on_bytes = on_bytes, .on_end = on_end, .arg = arg});
}

// --- answers ---

// Size and unit of a limit, which are whole ones.
static const char *too_large_text(const struct question *q, char buf[96])
{
    bool is_mib = q->limits.max_bytes >= (size_t)1 << 20;
    snprintf(buf, 96, "its answer is larger than %zu %s", q->limits.max_bytes >> (is_mib ? 20 : 10),
             is_mib ? "MiB" : "KiB");
    return buf;
}

static void finish(struct engine_http *h, CURL *easy, CURLcode result)
{
    char buf[96];
    void *private = NULL;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    struct question *q = private;
    const char *why = NULL;
    q->answer.status = status > 0 && status < 1000 ? (unsigned)status : 0;
    if (q->is_too_large)
        why = too_large_text(q, buf);
    else if (result != CURLE_OK)
        why = q->error[0] ? q->error : curl_easy_strerror(result);
    q->on_end(q->arg, why ? NULL : &q->answer, why);
    curl_multi_remove_handle(h->multi, easy);
    question_free(q);
}

bool engine_http_wait(struct engine_http *h, int fd, int64_t wait_ms)
{
    int n_ready, n_running, n_left;
    struct curl_waitfd waited = {.fd = fd, .events = CURL_WAIT_POLLIN};
    curl_multi_poll(h->multi, &waited, 1, (int)wait_ms, &n_ready);
    curl_multi_perform(h->multi, &n_running);
    for (const CURLMsg *m; (m = curl_multi_info_read(h->multi, &n_left)) != NULL;) {
        if (m->msg == CURLMSG_DONE)
            finish(h, m->easy_handle, m->data.result);
    }
    return waited.revents != 0;
}
