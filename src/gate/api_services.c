// SPDX-License-Identifier: Apache-2.0
// What the API tells of services: those with servers as the survey has found them, then those that
// are made of others.
#include "base/assert.h"
#include "base/mem.h"
#include "gate/api_priv.h"
#include "upstream/service.h"
#include "upstream/survey.h"

static const struct survey *survey_of(const struct api_part *p)
{
    return p->report->status->survey;
}

static const struct snapshot *snapshot_of(const struct api_part *p)
{
    return p->report->status->snapshot;
}

static bool is_group(const struct service_conf *c)
{
    return c->split.n > 0 || c->failover.n > 0;
}

size_t api_n_groups(const struct snapshot *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->settings.services.n; i++)
        n += is_group(s->settings.services.items[i].value);
    return n;
}

// Groups are an array from the first look on.
static size_t count_services(const struct api_part *shared)
{
    struct api_part *p = (struct api_part *)(uintptr_t)shared;
    const struct conf_map *confs = &snapshot_of(p)->settings.services;
    if (!p->groups) {
        p->groups = ARENA_ARRAY(p->mem, const struct conf_map_item *, confs->n + 1);
        for (size_t i = 0; p->groups && i < confs->n; i++) {
            if (is_group(confs->items[i].value))
                p->groups[p->n_groups++] = &confs->items[i];
        }
    }
    return survey_of(p)->n_services + p->n_groups;
}

static const struct conf_map_item *group_at(const struct api_part *p, size_t i)
{
    size_t at = i - survey_of(p)->n_services;
    ASSERT(at < p->n_groups);
    return p->groups[at];
}

static struct str service_name(const struct api_part *p, size_t i)
{
    return i < survey_of(p)->n_services ? survey_of(p)->services[i].name : group_at(p, i)->name;
}

static bool is_service(const struct handler *h)
{
    return h->next == NULL;
}

bool api_server_is_up(const struct survey_server *server)
{
    for (size_t i = 0; i < server->n_addresses; i++) {
        const struct survey_address *a = &server->addresses[i];
        if (!a->is_down && !a->is_skipped && a->ejected_until_ms == 0)
            return !server->is_drained;
    }
    return false;
}

// What a service's lists are put into.
struct room {
    struct api_server *servers; // owns
    struct api_member members[GROUP_MEMBERS_MAX];
};

static void gather_servers(const struct api_part *p, size_t i, struct api_service *ret,
                           struct room *room)
{
    const struct survey_service *s = &survey_of(p)->services[i];
    room->servers = MEM_ARRAY(struct api_server, MAX(s->n_servers, (size_t)1));
    ret->kind = API_SERVICE_SERVERS;
    ret->thing.place = s->conf->place;
    ret->is_for_connections = s->protocol != SERVER_HTTP;
    ret->keeps_host = s->conf->host.text.len == 0 || str_eq(s->conf->host.text, STR("keep"));
    ret->servers = room->servers;
    for (size_t k = 0; k < s->n_servers; k++) {
        const struct survey_server *server = &survey_of(p)->servers[s->first + k];
        room->servers[ret->n_servers++] = (struct api_server){
            .url = server->url, .is_up = api_server_is_up(server), .weight = server->weight};
    }
}

static void gather_members(const struct conf_map_item *item, struct api_service *ret,
                           struct api_member members[GROUP_MEMBERS_MAX])
{
    const struct service_conf *c = item->value;
    ret->kind = c->split.n > 0 ? API_SERVICE_SPLIT : API_SERVICE_FAILOVER;
    ret->thing.place = item->place;
    ret->members = members;
    for (size_t i = 0; i < c->split.n && ret->n_members < GROUP_MEMBERS_MAX; i++) {
        const struct split_conf *part = c->split.items[i];
        members[ret->n_members++] =
            (struct api_member){.name = part->service.text, .weight = part->weight};
    }
    for (size_t i = 0; i < c->failover.n && ret->n_members < GROUP_MEMBERS_MAX; i++)
        members[ret->n_members++] =
            (struct api_member){.name = c->failover.items[i].text, .weight = 1};
}

static void gather(const struct api_part *p, size_t i, struct room *room, struct api_service *ret)
{
    struct str name = service_name(p, i);
    const struct api_users *users = map_get(&p->users, name);
    *ret = (struct api_service){.thing = {.name = name, .provider = api_provider_of(name)}};
    if (users)
        ret->used_by = (struct api_texts){users->names, users->n};
    room->servers = NULL;
    if (i < survey_of(p)->n_services)
        gather_servers(p, i, ret, room);
    else
        gather_members(group_at(p, i), ret, room->members);
}

static void put_service(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct room room;
    struct api_service s;
    struct text detail = {.ptr = NULL};
    (void)is_member;
    gather(p, i, &room, &s);
    if (i < survey_of(p)->n_services) {
        text_byte(&detail, '{');
        status_put_service(survey_of(p), i, &detail);
        s.detail = str_skip(text_str(&detail), 1);
    }
    api_put_service(&s, to);
    mem_free(room.servers);
    text_fini(&detail);
}

static void put_traefik(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct room room;
    struct api_service s;
    gather(p, i, &room, &s);
    api_put_traefik_service(&s, is_member, to);
    mem_free(room.servers);
}

static void put_full_name(const struct api_part *p, size_t i, struct text *to)
{
    struct str name = service_name(p, i);
    api_put_traefik_name(name, api_provider_of(name), to);
}

static bool is_for_connections(const struct api_part *p, size_t i)
{
    return i < survey_of(p)->n_services && survey_of(p)->services[i].protocol != SERVER_HTTP;
}

static bool is_http_meant(const struct api_part *p, size_t i)
{
    struct str name = service_name(p, i);
    return !is_for_connections(p, i) && api_request_finds(p->asked, &name, 1);
}

static bool is_tcp_meant(const struct api_part *p, size_t i)
{
    struct str name = service_name(p, i);
    return is_for_connections(p, i) && api_request_finds(p->asked, &name, 1);
}

const struct api_list_type api_services = {.count = count_services,
                                           .name = service_name,
                                           .put = put_service,
                                           .has_users = true,
                                           .is_used_as = is_service};

const struct api_list_type api_traefik_services = {.count = count_services,
                                                   .name = service_name,
                                                   .is_meant = is_http_meant,
                                                   .put = put_traefik,
                                                   .put_name = put_full_name,
                                                   .has_users = true,
                                                   .is_used_as = is_service};

const struct api_list_type api_traefik_tcp_services = {.count = count_services,
                                                       .name = service_name,
                                                       .is_meant = is_tcp_meant,
                                                       .put = put_traefik,
                                                       .put_name = put_full_name,
                                                       .has_users = true,
                                                       .is_used_as = is_service};
