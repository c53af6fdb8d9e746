// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "sim/sim.h"
#include "sim/sim_certs.h"
#include "sim/sim_random.h"

#define RECORD_MAX_BYTES 16384
#define WIRE_BYTES 16384
#define SESSIONS_MAX 8
#define RENEW_EACH 3 // writes

struct sim_tls {
    struct sim_tls *next;
    struct sim_end *end;
    struct sim_tls_wish wish;
    SSL *ssl; // owns; NULL: closed
    sim_end_fn *fn;
    void (*on_cut)(void *arg, enum sim_fault how);
    void *arg;
    uint32_t generation; // of the certificates when it began
    uint32_t n_writes;
    size_t n_sent; // on the wire
    bool is_shaken, is_broken, is_pausing;
    bool is_stopped; // by a cut: sends no more
    bool ends;       // FIN behind what is left
    bool is_closing; // the peer has closed it; it goes behind what is left
};

struct session {
    const char *name;
    SSL_SESSION *session; // owns
};

static struct {
    SSL_CTX *client, *server; // own
    struct session sessions[SESSIONS_MAX];
    struct sim_tls *all;
    uint32_t generation, n_open, n_resumed;
} tls;

// --- life of a world ---

// The name's place; NULL: there is none left.
static struct session *place_of(const char *name)
{
    for (size_t i = 0; name && i < SESSIONS_MAX; i++) {
        struct session *s = &tls.sessions[i];
        if (!s->name || strcmp(s->name, name) == 0) {
            s->name = name;
            return s;
        }
    }
    return NULL;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct sim_tls *t = SSL_get_app_data(ssl);
    struct session *s = place_of(t->wish.server_name);
    if (!s)
        return 0;
    SSL_SESSION_free(s->session);
    s->session = session;
    return 1;
}

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_n,
                           const unsigned char *offered, unsigned n_offered, void *arg)
{
    const struct sim_tls *t = SSL_get_app_data(ssl);
    const struct str mine = t->wish.protocols;
    unsigned char *chosen;
    (void)arg;
    if (mine.len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_select_next_proto(&chosen, ret_n, (const unsigned char *)mine.ptr, (unsigned)mine.len,
                              offered, n_offered) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

void sim_tls_init(void)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    sim_random_init();
    sim_certs_init();
    tls.client = SSL_CTX_new(TLS_client_method());
    tls.server = SSL_CTX_new(TLS_server_method());
    ASSERT(tls.client && tls.server);
    SSL_CTX_set_session_cache_mode(tls.client,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(tls.client, on_session);
    SSL_CTX_set_mode(tls.client, SSL_MODE_ENABLE_PARTIAL_WRITE);
    ASSERT(SSL_CTX_set_alpn_protos(tls.client, protocols, sizeof protocols - 1) == 0);
    SSL_CTX_set_alpn_select_cb(tls.server, choose_protocol, NULL);
    ASSERT(SSL_CTX_use_certificate(tls.server, sim_certs_of_server()) == 1);
    ASSERT(SSL_CTX_use_PrivateKey(tls.server, sim_certs_key_of_server()) == 1);
}

void sim_tls_fini(void)
{
    SSL_CTX_free(tls.client);
    SSL_CTX_free(tls.server);
    sim_certs_fini();
    sim_random_fini();
}

void sim_tls_start(uint64_t seed)
{
    sim_random_start(seed);
    tls.all = NULL;
    tls.generation = tls.n_open = tls.n_resumed = 0;
}

static void free_ssl(struct sim_tls *t)
{
    tls.n_open -= t->ssl != NULL;
    SSL_free(t->ssl);
    t->ssl = NULL;
}

void sim_tls_stop(void)
{
    for (struct sim_tls *t = tls.all; t; t = t->next)
        free_ssl(t);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        SSL_SESSION_free(tls.sessions[i].session);
        tls.sessions[i] = (struct session){.name = NULL};
    }
}

void sim_tls_set_generation(uint32_t n)
{
    tls.generation = n;
}

uint32_t sim_tls_generation(void)
{
    return tls.generation;
}

uint32_t sim_tls_n_open(void)
{
    return tls.n_open;
}

uint32_t sim_tls_n_resumed(void)
{
    return tls.n_resumed;
}

size_t sim_tls_n_sent(const struct sim_tls *t)
{
    return t->n_sent;
}

void sim_tls_forget(struct sim_tls *t)
{
    SSL_free(t->ssl);
    t->ssl = NULL; // and still counts: the worker has its half
    t->is_broken = true;
}

// --- the wire ---

static void cut_is_due(void *arg, uint64_t tag)
{
    struct sim_tls *t = arg;
    (void)tag;
    if (t->ssl)
        t->on_cut(t->arg, t->wish.cut.how);
}

static void flush(struct sim_tls *t);

static void go_on(void *arg, uint64_t tag)
{
    struct sim_tls *t = arg;
    (void)tag;
    t->is_pausing = false;
    if (t->ssl)
        t->end->fn(t, t->end);
}

// How many of n bytes go at once.
static size_t piece_of(struct sim_tls *t, size_t n)
{
    if (t->wish.pace.piece_bytes > 0 && !t->is_shaken)
        n = MIN(n, (size_t)t->wish.pace.piece_bytes);
    if (t->wish.cut.how != SIM_GO_ON)
        n = MIN(n, t->wish.cut.at - t->n_sent);
    return MIN(n, (size_t)WIRE_BYTES);
}

// Some bytes of what is left. False: not now.
static bool send_piece(struct sim_tls *t)
{
    char *ptr, bytes[WIRE_BYTES];
    BIO *out = SSL_get_wbio(t->ssl);
    size_t n = piece_of(t, (size_t)BIO_get_mem_data(out, &ptr));
    if (n == 0) {
        t->is_stopped = true;
        sim_in(0, cut_is_due, t, 0);
        return false;
    }
    memcpy(bytes, ptr, n);
    if (t->wish.flip_at >= t->n_sent && t->wish.flip_at - t->n_sent < n && t->wish.flip_at > 0)
        bytes[t->wish.flip_at - t->n_sent] ^= 0x10;
    ssize_t put = sim_net_write(t->end, bytes, n);
    if (put <= 0)
        return false;
    t->n_sent += (size_t)put;
    ASSERT(BIO_read(out, bytes, (int)put) == put);
    if (t->wish.pace.gap_ns > 0 && !t->is_shaken) {
        t->is_pausing = true;
        sim_in(t->wish.pace.gap_ns, go_on, t, 0);
    }
    return true;
}

static bool has_left(const struct sim_tls *t)
{
    return BIO_pending(SSL_get_wbio(t->ssl)) > 0;
}

static void flush(struct sim_tls *t)
{
    if (!t->ssl || t->end->is_closed)
        return;
    while (has_left(t)) {
        if (t->is_pausing || t->is_stopped || !send_piece(t))
            return;
    }
    if (t->ends) {
        t->ends = false;
        sim_net_shut_write(t->end);
    }
}

// The peer is done with it: once nothing is left, or nobody takes it, the end is closed.
static void close_soon(struct sim_tls *t)
{
    bool is_lost = !t->ssl || t->is_stopped || t->end->is_reset || t->end->state != SIM_END_OPEN;
    if (!is_lost) {
        flush(t);
        if (has_left(t))
            return;
    }
    sim_net_close(t->end);
    free_ssl(t);
}

static void on_event(void *arg, struct sim_end *e)
{
    struct sim_tls *t = arg;
    if (t->is_closing) {
        if (t->ssl)
            close_soon(t);
        return;
    }
    if (t->ssl)
        flush(t);
    t->fn(t->arg, e);
}

struct sim_tls *sim_tls_new(struct sim_end *end, const struct sim_tls_wish *wish, sim_end_fn *fn,
                            void (*on_cut)(void *arg, enum sim_fault how), void *arg)
{
    struct sim_tls *t = sim_alloc(sizeof *t);
    *t = (struct sim_tls){.next = tls.all,
                          .end = end,
                          .wish = *wish,
                          .fn = fn,
                          .on_cut = on_cut,
                          .arg = arg,
                          .generation = tls.generation};
    tls.all = t;
    t->ssl = SSL_new(wish->is_server ? tls.server : tls.client);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    ASSERT(t->ssl && in && out);
    tls.n_open++;
    SSL_set_bio(t->ssl, in, out);
    SSL_set_app_data(t->ssl, t);
    if (wish->is_server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    if (wish->server_name)
        SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 (void *)(uintptr_t)wish->server_name); // it copies
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    if (wish->speaks_h2)
        ASSERT(SSL_set_alpn_protos(t->ssl, both, sizeof both - 1) == 0);
    if (wish->speaks_1_2)
        SSL_set_max_proto_version(t->ssl, TLS1_2_VERSION);
    struct session *s = wish->resumes ? place_of(wish->server_name) : NULL;
    if (s && s->session)
        SSL_set_session(t->ssl, s->session);
    end->fn = on_event;
    end->arg = t;
    return t;
}

// --- reading and writing ---

static void check_certificate(struct sim_tls *t)
{
    X509 *got = SSL_get0_peer_certificate(t->ssl);
    enum sim_tls_shows shows = t->wish.shows;
    bool is_right = got && shows != SIM_TLS_SHOWS_SITE && X509_cmp(got, sim_certs_of_server()) == 0;
    for (uint32_t g = t->generation; shows != SIM_TLS_SHOWS_SERVER && g <= tls.generation; g++)
        is_right |= got && X509_cmp(got, sim_certs_of_sites(g)) == 0;
    if (!is_right)
        sim_fail("#%u: the certificate isn't one of those in force", t->end->id);
}

static struct str protocol_of(const struct sim_tls *t)
{
    const unsigned char *protocol = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(t->ssl, &protocol, &n);
    return str_from((const char *)protocol, n);
}

static void handshake_is_done(struct sim_tls *t)
{
    t->is_shaken = true;
    bool is_resumed = SSL_session_reused(t->ssl) == 1;
    tls.n_resumed += is_resumed;
    struct str protocol = protocol_of(t);
    sim_log("#%u %s: %s%s, " STR_FMT, t->end->id, t->wish.is_server ? "a server's TLS" : "TLS",
            SSL_get_version(t->ssl), is_resumed ? ", resumed" : "", STR_ARG(protocol));
    if (t->wish.is_server)
        return;
    struct str wanted = t->wish.speaks_h2 ? STR("h2") : STR("http/1.1");
    if (t->wish.shows == SIM_TLS_SHOWS_SITE && !str_eq(protocol, wanted))
        sim_fail("#%u: the protocol wasn't chosen", t->end->id);
    if (!is_resumed)
        check_certificate(t);
}

// What a call of OpenSSL's that didn't succeed means: -EAGAIN, 0 for the peer's end, or an error.
static ssize_t explain(struct sim_tls *t)
{
    int error = SSL_get_error(t->ssl, 0);
    unsigned long why = ERR_peek_error();
    bool is_cut =
        error == SSL_ERROR_SYSCALL || ERR_GET_REASON(why) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (error == SSL_ERROR_WANT_READ)
        return -EAGAIN;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    t->is_broken = true;
    if (!is_cut)
        sim_log("#%u TLS is broken: %s", t->end->id, ERR_reason_error_string(why));
    return is_cut ? -ECONNRESET : -EPROTO;
}

// Leaves nothing in the error queue, which is the thread's, and so the worker's, too.
static ssize_t after(struct sim_tls *t, ssize_t result)
{
    if (!t->is_shaken && SSL_is_init_finished(t->ssl))
        handshake_is_done(t);
    ERR_clear_error();
    flush(t);
    return result;
}

// More of the wire for OpenSSL. 0: it has ended.
static ssize_t feed(struct sim_tls *t)
{
    char bytes[WIRE_BYTES];
    BIO *in = SSL_get_rbio(t->ssl);
    ssize_t n = sim_net_read(t->end, bytes, sizeof bytes);
    if (n > 0)
        ASSERT(BIO_write(in, bytes, (int)n) == n);
    else if (n == 0)
        BIO_set_mem_eof_return(in, 0);
    return n;
}

// Of the records that are here already: many may be small.
static size_t read_more(struct sim_tls *t, char *buf, size_t n)
{
    size_t at = 0, got;
    while (at < n && BIO_pending(SSL_get_rbio(t->ssl)) > 0 &&
           SSL_read_ex(t->ssl, buf + at, n - at, &got) == 1)
        at += got;
    return at;
}

static ssize_t read_tls(struct sim_tls *t, void *buf, size_t n)
{
    bool has_ended = false;
    for (;;) {
        size_t got = 0;
        if (t->is_broken)
            return -EPROTO;
        if (SSL_read_ex(t->ssl, buf, n, &got) == 1)
            return after(t, (ssize_t)(got + read_more(t, (char *)buf + got, n - got)));
        ssize_t result = explain(t);
        if (result != -EAGAIN || has_ended)
            return after(t, has_ended && result == -EAGAIN ? -ECONNRESET : result);
        ssize_t fed = feed(t);
        if (fed < 0)
            return after(t, fed);
        has_ended = fed == 0;
    }
}

static ssize_t write_tls(struct sim_tls *t, const void *buf, size_t n)
{
    size_t put = 0;
    if (t->is_broken)
        return -EPROTO;
    if (has_left(t)) {
        flush(t);
        if (has_left(t))
            return -EAGAIN;
    }
    if (t->is_shaken && t->wish.renews_keys && t->n_writes++ % RENEW_EACH == 0 &&
        SSL_version(t->ssl) == TLS1_3_VERSION)
        SSL_key_update(t->ssl, SSL_KEY_UPDATE_REQUESTED);
    if (SSL_write_ex(t->ssl, buf, MIN(n, (size_t)RECORD_MAX_BYTES), &put) == 1)
        return after(t, (ssize_t)put);
    ssize_t result = explain(t);
    return after(t, result == 0 ? -EPIPE : result);
}

static void send_end(struct sim_tls *t)
{
    if (t->is_shaken && !t->is_broken && !t->wish.is_rude)
        (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

static int shake_tls(struct sim_tls *t)
{
    bool has_ended = false;
    for (;;) {
        if (t->is_broken)
            return -EPROTO;
        if (SSL_do_handshake(t->ssl) == 1)
            return (int)after(t, 0);
        ssize_t result = explain(t);
        if (result != -EAGAIN || has_ended)
            return (int)after(t, result == -EPROTO ? result : -ECONNRESET);
        ssize_t fed = feed(t);
        if (fed < 0)
            return (int)after(t, fed);
        has_ended = fed == 0;
    }
}

// --- the peer's calls ---

void sim_wire_hear(struct sim_wire *w, sim_end_fn *fn, void (*on_cut)(void *, enum sim_fault),
                   void *arg)
{
    if (!w->tls) {
        w->end->fn = fn;
        w->end->arg = arg;
        return;
    }
    w->tls->fn = fn;
    w->tls->on_cut = on_cut;
    w->tls->arg = arg;
}

int sim_wire_shake(struct sim_wire *w)
{
    return w->tls ? shake_tls(w->tls) : 0;
}

bool sim_wire_speaks_h2(const struct sim_wire *w)
{
    return w->tls && str_eq(protocol_of(w->tls), STR("h2"));
}

ssize_t sim_wire_read(struct sim_wire *w, void *buf, size_t n)
{
    return w->tls ? read_tls(w->tls, buf, n) : sim_net_read(w->end, buf, n);
}

ssize_t sim_wire_write(struct sim_wire *w, const void *buf, size_t n)
{
    return w->tls ? write_tls(w->tls, buf, n) : sim_net_write(w->end, buf, n);
}

void sim_wire_shut_write(struct sim_wire *w)
{
    if (!w->tls) {
        sim_net_shut_write(w->end);
        return;
    }
    send_end(w->tls);
    w->tls->ends = true;
    flush(w->tls);
}

void sim_wire_close(struct sim_wire *w)
{
    if (!w->tls) {
        sim_net_close(w->end);
        return;
    }
    if (!w->tls->ends) // else it has been told
        send_end(w->tls);
    w->tls->is_closing = true;
    close_soon(w->tls);
}

void sim_wire_reset(struct sim_wire *w)
{
    if (w->tls) {
        w->tls->is_closing = true;
        free_ssl(w->tls);
    }
    sim_net_reset(w->end);
}

bool sim_wire_is_closed(const struct sim_wire *w)
{
    return w->tls ? w->tls->is_closing : w->end->is_closed;
}
