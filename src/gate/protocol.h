// SPDX-License-Identifier: Apache-2.0
// What keeper and gate say to each other over their channel (rt/channel.h). Both are the same
// binary, so messages are plain structs; all the same the gate's answers are checked by the keeper,
// which trusts the gate with nothing.
#pragma once

#include <stdint.h>

#include "gate/ban_book.h"
#include "rt/log.h"

// Each message starts with one of these. A descriptor travels with those marked (fd).
enum gate_message {
    // keeper to gate
    GATE_LOG = 1,  // (fd, if it is one) the target of a log stream: struct gate_log
    GATE_LISTEN,   // (fd) a listening socket, after the first GATE_READY: struct gate_listen
    GATE_UNLISTEN, // no longer: struct gate_unlisten
    GATE_SNAPSHOT, // (fd, a sealed memfd) new settings: struct gate_snapshot
    GATE_DRAIN,    // finish and leave: struct gate_drain
    // gate to keeper
    GATE_READY,   // a snapshot is in force on all workers: struct gate_ready
    GATE_REFUSED, // a snapshot was refused: struct gate_refused
    // keeper to gate
    GATE_PING, // do the workers still turn? struct gate_question
    GATE_ASK,  // what is the state of things? struct gate_question
    // gate to keeper
    GATE_PONG,   // all workers have turned since: struct gate_question
    GATE_STATUS, // (fd, a sealed memfd: one JSON object) the answer to GATE_ASK: struct
                 // gate_question
    // keeper to gate
    GATE_NAMES, // (fd, a sealed memfd, see rt/dns_system.h) how names become addresses, before the
                // first GATE_SNAPSHOT and whenever it changes: struct gate_names
    GATE_CERTS, // (fd, a sealed memfd: tls/bundle.h) all certificates, before the first
                // GATE_SNAPSHOT and whenever they change: struct gate_secrets
    GATE_TICKETS, // (fd, a sealed memfd: tls/tickets.h) the keys of session tickets, as GATE_CERTS
    GATE_CHALLENGES, // (fd, a sealed memfd: gate/challenges.h) proofs for authorities, as
                     // GATE_CERTS
    // gate to keeper
    GATE_PETITION, // somebody waits for what only the keeper can do: struct gate_petition
    // keeper to gate
    GATE_VERDICT,     // the answer to it: struct gate_verdict
    GATE_FORGET_PINS, // learnt keys of servers are to be asked for anew: struct gate_secrets
    GATE_COOKIE_KEY,  // (fd, a sealed memfd) of clients who stick to servers, as GATE_CERTS
    GATE_BANS, // (fd, a sealed memfd: struct ban, one behind the other) all bans, before the first
               // GATE_SNAPSHOT: struct gate_secrets
    // both ways
    GATE_BAN, // somebody is banned: struct gate_ban
    // keeper to gate
    GATE_UNBAN,  // and isn't any more, only ban.net counts: struct gate_ban
    GATE_SERVER, // a server is to get no more requests, or some again: struct gate_server
    // gate to keeper
    GATE_INQUIRY, // what is only known there? struct gate_question
    // keeper to gate
    GATE_KNOWLEDGE, // (fd, a sealed memfd: one JSON object) the answer to it: struct gate_knowledge
    GATE_LAST,      // no other gate takes over when this one leaves; before GATE_DRAIN: struct
                    // gate_secrets
    GATE_API,       // what a command asks of the API: struct gate_api
    // gate to keeper
    GATE_PAGE, // (fd, a sealed memfd: JSON) the answer to it: struct gate_page
    // keeper to gate
    GATE_SPOOL, // (fd) a file for bodies that are read ahead, before the first GATE_SNAPSHOT:
                // struct gate_spool
};

// The numbers and structs of GATE_DRAIN, GATE_PING and GATE_PONG stay as they are for good: after
// an upgrade, a keeper of another version talks so with a gate of this one.

struct gate_log {
    uint32_t type;
    uint32_t stream;
    struct log_target target;
};

#define GATE_NAME_MAX_BYTES 255
struct gate_listen {
    uint32_t type;
    uint32_t id;     // the keeper's number for this socket
    uint32_t worker; // whose it is
    uint32_t name_bytes;
    char name[GATE_NAME_MAX_BYTES + 1]; // of the entrypoint
};

struct gate_names {
    uint32_t type;
};

struct gate_secrets {
    uint32_t type;
};

struct gate_unlisten {
    uint32_t type;
    uint32_t id;
};

struct gate_snapshot {
    uint32_t type;
    uint32_t n_workers; // the same in all messages of one gate's life
    uint64_t seq;
};

struct gate_drain {
    uint32_t type;
    uint32_t idle_ms; // an idle connection stays so long for one more request, which ends it
    int64_t limit_ms; // then what is still open is closed
};

struct gate_question {
    uint32_t type;
    uint32_t unused;
    uint64_t seq; // the answer has the same
};

struct gate_knowledge {
    uint32_t type;
    uint32_t is_last_reload_ok; // also if there was none
    uint64_t seq;
    uint64_t n_reloads_ok, n_reloads_failed;
    uint64_t n_restarts; // of gates
    int64_t in_force_ns; // wall clock: since when the settings are
};

struct gate_ready {
    uint32_t type;
    uint32_t unused;
    uint64_t seq;
    int64_t build_ns;  // time to build the snapshot
    int64_t switch_ns; // time that the slowest worker needed to switch to it
};

enum gate_petition_kind {
    GATE_PETITION_PIN = 1, // by which key is the server known that shows this one?
    GATE_PETITION_CERT,    // a certificate for a name that a client asks for, or that one is used
};

#define GATE_PETITION_KEY_BYTES 32
#define GATE_PETITION_MAX_MS 60000 // the keeper has answered by then
struct gate_petition {
    uint32_t type;
    uint32_t kind; // enum gate_petition_kind
    uint64_t seq;
    uint8_t key[GATE_PETITION_KEY_BYTES]; // of a server; else 0
    uint32_t name_bytes;
    char name[GATE_NAME_MAX_BYTES]; // of a server: HOST:PORT; or of a host
};

struct gate_verdict {
    uint32_t type;
    uint32_t is_yes;
    uint64_t seq;                         // the petition's
    uint8_t key[GATE_PETITION_KEY_BYTES]; // that counts for the server
};

struct gate_ban {
    uint32_t type;
    uint32_t unused;
    struct ban ban;
};

#define GATE_SERVER_MAX_BYTES 511
struct gate_server {
    uint32_t type;
    uint32_t is_drained;
    uint32_t service_bytes, name_bytes;
    char service[GATE_SERVER_MAX_BYTES + 1]; // as the status names them
    char name[GATE_SERVER_MAX_BYTES + 1];
};

#define GATE_TARGET_MAX_BYTES 2048
struct gate_api {
    uint32_t type;
    uint32_t target_bytes;
    uint64_t seq;
    char target[GATE_TARGET_MAX_BYTES]; // path and query
};

struct gate_page {
    uint32_t type;
    uint32_t status;    // of HTTP
    uint64_t seq;       // the question's
    uint64_t next_page; // 0: it is no list
};

struct gate_spool {
    uint32_t type;
    uint32_t unused;
    uint64_t max_bytes;
};

#define GATE_REASON_MAX_BYTES 1024
struct gate_refused {
    uint32_t type;
    uint32_t reason_bytes;
    uint64_t seq;
    char reason[GATE_REASON_MAX_BYTES];
};

// The descriptor of the gate's end of the channel.
#define GATE_CHANNEL_FD 3
