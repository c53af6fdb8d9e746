// SPDX-License-Identifier: Apache-2.0
// What DNS says of a name, with how it is known: addresses, and who may sign (CAA). By asking
// resolvers. Blocks.
#pragma once

#include "acme/caa.h"
#include "acme/dns_ask.h"

#define DNS_FIND_SERVERS_MAX 8u
#define DNS_FIND_ADDRESSES_MAX 16u
#define DNS_FIND_CAA_MAX 32u

struct dns_find {
    struct rt_addr servers[DNS_FIND_SERVERS_MAX]; // asked in order, until one answers
    size_t n_servers;
    int64_t timeout_ms; // of one; 0: 5 000
};

// Those of texts ("192.0.2.1", "[2001:db8::1]:53"), or when there are none those of a
// resolv.conf(5). False: a text is none.
bool dns_find_init(struct dns_find *f, const struct str *servers, size_t n, struct str resolv_conf)
    MUST_CHECK;

#define DNS_FOUND_LIST(X)                                                                          \
    X(RECORDS, "there are records")                                                                \
    X(NO_RECORDS, "the name has no such record")                                                   \
    X(NO_NAME, "the name doesn't exist")                                                           \
    X(REFUSED, "the resolver can't find out")                                                      \
    X(SILENT, "no resolver answers")                                                               \
    X(MALFORMED, "the answer is malformed")

enum dns_found {
#define X(id, text) DNS_FOUND_##id,
    DNS_FOUND_LIST(X)
#undef X
};
const char *dns_found_text(enum dns_found found);

struct dns_addresses {
    struct ip ips[DNS_FIND_ADDRESSES_MAX];
    size_t n;
    char target[DNS_NAME_MAX_BYTES]; // where aliases lead; the name itself without any
    unsigned rcode;                  // of REFUSED
    char server[64];                 // who said so
};

// type: A or AAAA. Everything but RECORDS has no addresses.
enum dns_found dns_find_addresses(const struct dns_find *f, struct str name, enum dns_type type,
                                  struct dns_addresses *ret);

struct dns_caa {
    struct caa_record records[DNS_FIND_CAA_MAX]; // texts in the caller's arena
    size_t n;
    struct str at;      // the name that has them, of the name and its parents; in the name
    size_t n_malformed; // that authorities take for ones that forbid
    unsigned rcode;     // of REFUSED
    char server[64];    // who said so
};

// RFC 8659 3: of the name, or the nearest parent that has any. NO_RECORDS: nobody is restricted.
// REFUSED, SILENT, MALFORMED: authorities that see the same don't sign.
enum dns_found dns_find_caa(const struct dns_find *f, struct str name, struct arena *mem,
                            struct dns_caa *ret);
