// SPDX-License-Identifier: Apache-2.0
// What the API tells of certificates and orders, which the keeper knows, of requests that went
// wrong, and of the proxy as a whole.
#include "codec/json.h"
#include "gate/api_priv.h"
#include "upstream/survey.h"

// --- lists of the keeper's ---

static const struct json *list_of(const struct api_part *p)
{
    return json_get(p->report->known, p->type == &api_orders ? STR("orders") : STR("certificates"));
}

// Its items one behind the other are an array from the first look on.
static size_t count_known(const struct api_part *shared)
{
    struct api_part *p = (struct api_part *)(uintptr_t)shared;
    const struct json *list = list_of(p);
    if (p->known || !list || list->kind != JSON_ARRAY)
        return p->n_known;
    size_t n = 0;
    for (const struct json *item = list->first; item; item = item->next)
        n++;
    p->known = ARENA_ARRAY(p->mem, const struct json *, n + 1);
    for (const struct json *item = list->first; p->known && item; item = item->next)
        p->known[p->n_known++] = item;
    return p->n_known;
}

static struct str known_name(const struct api_part *p, size_t i)
{
    return json_get_text(p->known[i], STR("id"));
}

static bool is_known_meant(const struct api_part *p, size_t i)
{
    struct str state = json_get_text(p->known[i], STR("state"));
    struct str id = known_name(p, i);
    const struct json *names = json_get(p->known[i], STR("names"));
    bool is_found = api_request_finds(p->asked, &id, 1);
    for (const struct json *n = names ? names->first : NULL; n && !is_found; n = n->next)
        is_found = api_request_finds(p->asked, &n->text, 1);
    return is_found && (p->asked->status.len == 0 || str_ieq(p->asked->status, state));
}

static void put_known(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    (void)is_member;
    json_text_value(to, p->known[i]);
}

const struct api_list_type api_certificates = {
    .count = count_known, .name = known_name, .is_meant = is_known_meant, .put = put_known};

const struct api_list_type api_orders = {
    .count = count_known, .name = known_name, .is_meant = is_known_meant, .put = put_known};

// --- requests that went wrong ---

static const struct recent_set *recent_of(const struct api_part *p)
{
    return &p->report->status->recent;
}

static size_t count_errors(const struct api_part *p)
{
    return recent_of(p)->n;
}

static struct str error_id(const struct api_part *p, size_t i)
{
    return recent_text(recent_of(p)->items[i], RECENT_ID);
}

static bool is_error_meant(const struct api_part *p, size_t i)
{
    static const enum recent_text searched[] = {RECENT_HOST,    RECENT_PATH,   RECENT_CLIENT,
                                                RECENT_ROUTE,   RECENT_SERVER, RECENT_BY,
                                                RECENT_SERVICE, RECENT_REASON, RECENT_ID};
    const struct recent_item *item = recent_of(p)->items[i];
    struct str texts[ARRAY_LEN(searched)];
    for (size_t k = 0; k < ARRAY_LEN(searched); k++)
        texts[k] = recent_text(item, searched[k]);
    return api_request_finds(p->asked, texts, ARRAY_LEN(texts)) &&
           (p->asked->status.len == 0 ||
            str_ieq(p->asked->status, str_of(recent_kind_name(item->kind)))) &&
           (p->asked->service.len == 0 ||
            str_eq(p->asked->service, recent_text(item, RECENT_SERVICE)));
}

static void put_error(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    (void)is_member;
    recent_put(recent_of(p)->items[i], to);
}

const struct api_list_type api_errors = {
    .count = count_errors, .name = error_id, .is_meant = is_error_meant, .put = put_error};

// --- the whole ---

void api_put_status(const struct report *r, struct text *to)
{
    static const struct str lists[] = {STR_INIT("certificates"), STR_INIT("orders"),
                                       STR_INIT("entrypoints")}; // paths of their own
    text_byte(to, '{');
    const struct json *first = r->known && r->known->kind == JSON_OBJECT ? r->known->first : NULL;
    for (const struct json *m = first; m; m = m->next) {
        bool is_list = false;
        for (size_t i = 0; i < ARRAY_LEN(lists); i++)
            is_list = is_list || str_eq(m->name, lists[i]);
        if (is_list)
            continue;
        json_text_key(to, NULL);
        json_text_str(to, m->name);
        text_byte(to, ':');
        json_text_value(to, m);
    }
    json_text_time(to, "at", r->at_ns);
    json_text_open(to, "gate", '{');
    status_put_process(r->status, r->process, to);
    text_put(to, STR("}}"));
}

void api_put_providers(const struct report *r, struct text *to)
{
    const struct json *known = json_get(r->known, STR("providers"));
    const struct json *settings = json_get(r->known, STR("settings"));
    text_byte(to, '{');
    json_text_key(to, "file");
    if (settings)
        json_text_value(to, settings);
    else
        text_put(to, STR("{}"));
    for (const struct json *m = known ? known->first : NULL; m; m = m->next) {
        json_text_key(to, NULL);
        json_text_str(to, m->name);
        text_byte(to, ':');
        json_text_value(to, m);
    }
    text_byte(to, '}');
}

static struct api_counts count_broken(const struct route *routes, size_t n)
{
    struct api_counts c = {.total = n};
    for (size_t i = 0; i < n; i++)
        c.errors += !routes[i].handler || !routes[i].rule;
    return c;
}

// Traefik's names of them.
static size_t find_providers(const struct snapshot *s, struct str ret[2])
{
    size_t n = 0;
    ret[n++] = STR("File");
    for (size_t i = 0; i < api_n_routes(s) && n < 2; i++) {
        if (str_eq(api_provider_of(api_route_at(s, i)->name), STR("docker")))
            ret[n++] = STR("Docker");
    }
    return n;
}

void api_put_overview(const struct report *r, struct text *to)
{
    const struct snapshot *s = r->status->snapshot;
    const struct survey *survey = r->status->survey;
    struct str providers[2];
    struct api_overview o = {
        .http_routes = count_broken(s->routes, s->n_routes),
        .http_services = {.total = api_n_groups(s)},
        .filters = {.total = s->settings.filters.n},
        .tcp_routes = count_broken(s->tcp_routes, s->n_tcp_routes),
        .has_access_log = s->access_log != NULL,
        .has_metrics = true,
        .providers = {providers, find_providers(s, providers)},
    };
    for (size_t i = 0; i < survey->n_services; i++) {
        bool is_http = survey->services[i].protocol == SERVER_HTTP;
        (is_http ? &o.http_services : &o.tcp_services)->total++;
    }
    api_put_traefik_overview(&o, to);
}

void api_put_version(const struct report *r, struct text *to)
{
    api_put_traefik_version(STR(SALLYPORT_VERSION), json_get_text(r->known, STR("started")), to);
}
