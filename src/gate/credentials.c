// SPDX-License-Identifier: Apache-2.0
#include "gate/credentials.h"

#include "base/diag.h"
#include "gate/crew.h"
#include "rt/file.h"
#include "rt/log.h"
#include "upstream/service.h"

// What was wrong with single certificates, or with all.
static void log_diags(const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        bool is_error = diags->items[i].severity == DIAG_ERROR;
        log_line(is_error ? LOG_ERROR : LOG_WARN, "%s", diags->items[i].text);
    }
}

static bool map(int fd, const char *what, struct str *ret)
{
    if (fd >= 0 && file_map_sealed(fd, ret))
        return true;
    log_error("%s didn't come as a sealed file: what was there stays", what);
    return false;
}

void credentials_take_certs(struct credentials *c, int fd, struct crew *crew)
{
    struct str bytes;
    struct diags diags = {.n = 0};
    if (!map(fd, "certificates", &bytes))
        return;
    struct tls_store *store = tls_store_rebuild(bytes, c->store, &diags);
    file_unmap(bytes);
    log_diags(&diags);
    diags_fini(&diags);
    if (!store)
        return;
    log_debug("%zu certificates are in use", tls_store_n_chains(store));
    tls_store_unref(c->store);
    c->store = store;
    if (crew)
        crew_equip(crew, c);
}

void credentials_take_tickets(struct credentials *c, int fd, struct crew *crew)
{
    struct str bytes;
    if (!map(fd, "keys of session tickets", &bytes))
        return;
    struct tls_tickets *tickets = tls_tickets_new(bytes);
    file_unmap(bytes);
    if (!tickets) {
        log_error("the keys of session tickets arrived damaged: what was there stays");
        return;
    }
    tls_tickets_unref(c->tickets);
    c->tickets = tickets;
    if (crew)
        crew_equip(crew, c);
}

void credentials_take_cookie_key(int fd, struct upstream_registry *registry)
{
    struct str bytes;
    if (!map(fd, "the key of cookies", &bytes))
        return;
    if (bytes.len == COOKIE_KEY_BYTES)
        upstream_registry_set_cookie_key(registry, (const uint8_t *)bytes.ptr);
    else
        log_error("the key of cookies arrived damaged: what was there stays");
    file_unmap(bytes);
}

void credentials_take_challenges(struct credentials *c, int fd, struct crew *crew)
{
    struct str bytes;
    struct diags diags = {.n = 0};
    if (!map(fd, "proofs for authorities", &bytes))
        return;
    struct challenges *challenges = challenges_unpack(bytes, &diags);
    file_unmap(bytes);
    log_diags(&diags);
    diags_fini(&diags);
    if (!challenges) {
        log_error("the proofs for authorities arrived damaged: what was there stays");
        return;
    }
    challenges_unref(c->challenges);
    c->challenges = challenges;
    if (crew)
        crew_equip(crew, c);
}

struct credentials credentials_ref(const struct credentials *c)
{
    return (struct credentials){
        .store = c->store ? tls_store_ref(c->store) : NULL,
        .challenges = challenges_ref(c->challenges),
        .tickets = tls_tickets_ref(c->tickets),
        .demand = c->demand,
        .replay = tls_replay_ref(c->replay),
    };
}

void credentials_unref(struct credentials *c)
{
    tls_store_unref(c->store);
    challenges_unref(c->challenges);
    tls_tickets_unref(c->tickets);
    tls_replay_unref(c->replay);
    *c = (struct credentials){.store = NULL};
}
