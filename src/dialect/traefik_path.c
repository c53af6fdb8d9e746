// SPDX-License-Identifier: Apache-2.0
// Middlewares that change paths and send clients elsewhere.
#include "base/ascii.h"
#include "dialect/traefik_priv.h"

struct path_conf {
    struct conf_text prefix, path;
    struct conf_texts prefixes, regexes;
    struct conf_text regex, replacement;
    bool forces_slash;
};

// --- prefixes and paths ---

static const struct conf_item add_items[] = {
    ITEM_TEXT(path_conf, prefix, "prefix", .is_required = true),
};

static const struct conf_section add_section = {
    .name = "addPrefix",
    CONF_SECTION_OF(path_conf, add_items),
};

static bool convert_add(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct path_conf *p = conf;
    struct str prefix = p->prefix.text;
    if (!str_starts(prefix, STR("/")))
        prefix = arena_concat(c->mem, STR("/"), prefix, STR_NONE);
    traefik_set(c, traefik_filter(c, t, "add-prefix", traefik_kind_place(t)), "prefix", prefix,
                p->prefix.place);
    return true;
}

static const struct conf_item strip_items[] = {
    ITEM_TEXTS(path_conf, prefixes, "prefixes", .is_required = true),
    ITEM_BOOL(path_conf, forces_slash, "forceSlash", .def = "true"), // of version 2
};

static const struct conf_section strip_section = {
    .name = "stripPrefix",
    CONF_SECTION_OF(path_conf, strip_items),
};

static bool convert_strip(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct path_conf *p = conf;
    struct conf_node *f = traefik_filter(c, t, "strip-prefix", traefik_kind_place(t));
    struct conf_node *list = traefik_list(c, f, "prefixes", traefik_kind_place(t));
    for (size_t i = 0; i < p->prefixes.n; i++) {
        // A slash at the end is of no matter: whole segments are taken off, and one is put in
        // front.
        struct str prefix = p->prefixes.items[i].text;
        while (prefix.len > 1 && str_ends(prefix, STR("/")))
            prefix = str_first(prefix, prefix.len - 1);
        if (str_eq(prefix, STR("/")))
            continue; // nothing is taken off
        traefik_push(c, list, prefix, p->prefixes.items[i].place);
    }
    if (list->n == 0)
        t->n_filters = 0;
    return true;
}

static const struct conf_item strip_regex_items[] = {
    ITEM_TEXTS(path_conf, regexes, "regex", .is_required = true),
};

static const struct conf_section strip_regex_section = {
    .name = "stripPrefixRegex",
    CONF_SECTION_OF(path_conf, strip_regex_items),
};

// The first expression that is found at the beginning is taken off; a slash stays.
static bool convert_strip_regex(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct path_conf *p = conf;
    struct text from = {.ptr = NULL};
    text_put(&from, STR("^(?:"));
    for (size_t i = 0; i < p->regexes.n; i++)
        text_printf(&from, "%s(?:" STR_FMT ")", i > 0 ? "|" : "",
                    STR_ARG(p->regexes.items[i].text));
    text_put(&from, STR(")/?"));
    struct conf_node *f = traefik_filter(c, t, "rewrite", traefik_kind_place(t));
    traefik_set(c, f, "from", arena_dup(c->mem, text_str(&from)), p->regexes.items[0].place);
    traefik_set(c, f, "to", STR("/"), traefik_kind_place(t));
    text_fini(&from);
    return true;
}

static const struct conf_item replace_items[] = {
    ITEM_TEXT(path_conf, path, "path", .is_required = true),
};

static const struct conf_section replace_section = {
    .name = "replacePath",
    CONF_SECTION_OF(path_conf, replace_items),
};

static bool convert_replace(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct path_conf *p = conf;
    traefik_set(c, traefik_filter(c, t, "replace-path", traefik_kind_place(t)), "path",
                p->path.text, p->path.place);
    return true;
}

static const struct conf_item regex_items[] = {
    ITEM_TEXT(path_conf, regex, "regex", .is_required = true),
    ITEM_TEXT(path_conf, replacement, "replacement", .is_required = true),
};

static const struct conf_section replace_regex_section = {
    .name = "replacePathRegex",
    CONF_SECTION_OF(path_conf, regex_items),
};

static bool fail_replacement(struct traefik_conv *c, const struct conf_text *text)
{
    return traefik_fail(c, text->place,
                        "replacement '" STR_FMT "': groups are $1 to $9 and ${name}, and there "
                        "are no other '$', '{' and '?'",
                        STR_ARG(text->text));
}

static bool convert_replace_regex(struct traefik_conv *c, struct traefik_thing *t, const void *conf)
{
    const struct path_conf *p = conf;
    struct str to = traefik_replacement(c, p->replacement.text, 0);
    if (!to.ptr || str_find(to, '?') != STR_NPOS)
        return fail_replacement(c, &p->replacement);
    struct conf_node *f = traefik_filter(c, t, "rewrite", traefik_kind_place(t));
    traefik_set(c, f, "from", p->regex.text, p->regex.place);
    traefik_set(c, f, "to", to, p->replacement.place);
    return true;
}

// --- redirects ---

struct redirect_conf {
    struct conf_text regex, replacement, scheme, port;
    bool is_permanent;
};

static const struct conf_item redirect_regex_items[] = {
    ITEM_TEXT(redirect_conf, regex, "regex", .is_required = true),
    ITEM_TEXT(redirect_conf, replacement, "replacement", .is_required = true),
    ITEM_BOOL(redirect_conf, is_permanent, "permanent"),
};

static const struct conf_section redirect_regex_section = {
    .name = "redirectRegex",
    CONF_SECTION_OF(redirect_conf, redirect_regex_items),
};

// A brace that isn't a group's would be a variable of ours.
static bool has_lone_brace(struct str to)
{
    for (size_t i = 0; i < to.len; i++) {
        if (to.ptr[i] == '{' && (i == 0 || to.ptr[i - 1] != '$'))
            return true;
    }
    return false;
}

// Go replaces what is found within the URL, and keeps what stands before and behind it; ours is the
// whole URL that comes of it, and has a scheme in front in any case.
static bool convert_redirect_regex(struct traefik_conv *c, struct traefik_thing *t,
                                   const void *conf)
{
    const struct redirect_conf *r = conf;
    struct str regex = r->regex.text;
    bool is_whole = (str_starts(regex, STR("^")) && str_find(regex, '|') == STR_NPOS) ||
                    str_starts(regex, STR("http"));
    struct str to = traefik_replacement(c, r->replacement.text, is_whole ? 0 : 1);
    if (!to.ptr || has_lone_brace(to))
        return fail_replacement(c, &r->replacement);
    struct conf_node *f = traefik_filter(c, t, "redirect", traefik_kind_place(t));
    traefik_set(c, f, "of", STR("url"), traefik_kind_place(t));
    traefik_set(c, f, "from",
                arena_printf(c->mem, "%s(?:" STR_FMT ")(?<behindit>.*)$",
                             is_whole ? "^" : "^[a-z]+://(?<beforeit>.*?)", STR_ARG(regex)),
                r->regex.place);
    traefik_set(c, f, "to",
                arena_printf(c->mem, "%s" STR_FMT "${behindit}",
                             is_whole ? "" : "{scheme}://${beforeit}", STR_ARG(to)),
                r->replacement.place);
    traefik_set_bool(c, f, "permanent", r->is_permanent, traefik_kind_place(t));
    return true;
}

static const struct conf_item redirect_scheme_items[] = {
    ITEM_TEXT(redirect_conf, scheme, "scheme", .is_required = true),
    ITEM_TEXT(redirect_conf, port, "port"),
    ITEM_BOOL(redirect_conf, is_permanent, "permanent"),
};

static const struct conf_section redirect_scheme_section = {
    .name = "redirectScheme",
    CONF_SECTION_OF(redirect_conf, redirect_scheme_items),
};

static bool convert_redirect_scheme(struct traefik_conv *c, struct traefik_thing *t,
                                    const void *conf)
{
    const struct redirect_conf *r = conf;
    struct conf_node *f = traefik_filter(c, t, "redirect", traefik_kind_place(t));
    traefik_set(c, f, "scheme", r->scheme.text, r->scheme.place);
    if (r->port.text.len > 0)
        traefik_set(c, f, "port", r->port.text, r->port.place);
    traefik_set_bool(c, f, "permanent", r->is_permanent, traefik_kind_place(t));
    return true;
}

const struct traefik_middleware traefik_path_middlewares[] = {
    {.name = "addPrefix", .section = &add_section, .convert = convert_add},
    {.name = "stripPrefix", .section = &strip_section, .convert = convert_strip},
    {.name = "stripPrefixRegex", .section = &strip_regex_section, .convert = convert_strip_regex},
    {.name = "replacePath", .section = &replace_section, .convert = convert_replace},
    {.name = "replacePathRegex",
     .section = &replace_regex_section,
     .convert = convert_replace_regex},
    {.name = "redirectRegex",
     .section = &redirect_regex_section,
     .convert = convert_redirect_regex},
    {.name = "redirectScheme",
     .section = &redirect_scheme_section,
     .convert = convert_redirect_scheme},
    {.name = NULL},
};
