// SPDX-License-Identifier: Apache-2.0
#include "upstream/survey.h"

#include "base/map.h"
#include "base/mem.h"
#include "rt/clock.h"
#include "upstream/group.h"
#include "upstream/mirror.h"
#include "upstream/service_priv.h"
#include "upstream/worker.h"

// Servers and targets looked at in one piece. Each may cost a few cache misses: some 100 µs.
#define PIECE_MAX 256
#define ADDR_TEXT_BYTES 128

static struct str own(struct str s)
{
    return str_from(mem_copy(s.ptr, s.len), s.len);
}

static struct survey_address look_at_slot(const struct service_server *server, size_t i,
                                          struct str text)
{
    const struct server_slot *slot = &server->state->slots[i];
    const struct health_slot *health = health_slot_of(server->health, i);
    struct survey_address a = {
        .text = own(text),
        .is_skipped =
            atomic_load_explicit(&slot->skip_until_ms, memory_order_relaxed) > clock_now_ms(),
        .n_failures = atomic_load_explicit(&slot->n_failures, memory_order_relaxed),
        .n_active = slot_n_active(slot),
        .health = health->record.health,
        .is_down = atomic_load_explicit(&health->is_down, memory_order_relaxed),
        .since_ms = health->since_ms,
    };
    if (eject_is_out(&health->eject, clock_now_ms()))
        a.ejected_until_ms = atomic_load_explicit(&health->eject.until_ms, memory_order_relaxed);
    memcpy(a.why, health->why, sizeof a.why);
    return a;
}

// A host's address without its port, which the server's URL tells; the path of a socket.
static struct str text_of(const struct rt_addr *addr, char buf[static ADDR_TEXT_BYTES])
{
    struct ip ip;
    uint16_t port;
    return addr_to_ip(addr, &ip, &port) ? ip_text(&ip, buf) : addr_text(addr, buf, ADDR_TEXT_BYTES);
}

static void look_at_server(const struct service_server *server, struct survey_server *ret)
{
    struct server_state *state = server->state;
    char buf[ADDR_TEXT_BYTES];
    struct server_answer answer = {.n = 1};
    if (state->kind == SERVER_NAME)
        registry_read_answer(state, &answer);
    *ret = (struct survey_server){
        .state = state,
        .name = server->health->name,
        .is_counted = atomic_load_explicit(&state->is_counted, memory_order_relaxed),
        .is_drained = server->health->is_drained,
        .is_checked = server->health->plan != NULL,
        .url = server->text,
        .weight = server->weight,
        .is_tls = state->tls != NULL,
        .why = answer.why,
        .n_failures = atomic_load_explicit(&state->n_failures_past, memory_order_relaxed),
        .addresses = MEM_ARRAY(struct survey_address, MAX(answer.n, 1)),
        .n_addresses = answer.n,
    };
    for (size_t i = 0; i < state->n_slots; i++)
        ret->n_failures += atomic_load_explicit(&state->slots[i].n_failures, memory_order_relaxed);
    if (state->kind != SERVER_NAME) {
        ret->addresses[0] = look_at_slot(server, 0, text_of(&state->addr, buf));
        return;
    }
    for (size_t i = 0; i < answer.n; i++)
        ret->addresses[i] =
            look_at_slot(server, answer.addrs[i].slot, ip_text(&answer.addrs[i].ip, buf));
}

// Each identity once: many sites may name the same URL.
static size_t choose_services(struct handler *const *services, size_t n,
                              const struct service **ret_chosen)
{
    struct map seen = {.n = 0};
    size_t n_chosen = 0;
    for (size_t i = 0; i < n; i++) {
        if (group_of(services[i])) // its members are told of by themselves
            continue;
        const struct service *s = service_of(services[i]);
        if (!map_set(&seen, s->shared->key, services[i]))
            ret_chosen[n_chosen++] = s;
    }
    map_fini(&seen);
    return n_chosen;
}

static const struct breaker *breaker_of(const struct service *s)
{
    return s->conf->breaker.is_on ? &CONTAINER_OF(s->shared, struct service_state, shared)->breaker
                                  : NULL;
}

static const struct group **choose_groups(struct handler *const *services, size_t n, size_t *ret_n)
{
    const struct group **chosen = MEM_ARRAY(const struct group *, MAX(n, 1));
    *ret_n = 0;
    for (size_t i = 0; i < n; i++)
        if (group_of(services[i]))
            chosen[(*ret_n)++] = group_of(services[i]);
    return chosen;
}

static struct survey_service look_at_service(const struct service *s, size_t first)
{
    struct room *room = registry_room(s->shared->registry);
    return (struct survey_service){
        .name = s->handler.name,
        .breaker = breaker_of(s),
        .conf = s->conf,
        .protocol = s->protocol,
        .n_queued = room_queue_length(room, registry_queue(s->shared)),
        .mirror_to = s->mirror ? s->mirror->name : STR_NONE,
        .mirror = s->mirror ? s->mirror->stats : NULL,
        .first = first,
        .n_servers = s->n_servers,
    };
}

struct survey *survey_new(struct handler *const *services, size_t n)
{
    const struct service **chosen = MEM_ARRAY(const struct service *, MAX(n, 1));
    struct survey *survey = MEM_NEW(struct survey);
    survey->groups = choose_groups(services, n, &survey->n_groups);
    survey->n_services = choose_services(services, n, chosen);
    for (size_t i = 0; i < survey->n_services; i++)
        survey->n_servers += chosen[i]->n_servers;
    survey->services = MEM_ARRAY(struct survey_service, MAX(survey->n_services, 1));
    survey->servers = MEM_ARRAY(struct survey_server, MAX(survey->n_servers, 1));
    size_t at = 0;
    for (size_t i = 0; i < survey->n_services; i++) {
        const struct service *s = chosen[i];
        survey->services[i] = look_at_service(s, at);
        for (size_t k = 0; k < s->n_servers; k++)
            look_at_server(&s->servers[k], &survey->servers[at++]);
    }
    ASSERT(at == survey->n_servers);
    mem_free(chosen);
    return survey;
}

void survey_free(struct survey *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_servers; i++) {
        for (size_t k = 0; k < s->servers[i].n_addresses; k++)
            mem_free((void *)(uintptr_t)s->servers[i].addresses[k].text.ptr);
        mem_free(s->servers[i].addresses);
    }
    mem_free(s->servers);
    mem_free(s->services);
    mem_free(s->groups);
    mem_free(s);
}

// Returns how many targets it looked at.
static size_t add_server(const struct upstream_worker *w, struct survey_server *to)
{
    struct worker_item *item = worker_item_get(w, &to->state->shared);
    if (!item)
        return 0;
    const struct worker_server *s = CONTAINER_OF(item, struct worker_server, item);
    to->n_requests += s->n_requests_past;
    to->n_handshakes += s->n_handshakes;
    to->n_resumed += s->n_resumed;
    for (uint32_t i = 0; i < s->n_targets; i++) {
        const struct target *t = s->targets[i];
        to->n_conns += t->n_conns;
        to->n_idle += t->n_idle;
        to->n_requests += t->n_requests;
    }
    return s->n_targets;
}

bool survey_add(struct survey *s)
{
    const struct upstream_worker *w = upstream_worker_self();
    ASSERT(w != NULL);
    for (size_t n = 0; s->next < s->n_servers && n < PIECE_MAX; n++)
        n += add_server(w, &s->servers[s->next++]);
    if (s->next < s->n_servers)
        return false;
    s->next = 0; // for the next worker
    return true;
}
