// SPDX-License-Identifier: Apache-2.0
// Bans of networks, as keeper and gate keep them: a bounded number, the oldest of which leaves. A
// ban that is over stays for a while, so that the next one of the same network can be longer. Times
// are seconds of the wall clock. Not thread safe.
#pragma once

#include "base/list.h"
#include "codec/ip.h"

#define BAN_BY_MAX_BYTES 48

struct ban {
    struct ip_net net;
    int64_t began_s, until_s;
    int64_t keep_s;            // when it is forgotten; not before until_s
    uint32_t times;            // the how-manieth of this network it is, from 1
    uint8_t by_bytes;          // who banned it: a rule's name, or a person's words
    char by[BAN_BY_MAX_BYTES]; // printable ASCII
};

struct ban_book {
    struct ban_entry **buckets; // owns: chains of entries, by a hash of their network
    size_t n_buckets;           // a power of two; 0: none yet
    size_t n;
    struct list order;          // of struct ban_entry, which it owns: oldest first
    size_t max;                 // at least 1
    uint32_t n_of_bits[2][129]; // by family and length of prefix: which ones are worth a look
};

void ban_book_init(struct ban_book *b, size_t max);
void ban_book_fini(struct ban_book *b);
// Fewer may be kept from now on.
void ban_book_set_max(struct ban_book *b, size_t max);

// The ban that holds for an address now; NULL: none. Borrowed until the book changes.
const struct ban *ban_book_holds(const struct ban_book *b, const struct ip *ip, int64_t now_s);
// What is known of just this network, over or not; NULL: nothing.
const struct ban *ban_book_find(const struct ban_book *b, const struct ip_net *net);

// In the place of what was known of the network.
void ban_book_put(struct ban_book *b, const struct ban *ban);
// False: nothing was known.
bool ban_book_remove(struct ban_book *b, const struct ip_net *net);

// Forgets what needn't be kept any more.
void ban_book_forget(struct ban_book *b, int64_t now_s);

// Oldest first. Nothing may be put or removed meanwhile.
typedef void ban_book_fn(void *arg, const struct ban *ban);
void ban_book_each(const struct ban_book *b, ban_book_fn *fn, void *arg);

// Whether it could have come from ban_book: what another process says is checked by this.
bool ban_is_sound(const struct ban *ban);

// The network of so many bits that an address is in.
struct ip_net ban_net_of(const struct ip *ip, unsigned bits);
