// SPDX-License-Identifier: Apache-2.0
// What is answered without a server: refusals, redirects, "return"; and texts with %[…].
#include "base/ascii.h"
#include "base/num.h"
#include "dialect/haproxy_rules.h"

#define BODY_MAX_BYTES ((size_t)64 << 10)

struct str haproxy_refusal(struct haproxy *h, unsigned status, struct haproxy_line *l)
{
    struct conf_node *map;
    struct place place = l ? l->place : (struct place){.line = 0};
    struct str key = draft_printf(h->d, "refuse %u", status);
    struct str wanted =
        status == 503 && !l ? STR("no-backend") : draft_printf(h->d, "refuse-%u", status);
    if (status == 503 && !l)
        key = STR("no backend");
    struct str name = haproxy_filter(h, key, wanted, place, &map);
    if (map) {
        struct conf_node *deny = draft_map(h->d, map, STR("deny"), place);
        draft_push(h->d, draft_list(h->d, deny, STR("paths"), place), STR("/"), place);
        draft_set(h->d, deny, STR("status"), draft_printf(h->d, "%u", status), place);
    }
    return name;
}

// --- texts with variables ---

// Pieces of HAProxy's formats and ours in redirects.
static const struct {
    const char *theirs, *ours;
} pieces[] = {
    {"%[req.hdr(host),lower]", "{host}"},
    {"%[req.hdr(Host),lower]", "{host}"},
    {"%[hdr(host),lower]", "{host}"},
    {"%[req.hdr(host)]", "{host}"},
    {"%[req.hdr(Host)]", "{host}"},
    {"%[hdr(host)]", "{host}"},
    {"%[hdr(Host)]", "{host}"},
    {"%[capture.req.uri]", "{path}{query}"},
    {"%[pathq]", "{path}{query}"},
    {"%[url]", "{path}{query}"},
    {"?%[query]", "{query}"},
    {"%[path]", "{path}"},
    {"%HU", "{path}{query}"},
    {"%HP", "{path}"},
    {"%HQ", "{query}"},
    {"%%", "%"},
};

// HAProxy's text as ours. False: it has something that redirects can't have here.
static bool template_of(struct haproxy *h, struct str text, struct str *ret)
{
    struct text t = {.len = 0};
    bool is_good = true;
    while (text.len > 0 && is_good) {
        size_t i = 0;
        while (i < ARRAY_LEN(pieces) && !str_starts(text, str_of(pieces[i].theirs)))
            i++;
        if (i < ARRAY_LEN(pieces)) {
            text_put(&t, str_of(pieces[i].ours));
            text = str_skip(text, strlen(pieces[i].theirs));
            continue;
        }
        char c = text.ptr[0];
        is_good = ascii_is(c, ASCII_TARGET) && c != '%' && c != '{' && c != '}';
        text_byte(&t, c);
        text = str_skip(text, 1);
    }
    *ret = draft_text(h->d, text_str(&t));
    text_fini(&t);
    return is_good && ret->len > 0;
}

bool haproxy_constant(struct haproxy_run *r, struct str format, struct str *ret)
{
    struct text t = {.len = 0};
    bool is_good = true;
    while (format.len > 0 && is_good) {
        if (str_starts(format, STR("%%"))) {
            text_byte(&t, '%');
            format = str_skip(format, 2);
        } else if (str_starts(format, STR("%[ssl_fc]"))) {
            r->used_bind = true;
            text_byte(&t, r->bind->has_tls ? '1' : '0');
            format = str_skip(format, strlen("%[ssl_fc]"));
        } else if (str_starts(format, STR("%[dst_port]"))) {
            r->used_bind = true;
            text_printf(&t, "%u", r->bind->port);
            format = str_skip(format, strlen("%[dst_port]"));
        } else if (str_starts(format, STR("%[str(")) && str_search(format, STR(")]")) != STR_NPOS) {
            size_t end = str_search(format, STR(")]"));
            text_put(&t, str_from(format.ptr + 6, end - 6));
            format = str_skip(format, end + 2);
        } else {
            is_good = format.ptr[0] != '%';
            text_byte(&t, format.ptr[0]);
            format = str_skip(format, 1);
        }
    }
    *ret = draft_text(r->h->d, text_str(&t));
    text_fini(&t);
    return is_good;
}

// --- redirects ---

struct redirect {
    struct str kind, target, code;
    bool drops_query, has_more, is_old;
};

static void read_redirect(const struct haproxy_line *l, unsigned at, struct redirect *ret)
{
    unsigned end = haproxy_find_if(l, at);
    *ret = (struct redirect){.kind = haproxy_word(l, at), .target = haproxy_word(l, at + 1)};
    ret->code = STR("302");
    ret->is_old = at == 1;
    for (unsigned i = at + 2; i < end; i++) {
        if (str_eq(l->words[i], STR("code")) && i + 1 < end)
            ret->code = l->words[++i];
        else if (str_eq(l->words[i], STR("drop-query")))
            ret->drops_query = true;
        else
            ret->has_more = true;
    }
}

// The template of a redirect; empty: there is none.
static struct str redirect_target(struct haproxy_run *r, const struct redirect *x)
{
    struct draft *d = r->h->d;
    struct str target;
    if (str_eq(x->kind, STR("scheme")))
        return str_eq(x->target, STR("http")) || str_eq(x->target, STR("https"))
                   ? draft_printf(d, STR_FMT "://{host}{path}%s", STR_ARG(x->target),
                                  x->drops_query ? "" : "{query}")
                   : STR_NONE;
    // The old keyword takes its text as it stands.
    if ((x->is_old && str_find(x->target, '%') != STR_NPOS) ||
        !template_of(r->h, x->target, &target))
        return STR_NONE;
    if (str_eq(x->kind, STR("location")))
        return target;
    if (!str_eq(x->kind, STR("prefix")))
        return STR_NONE;
    if (str_eq(target, STR("/")))
        target = STR("");
    return draft_printf(d, STR_FMT "{path}%s", STR_ARG(target), x->drops_query ? "" : "{query}");
}

// Only where the host is whole, or there is none, may a path be what comes of a client.
static bool is_sound(struct str target)
{
    size_t scheme = str_search(target, STR("://"));
    struct str rest = scheme == STR_NPOS ? target : str_skip(target, scheme + 3);
    if (scheme == STR_NPOS)
        return str_starts(rest, STR("/")) || str_starts(rest, STR("{path}"));
    struct str host = str_first(rest, MIN(str_find(rest, '/'), str_search(rest, STR("{path}"))));
    return host.len > 0 && str_search(host, STR("{query}")) == STR_NPOS &&
           (str_starts(target, STR("http://")) || str_starts(target, STR("https://")));
}

struct str haproxy_redirect(struct haproxy_run *r, struct haproxy_line *l, unsigned at)
{
    static const char *const codes[] = {"301", "302", "303", "307", "308"};
    struct redirect x;
    read_redirect(l, at, &x);
    struct str target = redirect_target(r, &x);
    bool is_code = false;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        is_code = is_code || str_eq(x.code, str_of(codes[i]));
    if (target.len == 0 || !is_sound(target) || !is_code) {
        haproxy_note(r->h, l, DRAFT_CLOSED,
                     "redirects can't be made so here; the filter 'redirect' has 'from' and 'to'. "
                     "Until then these requests are refused");
        return STR_NONE;
    }
    if (x.has_more)
        haproxy_note(r->h, l, DRAFT_CHANGED,
                     "'set-cookie', 'clear-cookie' and 'append-slash' of redirects have no "
                     "counterpart");
    bool is_plain = str_eq(x.kind, STR("scheme")) && !x.drops_query;
    struct str key =
        draft_printf(r->h->d, "redirect " STR_FMT " " STR_FMT, STR_ARG(x.code), STR_ARG(target));
    struct conf_node *map;
    struct str wanted =
        is_plain ? draft_printf(r->h->d, "to-" STR_FMT, STR_ARG(x.target)) : STR("redirect");
    struct str name = haproxy_filter(r->h, key, wanted, l->place, &map);
    if (map) {
        struct conf_node *redirect = draft_map(r->h->d, map, STR("redirect"), l->place);
        draft_set(r->h->d, redirect, STR("to"), target, l->place);
        draft_set(r->h->d, redirect, STR("code"), x.code, l->place);
    }
    return name;
}

// --- return, and deny with a text ---

// A file's text as a body.
static bool read_body(struct haproxy_run *r, struct haproxy_line *l, struct str path,
                      struct str *ret)
{
    const char *why = "it is larger than 64 KiB";
    const struct conf_resolver *files = r->h->in->files;
    bool is_read = files->read_file &&
                   files->read_file(files->arg, path, &r->h->d->mem, ret, &why) &&
                   ret->len <= BODY_MAX_BYTES;
    if (!is_read)
        haproxy_note_word(r->h, l, DRAFT_LOST, path, "the body: %s", why);
    return is_read;
}

struct reply {
    struct str body, type;
    bool has_body, is_lost;
};

static void read_reply(struct haproxy_run *r, struct haproxy_line *l, unsigned at,
                       struct reply *ret)
{
    unsigned end = haproxy_find_if(l, at);
    *ret = (struct reply){.type = STR_NONE};
    for (unsigned i = at; i < end; i += str_eq(l->words[i], STR("hdr")) ? 3 : 2) {
        struct str word = l->words[i], value = haproxy_word(l, i + 1);
        if (str_eq(word, STR("content-type"))) {
            ret->type = value;
        } else if (str_eq(word, STR("string"))) {
            ret->body = value;
            ret->has_body = true;
        } else if (str_eq(word, STR("lf-string"))) {
            ret->has_body = haproxy_constant(r, value, &ret->body);
            ret->is_lost |= !ret->has_body;
        } else if (str_eq(word, STR("file"))) {
            ret->has_body = read_body(r, l, value, &ret->body);
        } else if (!str_eq(word, STR("status")) && !str_eq(word, STR("deny_status")) &&
                   !str_eq(word, STR("hdr"))) {
            ret->is_lost |= !str_eq(word, STR("default-errorfiles"));
        }
    }
    if (ret->is_lost)
        haproxy_note(r->h, l, DRAFT_CHANGED, "the status is the same, but not all of its text");
}

static void put_reply_fields(struct haproxy_run *r, struct haproxy_line *l, unsigned at,
                             struct conf_node *respond)
{
    unsigned end = haproxy_find_if(l, at);
    for (unsigned i = at; i + 2 < end; i += str_eq(l->words[i], STR("hdr")) ? 3 : 2) {
        struct str value;
        if (!str_eq(l->words[i], STR("hdr")))
            continue;
        if (haproxy_constant(r, l->words[i + 2], &value))
            draft_set(r->h->d, draft_map(r->h->d, respond, STR("headers"), l->place),
                      l->words[i + 1], value, l->place);
        else
            haproxy_note_word(r->h, l, DRAFT_LOST, l->words[i + 1],
                              "fields of fixed answers are the same for all");
    }
}

struct str haproxy_answer(struct haproxy_run *r, struct haproxy_line *l, unsigned at,
                          unsigned status)
{
    struct reply x;
    read_reply(r, l, at, &x);
    bool is_refusal = status >= 400 && !x.has_body && x.type.len == 0;
    for (unsigned i = at; i < haproxy_find_if(l, at); i++)
        is_refusal = is_refusal && !str_eq(l->words[i], STR("hdr"));
    if (is_refusal)
        return haproxy_refusal(r->h, status, l);
    struct conf_node *map;
    struct str key = draft_printf(r->h->d, "respond %u %d", l->place.line, r->bind->has_tls);
    struct str name =
        haproxy_filter(r->h, key, draft_printf(r->h->d, "answer-%u", status), l->place, &map);
    if (!map)
        return name;
    struct conf_node *respond = draft_map(r->h->d, map, STR("respond"), l->place);
    draft_set(r->h->d, respond, STR("status"), draft_printf(r->h->d, "%u", status), l->place);
    if (x.has_body && status != 204 && status != 205 && status != 304)
        draft_set(r->h->d, respond, STR("body"), x.body, l->place);
    if (x.type.len > 0)
        draft_set(r->h->d, respond, STR("content-type"), x.type, l->place);
    put_reply_fields(r, l, at, respond);
    return name;
}
