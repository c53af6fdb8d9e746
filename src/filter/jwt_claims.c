// SPDX-License-Identifier: Apache-2.0
// What a token has to say, and what it says.
#include "filter/jwt.h"

const struct json *jwt_claim(const struct json *claims, struct str path)
{
    const struct json *at = json_get(claims, path); // names may hold dots: "https://a.example/role"
    struct str name, rest = path;
    if (at || str_find(path, '.') == STR_NPOS)
        return at;
    at = claims;
    while (at && rest.len > 0) {
        str_cut(rest, '.', &name, &rest);
        at = json_get(at, name);
    }
    return at;
}

// --- times ---

// False: it is there and is no number. *ret stays what it is when it isn't there.
static bool read_time(const struct json *claims, struct str name, int64_t *ret)
{
    const struct json *at = json_get(claims, name);
    return !at || json_int(at, ret);
}

// RFC 7519 4.1.4 to 4.1.6.
static enum jwt_verdict check_times(const struct jwt_conf *c, const struct json *claims,
                                    int64_t now_s)
{
    int64_t leeway_s = c->leeway_ms / 1000;
    int64_t expires = INT64_MAX, begins = INT64_MIN, issued = INT64_MIN;
    if (!read_time(claims, STR("exp"), &expires) || !read_time(claims, STR("nbf"), &begins) ||
        !read_time(claims, STR("iat"), &issued))
        return JWT_TIMES;
    if (c->needs_expiry && !json_get(claims, STR("exp")))
        return JWT_NO_EXPIRY;
    if (expires <= now_s - leeway_s)
        return JWT_EXPIRED;
    if (begins > now_s + leeway_s)
        return JWT_NOT_YET;
    return issued > now_s + leeway_s ? JWT_ISSUED_LATER : JWT_GOOD;
}

// --- values ---

// The text of a value that isn't an array or object; ptr is NULL of others.
static struct str scalar(const struct json *value)
{
    switch (value->kind) {
    case JSON_STRING:
    case JSON_NUMBER:
        return value->text.ptr ? value->text : STR("");
    case JSON_TRUE:
        return STR("true");
    case JSON_FALSE:
        return STR("false");
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return STR_NONE;
}

static bool is_listed(const struct conf_texts *wanted, struct str value)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (str_eq(wanted->items[i].text, value))
            return true;
    return false;
}

// RFC 7515 4.1.9: media types, in any case, whose "application/" may be left out.
static struct str short_type(struct str typ)
{
    const struct str prefix = STR("application/");
    return str_istarts(typ, prefix) ? str_skip(typ, prefix.len) : typ;
}

bool jwt_type_fits(const struct jwt_conf *c, struct str typ)
{
    for (size_t i = 0; i < c->types.n; i++)
        if (str_ieq(short_type(c->types.items[i].text), short_type(typ)))
            return true;
    return c->types.n == 0;
}

// Whether a claim is one of these, or has one of them in it.
static bool has_any(const struct json *claim, const struct conf_texts *wanted)
{
    if (!claim)
        return false;
    if (claim->kind != JSON_ARRAY) {
        struct str value = scalar(claim);
        return value.ptr && is_listed(wanted, value);
    }
    for (const struct json *item = claim->first; item; item = item->next) {
        struct str value = scalar(item);
        if (value.ptr && is_listed(wanted, value))
            return true;
    }
    return false;
}

// A scope is a list of words in one text (RFC 8693 4.2).
static bool has_word(const struct json *claim, const struct conf_texts *wanted)
{
    if (!claim || claim->kind != JSON_STRING)
        return false;
    struct str rest = claim->text, word;
    while (str_next_item(&rest, ' ', &word))
        if (is_listed(wanted, word))
            return true;
    return false;
}

static bool has_required(const struct jwt_conf *c, const struct json *claims)
{
    for (size_t i = 0; i < c->required.n; i++) {
        const struct conf_map_item *item = &c->required.items[i];
        const struct conf_texts *values = &((const struct jwt_values_conf *)item->value)->values;
        const struct json *claim = jwt_claim(claims, item->name);
        bool is_scope = str_eq(item->name, STR("scope")) || str_eq(item->name, STR("scp"));
        bool is_there = values->n == 0
                            ? claim && claim->kind != JSON_NULL
                            : has_any(claim, values) || (is_scope && has_word(claim, values));
        if (!is_there)
            return false;
    }
    return true;
}

enum jwt_verdict jwt_check_claims(const struct jwt_conf *c, const struct json *claims,
                                  int64_t now_s)
{
    enum jwt_verdict verdict = check_times(c, claims, now_s);
    if (verdict != JWT_GOOD)
        return verdict;
    const struct json *issuer = json_get(claims, STR("iss"));
    if (c->issuers.n > 0 &&
        (!issuer || issuer->kind != JSON_STRING || !has_any(issuer, &c->issuers)))
        return JWT_ISSUER;
    if (c->audiences.n > 0 && !has_any(json_get(claims, STR("aud")), &c->audiences))
        return JWT_AUDIENCE;
    return has_required(c, claims) ? JWT_GOOD : JWT_REQUIRED;
}

// --- for servers ---

// False as well when an item has a comma: it would be two to servers, the second one a group or a
// role of the user's own choice.
static bool join(const struct json *array, struct arena *mem, struct str *ret)
{
    struct str all = STR("");
    for (const struct json *item = array->first; item; item = item->next) {
        struct str value = scalar(item);
        if (!value.ptr || str_find(value, ',') != STR_NPOS)
            return false;
        all = arena_concat(mem, all, item == array->first ? STR_NONE : STR(","), value);
        if (!all.ptr)
            return false;
    }
    *ret = all;
    return true;
}

bool jwt_claim_text(const struct json *claim, struct arena *mem, struct str *ret)
{
    struct str text;
    if (!claim)
        return false;
    if (claim->kind != JSON_ARRAY)
        text = scalar(claim);
    else if (!join(claim, mem, &text))
        return false;
    if (!text.ptr || filter_value_fault(text) != NULL)
        return false;
    *ret = text;
    return true;
}
