// SPDX-License-Identifier: Apache-2.0
#include "keeper/secrets.h"

#include <string.h>

#include "base/mem.h"
#include "rt/clock.h"
#include "rt/file.h"
#include "rt/sys.h"

#define ROTATE_EVERY_MS (12 * 3600 * INT64_C(1000))

static void add_ticket_key(struct secrets *s)
{
    memmove(&s->keys[1], &s->keys[0], sizeof s->keys - sizeof s->keys[0]);
    sys_random(&s->keys[0], sizeof s->keys[0]);
    s->n_keys = MIN(s->n_keys + 1, (size_t)TLS_TICKET_KEYS_MAX);
    s->rotate_at_ms = clock_now_ms() + ROTATE_EVERY_MS;
    s->tickets_version++;
}

void secrets_fini(struct secrets *s)
{
    keeper_certs_free(s->certs);
    mem_free(s->state);
    explicit_bzero(s, sizeof *s);
}

static int64_t now_s(void)
{
    return clock_wall_ns() / 1000000000;
}

// Another folder has other keys: what was made in the first is forgotten, not moved.
static void open_state(struct secrets *s, const char *state)
{
    if (s->certs && strcmp(s->state, state) == 0)
        return;
    keeper_certs_free(s->certs);
    mem_free(s->state);
    s->certs = keeper_certs_new(state);
    s->state = mem_copy(state, strlen(state));
    s->certs_version++;
}

void secrets_want(struct secrets *s, const struct wish *w)
{
    if (w->certs.has_tls)
        open_state(s, w->state);
    if (!s->certs)
        return;
    if (s->n_keys == 0)
        add_ticket_key(s);
    if (keeper_certs_want(s->certs, &w->certs, now_s()))
        s->certs_version++;
}

int secrets_fd(const struct secrets *s)
{
    return s->certs ? keeper_certs_fd(s->certs) : -1;
}

void secrets_look(struct secrets *s)
{
    if (s->certs && keeper_certs_look(s->certs, now_s()))
        s->certs_version++;
}

void secrets_do_what_is_due(struct secrets *s, int64_t now_ms, int64_t *next_ms)
{
    if (s->n_keys == 0)
        return;
    if (now_ms >= s->rotate_at_ms)
        add_ticket_key(s);
    *next_ms = MIN(*next_ms, s->rotate_at_ms);
}

int secrets_pack_certs(const struct secrets *s)
{
    return keeper_certs_packed(s->certs);
}

int secrets_pack_tickets(const struct secrets *s)
{
    return file_sealed("sallyport tickets",
                       str_from((const char *)s->keys, s->n_keys * sizeof s->keys[0]));
}

json_t *secrets_report(const struct secrets *s)
{
    return s->certs ? keeper_certs_report(s->certs, now_s()) : json_array();
}
