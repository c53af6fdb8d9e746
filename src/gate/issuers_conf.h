// SPDX-License-Identifier: Apache-2.0
// Settings of certificate authorities. Only the keeper acts on them.
#pragma once

#include "conf/conf.h"

struct eab_conf {
    struct conf_text kid;
    struct conf_text key; // base64url, secret
    struct place place;
};

struct tsig_conf {
    struct conf_text name;
    unsigned algorithm;      // index into issuers_tsig_names
    struct conf_text secret; // base64
    struct place place;
};

struct dns_update_conf {
    struct conf_text server; // empty: none is asked
    struct conf_text zone;
    struct tsig_conf key;
    int64_t ttl_ms;
    bool by_tcp;
    struct place place;
};

struct acme_conf {
    struct conf_text directory; // URL, or the name of a well-known one
    struct conf_texts email;
    struct conf_texts challenges; // best first
    unsigned key;                 // index into issuers_key_names
    struct conf_text profile, preferred_chain;
    struct conf_file ca;
    struct eab_conf eab;
    struct conf_text dns_hook;
    struct dns_update_conf dns_update;
    struct conf_text dns_resolver;
    struct conf_texts dns_servers;
    int64_t dns_wait_ms;
    struct place place;
};

struct issuer_conf {
    struct acme_conf acme;
};

extern const struct conf_section issuer_section;
// "hmac-sha256" …; NULL-terminated.
extern const char *const issuers_tsig_names[];

// "letsencrypt" and the like as a URL; a URL is itself.
struct str issuers_directory_url(struct str directory);

// The issuer that the setting `email` alone stands for.
#define ISSUERS_DEFAULT "letsencrypt"

// Of a setting `email`.
enum err issuers_check_email(const struct conf_text *text, struct diags *diags);
