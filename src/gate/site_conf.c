// SPDX-License-Identifier: Apache-2.0
#include "gate/site_conf.h"

#include "codec/url.h"
#include "tls/policy.h"

static enum err check_path(const struct conf_text *text, struct diags *diags)
{
    struct str canon;
    struct arena mem;
    arena_init(&mem, 64 * 1024, NULL, 0);
    bool is_fine = text->text.len > 0 && text->text.ptr[0] == '/' &&
                   url_path_canon(text->text, &(struct url_path_policy){.decode_slash = false},
                                  &mem, &canon) == ERR_OK &&
                   str_eq(canon, text->text);
    arena_fini(&mem);
    if (is_fine)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT
                     "' is not a path in canonical form; it starts with '/', and has no "
                     "dot segments and no needless escapes",
                     STR_ARG(text->text));
}

// What routes of all kinds have in common. S is the struct's name.
#define ROUTE_TARGET_ITEMS(S)                                                                      \
    ITEM_TEXTS(S, use, "use", .since = "0.1", .apply = CONF_LIVE, .format = "names of filters",    \
               .example = "[login, api-headers]",                                                  \
               .doc = "Filters that requests pass through, in this order."),                       \
        ITEM_TEXTS(S, to, "to", .since = "0.1", .apply = CONF_LIVE,                                \
                   .format = "a service's name, a URL, or a list of URLs",                         \
                   .example = "http://10.33.0.6:8065",                                             \
                   .doc = "Where requests go: the name of a service, or the servers themselves. "  \
                          "May be left out when a filter answers everything."),                    \
        ITEM_TEXT(S, strip, "strip", .since = "0.1", .apply = CONF_LIVE,                           \
                  .format = "a path prefix", .example = "/app", .check_text = check_path,          \
                  .doc = "Remove this prefix from the path before the server sees it. `Location` " \
                         "and the paths of cookies are corrected on the way back."),               \
        ITEM_TEXT(S, replace, "replace", .since = "0.1", .apply = CONF_LIVE,                       \
                  .format = "a path prefix", .example = "/v2", .check_text = check_path,           \
                  .doc = "Put this prefix in the place of the one that `strip` removes.")

static const struct conf_item site_route_items[] = {
    ITEM_TEXT(site_route_conf, match, "match", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a rule", .example = "PathPrefix(`/api`)",
              .doc = "Which of the site's requests take this route."),
    ITEM_TEXT(site_route_conf, name, "name", .since = "0.1", .apply = CONF_LIVE, .format = "a name",
              .example = "api",
              .doc = "What logs and `explain` call it; by default the site's name "
                     "and a number."),
    ITEM_UINT(site_route_conf, priority, "priority", .def = "0", .max = "2000000000",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "Higher ones are tried first. 0: by the length of the rule, behind the site's "
                     "rank (see `sites`)."),
    ROUTE_TARGET_ITEMS(site_route_conf),
};

static const struct conf_section site_route_section = {
    .name = "site-route",
    .doc = "A route inside a site.",
    CONF_SECTION_OF(site_route_conf, site_route_items),
    .place_offset = CONF_PLACE_AT(site_route_conf, place),
};

static const struct conf_item site_tls_items[] = {
    CERTIFICATES_ITEM(site_tls_conf),
    ITEM_TEXTS(site_tls_conf, issuer, "issuer", .since = "0.1", .apply = CONF_LIVE,
               .format = "names in issuers, or local", .example = "[letsencrypt, zerossl]",
               .doc = "Who signs the site's certificate: names in `issuers`, best first, of which "
                      "the next is asked when one fails; or `local` for the local CA. By default "
                      "the setting `issuer`."),
    ITEM_BOOL(
        site_tls_conf, on_demand, "on-demand", .def = "no", .since = "0.1", .apply = CONF_LIVE,
        .doc = "For the site's names with `*.`: each name below gets a certificate of its own "
               "when it is first asked for, as the setting `on-demand` allows, and none is "
               "ordered for the wildcard."),
    TLS_CONF_ITEMS(site_tls_conf, policy.),
};

static enum err check_site_tls(const void *value, struct diags *diags)
{
    return tls_conf_check(&((const struct site_tls_conf *)value)->policy, diags);
}

const struct conf_section site_tls_section = {
    .name = "site-tls",
    .doc = "TLS of one site. What isn't given here is as the entrypoint has it.",
    CONF_SECTION_OF(site_tls_conf, site_tls_items),
    .place_offset = CONF_PLACE_AT(site_tls_conf, policy.place),
    .check = check_site_tls,
};

static const struct conf_item hsts_items[] = {
    ITEM_DURATION(hsts_conf, max_age_ms, "max-age", .def = "365d", .min = "0", .max = "3650d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long browsers remember it. 0 makes them forget it."),
    ITEM_BOOL(hsts_conf, subdomains, "include-subdomains", .def = "no", .since = "0.1",
              .apply = CONF_LIVE, .doc = "It holds for all names below the site's, too."),
    ITEM_BOOL(hsts_conf, preload, "preload", .def = "no", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Agree that browsers have the site in their lists."),
};

static enum err check_hsts(const void *value, struct diags *diags)
{
    const struct hsts_conf *c = value;
    if (!c->preload || (c->subdomains && c->max_age_ms >= INT64_C(31536000000)))
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, c->place,
                     "'preload' needs 'include-subdomains: on' and a 'max-age' of at least 365d, "
                     "or browsers' lists don't take the site");
}

static const struct conf_section hsts_section = {
    .name = "hsts",
    .doc = "Strict-Transport-Security (RFC 6797): browsers that have once been here come by HTTPS "
           "alone, and let nobody click a warning away.",
    CONF_SECTION_OF(hsts_conf, hsts_items),
    .place_offset = CONF_PLACE_AT(hsts_conf, place),
    .check = check_hsts,
};

static const struct conf_item site_items[] = {
    ITEM_TEXTS(site_conf, aliases, "aliases", .since = "0.1", .apply = CONF_LIVE,
               .format = "host names", .example = "[www.example.com]",
               .doc = "Further names of the site."),
    ITEM_TEXTS(site_conf, entrypoints, "entrypoints", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of entrypoints", .example = "[web]",
               .doc = "Where the site can be reached. By default at every entrypoint."),
    ROUTE_TARGET_ITEMS(site_conf),
    ITEM_LIST(site_conf, routes, "routes", .section = &site_route_section, .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Routes for some of the site's requests. They are tried before the site's own "
                     "`to`, and have its filters in front of their own."),
    ITEM_SWITCHED(site_conf, tls, "tls", struct site_tls_conf, is_on, .section = &site_tls_section,
                  .def = "on", .since = "0.1", .apply = CONF_NEW_CONNS,
                  .doc =
                      "HTTPS at the entrypoints that speak TLS. `off`: the site is served at the "
                      "plain ones alone. A map says what is different from the entrypoint."),
    ITEM_BOOL(site_conf, redirect_to_https, "redirect-to-https", .def = "on", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Send plain requests to the same URL by `https`, when the site is served "
                     "there: with 301 for GET and HEAD, else with 308. The port is that of the "
                     "first entrypoint with TLS."),
    ITEM_SWITCHED(site_conf, hsts, "hsts", struct hsts_conf, is_on, .section = &hsts_section,
                  .def = "off", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "`Strict-Transport-Security` in answers over TLS. Not sent while the "
                         "certificate is from the local CA: nobody could come back."),
};

const struct conf_section site_section = {
    .name = "site",
    .doc = "What happens to the requests for a host name. In short form just where they go. A name "
           "may "
           "start with `*.` for any one label. Sites come before free routes, exact names before "
           "those with `*`, unless a `priority` says otherwise.",
    CONF_SECTION_OF(site_conf, site_items),
    .shorthand = "to",
    .place_offset = CONF_PLACE_AT(site_conf, place),
};

static const struct conf_item route_tls_items[] = {
    ITEM_TEXTS(route_tls_conf, issuer, "issuer", .since = "0.1", .apply = CONF_LIVE,
               .format = "names in issuers, or local", .example = "[letsencrypt, zerossl]",
               .doc = "Who signs the certificates: names in `issuers`, best first, or `local` for "
                      "the local CA. By default the setting `issuer`."),
    TLS_CONF_ITEMS(route_tls_conf, policy.),
};

static enum err check_route_tls(const void *value, struct diags *diags)
{
    return tls_conf_check(&((const struct route_tls_conf *)value)->policy, diags);
}

const struct conf_section route_tls_section = {
    .name = "route-tls",
    .doc = "TLS for the names in the route's rule (``Host(`name`)``), where an entrypoint speaks "
           "it and no site has the name: a certificate for each, and what is to be different from "
           "the entrypoint. It holds for all routes of a name.",
    CONF_SECTION_OF(route_tls_conf, route_tls_items),
    .place_offset = CONF_PLACE_AT(route_tls_conf, policy.place),
    .check = check_route_tls,
};

static const struct conf_item route_items[] = {
    ITEM_TEXT(route_conf, match, "match", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
              .format = "a rule", .example = "Host(`a.example`) && PathPrefix(`/api`)",
              .doc = "Which requests take this route."),
    ITEM_TEXT(route_conf, name, "name", .since = "0.1", .apply = CONF_LIVE, .format = "a name",
              .example = "api",
              .doc = "What logs and `explain` call it; by default `route` and a "
                     "number."),
    ITEM_UINT(route_conf, priority, "priority", .def = "0", .max = "2000000000", .since = "0.1",
              .apply = CONF_LIVE, .doc = "Higher ones are tried first. 0: the length of the rule."),
    ITEM_TEXTS(route_conf, entrypoints, "entrypoints", .since = "0.1", .apply = CONF_LIVE,
               .format = "names of entrypoints", .example = "[web]",
               .doc = "Where the route can be reached. By default at every entrypoint."),
    ITEM_SECTION(route_conf, tls, "tls", struct route_tls_conf, .section = &route_tls_section,
                 .since = "0.1", .apply = CONF_LIVE, .doc = "TLS for the names in its rule."),
    ITEM_BOOL(route_conf, passthrough, "passthrough", .def = "off", .since = "0.1",
              .apply = CONF_NEW_CONNS,
              .doc = "Leave TLS to the server: connections go there untouched, decided by the name "
                     "in their first message (``HostSNI(`name`)``). At entrypoints with `protocol: "
                     "tcp` nothing else is done anyway."),
    ITEM_TEXT(route_conf, disabled, "disabled", .since = "0.1", .apply = CONF_LIVE,
              .format = "a reason", .example = "its filter is being changed",
              .doc = "Answer 503 to all of its requests, which so don't fall through to a wider "
                     "route with fewer filters. The reason is told by the log, by `explain` and by "
                     "the API, and never to clients. Routers of Traefik's that can't be had are "
                     "routes like that."),
    ROUTE_TARGET_ITEMS(route_conf),
};

const struct conf_section route_section = {
    .name = "route",
    .doc = "A route that belongs to no site.",
    CONF_SECTION_OF(route_conf, route_items),
    .place_offset = CONF_PLACE_AT(route_conf, place),
};
