// SPDX-License-Identifier: Apache-2.0
// nginx's file as settings: what stands outside of locations, and what is left over.
#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/num.h"
#include "dialect/nginx_priv.h"

// --- looking up ---

struct nginx_directive *nginx_get(const struct nginx_directive *block, const char *name)
{
    struct nginx_directive *kind = block->kinds;
    while (kind && !nginx_is(kind, name))
        kind = kind->next_kind;
    return kind;
}

struct nginx_directive *nginx_level(struct nginx_directive *block, const char *name)
{
    while (block && !nginx_get(block, name))
        block = block->parent;
    return block;
}

struct nginx_directive *nginx_setting(struct nginx_directive *block, const char *name)
{
    block = nginx_level(block, name);
    struct nginx_directive *d = block ? nginx_get(block, name) : NULL;
    if (d)
        d->is_done = true;
    return d;
}

bool nginx_is_on(struct nginx_directive *block, const char *name)
{
    struct nginx_directive *d = nginx_setting(block, name);
    return d && str_eq(nginx_word(d, 1), STR("on"));
}

void nginx_mark_done(struct nginx_directive *block)
{
    block->is_done = true;
    for (struct nginx_directive *d = block->first; d; d = d->next)
        nginx_mark_done(d);
}

void nginx_note(struct nginx *n, struct nginx_directive *d, enum draft_fate fate, const char *fmt,
                ...)
{
    char why[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    if (!d->is_noted)
        draft_note(n->d, fate, d->place, STR_NONE, "%s", why);
    d->is_done = d->is_noted = true;
}

// A time such as "60s", "500ms", "5m" or "30" (seconds), as ours.
struct str nginx_time(struct nginx *n, struct str s)
{
    bool is_bare = s.len > 0 && s.ptr[s.len - 1] >= '0' && s.ptr[s.len - 1] <= '9';
    return is_bare ? draft_printf(n->d, STR_FMT "s", STR_ARG(s)) : s;
}

// A size such as "10m" or "512k", as ours. Empty: it is none, or no limit (0).
struct str nginx_size(struct nginx *n, struct str s)
{
    static const struct {
        char letter;
        const char *unit;
    } units[] = {{'k', "KiB"}, {'K', "KiB"}, {'m', "MiB"},
                 {'M', "MiB"}, {'g', "GiB"}, {'G', "GiB"}};
    const char *unit = "";
    for (size_t i = 0; s.len > 0 && i < sizeof units / sizeof *units; i++)
        if (s.ptr[s.len - 1] == units[i].letter)
            unit = units[i].unit;
    struct str digits = str_first(s, s.len - (unit[0] != '\0'));
    uint64_t value;
    if (num_dec(digits, UINT32_MAX, &value) != ERR_OK || value == 0)
        return STR_NONE;
    return draft_printf(n->d, STR_FMT "%s", STR_ARG(digits), unit);
}

struct str nginx_field_name(struct nginx *n, struct str variable)
{
    struct text name = {0};
    for (size_t i = 0; i < variable.len; i++)
        text_byte(&name, variable.ptr[i] == '_' ? '-' : variable.ptr[i]);
    struct str copy = draft_text(n->d, text_str(&name));
    text_fini(&name);
    return copy;
}

struct str nginx_field_key(struct nginx *n, struct str variable)
{
    struct str name = nginx_field_name(n, str_skip(variable, 6));
    return draft_printf(n->d, "header:" STR_FMT, STR_ARG(name));
}

struct str nginx_lower(struct nginx *n, struct str s)
{
    struct text lower = {0};
    for (size_t i = 0; i < s.len; i++)
        text_byte(&lower, ascii_lower(s.ptr[i]));
    struct str copy = draft_text(n->d, text_str(&lower));
    text_fini(&lower);
    return copy;
}

bool nginx_is_plain(struct str s)
{
    return str_find(s, '$') == STR_NPOS;
}

// --- filters ---

struct conf_node *nginx_filter(struct nginx_server *s, struct conf_node *target, const char *kind,
                               struct place place)
{
    struct nginx *n = s->n;
    struct conf_node *filters = draft_map(n->d, n->d->root, STR("filters"), place);
    struct str wanted = draft_printf(n->d, STR_FMT "-%s", STR_ARG(s->shown), kind);
    struct str name = draft_name(n->d, filters, wanted);
    struct conf_node *filter = draft_map(n->d, filters, name, place);
    draft_push(n->d, draft_list(n->d, target, STR("use"), place), name, place);
    return draft_map(n->d, filter, str_of(kind), place);
}

static void put_shape(const struct conf_node *node, struct text *to)
{
    text_printf(to, "%d %zu " STR_FMT " %zu " STR_FMT "(", (int)node->kind, node->key.len,
                STR_ARG(node->key), node->text.len, STR_ARG(node->text));
    for (const struct conf_node *child = node->first; child; child = child->next)
        put_shape(child, to);
    text_byte(to, ')');
}

struct str nginx_shape(struct nginx *n, const struct conf_node *node)
{
    struct text shape = {0};
    put_shape(node, &shape);
    struct str copy = draft_text(n->d, text_str(&shape));
    text_fini(&shape);
    return copy;
}

void nginx_share_filters(struct nginx *n, struct conf_node *target)
{
    struct conf_node *filters = conf_node_get(n->d->root, STR("filters"));
    struct conf_node *use = conf_node_get(target, STR("use"));
    for (struct conf_node *used = use ? use->first : NULL; used; used = used->next) {
        const struct conf_node *filter = draft_get(n->d, filters, used->text);
        if (!filter || !filter->first)
            continue;
        struct str shape = nginx_shape(n, filter->first);
        struct str key = draft_printf(n->d, "%s:%u " STR_FMT, filter->place.source,
                                      filter->place.line, STR_ARG(shape));
        struct conf_node *first = map_get(&n->filters, key);
        if (!first)
            map_set(&n->filters, key, used);
        else if (!str_eq(first->text, used->text)) {
            draft_remove(filters, used->text);
            used->text = first->text;
        }
    }
}

void nginx_close(struct nginx_server *s, struct conf_node *target, struct nginx_directive *d)
{
    struct nginx *n = s->n;
    struct conf_node *filters = draft_map(n->d, n->d->root, STR("filters"), d->place);
    struct conf_node *use = draft_list(n->d, target, STR("use"), d->place);
    struct str name = STR("not-carried-over");
    if (!conf_node_get(filters, name)) {
        struct conf_node *filter = draft_map(n->d, filters, name, d->place);
        struct conf_node *respond = draft_map(n->d, filter, STR("respond"), d->place);
        draft_set(n->d, respond, STR("status"), STR("503"), d->place);
        draft_set(n->d, respond, STR("body"), STR("Not available.\n"), d->place);
        draft_remark(n->d, filter,
                     "For what the file protected or served in a way that couldn't be "
                     "carried over.");
    }
    for (const struct conf_node *used = use->first; used; used = used->next)
        if (str_eq(used->text, name))
            return;
    draft_push(n->d, use, name, d->place);
}

// --- all of it ---

static bool convert(const struct dialect_input *in, struct draft *d, struct diags *diags)
{
    struct nginx n = {.in = in, .d = d};
    n.root = nginx_read(in, d, diags);
    if (!n.root)
        return false;
    struct nginx_directive *http = nginx_get(n.root, "http");
    n.http = http ? http : n.root; // a file of a "sites-enabled" folder has no such block
    if (http)
        http->is_done = true;
    if (!nginx_get(n.http, "server")) {
        diag_fail(
            diags, ERR_SYNTAX, n.root->place,
            "there is no 'server' block in it; 'nginx -T > all.conf' writes all files into one");
        return false;
    }
    nginx_find_upstreams(&n);
    nginx_put_servers(&n);
    nginx_note_rest(&n);
    struct map *const maps[] = {&n.services, &n.filters,     &n.upstreams,
                                &n.taken,    &n.redirectors, &n.defaults};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        map_fini(maps[i]);
    return true;
}

const struct dialect dialect_nginx = {.name = "nginx", .title = "nginx", .convert = convert};
