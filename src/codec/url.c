// SPDX-License-Identifier: Apache-2.0
#include "codec/url.h"

#include "base/ascii.h"
#include "base/num.h"
#include "codec/ip.h"

#define HOST_MAX_BYTES 253 // RFC 1035 2.3.4, as text without the root's dot
#define LABEL_MAX_BYTES 63
#define PORT_MAX_DIGITS 5
#define ESCAPE_BYTES 3

// --- authority ---

// A last label that some resolver reads as the end of an IPv4 address: "1", "0x7f".
static bool is_number_label(struct str label)
{
    if (!ascii_is(label.ptr[0], ASCII_DIGIT))
        return false;
    unsigned digits = ASCII_DIGIT;
    if (str_istarts(label, STR("0x"))) {
        label = str_skip(label, 2);
        digits = ASCII_HEX;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!ascii_is(label.ptr[i], digits))
            return false;
    }
    return true;
}

// RFC 3986 also lets a reg-name hold escapes and sub-delims. No name in DNS has them, each reader
// decodes them differently, and they would reach logs, rules and certificate look-ups.
static bool is_host_byte(char c)
{
    return ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || c == '-' || c == '_';
}

static enum err parse_name(struct str host, struct url_authority *ret)
{
    struct ip ip;
    ret->host = host;
    ret->is_ip =
        host.len > 0 && ascii_is(host.ptr[0], ASCII_DIGIT) && ip_parse(host, &ip) == ERR_OK;
    if (ret->is_ip)
        return ERR_OK;
    struct str name = str_ends(host, STR(".")) ? str_first(host, host.len - 1) : host;
    if (name.len > HOST_MAX_BYTES)
        return ERR_SYNTAX;
    size_t label = 0; // where it begins
    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && is_host_byte(name.ptr[i]))
            continue;
        if ((i < name.len && name.ptr[i] != '.') || i == label || i - label > LABEL_MAX_BYTES)
            return ERR_SYNTAX;
        if (i < name.len)
            label = i + 1;
    }
    return is_number_label(str_skip(name, label)) ? ERR_SYNTAX : ERR_OK;
}

// "[" IPv6 address "]"; no zone (RFC 6874) and no IPvFuture.
static enum err parse_bracketed(struct str host, struct url_authority *ret)
{
    struct str inside = str_skip(str_first(host, host.len - 1), 1);
    struct ip ip;
    if (str_find(inside, ':') == STR_NPOS || ip_parse(inside, &ip) != ERR_OK)
        return ERR_SYNTAX;
    ret->host = host;
    ret->is_ip = true;
    return ERR_OK;
}

static enum err parse_port(struct str port, struct url_authority *ret)
{
    if (port.len == 0) // "host:" is allowed (RFC 3986 3.2.3)
        return ERR_OK;
    uint64_t value;
    if (port.len > PORT_MAX_DIGITS)
        return ERR_SYNTAX;
    enum err err = num_dec(port, UINT16_MAX, &value);
    if (err != ERR_OK)
        return err;
    ret->port = (uint16_t)value;
    return value > 0 ? ERR_OK : ERR_RANGE;
}

enum err url_authority_parse(struct str in, struct url_authority *ret)
{
    struct url_authority authority = {.port = 0};
    struct str host, port = STR_NONE;
    enum err err;
    if (str_starts(in, STR("["))) {
        size_t end = str_find(in, ']');
        if (end == STR_NPOS)
            return ERR_SYNTAX;
        host = str_first(in, end + 1);
        struct str rest = str_skip(in, end + 1);
        if (rest.len > 0 && rest.ptr[0] != ':')
            return ERR_SYNTAX;
        port = str_skip(rest, 1);
        err = parse_bracketed(host, &authority);
    } else {
        size_t len = 0;
        while (len < in.len && in.ptr[len] != ':')
            len++;
        host = str_first(in, len);
        port = str_skip(in, len + 1);
        err = parse_name(host, &authority);
    }
    if (err == ERR_OK)
        err = parse_port(port, &authority);
    if (err == ERR_OK)
        *ret = authority;
    return err;
}

struct str url_host_canon(struct str host, char *buf)
{
    if (str_ends(host, STR(".")))
        host.len--;
    for (size_t i = 0; i < host.len; i++)
        buf[i] = ascii_lower(host.ptr[i]);
    return (struct str){buf, host.len};
}

bool url_host_is_canon(struct str host)
{
    unsigned seen = 0;
    for (size_t i = 0; i < host.len; i++)
        seen |= ascii_table[(uint8_t)host.ptr[i]];
    return (seen & ASCII_UPPER) == 0 && !str_ends(host, STR("."));
}

// --- target ---

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_later_byte = ascii_is(s.ptr[i], ASCII_DIGIT) || s.ptr[i] == '+' ||
                             s.ptr[i] == '-' || s.ptr[i] == '.';
        if (!ascii_is(s.ptr[i], ASCII_ALPHA) && (i == 0 || !is_later_byte))
            return false;
    }
    return s.len > 0;
}

// scheme "://" authority, and what follows in *ret_rest.
static enum err split_absolute(struct str in, struct url_target *ret, struct str *ret_rest)
{
    struct str rest;
    if (!str_cut(in, ':', &ret->scheme, &rest) || !is_scheme(ret->scheme) ||
        !str_starts(rest, STR("//")))
        return ERR_SYNTAX;
    rest = str_skip(rest, 2);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    if (len == 0)
        return ERR_SYNTAX;
    ret->form = URL_ABSOLUTE;
    ret->authority = str_first(rest, len);
    *ret_rest = str_skip(rest, len);
    return ERR_OK;
}

enum err url_target_parse(struct str in, bool is_connect, struct url_target *ret)
{
    if (in.len == 0)
        return ERR_SYNTAX;
    for (size_t i = 0; i < in.len; i++) {
        // A fragment stays with the client (RFC 9110 7.1); whoever sends one wants readers to
        // disagree about where the path ends.
        if (!ascii_is(in.ptr[i], ASCII_TARGET) || in.ptr[i] == '#')
            return ERR_SYNTAX;
    }
    struct url_target target = {.form = URL_ORIGIN};
    if (is_connect) {
        if (str_find(in, '/') != STR_NPOS || str_find(in, '?') != STR_NPOS || str_eq(in, STR("*")))
            return ERR_SYNTAX;
        *ret = (struct url_target){.form = URL_AUTHORITY, .authority = in};
        return ERR_OK;
    }
    if (str_eq(in, STR("*"))) {
        *ret = (struct url_target){.form = URL_ASTERISK};
        return ERR_OK;
    }
    struct str rest = in;
    if (in.ptr[0] != '/') {
        enum err err = split_absolute(in, &target, &rest);
        if (err != ERR_OK)
            return err;
    }
    target.has_query = str_cut(rest, '?', &target.path, &target.query);
    if (target.path.len == 0)
        target.path = STR("/");
    *ret = target;
    return ERR_OK;
}

// --- path ---

// RFC 3986 2.3.
static bool is_unreserved(char c)
{
    return ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || c == '-' || c == '.' || c == '_' || c == '~';
}

// The byte behind a "%XX" at the start of s, or -1.
static int escape_value(struct str s)
{
    if (s.len < ESCAPE_BYTES)
        return -1;
    int high = ascii_hex(s.ptr[1]), low = ascii_hex(s.ptr[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// True when s begins with a whole segment "." or "..".
static bool starts_with_dots(struct str s)
{
    struct str segment;
    str_cut(str_first(s, 3), '/', &segment, NULL);
    return str_eq(segment, STR(".")) || str_eq(segment, STR(".."));
}

static bool is_small_letter(char c)
{
    return ascii_is(c, ASCII_ALPHA) && !ascii_is(c, ASCII_UPPER);
}

// True when the escape at the start of s stands as it is in a canonical path.
static bool is_canon_escape(struct str s, const struct url_path_policy *policy)
{
    int value = escape_value(s);
    if (value <= 0 || is_unreserved((char)value) || is_small_letter(s.ptr[1]) ||
        is_small_letter(s.ptr[2]))
        return false;
    bool is_slash = value == '/', is_backslash = value == '\\';
    return !((is_slash && policy->decode_slash) ||
             ((is_slash || is_backslash) && policy->reject_slash));
}

// True when there is nothing to do for raw.
static bool is_canon(struct str raw, const struct url_path_policy *policy)
{
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '/') {
            struct str next = str_skip(raw, i + 1);
            if (next.len == 0)
                return true;
            if (next.ptr[0] == '/' && policy->merge_slashes)
                return false;
            if (next.ptr[0] == '.' && !policy->keep_dots && starts_with_dots(next))
                return false;
        } else if (c == '%') {
            if (!is_canon_escape(str_skip(raw, i), policy))
                return false;
            i += ESCAPE_BYTES - 1;
        } else if (!ascii_is(c, ASCII_PCHAR)) {
            return false;
        }
    }
    return true;
}

// A canonical path in the making. It begins with '/'.
struct canon {
    const struct url_path_policy *policy; // borrows
    char *out;                            // borrows: room for an escape per raw byte
    size_t len;
    size_t segment; // where the segment being written begins, behind its '/'
};

static void put_escape(struct canon *c, uint8_t value)
{
    static const char digits[] = "0123456789ABCDEF";
    c->out[c->len++] = '%';
    c->out[c->len++] = digits[value >> 4];
    c->out[c->len++] = digits[value & 15];
}

// Resolves the written segment when it is "." or ".." (RFC 3986 5.2.4); *ret_is_dots tells. What
// remains ends with '/'.
static enum err resolve_dots(struct canon *c, bool *ret_is_dots)
{
    struct str segment = {c->out + c->segment, c->len - c->segment};
    bool is_parent = str_eq(segment, STR(".."));
    *ret_is_dots = !c->policy->keep_dots && (is_parent || str_eq(segment, STR(".")));
    if (!*ret_is_dots)
        return ERR_OK;
    c->len = c->segment;
    if (is_parent) {
        if (c->len == 1)
            return ERR_RANGE;
        c->len = str_rfind((struct str){c->out, c->len - 1}, '/') + 1;
        c->segment = c->len;
    }
    return ERR_OK;
}

static enum err put_slash(struct canon *c)
{
    bool is_dots;
    enum err err = resolve_dots(c, &is_dots);
    if (err != ERR_OK || is_dots)
        return err;
    if (c->policy->merge_slashes && c->len == c->segment)
        return ERR_OK;
    c->out[c->len++] = '/';
    c->segment = c->len;
    return ERR_OK;
}

// Puts a byte that the raw path holds, as itself or escaped.
static enum err put_byte(struct canon *c, uint8_t value, bool was_escaped)
{
    if (value == '\0' && !c->policy->allow_nul)
        return ERR_SYNTAX;
    bool is_hidden_slash = value == '\\' || (value == '/' && was_escaped);
    if (is_hidden_slash && c->policy->reject_slash)
        return ERR_SYNTAX;
    if (value == '/' && (!was_escaped || c->policy->decode_slash))
        return put_slash(c);
    if (is_unreserved((char)value) || (!was_escaped && ascii_is((char)value, ASCII_PCHAR)))
        c->out[c->len++] = (char)value;
    else
        put_escape(c, value);
    return ERR_OK;
}

static enum err canonise(struct str raw, struct canon *c)
{
    c->out[c->len++] = '/';
    c->segment = 1;
    enum err err = ERR_OK;
    for (size_t i = 1; i < raw.len && err == ERR_OK; i++) {
        if (raw.ptr[i] != '%') {
            err = put_byte(c, (uint8_t)raw.ptr[i], false);
            continue;
        }
        int value = escape_value(str_skip(raw, i));
        if (value < 0)
            return ERR_SYNTAX;
        err = put_byte(c, (uint8_t)value, true);
        i += ESCAPE_BYTES - 1;
    }
    bool is_dots;
    return err == ERR_OK ? resolve_dots(c, &is_dots) : err;
}

enum err url_path_canon(struct str raw, const struct url_path_policy *policy, struct arena *mem,
                        struct str *ret)
{
    if (raw.len == 0 || raw.ptr[0] != '/')
        return ERR_SYNTAX;
    if (LIKELY(is_canon(raw, policy))) {
        *ret = raw;
        return ERR_OK;
    }
    struct canon c = {.policy = policy, .out = arena_alloc(mem, raw.len, ESCAPE_BYTES, 1)};
    if (!c.out)
        return ERR_LIMIT;
    enum err err = canonise(raw, &c);
    if (err == ERR_OK)
        *ret = (struct str){c.out, c.len};
    return err;
}

static bool is_dot_segment(struct str segment)
{
    size_t n_dots = 0;
    while (segment.len > 0) {
        bool is_escape = str_istarts(segment, STR("%2e"));
        if (!is_escape && segment.ptr[0] != '.')
            return false;
        segment = str_skip(segment, is_escape ? 3 : 1);
        n_dots++;
    }
    return n_dots == 1 || n_dots == 2;
}

bool url_path_has_dots(struct str path)
{
    struct str segment;
    for (bool goes_on = true; goes_on;) {
        goes_on = str_cut(path, '/', &segment, &path);
        if (is_dot_segment(segment))
            return true;
    }
    return false;
}

// --- query ---

struct str url_decode(struct str s, bool plus_is_space, struct arena *mem)
{
    if (str_find(s, '%') == STR_NPOS && (!plus_is_space || str_find(s, '+') == STR_NPOS))
        return s;
    char *out = ARENA_ARRAY(mem, char, s.len);
    if (!out)
        return STR_NONE;
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        int value = c == '%' ? escape_value(str_skip(s, i)) : -1;
        if (value >= 0) {
            c = (char)value;
            i += ESCAPE_BYTES - 1;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[len++] = c;
    }
    return (struct str){out, len};
}

bool url_query_next(struct str *rest, struct str *ret_name, struct str *ret_value)
{
    while (rest->len > 0) {
        struct str pair;
        str_cut(*rest, '&', &pair, rest);
        if (pair.len > 0) {
            str_cut(pair, '=', ret_name, ret_value);
            return true;
        }
    }
    return false;
}
