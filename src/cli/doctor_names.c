// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "acme/reach.h"
#include "cli/doctor_http.h"
#include "keeper/issue_ledger.h"
#include "tls/probe.h"

#define CERT_MEM_BYTES ((size_t)1 << 20)
#define NAME_MAX_BYTES 256

static const char why_address[] = "there the authority looks for proofs, and clients for the site";
static const char why_reach[] = "an authority that doesn't reach this proxy doesn't sign";

// One name on its way through the checks.
struct look {
    const struct doctor_world *w;
    const struct issue_need *need;
    struct str name;
    bool is_wildcard, is_ip;
    bool needs_dns; // dns-01 alone proves it: nobody has to reach this machine
    struct doctor_report *r;
};

// --- how it can be proven ---

static bool allows(const struct issue_need *need, const struct doctor_world *w,
                   enum acme_challenge_kind kind)
{
    for (size_t i = 0; i < need->n_sources; i++) {
        const struct doctor_issuer *d = doctor_find_issuer(w, need->sources[i].issuer);
        for (size_t k = 0; d && k < d->issuer->n_challenges; k++) {
            if (d->issuer->challenges[k] == kind)
                return true;
        }
    }
    return false;
}

static void look_at_challenges(struct look *l)
{
    bool has_dns = allows(l->need, l->w, ACME_CHALLENGE_DNS_01);
    bool has_other = allows(l->need, l->w, ACME_CHALLENGE_HTTP_01) ||
                     allows(l->need, l->w, ACME_CHALLENGE_TLS_ALPN_01);
    l->needs_dns = l->is_wildcard || (has_dns && !has_other);
    if (l->is_wildcard && !has_dns) {
        doctor_add(l->r, DOCTOR_BAD, "challenge", NULL, "a wildcard is proven by dns-01 alone");
        doctor_explain(l->r, "no authority signs it otherwise",
                       "give the issuer 'challenges: [dns-01]' and a 'dns-hook'");
    }
}

// --- addresses ---

// "203.0.113.7, 203.0.113.8".
static struct str list_ips(const struct dns_addresses *a, char *buf, size_t n)
{
    struct writer w;
    char one[46];
    writer_init(&w, buf, n);
    for (size_t i = 0; i < a->n; i++) {
        if (i > 0)
            writer_put(&w, STR(", "));
        writer_put(&w, ip_text(&a->ips[i], one));
    }
    return writer_str(&w);
}

// An authority on this machine or in a company's network reaches what others don't.
static bool has_internal_issuer(const struct look *l)
{
    for (size_t i = 0; i < l->need->n_sources; i++) {
        const struct doctor_issuer *d = doctor_find_issuer(l->w, l->need->sources[i].issuer);
        struct str rest = d ? d->issuer->directory : STR_NONE, host;
        struct ip ip;
        (void)str_cut(rest, '/', NULL, &rest);
        rest = str_skip(rest, 1);
        (void)str_cut(rest, '/', &host, NULL);
        (void)str_cut(host, ':', &host, NULL);
        if (str_find(host, '.') == STR_NPOS ||
            (ip_parse(host, &ip) == ERR_OK && acme_ip_is_internal(&ip)))
            return true;
    }
    return false;
}

static void look_at_addresses(struct look *l, enum dns_found found, const struct dns_addresses *a,
                              const char *check)
{
    char list[DNS_FIND_ADDRESSES_MAX * 48];
    bool is_alias = !str_ieq(str_of(a->target), l->name);
    size_t n_own = 0, n_internal = 0;
    for (size_t i = 0; i < a->n; i++) {
        n_own += doctor_is_own(l->w, &a->ips[i]);
        n_internal += acme_ip_is_internal(&a->ips[i]);
    }
    struct str ips = list_ips(a, list, sizeof list);
    if (found == DNS_FOUND_REFUSED || found == DNS_FOUND_MALFORMED || found == DNS_FOUND_SILENT) {
        doctor_add(l->r, DOCTOR_BAD, check, NULL, "the lookup of " STR_FMT " failed: %s%s%s",
                   STR_ARG(l->name), dns_found_text(found), a->rcode ? ", " : "",
                   a->rcode ? dns_rcode_text(a->rcode) : "");
        doctor_explain(l->r, why_address,
                       "see whether the domain's name servers answer, and 'resolver' in the "
                       "settings%s%s",
                       a->server[0] ? "; asked was " : "", a->server);
    } else if (n_internal > 0 && !has_internal_issuer(l)) {
        doctor_add(l->r, DOCTOR_BAD, check, NULL, STR_FMT " isn't reachable from the internet",
                   STR_ARG(ips));
        doctor_explain(l->r, why_address,
                       "give the name this machine's public address, or let "
                       "the local CA sign it: 'tls: { issuer: local }'");
    } else if (a->n > 0) {
        doctor_add(l->r, DOCTOR_OK, check, NULL, STR_FMT "%s%s: %s (%s says so)", STR_ARG(ips),
                   is_alias ? " by way of " : "", is_alias ? a->target : "",
                   n_own == a->n ? "this machine's"
                   : n_own > 0   ? "partly this machine's"
                                 : "no interface of this machine has it, as behind a router",
                   a->server);
    }
}

static void look_at_dns(struct look *l, struct dns_addresses *v4, struct dns_addresses *v6)
{
    enum dns_found a = dns_find_addresses(&l->w->dns, l->name, DNS_TYPE_A, v4);
    enum dns_found aaaa = dns_find_addresses(&l->w->dns, l->name, DNS_TYPE_AAAA, v6);
    look_at_addresses(l, a, v4, "a");
    look_at_addresses(l, aaaa, v6, "aaaa");
    bool is_missing = (a == DNS_FOUND_NO_NAME || a == DNS_FOUND_NO_RECORDS) &&
                      (aaaa == DNS_FOUND_NO_NAME || aaaa == DNS_FOUND_NO_RECORDS);
    if (!is_missing)
        return;
    doctor_add(l->r, l->needs_dns ? DOCTOR_NOTE : DOCTOR_BAD, "a", NULL,
               STR_FMT " has no address: %s, neither A nor AAAA (%s says so)", STR_ARG(l->name),
               dns_found_text(a), v4->server);
    doctor_explain(l->r, why_address,
                   "add an A record with this machine's public address where the domain's DNS is "
                   "kept%s",
                   a == DNS_FOUND_NO_NAME ? ", or check the spelling" : "");
}

// --- CAA ---

static void tell_verdict(const struct look *l, const struct dns_caa *caa, enum caa_verdict verdict,
                         struct str issuer, struct str named)
{
    if (verdict == CAA_ALLOWED || verdict == CAA_UNRESTRICTED) {
        doctor_add(l->r, DOCTOR_OK, "caa", NULL, STR_FMT " may sign, by the records of " STR_FMT,
                   STR_ARG(issuer), STR_ARG(caa->at));
        return;
    }
    doctor_add(l->r, DOCTOR_BAD, "caa", NULL,
               "the records of " STR_FMT " keep " STR_FMT " from signing: %s ('" STR_FMT "')",
               STR_ARG(caa->at), STR_ARG(issuer), caa_verdict_text(verdict), STR_ARG(named));
    const struct doctor_issuer *d = doctor_find_issuer(l->w, issuer);
    doctor_explain(l->r, "authorities must refuse what CAA doesn't allow (RFC 8659)",
                   "add 'CAA 0 issue \"" STR_FMT "\"' there, take the records away, or choose "
                   "another issuer",
                   STR_ARG(d->directory.caa[0]));
}

static void look_at_caa(struct look *l)
{
    struct arena mem;
    struct dns_caa caa;
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
    enum dns_found found = dns_find_caa(&l->w->dns, l->name, &mem, &caa);
    if (found == DNS_FOUND_NO_RECORDS)
        doctor_add(l->r, DOCTOR_OK, "caa", NULL, "no records: any authority may sign");
    else if (found != DNS_FOUND_RECORDS || caa.n_malformed > 0) {
        doctor_add(l->r, DOCTOR_BAD, "caa", NULL,
                   "who may sign can't be found out at " STR_FMT ": %s%s%s", STR_ARG(caa.at),
                   caa.n_malformed > 0 ? "a record is malformed" : dns_found_text(found),
                   caa.rcode ? ", " : "", caa.rcode ? dns_rcode_text(caa.rcode) : "");
        doctor_explain(l->r, "authorities refuse when the lookup of CAA fails",
                       "see to the name servers of " STR_FMT, STR_ARG(caa.at));
    }
    for (size_t i = 0; found == DNS_FOUND_RECORDS && i < l->need->n_sources; i++) {
        const struct doctor_issuer *d = doctor_find_issuer(l->w, l->need->sources[i].issuer);
        struct str named;
        if (d && d->is_reachable && d->directory.n_caa == 0)
            doctor_add(l->r, DOCTOR_NOTE, "caa", NULL,
                       "the records of " STR_FMT " restrict who may sign; " STR_FMT
                       " doesn't say by what name they would mean it",
                       STR_ARG(caa.at), STR_ARG(d->issuer->name));
        if (!d || d->directory.n_caa == 0)
            continue;
        const struct caa_question q = {.domains = d->directory.caa,
                                       .n_domains = d->directory.n_caa,
                                       .is_wildcard = l->is_wildcard,
                                       .account_url = d->account_url,
                                       .challenges = d->issuer->challenges,
                                       .n_challenges = d->issuer->n_challenges};
        enum caa_verdict verdict = caa_decide(caa.records, caa.n, &q, &named);
        tell_verdict(l, &caa, verdict, d->issuer->name, named);
    }
    arena_fini(&mem);
}

// --- who answers ---

static void tell_unreachable(struct look *l, const char *check, const char *at, uint16_t port)
{
    int error = errno;
    doctor_add(l->r, DOCTOR_BAD, check, NULL, "nobody answers at %s port %u: %s", at, port,
               error == EAGAIN || error == EINPROGRESS ? "no answer in time" : strerror(error));
    doctor_explain(l->r, why_reach,
                   "open port %u in the firewall and forward it in the router; some routers don't "
                   "lead requests from inside back, then look from outside",
                   port);
}

static struct str server_of(const struct h1_response *h)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        if (str_ieq(h->fields[i].name, STR("server")))
            return h->fields[i].value;
    }
    return STR_NONE;
}

static void judge_answer(struct look *l, const char *at, struct str answer)
{
    struct field fields[H1_FIELDS_MAX];
    struct h1_response head;
    struct str body;
    if (!doctor_read_answer(answer, fields, &head, &body)) {
        doctor_add(l->r, DOCTOR_BAD, "port-80", NULL, "what answers at %s speaks no HTTP", at);
        doctor_explain(l->r, why_reach, "lead port 80 of the name to this proxy");
    } else if (l->w->token[0] == '\0') {
        doctor_add(l->r, DOCTOR_NOTE, "port-80", NULL, "somebody answers at %s (status %u)", at,
                   head.status);
    } else if (head.status == 200 && str_search(body, str_of(l->w->body)) != STR_NPOS) {
        doctor_add(l->r, DOCTOR_OK, "port-80", NULL, "%s leads to this proxy", at);
    } else {
        struct str server = server_of(&head);
        doctor_add(l->r, DOCTOR_BAD, "port-80", NULL,
                   STR_FMT " leads to %s, where another server answers: status %u%s" STR_FMT,
                   STR_ARG(l->name), at, head.status, server.len > 0 ? ", " : "", STR_ARG(server));
        doctor_explain(l->r, why_reach,
                       "point the name's A and AAAA records at this machine; if it "
                       "has moved for good, take the site out of the settings and "
                       "'sallyport cert forget' it");
    }
}

static void look_at_http(struct look *l, const struct ip *ip)
{
    struct text request = {.ptr = NULL}, answer = {.ptr = NULL};
    char text[46], at[48], path[128];
    struct str shown = ip_text(ip, text);
    snprintf(at, sizeof at, STR_FMT, STR_ARG(shown));
    snprintf(path, sizeof path, "/.well-known/acme-challenge/%s", l->w->token);
    int fd = doctor_connect(ip, l->w->http_port);
    if (fd < 0) {
        tell_unreachable(l, "port-80", at, l->w->http_port);
        return;
    }
    doctor_put_request(&request, l->name, path);
    if (doctor_send(fd, text_str(&request)))
        doctor_read_to_end(fd, &answer);
    close(fd);
    judge_answer(l, at, text_str(&answer));
    text_fini(&request);
    text_fini(&answer);
}

// The proxy that runs has a certificate of these bytes.
static bool is_ours(const struct doctor_world *w, const struct tls_cert_info *leaf)
{
    char hex[2 * TLS_SHA256_BYTES + 1];
    size_t i;
    json_t *c;
    for (size_t k = 0; k < TLS_SHA256_BYTES; k++)
        snprintf(hex + 2 * k, 3, "%02x", leaf->sha256[k]);
    json_array_foreach(json_object_get(w->status, "certificates"), i, c)
    {
        if (str_eq(str_of(json_string_value(json_object_get(c, "sha256"))), str_of(hex)))
            return true;
    }
    return false;
}

static void judge_certificate(struct look *l, const char *at, const struct tls_cert_info *leaf)
{
    if (!l->w->status) {
        doctor_add(l->r, DOCTOR_NOTE, "port-443", NULL, "%s shows a certificate of " STR_FMT, at,
                   STR_ARG(leaf->issuer_name));
    } else if (is_ours(l->w, leaf)) {
        doctor_add(l->r, DOCTOR_OK, "port-443", NULL, "%s shows this proxy's certificate", at);
    } else {
        doctor_add(l->r, DOCTOR_BAD, "port-443", NULL,
                   STR_FMT " leads to %s, where another certificate is shown, of " STR_FMT,
                   STR_ARG(l->name), at, STR_ARG(leaf->issuer_name));
        doctor_explain(l->r, why_reach,
                       "point the name at this machine, and let nothing in front "
                       "of it end TLS, or use http-01 or dns-01");
    }
}

static void look_at_tls(struct look *l, const struct ip *ip)
{
    struct tls_cert_info leaf;
    struct arena mem;
    const char *why;
    char text[46], at[48];
    struct str shown = ip_text(ip, text);
    snprintf(at, sizeof at, STR_FMT, STR_ARG(shown));
    int fd = doctor_connect(ip, l->w->https_port);
    if (fd < 0) {
        tell_unreachable(l, "port-443", at, l->w->https_port);
        return;
    }
    arena_init(&mem, CERT_MEM_BYTES, NULL, 0);
    const struct tls_probe_wish wish = {.name = l->is_ip ? STR_NONE : l->name};
    struct tls_probe *p = tls_probe_open(fd, &wish, &why);
    if (p && tls_probe_cert(p, &mem, &leaf)) {
        judge_certificate(l, at, &leaf);
    } else {
        doctor_add(l->r, DOCTOR_BAD, "port-443", NULL,
                   "what answers at %s shows no certificate: %s", at, p ? "it sent none" : why);
        doctor_explain(l->r, why_reach, "lead port 443 of the name to this proxy");
    }
    tls_probe_close(p);
    close(fd);
    arena_fini(&mem);
}

static void look_at_reach(struct look *l, const struct dns_addresses *a)
{
    for (size_t i = 0; i < a->n; i++) {
        look_at_http(l, &a->ips[i]);
        look_at_tls(l, &a->ips[i]);
    }
}

// --- limits, and what has happened ---

static void look_at_order(const struct doctor_world *w, const struct issue_need *need,
                          struct doctor_report *r)
{
    size_t i, k;
    json_t *order, *issuer;
    json_array_foreach(json_object_get(w->status, "orders"), i, order)
    {
        if (!str_eq(str_of(json_string_value(json_object_get(order, "id"))), need->id))
            continue;
        json_array_foreach(json_object_get(order, "issuers"), k, issuer)
        {
            const char *error = json_string_value(json_object_get(issuer, "last_error"));
            const char *again = json_string_value(json_object_get(issuer, "not_before"));
            if (!error)
                continue;
            doctor_add(r, DOCTOR_BAD, "order", NULL, "the last order failed: %s", error);
            doctor_explain(r, NULL,
                           "it is tried again%s%.16s; 'sallyport cert request' doesn't "
                           "wait",
                           again ? " from " : "", again ? again : "");
        }
    }
}

static void look_at_limit(const struct doctor_world *w, const struct issue_need *need,
                          struct doctor_report *r)
{
    struct issue_ledger ledger;
    int fd = open(w->wish->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int64_t now_s = (int64_t)time(NULL);
    if (fd < 0)
        return;
    issue_ledger_read(&ledger, fd, now_s);
    for (size_t i = 0; i < need->n_sources; i++) {
        struct str issuer = need->sources[i].issuer;
        int64_t at_s = 0;
        size_t n = 0;
        while ((at_s = issue_ledger_next_s(&ledger, issuer, need->id, at_s)) > 0)
            n++;
        bool is_full = issue_ledger_allows_s(&ledger, issuer, need->id, now_s) > now_s;
        doctor_add(r, is_full ? DOCTOR_BAD : DOCTOR_OK, "limit", NULL,
                   "%zu of %d orders a week at " STR_FMT, n, ISSUE_LEDGER_PER_ID, STR_ARG(issuer));
        if (is_full)
            doctor_explain(r, "authorities refuse more, for a week",
                           "wait; what eats them up is in the log");
    }
    issue_ledger_close(&ledger);
    close(fd);
}

void doctor_look_at_need(const struct doctor_world *w, const struct issue_need *need,
                         struct doctor_report *r)
{
    for (size_t i = 0; i < need->n_names; i++) {
        struct dns_addresses v4 = {.n = 0}, v6 = {.n = 0};
        struct look l = {.w = w, .need = need, .name = need->names[i], .r = r};
        doctor_begin(r, l.name);
        l.is_ip = ip_parse(l.name, &v4.ips[0]) == ERR_OK;
        l.is_wildcard = str_starts(l.name, STR("*."));
        look_at_challenges(&l);
        if (l.is_wildcard)
            l.name = str_skip(l.name, 2);
        if (l.is_ip)
            v4.n = 1;
        else if (!l.is_wildcard)
            look_at_dns(&l, &v4, &v6);
        if (!l.is_ip)
            look_at_caa(&l);
        if (!l.needs_dns) {
            look_at_reach(&l, &v4);
            look_at_reach(&l, &v6);
        }
    }
    doctor_begin(r, need->id);
    look_at_limit(w, need, r);
    look_at_order(w, need, r);
    doctor_begin(r, STR_NONE);
}
