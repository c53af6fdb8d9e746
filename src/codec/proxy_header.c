// SPDX-License-Identifier: Apache-2.0
#include "codec/proxy_header.h"

#include "base/attr.h"
#include "base/num.h"
#include "base/writer.h"

#define IP_TEXT_BYTES 46
#define V1_SIGNATURE STR("PROXY ")
#define V2_SIGNATURE STR("\r\n\r\n\0\r\nQUIT\n")
#define V2_HEAD_BYTES 16
#define V2_LOCAL 0x20
#define V2_PROXY 0x21
#define V2_UNSPEC 0x00
#define V2_TCP4 0x11
#define V2_TCP6 0x21
#define V2_TCP4_BYTES 12
#define V2_TCP6_BYTES 36
#define TLV_HEAD_BYTES 3
#define TLV_CRC32C 0x03
#define CRC_BYTES 4

const char *proxy_header_error_text(enum proxy_header_error e)
{
    static const char *const texts[] = {
#define X(id, text) [PROXY_HEADER_ERROR_##id] = text,
        PROXY_HEADER_ERROR_LIST(X)
#undef X
    };
    return texts[e];
}

// --- writing ---

static void put_number(struct writer *w, unsigned value)
{
    writer_byte(w, (char)(value >> 8));
    writer_byte(w, (char)value);
}

// As IPv6 when asked for: IPv4 then is a mapped address.
static void put_ip(struct writer *w, const struct ip *ip, bool as_ip6)
{
    size_t n = ip->family == 4 ? 4 : 16;
    if (as_ip6 && n == 4)
        writer_put(w, STR("\0\0\0\0\0\0\0\0\0\0\xff\xff"));
    writer_put(w, str_from((const char *)ip->bytes, n));
}

static void write_v2(struct writer *w, const struct proxy_header *h, bool is_known, bool is_ip6)
{
    writer_put(w, V2_SIGNATURE);
    writer_byte(w, is_known ? V2_PROXY : V2_LOCAL);
    writer_byte(w, !is_known ? V2_UNSPEC : is_ip6 ? V2_TCP6 : V2_TCP4);
    put_number(w, !is_known ? 0 : is_ip6 ? V2_TCP6_BYTES : V2_TCP4_BYTES);
    if (!is_known)
        return;
    put_ip(w, &h->source, is_ip6);
    put_ip(w, &h->destination, is_ip6);
    put_number(w, h->source_port);
    put_number(w, h->destination_port);
}

static void put_ip_text(struct writer *w, const struct ip *ip, bool as_ip6)
{
    char text[IP_TEXT_BYTES];
    if (as_ip6 && ip->family == 4)
        writer_put(w, STR("::ffff:"));
    writer_put(w, ip_text(ip, text));
    writer_byte(w, ' ');
}

static void write_v1(struct writer *w, const struct proxy_header *h, bool is_known, bool is_ip6)
{
    if (!is_known) {
        writer_put(w, STR("PROXY UNKNOWN\r\n"));
        return;
    }
    writer_put(w, is_ip6 ? STR("PROXY TCP6 ") : STR("PROXY TCP4 "));
    put_ip_text(w, &h->source, is_ip6);
    put_ip_text(w, &h->destination, is_ip6);
    writer_dec(w, h->source_port);
    writer_byte(w, ' ');
    writer_dec(w, h->destination_port);
    writer_put(w, STR("\r\n"));
}

struct str proxy_header_write(enum proxy_header_version version, const struct proxy_header *h,
                              char buf[static PROXY_HEADER_WRITE_BYTES])
{
    struct writer w;
    writer_init(&w, buf, PROXY_HEADER_WRITE_BYTES);
    bool is_known = h->source.family != 0 && h->destination.family != 0;
    bool is_ip6 = h->source.family == 6 || h->destination.family == 6;
    if (version == PROXY_HEADER_V1)
        write_v1(&w, h, is_known, is_ip6);
    else
        write_v2(&w, h, is_known, is_ip6);
    return writer_str(&w);
}

// --- reading ---

static enum io fail(enum proxy_header_error why, enum proxy_header_error *reterr)
{
    *reterr = why;
    return IO_FAIL;
}

static unsigned number_at(struct str s, size_t at)
{
    return (unsigned)(unsigned char)s.ptr[at] << 8 | (unsigned char)s.ptr[at + 1];
}

// A mapped address becomes IPv4, as everywhere.
static void ip_from(struct str bytes, struct ip *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; // RFC 4291 2.5.5.2
    bool is_ip6 = bytes.len == 16 && memcmp(bytes.ptr, mapped, sizeof mapped) != 0;
    if (bytes.len == 16 && !is_ip6)
        bytes = str_skip(bytes, sizeof mapped);
    *ret = (struct ip){.family = is_ip6 ? 6 : 4};
    memcpy(ret->bytes, bytes.ptr, bytes.len);
}

// Of the header whose four bytes at `hole` count as 0 (2.2.3); RFC 4960 B has the polynomial.
static uint32_t crc32c(struct str header, size_t hole)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < header.len; i++) {
        crc ^= i - hole < CRC_BYTES ? 0 : (unsigned char)header.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

// Extensions begin at `at`.
static enum proxy_header_error check_tlvs(struct str header, size_t at)
{
    while (at < header.len) {
        if (header.len - at < TLV_HEAD_BYTES)
            return PROXY_HEADER_ERROR_LENGTH;
        unsigned type = (unsigned char)header.ptr[at];
        size_t n = number_at(header, at + 1);
        at += TLV_HEAD_BYTES;
        if (n > header.len - at)
            return PROXY_HEADER_ERROR_LENGTH;
        if (type == TLV_CRC32C) {
            if (n != CRC_BYTES)
                return PROXY_HEADER_ERROR_LENGTH;
            uint32_t stated = (uint32_t)number_at(header, at) << 16 | number_at(header, at + 2);
            if (stated != crc32c(header, at))
                return PROXY_HEADER_ERROR_CHECKSUM;
        }
        at += n;
    }
    return PROXY_HEADER_ERROR_NONE;
}

static enum io read_v2(struct str header, struct proxy_header *ret, enum proxy_header_error *reterr)
{
    struct proxy_header h = {.source_port = 0};
    unsigned command = (unsigned char)header.ptr[12], family = (unsigned char)header.ptr[13];
    struct str rest = str_skip(header, V2_HEAD_BYTES);
    if (command == V2_LOCAL || family == V2_UNSPEC) { // what follows is to be skipped (2.2)
        *ret = h;
        return IO_DONE;
    }
    if (family != V2_TCP4 && family != V2_TCP6)
        return fail(PROXY_HEADER_ERROR_FAMILY, reterr);
    size_t n_ip = family == V2_TCP4 ? 4 : 16;
    size_t n = 2 * n_ip + 4;
    if (rest.len < n)
        return fail(PROXY_HEADER_ERROR_ADDRESS, reterr);
    ip_from(str_first(rest, n_ip), &h.source);
    ip_from(str_from(rest.ptr + n_ip, n_ip), &h.destination);
    h.source_port = (uint16_t)number_at(rest, 2 * n_ip);
    h.destination_port = (uint16_t)number_at(rest, 2 * n_ip + 2);
    enum proxy_header_error error = check_tlvs(header, V2_HEAD_BYTES + n);
    if (error != PROXY_HEADER_ERROR_NONE)
        return fail(error, reterr);
    *ret = h;
    return IO_DONE;
}

static enum io parse_v2(struct str in, struct proxy_header *ret, size_t *ret_used,
                        enum proxy_header_error *reterr)
{
    if (in.len < V2_HEAD_BYTES)
        return IO_AGAIN;
    unsigned command = (unsigned char)in.ptr[12];
    if (command != V2_LOCAL && command != V2_PROXY)
        return fail(PROXY_HEADER_ERROR_VERSION, reterr);
    size_t n = V2_HEAD_BYTES + number_at(in, 14);
    if (n > PROXY_HEADER_V2_BYTES)
        return fail(PROXY_HEADER_ERROR_LENGTH, reterr);
    if (in.len < n)
        return IO_AGAIN;
    *ret_used = n;
    return read_v2(str_first(in, n), ret, reterr);
}

static bool take_word(struct str *line, struct str *ret)
{
    struct str rest;
    bool has_more = str_cut(*line, ' ', ret, &rest);
    *line = has_more ? rest : STR_NONE;
    return ret->len > 0;
}

static bool take_ip(struct str *line, bool is_ip6, struct ip *ret)
{
    struct str word;
    return take_word(line, &word) && (str_find(word, ':') != STR_NPOS) == is_ip6 &&
           ip_parse(word, ret) == ERR_OK;
}

static bool take_port(struct str *line, uint16_t *ret)
{
    struct str word;
    uint64_t port;
    if (!take_word(line, &word) || (word.len > 1 && word.ptr[0] == '0') ||
        num_dec(word, UINT16_MAX, &port) != ERR_OK)
        return false;
    *ret = (uint16_t)port;
    return true;
}

// line: what stands between "PROXY " and the line's end.
static enum io read_v1(struct str line, struct proxy_header *ret, enum proxy_header_error *reterr)
{
    struct proxy_header h = {.source_port = 0};
    struct str family, rest;
    bool has_more = str_cut(line, ' ', &family, &rest);
    if (str_eq(family, STR("UNKNOWN"))) { // the rest of the line means nothing (2.1)
        *ret = h;
        return IO_DONE;
    }
    bool is_ip6 = str_eq(family, STR("TCP6"));
    if (!is_ip6 && !str_eq(family, STR("TCP4")))
        return fail(PROXY_HEADER_ERROR_FAMILY, reterr);
    // One space between two words, and none at the end.
    if (!has_more || rest.len == 0 || rest.ptr[rest.len - 1] == ' ')
        return fail(PROXY_HEADER_ERROR_LINE, reterr);
    if (!take_ip(&rest, is_ip6, &h.source) || !take_ip(&rest, is_ip6, &h.destination))
        return fail(PROXY_HEADER_ERROR_ADDRESS, reterr);
    if (!take_port(&rest, &h.source_port) || !take_port(&rest, &h.destination_port))
        return fail(PROXY_HEADER_ERROR_PORT, reterr);
    if (rest.len > 0)
        return fail(PROXY_HEADER_ERROR_LINE, reterr);
    *ret = h;
    return IO_DONE;
}

static enum io parse_v1(struct str in, struct proxy_header *ret, size_t *ret_used,
                        enum proxy_header_error *reterr)
{
    struct str looked_at = str_first(in, MIN(in.len, (size_t)PROXY_HEADER_V1_BYTES));
    size_t end = str_search(looked_at, STR("\r\n"));
    if (end == STR_NPOS) {
        if (in.len >= PROXY_HEADER_V1_BYTES)
            return fail(PROXY_HEADER_ERROR_LENGTH, reterr);
        return IO_AGAIN;
    }
    *ret_used = end + 2;
    return read_v1(str_from(in.ptr + V1_SIGNATURE.len, end - V1_SIGNATURE.len), ret, reterr);
}

// Whether in begins with signature, as far as it goes.
static bool may_begin(struct str in, struct str signature)
{
    size_t n = MIN(in.len, signature.len);
    return str_eq(str_first(in, n), str_first(signature, n));
}

enum io proxy_header_parse(struct str in, struct proxy_header *ret, size_t *ret_used,
                           enum proxy_header_error *reterr)
{
    if (may_begin(in, V2_SIGNATURE))
        return in.len < V2_SIGNATURE.len ? IO_AGAIN : parse_v2(in, ret, ret_used, reterr);
    if (may_begin(in, V1_SIGNATURE))
        return in.len < V1_SIGNATURE.len ? IO_AGAIN : parse_v1(in, ret, ret_used, reterr);
    return fail(PROXY_HEADER_ERROR_SIGNATURE, reterr);
}
