// SPDX-License-Identifier: Apache-2.0
// What outlives snapshots, by key: the states of servers, and the identity of services (for their
// balancing). One lock guards it. Workers take it only when they meet a server for the first time,
// when its addresses change and when it goes: never on the path of a request.
//
// A shared object lives while a snapshot names it (refs) or a worker, a message or the resolver
// still knows it (holds). When the last ref goes it leaves the table at once, each worker is told,
// lets go of what it has, and the last hold frees it. Its index isn't given to another before.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "rt/dns.h"
#include "rt/loop.h"
#include "tls/client.h"
#include "upstream/health.h"
#include "upstream/room.h"
#include "upstream/server_url.h"
#include "upstream/service.h"

enum shared_kind {
    SHARED_SERVER,
    SHARED_SERVICE,
    SHARED_HEALTH,
};

struct shared {
    struct upstream_registry *registry; // borrows
    enum shared_kind kind;
    uint32_t index;  // in the registry's and in each worker's table
    uint32_t n_refs; // under the lock, as n_holds and next
    uint32_t n_holds;
    struct str key; // owns
    uint64_t hash;
    struct shared *next; // borrows: in the same bucket
};

// The addresses of a server. A value: each worker has its own copy.
struct server_answer {
    uint32_t version; // grows; 0: nothing is known yet
    const char *why;  // static: why there is no address, or why the last look-up failed; NULL
    size_t n;
    struct {
        struct ip ip;
        uint8_t slot; // stays the same as long as the address is in the answers
    } addrs[DNS_ADDRS_MAX];
};

struct server_state {
    struct shared shared;
    enum server_kind kind;
    enum server_http http;
    struct rt_addr addr;          // not of names
    struct str host;              // of names; owns
    uint16_t port;                // of names
    struct tls_client *tls;       // shares; NULL: it is spoken with in plain
    struct tls_peer peer;         // with tls; owns its name
    struct str learns_as;         // as in server_url; owns
    bool is_watched;              // the resolver has a job for it; under the lock
    struct list_node unwatched;   // of names; under the lock
    struct server_answer *answer; // owns; of names; under the lock
    // Some service wants to know how many exchanges are on it: from then on they are counted.
    _Atomic bool is_counted;
    _Atomic uint64_t n_failures_past; // of addresses whose slot another one has got
    struct list healths;              // struct health_state of it; under the lock
    size_t n_slots;
    struct server_slot slots[]; // 1, or DNS_ADDRS_MAX of names
};

// One server of one service.
struct health_state {
    struct shared shared;
    struct server_state *server; // borrows: whoever has a ref on this has one on it
    struct str service, name;    // own: "app", "10.0.0.1:8080"
    bool is_drained;             // somebody wants it to get no more requests; under the lock
    struct health_plan *plan;    // shares: how it is checked now; NULL: not at all; under the lock
    bool is_watched;             // the checker has a job for it; under the lock
    struct list_node sibling;    // in server->healths
    struct list_node unwatched;  // of those with a plan; under the lock
    size_t n_slots;
    struct health_slot slots[]; // as many as the server has, of the same addresses; or one for all
};

// The slot of an address: the server's number of it.
static inline struct health_slot *health_slot_of(struct health_state *h, size_t slot)
{
    ASSERT(slot < h->n_slots || h->n_slots == 1);
    return &h->slots[h->n_slots == 1 ? 0 : slot];
}

// News for a worker: new addresses, or (answer is NULL) that the object goes. Holds it.
struct message {
    struct message *next;
    struct shared *about;
    struct server_answer *answer; // owns
};

// Where a thread gets its news: one mail, posted when the first one comes.
struct inbox {
    struct rt_mail mail; // fn is the owner's
    struct rt_loop *loop;
    struct message *first, **last; // under the lock
    bool is_posted;                // under the lock
};

// The object of key, new or found, with one more ref. tls: how it is spoken with, which is part of
// url's key then; NULL: in plain.
struct server_state *registry_take_server(struct upstream_registry *r, const struct server_url *url,
                                          struct tls_client *tls);
// What services say about TLS, ready for use, each once.
struct tls_clients *registry_tls(struct upstream_registry *r);
// NULL: nobody remembers keys.
const struct upstream_pinning *registry_pinning(const struct upstream_registry *r);
// The key of cookies: its version, which changes with it (0: there is none), and the key itself.
// Any thread; the first one without a lock.
uint32_t registry_cookie_version(const struct upstream_registry *r);
uint32_t registry_cookie_key(struct upstream_registry *r, uint8_t ret[static COOKIE_KEY_BYTES]);

// A server as one of a service.
struct health_wish {
    struct str service;
    struct server_state *server; // with one ref
    struct str name;
    bool has_slots;           // each address has a state: it is checked, or may be ejected
    struct health_plan *plan; // from now on it is checked so; taken over; NULL: not at all
};
// Its state, new or found, with one more ref.
struct health_state *registry_take_health(struct upstream_registry *r, const struct health_wish *w);
struct shared *registry_take_service(struct upstream_registry *r, struct str key);
struct room_queue *registry_queue(struct shared *service);
// Where exchanges of all services wait for places.
struct room *registry_room(struct upstream_registry *r);
void registry_drop(struct shared *s);

void registry_unhold(struct shared *s);
// Holds it.
void registry_hold(struct shared *s);
// Holds it, and copies what is known of its addresses now.
void registry_hold_server(struct server_state *s, struct server_answer *ret);
// What is known of a name's addresses now; s is kept by somebody else.
void registry_read_answer(struct server_state *s, struct server_answer *ret);

// From now on box gets news. Workers: index as in upstream_worker_new.
void registry_join_worker(struct upstream_registry *r, unsigned index, struct inbox *box);
void registry_leave_worker(struct upstream_registry *r, unsigned index);
// The resolver's box is posted (without messages) when a name is new or goes.
void registry_join_resolver(struct upstream_registry *r, struct inbox *box);
void registry_leave_resolver(struct upstream_registry *r);

// As the resolver's, when one is to be checked in another way, or no more.
void registry_join_checker(struct upstream_registry *r, struct inbox *box);
void registry_leave_checker(struct upstream_registry *r);

// At most max messages of box, oldest first, now the caller's: message_free each. When there are
// more, box is posted again: so that thousands at once are read in many turns of the loop.
struct message *registry_open(struct upstream_registry *r, struct inbox *box, unsigned max);
// A mail to box is on its way.
bool registry_is_posted(struct upstream_registry *r, const struct inbox *box);
void message_free(struct message *m);

// The next named server that nobody watches, now watched and held, or NULL.
struct server_state *registry_watch_next(struct upstream_registry *r);
// Ends that.
void registry_unwatch(struct server_state *s);
bool registry_is_wanted(struct server_state *s);

// The next one to be checked that nobody checks, now watched and held with its server, or NULL.
struct health_state *registry_check_next(struct upstream_registry *r);
// Ends that.
void registry_uncheck(struct health_state *h);
// How it is to be checked now, with a ref; NULL: no more.
struct health_plan *registry_plan_of(struct health_state *h);

// The result of a look-up: addrs, or (n is 0) why there is none; the last good answer stays then.
// Tells the workers when something changed. Returns whether it did.
bool registry_put_answer(struct server_state *s, const struct ip *addrs, size_t n, const char *why);
