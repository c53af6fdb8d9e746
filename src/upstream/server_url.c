// SPDX-License-Identifier: Apache-2.0
#include "upstream/server_url.h"

#include "codec/idna.h"
#include "codec/url.h"
#include "conf/print.h"

#define FORMS                                                                                      \
    "allowed are http://HOST[:PORT], https://HOST[:PORT], h2c://HOST[:PORT], tcp://HOST:PORT, "    \
    "unix:/PATH and unix:@NAME"
#define HTTP_PORT 80
#define HTTPS_PORT 443
#define ADDR_TEXT_BYTES 128

static enum err fail(const struct conf_text *url, struct diags *diags, const char *why)
{
    struct str shown = conf_is_secret_value(url->text) ? STR("***") : url->text;
    return diag_fail(diags, ERR_SYNTAX, url->place, "server '" STR_FMT "': %s", STR_ARG(shown),
                     why);
}

static enum err parse_unix(const struct conf_text *url, struct diags *diags, struct server_url *ret)
{
    struct str path = str_skip(url->text, STR("unix:").len);
    if (path.len < 2 || (path.ptr[0] != '/' && path.ptr[0] != '@'))
        return fail(url, diags, "the path of a Unix socket starts with '/' (or '@': abstract)");
    if (str_find(path, '\0') != STR_NPOS)
        return fail(url, diags, "a path can't hold a NUL byte");
    struct rt_addr addr;
    if (!addr_from_path(path, &addr))
        return fail(url, diags, "the path of a Unix socket has at most 107 bytes");
    *ret = (struct server_url){
        .kind = SERVER_UNIX, .addr = addr, .key = url->text, .authority = STR("localhost")};
    return ERR_OK;
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] >= 0x80)
            return false;
    return true;
}

// An international name before its port becomes A-labels; others stay as they are.
static enum err to_ascii(struct str authority, struct arena *mem, struct str *ret,
                         const char **ret_why)
{
    *ret = authority;
    if (is_ascii(authority))
        return ERR_OK;
    struct str name, port, ascii;
    bool has_port = str_cut(authority, ':', &name, &port);
    enum err err = idna_to_ascii(name, mem, &ascii, ret_why);
    if (err)
        return err;
    *ret = arena_concat(mem, ascii, has_port ? STR(":") : STR_NONE, port);
    if (ret->ptr)
        return ERR_OK;
    *ret_why = "memory limit of the settings";
    return ERR_LIMIT;
}

static struct str key_of(const struct server_url *u, struct arena *mem)
{
    if (u->kind == SERVER_NAME)
        return arena_printf(mem, STR_FMT ":%u", STR_ARG(u->host), u->port);
    char buf[ADDR_TEXT_BYTES];
    return arena_dup(mem, addr_text(&u->addr, buf, sizeof buf));
}

static bool fill_host(const struct url_authority *a, struct arena *mem, struct server_url *ret)
{
    if (a->is_ip) {
        struct str text =
            a->host.ptr[0] == '[' ? str_from(a->host.ptr + 1, a->host.len - 2) : a->host;
        struct ip ip;
        if (ip_parse(text, &ip))
            return false;
        ret->kind = SERVER_IP;
        addr_from_ip(&ip, ret->port, &ret->addr);
        return true;
    }
    char *buf = arena_alloc(mem, a->host.len, 1, 1);
    if (!buf)
        return false;
    ret->kind = SERVER_NAME;
    ret->host = url_host_canon(a->host, buf);
    return ret->host.len > 0;
}

// default_port: 0 where one must be given.
static enum err parse_host(const struct conf_text *url, enum server_protocol protocol,
                           uint16_t default_port, struct arena *mem, struct diags *diags,
                           struct server_url *ret)
{
    struct str rest = str_skip(url->text, str_search(url->text, STR("://")) + 3);
    size_t end = 0;
    while (end < rest.len && !memchr("/?#", rest.ptr[end], 3))
        end++;
    struct str tail = str_skip(rest, end);
    if (tail.len > 0 && !str_eq(tail, STR("/")))
        return fail(url, diags,
                    "a server's URL ends after the port; the filters add-prefix and replace-path "
                    "change what a server gets to see");
    if (str_find(str_first(rest, end), '@') != STR_NPOS)
        return fail(url, diags, "a server's URL has no user and no password");

    struct str authority;
    const char *why = NULL;
    if (to_ascii(str_first(rest, end), mem, &authority, &why))
        return fail(url, diags, why);
    struct url_authority a;
    if (url_authority_parse(authority, &a))
        return fail(url, diags, "the host or the port is malformed; " FORMS);
    if (a.port == 0 && a.host.len < authority.len)
        return fail(url, diags, "the port is a number from 1 to 65535");
    struct server_url u = {.protocol = protocol, .port = a.port > 0 ? a.port : default_port};
    if (u.port == 0)
        return fail(url, diags, "the port is missing; write it like tcp://10.0.0.1:5432");
    if (!fill_host(&a, mem, &u))
        return fail(url, diags, "the host is malformed; " FORMS);
    u.key = key_of(&u, mem);
    u.authority = u.port == default_port ? str_first(u.key, str_rfind(u.key, ':')) : u.key;
    if (!u.key.ptr)
        return fail(url, diags, "memory limit of the settings");
    *ret = u;
    return ERR_OK;
}

static void speak_tls(struct server_url *u)
{
    uint16_t ignored;
    u->is_tls = true;
    u->peer = (struct tls_peer){.name = u->host};
    if (u->kind == SERVER_IP)
        (void)addr_to_ip(&u->addr, &u->peer.ip, &ignored);
}

enum err server_url_parse(const struct conf_text *url, struct arena *mem, struct diags *diags,
                          struct server_url *ret)
{
    if (str_istarts(url->text, STR("http://")))
        return parse_host(url, SERVER_HTTP, HTTP_PORT, mem, diags, ret);
    if (str_istarts(url->text, STR("https://"))) {
        enum err err = parse_host(url, SERVER_HTTP, HTTPS_PORT, mem, diags, ret);
        if (!err)
            speak_tls(ret);
        return err;
    }
    if (str_istarts(url->text, STR("h2c://"))) {
        enum err err = parse_host(url, SERVER_HTTP, HTTP_PORT, mem, diags, ret);
        if (!err)
            ret->http = SERVER_HTTP_2;
        return err;
    }
    if (str_istarts(url->text, STR("tcp://")))
        return parse_host(url, SERVER_TCP, 0, mem, diags, ret);
    if (str_starts(url->text, STR("unix:")))
        return parse_unix(url, diags, ret);
    return fail(url, diags, FORMS);
}
