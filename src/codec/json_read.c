// SPDX-License-Identifier: Apache-2.0
#include "codec/json_read.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "codec/json.h"

struct reader {
    struct str rest;
    struct arena *mem;
    unsigned depth;
    const char *why; // NULL: nothing is wrong
};

static struct json *read_value(struct reader *r);

static void *fail(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return NULL;
}

static char peek(const struct reader *r)
{
    return r->rest.len > 0 ? *r->rest.ptr : '\0';
}

static void skip_space(struct reader *r)
{
    while (r->rest.len > 0 && memchr(" \t\r\n", *r->rest.ptr, 4))
        r->rest = str_skip(r->rest, 1);
}

// Behind white space. False: another byte is there.
static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (r->rest.len == 0 || *r->rest.ptr != c)
        return false;
    r->rest = str_skip(r->rest, 1);
    return true;
}

// --- strings ---

static bool read_hex4(struct reader *r, uint32_t *ret)
{
    uint64_t code;
    if (r->rest.len < 4 || num_hex(str_first(r->rest, 4), 0xffff, &code) != ERR_OK)
        return false;
    r->rest = str_skip(r->rest, 4);
    *ret = (uint32_t)code;
    return true;
}

// Behind "\u". A pair of surrogates stands for one code point; one alone for none.
static bool read_unicode(struct reader *r, uint32_t *ret)
{
    uint32_t low;
    if (!read_hex4(r, ret))
        return false;
    if (*ret < 0xd800 || *ret > 0xdfff)
        return true;
    if (*ret > 0xdbff || !str_starts(r->rest, STR("\\u")))
        return false;
    r->rest = str_skip(r->rest, 2);
    if (!read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

// Behind the backslash.
static bool read_escape(struct reader *r, uint32_t *ret)
{
    static const char letters[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
    if (r->rest.len == 0)
        return false;
    char c = *r->rest.ptr;
    r->rest = str_skip(r->rest, 1);
    if (c == 'u')
        return read_unicode(r, ret);
    const char *at = c == '\0' ? NULL : strchr(letters, c);
    if (at)
        *ret = (uint8_t)codes[at - letters];
    return at != NULL;
}

// Up to the end of a string without escapes; its bytes as they are, or (an escape comes) NULL.
static bool scan_plain(struct reader *r, struct str *ret)
{
    struct str s = r->rest;
    size_t at = 0;
    uint32_t code;
    while (at < s.len && s.ptr[at] != '"' && s.ptr[at] != '\\') {
        size_t len = utf8_decode(str_skip(s, at), &code);
        if (len == 0 || code < ' ') {
            fail(r, "a string has a byte that must be escaped, or isn't UTF-8");
            return false;
        }
        at += len;
    }
    *ret = str_first(s, at);
    r->rest = str_skip(s, at);
    return true;
}

// The pieces between escapes, and what these stand for, into buf, which has room for all of it.
static bool decode(struct reader *r, char *buf, size_t *ret_len)
{
    struct str piece;
    uint32_t code;
    char *at = buf;
    for (;;) {
        if (!scan_plain(r, &piece))
            return false;
        at = str_copy(at, piece);
        char c = peek(r);
        r->rest = str_skip(r->rest, 1);
        if (c == '"')
            break;
        if (c != '\\' || !read_escape(r, &code)) {
            fail(r, c == '\\' ? "a string has a malformed escape" : "a string has no end");
            return false;
        }
        at += utf8_encode(code, at);
    }
    *ret_len = (size_t)(at - buf);
    return true;
}

// The closing quote, should every one of them be escaped: no string is longer than that.
static size_t string_bound(struct str s)
{
    size_t at = 0;
    while (at < s.len && s.ptr[at] != '"')
        at += s.ptr[at] == '\\' ? 2 : 1;
    return MIN(at, s.len);
}

// Behind the opening quote. What an escape stands for is never longer than the escape.
static bool read_string(struct reader *r, struct str *ret)
{
    struct str start = r->rest;
    if (!scan_plain(r, ret))
        return false;
    if (peek(r) == '"') {
        r->rest = str_skip(r->rest, 1);
        return true;
    }
    r->rest = start;
    char *buf = ARENA_ARRAY(r->mem, char, string_bound(start) + UTF8_MAX_BYTES);
    size_t len = 0;
    if (!buf) {
        fail(r, "it needs too much memory");
        return false;
    }
    if (!decode(r, buf, &len))
        return false;
    *ret = str_from(buf, len);
    return true;
}

// --- numbers ---

static size_t count_digits(struct str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.len && ascii_is(s.ptr[at + n], ASCII_DIGIT))
        n++;
    return n;
}

// The length of the number at the start of s; 0: there is none (RFC 8259 6).
static size_t number_length(struct str s)
{
    size_t at = str_starts(s, STR("-")) ? 1 : 0;
    size_t digits = count_digits(s, at);
    if (digits == 0 || (digits > 1 && s.ptr[at] == '0'))
        return 0;
    at += digits;
    if (at < s.len && s.ptr[at] == '.') {
        digits = count_digits(s, at + 1);
        if (digits == 0)
            return 0;
        at += 1 + digits;
    }
    if (at < s.len && (s.ptr[at] | 0x20) == 'e') {
        size_t sign = at + 1 < s.len && (s.ptr[at + 1] == '+' || s.ptr[at + 1] == '-') ? 1 : 0;
        digits = count_digits(s, at + 1 + sign);
        if (digits == 0)
            return 0;
        at += 1 + sign + digits;
    }
    return at;
}

bool json_int(const struct json *number, int64_t *ret)
{
    if (!number || number->kind != JSON_NUMBER)
        return false;
    bool is_negative = str_starts(number->text, STR("-"));
    struct str digits = str_skip(number->text, is_negative ? 1 : 0);
    size_t n_whole = count_digits(digits, 0), n_fraction = 0;
    struct str fraction = STR_NONE, rest = str_skip(digits, n_whole);
    if (str_starts(rest, STR("."))) {
        n_fraction = count_digits(rest, 1);
        fraction = str_from(rest.ptr + 1, n_fraction);
        rest = str_skip(rest, 1 + n_fraction);
    }
    uint64_t shift = 0;
    if (rest.len > 1) { // an exponent, of which only a few positive ones fit
        struct str e = str_skip(rest, 1);
        if (num_dec(str_starts(e, STR("+")) ? str_skip(e, 1) : e, 18, &shift) != ERR_OK)
            return false;
    }
    uint64_t value;
    if (num_dec(str_first(digits, n_whole), INT64_MAX, &value) != ERR_OK)
        return false;
    for (uint64_t i = 0; i < shift; i++) {
        uint64_t digit = i < fraction.len ? (uint64_t)(fraction.ptr[i] - '0') : 0;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, digit, &value) || value > INT64_MAX)
            return false;
    }
    *ret = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

// --- values ---

static struct json *new_node(struct reader *r, enum json_kind kind)
{
    struct json *node = ARENA_NEW(r->mem, struct json);
    if (!node)
        return fail(r, "it needs too much memory");
    node->kind = kind;
    return node;
}

static struct json *read_word(struct reader *r)
{
    static const struct {
        struct str word;
        enum json_kind kind;
    } words[] = {{STR_INIT("true"), JSON_TRUE},
                 {STR_INIT("false"), JSON_FALSE},
                 {STR_INIT("null"), JSON_NULL}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_starts(r->rest, words[i].word))
            continue;
        r->rest = str_skip(r->rest, words[i].word.len);
        return new_node(r, words[i].kind);
    }
    size_t len = number_length(r->rest);
    struct json *node = len > 0 ? new_node(r, JSON_NUMBER) : fail(r, "there is no value");
    if (node)
        node->text = str_first(r->rest, len);
    r->rest = str_skip(r->rest, len);
    return node;
}

static struct json *read_array(struct reader *r)
{
    struct json *array = new_node(r, JSON_ARRAY);
    const struct json **end = array ? &array->first : NULL;
    if (!array || take(r, ']'))
        return array;
    do {
        struct json *item = read_value(r);
        if (!item)
            return NULL;
        *end = item;
        end = &item->next;
    } while (take(r, ','));
    return take(r, ']') ? array : fail(r, "an array has no end");
}

static struct json *read_member(struct reader *r, const struct json *object)
{
    struct str name;
    if (!take(r, '"'))
        return fail(r, "a name in an object is no string");
    if (!read_string(r, &name))
        return NULL;
    if (json_get(object, name))
        return fail(r, "a name is there twice in an object");
    if (!take(r, ':'))
        return fail(r, "a name in an object has no value");
    struct json *value = read_value(r);
    if (value)
        value->name = name;
    return value;
}

static struct json *read_object(struct reader *r)
{
    struct json *object = new_node(r, JSON_OBJECT);
    const struct json **end = object ? &object->first : NULL;
    if (!object || take(r, '}'))
        return object;
    unsigned n = 0;
    do {
        struct json *member = read_member(r, object);
        if (!member)
            return NULL;
        if (++n > JSON_MEMBERS_MAX)
            return fail(r, "an object has too many members");
        *end = member;
        end = &member->next;
    } while (take(r, ','));
    return take(r, '}') ? object : fail(r, "an object has no end");
}

static struct json *read_text(struct reader *r)
{
    struct json *node = new_node(r, JSON_STRING);
    return node && read_string(r, &node->text) ? node : NULL;
}

static struct json *read_value(struct reader *r)
{
    struct json *value;
    if (r->depth == JSON_DEPTH_MAX)
        return fail(r, "it is nested too deeply");
    r->depth++;
    if (take(r, '{'))
        value = read_object(r);
    else if (take(r, '['))
        value = read_array(r);
    else if (take(r, '"'))
        value = read_text(r);
    else
        value = read_word(r);
    r->depth--;
    return value;
}

// --- public ---

const struct json *json_parse(struct str in, struct arena *mem, const char **ret_why)
{
    struct reader r = {.rest = in, .mem = mem};
    const struct json *value = read_value(&r);
    skip_space(&r);
    if (value && r.rest.len > 0)
        value = fail(&r, "something follows behind the value");
    *ret_why = r.why;
    return value;
}

const struct json *json_get(const struct json *object, struct str name)
{
    const struct json *at = object && object->kind == JSON_OBJECT ? object->first : NULL;
    while (at && !str_eq(at->name, name))
        at = at->next;
    return at;
}

struct str json_get_text(const struct json *object, struct str name)
{
    const struct json *at = json_get(object, name);
    return at && at->kind == JSON_STRING ? at->text : STR_NONE;
}

void json_text_value(struct text *t, const struct json *v)
{
    switch (v->kind) {
    case JSON_NULL:
        text_put(t, STR("null"));
        return;
    case JSON_TRUE:
        text_put(t, STR("true"));
        return;
    case JSON_FALSE:
        text_put(t, STR("false"));
        return;
    case JSON_NUMBER:
        text_put(t, v->text);
        return;
    case JSON_STRING:
        json_text_str(t, v->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    text_byte(t, v->kind == JSON_ARRAY ? '[' : '{');
    for (const struct json *item = v->first; item; item = item->next) {
        if (item != v->first)
            text_byte(t, ',');
        if (v->kind == JSON_OBJECT) {
            json_text_str(t, item->name);
            text_byte(t, ':');
        }
        json_text_value(t, item); // at most JSON_DEPTH_MAX deep
    }
    text_byte(t, v->kind == JSON_ARRAY ? ']' : '}');
}
