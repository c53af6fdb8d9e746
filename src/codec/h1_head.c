// SPDX-License-Identifier: Apache-2.0
// Heads: start lines and field lines (RFC 9112 2 to 5). A head is read from left to right, and an
// error is that of the first byte that can't be right, whatever follows: so a prefix never gives
// another error than the whole.
#include "codec/h1_priv.h"

#include "base/assert.h"
#include "codec/field_priv.h"
#include "codec/h1_scan.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

// The verdict on the byte at p, which can't be there: *reterr is `otherwise`, or what a line end
// that isn't CRLF is called. A CR's verdict needs the byte after it.
static enum io refuse(const char *p, const char *end, enum h1_error otherwise,
                      enum h1_error *reterr)
{
    if (p == end || (*p == '\r' && p + 1 == end))
        return IO_AGAIN;
    if (*p == '\n')
        otherwise = H1_ERROR_BARE_LF;
    else if (*p == '\r' && p[1] != '\n')
        otherwise = H1_ERROR_BARE_CR;
    *reterr = otherwise;
    return IO_FAIL;
}

static const char *scan_token(const char *p, const char *end)
{
    while (p < end && ascii_is(*p, ASCII_TOKEN))
        p++;
    return p;
}

#define VERSION_BYTES 8 // "HTTP/1.1"

// Reads "HTTP/" DIGIT "." DIGIT (RFC 9112 2.3), case-sensitive.
static enum io parse_version(const char *p, const char *end, enum h1_error *reterr)
{
    static const char form[] = "HTTP/1.1";
    if (LIKELY(end - p >= VERSION_BYTES && memcmp(p, form, VERSION_BYTES) == 0))
        return IO_DONE;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool is_right =
            p + i < end && (form[i] == '1' ? ascii_is(p[i], ASCII_DIGIT) : p[i] == form[i]);
        if (!is_right)
            return refuse(p + i, end, H1_ERROR_VERSION, reterr);
    }
    return IO_DONE;
}

// Greater minor versions are treated as 1 (RFC 9110 2.5).
static uint8_t minor_of(const char *version)
{
    return version[7] != '0';
}

// The end of a request line, from the version on.
static enum io parse_request_version(const char *p, const char *end, struct h1_request *r,
                                     const char **ret_next, enum h1_error *reterr)
{
    if (end - p < VERSION_BYTES + 2 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != '\r' ||
        p[9] != '\n' || !ascii_is(p[7], ASCII_DIGIT)) {
        if (p < end && is_space(*p)) { // exactly one SP (RFC 9112 3)
            *reterr = H1_ERROR_LINE;
            return IO_FAIL;
        }
        enum io io = parse_version(p, end, reterr);
        if (io != IO_DONE)
            return io;
        const char *after = p + VERSION_BYTES;
        if (end - after < 2 || after[0] != '\r' || after[1] != '\n')
            return refuse(after, end,
                          after < end && is_space(*after) ? H1_ERROR_LINE : H1_ERROR_VERSION,
                          reterr);
        if (p[5] != '1') {
            *reterr = H1_ERROR_VERSION_MAJOR;
            return IO_FAIL;
        }
    }
    r->minor = minor_of(p);
    *ret_next = p + VERSION_BYTES + 2;
    return IO_DONE;
}

// method SP request-target SP HTTP-version CRLF (RFC 9112 3). An HTTP/0.9 request has no version
// and is malformed. obs-text isn't allowed in a target: RFC 3986 has no bytes above 0x7f, and
// servers disagree about their meaning.
ALWAYS_INLINE enum io parse_request_line(bool use_vector, const char *p, const char *end,
                                         struct h1_request *r, const char **ret_next,
                                         enum h1_error *reterr)
{
    const char *method_end = scan_token(p, end);
    if (method_end == end || *method_end != ' ' || method_end == p)
        return refuse(method_end, end,
                      method_end < end && *method_end == '\r' ? H1_ERROR_LINE : H1_ERROR_METHOD,
                      reterr);
    r->method = str_from(p, (size_t)(method_end - p));

    const char *target = method_end + 1;
    const char *target_end = h1_scan(use_vector, target, end, H1_RUN_TARGET);
    if (target_end == end || *target_end != ' ' || target_end == target)
        return refuse(target_end, end,
                      target_end < end && (*target_end == ' ' || *target_end == '\r')
                          ? H1_ERROR_LINE
                          : H1_ERROR_TARGET,
                      reterr);
    r->target = str_from(target, (size_t)(target_end - target));
    return parse_request_version(target_end + 1, end, r, ret_next, reterr);
}

// HTTP-version SP status-code SP [reason-phrase] CRLF (RFC 9112 4). The space before an empty
// reason may be missing: such servers exist, nothing is ambiguous about it, and the phrase means
// nothing.
ALWAYS_INLINE enum io parse_status_line(bool use_vector, const char *p, const char *end,
                                        struct h1_response *r, const char **ret_next,
                                        enum h1_error *reterr)
{
    enum io io = parse_version(p, end, reterr);
    if (io != IO_DONE)
        return io;
    const char *at = p + VERSION_BYTES;
    if (at == end || *at != ' ')
        return refuse(at, end,
                      at < end && ascii_is(*at, ASCII_DIGIT) ? H1_ERROR_VERSION : H1_ERROR_STATUS,
                      reterr);
    if (p[5] != '1') {
        *reterr = H1_ERROR_VERSION_MAJOR;
        return IO_FAIL;
    }
    r->minor = minor_of(p);
    r->status = 0;
    for (at++; at < p + VERSION_BYTES + 4; at++) {
        if (at == end || !ascii_is(*at, ASCII_DIGIT))
            return refuse(at, end, H1_ERROR_STATUS, reterr);
        r->status = (uint16_t)(r->status * 10 + (*at - '0'));
        if (r->status == 0 || (r->status > 5 && at == p + VERSION_BYTES + 1))
            return refuse(at, end, H1_ERROR_STATUS, reterr);
    }
    const char *reason = at < end && *at == ' ' ? at + 1 : at;
    const char *reason_end = reason > at ? h1_scan(use_vector, reason, end, H1_RUN_VALUE) : reason;
    if (end - reason_end < 2 || reason_end[0] != '\r' || reason_end[1] != '\n')
        return refuse(reason_end, end, H1_ERROR_STATUS, reterr);
    r->reason = str_from(reason, (size_t)(reason_end - reason));
    *ret_next = reason_end + 2;
    return IO_DONE;
}

// What is at the start of a line that doesn't begin with a name and a colon: the empty line that
// ends the section (IO_DONE), a part of a line, or an error.
static enum io judge_line_start(const char *p, const char *end, enum h1_error *reterr)
{
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
        return IO_DONE;
    if (p < end && is_space(*p)) { // obs-fold, or space after the start line (RFC 9112 2.2, 5.2)
        *reterr = H1_ERROR_FOLD;
        return IO_FAIL;
    }
    const char *stop = scan_token(p, end);
    if (stop < end && stop > p && is_space(*stop)) {
        *reterr = H1_ERROR_FIELD_SPACE;
        return IO_FAIL;
    }
    return refuse(stop, end,
                  stop < end && *stop == '\r' ? H1_ERROR_FIELD_COLON : H1_ERROR_FIELD_NAME, reterr);
}

// A value without OWS at both ends. *end is CR, and no other byte up to ' ' is a space or a tab.
// *ret_is_plain: it is all that follows one space.
ALWAYS_INLINE struct str trim(const char *start, const char *end, bool *ret_is_plain)
{
    *ret_is_plain = *start == ' ';
    if (LIKELY(*start == ' '))
        start++;
    if (UNLIKELY((uint8_t)*start <= ' ' || (uint8_t)end[-1] <= ' ')) {
        *ret_is_plain = false;
        return str_trim(str_from(start, (size_t)(end - start)));
    }
    return str_from(start, (size_t)(end - start));
}

// Field lines up to and with the empty line (RFC 9112 5).
ALWAYS_INLINE enum io parse_fields(bool use_vector, const char *p, const char *end,
                                   uint32_t fields_max, struct field *fields,
                                   uint16_t *ret_n_fields, const char **ret_next,
                                   enum h1_error *reterr)
{
    const struct field *fields_end = fields + fields_max;
    for (struct field *f = fields;; f++) {
        const char *colon;
        const char *stop = h1_scan_line(use_vector, p, end, &colon);
        if (UNLIKELY(colon == stop)) {
            enum io io = judge_line_start(p, end, reterr);
            *ret_n_fields = (uint16_t)(f - fields);
            *ret_next = p + 2;
            return io;
        }
        struct str name = str_from(p, (size_t)(colon - p));
        enum field_id id = field_id_find(name, (size_t)(end - p));
        if (id == FIELD_OTHER && (colon == p || scan_token(p, colon) != colon))
            return judge_line_start(p, end, reterr);
        if (UNLIKELY(f == fields_end)) {
            *reterr = H1_ERROR_FIELD_COUNT;
            return IO_FAIL;
        }
        if (UNLIKELY(end - stop < 2 || memcmp(stop, "\r\n", 2) != 0))
            return refuse(stop, end, H1_ERROR_FIELD_VALUE, reterr);
        f->name = name;
        bool is_plain;
        f->value = trim(colon + 1, stop, &is_plain);
        f->line_bytes = is_plain ? (uint32_t)(stop + 2 - p) : 0;
        f->id = (uint16_t)id;
        p = stop + 2;
    }
}

// What is behind a limit isn't looked at, so that a verdict doesn't depend on how much has
// arrived: what is incomplete when all that may be looked at is there, is too long.
static enum io limit(enum io io, bool is_all, enum h1_error too_long, enum h1_error *reterr)
{
    if (io != IO_AGAIN || !is_all)
        return io;
    *reterr = too_long;
    return IO_FAIL;
}

// The end of what may be looked at for a start line.
static const char *line_window_end(const char *p, const char *end, const struct h1_limits *limits)
{
    size_t len = (size_t)(end - p), max = (size_t)limits->line_max_bytes + 2;
    return p + MIN(len, max);
}

// The start line has been read up to p, or not (line_io). Reads the fields.
ALWAYS_INLINE enum io finish_head(bool use_vector, enum io line_io, struct str head,
                                  const char *line_end, const char *p,
                                  const struct h1_limits *limits, struct field *fields,
                                  uint16_t *ret_n_fields, size_t *ret_used, enum h1_error *reterr)
{
    const char *end = head.ptr + head.len;
    enum io io = limit(line_io, line_end - p == (ptrdiff_t)limits->line_max_bytes + 2,
                       H1_ERROR_LINE_LENGTH, reterr);
    if (io == IO_DONE)
        io = parse_fields(use_vector, p, end, limits->fields_max, fields, ret_n_fields, &p, reterr);
    *ret_used = (size_t)(p - head.ptr);
    return limit(io, head.len == limits->head_max_bytes, H1_ERROR_HEAD_LENGTH, reterr);
}

ALWAYS_INLINE enum io parse_request(bool use_vector, struct str head,
                                    const struct h1_limits *limits, struct field *fields,
                                    struct h1_request *ret, size_t *ret_used, enum h1_error *reterr)
{
    const char *p = head.ptr, *end = p + head.len;
    if (head.len >= 2 && p[0] == '\r' && p[1] == '\n')
        p += 2;
    const char *line_end = line_window_end(p, end, limits);
    struct h1_request r = {.fields = fields};
    size_t used;
    enum io io = parse_request_line(use_vector, p, line_end, &r, &p, reterr);
    io = finish_head(use_vector, io, head, line_end, p, limits, fields, &r.n_fields, &used, reterr);
    if (io != IO_DONE)
        return io;
    r.method_id = method_of(r.method);
    *ret = r;
    *ret_used = used;
    return IO_DONE;
}

ALWAYS_INLINE enum io parse_response(bool use_vector, struct str head,
                                     const struct h1_limits *limits, struct field *fields,
                                     struct h1_response *ret, size_t *ret_used,
                                     enum h1_error *reterr)
{
    const char *p = head.ptr, *line_end = line_window_end(p, p + head.len, limits);
    struct h1_response r = {.fields = fields};
    size_t used;
    enum io io = parse_status_line(use_vector, p, line_end, &r, &p, reterr);
    io = finish_head(use_vector, io, head, line_end, p, limits, fields, &r.n_fields, &used, reterr);
    if (io != IO_DONE)
        return io;
    *ret = r;
    *ret_used = used;
    return IO_DONE;
}

// What may be looked at of an input.
static struct str head_window(struct str in, const struct h1_limits *limits)
{
    ASSERT(limits->fields_max <= H1_FIELDS_MAX);
    return str_first(in, limits->head_max_bytes);
}

// Blocks need at least one in what may be looked at for the start line.
static bool has_blocks(struct str head, const struct h1_limits *limits)
{
    return H1_BLOCK_BYTES > 0 && MIN(head.len, limits->line_max_bytes) >= H1_BLOCK_BYTES;
}

enum io h1_request_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                         struct h1_request *ret, size_t *ret_used, enum h1_error *reterr)
{
    struct str head = head_window(in, limits);
    if (UNLIKELY(!has_blocks(head, limits)))
        return h1_request_parse_scalar(in, limits, fields, ret, ret_used, reterr);
    return parse_request(true, head, limits, fields, ret, ret_used, reterr);
}

enum io h1_response_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                          struct h1_response *ret, size_t *ret_used, enum h1_error *reterr)
{
    struct str head = head_window(in, limits);
    if (UNLIKELY(!has_blocks(head, limits)))
        return h1_response_parse_scalar(in, limits, fields, ret, ret_used, reterr);
    return parse_response(true, head, limits, fields, ret, ret_used, reterr);
}

enum io h1_request_parse_scalar(struct str in, const struct h1_limits *limits, struct field *fields,
                                struct h1_request *ret, size_t *ret_used, enum h1_error *reterr)
{
    struct str head = head_window(in, limits);
    if (head.len == 0)
        return IO_AGAIN;
    return parse_request(false, head, limits, fields, ret, ret_used, reterr);
}

enum io h1_response_parse_scalar(struct str in, const struct h1_limits *limits,
                                 struct field *fields, struct h1_response *ret, size_t *ret_used,
                                 enum h1_error *reterr)
{
    struct str head = head_window(in, limits);
    if (head.len == 0)
        return IO_AGAIN;
    return parse_response(false, head, limits, fields, ret, ret_used, reterr);
}

enum io h1_fields_parse(struct str in, const struct h1_limits *limits, struct field *fields,
                        size_t *ret_n_fields, size_t *ret_used, enum h1_error *reterr)
{
    struct str head = head_window(in, limits);
    if (head.len == 0)
        return IO_AGAIN;
    const char *p = head.ptr, *end = p + head.len;
    uint16_t n_fields = 0;
    // Trailers are few and short: not worth another copy of the loop.
    enum io io = parse_fields(false, p, end, limits->fields_max, fields, &n_fields, &p, reterr);
    if (io != IO_DONE)
        return limit(io, head.len == limits->head_max_bytes, H1_ERROR_HEAD_LENGTH, reterr);
    *ret_n_fields = n_fields;
    *ret_used = (size_t)(p - head.ptr);
    return IO_DONE;
}

bool h1_head_may_end(struct str in, size_t seen)
{
    for (size_t i = seen; i < in.len; i++) {
        size_t next = str_find(str_skip(in, i), '\n');
        if (next == STR_NPOS)
            return false;
        i += next;
        // The LF of an empty line, or one without CR: a parse will refuse it.
        if (i == 0 || in.ptr[i - 1] != '\r' || (i >= 2 && in.ptr[i - 2] == '\n'))
            return true;
    }
    return false;
}
