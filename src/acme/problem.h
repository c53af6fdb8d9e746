// SPDX-License-Identifier: Apache-2.0
// Why something with an authority failed: the authority's problem document (RFC 7807, RFC 8555
// 6.7) or what we found ourselves, with a next step for people.
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "acme/challenge.h"
#include "base/arena.h"

// id, the type behind "urn:ietf:params:acme:error:" ("": ours, no authority says so), whether it
// may go away by itself, and what to do. "%N" stands for the name.
#define ACME_PROBLEM_LIST(X)                                                                       \
    X(NONE, "", false, "")                                                                         \
    X(OTHER, "", true, "The authority's own words say what is wrong.")                             \
    X(UNREACHABLE, "", true,                                                                       \
      "The authority can't be reached: check this machine's way to the internet, DNS, and the "    \
      "directory's address.")                                                                      \
    X(UNTRUSTED, "", false,                                                                        \
      "The authority's own certificate isn't trusted: check the directory's address and this "     \
      "machine's clock; a private authority needs its root certificate in the settings.")          \
    X(TIMEOUT, "", true, "It took too long; it is tried again later.")                             \
    X(CANCELLED, "", true, "It was stopped; it is tried again later.")                             \
    X(BAD_ANSWER, "", true,                                                                        \
      "The authority's answer breaks the protocol: check that the directory's address is that "    \
      "of an ACME directory.")                                                                     \
    X(TOO_LARGE, "", true, "The authority's answer is larger than is reasonable.")                 \
    X(FORBIDDEN_URL, "", false,                                                                    \
      "The authority points to an address that isn't followed: only https is, and internal "       \
      "addresses only when the directory itself is internal.")                                     \
    X(WRONG_CERTIFICATE, "", false,                                                                \
      "The authority sent a certificate that doesn't belong to the order; it isn't used.")         \
    X(NO_CHALLENGE, "", false,                                                                     \
      "None of the ways to prove %N that the authority offers is set up here; a wildcard needs "   \
      "dns-01, an IP address http-01 or tls-alpn-01.")                                             \
    X(NOT_PRESENTED, "", true, "The proof for %N couldn't be put in place; see the detail.")       \
    X(BAD_INPUT, "", false, "A value that was given can't be used; see the detail.")               \
    X(UNSUPPORTED, "", false, "The authority doesn't offer this.")                                 \
    X(LOCAL, "", true, "Something failed on this machine; see the detail.")                        \
    X(ACCOUNT_DOES_NOT_EXIST, "accountDoesNotExist", false,                                        \
      "The authority doesn't know the account's key: a new account is needed.")                    \
    X(ALREADY_REVOKED, "alreadyRevoked", false, "The certificate is revoked already.")             \
    X(ALREADY_REPLACED, "alreadyReplaced", false,                                                  \
      "The certificate has been renewed by another order already.")                                \
    X(BAD_CSR, "badCSR", false, "The authority doesn't take this request: try another key type.")  \
    X(BAD_NONCE, "badNonce", true, "The authority's nonces didn't work; it is tried again later.") \
    X(BAD_PUBLIC_KEY, "badPublicKey", false,                                                       \
      "The authority doesn't take this key: try another "                                          \
      "key type.")                                                                                 \
    X(BAD_REVOCATION_REASON, "badRevocationReason", false,                                         \
      "The authority doesn't take this reason: choose another one.")                               \
    X(BAD_SIGNATURE_ALGORITHM, "badSignatureAlgorithm", false,                                     \
      "The authority doesn't take this kind of account key: use an account with a P-256 key.")     \
    X(CAA, "caa", false,                                                                           \
      "A CAA record of %N or of a parent domain forbids this authority: add the authority to it "  \
      "or remove it.")                                                                             \
    X(COMPOUND, "compound", true, "Several names failed; each has its own reason.")                \
    X(CONNECTION, "connection", true,                                                              \
      "The authority couldn't connect to %N: check firewall, router and the name's A and AAAA "    \
      "records.")                                                                                  \
    X(DNS, "dns", true,                                                                            \
      "Public DNS has no usable answer for %N: check its records and its name servers.")           \
    X(EXTERNAL_ACCOUNT_REQUIRED, "externalAccountRequired", false,                                 \
      "The authority wants an account of its own: put the key id and the HMAC key that it gave "   \
      "you into the issuer's settings.")                                                           \
    X(INCORRECT_RESPONSE, "incorrectResponse", true,                                               \
      "Something else than this proxy answered for %N: check its A and AAAA records and what "     \
      "stands in front of this machine.")                                                          \
    X(INVALID_CONTACT, "invalidContact", false, "Give the issuer an email address that exists.")   \
    X(INVALID_PROFILE, "invalidProfile", false,                                                    \
      "The authority doesn't have this profile: choose one of those that its directory lists.")    \
    X(MALFORMED, "malformed", false, "The authority didn't understand the request.")               \
    X(ORDER_NOT_READY, "orderNotReady", true, "The order wasn't ready; it is tried again later.")  \
    X(RATE_LIMITED, "rateLimited", true,                                                           \
      "A limit of the authority is reached: nothing is tried before it ends; fewer certificates "  \
      "with more names each, or another issuer, help.")                                            \
    X(REJECTED_IDENTIFIER, "rejectedIdentifier", false,                                            \
      "The authority gives no certificate for %N: check its spelling; internal names need the "    \
      "local CA.")                                                                                 \
    X(SERVER_INTERNAL, "serverInternal", true,                                                     \
      "The authority has trouble of its own; it is tried again later.")                            \
    X(TLS, "tls", true,                                                                            \
      "The authority reached %N but TLS failed: something in front of this proxy may end TLS; "    \
      "try http-01 or dns-01.")                                                                    \
    X(UNAUTHORIZED, "unauthorized", true, "The authority didn't see the proof for %N.")            \
    X(UNSUPPORTED_CONTACT, "unsupportedContact", false,                                            \
      "The authority takes email addresses only.")                                                 \
    X(UNSUPPORTED_IDENTIFIER, "unsupportedIdentifier", false,                                      \
      "The authority gives no certificates for this kind of name (%N).")                           \
    X(USER_ACTION_REQUIRED, "userActionRequired", false,                                           \
      "The authority wants you to do something first: open the address in the detail.")

enum acme_problem_kind {
#define X(id, type, is_passing, next) ACME_PROBLEM_##id,
    ACME_PROBLEM_LIST(X)
#undef X
};

struct acme_problem {
    enum acme_problem_kind kind;
    struct str type;                    // as the authority wrote it; empty: it is ours
    struct str detail;                  // one line; the authority's words, or ours
    struct str name;                    // the name that it is about; empty: all
    enum acme_challenge_kind challenge; // with which it was tried
    unsigned status;                    // of HTTP; 0: none
    int64_t retry_after_s;              // not before; 0: the authority doesn't say
    bool is_passing;                    // trying again may help
    struct str next_step;               // a sentence for people
    const struct acme_problem *subs;    // by name, without subs of their own
    size_t n_subs;
};

#define ACME_PROBLEM_SUBS_MAX 100u
#define ACME_PROBLEM_TEXT_MAX_BYTES 2048u

// A problem of our own, its detail formatted into mem.
void acme_problem_set(struct acme_problem *p, struct arena *mem, enum acme_problem_kind kind,
                      const char *fmt, ...) PRINTF(4, 5);

// A problem document; doc may be of any JSON type. status: of the answer, or 0. All in mem.
void acme_problem_read(const json_t *doc, unsigned status, struct arena *mem,
                       struct acme_problem *ret);

// For whom and how: completes next_step. Kept as it is where the document has its own name.
void acme_problem_about(struct acme_problem *p, struct str name, enum acme_challenge_kind kind,
                        struct arena *mem);
