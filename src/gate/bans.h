// SPDX-License-Identifier: Apache-2.0
// Bans of the whole gate: workers ask here who is banned, and tell what clients did. The keeper
// hears of new bans and keeps them; what it says of them comes here. Any thread unless it says
// otherwise.
#pragma once

#include "gate/ban_book.h"
#include "gate/ban_conf.h"
#include "http/exchange.h"
#include "rt/loop.h"

struct bans;

// aux: the loop that talks with the keeper; channel: to it, borrowed.
struct bans *bans_new(struct rt_loop *aux, int channel);
// On the aux loop, whose mail has been read. Accepts NULL.
void bans_free(struct bans *b);

// Whether a client is refused, by a ban that holds now and as the rules say who never is. Costs
// next to nothing while nobody is banned. ret (or NULL): the ban.
bool bans_refuse(struct bans *b, const struct ban_rules *rules, const struct ip *client,
                 struct ban *ret);

// An exchange has ended: counts what is to be counted, and bans its client if that was too much.
void bans_note(struct bans *b, const struct ban_rules *rules, const struct exchange *x);
// A client at entry has done something with a connection: the same.
void bans_note_offence(struct bans *b, const struct ban_rules *rules,
                       const struct http_entry *entry, const struct ip *peer,
                       enum http_offence what);

// How many may be kept, of the snapshot that comes into force. On the aux loop, as the next.
void bans_set_max(struct bans *b, size_t max);
// What the keeper says: another ban; that one was removed; and all of them at the gate's beginning:
// so many struct ban, one behind the other.
void bans_take(struct bans *b, const struct ban *ban);
void bans_lift(struct bans *b, const struct ip_net *net);
void bans_take_all(struct bans *b, struct str bytes);
