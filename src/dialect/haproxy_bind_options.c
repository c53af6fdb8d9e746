// SPDX-License-Identifier: Apache-2.0
#include "dialect/haproxy_bind.h"
#include "gate/settings.h"
#include "tls/policy.h"

struct options {
    struct haproxy *h;
    struct haproxy_proxy *proxy;
    struct haproxy_line *line;
    struct conf_node *entry;
    struct conf_node *tls; // NULL: not spoken
};

typedef void option_fn(struct options *o, struct str value);

static void set_tls(struct options *o, const char *key, struct str value)
{
    if (o->tls)
        draft_set(o->h->d, o->tls, str_of(key), value, o->line->place);
}

static void add_cert(struct options *o, struct str path)
{
    if (!o->tls)
        return;
    struct conf_node *certs = draft_list(o->h->d, o->tls, STR("certificates"), o->line->place);
    draft_push(o->h->d, certs, path, o->line->place);
}

// A relative path is below crt-base.
static struct str with_base(struct options *o, const char *base, struct str path)
{
    struct haproxy_section *global = haproxy_section(o->h, HAPROXY_GLOBAL, STR_NONE);
    struct haproxy_line *l = global ? haproxy_last(global, base, NULL) : NULL;
    if (!l || str_starts(path, STR("/")))
        return path;
    struct str folder = haproxy_word(l, 1);
    return draft_printf(o->h->d, STR_FMT "%s" STR_FMT, STR_ARG(folder),
                        str_ends(folder, STR("/")) ? "" : "/", STR_ARG(path));
}

static void take_crt(struct options *o, struct str value)
{
    add_cert(o, with_base(o, "crt-base", value));
}

// Lines of "CERT [options] names"; names choose themselves by what the certificates say.
static void take_crt_list(struct options *o, struct str value)
{
    struct str text, line;
    const char *why = "it can't be read";
    const struct conf_resolver *files = o->h->in->files;
    bool is_read =
        files->read_file && files->read_file(files->arg, value, &o->h->d->mem, &text, &why);
    if (!is_read) {
        haproxy_note_word(o->h, o->line, DRAFT_LOST, value, "the list of certificates: %s", why);
        return;
    }
    bool has_more = false;
    while (text.len > 0) {
        str_cut(text, '\n', &line, &text);
        struct str cert = str_next_word(&line);
        if (cert.len == 0 || cert.ptr[0] == '#')
            continue;
        take_crt(o, cert);
        has_more = has_more || str_find(line, '[') != STR_NPOS || str_find(line, '!') != STR_NPOS;
    }
    if (has_more)
        haproxy_note_word(o->h, o->line, DRAFT_CHANGED, value,
                          "certificates are chosen by the names in them; options in brackets and "
                          "excluded names of the list aren't carried over");
}

static void take_alpn(struct options *o, struct str value)
{
    struct str protocol;
    bool has_h2 = false;
    while (str_next_item(&value, ',', &protocol))
        has_h2 = has_h2 || str_eq(protocol, STR("h2"));
    if (!has_h2 && !o->proxy->is_tcp)
        draft_set(o->h->d, o->entry, STR("http2"), STR("no"), o->line->place);
}

static void take_proto(struct options *o, struct str value)
{
    if (str_eq(value, STR("h2")) && !o->tls)
        draft_set(o->h->d, o->entry, STR("h2c"), STR("yes"), o->line->place);
}

static void take_accept_proxy(struct options *o, struct str value)
{
    (void)value;
    struct conf_node *map = draft_map(o->h->d, o->entry, STR("proxy-protocol"), o->line->place);
    struct conf_node *from = draft_list(o->h->d, map, STR("from"), o->line->place);
    draft_push(o->h->d, from, STR("0.0.0.0/0"), o->line->place);
    draft_push(o->h->d, from, STR("::/0"), o->line->place);
    haproxy_note_word(o->h, o->line, DRAFT_CHANGED, STR("accept-proxy"),
                      "as in HAProxy, PROXY headers are taken from everybody: name the balancers "
                      "in 'from'");
}

static void set_version(struct options *o, const char *key, struct str value)
{
    if (str_eq(value, STR("TLSv1.2")) || str_eq(value, STR("TLSv1.3")))
        set_tls(o, key, str_skip(value, 4));
    else if (str_eq(str_of(key), STR("min")))
        haproxy_note_word(o->h, o->line, DRAFT_CHANGED, value,
                          "TLS older than 1.2 is never spoken");
    else
        haproxy_note_word(o->h, o->line, DRAFT_LOST, value, "TLS older than 1.2 is never spoken");
}

static void take_min(struct options *o, struct str value)
{
    set_version(o, "min", value);
}

static void take_max(struct options *o, struct str value)
{
    set_version(o, "max", value);
}

static void take_no_12(struct options *o, struct str value)
{
    (void)value;
    set_tls(o, "min", STR("1.3"));
}

static void take_no_13(struct options *o, struct str value)
{
    (void)value;
    set_tls(o, "max", STR("1.2"));
}

// A list of names, of which those are taken that can be used; the rest is noted.
static void take_list(struct options *o, const char *key, struct str value,
                      enum err (*check)(const struct conf_text *name, struct diags *diags))
{
    struct str name;
    size_t n_taken = 0, n_dropped = 0;
    if (!o->tls)
        return;
    draft_remove(o->tls, str_of(key));
    while (str_next_item(&value, ':', &name)) {
        if (check(&(struct conf_text){.text = name}, NULL) != ERR_OK) {
            n_dropped++;
            continue;
        }
        n_taken++;
        draft_push(o->h->d, draft_list(o->h->d, o->tls, str_of(key), o->line->place), name,
                   o->line->place);
    }
    if (n_dropped > 0)
        haproxy_note_word(o->h, o->line, DRAFT_CHANGED, str_of(key),
                          n_taken > 0 ? "those without forward secrecy and what else can't be used "
                                        "here are left out"
                                      : "none of them can be used here, so it is the default");
}

static void take_ciphers(struct options *o, struct str value)
{
    take_list(o, "ciphers", value, tls_check_cipher);
}

static void take_suites(struct options *o, struct str value)
{
    take_list(o, "suites", value, tls_check_suite);
}

static void take_curves(struct options *o, struct str value)
{
    take_list(o, "groups", value, tls_check_group);
}

static void take_verify(struct options *o, struct str value)
{
    if (str_eq(value, STR("optional")))
        set_tls(o, "client-auth", STR("request"));
    else if (str_eq(value, STR("required")))
        set_tls(o, "client-auth", STR("require"));
}

static void take_ca(struct options *o, struct str value)
{
    set_tls(o, "client-ca", with_base(o, "ca-base", value));
}

static void take_crl(struct options *o, struct str value)
{
    set_tls(o, "client-crl", value);
}

static void take_strict_sni(struct options *o, struct str value)
{
    (void)value;
    set_tls(o, "strict-sni", STR("yes"));
}

static void take_no_tickets(struct options *o, struct str value)
{
    (void)value;
    set_tls(o, "tickets", STR("off"));
}

static void take_0rtt(struct options *o, struct str value)
{
    (void)value;
    set_tls(o, "early-data", STR("on"));
}

// It is about certificates of clients, whatever scripts wanted of it.
static void take_ignore(struct options *o, struct str value)
{
    (void)value;
    haproxy_note_word(o->h, o->line, DRAFT_CHANGED, STR("ignore-err"),
                      "a client's certificate that isn't good is never accepted; files of servers' "
                      "certificates that can't be used are skipped in any case");
}

static void lose(struct options *o, struct str value)
{
    haproxy_note_word(o->h, o->line, DRAFT_LOST, value, "there is no such option here");
}

static const struct option {
    const char *name;
    bool has_value;
    option_fn *take; // NULL: means nothing here
} rows[] = {
    {"crt", true, take_crt},
    {"default-crt", true, take_crt},
    {"crt-list", true, take_crt_list},
    {"alpn", true, take_alpn},
    {"proto", true, take_proto},
    {"accept-proxy", false, take_accept_proxy},
    {"ssl-min-ver", true, take_min},
    {"ssl-max-ver", true, take_max},
    {"no-tlsv12", false, take_no_12},
    {"force-tlsv13", false, take_no_12},
    {"no-tlsv13", false, take_no_13},
    {"force-tlsv12", false, take_no_13},
    {"ciphers", true, take_ciphers},
    {"ciphersuites", true, take_suites},
    {"curves", true, take_curves},
    {"verify", true, take_verify},
    {"ca-file", true, take_ca},
    {"ca-verify-file", true, take_ca},
    {"crl-file", true, take_crl},
    {"strict-sni", false, take_strict_sni},
    {"no-tls-tickets", false, take_no_tickets},
    {"allow-0rtt", false, take_0rtt},
    {"crt-ignore-err", true, take_ignore},
    {"ca-ignore-err", true, take_ignore},
    {"ssl", false, NULL},
    {"name", true, NULL},
    {"no-sslv3", false, NULL},
    {"no-tlsv10", false, NULL},
    {"no-tlsv11", false, NULL},
    {"prefer-client-ciphers", false, NULL},
    {"npn", true, NULL},
    {"ecdhe", true, NULL},
    {"maxconn", true, NULL},
    {"backlog", true, NULL},
    {"nice", true, NULL},
    {"id", true, NULL},
    {"process", true, NULL},
    {"thread", true, NULL},
    {"shards", true, NULL},
    {"user", true, NULL},
    {"group", true, NULL},
    {"uid", true, NULL},
    {"gid", true, NULL},
    {"mode", true, NULL},
    {"mss", true, NULL},
    {"level", true, NULL},
    {"severity-output", true, NULL},
    {"tls-ticket-keys", true, NULL},
    {"defer-accept", false, NULL},
    {"v4v6", false, NULL},
    {"v6only", false, NULL},
    {"tfo", false, NULL},
};

bool haproxy_bind_has_tls(const struct haproxy_line *l)
{
    for (unsigned i = 2; i < l->n; i++)
        if (str_eq(l->words[i], STR("ssl")))
            return true;
    return false;
}

// Words of a line from i on; false words are noted.
static void take_words(struct options *o, unsigned i)
{
    for (; i < o->line->n; i++) {
        struct str word = o->line->words[i];
        const struct option *row = NULL;
        for (size_t k = 0; k < ARRAY_LEN(rows) && !row; k++)
            row = str_eq(word, str_of(rows[k].name)) ? &rows[k] : NULL;
        if (!row) {
            lose(o, word);
            continue;
        }
        struct str value = row->has_value ? haproxy_word(o->line, ++i) : word;
        if (row->take)
            row->take(o, value);
    }
}

// What global says of all binds that speak TLS.
static void take_global(struct options *o)
{
    static const struct {
        const char *key;
        option_fn *take;
    } defaults[] = {
        {"ssl-default-bind-ciphers", take_ciphers},
        {"ssl-default-bind-ciphersuites", take_suites},
        {"ssl-default-bind-curves", take_curves},
    };
    struct haproxy_section *global = haproxy_section(o->h, HAPROXY_GLOBAL, STR_NONE);
    if (!global)
        return;
    struct haproxy_line *own = o->line;
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        o->line = haproxy_last(global, defaults[i].key, NULL);
        if (o->line)
            defaults[i].take(o, haproxy_word(o->line, 1));
    }
    o->line = haproxy_last(global, "ssl-default-bind-options", NULL);
    if (o->line)
        take_words(o, 1);
    o->line = own;
}

// Authorities without whom nobody could be verified: then nobody is let in.
static void check_verify(struct options *o)
{
    const struct conf_node *auth = o->tls ? conf_node_get(o->tls, STR("client-auth")) : NULL;
    if (!auth) {
        if (o->tls) {
            draft_remove(o->tls, STR("client-ca"));
            draft_remove(o->tls, STR("client-crl"));
        }
        return;
    }
    if (conf_node_get(o->tls, STR("early-data"))) {
        draft_remove(o->tls, STR("early-data"));
        haproxy_note_word(o->h, o->line, DRAFT_CHANGED, STR("allow-0rtt"),
                          "early data isn't taken where clients show certificates");
    }
    if (!conf_node_get(o->tls, STR("client-ca")))
        haproxy_note_word(o->h, o->line, DRAFT_LOST, STR("verify"),
                          "it names no 'ca-file', which 'client-auth' needs as 'client-ca'");
}

void haproxy_bind_options(struct haproxy *h, struct haproxy_proxy *p, struct haproxy_line *l,
                          struct conf_node *entry)
{
    struct options o = {.h = h, .proxy = p, .line = l, .entry = entry};
    if (haproxy_bind_has_tls(l)) {
        o.tls = draft_map(h->d, entry, STR("tls"), l->place);
        take_global(&o);
    }
    take_words(&o, 2);
    check_verify(&o);
    if (o.tls && o.tls->n == 0) {
        draft_set(h->d, entry, STR("tls"), STR("on"), l->place);
    }
}
