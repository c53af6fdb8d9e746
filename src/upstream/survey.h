// SPDX-License-Identifier: Apache-2.0
// What is known of the servers of some services, and what all workers together have at them: for
// status. Made on the aux thread, carried from worker to worker by mail, each of which adds what is
// its own, and read on the aux thread again. Never two threads have it at once.
#pragma once

#include "http/handler.h"
#include "upstream/health.h"
#include "upstream/server_url.h"

struct mirror_stats;
struct server_state;
struct service_conf;

struct survey_address {
    struct str text;     // "10.0.0.1", "::1", "unix:/run/app.sock"
    bool is_skipped;     // it couldn't be reached a moment ago
    uint64_t n_failures; // since it is known
    // By checks; UNKNOWN where there are none.
    enum health health;
    bool is_down;               // it gets no requests
    int64_t ejected_until_ms;   // monotonic: the same, until then; 0: it isn't ejected
    uint32_t n_active;          // exchanges and tunnels, if they are counted
    int64_t since_ms;           // monotonic: since when it is so; 0: unknown
    char why[HEALTH_WHY_BYTES]; // of the last bad check; empty: there was none
};

struct survey_server {
    struct server_state *state; // borrows
    struct str name;            // borrows: "10.0.0.1:8080"
    bool is_counted;            // n_active of its addresses is known
    bool is_drained;            // somebody wants it to get no more requests
    bool is_checked;
    struct str url; // borrows: as the user wrote it; there are none with passwords
    uint32_t weight;
    const char *why;     // static: why a name has no address, or why the last look-up failed; NULL
    uint64_t n_failures; // of all addresses that it ever had
    struct survey_address *addresses; // owns
    size_t n_addresses;
    // Of the workers that have added theirs.
    uint64_t n_conns; // idle ones too; not those to addresses that it no longer has
    uint64_t n_idle;
    uint64_t n_requests; // sent; each try counts
    bool is_tls;
    uint64_t n_handshakes; // of TLS that came about; those that didn't are failures
    uint64_t n_resumed;    // of them, with a session from before
};

struct survey_service {
    struct str name;                 // borrows: of one that a route writes down, its first URL
    const struct breaker *breaker;   // borrows; NULL: it has none
    const struct service_conf *conf; // borrows
    enum server_protocol protocol;
    uint32_t n_queued;                 // exchanges that wait for a place at its servers
    struct str mirror_to;              // borrows; empty: it has none
    const struct mirror_stats *mirror; // borrows; NULL: the same
    size_t first;                      // its servers in survey.servers
    size_t n_servers;
};

struct group;

struct survey {
    struct survey_service *services; // owns
    size_t n_services;
    struct survey_server *servers; // owns: of one service after the other
    size_t n_servers;
    const struct group **groups; // owns the list
    size_t n_groups;
    size_t next; // server that the worker looks at next
};

// Of these services, each with the same servers once. Whoever has the survey keeps the services.
struct survey *survey_new(struct handler *const *services, size_t n);
// Accepts NULL.
void survey_free(struct survey *s);

// Adds what the worker of this thread has, a piece of it: as much as takes well below a
// millisecond. False: there is more; to be called again in another turn of the loop.
bool survey_add(struct survey *s);
