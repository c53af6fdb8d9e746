// SPDX-License-Identifier: Apache-2.0
// What gates need and only the keeper may keep: certificates with their keys, the keys of session
// tickets, and that of cookies. On the keeper's loop.
#pragma once

#include "certs/cookie_key.h"
#include "keeper/beacon.h"
#include "keeper/pins.h"
#include "keeper/wish.h"
#include "tls/tickets.h"

// Of what secrets_ask and secrets_ask_extra have started.
struct secrets_listener {
    // error NULL: well; account: what was to be shown, or NULL
    void (*on_end)(void *arg, uint64_t number, const char *error, json_t *account);
    void (*on_step)(void *arg, uint64_t number, const char *text); // it has come so far
    void *arg;
};

struct secrets {
    struct keeper_certs *certs; // owns; NULL: no settings have wanted any
    struct issue *issue;        // owns; NULL: no authority is asked
    struct demand_desk *demand; // owns; NULL: no settings have wanted certificates on demand
    struct keeper_pins *pins;   // owns; NULL: no key of a server was asked for
    struct map learnt;          // names of servers whose keys are learnt; owns them
    struct hooks *hooks;        // owns; NULL: no settings were there yet
    int64_t expires_within_s;   // then hooks are told; 0: never
    int64_t look_at_s;          // when to look which expire
    struct secrets_listener listener;
    struct beacon beacon;
    char *state;                                     // owns: the folder of certs
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX]; // newest first
    size_t n_keys;
    int64_t rotate_at_ms;
    // Count up with each change; a gate remembers which it has.
    uint64_t certs_version, tickets_version; // 0: there are none
    uint64_t cookie_version;
    bool has_cookie_key;
    uint8_t cookie_key[CERTS_COOKIE_KEY_BYTES];
    uint64_t pins_version; // with keys that are forgotten
};

void secrets_init(struct secrets *s, const struct secrets_listener *listener);
void secrets_fini(struct secrets *s);

// Orders or revokes a certificate (secrets' issue_ask); forgets one: takes it out of the store.
// False with a reason.
bool secrets_ask(struct secrets *s, const struct issue_order *o, uint64_t *ret_number,
                 const char **ret_why);
bool secrets_ask_extra(struct secrets *s, const struct issue_extra *x, uint64_t *ret_number,
                       const char **ret_why);
bool secrets_forget(struct secrets *s, struct str id, const char **ret_why);
// As issue_ask_account and issue_accounts.
bool secrets_ask_account(struct secrets *s, enum issue_kind kind, struct str issuer,
                         uint64_t *ret_number, const char **ret_why);
json_t *secrets_accounts(const struct secrets *s);
// Orders that wait or run, for the status. The caller's.
json_t *secrets_report_orders(const struct secrets *s);
// As issue_find and issue_is_done.
struct str secrets_find(const struct secrets *s, struct str name);
bool secrets_is_done(const struct secrets *s, struct str id, int64_t *ret_due_s);
// As keeper_certs_show, with the plan of what is to be ordered ("plan"). The caller's.
json_t *secrets_show(const struct secrets *s, struct str name, struct str id);
// Somebody else has changed the store: imported certificates.
void secrets_refresh(struct secrets *s);

// Lights the beacon (keeper/beacon.h). False with a reason. Once secrets_beacon_is_seen, the gate
// answers with it.
bool secrets_light_beacon(struct secrets *s, const char **ret_why);
bool secrets_beacon_is_seen(const struct secrets *s);

// The keys of tickets from the keeper before an upgrade: a file of secrets_pack_tickets (borrowed),
// and when they are to change. What makes no sense is left out.
void secrets_adopt_tickets(struct secrets *s, int fd, int64_t rotate_at_ms);

// From now on these are wanted. Without a wish for TLS nothing is opened.
void secrets_want(struct secrets *s, const struct wish *w);

// Each is readable when secrets_look is to be called; -1: never.
int secrets_fd(const struct secrets *s);
int secrets_issue_fd(const struct secrets *s);
void secrets_look(struct secrets *s);
// Changes the keys of tickets, and orders certificates, when it's time. *next_ms: lowered to when
// it is.
void secrets_do_what_is_due(struct secrets *s, int64_t now_ms, int64_t *next_ms);

// Proofs for authorities: which version is to be in place, and that it is. 0: there never was one.
uint64_t secrets_challenges_version(const struct secrets *s);
void secrets_challenges_are_in_place(struct secrets *s, uint64_t version);
// For GATE_CHALLENGES, as below.
int secrets_pack_challenges(const struct secrets *s, uint64_t *ret_version);

// For GATE_CERTS, GATE_TICKETS and GATE_COOKIE_KEY: sealed memory files, the caller's. -1 with
// errno.
int secrets_pack_certs(const struct secrets *s);
int secrets_pack_tickets(const struct secrets *s);
int secrets_pack_cookie_key(const struct secrets *s);

// Certificates on demand (demand_desk_ask, demand_desk_turn, demand_desk_next). secrets_turn_names:
// true: secrets_want is to be called again, with what settings want; before
// secrets_do_what_is_due.
enum demand_answer secrets_ask_name(struct secrets *s, struct str name);
bool secrets_turn_names(struct secrets *s, int64_t now_ms, int64_t *next_ms);
bool secrets_next_name(struct secrets *s, char ret_name[static DEMAND_ASK_NAME_BYTES],
                       bool *ret_is_yes);
int secrets_demand_fd(const struct secrets *s);
json_t *secrets_report_demand(const struct secrets *s);

// keeper_pins_ask and keeper_pins_forget, for servers that settings want to be learnt.
bool secrets_ask_pin(struct secrets *s, struct str server, const uint8_t key[static TLS_PIN_BYTES],
                     uint8_t ret[static TLS_PIN_BYTES]);
bool secrets_forget_pin(struct secrets *s, struct str server, const char **ret_why);
json_t *secrets_report_pins(const struct secrets *s);

// The certificates as an array, for the status. The caller's.
json_t *secrets_report(const struct secrets *s);
