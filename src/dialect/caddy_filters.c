// SPDX-License-Identifier: Apache-2.0
// Directives as filters, each made once however many ways lead there.
#include "base/ascii.h"
#include "base/num.h"
#include "codec/base64.h"
#include "dialect/caddy_priv.h"

struct conf_node *caddy_filter(struct caddy_site *s, struct caddy_line *l, const char *kind)
{
    struct draft *d = s->c->d;
    struct conf_node *filters = draft_map(d, d->root, STR("filters"), l->place);
    struct str name =
        draft_name(d, filters, draft_printf(d, STR_FMT "-%s", STR_ARG(s->shown), kind));
    l->filter = name;
    return draft_map(d, draft_map(d, filters, name, l->place), str_of(kind), l->place);
}

struct conf_node *caddy_settings(struct caddy_site *s, const struct caddy_line *l)
{
    return conf_node_get(conf_node_get(s->c->d->root, STR("filters")), l->filter)->first;
}

struct str caddy_refusal(struct caddy *c, struct place place)
{
    struct str name = STR("not-carried-over");
    struct conf_node *filters = draft_map(c->d, c->d->root, STR("filters"), place);
    if (conf_node_get(filters, name))
        return name;
    struct conf_node *filter = draft_map(c->d, filters, name, place);
    struct conf_node *respond = draft_map(c->d, filter, STR("respond"), place);
    draft_set(c->d, respond, STR("status"), STR("503"), place);
    draft_set(c->d, respond, STR("body"), STR("Not available.\n"), place);
    draft_remark(c->d, filter,
                 "For what the file protected or served in a way that couldn't be carried over.");
    return name;
}

void caddy_refuse(struct caddy_site *s, struct caddy_line *l, const char *why)
{
    l->is_refused = true;
    l->filter = STR_NONE;
    caddy_note(s->c, l, DRAFT_CLOSED, "%s", why);
}

// --- answers ---

// Whether it names something of the request, as "{host}" does and JSON doesn't.
static bool has_placeholder(struct str text)
{
    for (size_t at; (at = str_find(text, '{')) != STR_NPOS;) {
        text = str_skip(text, at + 1);
        size_t end = str_find(text, '}');
        struct str name = end == STR_NPOS ? STR_NONE : str_first(text, end);
        bool is_name = name.len > 0;
        for (size_t i = 0; i < name.len; i++)
            is_name &= (name.ptr[i] >= 'a' && name.ptr[i] <= 'z') || name.ptr[i] == '.' ||
                       name.ptr[i] == '_' || name.ptr[i] == '-' ||
                       (name.ptr[i] >= '0' && name.ptr[i] <= '9');
        if (is_name)
            return true;
    }
    return false;
}

static bool is_json(struct str body)
{
    body = str_trim(body);
    return (str_starts(body, STR("{")) && str_ends(body, STR("}"))) ||
           (str_starts(body, STR("[")) && str_ends(body, STR("]")));
}

static void put_respond(struct caddy_site *s, struct caddy_line *l)
{
    struct draft *d = s->c->d;
    size_t at = caddy_args(l);
    struct str status = STR_NONE, body = STR_NONE;
    uint64_t number;
    bool is_error = caddy_is(l, "error");
    for (; at < l->n_words; at++) {
        struct str word = caddy_word(l, at);
        if (word.len == 3 && num_dec(word, 999, &number) == ERR_OK)
            status = word;
        else
            body = word;
    }
    for (const struct caddy_line *sub = l->first; sub; sub = sub->next)
        if (caddy_is(sub, "body") || caddy_is(sub, "message"))
            body = caddy_word(sub, 1);
    if (is_error)
        body = STR_NONE; // it is for 'handle_errors'
    if (status.len == 0)
        status = is_error ? STR("500") : STR("200");
    if (caddy_is(l, "abort")) {
        status = STR("403");
        caddy_note(s->c, l, DRAFT_CHANGED, "clients get 403 instead of a closed connection");
    }
    if (num_dec(status, 599, &number) != ERR_OK || number < 200) {
        caddy_refuse(s, l, "there is no such status");
        return;
    }
    if (has_placeholder(body))
        caddy_note(s->c, l, DRAFT_CHANGED, "texts have no placeholders here");
    struct conf_node *settings = caddy_filter(s, l, "respond");
    draft_set(d, settings, STR("status"), status, l->place);
    draft_set(d, settings, STR("body"), body, l->place);
    if (is_json(body) && !has_placeholder(body))
        draft_set(d, settings, STR("content-type"), STR("application/json"), l->place);
}

// --- who may pass ---

// A hash as it is, or in Base64. Empty: it is none of bcrypt's.
static struct str hash_of(struct draft *d, struct str word)
{
    char buf[256];
    size_t len = 0;
    if (str_starts(word, STR("$2")))
        return word;
    if (word.len > 200 || base64_decode(word, false, buf, &len) != ERR_OK)
        return STR_NONE;
    struct str hash = str_from(buf, len);
    bool is_text = str_starts(hash, STR("$2"));
    for (size_t i = 0; i < len; i++)
        is_text &= buf[i] > ' ' && buf[i] < 0x7f;
    return is_text ? draft_text(d, hash) : STR_NONE;
}

static void put_users(struct caddy_site *s, struct caddy_line *l)
{
    struct draft *d = s->c->d;
    size_t at = caddy_args(l);
    struct str algorithm = caddy_word(l, at), realm = caddy_word(l, at + 1);
    bool is_fine = l->first && (algorithm.len == 0 || str_eq(algorithm, STR("bcrypt")));
    for (const struct caddy_line *user = l->first; user; user = user->next) {
        struct str name = caddy_word(user, 0);
        draft_hide(d, user->place);
        is_fine = is_fine && user->n_words == 2 && hash_of(d, caddy_word(user, 1)).len > 0 &&
                  str_find(name, ':') == STR_NPOS && !str_eq(name, STR("file")) &&
                  !str_eq(name, STR("env")) && caddy_is_plain(name);
    }
    if (!is_fine) {
        caddy_refuse(s, l, "only names with bcrypt hashes that begin with '$2' are carried over");
        return;
    }
    struct conf_node *settings = caddy_filter(s, l, "basic-auth");
    struct conf_node *users = draft_list(d, settings, STR("users"), l->place);
    for (const struct caddy_line *user = l->first; user; user = user->next) {
        struct str hash = hash_of(d, caddy_word(user, 1));
        draft_push(
            d, users,
            draft_printf(d, STR_FMT ":" STR_FMT, STR_ARG(caddy_word(user, 0)), STR_ARG(hash)),
            user->place);
    }
    draft_set(d, settings, STR("realm"), realm.len > 0 ? realm : STR("restricted"), l->place);
    draft_set(d, settings, STR("strip"), STR("no"), l->place);
}

// What may stand in forward_auth without a change here. False: it can't be had.
static bool is_told_anyway(struct caddy_site *s, struct caddy_line *l)
{
    if (caddy_is(l, "header_up") && caddy_is_forwarding(caddy_word(l, 1)) && l->n_words == 3)
        caddy_note(s->c, l, DRAFT_NEEDLESS, "auth servers are always told the client's address");
    else if (caddy_is(l, "trusted_proxies"))
        caddy_note(s->c, l, DRAFT_LOST, "see 'trusted-proxies' of entrypoints");
    else
        return false;
    return true;
}

static void put_forward_auth(struct caddy_site *s, struct caddy_line *l)
{
    struct draft *d = s->c->d;
    size_t at = caddy_args(l);
    struct str url, uri = STR_NONE;
    bool is_fine = l->n_words == at + 1 && caddy_url(s->c, caddy_word(l, at), false, &url);
    for (struct caddy_line *sub = l->first; sub && is_fine; sub = sub->next) {
        if (caddy_is(sub, "uri") && caddy_is_plain(caddy_word(sub, 1)))
            uri = caddy_word(sub, 1);
        else if (!caddy_is(sub, "copy_headers"))
            is_fine = is_told_anyway(s, sub);
        for (const struct caddy_line *name = sub->first; name; name = name->next)
            is_fine &= name->n_words == 1 && !name->is_block &&
                       ascii_is_token(caddy_word(name, 0)) && caddy_is(sub, "copy_headers");
        for (size_t i = 1; caddy_is(sub, "copy_headers") && i < sub->n_words; i++)
            is_fine &= ascii_is_token(caddy_word(sub, i));
    }
    if (!is_fine || uri.len == 0) {
        caddy_refuse(s, l,
                     "only 'uri' and 'copy_headers' of one auth server, without other names, are "
                     "carried over");
        return;
    }
    struct conf_node *settings = caddy_filter(s, l, "forward-auth");
    draft_set(d, settings, STR("address"), url, l->place);
    draft_set(d, settings, STR("path"), uri, l->place);
    for (const struct caddy_line *sub = l->first; sub; sub = sub->next) {
        if (!caddy_is(sub, "copy_headers"))
            continue;
        struct conf_node *names = draft_list(d, settings, STR("auth-response-headers"), sub->place);
        for (size_t i = 1; i < sub->n_words; i++)
            draft_push(d, names, caddy_word(sub, i), sub->place);
        for (const struct caddy_line *name = sub->first; name; name = name->next)
            draft_push(d, names, caddy_word(name, 0), name->place);
    }
}

// "10MB" and "10MiB" in bytes, or 0.
static uint64_t size_of(struct str s)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"kib", 1U << 10}, {"mib", 1U << 20},  {"gib", 1U << 30}, {"kb", 1000},
                 {"mb", 1000000},   {"gb", 1000000000}, {"b", 1},          {"", 1}};
    uint64_t n;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct str unit = str_of(units[i].unit);
        if (s.len > unit.len && str_ieq(str_skip(s, s.len - unit.len), unit))
            return num_dec(str_first(s, s.len - unit.len), UINT32_MAX, &n) == ERR_OK
                       ? n * units[i].bytes
                       : 0;
    }
    return 0;
}

static void put_body_limit(struct caddy_site *s, struct caddy_line *l)
{
    const struct caddy_line *sub = l->first;
    uint64_t max = sub && caddy_is(sub, "max_size") ? size_of(caddy_word(sub, 1)) : 0;
    if (max == 0 || sub->next) {
        caddy_refuse(s, l, "only 'max_size' of bodies is carried over");
        return;
    }
    struct conf_node *settings = caddy_filter(s, l, "body-limit");
    draft_set(s->c->d, settings, STR("max"), draft_printf(s->c->d, "%llu", (unsigned long long)max),
              l->place);
}

static void put_packing(struct caddy_site *s, struct caddy_line *l)
{
    struct draft *d = s->c->d;
    struct conf_node *settings = caddy_filter(s, l, "compress");
    struct conf_node *codings = draft_list(d, settings, STR("codings"), l->place);
    struct str least = STR("512");
    for (struct caddy_line *sub = l; sub; sub = sub == l ? l->first : sub->next)
        for (size_t i = sub == l ? caddy_args(l) : 0; i < sub->n_words; i++) {
            struct str word = caddy_word(sub, i), level = caddy_word(sub, i + 1);
            bool is_known =
                str_eq(word, STR("gzip")) || str_eq(word, STR("zstd")) || str_eq(word, STR("br"));
            uint64_t number;
            if (is_known)
                draft_push(d, codings, word, sub->place);
            else if (sub != l && caddy_is(sub, "minimum_length"))
                least = level;
            else
                caddy_note(s->c, sub, DRAFT_LOST, "see the settings of 'compress'");
            if (sub == l)
                continue;
            if (is_known && str_eq(word, STR("gzip")) && num_dec(level, 9, &number) == ERR_OK &&
                number > 0)
                draft_set(d, settings, STR("gzip-level"), level, sub->place);
            else if (is_known && level.len > 0)
                caddy_note(s->c, sub, DRAFT_LOST, "see the levels of 'compress'");
            break;
        }
    uint64_t number;
    if (!codings->first)
        draft_remove(settings, STR("codings"));
    if (num_dec(least, UINT32_MAX, &number) == ERR_OK)
        draft_set(d, settings, STR("min-size"), least, l->place);
}

void caddy_put_filter(struct caddy_site *s, struct caddy_line *l)
{
    if (l->filter.len > 0 || l->is_refused)
        return;
    if (caddy_is(l, "respond") || caddy_is(l, "error") || caddy_is(l, "abort"))
        put_respond(s, l);
    else if (caddy_is(l, "header"))
        caddy_put_headers(s, l, FILTER_RESPONSE);
    else if (caddy_is(l, "request_header"))
        caddy_put_headers(s, l, FILTER_REQUEST);
    else if (caddy_is(l, "basicauth") || caddy_is(l, "basic_auth"))
        put_users(s, l);
    else if (caddy_is(l, "forward_auth"))
        put_forward_auth(s, l);
    else if (caddy_is(l, "request_body"))
        put_body_limit(s, l);
    else if (caddy_is(l, "encode"))
        put_packing(s, l);
    else
        caddy_put_path(s, l);
}
