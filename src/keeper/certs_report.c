// SPDX-License-Identifier: Apache-2.0
// What the status says of certificates.
#include "codec/date.h"
#include "keeper/certs.h"
#include "keeper/certs_priv.h"
#include "tls/bundle.h"

static json_t *text_json(struct str s)
{
    json_t *j = json_stringn(s.len > 0 ? s.ptr : "", s.len);
    return j ? j : json_string("?"); // a path may hold any bytes
}

static json_t *time_json(int64_t s)
{
    char date[DATE_ISO_BYTES];
    date_iso(s * 1000000000, date);
    return json_stringn(date, sizeof date);
}

static json_t *names_json(const struct str *names, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, text_json(names[i]));
    return list;
}

static const char *state_of(const struct tls_cert_info *leaf, int64_t now_s)
{
    return now_s > leaf->not_after_s    ? "expired"
           : now_s < leaf->not_before_s ? "not-yet-valid"
                                        : "valid";
}

static void add_cert(json_t *to, const struct tls_credential *cert, int64_t now_s)
{
    if (cert->n_chain == 0) {
        json_object_set_new(to, "state", json_string("missing"));
        return;
    }
    const struct tls_cert_info *leaf = &cert->leaf;
    json_object_set_new(to, "state", json_string(state_of(leaf, now_s)));
    json_object_set_new(to, "names", names_json(leaf->names, leaf->n_names));
    json_object_set_new(to, "issued_by", text_json(leaf->issuer_name));
    json_object_set_new(to, "not_before", time_json(leaf->not_before_s));
    json_object_set_new(to, "not_after", time_json(leaf->not_after_s));
    json_object_set_new(to, "key", json_string(tls_key_kind_text(leaf->key)));
    if (cert->flaws != 0)
        json_object_set_new(to, "flaw", json_string(tls_flaw_text(cert->flaws)));
}

static json_t *new_item(struct str id, const char *source, const char *error)
{
    json_t *j = json_object();
    json_object_set_new(j, "id", text_json(id));
    json_object_set_new(j, "source", json_string(source));
    json_object_set_new(j, "error", error ? text_json(str_of(error)) : json_null());
    return j;
}

static json_t *file_json(const struct certs_file *file, int64_t now_s)
{
    json_t *j = new_item(file->path, "file", file->why);
    json_object_set_new(j, "path", text_json(file->path));
    add_cert(j, &file->cert, now_s);
    return j;
}

static json_t *stored_json(const struct site_cert *s, int64_t now_s)
{
    const struct certs_meta *meta = &s->stored.meta;
    const char *error = s->why ? s->why : meta->last_error.len > 0 ? meta->last_error.ptr : NULL;
    json_t *j = new_item(s->wish.id, "store", error);
    bool is_signed = s->stored.cert.n_chain > 0 && meta->issuer.len > 0;
    json_object_set_new(j, "issuer", text_json(is_signed ? meta->issuer : s->wish.issuer));
    json_object_set_new(j, "names", names_json(s->wish.names, s->wish.n_names));
    if (meta->state.len > 0)
        json_object_set_new(j, "order_state", text_json(meta->state));
    if (meta->renewed_s > 0)
        json_object_set_new(j, "renewed", time_json(meta->renewed_s));
    if (meta->ari_start_s > 0)
        json_object_set_new(j, "renew_from", time_json(meta->ari_start_s));
    add_cert(j, &s->stored.cert, now_s);
    return j;
}

static json_t *local_json(const struct site_cert *s, int64_t now_s)
{
    json_t *j = new_item(s->wish.id, "local-ca", s->local_why);
    json_object_set_new(j, "issuer", json_string(CERTS_ISSUER_LOCAL));
    json_object_set_new(j, "names", names_json(s->wish.names, s->wish.n_names));
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
