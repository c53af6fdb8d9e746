// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_tls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor_http.h"
#include "tls/probe.h"
#include "tls/probe_hello.h"

#define CERT_MEM_BYTES ((size_t)1 << 20)
#define DAY_S 86400
#define SOON_DAYS 14
#define RSA_MIN_BITS 2048u
#define HSTS_MIN_S ((uint64_t)180 * DAY_S)
#define TLS_1_2 0x0303u

#define ADVICE_CHAIN                                                                               \
    "send the intermediates; for an authority of your own use --authority, for the local CA "      \
    "'sallyport trust'"

// --- what is accepted ---

static enum tls_probe_outcome hear(int fd, struct tls_probe_answer *ret)
{
    char buf[TLS_PROBE_ANSWER_MAX_BYTES * 2];
    size_t len = 0;
    enum tls_probe_outcome outcome = TLS_PROBE_MORE;
    while (outcome == TLS_PROBE_MORE && len < sizeof buf) {
        ssize_t n = recv(fd, buf + len, sizeof buf - len, 0);
        if (n <= 0)
            return TLS_PROBE_REFUSED; // closed, or silent
        len += (size_t)n;
        outcome = tls_probe_answer(str_from(buf, len), ret);
    }
    return outcome;
}

static bool accepts(const struct doctor_tls *d, unsigned version, struct tls_probe_suites suites,
                    struct tls_probe_answer *ret)
{
    struct text hello = {.ptr = NULL};
    int fd = doctor_connect(&d->address, d->port);
    *ret = (struct tls_probe_answer){.version = 0};
    tls_probe_hello(&hello, version, d->is_ip ? STR_NONE : d->name, suites);
    bool is_accepted =
        fd >= 0 && doctor_send(fd, text_str(&hello)) && hear(fd, ret) == TLS_PROBE_ACCEPTED;
    text_fini(&hello);
    if (fd >= 0)
        close(fd);
    return is_accepted;
}

static void look_at_answer(const struct tls_probe_answer *a, struct doctor_report *r)
{
    if (a->is_compressed)
        doctor_add(r, DOCTOR_WEAK, "compression", "turn compression of TLS off (CRIME)",
                   "the server compresses");
    else
        doctor_add(r, DOCTOR_OK, "compression", NULL, "off");
    if (!a->renegotiates_securely)
        doctor_add(r, DOCTOR_WEAK, "renegotiation", "update the server (RFC 5746)",
                   "secure renegotiation isn't known to the server");
}

// The newest version before TLS 1.3 that is accepted, or 0.
static unsigned look_at_versions(const struct doctor_tls *d, struct doctor_report *r)
{
    static const struct {
        unsigned version;
        bool is_weak;
        const char *check, *text;
    } versions[] = {{0x0300, true, "ssl-3.0", "SSL 3.0"},
                    {0x0301, true, "tls-1.0", "TLS 1.0"},
                    {0x0302, true, "tls-1.1", "TLS 1.1"},
                    {TLS_1_2, false, "tls-1.2", "TLS 1.2"},
                    {0x0304, false, "tls-1.3", "TLS 1.3"}};
    unsigned newest_old = 0;
    struct tls_probe_answer a, of_newest = {.version = 0};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        bool is_accepted = accepts(d, versions[i].version, (struct tls_probe_suites){.n = 0}, &a) &&
                           a.version == versions[i].version;
        if (is_accepted && versions[i].version <= TLS_1_2) {
            newest_old = versions[i].version;
            of_newest = a;
        }
        if (is_accepted && versions[i].is_weak)
            doctor_add(r, DOCTOR_WEAK, versions[i].check, "allow TLS 1.2 and 1.3 alone",
                       "%s is accepted", versions[i].text);
        else
            doctor_add(r, is_accepted == versions[i].is_weak ? DOCTOR_NOTE : DOCTOR_OK,
                       versions[i].check, NULL, "%s is %s", versions[i].text,
                       is_accepted ? "accepted" : "refused");
    }
    if (newest_old != 0)
        look_at_answer(&of_newest, r);
    return newest_old;
}

static void look_at_suites(const struct doctor_tls *d, unsigned version, struct doctor_report *r)
{
    static const char *const names[] = {
#define X(id, name, text) name,
        TLS_PROBE_WEAK_LIST(X)
#undef X
    };
    static const char *const texts[] = {
#define X(id, name, text) text,
        TLS_PROBE_WEAK_LIST(X)
#undef X
    };
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct tls_probe_answer a;
        if (version == 0 || !accepts(d, version, tls_probe_weak_suites(i), &a)) {
            doctor_add(r, DOCTOR_OK, names[i], NULL, "refused: %s", texts[i]);
            continue;
        }
        const char *suite = tls_probe_suite_name(a.suite);
        doctor_add(r, DOCTOR_WEAK, names[i],
                   "allow only ECDHE suites with GCM or ChaCha20-Poly1305 for TLS 1.2",
                   "accepted: %s: %s (0x%04X)", texts[i], suite ? suite : "a suite", a.suite);
    }
}

// --- certificates ---

static void look_at_chain(const struct tls_probe_info *info, struct doctor_report *r)
{
    if (info->why)
        doctor_add(r, DOCTOR_WEAK, "trust", ADVICE_CHAIN, "the certificate isn't trusted: %s",
                   info->why);
    else
        doctor_add(r, DOCTOR_OK, "trust", NULL, "the certificate is trusted");
    if (!info->is_in_order)
        doctor_add(r, DOCTOR_WEAK, "chain", "put each certificate before the one that signed it",
                   "%zu certificates, not in order", info->n_certs);
    else
        doctor_add(r, DOCTOR_OK, "chain", NULL, "%zu certificate%s, in order", info->n_certs,
                   info->n_certs == 1 ? "" : "s");
    if (info->weak_hash)
        doctor_add(r, DOCTOR_WEAK, "signature", "get a certificate that is signed with SHA-256",
                   "a certificate is signed with %s", info->weak_hash);
    if (info->wants_ocsp && !info->has_ocsp)
        doctor_add(r, DOCTOR_WEAK, "ocsp", "get a certificate without must-staple",
                   "the certificate demands a stapled OCSP answer, and none is sent");
    else
        doctor_add(r, DOCTOR_OK, "ocsp", NULL,
                   info->has_ocsp ? "an answer is stapled" : "not needed");
}

static void look_at_cert(const struct doctor_tls *d, const struct tls_cert_info *c,
                         struct doctor_report *r)
{
    int64_t now_s = time(NULL);
    int64_t days = (c->not_after_s - now_s) / DAY_S;
    if (tls_cert_covers(c, d->name))
        doctor_add(r, DOCTOR_OK, "name", NULL, "the certificate is for " STR_FMT, STR_ARG(d->name));
    else
        doctor_add(r, DOCTOR_WEAK, "name", "get a certificate for this name",
                   "the certificate isn't for " STR_FMT ", but for " STR_FMT "%s", STR_ARG(d->name),
                   STR_ARG(c->n_names > 0 ? c->names[0] : STR("no name")),
                   c->n_names > 1 ? " and others" : "");
    if (c->not_before_s > now_s)
        doctor_add(r, DOCTOR_WEAK, "expiry", "wait, or set this machine's clock",
                   "the certificate isn't valid yet");
    else if (c->not_after_s <= now_s)
        doctor_add(r, DOCTOR_WEAK, "expiry", "renew the certificate",
                   "the certificate has expired");
    else
        doctor_add(r, days < SOON_DAYS ? DOCTOR_WEAK : DOCTOR_OK, "expiry",
                   days < SOON_DAYS ? "renew the certificate; see why that didn't happen by itself"
                                    : NULL,
                   "the certificate is valid for %" PRId64 " day%s", days, days == 1 ? "" : "s");
    doctor_add(r, DOCTOR_OK, "issuer", NULL, STR_FMT "%s", STR_ARG(c->issuer_name),
               c->is_self_signed ? " (self-signed)" : "");
    bool is_rsa = c->key != TLS_KEY_P256 && c->key != TLS_KEY_P384 && c->key_bits > 600;
    bool is_small = is_rsa ? c->key_bits < RSA_MIN_BITS : c->key_bits < 224;
    doctor_add(r, is_small ? DOCTOR_WEAK : DOCTOR_OK, "key",
               is_small ? "make a new key: ECDSA P-256, or RSA of 2048 bits and more" : NULL,
               "%s, %u bits", tls_key_kind_text(c->key), c->key_bits);
}

// --- HTTP ---

static struct str field_of(const struct h1_response *h, enum field_id id)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        if (h->fields[i].id == id)
            return h->fields[i].value;
    }
    return STR_NONE;
}

static void look_at_hsts(struct str answer, struct doctor_report *r)
{
    struct field fields[H1_FIELDS_MAX];
    struct h1_response head;
    struct str body;
    if (!doctor_read_answer(answer, fields, &head, &body)) {
        doctor_add(r, DOCTOR_NOTE, "hsts", NULL, "no HTTP/1.1 is spoken behind TLS");
        return;
    }
    struct str value = field_of(&head, FIELD_STRICT_TRANSPORT_SECURITY);
    if (value.len == 0)
        doctor_add(r, DOCTOR_NOTE, "hsts",
                   "set hsts for the site once its certificate is a public one",
                   "no Strict-Transport-Security (status %u)", head.status);
    else
        doctor_add(r, DOCTOR_OK, "hsts", NULL, STR_FMT, STR_ARG(value));
}

static void look_at_redirect(const struct doctor_tls *d, struct doctor_report *r)
{
    struct field fields[H1_FIELDS_MAX];
    struct h1_response head;
    struct str body;
    struct text request = {.ptr = NULL}, answer = {.ptr = NULL};
    if (d->http_port == 0)
        return;
    int fd = doctor_connect(&d->address, d->http_port);
    if (fd < 0) {
        doctor_add(r, DOCTOR_OK, "redirect", NULL, "nothing answers at port %u", d->http_port);
        return;
    }
    doctor_put_request(&request, d->host, "/");
    if (doctor_send(fd, text_str(&request)))
        doctor_read_to_end(fd, &answer);
    close(fd);
    if (!doctor_read_answer(text_str(&answer), fields, &head, &body))
        doctor_add(r, DOCTOR_NOTE, "redirect", NULL, "no HTTP at port %u", d->http_port);
    else if (head.status / 100 == 3 &&
             str_istarts(field_of(&head, FIELD_LOCATION), STR("https://")))
        doctor_add(r, DOCTOR_OK, "redirect", NULL, "plain HTTP is redirected (status %u)",
                   head.status);
    else if (head.status >= 400)
        doctor_add(r, DOCTOR_OK, "redirect", NULL, "plain HTTP is refused (status %u)",
                   head.status);
    else
        doctor_add(r, DOCTOR_WEAK, "redirect", "redirect to https (redirect-to-https)",
                   "plain HTTP is served (status %u)", head.status);
    text_fini(&request);
    text_fini(&answer);
}

// --- connections ---

// A connection of its own for each look; tls_probe_close and close belong to the caller.
static struct tls_probe *open_probe(const struct doctor_tls *d, unsigned max_version,
                                    const struct tls_probe *resume, int *ret_fd,
                                    const char **ret_why)
{
    const struct tls_probe_wish wish = {
        .name = d->is_ip ? STR_NONE : d->name,
        .max_version = max_version,
        .authorities_pem = d->authorities_pem,
        .resume = resume,
    };
    *ret_fd = doctor_connect(&d->address, d->port);
    *ret_why = strerror(errno);
    return *ret_fd < 0 ? NULL : tls_probe_open(*ret_fd, &wish, ret_why);
}

static void close_probe(struct tls_probe *p, int fd)
{
    tls_probe_close(p);
    if (fd >= 0)
        close(fd);
}

static void look_at_resumption(const struct doctor_tls *d, const struct tls_probe *first,
                               struct doctor_report *r)
{
    int fd;
    const char *why;
    struct tls_probe_info info = {.is_resumed = false};
    struct tls_probe *p = open_probe(d, 0, first, &fd, &why);
    if (p)
        tls_probe_info(p, &info);
    close_probe(p, fd);
    doctor_add(r, info.is_resumed ? DOCTOR_OK : DOCTOR_NOTE, "resumption", NULL,
               info.is_resumed ? "sessions are resumed" : "sessions aren't resumed");
}

static void look_at_renegotiation(const struct doctor_tls *d, struct doctor_report *r)
{
    int fd;
    const char *why;
    struct tls_probe *p = open_probe(d, TLS_1_2, NULL, &fd, &why);
    if (p && tls_probe_renegotiates(p))
        doctor_add(r, DOCTOR_WEAK, "renegotiation",
                   "forbid renegotiation by clients: it costs the server more than them",
                   "clients may renegotiate");
    else if (p)
        doctor_add(r, DOCTOR_OK, "renegotiation", NULL, "refused to clients");
    close_probe(p, fd);
}

// Ends the connection, as some servers have one at a time.
static void look_at_connection(const struct doctor_tls *d, struct tls_probe *p, int fd,
                               struct doctor_report *r)
{
    struct tls_probe_info info;
    struct tls_cert_info cert;
    struct arena mem;
    struct text request = {.ptr = NULL}, answer = {.ptr = NULL};
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
    tls_probe_info(p, &info);
    doctor_add(r, DOCTOR_OK, "chosen", NULL, "%s, %s, %s", info.version, info.cipher,
               info.group[0] ? info.group : "no group");
    look_at_chain(&info, r);
    if (tls_probe_cert(p, &mem, &cert))
        look_at_cert(d, &cert, r);
    else
        doctor_add(r, DOCTOR_WEAK, "name", "give the server a certificate",
                   "the server has shown no certificate that can be read");
    doctor_put_request(&request, d->host, "/");
    tls_probe_ask(p, text_str(&request), DOCTOR_ANSWER_MAX_BYTES, &answer);
    close(fd);
    look_at_hsts(text_str(&answer), r);
    text_fini(&request);
    text_fini(&answer);
    arena_fini(&mem);
}

bool doctor_tls_look(const struct doctor_tls *d, struct doctor_report *report, const char **ret_why)
{
    int fd;
    struct tls_probe_answer any;
    struct tls_probe *p = open_probe(d, 0, NULL, &fd, ret_why);
    if (fd < 0)
        return false;
    if (p) {
        look_at_connection(d, p, fd, report);
        look_at_resumption(d, p, report); // TLS 1.3 sends tickets before its first answer
    } else {
        close(fd);
        doctor_add(report, DOCTOR_WEAK, "handshake", "see the server's log",
                   "no handshake succeeds: %s", *ret_why);
    }
    tls_probe_close(p);
    // A server may have nothing but what OpenSSL doesn't speak any more.
    if (p || accepts(d, TLS_1_2, (struct tls_probe_suites){.n = 0}, &any)) {
        unsigned newest_old = look_at_versions(d, report);
        look_at_suites(d, newest_old, report);
        if (newest_old != 0)
            look_at_renegotiation(d, report);
    }
    look_at_redirect(d, report);
    return true;
}
