// SPDX-License-Identifier: Apache-2.0
// acme.json. Versions 2 and 3 have an object for each resolver:
//   {"le": {"Account": {"Email", "Registration": {"uri"}, "PrivateKey"},
//           "Certificates": [{"domain": {"main", "sans"}, "certificate", "key"}]}}
// Version 1.7 has that object alone, with "Domain" and "Certificate" and "Key"; before, it was
//   {"Email", "Registration", "PrivateKey", "DomainsCertificate": {"Certs": [{"Domains": {"Main"},
//    "Certificate": {"PrivateKey", "Certificate"}}]}}
// Certificates are base64 of PEM, keys of accounts base64 of DER.
#include "certs/import_priv.h"

#define RESOLVER_OF_VERSION_1 STR("acme")

// The member by either of two names: version 1 wrote them large.
static const json_t *member(const json_t *object, const char *name, const char *old_name)
{
    const json_t *value = json_object_get(object, name);
    return value ? value : json_object_get(object, old_name);
}

static struct str either_text(const json_t *object, const char *name, const char *old_name)
{
    struct str text = certs_import_text(object, name);
    return text.len > 0 ? text : certs_import_text(object, old_name);
}

static struct str either_bytes(const json_t *object, const char *name, const char *old_name,
                               struct arena *mem)
{
    return certs_import_bytes(object, json_object_get(object, name) ? name : old_name, false, mem);
}

static void add_cert(const struct certs_importing *in, struct str resolver, const json_t *domain,
                     struct str chain, struct str key)
{
    const struct certs_meta meta = {.issuer = arena_dup(in->mem, resolver)};
    certs_import_add_cert(in, either_text(domain, "main", "Main"), chain, key, &meta);
}

static void add_certs(const struct certs_importing *in, struct str resolver, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        add_cert(in, resolver, member(item, "domain", "Domain"),
                 either_bytes(item, "certificate", "Certificate", in->mem),
                 either_bytes(item, "key", "Key", in->mem));
    }
}

static void add_old_certs(const struct certs_importing *in, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *cert = json_object_get(item, "Certificate");
        add_cert(in, RESOLVER_OF_VERSION_1, json_object_get(item, "Domains"),
                 certs_import_bytes(cert, "Certificate", false, in->mem),
                 certs_import_bytes(cert, "PrivateKey", false, in->mem));
    }
}

static void add_account(const struct certs_importing *in, struct str resolver,
                        const json_t *account)
{
    const char *why = NULL;
    struct str email = certs_import_text(account, "Email");
    struct certs_account_meta meta = {
        .url =
            arena_dup(in->mem, certs_import_text(json_object_get(account, "Registration"), "uri")),
    };
    if (!json_is_string(json_object_get(account, "PrivateKey")))
        return; // a resolver that never had one
    if (email.len > 0)
        meta.contact = arena_concat(in->mem, STR("mailto:"), email, STR_NONE);
    EVP_PKEY *key =
        tls_key_read_der(certs_import_bytes(account, "PrivateKey", false, in->mem), &why);
    certs_import_add_account(in, resolver, key, why, &meta);
}

static bool is_resolver(const json_t *value)
{
    return json_is_object(value) &&
           (json_object_get(value, "Account") || json_object_get(value, "Certificates"));
}

static void add_resolver(const struct certs_importing *in, struct str name, const json_t *value)
{
    add_account(in, name, json_object_get(value, "Account"));
    add_certs(in, name, json_object_get(value, "Certificates"));
}

// False: it's none of the forms.
static bool add_all(const struct certs_importing *in, json_t *root)
{
    const char *name;
    json_t *value;
    if (json_object_get(root, "DomainsCertificate")) {
        add_account(in, RESOLVER_OF_VERSION_1, root);
        add_old_certs(in, json_object_get(json_object_get(root, "DomainsCertificate"), "Certs"));
        return true;
    }
    if (is_resolver(root)) {
        add_resolver(in, RESOLVER_OF_VERSION_1, root);
        return true;
    }
    bool is_any = json_object_size(root) == 0; // as Traefik makes it before the first order
    json_object_foreach(root, name, value)
    {
        if (!is_resolver(value))
            continue;
        is_any = true;
        add_resolver(in, str_of(name), value);
    }
    return is_any;
}

enum err certs_import_traefik(struct str json, struct place place, struct arena *mem,
                              struct diags *diags, struct certs_import *ret)
{
    struct certs_importing in = {
        .all = ret, .mem = mem, .diags = diags, .place = place, .source = "traefik"};
    json_error_t error;
    *ret = (struct certs_import){.n_certs = 0};
    if (json.len > CERTS_IMPORT_JSON_MAX_BYTES)
        return diag_fail(diags, ERR_SYNTAX, place, "it is too large for an acme.json");
    json_t *root = json_loadb(json.len > 0 ? json.ptr : "", json.len, 0, &error);
    if (!root) {
        in.place.line = error.line > 0 ? (unsigned)error.line : 0;
        return diag_fail(diags, ERR_SYNTAX, in.place, "it is no JSON");
    }
    bool is_fine = json_is_object(root) && add_all(&in, root);
    json_decref(root);
    return is_fine ? ERR_OK
                   : diag_fail(diags, ERR_SYNTAX, place, "it is JSON, but no acme.json of Traefik");
}
