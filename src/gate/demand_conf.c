// SPDX-License-Identifier: Apache-2.0
#include "gate/demand_conf.h"

#include "codec/idna.h"
#include "codec/url.h"

#define NAME_MEM_BYTES 4096

static bool is_name(struct str text)
{
    char buf[NAME_MEM_BYTES];
    struct arena mem;
    struct str ascii;
    struct url_authority a;
    const char *why;
    arena_init(&mem, 2 * sizeof buf, buf, sizeof buf);
    bool is_fine = idna_to_ascii(text, &mem, &ascii, &why) == ERR_OK;
    if (is_fine && str_starts(ascii, STR("*.")))
        ascii = str_skip(ascii, 2);
    is_fine = is_fine && url_authority_parse(ascii, &a) == ERR_OK && !a.is_ip &&
              a.host.len == ascii.len && str_find(ascii, '.') != STR_NPOS;
    arena_fini(&mem);
    return is_fine;
}

static enum err check_allow(const struct conf_text *text, struct diags *diags)
{
    if (is_name(text->text))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is no name for certificates; write shop.example.com, or "
                     "*.example.com for any one label",
                     STR_ARG(text->text));
}

static enum err check_ask(const struct conf_text *text, struct diags *diags)
{
    struct str rest = str_starts(text->text, STR("http://"))    ? str_skip(text->text, 7)
                      : str_starts(text->text, STR("https://")) ? str_skip(text->text, 8)
                                                                : STR_NONE;
    bool is_fine = rest.len > 0 && rest.ptr[0] != '/' && str_find(rest, '#') == STR_NPOS;
    for (size_t i = 0; is_fine && i < rest.len; i++)
        is_fine = rest.ptr[i] > ' ' && rest.ptr[i] < 0x7f;
    if (is_fine)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is no URL to ask; write http://127.0.0.1:5555/may-have or "
                     "https://…, without a fragment",
                     STR_ARG(text->text));
}

static const struct conf_item items[] = {
    ITEM_TEXTS(demand_conf, allow, "allow", .since = "0.1", .apply = CONF_LIVE,
               .format = "host names", .check_text = check_allow,
               .example = "[\"*.customers.example.com\"]",
               .doc = "Names that may have a certificate; `*.` stands for any one label. With "
                      "`ask` as well, both must say yes."),
    ITEM_TEXT(demand_conf, ask, "ask", .since = "0.1", .apply = CONF_LIVE, .format = "a URL",
              .check_text = check_ask, .example = "http://127.0.0.1:5555/may-have",
              .doc = "Who knows whether a name may have a certificate: a GET with `?domain=NAME`, "
                     "answered with 200 for yes and anything else for no, within 5 seconds. "
                     "Redirects are a no. Only `http` and `https`."),
    ITEM_TEXTS(demand_conf, issuer, "issuer", .since = "0.1", .apply = CONF_LIVE,
               .format = "names in issuers", .example = "[letsencrypt]",
               .doc = "Who signs: names in `issuers`, in this order. By default as for sites."),
    ITEM_DURATION(demand_conf, wait_ms, "wait", .def = "20s", .min = "0", .max = "1m",
                  .since = "0.1", .apply = CONF_NEW_CONNS,
                  .doc = "How long a handshake waits for the certificate. Afterwards, and when "
                         "there is to be none, it goes on as for any name without a certificate."),
    ITEM_RATE(demand_conf, limit, "limit", .def = "60/h", .min = "1/d", .max = "1000/s",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "New names on average, after a burst of ten. The authority's limits count "
                     "orders, too."),
    ITEM_UINT(demand_conf, names_max, "names-max", .def = "1000", .min = "1", .max = "10000",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "The most names that have such a certificate at a time."),
    ITEM_DURATION(demand_conf, forget_ms, "forget-after", .def = "30d", .min = "1d", .max = "365d",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "A name that nobody has asked for so long is forgotten, with its "
                         "certificate; until then it is renewed."),
};

const struct conf_section demand_section = {
    .name = "on-demand",
    .doc =
        "Certificates for names that aren't known beforehand, such as customers' own: ordered in "
        "the first handshake that asks for one. For names that no site has, and for sites with "
        "a wildcard and `on-demand: on`. Needs `allow` or `ask`.",
    CONF_SECTION_OF(demand_conf, items),
    .place_offset = CONF_PLACE_AT(demand_conf, place),
};
