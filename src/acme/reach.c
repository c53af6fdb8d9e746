// SPDX-License-Identifier: Apache-2.0
#include "acme/reach.h"

#include "base/num.h"

// RFC 6890 and its registries: what isn't the public internet.
static const struct str internal_nets[] = {
    STR_INIT("0.0.0.0/8"),      STR_INIT("10.0.0.0/8"),      STR_INIT("100.64.0.0/10"),
    STR_INIT("127.0.0.0/8"),    STR_INIT("169.254.0.0/16"),  STR_INIT("172.16.0.0/12"),
    STR_INIT("192.0.0.0/24"),   STR_INIT("192.0.2.0/24"),    STR_INIT("192.168.0.0/16"),
    STR_INIT("198.18.0.0/15"),  STR_INIT("198.51.100.0/24"), STR_INIT("203.0.113.0/24"),
    STR_INIT("224.0.0.0/3"),    STR_INIT("::/127"),          STR_INIT("64:ff9b::/96"),
    STR_INIT("64:ff9b:1::/48"), STR_INIT("100::/64"),        STR_INIT("2001::/23"),
    STR_INIT("2001:db8::/32"),  STR_INIT("2002::/16"),       STR_INIT("3fff::/20"),
    STR_INIT("5f00::/16"),      STR_INIT("fc00::/7"),        STR_INIT("fe80::/10"),
    STR_INIT("fec0::/10"),      STR_INIT("ff00::/8"),
};

bool acme_ip_is_internal(const struct ip *ip)
{
    struct ip_net net;
    for (size_t i = 0; i < ARRAY_LEN(internal_nets); i++) {
        bool is_net = ip_net_parse(internal_nets[i], &net) == ERR_OK;
        ASSERT(is_net);
        if (ip_net_contains(&net, ip))
            return true;
    }
    return false;
}

struct url {
    struct str scheme; // as written
    struct url_authority authority;
};

static bool split(struct str text, struct url *ret, const char **ret_why)
{
    struct url_target target;
    *ret_why = "it is too long";
    if (text.len > ACME_URL_MAX_BYTES)
        return false;
    *ret_why = "it is no URL";
    if (url_target_parse(text, false, &target) != ERR_OK || target.form != URL_ABSOLUTE ||
        url_authority_parse(target.authority, &ret->authority) != ERR_OK)
        return false;
    ret->scheme = target.scheme;
    return true;
}

static struct str bare_host(const struct url_authority *a)
{
    struct str host = a->host;
    if (str_starts(host, STR("[")))
        host = str_from(host.ptr + 1, host.len - 2);
    else if (str_ends(host, STR(".")))
        host.len--;
    return host;
}

static bool is_loopback(struct str host)
{
    struct ip ip;
    struct ip_net net;
    if (str_ieq(host, STR("localhost")))
        return true;
    if (ip_parse(host, &ip) != ERR_OK || ip_net_parse(STR("127.0.0.0/8"), &net) != ERR_OK)
        return false;
    struct ip six = {.bytes = {[15] = 1}, .family = 6};
    return ip_net_contains(&net, &ip) || ip_eq(&ip, &six);
}

static bool is_scheme_fine(const struct acme_reach *r, const struct url *u)
{
    return str_ieq(u->scheme, STR("https")) || (r->allow_http && str_ieq(u->scheme, STR("http")) &&
                                                is_loopback(bare_host(&u->authority)));
}

bool acme_reach_init(struct acme_reach *r, struct str directory_url, bool allow_http,
                     struct arena *mem, const char **ret_why)
{
    struct url u;
    *r = (struct acme_reach){.allow_http = allow_http};
    if (!split(directory_url, &u, ret_why))
        return false;
    *ret_why = "only https is allowed";
    if (!is_scheme_fine(r, &u))
        return false;
    *ret_why = "there is no memory for it";
    r->host = arena_dup(mem, bare_host(&u.authority));
    return r->host.ptr != NULL;
}

bool acme_reach_check(const struct acme_reach *r, struct str url, const char **ret_why)
{
    struct url u;
    if (!split(url, &u, ret_why))
        return false;
    *ret_why = "only https is followed";
    if (!is_scheme_fine(r, &u))
        return false;
    struct str host = bare_host(&u.authority);
    if (str_ieq(host, r->host))
        return true;
    *ret_why = "another host than the directory's must have a public name";
    return !u.authority.is_ip && str_find(host, '.') != STR_NPOS && !is_loopback(host);
}

bool acme_reach_address(struct acme_reach *r, struct str url, const struct ip *ip)
{
    struct url u;
    const char *why;
    bool is_internal = acme_ip_is_internal(ip);
    if (!split(url, &u, &why))
        return false;
    if (str_ieq(bare_host(&u.authority), r->host)) {
        r->is_internal = r->is_internal || is_internal;
        return true;
    }
    return r->is_internal || !is_internal;
}
