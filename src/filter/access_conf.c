// SPDX-License-Identifier: Apache-2.0
#include "filter/access_conf.h"

#include "base/ascii.h"
#include "base/num.h"
#include "filter/week.h"

static const char *const zone_names[] = {
    [ACCESS_ZONE_LOCAL] = "local",
    [ACCESS_ZONE_UTC] = "utc",
    NULL,
};

static const struct conf_item file_items[] = {
    ITEM_FILE(access_file_conf, file, "file", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a file", .example = "/etc/sallyport/office.txt",
              .doc =
                  "A text with an address or network on each line; `#` and `;` begin a comment."),
};

static const struct conf_section file_section = {
    .name = "address-file",
    .doc = "A file with addresses and networks.",
    CONF_SECTION_OF(access_file_conf, file_items),
    .shorthand = "file",
    .place_offset = CONF_PLACE_AT(access_file_conf, place),
};

static const struct conf_item field_items[] = {
    ITEM_TEXT(access_field_conf, pattern, "pattern", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a regular expression", .example = "(?i)badbot",
              .doc = "It is to be found in a value of the field; `^$` is an empty one."),
};

static const struct conf_section field_section = {
    .name = "access-field",
    .doc = "A condition on a header field.",
    CONF_SECTION_OF(access_field_conf, field_items),
    .shorthand = "pattern",
    .place_offset = CONF_NO_PLACE,
};

static enum err check_country(const struct conf_text *text, struct diags *diags)
{
    struct str s = text->text;
    bool is_code = s.len == 2 && ascii_is(s.ptr[0], ASCII_ALPHA) && ascii_is(s.ptr[1], ASCII_ALPHA);
    if (is_code || str_eq(s, STR("unknown")))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is no country: write its two letters, such as DE, or unknown",
                     STR_ARG(s));
}

static enum err check_path(const struct conf_text *text, struct diags *diags)
{
    if (str_starts(text->text, STR("/")))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place, "'" STR_FMT "' is no path: it begins with '/'",
                     STR_ARG(text->text));
}

static const struct conf_item items[] = {
    ITEM_NETS(access_conf, addresses, "addresses", .since = "0.1", .apply = CONF_LIVE,
              .example = "[192.0.2.0/24, 2001:db8::/32]",
              .doc = "Addresses and networks of clients."),
    ITEM_LIST(access_conf, files, "files", .section = &file_section, .since = "0.1",
              .apply = CONF_LIVE, .example = "[/etc/sallyport/office.txt]",
              .doc = "Files with more of them, one on each line. They are watched: what changes "
                     "counts without a reload."),
    ITEM_TEXTS(access_conf, countries, "countries", .since = "0.1", .apply = CONF_LIVE,
               .format = "two letters, or unknown", .example = "[DE, FR]",
               .check_text = check_country,
               .doc = "Countries of clients (ISO 3166-1), by the database in `geo`; `unknown` is "
                      "every address that isn't in it."),
    ITEM_TEXTS(access_conf, asns, "asns", .since = "0.1", .apply = CONF_LIVE, .format = "numbers",
               .example = "[64496, AS64511]",
               .doc = "Autonomous systems of clients, by the database in `geo`."),
    ITEM_TEXTS(access_conf, methods, "methods", .since = "0.1", .apply = CONF_LIVE,
               .format = "methods", .example = "[POST, PUT]", .doc = "Methods of requests."),
    ITEM_TEXTS(access_conf, paths, "paths", .since = "0.1", .apply = CONF_LIVE, .format = "paths",
               .example = "[/admin]", .check_text = check_path,
               .doc =
                   "Paths, each with all that is below it. `deny` takes what a server may read as "
                   "one of them for it, such as `//admin`, `/admin;x` and `/x%2F..%2Fadmin`; "
                   "`allow` lets pass what is below one in either way to read it."),
    ITEM_MAP(access_conf, headers, "headers", .section = &field_section, .since = "0.1",
             .has_secret_names = true, .apply = CONF_LIVE,
             .example = "{ User-Agent: \"(?i)badbot\" }",
             .doc = "Header fields that a request has to have, all of these."),
    ITEM_TEXTS(access_conf, times, "times", .since = "0.1", .apply = CONF_LIVE,
               .format = WEEK_FORMAT, .example = "[Mon-Fri 08:00-18:00, Sat]",
               .doc = "Windows of the week. One that ends before it begins goes on into the next "
                      "day: `Fri 22:00-06:00`."),
    ITEM_ENUM(access_conf, time_zone, "time-zone", .names = zone_names, .def = "local",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "What clock `times` are by: this machine's (`TZ`, `/etc/localtime`), or UTC."),
    ITEM_UINT(access_conf, status, "status", .def = "403", .min = "400", .max = "599",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "What those who may not pass are answered; 404 hides that there is anything."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct access_conf *c = value;
    size_t n = c->addresses.is_set + c->files.n + c->countries.n + c->asns.n + c->methods.n +
               c->paths.n + c->headers.n + c->times.n;
    if (n > 0)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, c->place,
                     "name what is meant: `addresses`, `files`, `countries`, `asns`, `methods`, "
                     "`paths`, `headers` or `times`");
}

const struct conf_section access_allow_section = {
    .name = "allow",
    .doc =
        "Lets only these requests pass: those that meet all kinds of conditions named here, each "
        "by any of its values. A client is who the connection comes from, or whom a proxy names "
        "that the entrypoint trusts.",
    CONF_SECTION_OF(access_conf, items),
    .shorthand = "addresses",
    .place_offset = CONF_PLACE_AT(access_conf, place),
    .check = check,
};

const struct conf_section access_deny_section = {
    .name = "deny",
    .doc = "Refuses these requests, and lets all others pass: those that meet all kinds of "
           "conditions named here, each by any of its values.",
    CONF_SECTION_OF(access_conf, items),
    .shorthand = "addresses",
    .place_offset = CONF_PLACE_AT(access_conf, place),
    .check = check,
};

bool access_asn_parse(struct str text, uint32_t *ret)
{
    uint64_t number;
    struct str digits = str_istarts(text, STR("AS")) ? str_skip(text, 2) : text;
    if (num_dec(digits, UINT32_MAX, &number) != ERR_OK || number == 0)
        return false;
    *ret = (uint32_t)number;
    return true;
}
