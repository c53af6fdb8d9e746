// SPDX-License-Identifier: Apache-2.0
// One DNS message to one server and its answer: UDP, repeated, and TCP where the answer is cut.
// Blocks; the cancel flag is looked at several times a second.
#pragma once

#include "acme/cancel.h"
#include "acme/dns_message.h"
#include "base/text.h"
#include "rt/addr.h"

#define DNS_PORT 53

// "192.0.2.1", "[2001:db8::1]:5353", "2001:db8::1", or a host's name, which the system resolves.
bool dns_server_parse(struct str server, struct rt_addr *ret);

unsigned dns_random_id(void);

struct dns_ask {
    const struct rt_addr *server;
    struct str query;
    int64_t timeout_ms; // whole
    bool by_tcp;        // from the start
    struct acme_cancel *cancel;
};

// ERR_TIMEOUT, ERR_CANCELLED, ERR_UNAVAILABLE: nobody listens there. What is in ret answers the
// query: same id, same question.
enum err dns_ask(const struct dns_ask *ask, struct text *ret) MUST_CHECK;
