// SPDX-License-Identifier: Apache-2.0
#include "upstream/health.h"

#include "base/mem.h"

#define PLAN_MEM_MAX_BYTES ((size_t)1 << 20)

const char *health_name(enum health h)
{
    static const char *const names[] = {
#define X(id, name) name,
        HEALTH_LIST(X)
#undef X
    };
    ASSERT((size_t)h < ARRAY_LEN(names));
    return names[h];
}

static bool becomes(struct health_record *r, enum health h)
{
    *r = (struct health_record){.health = h};
    return true;
}

bool health_take(struct health_record *r, bool is_good, uint32_t rise, uint32_t fall)
{
    ASSERT(rise > 0 && fall > 0);
    switch (r->health) {
    case HEALTH_UNKNOWN:
        return becomes(r, is_good ? HEALTH_UP : HEALTH_DOWN);
    case HEALTH_UP:
        r->n_against = is_good ? 0 : r->n_against + 1;
        return r->n_against >= fall && becomes(r, HEALTH_DOWN);
    case HEALTH_DOWN:
        r->n_against = is_good ? r->n_against + 1 : 0;
        return r->n_against >= rise && becomes(r, HEALTH_UP);
    }
    return false;
}

void health_slot_reset(struct health_slot *s, bool is_first_awaited)
{
    atomic_store_explicit(&s->is_down, is_first_awaited, memory_order_relaxed);
    s->record = (struct health_record){.health = HEALTH_UNKNOWN};
    s->is_first_awaited = is_first_awaited;
    s->since_ms = 0;
    s->why[0] = '\0';
    eject_reset(&s->eject);
}

// --- plans ---

static struct conf_text keep_text(const struct conf_text *t, struct arena *mem)
{
    return (struct conf_text){.text = arena_dup(mem, t->text)};
}

static void keep_fields(const struct conf_map *from, struct arena *mem, struct conf_map *to)
{
    to->n = from->n;
    to->items = ARENA_ARRAY(mem, struct conf_map_item, from->n + 1);
    for (size_t i = 0; i < from->n; i++) {
        const struct health_field_conf *field = from->items[i].value;
        struct health_field_conf *copy = ARENA_NEW(mem, struct health_field_conf);
        copy->value = keep_text(&field->value, mem);
        to->items[i] =
            (struct conf_map_item){.name = arena_dup(mem, from->items[i].name), .value = copy};
    }
}

static void keep_conf(const struct health_conf *from, struct arena *mem, struct health_conf *to)
{
    *to = *from;
    to->place = (struct place){.source = NULL};
    to->path = keep_text(&from->path, mem);
    to->method = keep_text(&from->method, mem);
    to->host = keep_text(&from->host, mem);
    to->body = keep_text(&from->body, mem);
    to->body_regex = keep_text(&from->body_regex, mem);
    to->grpc_service = keep_text(&from->grpc_service, mem);
    keep_fields(&from->fields, mem, &to->fields);
    to->status.items = ARENA_ARRAY(mem, struct conf_text, from->status.n + 1);
    for (size_t i = 0; i < from->status.n; i++)
        to->status.items[i] = keep_text(&from->status.items[i], mem);
}

// Texts of settings are bounded by the size of the file, not by PLAN_MEM_MAX_BYTES.
static size_t text_bytes(const struct health_conf *c)
{
    size_t n = c->path.text.len + c->method.text.len + c->host.text.len + c->body.text.len +
               c->body_regex.text.len + c->grpc_service.text.len;
    for (size_t i = 0; i < c->fields.n; i++) {
        const struct health_field_conf *field = c->fields.items[i].value;
        n += c->fields.items[i].name.len + field->value.text.len + 128;
    }
    return n + c->status.n * 128;
}

static enum err check_possible(const struct health_plan_of *of, enum health_kind kind,
                               struct diags *diags)
{
    const struct health_conf *c = of->conf;
    const char *why = NULL;
    if (of->url->kind == SERVER_UNIX && c->port > 0)
        why = "a Unix socket has no other port";
    else if (kind == HEALTH_TLS && (!of->tls || c->is_plain))
        why = "checks of the type 'tls' are for servers with https://";
    else if (kind == HEALTH_GRPC && of->http == SERVER_HTTP_1)
        why = "gRPC needs HTTP/2: write the server's URL with h2c:// or https://, or 'http: 2' in "
              "the service";
    else if (kind == HEALTH_HTTP && of->url->protocol == SERVER_TCP)
        why = "servers of TCP routes speak no HTTP: use the type 'tcp'";
    else if (text_bytes(c) > PLAN_MEM_MAX_BYTES / 2)
        why = "its texts are too long";
    return why ? diag_fail(diags, ERR_SYNTAX, c->place, "health: %s", why) : ERR_OK;
}

// False: it was told.
static bool compile(struct health_plan *p, const struct conf_text *regex, struct diags *diags)
{
    char why[REGEX_WHY_BYTES];
    size_t at;
    if (regex->text.len == 0)
        return true;
    p->body_regex = regex_compile(regex->text, 0, &p->mem, &at, why);
    if (!p->body_regex)
        (void)diag_fail(diags, ERR_SYNTAX, regex->place, "body-regex: %s, at character %zu", why,
                        at + 1);
    return p->body_regex != NULL;
}

struct health_plan *health_plan_new(const struct health_plan_of *of, struct diags *diags)
{
    enum health_kind kind = (enum health_kind)of->conf->kind;
    if (kind == HEALTH_AUTO)
        kind = of->url->protocol == SERVER_TCP ? HEALTH_TCP : HEALTH_HTTP;
    if (check_possible(of, kind, diags) != ERR_OK)
        return NULL;
    struct health_plan *p = MEM_NEW(struct health_plan);
    atomic_init(&p->n_refs, 1);
    arena_init(&p->mem, PLAN_MEM_MAX_BYTES, NULL, 0);
    keep_conf(of->conf, &p->mem, &p->conf);
    p->kind = kind;
    p->http = of->http;
    p->host = arena_dup(&p->mem, of->host);
    bool is_tls = of->tls && !of->conf->is_plain && kind != HEALTH_TCP;
    if (is_tls) {
        p->tls = tls_client_ref(of->tls);
        p->peer = (struct tls_peer){.name = arena_dup(&p->mem, of->url->peer.name),
                                    .ip = of->url->peer.ip};
    } else if (p->http == SERVER_HTTP_AUTO) {
        p->http = kind == HEALTH_GRPC ? SERVER_HTTP_2 : SERVER_HTTP_1;
    }
    if (!compile(p, &of->conf->body_regex, diags)) {
        health_plan_unref(p);
        return NULL;
    }
    return p;
}

struct health_plan *health_plan_ref(struct health_plan *p)
{
    atomic_fetch_add_explicit(&p->n_refs, 1, memory_order_relaxed);
    return p;
}

void health_plan_unref(struct health_plan *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->n_refs, 1, memory_order_acq_rel) > 1)
        return;
    tls_client_unref(p->tls);
    regex_fini(p->body_regex);
    arena_fini(&p->mem);
    mem_free(p);
}

bool health_plan_wants_status(const struct health_plan *p, unsigned status)
{
    for (size_t i = 0; i < p->conf.status.n; i++) {
        unsigned first, last;
        if (health_status_parse(p->conf.status.items[i].text, &first, &last) && first <= status &&
            status <= last)
            return true;
    }
    return false;
}
