// SPDX-License-Identifier: Apache-2.0
// Rendezvous hashing: each server has a lot for each key, and the best one wins. When a server
// leaves, only its keys move, to all the others by weight; when it comes back, they return. No
// table is kept, and whoever knows the same servers decides the same.
#include "upstream/balance.h"

static uint64_t mix(uint64_t z) // the finish of splitmix64
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

// -ln((h + 1) / 2^64), to some six digits: by the series of atanh, of which h is taken between 1/2
// and 1.
static double minus_ln(uint64_t h)
{
    int n_halved = __builtin_clzll(h | 1);
    double m = (double)((h | 1) << n_halved) * 0x1p-64;
    double s = (1 - m) / (1 + m), s2 = s * s;
    double atanh = s * (1 + s2 * (1. / 3 + s2 * (1. / 5 + s2 * (1. / 7 + s2 / 9))));
    return n_halved * 0.69314718055994531 + 2 * atanh;
}

// The load at which a server is passed over: so many hundredths of its share of all exchanges, this
// one included.
static uint64_t bound_of(const struct roster_entry *e, uint64_t n_all, uint64_t weights,
                         uint32_t factor)
{
    return (n_all * e->weight * factor + weights * 100 - 1) / (weights * 100);
}

static struct roster_entry *best_lot(struct roster *r, const struct pick *p, uint64_t key)
{
    uint32_t factor = p->service->conf->hash_factor;
    uint64_t n_all = 1, weights = 0;
    for (size_t i = 0; factor > 0 && i < r->n; i++) {
        if (!pick_fits(p, &r->entries[i]))
            continue;
        n_all += slot_n_active(r->entries[i].slot);
        weights += r->entries[i].weight;
    }
    struct roster_entry *best = NULL;
    double best_lot = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct roster_entry *e = &r->entries[i];
        if (!pick_fits(p, e) ||
            (factor > 0 && slot_n_active(e->slot) >= bound_of(e, n_all, weights, factor)))
            continue;
        // An exponential lot: the smallest of them is this one with a chance of its weight.
        double lot = minus_ln(mix(key ^ e->id)) / e->weight;
        if (!best || lot < best_lot) {
            best = e;
            best_lot = lot;
        }
    }
    return best;
}

// What has no key (no such header or cookie) takes turns. A slow start counts for those alone:
// keys that would come one by one would leave their server twice.
struct roster_entry *balance_hash(struct roster *r, const struct pick *p)
{
    uint64_t key;
    if (!request_key_hash_lasting(&p->service->hash_key, p->exchange, &key))
        return balance_in_turn(r, p);
    return best_lot(r, p, key);
}
