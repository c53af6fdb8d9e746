// SPDX-License-Identifier: Apache-2.0
#include "certs/meta.h"

#include <jansson.h>

#include "codec/json.h"

#define NAMES_MAX 10000u
#define TEXT_MAX_BYTES 4096u

// A member of a struct: its name in JSON and where it is.
struct row {
    const char *name;
    size_t offset;
    bool is_number;
};

#define TEXT(type, field, name_)                                                                   \
    {                                                                                              \
        .name = name_, .offset = offsetof(struct type, field)                                      \
    }
#define NUMBER(type, field, name_)                                                                 \
    {                                                                                              \
        .name = name_, .offset = offsetof(struct type, field), .is_number = true                   \
    }

static const struct row cert_rows[] = {
    TEXT(certs_meta, issuer, "issuer"),
    TEXT(certs_meta, directory, "directory"),
    TEXT(certs_meta, profile, "profile"),
    TEXT(certs_meta, account, "account"),
    TEXT(certs_meta, order, "order"),
    TEXT(certs_meta, url, "url"),
    TEXT(certs_meta, key_type, "key-type"),
    TEXT(certs_meta, ari_explanation, "ari-explanation"),
    TEXT(certs_meta, state, "state"),
    TEXT(certs_meta, last_error, "last-error"),
    TEXT(certs_meta, source, "source"),
    NUMBER(certs_meta, created_s, "created"),
    NUMBER(certs_meta, renewed_s, "renewed"),
    NUMBER(certs_meta, ari_start_s, "ari-start"),
    NUMBER(certs_meta, ari_end_s, "ari-end"),
    NUMBER(certs_meta, ari_next_s, "ari-next"),
    NUMBER(certs_meta, last_try_s, "last-try"),
    NUMBER(certs_meta, next_try_s, "next-try"),
    NUMBER(certs_meta, n_failures, "failures"),
};

static const struct row account_rows[] = {
    TEXT(certs_account_meta, directory, "directory"), TEXT(certs_account_meta, url, "url"),
    TEXT(certs_account_meta, contact, "contact"),     TEXT(certs_account_meta, source, "source"),
    NUMBER(certs_account_meta, created_s, "created"),
};

// --- writing ---

static void write_row(const struct row *row, const void *object, struct text *to)
{
    const char *at = (const char *)object + row->offset;
    struct str text;
    int64_t number;
    if (row->is_number)
        memcpy(&number, at, sizeof number);
    else
        memcpy(&text, at, sizeof text);
    if (row->is_number ? number == 0 : text.len == 0)
        return;
    text_printf(to, "  \"%s\": ", row->name);
    if (row->is_number)
        text_printf(to, "%lld", (long long)number);
    else
        json_text_str(to, text);
    text_put(to, STR(",\n"));
}

static void write_rows(const struct row *rows, size_t n, const void *object, struct text *to)
{
    for (size_t i = 0; i < n; i++)
        write_row(&rows[i], object, to);
}

void certs_meta_write(const struct certs_meta *meta, struct text *to)
{
    text_put(to, STR("{\n"));
    write_rows(cert_rows, ARRAY_LEN(cert_rows), meta, to);
    text_put(to, STR("  \"names\": ["));
    for (size_t i = 0; i < meta->n_names; i++) {
        text_put(to, i > 0 ? STR(", ") : STR_NONE);
        json_text_str(to, meta->names[i]);
    }
    text_put(to, STR("]\n}\n"));
}

void certs_account_meta_write(const struct certs_account_meta *meta, struct text *to)
{
    text_put(to, STR("{\n"));
    write_rows(account_rows, ARRAY_LEN(account_rows), meta, to);
    text_put(to, STR("  \"version\": 1\n}\n"));
}

// --- reading ---

static struct str text_of(const json_t *value, struct arena *mem)
{
    struct str text = str_from(json_string_value(value), json_string_length(value));
    return text.len > 0 && text.len <= TEXT_MAX_BYTES ? arena_dup(mem, text) : STR_NONE;
}

static void read_rows(const struct row *rows, size_t n, const json_t *json, struct arena *mem,
                      void *ret)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(json, rows[i].name);
        char *at = (char *)ret + rows[i].offset;
        if (rows[i].is_number && json_is_integer(value)) {
            int64_t number = json_integer_value(value);
            memcpy(at, &number, sizeof number);
        } else if (!rows[i].is_number && json_is_string(value)) {
            struct str text = text_of(value, mem);
            memcpy(at, &text, sizeof text);
        }
    }
}

static void read_names(const json_t *list, struct arena *mem, struct certs_meta *ret)
{
    size_t n = MIN(json_array_size(list), (size_t)NAMES_MAX);
    struct str *names = ARENA_ARRAY(mem, struct str, n);
    if (!names)
        return;
    for (size_t i = 0; i < n; i++) {
        names[ret->n_names] = text_of(json_array_get(list, i), mem);
        ret->n_names += names[ret->n_names].len > 0;
    }
    ret->names = names;
}

static json_t *parse(struct str json)
{
    json_t *root = json_loadb(json.len > 0 ? json.ptr : "", json.len, 0, NULL);
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

bool certs_meta_read(struct str json, struct arena *mem, struct certs_meta *ret)
{
    json_t *root = parse(json);
    *ret = (struct certs_meta){.n_names = 0};
    read_rows(cert_rows, ARRAY_LEN(cert_rows), root, mem, ret);
    read_names(json_object_get(root, "names"), mem, ret);
    json_decref(root);
    return root != NULL;
}

bool certs_account_meta_read(struct str json, struct arena *mem, struct certs_account_meta *ret)
{
    json_t *root = parse(json);
    *ret = (struct certs_account_meta){.created_s = 0};
    read_rows(account_rows, ARRAY_LEN(account_rows), root, mem, ret);
    json_decref(root);
    return root != NULL;
}
