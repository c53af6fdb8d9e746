// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt_token.h"

#include "codec/base64.h"

// False: not base64url, or (ptr is NULL) no memory.
static bool decode(struct str s, struct arena *mem, struct str *ret)
{
    char *buf = ARENA_ARRAY(mem, char, s.len / 4 * 3 + 3);
    size_t len = 0;
    *ret = str_from(buf, 0);
    if (!buf || str_find(s, '=') != STR_NPOS || base64_decode(s, true, buf, &len) != ERR_OK)
        return false;
    *ret = str_from(buf, len);
    return true;
}

static const struct json *decode_object(struct str s, struct arena *mem)
{
    struct str text;
    const char *why;
    if (!decode(s, mem, &text))
        return NULL;
    const struct json *value = json_parse(text, mem, &why);
    return value && value->kind == JSON_OBJECT ? value : NULL;
}

static const char *take_header(const struct json *header, struct jwt_token *ret)
{
    const struct json *alg = json_get(header, STR("alg")), *kid = json_get(header, STR("kid"));
    const struct json *typ = json_get(header, STR("typ"));
    if (!alg || alg->kind != JSON_STRING || !jws_alg_parse(alg->text, &ret->alg))
        return "its algorithm is not one that is taken";
    if (kid && kid->kind != JSON_STRING)
        return "its key's name is no text";
    if (typ && typ->kind != JSON_STRING)
        return "its type is no text";
    // RFC 7515 4.1.11: who doesn't know an extension that is critical refuses the whole.
    if (json_get(header, STR("crit")))
        return "it has an extension that is not known here";
    if (json_get(header, STR("zip")) || json_get(header, STR("enc")))
        return "it is encrypted or compressed";
    ret->kid = kid ? kid->text : STR_NONE;
    ret->typ = typ ? typ->text : STR_NONE;
    return NULL;
}

const char *jwt_token_parse(struct str text, struct arena *mem, struct jwt_token *ret)
{
    struct str header, claims, signature, rest;
    if (text.len > JWT_TOKEN_MAX_BYTES)
        return "it is longer than 16 KiB";
    if (!str_cut(text, '.', &header, &rest) || !str_cut(rest, '.', &claims, &signature) ||
        str_find(signature, '.') != STR_NPOS)
        return "it has not three parts";
    const struct json *head = decode_object(header, mem);
    if (!head)
        return "its header is malformed";
    const char *why = take_header(head, ret);
    if (why)
        return why;
    ret->claims = decode_object(claims, mem);
    if (!ret->claims)
        return "its claims are malformed";
    if (!decode(signature, mem, &ret->signature) || ret->signature.len == 0)
        return "its signature is malformed";
    ret->signed_text = str_from(text.ptr, header.len + 1 + claims.len);
    return NULL;
}
