// SPDX-License-Identifier: Apache-2.0
#include "gate/tracing_conf.h"

#include "base/num.h"
#include "filter/common.h"

static const char *const parents_names[] = {
#define X(id, name) name,
    TRACING_PARENTS_LIST(X)
#undef X
        NULL,
};

enum err tracing_parse_sample(const struct conf_text *text, struct diags *diags, uint32_t *ret)
{
    struct str s = text->text, whole, part = STR_NONE;
    uint64_t percent = 0, digits = 0;
    bool is_fine = str_ends(s, STR("%"));
    if (is_fine) {
        bool has_part = str_cut(str_first(s, s.len - 1), '.', &whole, &part);
        is_fine = num_dec(whole, 100, &percent) == ERR_OK && part.len <= 4 &&
                  (!has_part || num_dec(part, 9999, &digits) == ERR_OK);
    }
    for (size_t i = part.len; i < 4; i++)
        digits *= 10;
    uint64_t share = percent * (TRACING_SAMPLE_ALL / 100) + digits;
    if (!is_fine || share > TRACING_SAMPLE_ALL)
        return diag_fail(diags, ERR_SYNTAX, text->place,
                         "'" STR_FMT "' is not a share; allowed is 0%% to 100%%, with at most four "
                         "digits behind the point, such as 10%% or 0.05%%",
                         STR_ARG(s));
    *ret = (uint32_t)share;
    return ERR_OK;
}

static enum err check_sample(const struct conf_text *text, struct diags *diags)
{
    uint32_t ignored;
    return tracing_parse_sample(text, diags, &ignored);
}

static enum err check_path(const struct conf_text *text, struct diags *diags)
{
    bool is_fine = text->text.len > 0 && text->text.ptr[0] == '/';
    for (size_t i = 0; i < text->text.len; i++)
        is_fine = is_fine && text->text.ptr[i] > ' ' && text->text.ptr[i] < 0x7f;
    return is_fine
               ? ERR_OK
               : diag_fail(diags, ERR_SYNTAX, text->place,
                           "'" STR_FMT "' is not a path such as /v1/traces", STR_ARG(text->text));
}

static const struct conf_item field_items[] = {
    ITEM_SECRET(tracing_field_conf, value, "value", .is_required = true, .since = "0.1",
                .apply = CONF_LIVE, .doc = "What the field says.",
                .example = "file:/run/secrets/collector"),
};

static const struct conf_section field_section = {
    .name = "tracing-field",
    .doc = "The value of a header field for the collector.",
    CONF_SECTION_OF(tracing_field_conf, field_items),
    .shorthand = "value",
};

static const struct conf_item items[] = {
    ITEM_TEXT(tracing_conf, to, "to", .since = "0.1", .apply = CONF_LIVE,
              .format = "a URL or a service", .example = "http://127.0.0.1:4318",
              .doc = "A collector that takes OpenTelemetry's protocol over HTTP as JSON: its URL, "
                     "or a service with its settings (TLS, several servers). By default nothing "
                     "is traced."),
    ITEM_TEXT(tracing_conf, path, "path", .def = "/v1/traces", .since = "0.1", .apply = CONF_LIVE,
              .format = "a path", .check_text = check_path, .doc = "Where the collector takes it."),
    ITEM_TEXT(tracing_conf, sample, "sample", .def = "100%", .since = "0.1", .apply = CONF_LIVE,
              .format = "a share", .example = "5%", .check_text = check_sample,
              .doc = "The share of traces that begin here and are recorded. Those that began "
                     "elsewhere are recorded if it was decided so there."),
    ITEM_ENUM(tracing_conf, parents, "parents", .names = parents_names, .def = "trusted",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "Whose `traceparent` is believed: that of `trusted` proxies (the entrypoint's "
                     "`trusted-proxies`), of `all` clients, of `none`. Others begin a new trace, "
                     "so that strangers decide nothing."),
    ITEM_MAP(tracing_conf, headers, "headers", .section = &field_section, .since = "0.1",
             .apply = CONF_LIVE, .example = "{ Authorization: file:/run/secrets/collector }",
             .doc = "Header fields for the collector, such as a token that it asks for. Their "
                    "values are secrets."),
    ITEM_TEXT(tracing_conf, name, "name", .def = "sallyport", .since = "0.1", .apply = CONF_LIVE,
              .format = "a name", .doc = "What we are called in traces (`service.name`)."),
};

const struct conf_section tracing_section = {
    .name = "tracing",
    .doc = "Traces of requests by OpenTelemetry and W3C Trace Context.",
    CONF_SECTION_OF(tracing_conf, items),
    .shorthand = "to",
    .place_offset = CONF_PLACE_AT(tracing_conf, place),
};

// What Host says: that of the URL; services may say another.
static struct str authority_of(struct str to)
{
    size_t at = str_search(to, STR("://"));
    struct str authority = STR("localhost");
    if (at != STR_NPOS)
        str_cut(str_skip(to, at + 3), '/', &authority, NULL);
    return authority;
}

// False with errors.
static bool build_fields(const struct conf_map *map, const struct filter_env *env,
                         struct tracing *t)
{
    bool is_fine = true;
    t->fields = ARENA_ARRAY(env->mem, struct field, map->n + 1);
    if (!t->fields)
        return filter_no_memory(env);
    for (size_t i = 0; i < map->n; i++) {
        const struct conf_map_item *item = &map->items[i];
        const struct conf_text *value = &((const struct tracing_field_conf *)item->value)->value;
        const char *fault = filter_value_fault(value->text);
        bool is_ours = str_ieq(item->name, STR("Content-Type")) || str_ieq(item->name, STR("Host"));
        if (is_ours)
            diag_fail(env->diags, ERR_SYNTAX, item->place,
                      "'" STR_FMT "' is said by the proxy itself; a service has 'host'",
                      STR_ARG(item->name));
        else if (filter_field_check(item->name, item->place, FILTER_REQUEST, env) == ERR_OK &&
                 fault)
            diag_fail(env->diags, ERR_SYNTAX, value->place, "the value of " STR_FMT " %s",
                      STR_ARG(item->name), fault);
        is_fine = is_fine && !is_ours && !fault;
        t->fields[t->n_fields++] = (struct field){.name = item->name, .value = value->text};
    }
    return is_fine;
}

struct tracing *tracing_build(const struct tracing_conf *c, const struct filter_env *env)
{
    if (c->to.text.len == 0)
        return NULL;
    const struct handler *service = env->services->find(env->services, &c->to);
    struct tracing *t = ARENA_NEW(env->mem, struct tracing);
    uint32_t sample;
    if (!service || !t || tracing_parse_sample(&c->sample, env->diags, &sample) != ERR_OK)
        return NULL;
    *t = (struct tracing){
        .service = service,
        .authority = authority_of(c->to.text),
        .path = c->path.text,
        .name = c->name.text,
        .sample = sample,
        .parents = (enum tracing_parents)c->parents,
    };
    return build_fields(&c->headers, env, t) ? t : NULL;
}
