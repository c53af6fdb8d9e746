// SPDX-License-Identifier: Apache-2.0
#include "acme/http.h"

#include <curl/curl.h>
#include <pthread.h>

#include "base/mem.h"
#include "rt/addr.h"

#define HEAD_MAX_BYTES ((size_t)64 << 10)
#define CONNECT_TIMEOUT_MS 10000L
#define USER_AGENT "sallyport/" SALLYPORT_VERSION " (ACME)"

struct acme_http {
    CURL *curl;                 // owns: keeps its connections
    struct curl_slist *json;    // owns: fields of a POST
    struct acme_cancel *cancel; // borrows
    struct acme_reach *reach;   // borrows
    char *ca_pem;               // owns, or NULL
    size_t ca_pem_bytes;
    char *proxy; // owns; "" for none
    int64_t timeout_ms;
    char error[CURL_ERROR_SIZE];
    // Of the request under way.
    const struct acme_request *request; // borrows
    struct acme_answer *answer;         // borrows
    enum acme_problem_kind refused;     // why we stopped it; NONE: we didn't
};

void acme_answer_fini(struct acme_answer *w)
{
    text_fini(&w->head);
    text_fini(&w->body);
}

// --- what libcurl calls ---

static size_t on_body(char *ptr, size_t size, size_t n, void *arg)
{
    struct acme_http *h = arg;
    size_t bytes = size * n; // libcurl promises size 1 and a bounded n
    if (bytes > h->request->body_max_bytes - h->answer->body.len) {
        h->refused = ACME_PROBLEM_TOO_LARGE;
        return CURL_WRITEFUNC_ERROR;
    }
    text_put(&h->answer->body, str_from(ptr, bytes));
    return bytes;
}

static size_t on_field(char *ptr, size_t size, size_t n, void *arg)
{
    struct acme_http *h = arg;
    size_t bytes = size * n;
    struct str line = str_from(ptr, bytes);
    if (str_starts(line, STR("HTTP/")))
        h->answer->head.len = 0; // what came before was of a 1xx answer
    if (bytes > HEAD_MAX_BYTES - h->answer->head.len) {
        h->refused = ACME_PROBLEM_TOO_LARGE;
        return CURL_WRITEFUNC_ERROR;
    }
    text_put(&h->answer->head, line);
    return bytes;
}

static int on_progress(void *arg, curl_off_t down, curl_off_t down_now, curl_off_t up,
                       curl_off_t up_now)
{
    struct acme_http *h = arg;
    (void)down, (void)down_now, (void)up, (void)up_now;
    if (acme_cancel_is_set(h->cancel))
        h->refused = ACME_PROBLEM_CANCELLED;
    return h->refused != ACME_PROBLEM_NONE;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct acme_http *h = arg;
    struct rt_addr addr = {.len = to->addrlen};
    struct ip ip;
    uint16_t port;
    (void)purpose;
    if (to->addrlen > sizeof addr.u)
        return CURL_SOCKET_BAD;
    memcpy(&addr.u, &to->addr, to->addrlen);
    if (!addr_to_ip(&addr, &ip, &port))
        return CURL_SOCKET_BAD;
    // A proxy is the operator's choice; what it connects to is out of sight.
    if (h->proxy[0] == '\0' && !acme_reach_address(h->reach, str_of(h->request->url), &ip)) {
        h->refused = ACME_PROBLEM_FORBIDDEN_URL;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

// --- a handle ---

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct acme_http *acme_http_new(const struct acme_http_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct acme_http *h = MEM_NEW(struct acme_http);
    h->curl = curl_easy_init();
    h->json = curl_slist_append(NULL, "Content-Type: application/jose+json");
    h->cancel = options->cancel;
    h->reach = options->reach;
    h->ca_pem_bytes = options->ca_pem.len;
    if (options->ca_pem.len > 0)
        h->ca_pem = mem_copy(options->ca_pem.ptr, options->ca_pem.len);
    h->proxy = mem_copy(options->proxy.ptr, options->proxy.len);
    h->timeout_ms = options->timeout_ms;
    if (h->curl && h->json)
        return h;
    acme_http_free(h);
    return NULL;
}

void acme_http_free(struct acme_http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->json);
    mem_free(h->ca_pem);
    mem_free(h->proxy);
    mem_free(h);
}

static CURLcode set_guards(struct acme_http *h)
{
    CURLcode bad = CURLE_OK;
    bad |= curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR,
                            h->reach->allow_http ? "http,https" : "https");
    bad |= curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(h->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYPEER, 1L);
    bad |= curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYHOST, 2L);
    bad |= curl_easy_setopt(h->curl, CURLOPT_PROXY, h->proxy);
    bad |= curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms);
    bad |= curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT_MS,
                            MIN(CONNECT_TIMEOUT_MS, (long)h->timeout_ms));
    bad |= curl_easy_setopt(h->curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    bad |= curl_easy_setopt(h->curl, CURLOPT_OPENSOCKETDATA, h);
    bad |= curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    bad |= curl_easy_setopt(h->curl, CURLOPT_XFERINFODATA, h);
    bad |= curl_easy_setopt(h->curl, CURLOPT_NOPROGRESS, 0L);
    if (h->ca_pem) {
        struct curl_blob pem = {h->ca_pem, h->ca_pem_bytes, CURL_BLOB_NOCOPY};
        bad |= curl_easy_setopt(h->curl, CURLOPT_CAINFO_BLOB, &pem);
        bad |= curl_easy_setopt(h->curl, CURLOPT_CAPATH, NULL); // instead of, not beside
    }
    return bad;
}

static CURLcode set_request(struct acme_http *h, const struct acme_request *r)
{
    CURLcode bad = CURLE_OK;
    bad |= curl_easy_setopt(h->curl, CURLOPT_URL, r->url);
    bad |= curl_easy_setopt(h->curl, CURLOPT_USERAGENT, USER_AGENT);
    bad |= curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error);
    bad |= curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, h);
    bad |= curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, on_field);
    bad |= curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, h);
    if (r->method == ACME_HEAD)
        bad |= curl_easy_setopt(h->curl, CURLOPT_NOBODY, 1L);
    if (r->method == ACME_POST) {
        bad |= curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        bad |= curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, r->body.ptr);
        bad |= curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, h->json);
    }
    return bad;
}

// --- a request ---

static enum acme_problem_kind kind_of(CURLcode code)
{
    // Only these are told apart for people; libcurl has a hundred.
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
        code == CURLE_SSL_ISSUER_ERROR)
        return ACME_PROBLEM_UNTRUSTED;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ACME_PROBLEM_TIMEOUT;
    if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_URL_MALFORMAT)
        return ACME_PROBLEM_BAD_ANSWER;
    return ACME_PROBLEM_UNREACHABLE;
}

static void explain(struct acme_http *h, CURLcode code, struct arena *mem,
                    struct acme_problem *reterr)
{
    const char *why = h->error[0] ? h->error : curl_easy_strerror(code);
    enum acme_problem_kind kind = h->refused != ACME_PROBLEM_NONE ? h->refused : kind_of(code);
    if (kind == ACME_PROBLEM_TOO_LARGE)
        why = "the answer is too large";
    else if (kind == ACME_PROBLEM_FORBIDDEN_URL)
        why = "the host is at an internal address";
    acme_problem_set(reterr, mem, kind, "%s: %s", h->request->url, why);
}

bool acme_http_send(void *arg, const struct acme_request *r, struct acme_answer *ret,
                    struct arena *mem, struct acme_problem *reterr)
{
    struct acme_http *h = arg;
    long status = 0;
    h->request = r;
    h->answer = ret;
    h->refused = ACME_PROBLEM_NONE;
    h->error[0] = '\0';
    curl_easy_reset(h->curl); // connections stay
    CURLcode code = set_guards(h) | set_request(h, r);
    if (code == CURLE_OK)
        code = curl_easy_perform(h->curl);
    else
        h->refused = ACME_PROBLEM_LOCAL;
    if (code == CURLE_OK)
        curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    ret->status = status > 0 && status < 1000 ? (unsigned)status : 0;
    if (code != CURLE_OK)
        explain(h, code, mem, reterr);
    return code == CURLE_OK;
}
