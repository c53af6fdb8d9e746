// SPDX-License-Identifier: Apache-2.0
// SipHash: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012;
// one round per word and three to finish.
#include "base/hash.h"

static struct hash_key process_key;

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline void round_once(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

uint64_t hash_sip13(struct hash_key key, struct str s)
{
    struct state st = {key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du,
                       key.k0 ^ 0x6c7967656e657261u, key.k1 ^ 0x7465646279746573u};
    const char *p = s.ptr;
    size_t left = s.len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        st.v3 ^= word;
        round_once(&st);
        st.v0 ^= word;
    }
    uint64_t last = (uint64_t)s.len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(uint8_t)p[i] << (8 * i);
    st.v3 ^= last;
    round_once(&st);
    st.v0 ^= last;
    st.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        round_once(&st);
    return st.v0 ^ st.v1 ^ st.v2 ^ st.v3;
}

void hash_seed(struct hash_key key)
{
    process_key = key;
}

uint64_t hash_str(struct str s)
{
    return hash_sip13(process_key, s);
}
