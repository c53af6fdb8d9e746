// SPDX-License-Identifier: Apache-2.0
// What the fields of a head say about its message (RFC 9112 3.2, 6 and 9.3).
#include "codec/h1.h"

#include "base/ascii.h"
#include "base/num.h"

#define PORT_MAX 65535

// The fields that matter for framing, gathered in one pass.
struct marks {
    struct str host;
    struct str coding;  // the only item of Transfer-Encoding
    uint64_t length;    // the only item of Content-Length
    uint32_t n_hosts;   // fields
    uint32_t n_codings; // items
    uint32_t n_lengths; // items
    uint32_t n_options; // items of Connection
    bool has_coding;    // a Transfer-Encoding field is there, whatever is in it
    unsigned n_chunked; // among the items
    bool has_upgrade;
    bool says_close, says_keep_alive, says_upgrade; // Connection
    bool expects_continue;
    bool has_te_trailers;
};

bool h1_list_has(struct str value, struct str element)
{
    struct str item;
    while (str_next_item(&value, ',', &item)) {
        if (str_ieq(item, element))
            return true;
    }
    return false;
}

// Takes the next element of a list off *rest, trimmed, empty ones too: where framing depends on a
// list, an empty element is refused, not skipped.
static struct str next_element(struct str *rest, bool *ret_is_last)
{
    struct str element;
    *ret_is_last = !str_cut(*rest, ',', &element, rest);
    return str_trim(element);
}

// RFC 9110 8.6 lets a recipient take several identical numbers for one. They are counted here and
// refused later: no honest sender makes them, and not every server behind us reads them so.
static enum h1_error mark_lengths(struct marks *m, struct str value)
{
    if (m->n_lengths == 0 && num_dec(value, INT64_MAX, &m->length) == ERR_OK) { // the usual one
        m->n_lengths = 1;
        return H1_ERROR_NONE;
    }
    for (bool is_last = false; !is_last; m->n_lengths++) {
        uint64_t length;
        if (num_dec(next_element(&value, &is_last), INT64_MAX, &length) != ERR_OK)
            return H1_ERROR_LENGTH_FORM;
        if (m->n_lengths > 0 && length != m->length)
            return H1_ERROR_LENGTH_DIFFERS;
        m->length = length;
    }
    return H1_ERROR_NONE;
}

// No coding that is known here has parameters (RFC 9112 7.1 has none for chunked), so an item is
// a token, or refused.
static enum h1_error mark_codings(struct marks *m, struct str value)
{
    m->has_coding = true;
    for (bool is_last = false; !is_last; m->n_codings++) {
        m->coding = next_element(&value, &is_last);
        if (m->coding.len == 0 || !ascii_all(m->coding, ASCII_TOKEN))
            return H1_ERROR_CODING_FORM;
        m->n_chunked += str_ieq(m->coding, STR("chunked"));
    }
    return H1_ERROR_NONE;
}

static enum h1_error mark_connection(struct marks *m, struct str value)
{
    if (str_eq(value, STR("keep-alive"))) { // what nearly all fields say
        m->says_keep_alive = true;
        return H1_ERROR_NONE;
    }
    struct str item;
    while (str_next_item(&value, ',', &item)) {
        if (++m->n_options > H1_OPTIONS_MAX)
            return H1_ERROR_OPTION_COUNT;
        m->says_close |= str_ieq(item, STR("close"));
        m->says_keep_alive |= str_ieq(item, STR("keep-alive"));
        m->says_upgrade |= str_ieq(item, STR("upgrade"));
    }
    return H1_ERROR_NONE;
}

#define FRAMING_FIELDS                                                                             \
    (FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_CONTENT_LENGTH) |                                     \
     FIELD_BIT(FIELD_TRANSFER_ENCODING) | FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_UPGRADE) | \
     FIELD_BIT(FIELD_EXPECT) | FIELD_BIT(FIELD_TE))

static enum h1_error mark_fields(const struct field *fields, size_t n, struct marks *m)
{
    for (const struct field *f = fields; f < fields + n; f++) {
        if ((FIELD_BIT(f->id) & FRAMING_FIELDS) == 0)
            continue;
        enum h1_error e = H1_ERROR_NONE;
        switch (f->id) {
        case FIELD_HOST:
            m->host = f->value;
            m->n_hosts++;
            break;
        case FIELD_CONTENT_LENGTH:
            e = mark_lengths(m, f->value);
            break;
        case FIELD_TRANSFER_ENCODING:
            e = mark_codings(m, f->value);
            break;
        case FIELD_CONNECTION:
            e = mark_connection(m, f->value);
            break;
        case FIELD_UPGRADE:
            m->has_upgrade |= f->value.len > 0;
            break;
        case FIELD_EXPECT:
            m->expects_continue |= h1_list_has(f->value, STR("100-continue"));
            break;
        case FIELD_TE:
            m->has_te_trailers |= h1_list_has(f->value, STR("trailers"));
            break;
        }
        if (e != H1_ERROR_NONE)
            return e;
    }
    return H1_ERROR_NONE;
}

// How many bytes at the start of s are a reg-name or an IPv4address (RFC 3986 3.2.2), which have
// the same bytes.
static size_t reg_name_bytes(struct str s)
{
    size_t i = 0;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (ascii_is(c, ASCII_ALPHA | ASCII_DIGIT))
            continue;
        if (c == '%') { // pct-encoded
            if (s.len - i < 3 || !ascii_is(s.ptr[i + 1], ASCII_HEX) ||
                !ascii_is(s.ptr[i + 2], ASCII_HEX))
                break;
            i += 2;
        } else if (!ascii_is(c, ASCII_PCHAR) || c == '/' || c == ':' || c == '@') {
            break;
        }
    }
    return i;
}

// IPv6address by its bytes. IPvFuture and zone ids are refused: nothing on the net has them.
static bool is_ip_literal(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is(s.ptr[i], ASCII_HEX) && s.ptr[i] != ':' && s.ptr[i] != '.')
            return false;
    }
    return s.len >= 2 && str_find(s, ':') != STR_NPOS;
}

// uri-host [ ":" port ] (RFC 9110 7.2). Whether the name makes sense is seen where it is used.
static bool is_host(struct str value)
{
    struct str rest;
    if (value.len > 0 && value.ptr[0] == '[') {
        struct str address;
        if (!str_cut(str_skip(value, 1), ']', &address, &rest) || !is_ip_literal(address))
            return false;
    } else {
        rest = str_skip(value, reg_name_bytes(value));
        if (rest.len == value.len)
            return false;
    }
    if (rest.len == 0)
        return true;
    uint64_t port;
    return rest.ptr[0] == ':' && rest.len <= 6 &&
           num_dec(str_skip(rest, 1), PORT_MAX, &port) == ERR_OK;
}

static enum h1_error check_host(const struct marks *m, uint8_t minor)
{
    if (m->n_hosts == 0)
        return minor > 0 ? H1_ERROR_HOST_MISSING : H1_ERROR_NONE;
    if (m->n_hosts > 1)
        return H1_ERROR_HOST_TWICE;
    return is_host(m->host) ? H1_ERROR_NONE : H1_ERROR_HOST_FORM;
}

// Both sides: what is malformed or contradicts itself is refused even where it wouldn't matter.
static enum h1_error check_body(const struct marks *m, uint8_t minor)
{
    if (m->has_coding && m->n_lengths > 0)
        return H1_ERROR_LENGTH_AND_CODING;
    if (m->has_coding && minor == 0)
        return H1_ERROR_CODING_VERSION;
    bool ends_chunked = m->n_chunked == 1 && str_ieq(m->coding, STR("chunked"));
    if (m->n_chunked > 0 && !ends_chunked)
        return H1_ERROR_CODING_ORDER;
    if (m->has_coding && (m->n_codings > 1 || !ends_chunked))
        return H1_ERROR_CODING_UNKNOWN;
    return m->n_lengths > 1 ? H1_ERROR_LENGTH_FORM : H1_ERROR_NONE;
}

static bool keeps_alive(const struct marks *m, uint8_t minor)
{
    return !m->says_close && (minor > 0 || m->says_keep_alive);
}

enum h1_error h1_request_framing(const struct h1_request *r, struct h1_framing *ret)
{
    struct marks m = {0};
    enum h1_error e = mark_fields(r->fields, r->n_fields, &m);
    if (e == H1_ERROR_NONE)
        e = check_body(&m, r->minor);
    if (e == H1_ERROR_NONE)
        e = check_host(&m, r->minor);
    if (e != H1_ERROR_NONE)
        return e;
    *ret = (struct h1_framing){
        .body = m.has_coding   ? H1_BODY_CHUNKED
                : m.length > 0 ? H1_BODY_LENGTH
                               : H1_BODY_NONE,
        .length = m.length,
        .keep_alive = keeps_alive(&m, r->minor),
        .expect_continue = m.expects_continue && r->minor > 0,
        .wants_upgrade = m.says_upgrade && m.has_upgrade && r->minor > 0,
        .has_te_trailers = m.has_te_trailers,
    };
    return H1_ERROR_NONE;
}

enum h1_error h1_response_framing(const struct h1_response *r, enum method request_method,
                                  struct h1_framing *ret)
{
    struct marks m = {0};
    enum h1_error e = mark_fields(r->fields, r->n_fields, &m);
    if (e == H1_ERROR_NONE)
        e = check_body(&m, r->minor);
    if (e != H1_ERROR_NONE)
        return e;
    bool is_bodiless_status = r->status < 200 || r->status == 204;
    // RFC 9112 6.1 forbids the sender this. Some would read chunks after it, some not.
    if (is_bodiless_status && m.has_coding)
        return H1_ERROR_CODING_STATUS;

    *ret = (struct h1_framing){
        .length = m.length,
        .keep_alive = keeps_alive(&m, r->minor),
        .wants_upgrade = m.says_upgrade && m.has_upgrade && r->minor > 0,
    };
    if (is_bodiless_status || r->status == 304 || request_method == METHOD_HEAD) {
        ret->body = H1_BODY_NONE;
        // A length has no meaning here (RFC 9112 6.3, rule 1), but who sends one with 204 may send
        // the bytes as well, and they would be taken for the next answer.
        if (is_bodiless_status && m.length > 0)
            ret->keep_alive = false;
    } else if (m.has_coding) {
        ret->body = H1_BODY_CHUNKED;
    } else if (m.n_lengths > 0) {
        ret->body = H1_BODY_LENGTH;
    } else {
        ret->body = H1_BODY_UNTIL_CLOSE;
        ret->keep_alive = false;
    }
    return H1_ERROR_NONE;
}
