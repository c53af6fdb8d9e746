// SPDX-License-Identifier: Apache-2.0
#include "tls/tls_conf.h"

#include "tls/policy.h"

const char *const tls_preset_names[] = {
#define X(id, text) text,
    TLS_PRESET_LIST(X)
#undef X
        NULL,
};

const char *const tls_version_names[] = {
#define X(id, text, wire) text,
    TLS_VERSION_LIST(X)
#undef X
        NULL,
};

const char *const tls_client_auth_names[] = {
#define X(id, text) text,
    TLS_CLIENT_AUTH_LIST(X)
#undef X
        NULL,
};

static const struct conf_item items[] = {
    TLS_CONF_ITEMS(tls_conf, ),
};

enum err tls_conf_check(const struct tls_conf *c, struct diags *diags)
{
    enum err err = ERR_OK;
    if (c->min > c->max)
        err = diag_fail(diags, ERR_RANGE, c->place, "'min' is newer than 'max'");
    if (c->preset == TLS_PRESET_MODERN && c->max < TLS_VERSION_1_3)
        err = diag_fail(diags, ERR_RANGE, c->place,
                        "the preset 'modern' needs TLS 1.3, which 'max' forbids");
    if (c->client_auth != TLS_CLIENT_AUTH_NONE && !c->client_ca.is_set)
        err = diag_fail(diags, ERR_RANGE, c->place,
                        "'client-auth' needs 'client-ca': whose certificates are accepted");
    if (c->client_auth == TLS_CLIENT_AUTH_NONE && c->client_ca.is_set)
        diag_warn(diags, c->client_ca.place,
                  "'client-ca' does nothing without 'client-auth: request' or 'require'");
    if (c->client_auth == TLS_CLIENT_AUTH_NONE && c->client_crl.is_set)
        diag_warn(diags, c->client_crl.place,
                  "'client-crl' does nothing without 'client-auth: request' or 'require'");
    if (c->early_data && c->client_auth != TLS_CLIENT_AUTH_NONE)
        err =
            diag_fail(diags, ERR_RANGE, c->place,
                      "'early-data' is not for clients with certificates, whose requests somebody "
                      "else could send again: say 'early-data: off' beside 'client-auth'");
    if (c->early_data && (!c->tickets || c->max < TLS_VERSION_1_3))
        err = diag_fail(diags, ERR_RANGE, c->place, "'early-data' needs TLS 1.3 and 'tickets: on'");
    return err;
}

static enum err check(const void *value, struct diags *diags)
{
    return tls_conf_check(value, diags);
}

const struct conf_section tls_section = {
    .name = "tls",
    .doc = "How TLS is spoken with clients.",
    CONF_SECTION_OF(tls_conf, items),
    .place_offset = CONF_PLACE_AT(tls_conf, place),
    .check = check,
};
