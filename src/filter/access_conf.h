// SPDX-License-Identifier: Apache-2.0
// Settings of `allow` and `deny`.
#pragma once

#include "conf/conf.h"

enum access_zone {
    ACCESS_ZONE_LOCAL,
    ACCESS_ZONE_UTC,
};

struct access_file_conf {
    struct conf_file file;
    struct place place;
};

struct access_field_conf {
    struct conf_text pattern;
};

struct access_conf {
    struct conf_nets addresses;
    struct conf_list files; // of access_file_conf
    struct conf_texts countries, asns, methods, paths;
    struct conf_map headers; // of access_field_conf
    struct conf_texts times;
    unsigned time_zone; // enum access_zone
    uint32_t status;
    struct place place;
};

extern const struct conf_section access_allow_section;
extern const struct conf_section access_deny_section;

// "64496", "AS64496".
bool access_asn_parse(struct str text, uint32_t *ret);
