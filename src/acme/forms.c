// SPDX-License-Identifier: Apache-2.0
#include "acme/forms.h"

#include "acme/head.h"
#include "base/ascii.h"
#include "codec/ip.h"

#define LIST_MAX 100u
#define CONTACT_MAX_BYTES 512u
#define NAME_MAX_BYTES 253u
#define WORD_MAX_BYTES 512u
#define WINDOW_MAX_S ((int64_t)366 * 86400)

// --- JSON ---

// jansson goes 2048 levels deep, each a call; nothing of ACME's has more than six.
static bool is_flat(struct str text)
{
    unsigned depth = 0;
    bool is_quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_quoted) {
            i += c == '\\';
            is_quoted = c != '"';
        } else if (c == '"') {
            is_quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > ACME_JSON_DEPTH_MAX)
                return false;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return true;
}

json_t *acme_json_read(struct str text, const char **ret_why)
{
    json_error_t error;
    *ret_why = "its JSON is nested too deeply";
    if (!is_flat(text))
        return NULL;
    *ret_why = "it is no JSON object";
    json_t *doc = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(doc))
        return doc;
    json_decref(doc);
    return NULL;
}

// Empty: it isn't there, isn't a string, or is too long to be meant.
static struct str get_text(const json_t *o, const char *key, size_t max, struct arena *mem)
{
    const json_t *value = json_object_get(o, key);
    size_t len = json_string_length(value);
    if (len == 0 || len > max)
        return STR_NONE;
    struct str copy = arena_dup(mem, str_from(json_string_value(value), len));
    return copy.ptr ? copy : STR_NONE;
}

static struct str get_url(const json_t *o, const char *key, struct arena *mem)
{
    return get_text(o, key, ACME_URL_MAX_BYTES, mem);
}

// Strings of a list; others are left out. False: mem has no room.
static bool get_texts(const json_t *list, size_t n_max, size_t max, struct arena *mem,
                      const struct str **ret, size_t *ret_n)
{
    size_t n_all = MIN(json_array_size(list), n_max), n = 0;
    struct str *all = ARENA_ARRAY(mem, struct str, n_all);
    if (!all)
        return false;
    for (size_t i = 0; i < n_all; i++) {
        const json_t *item = json_array_get(list, i);
        size_t len = json_string_length(item);
        if (len == 0 || len > max)
            continue;
        all[n] = arena_dup(mem, str_from(json_string_value(item), len));
        if (!all[n++].ptr)
            return false;
    }
    *ret = all;
    *ret_n = n;
    return true;
}

static const char *const status_names[] = {
#define X(id, name) name,
    ACME_STATUS_LIST(X)
#undef X
};

const char *acme_status_text(enum acme_status status)
{
    return status_names[status];
}

static enum acme_status get_status(const json_t *o)
{
    const char *text = json_string_value(json_object_get(o, "status"));
    for (size_t i = 1; text && i < ARRAY_LEN(status_names); i++) {
        if (strcmp(text, status_names[i]) == 0)
            return (enum acme_status)i;
    }
    return ACME_STATUS_UNKNOWN;
}

// --- directory and account ---

static bool read_profiles(const json_t *meta, struct arena *mem, struct acme_directory *ret)
{
    json_t *all = json_object_get(meta, "profiles");
    struct acme_profile *profiles =
        ARENA_ARRAY(mem, struct acme_profile, MIN(json_object_size(all), LIST_MAX));
    if (!profiles)
        return false;
    const char *key;
    json_t *value;
    json_object_foreach(all, key, value)
    {
        if (ret->n_profiles == LIST_MAX || strlen(key) > WORD_MAX_BYTES)
            break;
        struct str text = str_from(json_string_value(value), json_string_length(value));
        profiles[ret->n_profiles++] = (struct acme_profile){
            .name = arena_dup(mem, str_of(key)),
            .description = arena_dup(mem, str_first(text, WORD_MAX_BYTES)),
        };
    }
    ret->profiles = profiles;
    return true;
}

bool acme_directory_read(const json_t *doc, struct arena *mem, struct acme_directory *ret)
{
    const json_t *meta = json_object_get(doc, "meta");
    *ret = (struct acme_directory){
        .new_nonce = get_url(doc, "newNonce", mem),
        .new_account = get_url(doc, "newAccount", mem),
        .new_order = get_url(doc, "newOrder", mem),
        .revoke_cert = get_url(doc, "revokeCert", mem),
        .key_change = get_url(doc, "keyChange", mem),
        .renewal_info = get_url(doc, "renewalInfo", mem),
        .terms = get_url(meta, "termsOfService", mem),
        .website = get_url(meta, "website", mem),
        .needs_eab = json_is_true(json_object_get(meta, "externalAccountRequired")),
    };
    return ret->new_nonce.ptr && ret->new_account.ptr && ret->new_order.ptr &&
           get_texts(json_object_get(meta, "caaIdentities"), LIST_MAX, NAME_MAX_BYTES, mem,
                     &ret->caa, &ret->n_caa) &&
           read_profiles(meta, mem, ret);
}

bool acme_account_read(const json_t *doc, struct arena *mem, struct acme_account *ret)
{
    ret->status = get_status(doc);
    return ret->status != ACME_STATUS_UNKNOWN &&
           get_texts(json_object_get(doc, "contact"), LIST_MAX, CONTACT_MAX_BYTES, mem,
                     &ret->contacts, &ret->n_contacts);
}

// --- orders ---

static bool read_error(const json_t *o, struct arena *mem, struct acme_problem *ret)
{
    const json_t *error = json_object_get(o, "error");
    if (!json_is_object(error))
        return false;
    acme_problem_read(error, 0, mem, ret);
    return true;
}

bool acme_order_read(const json_t *doc, struct arena *mem, struct acme_order_form *ret)
{
    *ret = (struct acme_order_form){
        .status = get_status(doc),
        .finalize = get_url(doc, "finalize", mem),
        .certificate = get_url(doc, "certificate", mem),
    };
    ret->has_error = read_error(doc, mem, &ret->error);
    return ret->status != ACME_STATUS_UNKNOWN &&
           get_texts(json_object_get(doc, "authorizations"), ACME_NAMES_MAX, ACME_URL_MAX_BYTES,
                     mem, &ret->authorizations, &ret->n_authorizations);
}

static void read_challenge(const json_t *o, struct arena *mem, struct acme_authorization_form *ret)
{
    enum acme_challenge_kind kind =
        acme_challenge_parse(str_of(json_string_value(json_object_get(o, "type"))));
    if (kind == ACME_CHALLENGE_NONE || ret->n_challenges == ACME_CHALLENGES_MAX)
        return;
    struct acme_challenge_form *c = &ret->challenges[ret->n_challenges++];
    *c = (struct acme_challenge_form){
        .kind = kind,
        .status = get_status(o),
        .url = get_url(o, "url", mem),
        .token = get_text(o, "token", WORD_MAX_BYTES, mem),
    };
    c->has_error = read_error(o, mem, &c->error);
}

bool acme_authorization_read(const json_t *doc, struct arena *mem,
                             struct acme_authorization_form *ret)
{
    const json_t *identifier = json_object_get(doc, "identifier");
    const json_t *challenges = json_object_get(doc, "challenges");
    *ret = (struct acme_authorization_form){
        .status = get_status(doc),
        .name = get_text(identifier, "value", NAME_MAX_BYTES, mem),
        .is_wildcard = json_is_true(json_object_get(doc, "wildcard")),
    };
    const char *type = json_string_value(json_object_get(identifier, "type"));
    ret->is_ip = type && strcmp(type, "ip") == 0;
    for (size_t i = 0; i < ret->name.len; i++) {
        char *at = (char *)(uintptr_t)ret->name.ptr + i;
        *at = ascii_lower(*at);
    }
    for (size_t i = 0; i < MIN(json_array_size(challenges), LIST_MAX); i++)
        read_challenge(json_array_get(challenges, i), mem, ret);
    return ret->status != ACME_STATUS_UNKNOWN && ret->name.len > 0;
}

bool acme_renewal_read(const json_t *doc, struct arena *mem, struct acme_renewal *ret)
{
    const json_t *window = json_object_get(doc, "suggestedWindow");
    struct str start = str_of(json_string_value(json_object_get(window, "start")));
    struct str end = str_of(json_string_value(json_object_get(window, "end")));
    ret->explanation = get_url(doc, "explanationURL", mem);
    return acme_time_parse(start, &ret->start_s) == ERR_OK &&
           acme_time_parse(end, &ret->end_s) == ERR_OK && ret->start_s < ret->end_s &&
           ret->end_s - ret->start_s <= WINDOW_MAX_S;
}
