// SPDX-License-Identifier: Apache-2.0
#include "discover/engine_http.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "codec/date.h"
#include "rt/addr.h"

#define ANSWER_MAX_BYTES ((size_t)64 << 20)
#define CONNECT_MS 5000L
#define TIMEOUT_MS 10000L
#define KEEPALIVE_S 15L

struct engine_http {
    CURL *easy;                     // owns
    struct curl_slist *resolve;     // owns: what the host's name stands for; or NULL
    char base[320];                 // "http://docker", "https://10.0.0.5:2376"
    char path[128];                 // of the Unix socket; or empty
    struct conf_file ca, cert, key; // borrow
    struct engine_answer *answer;   // borrows: while a question is asked
    bool is_too_large;
    char error[CURL_ERROR_SIZE + 128];
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
    h->easy = curl_easy_init();
    h->ca = conf->tls.ca;
    h->cert = conf->tls.cert;
    h->key = conf->tls.key;
    *ret_why = "libcurl can't";
    bool is_fine = h->easy && docker_endpoint_parse(conf->endpoint.text, &to);
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
    engine_http_free(h);
    return NULL;
}

void engine_http_free(struct engine_http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    curl_slist_free_all(h->resolve);
    mem_free(h);
}

void engine_answer_fini(struct engine_answer *a)
{
    text_fini(&a->body);
    *a = (struct engine_answer){.status = 0};
}

// --- what curl calls ---

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct engine_http *h = arg;
    size_t len = size * n; // curl never sends more than 64 KiB
    if (h->answer->body.len + len > ANSWER_MAX_BYTES) {
        h->is_too_large = true;
        return 0;
    }
    text_put(&h->answer->body, str_from(bytes, len));
    return len;
}

static size_t on_field(char *bytes, size_t size, size_t n, void *arg)
{
    struct engine_http *h = arg;
    struct str name, value, line = str_from(bytes, size * n);
    int64_t date_s;
    while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == '\n'))
        line.len--;
    if (str_cut(line, ':', &name, &value) && str_ieq(name, STR("date")) &&
        date_http_parse(str_trim(value), &date_s) == ERR_OK)
        h->answer->date_s = date_s;
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

bool engine_http_get(struct engine_http *h, const char *path, struct engine_answer *ret,
                     const char **ret_why)
{
    long status = 0;
    *ret = (struct engine_answer){.status = 0};
    h->answer = ret;
    h->is_too_large = false;
    h->error[0] = '\0';
    curl_easy_reset(h->easy); // connections stay
    CURLcode bad = set_peer(h, h->easy) | set_url(h, h->easy, path);
    bad |= curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    bad |= curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->error);
    bad |= curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
    bad |= curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, on_field);
    bad |= curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
    if (bad == CURLE_OK)
        bad = curl_easy_perform(h->easy);
    if (bad == CURLE_OK)
        curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    ret->status = status > 0 && status < 1000 ? (unsigned)status : 0;
    if (bad == CURLE_OK)
        return true;
    if (h->is_too_large)
        snprintf(h->error, sizeof h->error, "its answer is too large");
    else if (!h->error[0])
        snprintf(h->error, sizeof h->error, "%s", curl_easy_strerror(bad));
    *ret_why = h->error;
    engine_answer_fini(ret);
    return false;
}

CURL *engine_http_stream(struct engine_http *h, const char *path, engine_bytes_fn *fn, void *arg)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    CURLcode bad = set_peer(h, easy) | set_url(h, easy, path);
    bad |= curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fn);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, arg);
    if (bad == CURLE_OK)
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}
