// SPDX-License-Identifier: Apache-2.0
// Things with names, and how our settings are put together.
#include <inttypes.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/num.h"
#include "codec/ip.h"
#include "dialect/traefik_priv.h"

#define NAME_MAX 128

// --- our settings ---

// A full arena shows where the settings are read: a node that isn't there is missed.
static struct conf_node *add(struct traefik_conv *c, struct conf_node *map, const char *key,
                             enum conf_node_kind kind, struct place place)
{
    struct conf_node *node = conf_node_new(c->mem, kind, place);
    if (!node)
        panic("converted settings don't fit");
    conf_node_put(map, str_of(key), node);
    return node;
}

struct conf_node *traefik_map(struct traefik_conv *c, struct conf_node *map, const char *key,
                              struct place place)
{
    struct conf_node *known = conf_node_get(map, str_of(key));
    return known ? known : add(c, map, key, CONF_NODE_MAP, place);
}

struct conf_node *traefik_list(struct traefik_conv *c, struct conf_node *map, const char *key,
                               struct place place)
{
    struct conf_node *known = conf_node_get(map, str_of(key));
    return known ? known : add(c, map, key, CONF_NODE_SEQ, place);
}

void traefik_set(struct traefik_conv *c, struct conf_node *map, const char *key, struct str text,
                 struct place place)
{
    struct conf_node *node = conf_node_get(map, str_of(key));
    if (!node)
        node = add(c, map, key, CONF_NODE_SCALAR, place);
    node->text = text;
    node->is_quoted = true;
}

void traefik_set_bool(struct traefik_conv *c, struct conf_node *map, const char *key, bool value,
                      struct place place)
{
    traefik_set(c, map, key, value ? STR("yes") : STR("no"), place);
}

void traefik_set_uint(struct traefik_conv *c, struct conf_node *map, const char *key,
                      uint64_t value, struct place place)
{
    traefik_set(c, map, key, arena_printf(c->mem, "%" PRIu64, value), place);
}

void traefik_set_ms(struct traefik_conv *c, struct conf_node *map, const char *key, int64_t ms,
                    struct place place)
{
    traefik_set(c, map, key, arena_printf(c->mem, "%" PRId64 "ms", ms), place);
}

void traefik_push(struct traefik_conv *c, struct conf_node *list, struct str text,
                  struct place place)
{
    struct conf_node *node = conf_node_scalar(c->mem, text, place);
    if (!node)
        panic("converted settings don't fit");
    node->is_quoted = true;
    conf_node_append(list, node);
}

void traefik_set_texts(struct traefik_conv *c, struct conf_node *map, const char *key,
                       const struct conf_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        traefik_push(c, traefik_list(c, map, key, texts->items[0].place), texts->items[i].text,
                     texts->items[i].place);
}

static void mask(struct ip *ip, size_t bits)
{
    for (size_t i = 0; i < sizeof ip->bytes; i++) {
        size_t kept = MIN(bits - MIN(bits, i * 8), (size_t)8);
        ip->bytes[i] = (uint8_t)(ip->bytes[i] & ~(0xffu >> kept));
    }
}

bool traefik_push_net(struct traefik_conv *c, struct conf_node *list, const struct conf_text *text)
{
    struct str address, prefix = STR_NONE, trimmed = str_trim(text->text);
    uint64_t bits = 0;
    struct ip ip;
    char buf[46];
    bool has_prefix = str_cut(trimmed, '/', &address, &prefix);
    bool is_fine = ip_parse(address, &ip) == ERR_OK;
    uint64_t bits_max = is_fine && ip.family == 4 ? 32 : 128;
    if (!is_fine || (has_prefix && num_dec(prefix, bits_max, &bits) != ERR_OK))
        return traefik_fail(c, text->place,
                            "'" STR_FMT "' is neither an address nor a network such as 10.0.0.0/8",
                            STR_ARG(text->text));
    mask(&ip, has_prefix ? bits : bits_max);
    traefik_push(c, list,
                 arena_printf(c->mem, STR_FMT "%s" STR_FMT, STR_ARG(ip_text(&ip, buf)),
                              has_prefix ? "/" : "", STR_ARG(prefix)),
                 text->place);
    return true;
}

bool traefik_may_name_files(struct traefik_conv *c, struct place place)
{
    return !c->source->is_foreign ||
           traefik_fail(c, place,
                        "a label can't name files of the proxy: put this into a file, and name it "
                        "with @file");
}

// --- things ---

bool traefik_fail(struct traefik_conv *c, struct place place, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)diag_fail(c->diags, ERR_SYNTAX, place, "%s", text);
    return false;
}

// In lower case, with its provider.
static struct str key_of(struct traefik_conv *c, struct str name)
{
    struct str full = str_rfind(name, '@') == STR_NPOS
                          ? arena_concat(c->mem, name, STR("@"), c->source->provider)
                          : arena_dup(c->mem, name);
    for (size_t i = 0; i < full.len; i++)
        ((char *)(uintptr_t)full.ptr)[i] = ascii_lower(full.ptr[i]);
    return full;
}

struct traefik_thing *traefik_find(struct traefik_conv *c, const struct map *things,
                                   struct str name)
{
    return map_get(things, key_of(c, name));
}

struct str traefik_own(const struct traefik_conv *c, const char *key, struct str name)
{
    struct str base, provider;
    const struct conf_node *map = traefik_get(c->scope->root, str_of(key));
    if (!map || !str_cut(name, '@', &base, &provider) || !str_ieq(provider, STR("file")))
        return STR_NONE;
    const struct conf_node *own = traefik_get(map, base);
    return own ? own->key : STR_NONE;
}

// What of names comes into ours: nothing that means something there, such as "://".
static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is(s.ptr[i], ASCII_ALPHA | ASCII_DIGIT) &&
            str_find(STR("-_.+ "), s.ptr[i]) == STR_NPOS && (unsigned char)s.ptr[i] < 0x80)
            return false;
    }
    return s.len > 0 && s.len <= NAME_MAX;
}

void traefik_collect(struct traefik_conv *c, const struct traefik_source *source,
                     const char *protocol, const char *kind, struct map *things)
{
    const struct conf_node *map =
        traefik_get(traefik_get(source->root, str_of(protocol)), str_of(kind));
    c->source = source;
    if (!map || map->kind == CONF_NODE_NULL)
        return;
    if (map->kind != CONF_NODE_MAP)
        traefik_problem(
            c, STR_NONE, map->place, false,
            arena_printf(c->mem, "%s.%s: expected names with settings below them", protocol, kind));
    for (struct conf_node *node = map->first; node; node = node->next) {
        struct traefik_thing *t = ARENA_NEW(c->mem, struct traefik_thing);
        struct str key = key_of(c, node->key);
        if (!t || !key.ptr)
            panic("converted settings don't fit");
        *t = (struct traefik_thing){.source = source, .node = node};
        t->name = arena_concat(c->mem, node->key, STR("@"), source->provider);
        if (!is_name(node->key)) {
            t->state = TRAEFIK_DONE;
            t->why_place = node->key_place;
            t->why = arena_printf(
                c->mem, "a name has up to %d letters, digits, '-', '_', '.' and '+'", NAME_MAX);
        }
        if (map_get(things, key))
            traefik_problem(c, t->name, node->key_place, false,
                            STR("it is here twice: the first one counts"));
        else
            map_set(things, key, t);
    }
}

bool traefik_make(struct traefik_conv *c, struct traefik_thing *t, const char *kind,
                  struct place place, traefik_make_fn *make)
{
    if (t->state == TRAEFIK_BUSY)
        return traefik_fail(c, place, "the %s '" STR_FMT "' leads back to itself", kind,
                            STR_ARG(t->name));
    if (t->state == TRAEFIK_NEW) {
        const struct traefik_source *source = c->source;
        struct diags *diags = c->diags, own = {.n = 0};
        t->state = TRAEFIK_BUSY;
        c->source = t->source;
        c->diags = &own;
        bool is_made = make(c, t);
        c->source = source;
        c->diags = diags;
        t->state = TRAEFIK_DONE;
        if (!is_made || own.n_errors > 0) {
            bool is_told = own.n > 0;
            t->why = is_told ? arena_dup(c->mem, str_of(own.items[0].text)) : STR("it is wrong");
            t->why_place = is_told ? own.items[0].place : t->node->place;
        }
        diags_fini(&own);
    }
    if (t->why.len > 0)
        return traefik_fail(c, t->why_place.source ? t->why_place : place,
                            "the %s '" STR_FMT "': " STR_FMT, kind, STR_ARG(t->name),
                            STR_ARG(t->why));
    return true;
}

void traefik_problem(struct traefik_conv *c, struct str router, struct place place,
                     bool is_disabled, struct str text)
{
    struct traefik_settings *s = c->ret;
    struct traefik_problem *problems =
        ARENA_GROW(c->mem, struct traefik_problem, s->problems, s->n_problems, &s->cap_problems);
    if (!problems)
        panic("converted settings don't fit");
    s->problems = problems;
    s->problems[s->n_problems++] = (struct traefik_problem){
        .router = router, .place = place, .text = text, .is_disabled = is_disabled};
}
