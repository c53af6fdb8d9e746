// SPDX-License-Identifier: Apache-2.0
#include "gate/certificate_conf.h"

static const struct conf_item certificate_items[] = {
    ITEM_TEXT(certificate_conf, cert, "cert", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "a path", .example = "/etc/ssl/app.example.com.pem",
              .doc = "A PEM file with the certificate, then its intermediates, and the key unless "
                     "`key` names it; or a folder of such files, which is watched, so that new, "
                     "changed and removed ones count without a reload. A folder's path ends with "
                     "`/`, or the folder is there."),
    ITEM_TEXT(certificate_conf, key, "key", .since = "0.1", .apply = CONF_LIVE, .format = "a path",
              .example = "/etc/ssl/app.example.com.key",
              .doc = "The PEM file with the private key, when it isn't in `cert`."),
    ITEM_BOOL(certificate_conf, is_default, "default", .def = "no", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "Show this one to clients that ask for a name which no certificate has, or "
                     "for none. Without a default that is the first certificate."),
};

const struct conf_section certificate_section = {
    .name = "certificate",
    .doc = "Certificates from files. They are watched, and each is used for the names in it: "
           "exact ones, then wildcards for one label. One with an ECDSA key and one with an RSA "
           "key may stand side by side: the client's offer chooses.",
    CONF_SECTION_OF(certificate_conf, certificate_items),
    .shorthand = "cert",
    .place_offset = CONF_PLACE_AT(certificate_conf, place),
};
