// SPDX-License-Identifier: Apache-2.0
#include "filter/common.h"

#include "base/ascii.h"
#include "codec/h1.h"

static const struct conf_item field_items[] = {
    ITEM_TEXT(filter_field_conf, value, "value", .since = "0.1", .apply = CONF_LIVE,
              .format = "a field value", .doc = "The value, as it is sent."),
};

const struct conf_section filter_field_section = {
    .name = "field-value",
    .doc = "The value of one header field.",
    CONF_SECTION_OF(filter_field_conf, field_items),
    .shorthand = "value",
};

void *filter_no_memory(const struct filter_env *env)
{
    diag_fail(env->diags, ERR_LIMIT, (struct place){.source = NULL},
              "the memory for settings is used up");
    return NULL;
}

void *filter_new(const struct filter_env *env, size_t bytes, const struct handler_type *type,
                 struct str name, const struct handler *next)
{
    struct filter_base *f = arena_zalloc(env->mem, 1, bytes, alignof(max_align_t));
    if (!f)
        return filter_no_memory(env);
    f->handler = (struct handler){.type = type, .next = next, .name = name};
    f->who = arena_printf(env->mem, "filter " STR_FMT, STR_ARG(name));
    if (!f->who.ptr)
        return filter_no_memory(env);
    return f;
}

void filter_note(const struct handler *h, struct exchange *x, const char *what, struct str detail)
{
    const struct filter_base *f = (const struct filter_base *)(const void *)h;
    trail_add(&x->trail, f->who, what, detail);
}

enum err filter_exhausted(struct exchange *x)
{
    exchange_fail(x, 503, EXCHANGE_END_RESOURCES, "the memory of the exchange is used up");
    return ERR_OK;
}

enum err filter_body_failed(struct exchange *x)
{
    if (x->end == EXCHANGE_END_OK || x->end == EXCHANGE_END_CLIENT_GONE)
        return ERR_CANCELLED;
    struct str why = x->end_detail;
    exchange_fail(x, exchange_end_status(x->end), x->end, STR_FMT, STR_ARG(why));
    x->resp.must_close = true;
    return ERR_OK;
}

enum err filter_vary(struct exchange *x, struct str name)
{
    struct headers *h = &x->resp.headers;
    for (const struct field *f = headers_find(h, FIELD_VARY); f; f = headers_next(h, f))
        if (f->id == FIELD_VARY && (h1_list_has(f->value, name) || h1_list_has(f->value, STR("*"))))
            return ERR_OK;
    return headers_add(h, FIELD_VARY, name);
}

struct regex *filter_regex(const struct conf_text *pattern, unsigned flags,
                           const struct filter_env *env)
{
    char why[REGEX_WHY_BYTES];
    size_t at = 0;
    struct regex *re = regex_compile(pattern->text, flags, env->mem, &at, why);
    if (re)
        return re;
    if (at == SIZE_MAX)
        return filter_no_memory(env);
    diag_fail(env->diags, ERR_SYNTAX, pattern->place,
              "in the expression '" STR_FMT "': %s, at its character %zu",
              STR_ARG(str_first(pattern->text, 128)), why, at + 1);
    return NULL;
}

enum err filter_regexes(const struct conf_texts *patterns, unsigned flags,
                        const struct filter_env *env, struct regex ***ret)
{
    enum err err = ERR_OK;
    *ret = arena_zalloc(env->mem, patterns->n + 1, sizeof **ret, alignof(struct regex *));
    if (!*ret) {
        filter_no_memory(env);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < patterns->n; i++) {
        (*ret)[i] = filter_regex(&patterns->items[i], flags, env);
        if (!(*ret)[i])
            err = ERR_SYNTAX;
    }
    return err;
}

static const struct str digests[] = {
    STR_INIT("Content-Digest"),
    STR_INIT("Repr-Digest"),
    STR_INIT("Digest"),
    STR_INIT("Content-MD5"),
};

bool filter_has_digest(const struct headers *h)
{
    for (size_t i = 0; i < ARRAY_LEN(digests); i++)
        if (headers_find_named(h, digests[i]))
            return true;
    return false;
}

void filter_drop_digests(struct headers *h)
{
    for (size_t i = 0; i < ARRAY_LEN(digests); i++)
        headers_remove_named(h, digests[i]);
}

const char *filter_field_fault(struct str name, enum filter_side side)
{
    if (!ascii_is_token(name))
        return "is not a field name";
    switch ((int)field_id_of(name)) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_TRAILER:
    case FIELD_TE:
        return "frames the message: it is not for filters to change";
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_PROXY_AUTHENTICATE:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_PROXY_AUTHENTICATION_INFO:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
        return "belongs to one connection and is not passed on";
    case FIELD_HOST:
        return side == FILTER_REQUEST ? "is set by the service: see its `host` and `keep-host`"
                                      : "has no meaning in a response";
    case FIELD_EXPECT:
        return "is the proxy's own business";
    default:
        return NULL;
    }
}

const char *filter_value_fault(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is(value.ptr[i], ASCII_VALUE))
            return "has a control byte, which field values can't hold";
    if (str_trim(value).len != value.len)
        return "begins or ends with white space";
    return NULL;
}

enum err filter_field_check(struct str name, struct place place, enum filter_side side,
                            const struct filter_env *env)
{
    const char *fault = filter_field_fault(name, side);
    if (!fault)
        return ERR_OK;
    return diag_fail(env->diags, ERR_SYNTAX, place, "'" STR_FMT "' %s", STR_ARG(name), fault);
}

enum err filter_told_check(struct str name, struct place place, const struct filter_env *env)
{
    enum err err = filter_field_check(name, place, FILTER_REQUEST, env);
    if (err != ERR_OK || field_id_of(name) == FIELD_OTHER)
        return err;
    return diag_fail(env->diags, ERR_RANGE, place,
                     "'" STR_FMT "' has a meaning of its own: choose a name like X-Client-Subject",
                     STR_ARG(name));
}

bool filter_has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < ' ' || s.ptr[i] == 127)
            return true;
    return false;
}

const char *filter_quoted_fault(struct str text)
{
    bool is_fine = !filter_has_control(text) && str_find(text, '"') == STR_NPOS &&
                   str_find(text, '\\') == STR_NPOS;
    return is_fine ? NULL : "may not hold quotes, backslashes and control bytes";
}

enum err filter_fields_build(const struct conf_map *map, enum filter_side side,
                             const struct filter_env *env, struct field **ret)
{
    enum err err = ERR_OK;
    struct field *fields = ARENA_ARRAY(env->mem, struct field, map->n + 1);
    if (!fields) {
        filter_no_memory(env);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < map->n; i++) {
        const struct conf_map_item *item = &map->items[i];
        const struct conf_text *value = &((const struct filter_field_conf *)item->value)->value;
        fields[i] = (struct field){.name = item->name, .value = value->text};
        if (filter_field_check(item->name, item->place, side, env) != ERR_OK)
            err = ERR_SYNTAX;
        const char *fault = filter_value_fault(value->text);
        if (fault)
            err = diag_fail(env->diags, ERR_SYNTAX, value->place, "the value of " STR_FMT " %s",
                            STR_ARG(item->name), fault);
    }
    *ret = fields;
    return err;
}
