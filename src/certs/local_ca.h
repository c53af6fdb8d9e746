// SPDX-License-Identifier: Apache-2.0
// The local CA: certificates for names that no public authority serves or has served yet. Root and
// intermediate are made when they are first needed, and renewed in time; leaves are made when asked
// for and live in the caller's memory.
#pragma once

#include "certs/store.h"

#define CERTS_LOCAL_LEAF_LIFE_S (90 * 86400)
#define CERTS_ISSUER_LOCAL "local" // the name of the local CA among issuers

struct certs_local_ca;

// Reads the CA from the store, and makes or renews what is missing or due. s NULL: one that is kept
// nowhere. NULL: *ret_why.
struct certs_local_ca *certs_local_ca_open(const struct certs_store *s, int64_t now_s,
                                           const char **ret_why);
// Accepts NULL.
void certs_local_ca_close(struct certs_local_ca *ca);

// True when root or intermediate are due for renewal: open it anew then.
bool certs_local_ca_is_due(const struct certs_local_ca *ca, int64_t now_s);

// A new key and a certificate for names, valid for CERTS_LOCAL_LEAF_LIFE_S. In mem, which holds a
// secret then.
enum err certs_local_ca_leaf(const struct certs_local_ca *ca, const struct str *names,
                             size_t n_names, int64_t now_s, struct arena *mem,
                             struct tls_credential *ret, const char **ret_why) MUST_CHECK;

// When a certificate is to be renewed: at two thirds of its life.
int64_t certs_renewal_s(const struct tls_cert_info *leaf);

// The certificate that clients are to trust.
struct str certs_local_ca_root_pem(const struct certs_local_ca *ca);

// Names that no public authority serves: single labels, special-use names (RFC 6761 without the
// documentation's, 6762, 8375, .internal), and addresses that aren't public.
bool certs_is_local_name(struct str name);
