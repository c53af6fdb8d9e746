// SPDX-License-Identifier: Apache-2.0
// Where addresses belong: countries and autonomous systems, from databases in MaxMind's format.
#pragma once

#include "codec/mmdb.h"
#include "conf/conf.h"

struct geo_conf {
    struct conf_file country, asn;
};
extern const struct conf_section geo_section;

struct geo {
    struct mmdb country, asn;
    bool has_country, has_asn;
};

// Borrows the settings' bytes. False with errors in diags.
bool geo_build(const struct geo_conf *conf, struct diags *diags, struct geo *ret);

// Two letters (ISO 3166-1) in capitals; empty: unknown. Borrows.
struct str geo_country(const struct geo *geo, const struct ip *ip);
// 0: unknown.
uint32_t geo_asn(const struct geo *geo, const struct ip *ip);
