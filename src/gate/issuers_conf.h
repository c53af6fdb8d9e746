// SPDX-License-Identifier: Apache-2.0
// Settings of certificate authorities. Only the keeper acts on them.
#pragma once

#include "conf/conf.h"

struct eab_conf {
    struct conf_text kid;
    struct conf_text key; // base64url, secret
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
    int64_t dns_wait_ms;
    struct place place;
};

struct issuer_conf {
    struct acme_conf acme;
};

extern const struct conf_section issuer_section;

// "letsencrypt" and the like as a URL; a URL is itself.
struct str issuers_directory_url(struct str directory);

// The issuer that the setting `email` alone stands for.
#define ISSUERS_DEFAULT "letsencrypt"

// Of a setting `email`.
enum err issuers_check_email(const struct conf_text *text, struct diags *diags);
