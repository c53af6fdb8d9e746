// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035 4) as bytes: written into a writer, read without trust. Pure.
#pragma once

#include "base/err.h"
#include "base/writer.h"

#define DNS_MESSAGE_MAX_BYTES 65535u
#define DNS_NAME_MAX_BYTES 254u // as text, with a NUL

enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_TSIG = 250,
    DNS_TYPE_CAA = 257,
};

enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

// RFC 2136 3.1: the sections of an update have other names.
enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };
#define DNS_SECTIONS 4u

#define DNS_FLAG_ANSWER 0x8000u
#define DNS_FLAG_TRUNCATED 0x0200u
#define DNS_FLAG_RECURSE 0x0100u
#define DNS_OPCODE_UPDATE 0x2800u
#define DNS_RCODE(flags) ((flags)&0xfu)

// "NXDOMAIN", "REFUSED" …
const char *dns_rcode_text(unsigned rcode);

// --- writing ---

void dns_put_u16(struct writer *w, unsigned value);
void dns_put_u32(struct writer *w, uint32_t value);
// Without compression, in lower case. False: it is no name.
bool dns_put_name(struct writer *w, struct str name) MUST_CHECK;
void dns_put_head(struct writer *w, unsigned id, unsigned flags, const unsigned n[DNS_SECTIONS]);
// A question, or an update's zone. False: it is no name.
bool dns_put_question(struct writer *w, struct str name, enum dns_type type) MUST_CHECK;
// A TXT record of one string, at most 255 bytes.
bool dns_put_txt(struct writer *w, struct str name, enum dns_class class_, uint32_t ttl_s,
                 struct str value) MUST_CHECK;

// --- reading ---

struct dns_message {
    struct str bytes; // borrows
    unsigned id, flags;
    unsigned n[DNS_SECTIONS];
    size_t at;        // of what is read next
    unsigned section; // of it
    unsigned n_read;  // in that section
};

struct dns_record {
    enum dns_section section;
    char name[DNS_NAME_MAX_BYTES]; // lower case, without a dot at the end; "" is the root
    unsigned type, class_;
    uint32_t ttl_s;
    struct str data; // borrows; a question has none
    size_t data_at;  // where it begins in the message
    size_t start;    // where the record begins
};

bool dns_message_open(struct str bytes, struct dns_message *ret);
// IO_DONE, IO_EOF, or IO_FAIL: the message is malformed.
enum io dns_message_next(struct dns_message *m, struct dns_record *ret);
// The name at an offset, as text; *ret_end is what follows it.
bool dns_message_name(struct str bytes, size_t at, char ret[static DNS_NAME_MAX_BYTES],
                      size_t *ret_end);
// Whether a TXT record's strings, joined, are value.
bool dns_txt_is(struct str data, struct str value);

unsigned dns_get_u16(struct str bytes, size_t at);
