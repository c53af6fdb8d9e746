// SPDX-License-Identifier: Apache-2.0
#include "http/request_key.h"

#include "base/ascii.h"
#include "base/attr.h"
#include "base/hash.h"
#include "codec/url.h"

static const struct {
    struct str name;
    bool has_argument;
} kinds[] = {
#define X(id, name_, has_argument_) {STR_INIT(name_), has_argument_},
    REQUEST_KEY_LIST(X)
#undef X
};

static bool parse_part(const struct conf_text *text, struct diags *diags, struct request_key *key)
{
    struct str kind, name;
    bool has_argument = str_cut(text->text, ':', &kind, &name);
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_eq(kind, kinds[i].name) || has_argument != kinds[i].has_argument)
            continue;
        if (has_argument && !ascii_is_token(name))
            break;
        key->parts[key->n].kind = (enum request_key_kind)i;
        key->parts[key->n++].name = name;
        return true;
    }
    diag_fail(diags, ERR_SYNTAX, text->place, "'" STR_FMT "' is no key: write " REQUEST_KEY_FORMAT,
              STR_ARG(text->text));
    return false;
}

bool request_key_parse(const struct conf_texts *texts, struct diags *diags, struct request_key *ret)
{
    bool is_fine = true;
    *ret = (struct request_key){.v4_bits = 32, .v6_bits = 128};
    for (size_t i = 0; i < texts->n && i < REQUEST_KEY_PARTS_MAX; i++)
        is_fine = parse_part(&texts->items[i], diags, ret) && is_fine;
    if (texts->n > REQUEST_KEY_PARTS_MAX) {
        diag_fail(diags, ERR_LIMIT, texts->items[REQUEST_KEY_PARTS_MAX].place,
                  "a key has at most %d parts", REQUEST_KEY_PARTS_MAX);
        return false;
    }
    return is_fine;
}

bool request_key_build(const struct request_key_conf *c, struct diags *diags,
                       struct request_key *ret)
{
    bool is_fine = request_key_parse(&c->parts, diags, ret);
    ret->v4_bits = (uint8_t)c->v4_prefix;
    ret->v6_bits = (uint8_t)c->v6_prefix;
    return is_fine;
}

struct str request_cookie(const struct exchange *x, struct str name)
{
    struct str rest = headers_get(&x->req.headers, FIELD_COOKIE), one, its, value;
    while (rest.len > 0) {
        if (!str_cut(rest, ';', &one, &rest))
            rest = STR_NONE;
        if (str_cut(str_trim(one), '=', &its, &value) && str_eq(its, name))
            return value;
    }
    return STR_NONE;
}

// The first parameter of that name, as it came.
static struct str parameter_of(const struct exchange *x, struct str name)
{
    struct str rest = x->req.query, its, value;
    while (url_query_next(&rest, &its, &value))
        if (str_eq(its, name))
            return value;
    return STR_NONE;
}

static struct str network_of(const struct ip *ip, const struct request_key *key, struct ip *buf)
{
    *buf = *ip;
    unsigned bits = ip->family == 4 ? key->v4_bits : key->v6_bits;
    for (unsigned i = 0; i < sizeof buf->bytes; i++) {
        unsigned kept = bits > 8 * i ? MIN(bits - 8 * i, 8) : 0;
        buf->bytes[i] &= (uint8_t)(0xff00 >> kept);
    }
    return str_from((const char *)buf, sizeof *buf);
}

static struct str part_of(const struct request_key *key, size_t i, const struct exchange *x,
                          struct ip *buf)
{
    const struct field *f;
    switch (key->parts[i].kind) {
    case REQUEST_KEY_ALL:
        return STR_NONE;
    case REQUEST_KEY_CLIENT_IP:
        return network_of(&x->client, key, buf);
    case REQUEST_KEY_USER:
        return x->user;
    case REQUEST_KEY_HOST:
        return x->req.host;
    case REQUEST_KEY_PATH:
        return x->req.path;
    case REQUEST_KEY_QUERY:
        return x->req.query;
    case REQUEST_KEY_PARAMETER:
        return parameter_of(x, key->parts[i].name);
    case REQUEST_KEY_METHOD:
        return x->req.method;
    case REQUEST_KEY_HEADER:
        f = headers_find_named(&x->req.headers, key->parts[i].name);
        return f ? f->value : STR_NONE;
    case REQUEST_KEY_COOKIE:
        return request_cookie(x, key->parts[i].name);
    }
    return STR_NONE;
}

typedef uint64_t hash_fn(struct str s);

static uint64_t hash_lasting(struct str s)
{
    return hash_sip13((struct hash_key){.k0 = 0}, s);
}

static uint64_t hash_parts(const struct request_key *key, const struct exchange *x, hash_fn *hash,
                           bool *ret_is_empty)
{
    uint64_t hashes[REQUEST_KEY_PARTS_MAX];
    struct ip buf;
    *ret_is_empty = true;
    for (size_t i = 0; i < key->n; i++) {
        struct str part = part_of(key, i, x, &buf);
        *ret_is_empty = *ret_is_empty && part.len == 0;
        hashes[i] = hash(part);
    }
    return key->n == 1 ? hashes[0] : hash(str_from((const char *)hashes, key->n * sizeof *hashes));
}

uint64_t request_key_hash(const struct request_key *key, const struct exchange *x)
{
    bool is_empty;
    return hash_parts(key, x, hash_str, &is_empty);
}

bool request_key_hash_lasting(const struct request_key *key, const struct exchange *x,
                              uint64_t *ret)
{
    bool is_empty;
    *ret = hash_parts(key, x, hash_lasting, &is_empty);
    return !is_empty;
}
