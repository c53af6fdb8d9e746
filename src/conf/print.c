// SPDX-License-Identifier: Apache-2.0
#include "conf/print.h"

#include <string.h>

#include "base/ascii.h"
#include "codec/json.h"

// Texts without quotes: what can't be mistaken for anything else.
static bool is_plain(struct str s)
{
    if (s.len == 0 || !(ascii_is(s.ptr[0], ASCII_ALPHA | ASCII_DIGIT) || s.ptr[0] == '/'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool is_word = ascii_is(s.ptr[i], ASCII_ALPHA | ASCII_DIGIT);
        if (!is_word && (s.ptr[i] == '\0' || !strchr("_-./:@+=", s.ptr[i])))
            return false;
    }
    // A ':' at the end makes a key of it.
    return s.ptr[s.len - 1] != ':' && !str_ieq(s, STR("null"));
}

// What JSON leaves as it is and YAML 1.1 (5.1) doesn't take: DEL and C1 controls, U+FEFF, U+FFFE
// and U+FFFF. Returns how many bytes at the begin of s that is, or 0.
static size_t find_unprintable(struct str s, unsigned *ret_code)
{
    const unsigned char *b = (const unsigned char *)s.ptr;
    if (b[0] == 0x7f) {
        *ret_code = 0x7f;
        return 1;
    }
    if (s.len >= 2 && b[0] == 0xc2 && b[1] < 0xa0) {
        *ret_code = b[1];
        return 2;
    }
    if (s.len < 3 || b[0] != 0xef)
        return 0;
    *ret_code = 0xf000u | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    return *ret_code == 0xfeff || *ret_code >= 0xfffe ? 3 : 0;
}

// YAML's double-quoted form is JSON's, apart from those.
static void put_double_quoted(struct str s, struct text *to)
{
    struct text json = {.len = 0};
    json_text_str(&json, s);
    for (struct str rest = text_str(&json); rest.len > 0;) {
        unsigned code;
        size_t n = find_unprintable(rest, &code);
        if (n > 0)
            text_printf(to, "\\u%04x", code);
        else
            text_byte(to, rest.ptr[0]);
        rest = str_skip(rest, MAX(n, (size_t)1));
    }
    text_fini(&json);
}

void conf_put_yaml(struct str s, struct text *to)
{
    if (is_plain(s))
        text_put(to, s);
    else
        put_double_quoted(s, to);
}

void conf_put_indent(size_t n, struct text *to)
{
    for (; n > 0; n--)
        text_byte(to, ' ');
}

bool conf_is_secret_name(struct str name)
{
    static const struct str parts[] = {
        STR_INIT("auth"),     STR_INIT("cookie"), STR_INIT("credential"), STR_INIT("key"),
        STR_INIT("password"), STR_INIT("secret"), STR_INIT("session"),    STR_INIT("token")};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (size_t at = 0; at + parts[i].len <= name.len; at++) {
            if (str_ieq(str_from(name.ptr + at, parts[i].len), parts[i]))
                return true;
        }
    }
    return false;
}

static bool is_credential(struct str value)
{
    static const struct str schemes[] = {STR_INIT("basic "), STR_INIT("bearer "),
                                         STR_INIT("digest ")};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (str_istarts(value, schemes[i]))
            return true;
    }
    return false;
}

// In a URL's authority (RFC 3986 3.2.1).
static bool has_password(struct str value)
{
    size_t at = str_search(value, STR("://"));
    if (at == STR_NPOS)
        return false;
    struct str rest = str_skip(value, at + 3);
    bool has_colon = false;
    for (size_t i = 0; i < rest.len && !strchr("/?#", rest.ptr[i]); i++) {
        has_colon = has_colon || rest.ptr[i] == ':';
        if (has_colon && rest.ptr[i] == '@')
            return true;
    }
    return false;
}

static bool has_secret_pair(struct str value)
{
    struct str pair, name, content;
    str_cut(value, '?', NULL, &value);
    while (value.len > 0) {
        str_cut(value, '&', &pair, &value);
        if (str_cut(pair, '=', &name, &content) && content.len > 0 && conf_is_secret_name(name))
            return true;
    }
    return false;
}

bool conf_is_secret_value(struct str value)
{
    return is_credential(value) || has_password(value) || has_secret_pair(value);
}

void conf_put_value_text(const struct conf_item *item, const char *value, struct text *to)
{
    if (conf_kinds[item->kind].is_single || item->has_switch)
        conf_put_yaml(str_of(value), to);
    else
        text_put(to, str_of(value));
}

static void put_sections_type(const struct conf_item *item, struct text *to)
{
    const char *name = item->section->name;
    if (item->kind == CONF_LIST)
        text_printf(to, "list of [%s](#%s); a single one needs no list", name, name);
    else if (item->kind == CONF_MAP)
        text_printf(to, "map of names to [%s](#%s)", name, name);
    else
        text_printf(to, "[%s](#%s)%s", name, name, item->has_switch ? ", or `off`" : "");
}

static void put_alternatives(const struct conf_item *item, struct text *to)
{
    text_put(to, STR("one of"));
    for (size_t i = 0; item->names && item->names[i]; i++)
        text_printf(to, "%s `%s`", i > 0 ? "," : "", item->names[i]);
    for (size_t i = 0; item->choices && item->choices[i]; i++)
        text_printf(to, "%s [`%s`](#%s)", i > 0 ? "," : "", item->choices[i]->key,
                    item->choices[i]->section->name);
}

void conf_put_type(const struct conf_item *item, struct text *to)
{
    if (item->section) {
        put_sections_type(item, to);
        return;
    }
    if (item->kind == CONF_ENUM || item->kind == CONF_CHOICE) {
        put_alternatives(item, to);
        return;
    }
    text_put(to, str_of(conf_kinds[item->kind].name));
    if (item->format)
        text_printf(to, " (%s)", item->format);
    char range[128];
    struct writer w;
    writer_init(&w, range, sizeof range);
    conf_put_range(item, &w);
    if (w.len > 0)
        text_printf(to, ", " STR_FMT, STR_ARG(writer_str(&w)));
    if (item->zero)
        text_printf(to, ", or `%s`", item->zero);
}

const char *conf_apply_text(enum conf_apply apply)
{
    switch (apply) {
    case CONF_LIVE:
        return "next request";
    case CONF_NEW_CONNS:
        return "new connections";
    case CONF_HANDOVER:
        return "new connections, by a new process";
    }
    return "";
}
