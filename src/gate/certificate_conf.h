// SPDX-License-Identifier: Apache-2.0
// The settings of certificates from files, which entrypoints and sites have.
#pragma once

#include "conf/conf.h"

// Where certificates come from: a PEM file, a pair of files, or a folder of them. Only the keeper
// reads them.
struct certificate_conf {
    struct conf_text cert, key;
    bool is_default;
    struct place place;
};

extern const struct conf_section certificate_section;

#define CERTIFICATES_ITEM(S)                                                                       \
    ITEM_LIST(S, certificates, "certificates", .section = &certificate_section, .since = "0.1",    \
              .apply = CONF_LIVE, .example = "[{ cert: a.pem, key: a.key }]",                      \
              .doc = "Certificates from files, which go before those of issuers and of the local " \
                     "CA. Whoever asks for a name in them gets them, wherever they stand here.")
