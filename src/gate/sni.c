// SPDX-License-Identifier: Apache-2.0
#include "gate/sni.h"

#define NAME_MAX_BYTES 255

static const struct tls_policy *by_wildcard(const struct door_conf *conf, struct str name)
{
    char buf[NAME_MAX_BYTES + 2];
    struct str parent;
    if (!str_cut(name, '.', NULL, &parent) || parent.len > NAME_MAX_BYTES)
        return NULL;
    size_t n = (size_t)(str_copy(str_copy(buf, STR("*.")), parent) - buf);
    return map_get(&conf->policies, str_from(buf, n));
}

const struct tls_policy *sni_policy(const struct door_conf *conf, struct str name)
{
    if (name.len == 0 || conf->policies.n == 0)
        return conf->policy;
    const struct tls_policy *own = map_get(&conf->policies, name);
    if (!own)
        own = by_wildcard(conf, name);
    return own ? own : conf->policy;
}

static bool is_same(const struct tls_entry *a, const struct tls_entry *b)
{
    return a == b || (a && b && a->ecdsa == b->ecdsa && a->rsa == b->rsa);
}

bool sni_serves(const struct door_conf *conf, const struct tls_store *store, struct str name,
                struct str host)
{
    if (sni_policy(conf, name) != sni_policy(conf, host))
        return false;
    return name.len == 0 || !store ||
           is_same(tls_store_find(store, name), tls_store_find(store, host));
}
