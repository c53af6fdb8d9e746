// SPDX-License-Identifier: Apache-2.0
#include "filter/geo.h"

static const struct conf_item items[] = {
    ITEM_FILE(geo_conf, country, "country", .since = "0.1", .apply = CONF_LIVE,
              .example = "/var/lib/GeoIP/GeoLite2-Country.mmdb",
              .doc = "A database of countries in MaxMind's format (.mmdb): GeoLite2, GeoIP2, DB-IP "
                     "or IPinfo; one of cities will do."),
    ITEM_FILE(geo_conf, asn, "asn", .since = "0.1", .apply = CONF_LIVE,
              .example = "/var/lib/GeoIP/GeoLite2-ASN.mmdb",
              .doc = "One of autonomous systems, which are the networks of providers."),
};

const struct conf_section geo_section = {
    .name = "geo",
    .doc =
        "Databases that tell where addresses belong, for `allow` and `deny`. They are watched: a "
        "new file counts without a reload.",
    CONF_SECTION_OF(geo_conf, items),
    .place_offset = CONF_NO_PLACE,
};

static bool open_one(const struct conf_file *file, struct diags *diags, struct mmdb *ret,
                     bool *ret_has)
{
    const char *why;
    *ret_has = file->is_set;
    if (!file->is_set || mmdb_open(file->content, ret, &why) == ERR_OK)
        return true;
    return conf_fail_file(file, diags, why) == ERR_OK;
}

bool geo_build(const struct geo_conf *conf, struct diags *diags, struct geo *ret)
{
    bool is_fine = open_one(&conf->country, diags, &ret->country, &ret->has_country);
    return open_one(&conf->asn, diags, &ret->asn, &ret->has_asn) && is_fine;
}

struct str geo_country(const struct geo *geo, const struct ip *ip)
{
    // GeoLite2, GeoIP2 and DB-IP; where it was registered tells of what is nowhere, as satellites.
    static const struct str groups[] = {STR_INIT("country"), STR_INIT("registered_country")};
    struct mmdb_value all, group, code;
    struct str text;
    if (!geo->has_country || !mmdb_find(&geo->country, ip, &all))
        return STR_NONE;
    for (size_t i = 0; i < 2; i++) {
        if (mmdb_member(&all, groups[i], &group) && mmdb_member(&group, STR("iso_code"), &code) &&
            mmdb_text(&code, &text))
            return text;
    }
    // IPinfo's are flat.
    bool is_flat = (mmdb_member(&all, STR("country_code"), &code) && mmdb_text(&code, &text)) ||
                   (mmdb_member(&all, STR("country"), &code) && mmdb_text(&code, &text));
    return is_flat && text.len == 2 ? text : STR_NONE;
}

uint32_t geo_asn(const struct geo *geo, const struct ip *ip)
{
    struct mmdb_value all, value;
    uint64_t number;
    if (!geo->has_asn || !mmdb_find(&geo->asn, ip, &all) ||
        !mmdb_member(&all, STR("autonomous_system_number"), &value) ||
        !mmdb_number(&value, &number) || number > UINT32_MAX)
        return 0;
    return (uint32_t)number;
}
