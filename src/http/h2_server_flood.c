// SPDX-License-Identifier: Apache-2.0
// Frames that cost us more than their sender (RFC 9113 10.5): each kind has a bucket that leaks.
#include "http/h2_server_priv.h"
#include "rt/clock.h"

static const struct {
    uint16_t burst, per_s;
} budgets[] = {
#define X(id, burst_, per_s_) [H2_FLOOD_##id] = {.burst = burst_, .per_s = per_s_},
    H2_FLOOD_LIST(X)
#undef X
};

static void take_off(uint16_t *level, uint64_t n)
{
    *level = (uint16_t)(*level - MIN(n, (uint64_t)*level));
}

static void leak(struct h2_conn *c)
{
    int64_t seconds = (clock_now_ms() - c->flood_at_ms) / 1000;
    if (seconds <= 0)
        return;
    c->flood_at_ms += seconds * 1000;
    for (size_t i = 0; i < ARRAY_LEN(budgets); i++)
        take_off(&c->floods[i], (uint64_t)MIN(seconds, (int64_t)UINT16_MAX) * budgets[i].per_s);
}

bool h2_flood_add(struct h2_conn *c, enum h2_flood kind)
{
    leak(c);
    return ++c->floods[kind] <= budgets[kind].burst;
}

void h2_flood_allow(struct h2_conn *c, enum h2_flood kind, uint16_t n)
{
    take_off(&c->floods[kind], n);
}
