// SPDX-License-Identifier: Apache-2.0
#include "tls/client_conf.h"

#include "codec/base64.h"
#include "codec/idna.h"
#include "codec/url.h"

#define NAME_MEM_BYTES 4096

static const char *const version_names[] = {
#define X(id, text, wire) text,
    TLS_VERSION_LIST(X)
#undef X
        NULL,
};

enum err tls_pin_parse(struct str text, uint8_t ret[static TLS_PIN_BYTES])
{
    char raw[TLS_PIN_TEXT_BYTES / 4 * 3 + 3];
    size_t n = 0;
    if (text.len != TLS_PIN_TEXT_BYTES || base64_decode(text, false, raw, &n) != ERR_OK ||
        n != TLS_PIN_BYTES)
        return ERR_SYNTAX;
    memcpy(ret, raw, TLS_PIN_BYTES);
    return ERR_OK;
}

struct str tls_pin_text(const uint8_t pin[static TLS_PIN_BYTES],
                        char buf[static TLS_PIN_TEXT_BYTES])
{
    size_t n = base64_encode(str_from((const char *)pin, TLS_PIN_BYTES), false, buf);
    return str_from(buf, n);
}

bool tls_pins_are_first_use(const struct tls_client_conf *c)
{
    return c->pins.n == 1 && str_eq(c->pins.items[0].text, STR(TLS_PIN_FIRST_USE));
}

enum err tls_peer_parse(struct str text, struct arena *mem, struct tls_peer *ret,
                        const char **ret_why)
{
    *ret = (struct tls_peer){.name = STR_NONE};
    struct str bare = text;
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        bare = str_from(text.ptr + 1, text.len - 2);
    if (ip_parse(bare, &ret->ip) == ERR_OK)
        return ERR_OK;
    ret->ip = (struct ip){.family = 0};
    struct str ascii = text;
    struct url_authority a;
    enum err err = url_authority_parse(text, &a) == ERR_OK
                       ? ERR_OK
                       : idna_to_ascii(text, mem, &ascii, ret_why);
    if (err)
        return err;
    *ret_why = "it is neither a host name nor an address";
    if (url_authority_parse(ascii, &a) != ERR_OK || a.is_ip || a.host.len != ascii.len)
        return ERR_SYNTAX;
    char *buf = ARENA_ARRAY(mem, char, a.host.len);
    *ret_why = "memory limit of the settings";
    if (!buf)
        return ERR_LIMIT;
    ret->name = url_host_canon(a.host, buf);
    return ERR_OK;
}

static enum err check_pin(const struct conf_text *pin, struct diags *diags)
{
    uint8_t ignored[TLS_PIN_BYTES];
    if (str_eq(pin->text, STR(TLS_PIN_FIRST_USE)) || tls_pin_parse(pin->text, ignored) == ERR_OK)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, pin->place,
                     "'" STR_FMT "' is not a pin: the SHA-256 of a public key in base64, 44 "
                     "characters; or first-use",
                     STR_ARG(pin->text));
}

static enum err check_name(const struct conf_text *name, struct diags *diags)
{
    char buf[NAME_MEM_BYTES];
    struct arena mem;
    struct tls_peer ignored;
    const char *why = NULL;
    arena_init(&mem, 2 * sizeof buf, buf, sizeof buf);
    enum err err = tls_peer_parse(name->text, &mem, &ignored, &why);
    arena_fini(&mem);
    if (!err)
        return ERR_OK;
    return diag_fail(diags, err, name->place, "server-name '" STR_FMT "': %s", STR_ARG(name->text),
                     why);
}

static const struct conf_item items[] = {
    ITEM_BOOL(tls_client_conf, verify, "verify", .def = "on", .apply = CONF_LIVE, .since = "0.1",
              .doc = "Whether the server has to prove who it is. `off` protects against those who "
                     "only listen, and against nobody who can answer in the server's place; `pin` "
                     "is better, and no more work."),
    ITEM_FILE(tls_client_conf, ca, "ca", .apply = CONF_LIVE, .since = "0.1",
              .doc = "PEM file with the authorities that may have signed the server's certificate, "
                     "instead of those that the setting `authorities` has. A server's own "
                     "certificate is good for it, too.",
              .example = "/etc/sallyport/internal-ca.pem"),
    ITEM_TEXT(tls_client_conf, server_name, "server-name", .apply = CONF_LIVE, .since = "0.1",
              .format = "a host name or an address", .check_text = check_name,
              .doc = "The name that the certificate must be for, and that the server is asked for "
                     "(SNI). By default the host of the server's URL. For an address, the "
                     "certificate must name the address, and no SNI is sent.",
              .example = "app.internal"),
    ITEM_TEXTS(tls_client_conf, pins, "pin", .apply = CONF_LIVE, .since = "0.1",
               .format = "SHA-256 of a public key, in base64, or first-use",
               .check_text = check_pin,
               .doc = "The server's public key must be one of these. Then authority, name and "
                      "dates of its certificate don't matter, unless `ca` is given as well: so a "
                      "self-signed certificate is as good as any. The log tells the pin of a key "
                      "that was refused. `first-use`: the key that a server shows first is kept in "
                      "the state folder and is its pin from then on; `sallyport pin forget` lets "
                      "it show another one.",
               .example = "[\"YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=\"]"),
    ITEM_FILE(tls_client_conf, cert, "cert", .apply = CONF_LIVE, .since = "0.1",
              .doc = "PEM file with the certificate, and its chain, that is shown to servers which "
                     "ask for one. The key may be in it.",
              .example = "/etc/sallyport/client.pem"),
    ITEM_FILE(tls_client_conf, key, "key", .apply = CONF_LIVE, .since = "0.1",
              .doc = "PEM file with the key of `cert`.", .example = "/etc/sallyport/client.key"),
    ITEM_ENUM(tls_client_conf, min, "min", .names = version_names, .def = "1.2", .apply = CONF_LIVE,
              .since = "0.1", .doc = "Oldest version of TLS that is spoken with the servers.",
              .example = "\"1.3\""),
    ITEM_ENUM(tls_client_conf, max, "max", .names = version_names, .def = "1.3", .apply = CONF_LIVE,
              .since = "0.1", .doc = "Newest version of TLS.", .example = "\"1.2\""),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct tls_client_conf *c = value;
    enum err err = ERR_OK;
    for (size_t i = 0; i < c->pins.n && c->pins.n > 1; i++) {
        if (str_eq(c->pins.items[i].text, STR(TLS_PIN_FIRST_USE)))
            err = diag_fail(diags, ERR_RANGE, c->pins.items[i].place,
                            "'first-use' stands alone: which keys are good is either learnt or "
                            "written down");
    }
    if (c->min > c->max)
        err = diag_fail(diags, ERR_RANGE, c->place, "'min' is newer than 'max'");
    if (c->key.is_set && !c->cert.is_set)
        err = diag_fail(diags, ERR_RANGE, c->key.place, "'key' needs 'cert', its certificate");
    if (!c->verify && c->pins.n > 0)
        err = diag_fail(diags, ERR_RANGE, c->place,
                        "'pin' verifies the server: it contradicts 'verify: off'");
    if (!c->verify && c->ca.is_set)
        diag_warn(diags, c->ca.place, "'ca' does nothing with 'verify: off'");
    if (!c->verify && c->pins.n == 0)
        diag_warn(diags, c->place,
                  "'verify: off': anybody who can answer in the servers' place is believed; 'pin' "
                  "with the server's key is safe");
    return err;
}

const struct conf_section tls_client_section = {
    .name = "server-tls",
    .doc = "How TLS is spoken with servers whose URL begins with `https://`.",
    CONF_SECTION_OF(tls_client_conf, items),
    .place_offset = CONF_PLACE_AT(tls_client_conf, place),
    .check = check,
};
