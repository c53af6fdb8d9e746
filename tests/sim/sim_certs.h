// SPDX-License-Identifier: Apache-2.0
// What worlds speak TLS with: certificates of the worker's sites in several generations, as
// renewals bring them, keys of tickets, and the certificate of a server that is passed through.
// Made once, from a seed of their own.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "gate/credentials.h"

#define SIM_CERTS_GENERATIONS 6 // a later one begins anew: they differ from the one before

void sim_certs_init(void);
void sim_certs_fini(void);
// What the worker is given as generation n. Borrowed.
const struct credentials *sim_certs_credentials(uint32_t n);
// The certificate that clients are shown then.
X509 *sim_certs_of_sites(uint32_t n);

X509 *sim_certs_of_server(void);
EVP_PKEY *sim_certs_key_of_server(void);
const char *sim_certs_pin_of_server(void); // as settings write it
