// SPDX-License-Identifier: Apache-2.0
// What random scenarios are made of: networks, exchanges, clients and servers, each with what a
// mood allows to go wrong.
#pragma once

#include "sim/sim_world.h"

struct mood {
    bool is_calm;                          // nothing goes wrong that exchanges would notice
    uint32_t client_faults, server_faults; // percent of connections, of exchanges
    bool removes_sites;
    bool has_other; // there is a second entrypoint
    bool has_h2;    // clients of it come, too
    bool is_tls;    // "web" speaks TLS; and a name of it is passed through
    size_t body_max;
    uint32_t start_within_ms; // clients
};

#define CHOOSE_START_WITHIN_MS 4000 // clients begin

int64_t some_ms(int64_t low, int64_t high); // in ns
void choose_network(struct mood *m);
// How "web" speaks TLS, a site of its own kind, and the route that passes through: each empty, or a
// piece of the settings.
const char *choose_tls(const struct mood *m);
const char *choose_site_tls(const struct mood *m);
const char *choose_passing(const struct mood *m);
const char *choose_host(void);                // one of the sites
bool choose_host_is_shared(const char *host); // its servers speak HTTP/2
struct sim_pace some_pace(size_t bytes);
struct sim_cut some_cut(size_t bytes);
size_t some_size(const struct mood *m);
// The last one of its connection, or the only one, may be of more kinds.
struct sim_plan *choose_plan(const struct mood *m, bool is_last, bool is_alone);
// How a client that asks for the host speaks TLS.
struct sim_tls_wish *choose_wish(const struct mood *m, const char *host);
// Makes it a calm client of TLS.
void choose_to_speak_tls(struct sim_client *c);
void choose_client(const struct mood *m, struct world *w);
void choose_h2_client(const struct mood *m, struct world *w);
struct sim_server *choose_server(const struct mood *m, uint32_t place);
