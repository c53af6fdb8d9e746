// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "acme/order.h"
#include "rt/clock.h"

#define ALTERNATES_MAX 8u

// Each is signed by the next; the root is left out as a rule.
static bool is_chain(X509 *const *certs, size_t n)
{
    bool is_fine = true;
    for (size_t i = 1; i < n && is_fine; i++)
        is_fine = X509_check_issued(certs[i], certs[i - 1]) == X509_V_OK &&
                  X509_verify(certs[i - 1], X509_get0_pubkey(certs[i])) == 1;
    ERR_clear_error();
    return is_fine;
}

static bool covers_all(const struct tls_cert_info *leaf, const struct acme_order_wish *wish)
{
    for (size_t i = 0; i < wish->n_names; i++) {
        if (!tls_cert_covers(leaf, wish->names[i]))
            return false;
    }
    return true;
}

static const char *complaint(const struct acme_order_wish *wish, X509 *const *certs, size_t n,
                             const struct tls_cert_info *leaf)
{
    if (!tls_cert_has_key(certs[0], wish->key))
        return "the certificate is for another key";
    if (!covers_all(leaf, wish))
        return "the certificate doesn't have all names";
    if (leaf->not_after_s <= clock_wall_s())
        return "the certificate has expired";
    if (n == TLS_CHAIN_MAX)
        return "the chain has too many certificates";
    return is_chain(certs, n) ? NULL : "the chain's certificates don't sign each other";
}

// A chain that belongs to the wish, written anew: nothing else of the answer is kept.
static bool read_chain(struct acme_run *run, struct str pem, struct acme_certificate *ret,
                       const char **ret_why)
{
    X509 *certs[TLS_CHAIN_MAX];
    struct tls_cert_info top;
    struct text chain = {0};
    size_t n;
    if (!tls_certs_read(pem, certs, &n, ret_why))
        return false;
    *ret_why = "the certificate makes no sense";
    bool is_fine = tls_cert_info(certs[0], run->mem, &ret->leaf) &&
                   tls_cert_info(certs[n - 1], run->mem, &top);
    if (is_fine)
        *ret_why = complaint(run->wish, certs, n, &ret->leaf);
    is_fine = is_fine && !*ret_why;
    for (size_t i = 0; i < n && is_fine; i++)
        is_fine = tls_cert_put_pem(certs[i], &chain);
    if (is_fine) {
        ret->chain_pem = arena_dup(run->mem, text_str(&chain));
        ret->issuer_name = top.issuer_name;
        is_fine = ret->chain_pem.len > 0;
    }
    text_fini(&chain);
    tls_certs_free(certs, n);
    return is_fine;
}

static enum acme_result fetch_chain(struct acme_run *run, struct str url,
                                    struct acme_certificate *ret, struct acme_reply *reply)
{
    const char *why = NULL;
    struct acme_post post = {.url = url};
    enum acme_result result = acme_post(run->a, &post, reply, run->mem, run->problem);
    if (result != ACME_DONE)
        return result;
    if (read_chain(run, text_str(&reply->answer.body), ret, &why)) {
        ret->url = arena_dup(run->mem, url);
        ret->is_preferred = run->wish->preferred_issuer.len > 0 &&
                            str_ieq(ret->issuer_name, run->wish->preferred_issuer);
        return ACME_DONE;
    }
    acme_reply_fini(reply);
    return ACME_FAIL(run->problem, run->mem, WRONG_CERTIFICATE, "%s", why ? why : "no memory");
}

enum acme_result acme_chain_fetch(struct acme_run *run, struct str url,
                                  struct acme_certificate *ret)
{
    struct acme_reply reply, other;
    struct acme_certificate chain = {0};
    enum acme_result result = fetch_chain(run, url, &chain, &reply);
    if (result != ACME_DONE)
        return result;
    size_t n = run->wish->preferred_issuer.len > 0
                   ? MIN(reply.answer.fields.n_alternates, ALTERNATES_MAX)
                   : 0;
    for (size_t i = 0; i < n && !chain.is_preferred; i++) {
        struct acme_certificate found = {0};
        // One that can't be had is no reason to have none.
        if (fetch_chain(run, reply.answer.fields.alternates[i], &found, &other) != ACME_DONE)
            continue;
        acme_reply_fini(&other);
        if (found.is_preferred)
            chain = found;
    }
    acme_reply_fini(&reply);
    chain.url = arena_dup(run->mem, url); // where it is found again, with its alternates
    *ret = chain;
    acme_run_step(run, ACME_STEP_DOWNLOADED, STR_NONE);
    return ACME_DONE;
}
