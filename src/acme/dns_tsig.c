// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_tsig.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/text.h"

#define FUDGE_S 300
#define COUNT_AT 10u // of the additional records, in a head
#define VARIABLES_MAX_BYTES 640u

static const struct {
    const char *name;
    const char *digest;
} algorithms[] = {
#define X(id, name_, digest_) {.name = name_, .digest = digest_},
    DNS_TSIG_LIST(X)
#undef X
};

bool dns_tsig_parse(struct str name, enum dns_tsig_algorithm *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        if (str_ieq(name, str_of(algorithms[i].name))) {
            *ret = (enum dns_tsig_algorithm)i;
            return true;
        }
    }
    return false;
}

static void put_time(struct writer *w, uint64_t at_s)
{
    dns_put_u16(w, (unsigned)(at_s >> 32 & 0xffff));
    dns_put_u32(w, (uint32_t)at_s);
}

struct stamp {
    uint64_t at_s; // 48 bits
    unsigned fudge_s;
    unsigned error;
    struct str other;
};

// RFC 8945 4.3: an answer covers the request's MAC; then the message, then these variables.
static bool compute(const struct dns_tsig_key *key, const struct dns_tsig_mac *request,
                    struct str message, const struct stamp *stamp, struct dns_tsig_mac *ret)
{
    char buf[VARIABLES_MAX_BYTES], len[2];
    struct writer w, head;
    struct text input = {0};
    writer_init(&w, buf, sizeof buf);
    bool is_fine = dns_put_name(&w, key->name);
    dns_put_u16(&w, DNS_CLASS_ANY);
    dns_put_u32(&w, 0); // TTL
    is_fine = is_fine && dns_put_name(&w, str_of(algorithms[key->algorithm].name));
    put_time(&w, stamp->at_s);
    dns_put_u16(&w, stamp->fudge_s);
    dns_put_u16(&w, stamp->error);
    dns_put_u16(&w, (unsigned)stamp->other.len);
    writer_put(&w, stamp->other);
    if (request) {
        writer_init(&head, len, sizeof len);
        dns_put_u16(&head, (unsigned)request->len);
        text_put(&input, writer_str(&head));
        text_put(&input, str_from(request->bytes, request->len));
    }
    text_put(&input, message);
    text_put(&input, writer_str(&w));
    is_fine = is_fine && !w.overflowed &&
              EVP_Q_mac(NULL, "HMAC", NULL, algorithms[key->algorithm].digest, NULL,
                        key->secret.ptr, key->secret.len, (const unsigned char *)input.ptr,
                        input.len, (unsigned char *)ret->bytes, sizeof ret->bytes, &ret->len);
    text_fini(&input);
    return is_fine;
}

bool dns_tsig_sign(struct writer *w, const struct dns_tsig_key *key, int64_t now_s,
                   struct dns_tsig_mac *ret)
{
    struct stamp stamp = {.at_s = (uint64_t)now_s, .fudge_s = FUDGE_S};
    if (w->overflowed || !compute(key, NULL, writer_str(w), &stamp, ret))
        return false;
    struct str algorithm = str_of(algorithms[key->algorithm].name);
    unsigned id = dns_get_u16(writer_str(w), 0);
    unsigned count = dns_get_u16(writer_str(w), COUNT_AT) + 1;
    if (!dns_put_name(w, key->name))
        return false;
    dns_put_u16(w, DNS_TYPE_TSIG);
    dns_put_u16(w, DNS_CLASS_ANY);
    dns_put_u32(w, 0);
    dns_put_u16(w, (unsigned)(algorithm.len + 2 + 6 + 2 + 2 + ret->len + 2 + 2 + 2));
    if (!dns_put_name(w, algorithm))
        return false;
    put_time(w, stamp.at_s);
    dns_put_u16(w, stamp.fudge_s);
    dns_put_u16(w, (unsigned)ret->len);
    writer_put(w, str_from(ret->bytes, ret->len));
    dns_put_u16(w, id);
    dns_put_u16(w, 0); // error
    dns_put_u16(w, 0); // other
    w->ptr[COUNT_AT] = (char)(count >> 8);
    w->ptr[COUNT_AT + 1] = (char)count;
    return !w->overflowed;
}

// --- reading ---

// The last record, which must be the signature (RFC 8945 5.1).
static bool find_signature(struct str answer, struct dns_record *ret)
{
    struct dns_message m;
    enum io io;
    bool is_last = false;
    if (!dns_message_open(answer, &m))
        return false;
    while ((io = dns_message_next(&m, ret)) == IO_DONE) {
        is_last = ret->section == DNS_ADDITIONAL && ret->type == DNS_TYPE_TSIG;
        if (is_last)
            break;
    }
    return is_last && io == IO_DONE && m.n_read == m.n[DNS_ADDITIONAL] && m.at == answer.len;
}

struct signature {
    char algorithm[DNS_NAME_MAX_BYTES];
    struct stamp stamp;
    struct str mac;
    unsigned id;
};

static bool read_signature(struct str answer, const struct dns_record *r, struct signature *ret)
{
    size_t at, end = r->data_at + r->data.len;
    if (!dns_message_name(answer, r->data_at, ret->algorithm, &at) || at + 10 > end)
        return false;
    ret->stamp = (struct stamp){
        .at_s = (uint64_t)dns_get_u16(answer, at) << 32 |
                (uint64_t)dns_get_u16(answer, at + 2) << 16 | dns_get_u16(answer, at + 4),
        .fudge_s = dns_get_u16(answer, at + 6),
    };
    size_t len = dns_get_u16(answer, at + 8);
    at += 10;
    if (at + len + 6 > end)
        return false;
    ret->mac = str_from(answer.ptr + at, len);
    ret->id = dns_get_u16(answer, at + len);
    ret->stamp.error = dns_get_u16(answer, at + len + 2);
    size_t n_other = dns_get_u16(answer, at + len + 4);
    ret->stamp.other = str_from(answer.ptr + at + len + 6, n_other);
    return at + len + 6 + n_other == end && n_other <= 16;
}

bool dns_tsig_verify(struct str answer, const struct dns_tsig_key *key,
                     const struct dns_tsig_mac *request, int64_t now_s, const char **ret_why,
                     unsigned *ret_error)
{
    struct dns_record r;
    struct signature s;
    struct dns_tsig_mac mac;
    struct text plain = {0};
    struct str name = key->name;
    *ret_why = "the answer isn't signed";
    *ret_error = 0;
    if (!find_signature(answer, &r) || !read_signature(answer, &r, &s))
        return false;
    *ret_error = s.stamp.error;
    *ret_why = "the answer is signed by another key";
    if (str_ends(name, STR(".")))
        name.len--;
    if (!str_ieq(str_of(r.name), name) ||
        !str_eq(str_of(s.algorithm), str_of(algorithms[key->algorithm].name)))
        return false;
    // As it was before it was signed: its own id, without the signature (RFC 8945 5.3.1).
    text_put(&plain, str_first(answer, r.start));
    plain.ptr[0] = (char)(s.id >> 8);
    plain.ptr[1] = (char)s.id;
    unsigned count = dns_get_u16(text_str(&plain), COUNT_AT) - 1;
    plain.ptr[COUNT_AT] = (char)(count >> 8);
    plain.ptr[COUNT_AT + 1] = (char)count;
    *ret_why = "the answer's signature is wrong";
    bool is_fine = compute(key, request, text_str(&plain), &s.stamp, &mac) &&
                   mac.len == s.mac.len && CRYPTO_memcmp(mac.bytes, s.mac.ptr, mac.len) == 0;
    text_fini(&plain);
    if (!is_fine)
        return false;
    *ret_why = "the clocks of this machine and of the name server differ";
    int64_t at_s = (int64_t)s.stamp.at_s;
    return now_s - at_s <= s.stamp.fudge_s && at_s - now_s <= s.stamp.fudge_s;
}
