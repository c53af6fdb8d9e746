// SPDX-License-Identifier: Apache-2.0
// Servers that are only numbers: for tests of the methods, without a loop or a network.
#pragma once

#include "unit/test.h"
#include "upstream/balance.h"

#define STAND_MAX 20

struct stand {
    struct service_conf conf;
    struct service service;
    struct upstream_worker worker;
    struct target targets[STAND_MAX];
    struct server_slot slots[STAND_MAX];
    struct health_slot healths[STAND_MAX];
    struct roster_entry entries[STAND_MAX];
    struct roster roster;
    struct exchange x;
    char path[32];
    uint32_t tried[SERVICE_TRIES_MAX];
    uint32_t n_tried;
    uint32_t hits[STAND_MAX];
};

static inline void stand_init(struct stand *f, enum service_balance balance, const char *weights)
{
    memset(f, 0, sizeof *f);
    f->conf.balance = balance;
    f->conf.connect_ms = 1000;
    f->service.conf = &f->conf;
    f->service.hash_key = (struct request_key){.n = 1, .parts[0].kind = REQUEST_KEY_PATH};
    f->worker.random = 42;
    f->roster = (struct roster){.n_tiers = 1, .entries = f->entries};
    for (; weights[f->roster.n]; f->roster.n++) {
        size_t i = f->roster.n;
        f->targets[i].slot = &f->slots[i];
        list_init(&f->targets[i].muxes);
        f->entries[i] = (struct roster_entry){
            .target = &f->targets[i],
            .slot = &f->slots[i],
            .health = &f->healths[i],
            .key = (uint32_t)i,
            .weight = (uint32_t)(weights[i] - '0'),
            .id = (i + 1) * 1000003,
        };
    }
}

static inline void stand_backup(struct stand *f, size_t i)
{
    f->entries[i].tier = 1;
    f->roster.n_tiers = 2;
}

static inline void stand_fail(struct stand *f, size_t i)
{
    f->slots[i].skip_until_ms = INT64_MAX;
}

// The index of the server that is chosen next, or -1.
static inline int stand_pick(struct stand *f)
{
    struct pick p = {
        .service = &f->service, .worker = &f->worker, .exchange = &f->x, .n_tried = f->n_tried};
    memcpy(p.tried, f->tried, sizeof p.tried);
    struct roster_entry *e = pick_next(&p, &f->roster);
    if (!e)
        return -1;
    f->hits[e->key]++;
    return (int)e->key;
}

// For the n-th of many keys.
static inline int stand_pick_key(struct stand *f, unsigned n)
{
    snprintf(f->path, sizeof f->path, "/key/%u", n);
    f->x.req.path = str_of(f->path);
    return stand_pick(f);
}

static inline void stand_picks(struct stand *f, unsigned n)
{
    while (n-- > 0)
        (void)stand_pick(f);
}

static inline void stand_order(struct stand *f, const char *wanted)
{
    char got[64] = "";
    for (size_t i = 0; i < strlen(wanted); i++)
        got[i] = (char)('a' + stand_pick(f));
    CHECK_STR(str_of(got), str_of(wanted));
}

// Within so many percent of what it should be.
#define CHECK_NEAR(got, wanted, percent)                                                           \
    do {                                                                                           \
        double got_ = (got), wanted_ = (wanted);                                                   \
        if (got_ < wanted_ * (1 - (percent) / 100.) || got_ > wanted_ * (1 + (percent) / 100.))    \
            printf("# %s is %.1f, not about %.1f\n", #got, got_, wanted_);                         \
        CHECK(got_ >= wanted_ * (1 - (percent) / 100.) &&                                          \
              got_ <= wanted_ * (1 + (percent) / 100.));                                           \
    } while (0)
