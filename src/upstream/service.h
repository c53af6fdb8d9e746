// SPDX-License-Identifier: Apache-2.0
// Services: pools of servers behind one name. The handler at the end of a route's chain. What a
// server's state is (connections, failures, addresses) outlives snapshots: it is kept by key in the
// gate's registry (shared, atomic) and in each worker (its pools).
#pragma once

#include "base/arena.h"
#include "base/deadline.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "http/handler.h"
#include "rt/loop.h"
#include "tls/authorities.h"
#include "upstream/breaker.h"
#include "upstream/eject.h"
#include "upstream/health_conf.h"
#include "upstream/retries.h"
#include "upstream/server_url.h"

// --- settings (upstream_conf.c) ---

struct server_conf {
    struct conf_text url; // "http://10.0.0.1:8080", "unix:/run/app.sock", "tcp://db.internal:5432"
    uint32_t weight;
    uint32_t active_max; // exchanges and tunnels at a time, of all workers; 0: any number
    bool is_backup;
    struct place place;
};

// Name in settings.
#define STICKY_SECURE_LIST(X)                                                                      \
    X(AUTO, "auto")                                                                                \
    X(ALWAYS, "always")                                                                            \
    X(NEVER, "never")
#define STICKY_SAME_SITE_LIST(X)                                                                   \
    X(LAX, "lax")                                                                                  \
    X(STRICT, "strict")                                                                            \
    X(NONE, "none")                                                                                \
    X(UNSET, "unset")

enum sticky_secure {
#define X(id, name) STICKY_SECURE_##id,
    STICKY_SECURE_LIST(X)
#undef X
};
enum sticky_same_site {
#define X(id, name) STICKY_SAME_SITE_##id,
    STICKY_SAME_SITE_LIST(X)
#undef X
};

struct sticky_conf {
    bool is_on;
    struct conf_text cookie; // its name; empty: one of the service's own
    struct conf_text path, domain;
    unsigned secure;    // enum sticky_secure
    unsigned same_site; // enum sticky_same_site
    bool http_only;
    int64_t max_age_ms; // 0: until the browser ends
    struct place place;
};

struct split_conf {
    struct conf_text service;
    uint32_t weight;
    struct place place;
};
#define GROUP_MEMBERS_MAX 32 // services of a service

struct mirror_conf {
    bool is_on;
    struct conf_text to;
    uint32_t share; // of 100
    uint64_t body_max_bytes;
    int64_t timeout_ms;
    struct place place;
};

// Where services find the services that they are made of: whoever builds them has it.
struct service_names {
    // NULL with an error.
    const struct handler *(*find)(struct service_names *s, const struct conf_text *name);
};

struct service_conf {
    struct conf_list servers; // of server_conf
    bool may_be_empty;        // servers
    unsigned balance;         // enum service_balance
    struct conf_texts hash_key;
    uint32_t hash_factor;   // hundredths of its share that a server may have more by hash; 0: any
    struct conf_list split; // of split_conf; instead of servers
    struct conf_texts failover; // the same
    struct mirror_conf mirror;
    struct sticky_conf sticky;
    int64_t slow_start_ms; // so long after it came a server's weight grows; 0: not at all
    unsigned http;         // enum server_http
    int64_t connect_ms, head_ms, body_idle_ms;
    uint32_t tries;          // servers tried for one exchange
    int64_t skip_ms;         // how long a server that can't be reached is skipped
    int64_t idle_ms;         // an idle connection to a server is kept so long
    uint32_t idle_max;       // idle connections kept per server and worker
    uint32_t conns_max;      // connections per server and worker; 0: any number
    uint32_t queue_max;      // exchanges that wait for one of them, per server and worker
    int64_t queue_ms;        // how long
    uint64_t head_max_bytes; // of an answer
    struct conf_text host;   // "keep" (also when empty), "server", or the Host to send
    unsigned proxy_protocol; // enum service_proxy_protocol
    struct tls_client_conf tls;
    struct health_conf health;
    struct eject_conf eject;
    struct breaker_conf breaker;
    struct retries_conf retries;
    uint32_t panic_percent; // below this share of servers that are up, all are used
    // Trusted where `tls` has no `ca`: whoever builds services sets it. Borrowed while one is
    // built; NULL: there are none.
    const struct tls_authorities *authorities;
    struct service_names *names; // the same
    struct place place;
};

// Name in settings.
#define SERVICE_BALANCE_LIST(X)                                                                    \
    X(ROUND_ROBIN, "round-robin")                                                                  \
    X(LEAST_CONNECTIONS, "least-connections")                                                      \
    X(LEAST_TIME, "least-time")                                                                    \
    X(RANDOM_TWO, "random-two")                                                                    \
    X(HASH, "hash")                                                                                \
    X(SOURCE, "source")                                                                            \
    X(FIRST, "first")

enum service_balance {
#define X(id, name) SERVICE_BALANCE_##id,
    SERVICE_BALANCE_LIST(X)
#undef X
};
const char *service_balance_name(enum service_balance b);

#define SERVICE_TRIES_MAX 10

// The PROXY header in front of each connection of a TCP route.
enum service_proxy_protocol {
    SERVICE_PROXY_PROTOCOL_OFF,
    SERVICE_PROXY_PROTOCOL_V1,
    SERVICE_PROXY_PROTOCOL_V2,
};

extern const struct conf_section service_section; // of struct service_conf
extern const struct conf_section server_section;

// --- the gate's registry: states of servers by key, across snapshots ---

struct upstream_registry;
struct upstream_registry *upstream_registry_new(void);
// When no service and no worker is left.
void upstream_registry_free(struct upstream_registry *r);

// Who remembers the keys that are learnt on first use.
struct upstream_pinning {
    // By which key a server is known, as it shows this one: the first that is asked about. Both are
    // the SHA-256 of a SubjectPublicKeyInfo. On a worker's fiber; waits. ERR_OK; ERR_CANCELLED,
    // ERR_TIMEOUT; anything else with *ret_why (static).
    enum err (*ask)(void *arg, struct str server, const uint8_t key[static TLS_PIN_BYTES],
                    struct deadline until, uint8_t ret[static TLS_PIN_BYTES], const char **ret_why);
    void *arg;
};
// Before any worker is there. Without one, servers whose keys are to be learnt are refused.
void upstream_registry_set_pinning(struct upstream_registry *r, const struct upstream_pinning *p);

#define COOKIE_KEY_BYTES 32
// The key of the cookies of sticky clients. Any time, any thread.
void upstream_registry_set_cookie_key(struct upstream_registry *r,
                                      const uint8_t key[static COOKIE_KEY_BYTES]);

// Lets a server of a service get no more requests (is_drained), or some again. Remembered for
// servers that come later. name: "10.0.0.1:8080".
void upstream_registry_drain(struct upstream_registry *r, struct str service, struct str name,
                             bool is_drained);

// --- building: off the workers ---

// A service of a snapshot. name is what routes call it. The result is the last handler of chains,
// in mem; service_release gives its servers' states back. The texts of conf are borrowed: they live
// as long as mem. Errors go to diags (a bad URL, none given), and NULL is returned.
struct handler *service_build(struct str name, const struct service_conf *conf,
                              struct upstream_registry *registry, struct arena *mem,
                              struct diags *diags);
void service_release(struct handler *service);

// Whether some server of it can be used now, or may be: its name isn't resolved yet. For a worker.
bool service_is_available(const struct handler *service);

// What all its servers speak.
enum server_protocol service_protocol(const struct handler *service);
enum service_proxy_protocol service_proxy_protocol(const struct handler *service);

// For explain and status: "http://10.0.0.1:8080 weight 1, http://…" in mem, with a name's addresses
// ("at 10.0.0.1 10.0.0.2") and what has failed ("(3 failures, skipped)"). Any thread.
struct str service_describe(const struct handler *service, struct arena *mem);

// Clients stick to its servers, for which a key is needed.
bool service_is_sticky(const struct handler *service);

// Calls fn with what servers are called whose keys are learnt on first use: "10.0.0.9:443".
typedef void service_learnt_fn(void *arg, struct str server);
void service_each_learnt(const struct handler *service, service_learnt_fn *fn, void *arg);

// --- one worker's part ---

struct upstream_worker;

// For this thread's loop. The worker index is < UPSTREAM_WORKERS_MAX.
struct upstream_worker *upstream_worker_new(struct upstream_registry *r, unsigned worker_index,
                                            struct rt_loop *loop);
// Closes idle connections; running exchanges and tunnels must have ended. Turns the loop: not from
// inside a turn.
void upstream_worker_free(struct upstream_worker *w);
// The worker of this thread, which service handlers use.
struct upstream_worker *upstream_worker_self(void);
#define UPSTREAM_WORKERS_MAX 256

// --- checks of servers: made on the aux loop, by what services say of them ---

struct upstream_checker;
// On this thread's loop (the aux thread's): checks every server of the registry that is to be
// checked, and goes on until stopped. Workers see at once what was found.
struct upstream_checker *upstream_checker_start(struct upstream_registry *r);
// Checks that run now.
unsigned upstream_checker_n_running(const struct upstream_checker *c);
// Accepts NULL. Turns the loop: not from inside a turn.
void upstream_checker_stop(struct upstream_checker *c);

// --- names of servers: resolved on the aux loop, re-resolved when their time to live ends ---

struct upstream_resolver;
struct dns;
// On this thread's loop (the aux thread's): resolves every named server of the registry, tells each
// worker by mail, and goes on until stopped. The last good answer stays while DNS fails.
struct upstream_resolver *upstream_resolver_start(struct upstream_registry *r, struct dns *dns);
// Turns the loop: not from inside a turn.
void upstream_resolver_stop(struct upstream_resolver *s);
// New servers may be in the registry (after a snapshot was built): resolve them now. On the aux
// loop's thread. Not a must: the registry tells the resolver of them by mail.
void upstream_resolver_kick(struct upstream_resolver *s);
