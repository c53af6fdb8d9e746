// SPDX-License-Identifier: Apache-2.0
// /etc/letsencrypt: live/NAME/{fullchain,privkey}.pem, renewal/NAME.conf, and
// accounts/SERVER/PATH/ID/{private_key,regr}.json.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ascii.h"
#include "certs/import_priv.h"
#include "rt/file.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)
#define LINEAGES_MAX 100000u

// What renewal/NAME.conf says.
struct renewal {
    struct str server;  // URL of the directory
    struct str account; // 32 hexadecimal digits
    struct str key_type;
};

static bool read_text(struct arena *mem, struct str folder, struct str file, struct str *ret,
                      const char **ret_why)
{
    struct str path = arena_concat(mem, folder, STR("/"), file);
    *ret_why = "there is no room for it";
    return path.ptr && file_read(path.ptr, FILE_MAX_BYTES, mem, ret, ret_why) == ERR_OK;
}

// "name = value" of any section.
static void read_line(struct str line, struct renewal *ret)
{
    struct str name, value;
    if (!str_cut(line, '=', &name, &value))
        return;
    name = str_trim(name);
    value = str_trim(value);
    if (value.len > 0 && value.ptr[value.len - 1] == '\r')
        value.len--;
    if (str_eq(name, STR("server")))
        ret->server = value;
    else if (str_eq(name, STR("account")))
        ret->account = value;
    else if (str_eq(name, STR("key_type")))
        ret->key_type = value;
}

static struct renewal read_renewal(struct arena *mem, struct str root, struct str name)
{
    struct renewal r = {.server = STR_NONE};
    struct str text = STR_NONE, line;
    const char *why;
    struct str file = arena_concat(mem, STR("renewal/"), name, STR(".conf"));
    if (!file.ptr || !read_text(mem, root, file, &text, &why))
        return r;
    while (text.len > 0) {
        str_cut(text, '\n', &line, &text);
        read_line(line, &r);
    }
    return r;
}

// The folder that certbot makes of a directory's URL. Empty: none that it could have made.
static struct str account_folder(struct arena *mem, const struct renewal *r)
{
    struct str rest = r->server;
    if (!str_starts(rest, STR("https://")) || str_search(rest, STR("..")) != STR_NPOS)
        return STR_NONE;
    rest = str_skip(rest, strlen("https://"));
    for (size_t i = 0; i < r->account.len; i++) {
        if (ascii_hex(r->account.ptr[i]) < 0)
            return STR_NONE;
    }
    struct str server = arena_concat(mem, STR("accounts/"), rest, STR("/"));
    return r->account.len > 0 && server.ptr ? arena_concat(mem, server, r->account, STR_NONE)
                                            : STR_NONE;
}

static EVP_PKEY *jwk_key(const json_t *jwk, struct arena *mem, const char **ret_why)
{
    struct str type = certs_import_text(jwk, "kty");
    struct str d = certs_import_bytes(jwk, "d", true, mem);
    if (str_eq(type, STR("EC")))
        return tls_key_from_ec(certs_import_bytes(jwk, "x", true, mem),
                               certs_import_bytes(jwk, "y", true, mem), d, ret_why);
    struct tls_key_rsa rsa = {
        .n = certs_import_bytes(jwk, "n", true, mem),
        .e = certs_import_bytes(jwk, "e", true, mem),
        .d = d,
        .p = certs_import_bytes(jwk, "p", true, mem),
        .q = certs_import_bytes(jwk, "q", true, mem),
        .dp = certs_import_bytes(jwk, "dp", true, mem),
        .dq = certs_import_bytes(jwk, "dq", true, mem),
        .qi = certs_import_bytes(jwk, "qi", true, mem),
    };
    *ret_why = "its key is of a kind that isn't RSA or EC";
    return str_eq(type, STR("RSA")) ? tls_key_from_rsa(&rsa, ret_why) : NULL;
}

// The host of a directory's URL: what the issuer is called.
static struct str host_of(struct str url)
{
    struct str host = str_skip(url, strlen("https://"));
    str_cut(host, '/', &host, NULL);
    str_cut(host, ':', &host, NULL);
    return host;
}

static void add_account(const struct certs_importing *in, struct str root, const struct renewal *r)
{
    const char *why = NULL;
    struct str folder = account_folder(in->mem, r), key_text = STR_NONE, regr_text = STR_NONE;
    struct str path = folder.len > 0 ? arena_concat(in->mem, root, STR("/"), folder) : STR_NONE;
    EVP_PKEY *key = NULL;
    if (path.len == 0)
        return; // the certificate is worth having without
    if (read_text(in->mem, path, STR("private_key.json"), &key_text, &why)) {
        json_t *jwk = json_loadb(key_text.ptr, key_text.len, 0, NULL);
        key = jwk_key(jwk, in->mem, &why);
        json_decref(jwk);
    }
    const char *no_regr;
    json_t *regr = read_text(in->mem, path, STR("regr.json"), &regr_text, &no_regr)
                       ? json_loadb(regr_text.ptr, regr_text.len, 0, NULL)
                       : NULL;
    const struct certs_account_meta meta = {
        .directory = r->server,
        .url = arena_dup(in->mem, certs_import_text(regr, "uri")),
    };
    json_decref(regr);
    certs_import_add_account(in, host_of(r->server), key, why, &meta);
}

// live/NAME with its links, or else the newest version in archive/NAME.
static bool read_lineage(struct arena *mem, struct str root, struct str name, struct str *ret_chain,
                         struct str *ret_key, const char **ret_why)
{
    struct str live = arena_concat(mem, root, STR("/live/"), name);
    if (live.ptr && read_text(mem, live, STR("fullchain.pem"), ret_chain, ret_why) &&
        read_text(mem, live, STR("privkey.pem"), ret_key, ret_why))
        return true;
    struct str archive = arena_concat(mem, root, STR("/archive/"), name);
    bool is_found = false;
    for (int i = 1; archive.ptr; i++) {
        const char *why;
        struct str chain, key;
        if (!read_text(mem, archive, arena_printf(mem, "fullchain%d.pem", i), &chain, &why) ||
            !read_text(mem, archive, arena_printf(mem, "privkey%d.pem", i), &key, &why))
            return is_found;
        *ret_chain = chain;
        *ret_key = key;
        is_found = true;
    }
    return is_found;
}

// certbot calls another certificate for the same name NAME-0001: of both, the store gets the one
// that is valid longer.
static struct str without_number(struct str name)
{
    size_t dash = str_rfind(name, '-');
    if (dash == STR_NPOS || name.len - dash != 5)
        return name;
    for (size_t i = dash + 1; i < name.len; i++) {
        if (!ascii_is(name.ptr[i], ASCII_DIGIT))
            return name;
    }
    return str_first(name, dash);
}

static void add_lineage(const struct certs_importing *in, struct str root, struct str name)
{
    struct str chain, key;
    const char *why = "";
    if (!read_lineage(in->mem, root, name, &chain, &key, &why)) {
        diag_warn(in->diags, in->place, "the certificate '" STR_FMT "' is skipped: %s",
                  STR_ARG(name), why);
        return;
    }
    struct renewal r = read_renewal(in->mem, root, name);
    const struct certs_meta meta = {
        .issuer = host_of(r.server),
        .directory = r.server,
        .key_type = r.key_type,
    };
    certs_import_add_cert(in, without_number(name), chain, key, &meta);
    add_account(in, root, &r);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str *list_lineages(DIR *dir, struct arena *mem, size_t *ret_n)
{
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    for (const struct dirent *d; n < LINEAGES_MAX && (d = readdir(dir)) != NULL;) {
        if (d->d_name[0] == '.' || d->d_type == DT_REG)
            continue;
        names = ARENA_GROW(mem, struct str, names, n, &cap);
        if (!names)
            return NULL;
        names[n] = arena_dup(mem, str_of(d->d_name));
        n += names[n].len > 0;
    }
    if (n > 1)
        qsort(names, n, sizeof *names, by_name);
    *ret_n = n;
    return names;
}

enum err certs_import_certbot(const char *path, struct arena *mem, struct diags *diags,
                              struct certs_import *ret)
{
    struct certs_importing in = {
        .all = ret, .mem = mem, .diags = diags, .place = {.source = path}, .source = "certbot"};
    struct str live = arena_concat(mem, str_of(path), STR("/live"), STR_NONE);
    size_t n = 0;
    *ret = (struct certs_import){.n_certs = 0};
    DIR *dir = live.ptr ? opendir(live.ptr) : NULL;
    if (!dir)
        return diag_fail(diags, ERR_SYNTAX, in.place,
                         "it is no folder of certbot, live/ can't be read: %s", strerror(errno));
    const struct str *names = list_lineages(dir, mem, &n);
    closedir(dir);
    for (size_t i = 0; i < n; i++)
        add_lineage(&in, str_of(path), names[i]);
    return ERR_OK;
}
