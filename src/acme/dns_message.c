// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_message.h"

#include "base/ascii.h"

#define HEAD_BYTES 12u
#define LABEL_MAX_BYTES 63u
#define STRING_MAX_BYTES 255u
#define RECORDS_MAX 4096u

const char *dns_rcode_text(unsigned rcode)
{
    static const char *const names[] = {"NOERROR", "FORMERR",  "SERVFAIL", "NXDOMAIN", "NOTIMP",
                                        "REFUSED", "YXDOMAIN", "YXRRSET",  "NXRRSET",  "NOTAUTH",
                                        "NOTZONE", "11",       "12",       "13",       "14",
                                        "15",      "BADSIG",   "BADKEY",   "BADTIME"};
    return rcode < ARRAY_LEN(names) ? names[rcode] : "an unknown error";
}

// --- writing ---

void dns_put_u16(struct writer *w, unsigned value)
{
    writer_byte(w, (char)(value >> 8 & 0xff));
    writer_byte(w, (char)(value & 0xff));
}

void dns_put_u32(struct writer *w, uint32_t value)
{
    dns_put_u16(w, value >> 16);
    dns_put_u16(w, value & 0xffff);
}

bool dns_put_name(struct writer *w, struct str name)
{
    struct str label;
    if (str_ends(name, STR(".")))
        name.len--;
    if (name.len > DNS_NAME_MAX_BYTES - 1)
        return false;
    while (name.len > 0) {
        bool has_more = str_cut(name, '.', &label, &name);
        if (label.len == 0 || label.len > LABEL_MAX_BYTES || (has_more && name.len == 0))
            return false;
        writer_byte(w, (char)label.len);
        for (size_t i = 0; i < label.len; i++)
            writer_byte(w, ascii_lower(label.ptr[i]));
    }
    writer_byte(w, 0);
    return true;
}

void dns_put_head(struct writer *w, unsigned id, unsigned flags, const unsigned n[DNS_SECTIONS])
{
    dns_put_u16(w, id);
    dns_put_u16(w, flags);
    for (size_t i = 0; i < DNS_SECTIONS; i++)
        dns_put_u16(w, n[i]);
}

bool dns_put_question(struct writer *w, struct str name, enum dns_type type)
{
    if (!dns_put_name(w, name))
        return false;
    dns_put_u16(w, type);
    dns_put_u16(w, DNS_CLASS_IN);
    return true;
}

bool dns_put_txt(struct writer *w, struct str name, enum dns_class class_, uint32_t ttl_s,
                 struct str value)
{
    if (value.len > STRING_MAX_BYTES || !dns_put_name(w, name))
        return false;
    dns_put_u16(w, DNS_TYPE_TXT);
    dns_put_u16(w, class_);
    dns_put_u32(w, ttl_s);
    dns_put_u16(w, (unsigned)value.len + 1);
    writer_byte(w, (char)value.len);
    writer_put(w, value);
    return true;
}

// --- reading ---

unsigned dns_get_u16(struct str bytes, size_t at)
{
    return (unsigned)((uint8_t)bytes.ptr[at] << 8 | (uint8_t)bytes.ptr[at + 1]);
}

static uint32_t get_u32(struct str bytes, size_t at)
{
    return (uint32_t)dns_get_u16(bytes, at) << 16 | dns_get_u16(bytes, at + 2);
}

bool dns_message_open(struct str bytes, struct dns_message *ret)
{
    unsigned n_all = 0;
    if (bytes.len < HEAD_BYTES || bytes.len > DNS_MESSAGE_MAX_BYTES)
        return false;
    *ret = (struct dns_message){
        .bytes = bytes,
        .id = dns_get_u16(bytes, 0),
        .flags = dns_get_u16(bytes, 2),
        .at = HEAD_BYTES,
    };
    for (size_t i = 0; i < DNS_SECTIONS; i++)
        n_all += ret->n[i] = dns_get_u16(bytes, 4 + 2 * i);
    return n_all <= RECORDS_MAX;
}

// Only what names of hosts have is kept: a byte that could be taken for something else isn't.
static char safe_byte(char c)
{
    bool is_safe = ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || c == '-' || c == '_' || c == '*';
    return is_safe ? ascii_lower(c) : '?';
}

bool dns_message_name(struct str bytes, size_t at, char ret[static DNS_NAME_MAX_BYTES],
                      size_t *ret_end)
{
    size_t n = 0, lowest = at;
    bool has_jumped = false;
    for (;;) {
        if (at >= bytes.len)
            return false;
        unsigned len = (uint8_t)bytes.ptr[at];
        if (len >= 0xc0) {
            if (at + 2 > bytes.len)
                return false;
            size_t to = dns_get_u16(bytes, at) & 0x3fff;
            if (!has_jumped)
                *ret_end = at + 2;
            // RFC 1035 4.1.4: a prior occurrence. Always further back, so it comes to an end.
            if (to >= lowest)
                return false;
            has_jumped = true;
            at = lowest = to;
            continue;
        }
        if (len > LABEL_MAX_BYTES || at + 1 + len > bytes.len)
            return false;
        at++;
        if (len == 0)
            break;
        if (n + len + 1 >= DNS_NAME_MAX_BYTES)
            return false;
        for (unsigned i = 0; i < len; i++)
            ret[n++] = safe_byte(bytes.ptr[at + i]);
        ret[n++] = '.';
        at += len;
    }
    if (!has_jumped)
        *ret_end = at;
    ret[n > 0 ? n - 1 : 0] = '\0';
    return true;
}

enum io dns_message_next(struct dns_message *m, struct dns_record *ret)
{
    size_t at, fixed;
    while (m->section < DNS_SECTIONS && m->n_read == m->n[m->section]) {
        m->section++;
        m->n_read = 0;
    }
    if (m->section == DNS_SECTIONS)
        return IO_EOF;
    bool is_question = m->section == DNS_QUESTION;
    fixed = is_question ? 4 : 10;
    *ret = (struct dns_record){.section = (enum dns_section)m->section, .start = m->at};
    if (!dns_message_name(m->bytes, m->at, ret->name, &at) || at + fixed > m->bytes.len)
        return IO_FAIL;
    ret->type = dns_get_u16(m->bytes, at);
    ret->class_ = dns_get_u16(m->bytes, at + 2);
    if (!is_question) {
        size_t len = dns_get_u16(m->bytes, at + 8);
        ret->ttl_s = get_u32(m->bytes, at + 4);
        if (at + fixed + len > m->bytes.len)
            return IO_FAIL;
        ret->data = str_from(m->bytes.ptr + at + fixed, len);
        ret->data_at = at + fixed;
        at += len;
    }
    m->at = at + fixed;
    m->n_read++;
    return IO_DONE;
}

bool dns_txt_is(struct str data, struct str value)
{
    while (data.len > 0) {
        struct str part = str_first(str_skip(data, 1), (uint8_t)data.ptr[0]);
        if (part.len != (uint8_t)data.ptr[0] || !str_starts(value, part))
            return false;
        data = str_skip(data, 1 + part.len);
        value = str_skip(value, part.len);
    }
    return value.len == 0;
}
