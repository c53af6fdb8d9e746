// SPDX-License-Identifier: Apache-2.0
#include "http/h2_fields.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/writer.h"

#define FIELD_EXTRA_BYTES 32 // that a field counts beside its texts (RFC 9113 10.5.1)
#define COOKIE_SHORT_BYTES 20

enum pseudo {
    PSEUDO_METHOD = 1,
    PSEUDO_SCHEME = 2,
    PSEUDO_AUTHORITY = 4,
    PSEUDO_PATH = 8,
    PSEUDO_PROTOCOL = 16,
    PSEUDO_STATUS = 32,
};

// --- what a peer sends ---

void h2_section_init(struct h2_section *s, enum h2_section_kind kind, struct headers *to,
                     const struct h1_limits *limits)
{
    *s = (struct h2_section){.to = to, .limits = limits, .kind = kind, .length = -1};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static enum h2_error check_value(struct str value)
{
    if (!ascii_all(value, ASCII_VALUE))
        return H2_ERROR_VALUE;
    if (value.len > 0 && (is_space(value.ptr[0]) || is_space(value.ptr[value.len - 1])))
        return H2_ERROR_SPACE;
    return H2_ERROR_NONE;
}

static bool is_lower_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned classes = ascii_table[(uint8_t)name.ptr[i]];
        if ((classes & ASCII_TOKEN) == 0 || (classes & ASCII_UPPER) != 0)
            return false;
    }
    return name.len > 0;
}

static enum h2_error take_status(struct h2_section *s, struct str value)
{
    uint64_t status;
    if (value.len != 3 || num_dec(value, 599, &status) != ERR_OK || status < 100 || status == 101)
        return H2_ERROR_STATUS; // 101 has no meaning here (RFC 9113 8.6)
    s->status = (uint16_t)status;
    return H2_ERROR_NONE;
}

static enum h2_error copy(const struct h2_section *s, struct str from, struct str *ret)
{
    *ret = arena_dup(s->to->mem, from);
    return ret->ptr ? H2_ERROR_NONE : H2_ERROR_MEMORY;
}

static enum h2_error take_pseudo(struct h2_section *s, struct str name, struct str value)
{
    static const struct {
        struct str name;
        enum pseudo bit;
        enum h2_section_kind kind;
    } known[] = {
        {STR_INIT(":method"), PSEUDO_METHOD, H2_SECTION_REQUEST},
        {STR_INIT(":scheme"), PSEUDO_SCHEME, H2_SECTION_REQUEST},
        {STR_INIT(":authority"), PSEUDO_AUTHORITY, H2_SECTION_REQUEST},
        {STR_INIT(":path"), PSEUDO_PATH, H2_SECTION_REQUEST},
        {STR_INIT(":protocol"), PSEUDO_PROTOCOL, H2_SECTION_REQUEST},
        {STR_INIT(":status"), PSEUDO_STATUS, H2_SECTION_RESPONSE},
    };
    size_t i = 0;
    while (i < ARRAY_LEN(known) && !str_eq(known[i].name, name))
        i++;
    if (i == ARRAY_LEN(known) || known[i].kind != s->kind)
        return H2_ERROR_PSEUDO;
    if (s->has_fields)
        return H2_ERROR_PSEUDO_ORDER;
    if ((s->seen & known[i].bit) != 0)
        return H2_ERROR_PSEUDO_TWICE;
    s->seen |= (uint8_t)known[i].bit;
    switch (known[i].bit) {
    case PSEUDO_METHOD:
        return copy(s, value, &s->method);
    case PSEUDO_SCHEME:
        return copy(s, value, &s->scheme);
    case PSEUDO_AUTHORITY:
        return copy(s, value, &s->authority);
    case PSEUDO_PATH:
        return copy(s, value, &s->path);
    case PSEUDO_PROTOCOL:
        return copy(s, value, &s->protocol);
    case PSEUDO_STATUS:
        break;
    }
    return take_status(s, value);
}

static enum h2_error take_length(struct h2_section *s, struct str value)
{
    uint64_t length;
    if (s->length >= 0 || num_dec(value, INT64_MAX, &length) != ERR_OK)
        return H2_ERROR_LENGTH_FORM;
    s->length = (int64_t)length;
    return H2_ERROR_NONE;
}

static enum h2_error check_field(struct h2_section *s, const struct field *f)
{
    bool is_request = s->kind == H2_SECTION_REQUEST;
    switch (f->id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
        return H2_ERROR_HOP;
    case FIELD_TE:
        if (!is_request)
            return H2_ERROR_HOP;
        s->takes_trailers = true;
        return str_ieq(f->value, STR("trailers")) ? H2_ERROR_NONE : H2_ERROR_TE;
    }
    if (s->kind == H2_SECTION_TRAILERS)
        return h1_field_may_trail(f) ? H2_ERROR_NONE : H2_ERROR_TRAILER;
    switch (f->id) {
    case FIELD_CONTENT_LENGTH:
        return take_length(s, f->value);
    case FIELD_HOST:
        return is_request && headers_find(s->to, FIELD_HOST) ? H2_ERROR_HOST_TWICE : H2_ERROR_NONE;
    case FIELD_EXPECT:
        s->expects_continue |= is_request && h1_list_has(f->value, STR("100-continue"));
        return H2_ERROR_NONE;
    case FIELD_COOKIE:
        s->n_cookies++;
        return H2_ERROR_NONE;
    }
    return H2_ERROR_NONE;
}

static enum h2_error take_field(struct h2_section *s, struct str name, struct str value)
{
    enum field_id id = field_id_of(name);
    struct field f = {.name = name, .value = value, .id = (uint16_t)id};
    s->has_fields = true;
    enum h2_error e = check_field(s, &f);
    if (e != H2_ERROR_NONE)
        return e;
    if (id != FIELD_OTHER)
        f.name = field_name(id);
    else if (copy(s, name, &f.name) != H2_ERROR_NONE)
        return H2_ERROR_MEMORY;
    if (value.len > 0 && copy(s, value, &f.value) != H2_ERROR_NONE)
        return H2_ERROR_MEMORY;
    enum err err = id != FIELD_OTHER ? headers_add(s->to, id, f.value)
                                     : headers_add_named(s->to, f.name, f.value);
    return err == ERR_OK ? H2_ERROR_NONE : H2_ERROR_MEMORY;
}

static enum h2_error add(struct h2_section *s, struct str name, struct str value)
{
    if (s->bytes > s->limits->head_max_bytes)
        return H2_ERROR_HEAD_LENGTH;
    if (s->n_fields > s->limits->fields_max)
        return H2_ERROR_FIELD_COUNT;
    enum h2_error e = check_value(value);
    if (e != H2_ERROR_NONE)
        return e;
    if (name.len > 0 && name.ptr[0] == ':')
        return take_pseudo(s, name, value);
    return is_lower_token(name) ? take_field(s, name, value) : H2_ERROR_NAME;
}

void h2_section_add(struct h2_section *s, struct str name, struct str value)
{
    s->bytes += name.len + value.len + FIELD_EXTRA_BYTES;
    s->n_fields++;
    if (s->error == H2_ERROR_NONE)
        s->error = add(s, name, value);
}

static bool has(const struct h2_section *s, unsigned pseudo)
{
    return (s->seen & pseudo) == pseudo;
}

static enum h2_error check_target(const struct h2_section *s)
{
    bool is_asterisk = str_eq(s->path, STR("*")) && str_eq(s->method, STR("OPTIONS"));
    if (!str_ieq(s->scheme, STR("http")) && !str_ieq(s->scheme, STR("https")))
        return H2_ERROR_SCHEME;
    if ((!is_asterisk && !str_starts(s->path, STR("/"))) || !ascii_all(s->path, ASCII_TARGET))
        return H2_ERROR_PATH;
    // "GET /path HTTP/1.1" is what it would have been.
    if (s->method.len + s->path.len + STR("  HTTP/1.1").len > s->limits->line_max_bytes)
        return H2_ERROR_PATH_LENGTH;
    return H2_ERROR_NONE;
}

static enum h2_error check_pseudo(const struct h2_section *s)
{
    if (!has(s, PSEUDO_METHOD))
        return H2_ERROR_PSEUDO_MISSING;
    if (s->method.len == 0 || !ascii_all(s->method, ASCII_TOKEN))
        return H2_ERROR_METHOD;
    bool is_connect = str_eq(s->method, STR("CONNECT"));
    if (has(s, PSEUDO_PROTOCOL) && (!is_connect || !has(s, PSEUDO_AUTHORITY)))
        return H2_ERROR_CONNECT;
    if (is_connect && !has(s, PSEUDO_PROTOCOL))
        return s->seen == (PSEUDO_METHOD | PSEUDO_AUTHORITY) ? H2_ERROR_NONE : H2_ERROR_CONNECT;
    if (!has(s, PSEUDO_SCHEME | PSEUDO_PATH))
        return H2_ERROR_PSEUDO_MISSING;
    if (has(s, PSEUDO_PROTOCOL) && (s->protocol.len == 0 || !ascii_all(s->protocol, ASCII_TOKEN)))
        return H2_ERROR_CONNECT;
    return check_target(s);
}

// RFC 3986 6.2.3: what a port says that is the scheme's is said without it.
static struct str without_default_port(struct str authority, struct str scheme)
{
    size_t at = authority.len;
    while (at > 0 && ascii_is(authority.ptr[at - 1], ASCII_DIGIT))
        at--;
    if (at == 0 || authority.ptr[at - 1] != ':')
        return authority;
    struct str host = str_from(authority.ptr, at - 1), port = str_skip(authority, at);
    struct str usual = str_ieq(scheme, STR("https")) ? STR("443") : STR("80");
    return port.len == 0 || str_eq(port, usual) ? host : authority;
}

static bool is_same_host(const struct h2_section *s, struct str a, struct str b)
{
    return str_ieq(a, b) ||
           str_ieq(without_default_port(a, s->scheme), without_default_port(b, s->scheme));
}

// RFC 9113 8.3.1: towards HTTP/1.1, Host is made of :authority.
static enum h2_error settle_host(struct h2_section *s)
{
    const struct field *host = headers_find(s->to, FIELD_HOST);
    bool has_authority = has(s, PSEUDO_AUTHORITY);
    struct str authority = has_authority ? s->authority : host ? host->value : STR_NONE;
    if (authority.len == 0)
        return H2_ERROR_HOST_MISSING;
    if (!ascii_all(authority, ASCII_TARGET))
        return H2_ERROR_HOST_FORM;
    if (!has_authority)
        return H2_ERROR_NONE;
    if (host && !is_same_host(s, host->value, authority))
        return H2_ERROR_HOST_DIFFERS;
    enum err err = headers_set(s->to, FIELD_HOST, authority);
    return err == ERR_OK ? H2_ERROR_NONE : H2_ERROR_MEMORY;
}

// RFC 9113 8.2.3.
static enum h2_error join_cookies(struct h2_section *s)
{
    size_t n = 0;
    for (const struct field *f = headers_next(s->to, NULL); f; f = headers_next(s->to, f))
        n += f->id == FIELD_COOKIE ? f->value.len + STR("; ").len : 0;
    char *text = ARENA_ARRAY(s->to->mem, char, n);
    if (!text)
        return H2_ERROR_MEMORY;
    struct writer w;
    writer_init(&w, text, n);
    for (const struct field *f = headers_next(s->to, NULL); f; f = headers_next(s->to, f)) {
        if (f->id != FIELD_COOKIE || f->value.len == 0)
            continue;
        writer_put(&w, w.len > 0 ? STR("; ") : STR_NONE);
        writer_put(&w, f->value);
    }
    ASSERT(!w.overflowed);
    enum err err = headers_set(s->to, FIELD_COOKIE, writer_str(&w));
    return err == ERR_OK ? H2_ERROR_NONE : H2_ERROR_MEMORY;
}

enum h2_error h2_section_end(struct h2_section *s)
{
    if (s->error != H2_ERROR_NONE)
        return s->error;
    switch (s->kind) {
    case H2_SECTION_REQUEST:
        s->error = check_pseudo(s);
        if (s->error == H2_ERROR_NONE)
            s->error = settle_host(s);
        if (s->error == H2_ERROR_NONE && s->n_cookies > 1)
            s->error = join_cookies(s);
        break;
    case H2_SECTION_RESPONSE:
        s->error = has(s, PSEUDO_STATUS) ? H2_ERROR_NONE : H2_ERROR_PSEUDO_MISSING;
        break;
    case H2_SECTION_TRAILERS:
        break;
    }
    return s->error;
}

nghttp2_extpri h2_priority_parse(struct str value)
{
    nghttp2_extpri p = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY};
    struct str member, name, given;
    while (str_next_item(&value, ',', &member)) {
        bool has_value = str_cut(member, '=', &name, &given);
        bool is_digit = given.len == 1 && given.ptr[0] >= '0' && given.ptr[0] <= '7';
        if (str_eq(name, STR("u")) && has_value && is_digit)
            p.urgency = (uint32_t)(given.ptr[0] - '0');
        else if (str_eq(name, STR("i")) && (!has_value || str_eq(given, STR("?1"))))
            p.inc = 1;
        else if (str_eq(name, STR("i")) && str_eq(given, STR("?0")))
            p.inc = 0;
    }
    return p;
}

// --- what is sent ---

// The known names in lower case, made by the compiler.
#define NAME_BYTES 32
#define BYTE(s, i) ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : '\0')
#define L1(s, i) ((char)(BYTE(s, i) >= 'A' && BYTE(s, i) <= 'Z' ? BYTE(s, i) | 0x20 : BYTE(s, i)))
#define L4(s, i) L1(s, i), L1(s, (i) + 1), L1(s, (i) + 2), L1(s, (i) + 3)
#define L16(s, i) L4(s, i), L4(s, (i) + 4), L4(s, (i) + 8), L4(s, (i) + 12)

static const char lower_names[][NAME_BYTES] = {[FIELD_OTHER] = "",
#define X(id, text) [FIELD_##id] = {L16(text, 0u), L16(text, 16u)},
                                               FIELD_LIST(X)
#undef X
};

#define X(id, text) _Static_assert(sizeof(text) <= NAME_BYTES, "a name is too long");
FIELD_LIST(X)
#undef X

#define FIELDS_OF_HOP                                                                              \
    (FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_KEEP_ALIVE) |                                   \
     FIELD_BIT(FIELD_PROXY_CONNECTION) | FIELD_BIT(FIELD_TRANSFER_ENCODING) |                      \
     FIELD_BIT(FIELD_TE) | FIELD_BIT(FIELD_UPGRADE) | FIELD_BIT(FIELD_HTTP2_SETTINGS))

void h2_list_init(struct h2_list *l, struct arena *mem, struct h2_list_room *room, size_t n,
                  const struct headers *h)
{
    *l = (struct h2_list){.mem = mem, .cap = n + (h ? h->n : 0)};
    bool fits = room && l->cap <= ARRAY_LEN(room->items);
    l->items = fits ? room->items : ARENA_ARRAY(mem, nghttp2_nv, l->cap);
    l->is_failed = !l->items;
}

static void put(struct h2_list *l, struct str name, struct str value, bool may_index)
{
    if (l->is_failed)
        return;
    ASSERT(l->n < l->cap);
    unsigned flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE |
                     (may_index ? 0 : NGHTTP2_NV_FLAG_NO_INDEX);
    // WHY: the members aren't const because nghttp2 copies into the same struct; it writes to none.
    l->items[l->n++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .namelen = name.len,
        .value = (uint8_t *)(uintptr_t)(value.len > 0 ? value.ptr : ""),
        .valuelen = value.len,
        .flags = (uint8_t)flags,
    };
}

void h2_list_add(struct h2_list *l, struct str name, struct str value)
{
    put(l, name, value, true);
}

void h2_list_add_once(struct h2_list *l, struct str name, struct str value)
{
    put(l, name, value, false);
}

void h2_list_add_number(struct h2_list *l, struct str name, uint64_t value)
{
    enum { DIGITS_MAX = 20 };
    struct writer w;
    char *text = ARENA_ARRAY(l->mem, char, DIGITS_MAX);
    if (!text) {
        l->is_failed = true;
        return;
    }
    writer_init(&w, text, DIGITS_MAX);
    writer_dec(&w, value);
    put(l, name, writer_str(&w), true);
}

static bool has_upper(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (ascii_is(name.ptr[i], ASCII_UPPER))
            return true;
    }
    return false;
}

// ptr is NULL: the arena is full.
static struct str lower_name(struct arena *mem, const struct field *f)
{
    if (f->id != FIELD_OTHER)
        return str_from(lower_names[f->id], f->name.len);
    if (!has_upper(f->name))
        return f->name;
    char *text = ARENA_ARRAY(mem, char, f->name.len);
    for (size_t i = 0; text && i < f->name.len; i++)
        text[i] = ascii_lower(f->name.ptr[i]);
    return str_from(text, f->name.len);
}

// What a guess at the compressed length must not find out. Long cookies are too much to guess.
static bool is_secret(const struct field *f)
{
    return f->id == FIELD_AUTHORIZATION || f->id == FIELD_PROXY_AUTHORIZATION ||
           f->id == FIELD_SET_COOKIE ||
           (f->id == FIELD_COOKIE && f->value.len < COOKIE_SHORT_BYTES);
}

void h2_list_add_headers(struct h2_list *l, const struct headers *h, uint64_t skip)
{
    skip |= FIELDS_OF_HOP;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        if ((skip & FIELD_BIT(f->id)) != 0)
            continue;
        struct str name = lower_name(l->mem, f);
        l->is_failed |= !name.ptr;
        put(l, name, f->value, !is_secret(f));
    }
}

static uint8_t *keep_text(struct h2_list *l, const uint8_t *text, size_t n)
{
    struct str copy = arena_dup(l->mem, str_from((const char *)text, n));
    l->is_failed |= !copy.ptr;
    return (uint8_t *)(uintptr_t)copy.ptr; // WHY: as in put
}

void h2_list_keep_texts(struct h2_list *l)
{
    for (nghttp2_nv *v = l->items; !l->is_failed && v < l->items + l->n; v++) {
        v->name = keep_text(l, v->name, v->namelen);
        v->value = keep_text(l, v->value, v->valuelen);
    }
}
