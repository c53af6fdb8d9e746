// SPDX-License-Identifier: Apache-2.0
// Actions that change requests or answers.
#include "base/ascii.h"
#include "dialect/haproxy_rules.h"
#include "filter/common.h"

typedef bool action_fn(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response);

static void wait_for_filter(struct haproxy_run *r, struct haproxy_state *s,
                            struct haproxy_change change)
{
    struct haproxy_change *own = ARENA_NEW(&r->h->d->mem, struct haproxy_change);
    if (!own) {
        r->h->d->is_full = true;
        return;
    }
    // Filters remove, then set, then add: what else comes twice needs another one.
    for (const struct haproxy_change *c = s->changes; c; c = c->before)
        if (c->is_response == change.is_response && str_ieq(c->name, change.name)) {
            haproxy_state_flush(r, s);
            break;
        }
    *own = change;
    own->before = s->changes;
    s->changes = own;
    struct haproxy_names *name =
        change.is_response ? NULL : ARENA_NEW(&r->h->d->mem, struct haproxy_names);
    if (name) {
        *name = (struct haproxy_names){.before = s->fields, .name = change.name};
        s->fields = name;
    } else {
        r->h->d->is_full |= !change.is_response;
    }
}

static void put_change(struct haproxy_run *r, struct conf_node *headers,
                       const struct haproxy_change *c)
{
    struct draft *d = r->h->d;
    if (!c)
        return;
    put_change(r, headers, c->before);
    struct conf_node *side =
        draft_map(d, headers, c->is_response ? STR("response") : STR("request"), c->place);
    if (c->how == 'd')
        draft_push(d, draft_list(d, side, STR("remove"), c->place), c->name, c->place);
    else
        draft_set(d, draft_map(d, side, c->how == 's' ? STR("set") : STR("add"), c->place), c->name,
                  c->value, c->place);
}

void haproxy_state_flush(struct haproxy_run *r, struct haproxy_state *s)
{
    struct text key = {.len = 0};
    struct place place = {.line = 0};
    if (!s->changes)
        return;
    text_put(&key, STR("headers"));
    for (const struct haproxy_change *c = s->changes; c; c = c->before) {
        text_printf(&key, "\n%d%c" STR_FMT ": " STR_FMT, c->is_response, c->how, STR_ARG(c->name),
                    STR_ARG(c->value));
        place = c->place;
    }
    struct conf_node *map;
    struct str own_key = draft_text(r->h->d, text_str(&key));
    text_fini(&key);
    struct str wanted = draft_printf(r->h->d, STR_FMT "-headers", STR_ARG(r->proxy->s->name));
    struct str name = haproxy_filter(r->h, own_key, wanted, place, &map);
    if (map)
        put_change(r, draft_map(r->h->d, map, STR("headers"), place), s->changes);
    haproxy_state_use(r, s, name, false);
    s->changes = NULL;
}

// --- header fields ---

// Fields of which servers are told in any case, and what HAProxy says for the same.
static bool is_told(struct haproxy_run *r, struct str name, struct str value)
{
    static const struct {
        const char *name, *value;
    } told[] = {
        {"X-Forwarded-For", "%[src]"},
        {"X-Forwarded-For", "%ci"},
        {"X-Real-IP", "%[src]"},
        {"X-Real-IP", "%ci"},
        {"X-Forwarded-Host", "%[req.hdr(host)]"},
        {"X-Forwarded-Host", "%[hdr(host)]"},
        {"X-Forwarded-Port", "%[dst_port]"},
        {"X-Forwarded-Port", "%fp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        if (str_ieq(name, str_of(told[i].name)) && str_ieq(value, str_of(told[i].value)))
            return true;
    if (!str_ieq(name, STR("X-Forwarded-Proto")))
        return false;
    r->used_bind = true;
    return str_eq(value, r->bind->has_tls ? STR("https") : STR("http"));
}

// What can stand in Host, and isn't a word of the setting's own.
static bool is_authority(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_ALPHA | ASCII_DIGIT) && !strchr(".-_:[]", s.ptr[i]))
            return false;
    return s.len > 0 && !str_eq(s, STR("keep")) && !str_eq(s, STR("server"));
}

static bool is_host(struct str name)
{
    return str_ieq(name, STR("host"));
}

// What servers get as Host is a setting of their service.
static bool set_host(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                     struct str value)
{
    struct str constant;
    for (const char *const *own = (const char *const[]){"%[req.hdr(host)]", "%[hdr(host)]",
                                                        "%[req.hdr(Host)]", "%[hdr(Host)]", NULL};
         *own; own++) {
        if (!str_eq(value, str_of(*own)))
            continue;
        haproxy_note(r->h, l, DRAFT_NEEDLESS, "servers get the client's Host in any case");
        return false;
    }
    if (!haproxy_constant(r, value, &constant) || !is_authority(constant)) {
        haproxy_note(r->h, l, DRAFT_LOST,
                     "'host' of a service says what servers get as Host: a name, the same for all "
                     "requests");
        return false;
    }
    s->host = constant;
    s->host_place = l->place;
    s->changed |= HAPROXY_CHANGED_HOST;
    return true;
}

static bool set_field(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                      struct str value, bool is_response)
{
    struct str name = haproxy_word(l, 2), constant;
    char how = str_starts(haproxy_word(l, 1), STR("add")) ? 'a' : 's';
    enum filter_side side = is_response ? FILTER_RESPONSE : FILTER_REQUEST;
    const char *fault = filter_field_fault(name, side);
    if (!is_response && is_host(name) && how == 's')
        return set_host(r, s, l, value);
    if (fault) {
        haproxy_note(r->h, l, DRAFT_LOST, "the field %s", fault);
        return false;
    }
    if (!is_response && is_told(r, name, value)) {
        haproxy_note(r->h, l, DRAFT_NEEDLESS, "servers are told so in any case");
        return false;
    }
    if (haproxy_constant(r, value, &constant) && !filter_value_fault(constant)) {
        wait_for_filter(r, s,
                        (struct haproxy_change){.is_response = is_response,
                                                .how = how,
                                                .name = name,
                                                .value = constant,
                                                .place = l->place});
        return true;
    }
    if (is_response || how == 'a') {
        haproxy_note(r->h, l, DRAFT_LOST, "fields get the same value for all requests here");
        return false;
    }
    // A client's own must not take its place.
    haproxy_note(r->h, l, DRAFT_CLOSED,
                 "fields get the same value for all requests here; what clients send in it is "
                 "removed");
    wait_for_filter(r, s, (struct haproxy_change){.how = 'd', .name = name, .place = l->place});
    return true;
}

static bool set_header(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response)
{
    return set_field(r, s, l, haproxy_word(l, 3), is_response);
}

static bool fits_all(struct str expression)
{
    static const char *const all[] = {".*", "^.*$", "(.*)", "^(.*)$", ".+", "^.+$", "(.+)"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (str_eq(expression, str_of(all[i])))
            return true;
    return false;
}

// Attributes that are put behind each cookie: "\1; Secure; SameSite=Lax".
static bool put_attributes(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l)
{
    static const struct {
        const char *attribute, *key, *value;
    } attributes[] = {
        {"secure", "secure", "always"},         {"httponly", "http-only", "yes"},
        {"samesite=lax", "same-site", "Lax"},   {"samesite=strict", "same-site", "Strict"},
        {"samesite=none", "same-site", "None"},
    };
    struct str rest = haproxy_word(l, 4), item;
    const char *values[ARRAY_LEN(attributes)] = {NULL};
    // "(?!" is for those that have it already.
    bool is_for_all =
        fits_all(haproxy_word(l, 3)) || str_search(haproxy_word(l, 3), STR("(?!")) != STR_NPOS;
    if (!is_for_all || !str_ieq(haproxy_word(l, 2), STR("set-cookie")) ||
        !str_starts(rest, STR("\\1;")))
        return false;
    rest = str_skip(rest, 3);
    while (str_next_item(&rest, ';', &item)) {
        size_t i = 0;
        while (i < ARRAY_LEN(attributes) && !str_ieq(item, str_of(attributes[i].attribute)))
            i++;
        if (i == ARRAY_LEN(attributes))
            return false;
        values[i] = attributes[i].value;
    }
    struct conf_node *map;
    struct str name = haproxy_filter(r->h, draft_printf(r->h->d, "cookies %u", l->place.line),
                                     STR("cookies"), l->place, &map);
    struct conf_node *cookies = map ? draft_map(r->h->d, map, STR("cookies"), l->place) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(attributes) && cookies; i++)
        if (values[i])
            draft_set(r->h->d, cookies, str_of(attributes[i].key), str_of(values[i]), l->place);
    haproxy_state_use(r, s, name, false);
    return true;
}

const struct haproxy_expr *haproxy_replaces(struct haproxy_asked *asked, struct haproxy_line *l)
{
    struct str fetch = draft_printf(asked->d, "req.fhdr(" STR_FMT ")", STR_ARG(haproxy_word(l, 2)));
    struct str words[] = {fetch, STR("-m"), STR("reg"), haproxy_word(l, 3)};
    bool has_groups = str_find(haproxy_word(l, 4), '\\') != STR_NPOS;
    if (is_host(haproxy_word(l, 2)) && fits_all(haproxy_word(l, 3)))
        return &haproxy_true;
    bool is_response = str_eq(l->words[0], STR("http-response"));
    return is_response || has_groups ? &haproxy_true : haproxy_ask(asked, words, 4);
}

// All of the field is replaced where the expression fits.
static bool replace_header(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                           bool is_response)
{
    if (is_response && put_attributes(r, s, l))
        return true;
    if (!is_response && str_find(haproxy_word(l, 4), '\\') == STR_NPOS)
        return set_field(r, s, l, haproxy_word(l, 4), false);
    haproxy_note(r->h, l, DRAFT_LOST,
                 is_response ? "fields of answers are set or removed, whatever is in them; "
                               "'cookies' changes those in Set-Cookie, 'strip' corrects Location"
                             : "parts of a field can't be kept; 'headers' sets it as a whole, and "
                               "'host' of a service what servers get as Host");
    return false;
}

static bool del_header(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response)
{
    struct str name = haproxy_word(l, 2);
    const char *fault = filter_field_fault(name, is_response ? FILTER_RESPONSE : FILTER_REQUEST);
    bool is_exact =
        !str_eq(haproxy_word(l, 3), STR("-m")) || str_eq(haproxy_word(l, 4), STR("str"));
    if (fault || !is_exact) {
        haproxy_note(r->h, l, DRAFT_LOST, "the field %s",
                     fault ? fault : "has to be named: fields aren't removed by expressions");
        return false;
    }
    wait_for_filter(r, s,
                    (struct haproxy_change){
                        .is_response = is_response, .how = 'd', .name = name, .place = l->place});
    return true;
}

// --- others ---

static bool needless(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                     bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_NEEDLESS, "nothing here needs it");
    return false;
}

static bool normal(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                   bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_NEEDLESS, "paths are always canonical here; see 'path-policy'");
    return false;
}

// Counting does nothing by itself.
static bool track(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                  bool is_response)
{
    (void)r, (void)s, (void)is_response;
    l->is_done = true;
    return false;
}

static bool log_field(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                      bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_LOST,
                 "'{header:NAME}' in the format of 'access-log' writes a field");
    return false;
}

static bool set_source(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                       bool is_response)
{
    (void)s, (void)is_response;
    haproxy_note(r->h, l, DRAFT_LOST,
                 "'trusted-proxies' of the entrypoint says whose X-Forwarded-For is believed");
    return false;
}

// HTTP by itself knows nothing of a variable: those who ask for it find out.
static const struct {
    const char *name;
    action_fn *act;
} actions[] = {
    {"replace-header", replace_header},
    {"set-header", set_header},
    {"add-header", set_header},
    {"del-header", del_header},
    {"set-path", haproxy_change_path},
    {"replace-path", haproxy_change_path},
    {"replace-uri", haproxy_change_path},
    {"replace-pathq", haproxy_change_path},
    {"normalize-uri", normal},
    {"set-var", needless},
    {"set-var-fmt", needless},
    {"unset-var", needless},
    {"set-log-level", needless},
    {"set-nice", needless},
    {"set-mark", needless},
    {"set-tos", needless},
    {"strict-mode", needless},
    {"disable-l7-retry", needless},
    {"wait-for-body", needless},
    {"wait-for-handshake", needless},
    {"capture", log_field},
    {"set-src", set_source},
};

bool haproxy_change(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                    bool is_response)
{
    struct str name = haproxy_word(l, 1);
    if (str_starts(name, STR("track-sc")))
        return track(r, s, l, is_response);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (str_eq(name, str_of(actions[i].name)))
            return actions[i].act(r, s, l, is_response);
    haproxy_note(r->h, l, DRAFT_LOST, "there is no such action here");
    return false;
}
