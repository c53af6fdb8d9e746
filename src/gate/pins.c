// SPDX-License-Identifier: Apache-2.0
#include "gate/pins.h"

#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

// A server stays in the table when its key is forgotten: there are no more than settings had.
struct known {
    char *server; // owns
    bool has_key;
    uint8_t key[TLS_PIN_BYTES];
};

struct pins {
    struct petitions *petitions; // borrows
    pthread_mutex_t lock;
    struct map servers; // names to struct known, which it owns
};

static void lock(struct pins *p)
{
    int failed = pthread_mutex_lock(&p->lock);
    ASSERT(failed == 0);
}

static void unlock(struct pins *p)
{
    int failed = pthread_mutex_unlock(&p->lock);
    ASSERT(failed == 0);
}

struct pins *pins_new(struct petitions *petitions)
{
    struct pins *p = MEM_NEW(struct pins);
    p->petitions = petitions;
    int failed = pthread_mutex_init(&p->lock, NULL);
    ASSERT(failed == 0);
    return p;
}

void pins_free(struct pins *p)
{
    if (!p)
        return;
    MAP_FOR(e, &p->servers)
    {
        struct known *k = e->value;
        mem_free(k->server);
        mem_free(k);
    }
    map_fini(&p->servers);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void pins_know(struct pins *p, struct str server, const uint8_t key[static TLS_PIN_BYTES])
{
    lock(p);
    struct known *k = map_get(&p->servers, server);
    if (!k) {
        k = MEM_NEW(struct known);
        k->server = mem_copy(server.ptr, server.len);
        map_set(&p->servers, str_from(k->server, server.len), k);
    }
    k->has_key = true;
    memcpy(k->key, key, sizeof k->key);
    unlock(p);
}

void pins_forget(struct pins *p)
{
    lock(p);
    MAP_FOR(e, &p->servers)
    ((struct known *)e->value)->has_key = false;
    unlock(p);
}

static bool is_known(struct pins *p, struct str server, const uint8_t key[static TLS_PIN_BYTES])
{
    lock(p);
    const struct known *k = map_get(&p->servers, server);
    bool is_same = k && k->has_key && memcmp(k->key, key, sizeof k->key) == 0;
    unlock(p);
    return is_same;
}

// Another key than the known one is asked about as well: so the keeper hears of it, and knows
// whether it was told to forget the first.
static enum err ask(void *arg, struct str server, const uint8_t key[static TLS_PIN_BYTES],
                    struct deadline until, uint8_t ret[static TLS_PIN_BYTES], const char **ret_why)
{
    struct pins *p = arg;
    struct gate_petition m = {.kind = GATE_PETITION_PIN, .name_bytes = (uint32_t)server.len};
    struct gate_verdict verdict;
    if (is_known(p, server, key)) {
        memcpy(ret, key, TLS_PIN_BYTES);
        return ERR_OK;
    }
    *ret_why = "its name is too long for its key to be learnt";
    if (server.len > sizeof m.name)
        return ERR_LIMIT;
    memcpy(m.name, server.ptr, server.len);
    memcpy(m.key, key, sizeof m.key);
    enum err err = petitions_ask(p->petitions, m, until, &verdict);
    *ret_why = err == ERR_OK ? "its key couldn't be learnt, as the log says"
                             : "too many keys are being learnt at once";
    if (err || !verdict.is_yes)
        return err ? err : ERR_NOT_FOUND;
    memcpy(ret, verdict.key, TLS_PIN_BYTES);
    return ERR_OK;
}

struct upstream_pinning pins_pinning(struct pins *p)
{
    return (struct upstream_pinning){.ask = ask, .arg = p};
}
