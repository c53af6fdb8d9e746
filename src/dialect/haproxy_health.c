// SPDX-License-Identifier: Apache-2.0
// Checks of servers: "check" of server lines, option httpchk, http-check, option tcp-check …
#include "base/ascii.h"
#include "base/num.h"
#include "dialect/haproxy_priv.h"
#include "upstream/service.h"

struct health {
    struct haproxy *h;
    struct haproxy_proxy *proxy;
    struct conf_node *map;
    const struct conf_section *section;
};

// Whether the row of a key takes this text; it is noted when it doesn't.
static bool is_taken(struct health *c, const char *key, struct str value, struct haproxy_line *l)
{
    const struct conf_item *item = conf_item_find(c->section, str_of(key));
    if (!item->check_text ||
        item->check_text(&(struct conf_text){.text = value, .place = l->place}, NULL) == ERR_OK)
        return true;
    haproxy_note_word(c->h, l, DRAFT_LOST, value, "'%s' of 'health' can't be that", key);
    return false;
}

static void set(struct health *c, const char *key, struct str value, struct haproxy_line *l)
{
    l->is_done = true;
    if (is_taken(c, key, value, l))
        draft_set(c->h->d, c->map, str_of(key), value, l->place);
}

// The first server line, or default-server line, with this word; *ret its index.
static struct haproxy_line *find_word(struct haproxy_section *s, const char *word, unsigned *ret)
{
    for (struct haproxy_section *at = s; at; at = at->defaults) {
        for (size_t i = 0; i < at->n; i++) {
            struct haproxy_line *l = &at->lines[i];
            bool is_server = str_eq(l->words[0], STR("server")) ||
                             str_eq(l->words[0], STR("server-template")) ||
                             str_eq(l->words[0], STR("default-server"));
            for (unsigned k = 1; k < l->n && is_server; k++) {
                if (!str_eq(l->words[k], str_of(word)))
                    continue;
                *ret = k;
                return l;
            }
        }
    }
    return NULL;
}

static void put_numbers(struct health *c)
{
    static const struct {
        const char *word, *key;
    } numbers[] = {{"rise", "rise"}, {"fall", "fall"}, {"port", "port"}};
    unsigned i;
    uint64_t n;
    struct haproxy_line *l = find_word(c->proxy->s, "inter", &i);
    if (l)
        haproxy_set_time(c->h, c->map, c->section, "every", haproxy_word(l, i + 1), l);
    l = haproxy_last(c->proxy->s, "timeout", "check");
    if (l)
        haproxy_set_time(c->h, c->map, c->section, "timeout", haproxy_word(l, 2), l);
    for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
        l = find_word(c->proxy->s, numbers[k].word, &i);
        if (l && num_dec(haproxy_word(l, i + 1), UINT32_MAX, &n) == ERR_OK)
            haproxy_set_number(c->h, c->map, c->section, numbers[k].key, n, l);
    }
}

static bool is_method(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_UPPER))
            return false;
    return s.len > 0;
}

static void set_uri(struct health *c, struct str uri, struct haproxy_line *l)
{
    if (str_starts(uri, STR("/")))
        set(c, "path", uri, l);
    else
        haproxy_note_word(c->h, l, DRAFT_LOST, uri, "a check asks for a path");
}

static void set_header(struct health *c, struct str name, struct str value, struct haproxy_line *l)
{
    if (str_ieq(name, STR("host")))
        set(c, "host", value, l);
    else if (!str_ieq(name, STR("connection")))
        draft_set(c->h->d, draft_map(c->h->d, c->map, STR("headers"), l->place), name, value,
                  l->place);
}

// "HTTP/1.1\r\nHost: app\r\nX-A: b": how fields were written before http-check send.
static void take_version(struct health *c, struct str version, struct haproxy_line *l)
{
    struct str line, name, value;
    str_cut(version, '\n', &line, &version);
    while (version.len > 0) {
        str_cut(version, '\n', &line, &version);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (str_cut(line, ':', &name, &value))
            set_header(c, str_trim(name), str_trim(value), l);
    }
}

// option httpchk [METHOD] URI [VERSION]
static void take_httpchk(struct health *c, struct haproxy_line *l)
{
    set(c, "type", STR("http"), l);
    set(c, "method", STR("OPTIONS"), l);
    if (l->n == 3) {
        set_uri(c, l->words[2], l);
    } else if (l->n > 3) {
        if (is_method(l->words[2]))
            set(c, "method", l->words[2], l);
        set_uri(c, l->words[3], l);
        struct str version = haproxy_word(l, 4);
        for (unsigned i = 5; i < l->n; i++)
            version =
                draft_printf(c->h->d, STR_FMT " " STR_FMT, STR_ARG(version), STR_ARG(l->words[i]));
        take_version(c, version, l);
    }
}

// http-check send [meth M] [uri U] [ver V] [hdr N V]… [body B]
static void take_send(struct health *c, struct haproxy_line *l)
{
    l->is_done = true;
    for (unsigned i = 2; i + 1 < l->n; i += str_eq(l->words[i], STR("hdr")) ? 3 : 2) {
        struct str word = l->words[i], value = l->words[i + 1];
        if (str_eq(word, STR("meth")) && is_method(value))
            set(c, "method", value, l);
        else if (str_eq(word, STR("uri")))
            set_uri(c, value, l);
        else if (str_eq(word, STR("hdr")) && i + 2 < l->n)
            set_header(c, value, l->words[i + 2], l);
        else if (str_eq(word, STR("body")))
            haproxy_note_word(c->h, l, DRAFT_LOST, word, "a check sends no body");
        else if (!str_eq(word, STR("ver")))
            haproxy_note_word(c->h, l, DRAFT_LOST, word, "a check can't send that");
    }
}

// Statuses for an expression such as "2[0-9][0-9]" or "(2|3)..".
static void set_rstatus(struct health *c, struct str re, struct haproxy_line *l)
{
    struct conf_node *list = draft_list(c->h->d, c->map, STR("status"), l->place);
    size_t n = 0;
    for (char class = '1'; class <= '5'; class ++) {
        if (str_find(re, class) == STR_NPOS)
            continue;
        draft_push(c->h->d, list, draft_printf(c->h->d, "%c00-%c99", class, class), l->place);
        n++;
    }
    if (n == 0)
        draft_remove(c->map, STR("status"));
    haproxy_note_word(c->h, l, DRAFT_CHANGED, re,
                      "statuses are numbers and ranges here; look whether these are meant");
}

// Where the word behind "expect" stands: past its options.
static unsigned skip_options(const struct haproxy_line *l)
{
    unsigned i = 2;
    while (str_eq(haproxy_word(l, i), STR("min-recv")) ||
           str_eq(haproxy_word(l, i), STR("comment")) ||
           str_eq(haproxy_word(l, i), STR("ok-status")) ||
           str_eq(haproxy_word(l, i), STR("error-status")) ||
           str_eq(haproxy_word(l, i), STR("tout-status")))
        i += 2;
    return i;
}

// http-check expect status 200,204-206 · string S · rstring R · rstatus R
static void take_expect(struct health *c, struct haproxy_line *l)
{
    unsigned i = skip_options(l);
    struct str what = haproxy_word(l, i), value = haproxy_word(l, i + 1), item;
    l->is_done = true;
    if (str_eq(what, STR("status"))) {
        draft_remove(c->map, STR("status"));
        while (str_next_item(&value, ',', &item))
            if (is_taken(c, "status", item, l))
                draft_push(c->h->d, draft_list(c->h->d, c->map, STR("status"), l->place), item,
                           l->place);
    } else if (str_eq(what, STR("rstatus"))) {
        draft_remove(c->map, STR("status"));
        set_rstatus(c, value, l);
    } else if (str_eq(what, STR("string"))) {
        set(c, "body", value, l);
    } else if (str_eq(what, STR("rstring"))) {
        set(c, "body-regex", value, l);
    } else {
        haproxy_note(c->h, l, DRAFT_LOST, "'health' expects statuses, and a text in the body");
    }
}

static void take_http_checks(struct health *c, struct haproxy_section *at)
{
    if (at->defaults)
        take_http_checks(c, at->defaults);
    for (size_t i = 0; i < at->n; i++) {
        struct haproxy_line *l = &at->lines[i];
        if (!str_eq(l->words[0], STR("http-check")))
            continue;
        if (str_eq(haproxy_word(l, 1), STR("send")))
            take_send(c, l);
        else if (str_eq(haproxy_word(l, 1), STR("expect")))
            take_expect(c, l);
        else if (str_eq(haproxy_word(l, 1), STR("disable-on-404")))
            haproxy_note(c->h, l, DRAFT_LOST, "'sallyport server drain' takes a server out softly");
        else if (!str_eq(haproxy_word(l, 1), STR("send-state")))
            haproxy_note(c->h, l, DRAFT_LOST, "a check is one request ('health' of the service)");
        l->is_done = true;
    }
}

// Checks that speak a protocol of their own.
static struct haproxy_line *other_check(struct haproxy_section *s)
{
    static const char *const names[] = {"mysql-check", "pgsql-check", "redis-check",   "smtpchk",
                                        "ldap-check",  "spop-check",  "external-check"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct haproxy_line *l = haproxy_option(s, names[i]);
        if (l)
            return l;
    }
    return NULL;
}

void haproxy_health(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service)
{
    unsigned ignored;
    struct haproxy_line *check = find_word(p->s, "check", &ignored);
    struct haproxy_line *http = haproxy_option(p->s, "httpchk");
    struct haproxy_line *tcp = haproxy_option(p->s, "tcp-check");
    struct haproxy_line *hello = haproxy_option(p->s, "ssl-hello-chk"), *other = other_check(p->s);
    if (!check) {
        if (http)
            haproxy_note(h, http, DRAFT_NEEDLESS, "no server has 'check'");
        return;
    }
    struct health c = {.h = h, .proxy = p};
    c.section = conf_item_find(&service_section, STR("health"))->section;
    c.map = draft_map(h->d, service, STR("health"), check->place);
    if (http && !p->is_tcp)
        take_httpchk(&c, http);
    else
        set(&c, "type", hello ? STR("tls") : STR("tcp"), hello ? hello : tcp ? tcp : check);
    if (http && p->is_tcp)
        haproxy_note(h, http, DRAFT_CHANGED, "servers for connections are checked by connecting");
    if (other)
        haproxy_note(h, other, DRAFT_CHANGED, "a check only connects");
    if (http && !p->is_tcp)
        take_http_checks(&c, p->s);
    put_numbers(&c);
}
