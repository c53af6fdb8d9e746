// SPDX-License-Identifier: Apache-2.0
// Field sections of HTTP/2 (RFC 9113 8) and the headers of an exchange, both ways and for both
// sides. Pure: no frame, no session. nghttp2's own checks of messages are off where this is used:
// they drop or let pass what is refused here, and every request would be looked at twice.
#pragma once

#include <nghttp2/nghttp2.h>

#include "codec/h1.h"
#include "http/h2_error.h"
#include "http/headers.h"

// --- what a peer sends ---

enum h2_section_kind {
    H2_SECTION_REQUEST,
    H2_SECTION_RESPONSE, // an interim one too
    H2_SECTION_TRAILERS, // of either
};

// One field section as it comes in, field by field.
struct h2_section {
    struct headers *to;             // borrows: gets the fields, with texts in its arena
    const struct h1_limits *limits; // borrows
    enum h2_section_kind kind;
    enum h2_error error;   // the first one; nothing is added after it
    size_t bytes;          // as RFC 9113 10.5.1 counts; goes on behind an error
    uint32_t n_fields;     // goes on, too
    uint32_t n_cookies;    // fields
    int64_t length;        // of Content-Length; -1: none
    struct str method;     // REQUEST: these are in the arena as well; empty: not there
    struct str scheme;     //
    struct str authority;  //
    struct str path;       //
    struct str protocol;   // of an extended CONNECT (RFC 8441 4)
    uint16_t status;       // RESPONSE: 100 to 599
    uint8_t seen;          // pseudo-headers
    bool has_fields;       // a regular one has come
    bool takes_trailers;   // REQUEST: "te: trailers"
    bool expects_continue; // REQUEST
};

// to is initialised and empty, or what came with the head in the case of trailers: never mixed.
void h2_section_init(struct h2_section *s, enum h2_section_kind kind, struct headers *to,
                     const struct h1_limits *limits);

// Takes one field, copied. s->error tells; after one the rest is only counted.
void h2_section_add(struct h2_section *s, struct str name, struct str value);

// The section is complete: what is missing or contradicts itself is s->error. Of a request, `to`
// has then one Host field with the authority and at most one Cookie field (RFC 9113 8.2.3).
enum h2_error h2_section_end(struct h2_section *s);

// The value of a Priority field (RFC 9218 4): "u=0" to "u=7" and "i", in a dictionary whose other
// members are ignored, as is a member that is malformed. Without one: urgency 3, not incremental.
nghttp2_extpri h2_priority_parse(struct str value);

// --- DATA against Content-Length (RFC 9113 8.1.1) ---

struct h2_length {
    int64_t wanted; // -1: any
    uint64_t got;
};

// n more bytes of DATA. False: more than announced.
static inline bool h2_length_add(struct h2_length *l, size_t n)
{
    l->got += n;
    return l->wanted < 0 || l->got <= (uint64_t)l->wanted;
}

static inline bool h2_length_is_whole(const struct h2_length *l)
{
    return l->wanted < 0 || l->got == (uint64_t)l->wanted;
}

// --- what is sent ---

// Room on the stack for the items of a usual message. They are needed until nghttp2_submit_* has
// returned, while memory of an exchange is kept to its end: bytes that nobody would look at again.
struct h2_list_room {
    nghttp2_nv items[24];
};

// Fields for nghttp2_submit_*, which copies none of the texts: they live as long as the stream.
struct h2_list {
    nghttp2_nv *items; // in mem, or borrows: of the room
    size_t n, cap;
    struct arena *mem; // borrows
    bool is_failed;    // the arena is full: checked once, at the end
};

// Room for n pseudo-headers and other single fields, and for those of h (NULL: none): in `room`
// where they fit (NULL: there is none), else in the arena.
void h2_list_init(struct h2_list *l, struct arena *mem, struct h2_list_room *room, size_t n,
                  const struct headers *h);
// name is in lower case. Both texts are borrowed.
void h2_list_add(struct h2_list *l, struct str name, struct str value);
// The same for a value that won't be sent again: it doesn't push out of the table what will.
void h2_list_add_once(struct h2_list *l, struct str name, struct str value);
// A number as its decimal digits.
void h2_list_add_number(struct h2_list *l, struct str name, uint64_t value);
// The fields of h but for those in the set `skip` and the connection-specific ones, with names in
// lower case. What is secret is marked as never to be indexed (RFC 7541 7.1.3).
void h2_list_add_headers(struct h2_list *l, const struct headers *h, uint64_t skip);
// Copies the texts, which don't live as long as the arena.
void h2_list_keep_texts(struct h2_list *l);
