// SPDX-License-Identifier: Apache-2.0
// What the status says of certificates, and all about one of them.
#include "keeper/cert_show.h"
#include "keeper/certs.h"
#include "keeper/certs_priv.h"
#include "keeper/to_json.h"
#include "tls/bundle.h"

static void add_cert(json_t *to, const struct tls_credential *cert, int64_t now_s)
{
    if (cert->n_chain == 0) {
        json_object_set_new(to, "state", json_string("missing"));
        return;
    }
    const struct tls_cert_info *leaf = &cert->leaf;
    json_object_set_new(to, "state", json_string(cert_show_state(leaf, now_s)));
    json_object_set_new(to, "names", to_json_texts(leaf->names, leaf->n_names));
    json_object_set_new(to, "issued_by", to_json_text(leaf->issuer_name));
    json_object_set_new(to, "not_before", to_json_time(leaf->not_before_s));
    json_object_set_new(to, "not_after", to_json_time(leaf->not_after_s));
    json_object_set_new(to, "key", json_string(tls_key_kind_text(leaf->key)));
    json_object_set_new(to, "sha256",
                        to_json_hex(str_from((const char *)leaf->sha256, sizeof leaf->sha256)));
    if (cert->flaws != 0)
        json_object_set_new(to, "flaw", json_string(tls_flaw_text(cert->flaws)));
}

static json_t *new_item(struct str id, const char *source, const char *error)
{
    json_t *j = json_object();
    json_object_set_new(j, "id", to_json_text(id));
    json_object_set_new(j, "source", json_string(source));
    json_object_set_new(j, "error", error ? to_json_text(str_of(error)) : json_null());
    return j;
}

static json_t *file_json(const struct certs_file *file, int64_t now_s)
{
    json_t *j = new_item(file->path, "file", file->why);
    json_object_set_new(j, "path", to_json_text(file->path));
    add_cert(j, &file->cert, now_s);
    return j;
}

static json_t *stored_json(const struct site_cert *s, int64_t now_s)
{
    const struct certs_meta *meta = &s->stored.meta;
    const char *error = s->why ? s->why : meta->last_error.len > 0 ? meta->last_error.ptr : NULL;
    json_t *j = new_item(s->wish.id, "store", error);
    bool is_signed = s->stored.cert.n_chain > 0 && meta->issuer.len > 0;
    json_object_set_new(j, "issuer", to_json_text(is_signed ? meta->issuer : s->wish.issuer));
    json_object_set_new(j, "names", to_json_texts(s->wish.names, s->wish.n_names));
    if (meta->state.len > 0)
        json_object_set_new(j, "order_state", to_json_text(meta->state));
    if (meta->renewed_s > 0)
        json_object_set_new(j, "renewed", to_json_time(meta->renewed_s));
    if (meta->ari_start_s > 0)
        json_object_set_new(j, "renew_from", to_json_time(meta->ari_start_s));
    add_cert(j, &s->stored.cert, now_s);
    return j;
}

static json_t *local_json(const struct site_cert *s, int64_t now_s)
{
    json_t *j = new_item(s->wish.id, "local-ca", s->local_why);
    json_object_set_new(j, "issuer", json_string(CERTS_ISSUER_LOCAL));
    json_object_set_new(j, "names", to_json_texts(s->wish.names, s->wish.n_names));
    add_cert(j, &s->local, now_s);
    return j;
}

static void add_site(json_t *list, const struct site_cert *s, int64_t now_s)
{
    bool is_local = str_eq(s->wish.issuer, STR(CERTS_ISSUER_LOCAL));
    if (!is_local)
        json_array_append_new(list, stored_json(s, now_s));
    if (s->local.n_chain > 0 || s->local_why || s->is_waiting)
        json_array_append_new(list, local_json(s, now_s));
}

json_t *keeper_certs_report(const struct keeper_certs *k, int64_t now_s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < certs_files_n(k->files); i++)
        json_array_append_new(list, file_json(certs_files_get(k->files, i), now_s));
    for (size_t i = 0; i < k->n_sites; i++)
        add_site(list, k->sites[i], now_s);
    if (k->fallback)
        add_site(list, k->fallback, now_s);
    return list;
}

// --- all about one ---

static bool has_name(const struct site_cert *s, struct str name)
{
    for (size_t i = 0; i < s->wish.n_names; i++) {
        if (str_eq(s->wish.names[i], name))
            return true;
    }
    return str_eq(s->wish.id, name);
}

// The sites whose names it covers.
static json_t *users_json(const struct keeper_certs *k, const struct tls_cert_info *leaf)
{
    json_t *list = json_array();
    for (size_t i = 0; i < k->n_sites; i++) {
        const struct keeper_certs_name *wish = &k->sites[i]->wish;
        bool is_used = false;
        for (size_t n = 0; !is_used && n < wish->n_names; n++)
            is_used = tls_cert_covers(leaf, wish->names[n]);
        if (is_used)
            json_array_append_new(list, to_json_text(wish->names[0]));
    }
    return list;
}

static json_t *show_file(const struct keeper_certs *k, const struct certs_file *file, int64_t now_s)
{
    json_t *j = new_item(file->path, "file", file->why);
    json_object_set_new(j, "files", to_json_texts(&file->path, 1));
    cert_show_credential(&file->cert, now_s, j);
    json_object_set_new(j, "used_by", users_json(k, &file->cert.leaf));
    return j;
}

static json_t *show_stored(const struct keeper_certs *k, struct str id, int64_t now_s)
{
    json_t *j = json_object();
    const char *why;
    if (k->store && cert_show_stored(k->store, id, now_s, j, &why) == ERR_OK)
        return j;
    json_decref(j);
    return NULL;
}

static void show_site(const struct keeper_certs *k, const struct site_cert *s, int64_t now_s,
                      json_t *list)
{
    json_t *j = show_stored(k, s->wish.id, now_s);
    bool is_covered = s->local.n_chain == 0 && !s->why; // by files
    if (!j && !is_covered && !str_eq(s->wish.issuer, STR(CERTS_ISSUER_LOCAL)))
        j = stored_json(s, now_s);
    if (j)
        json_object_set_new(j, "used_by", to_json_texts(s->wish.names, 1));
    if (j)
        json_array_append_new(list, j);
    if (s->local.n_chain == 0 && !s->local_why)
        return;
    j = local_json(s, now_s);
    cert_show_credential(&s->local, now_s, j);
    json_object_set_new(j, "used_by", to_json_texts(s->wish.names, 1));
    json_array_append_new(list, j);
}

json_t *keeper_certs_show(const struct keeper_certs *k, struct str name, struct str id,
                          int64_t now_s)
{
    json_t *list = json_array();
    bool is_wanted = false;
    for (size_t i = 0; i < certs_files_n(k->files); i++) {
        const struct certs_file *file = certs_files_get(k->files, i);
        if (str_eq(file->path, name) ||
            (file->cert.n_chain > 0 && tls_cert_covers(&file->cert.leaf, name)))
            json_array_append_new(list, show_file(k, file, now_s));
    }
    for (size_t i = 0; i < k->n_sites; i++) {
        if (!has_name(k->sites[i], name) && !str_eq(k->sites[i]->wish.id, id))
            continue;
        show_site(k, k->sites[i], now_s, list);
        is_wanted = true;
    }
    json_t *j = is_wanted ? NULL : show_stored(k, id, now_s);
    if (j)
        json_array_append_new(list, j);
    return list;
}
