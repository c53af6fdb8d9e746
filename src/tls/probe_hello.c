// SPDX-License-Identifier: Apache-2.0
#include "tls/probe_hello.h"

#include "rt/sys.h"

#define RECORD_ALERT 21 // RFC 8446 5.1
#define RECORD_HANDSHAKE 22
#define RECORD_HEAD_BYTES 5
#define MESSAGE_CLIENT_HELLO 1 // RFC 8446 4
#define MESSAGE_SERVER_HELLO 2
#define RANDOM_BYTES 32
#define TLS_1_2 0x0303u
#define TLS_1_3 0x0304u

// RFC 6066 3, RFC 8422 5.1, RFC 5746 3.2, RFC 8446 4.2
enum extension {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_GROUPS = 10,
    EXTENSION_POINT_FORMATS = 11,
    EXTENSION_SIGNATURES = 13,
    EXTENSION_VERSIONS = 43,
    EXTENSION_KEY_SHARE = 51,
    EXTENSION_RENEGOTIATION = 0xff01,
};

// --- suites (IANA, TLS Cipher Suites) ---

static const uint16_t open_suites[] = {
    0x0001, 0x0002, 0x003b, 0xc001, 0xc006, 0xc00b, 0xc010, 0xc015, // NULL
    0x0018, 0x001a, 0x001b, 0x0034, 0x003a, 0x0046, 0x006c, 0x006d, // anonymous
    0x0089, 0x00a6, 0x00a7, 0xc016, 0xc017, 0xc018, 0xc019,         // the same, elliptic curves
    0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014, 0x0017, 0x0019, // export
};
static const uint16_t rc4_suites[] = {0x0004, 0x0005, 0xc002, 0xc007, 0xc00c, 0xc011};
static const uint16_t des_suites[] = {0x0009, 0x000a, 0x000c, 0x000d, 0x000f, 0x0010, 0x0012,
                                      0x0013, 0x0015, 0x0016, 0xc003, 0xc008, 0xc00d, 0xc012};
static const uint16_t no_secrecy_suites[] = {
    0x002f, 0x0035, 0x003c, 0x003d, 0x0041, 0x0084, 0x0096, 0x009c, 0x009d, 0x00ba,
    0x00c0, 0xc004, 0xc005, 0xc00e, 0xc00f, 0xc025, 0xc026, 0xc029, 0xc02a, 0xc02d,
    0xc02e, 0xc031, 0xc032, 0xc050, 0xc051, 0xc09c, 0xc09d, 0xc0a0, 0xc0a1,
};
static const uint16_t cbc_suites[] = {
    0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028, 0x0033, 0x0039, 0x0067,
    0x006b, 0x0032, 0x0038, 0x0040, 0x006a, 0x0045, 0x0088, 0xc072, 0xc073, 0xc076, 0xc077,
};
static const uint16_t good_suites[] = {
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, 0xccaa,
};
static const uint16_t suites_of_1_3[] = {0x1301, 0x1302, 0x1303};

static const struct tls_probe_suites weak_suites[] = {
    [TLS_PROBE_WEAK_OPEN] = {open_suites, ARRAY_LEN(open_suites)},
    [TLS_PROBE_WEAK_RC4] = {rc4_suites, ARRAY_LEN(rc4_suites)},
    [TLS_PROBE_WEAK_DES] = {des_suites, ARRAY_LEN(des_suites)},
    [TLS_PROBE_WEAK_NO_SECRECY] = {no_secrecy_suites, ARRAY_LEN(no_secrecy_suites)},
    [TLS_PROBE_WEAK_CBC] = {cbc_suites, ARRAY_LEN(cbc_suites)},
};

struct tls_probe_suites tls_probe_weak_suites(enum tls_probe_weak class)
{
    return weak_suites[class];
}

// --- the question ---

static void put_number(struct text *to, size_t n_bytes, size_t value)
{
    while (n_bytes-- > 0)
        text_byte(to, (char)(value >> (8 * n_bytes) & 0xff));
}

// A length of n_bytes whose value end_length fills in.
static size_t begin_length(struct text *to, size_t n_bytes)
{
    put_number(to, n_bytes, 0);
    return to->len;
}

static void end_length(struct text *to, size_t n_bytes, size_t from)
{
    size_t len = to->len - from;
    for (size_t i = 0; i < n_bytes; i++)
        to->ptr[from - 1 - i] = (char)(len >> (8 * i) & 0xff);
}

static void put_suites(struct text *to, struct tls_probe_suites s)
{
    for (size_t i = 0; i < s.n; i++)
        put_number(to, 2, s.ids[i]);
}

static void put_all_suites(struct text *to, unsigned version)
{
    if (version >= TLS_1_3) {
        put_suites(to, (struct tls_probe_suites){suites_of_1_3, ARRAY_LEN(suites_of_1_3)});
        return;
    }
    put_suites(to, (struct tls_probe_suites){good_suites, ARRAY_LEN(good_suites)});
    put_suites(to, weak_suites[TLS_PROBE_WEAK_CBC]);
    put_suites(to, weak_suites[TLS_PROBE_WEAK_NO_SECRECY]);
    put_suites(to, weak_suites[TLS_PROBE_WEAK_DES]);
    put_suites(to, weak_suites[TLS_PROBE_WEAK_RC4]);
}

// An extension that is a list of 16-bit numbers.
static void put_list(struct text *to, enum extension id, const uint16_t *ids, size_t n)
{
    put_number(to, 2, id);
    put_number(to, 2, 2 * n + 2);
    put_number(to, 2, 2 * n);
    put_suites(to, (struct tls_probe_suites){ids, n});
}

static void put_name(struct text *to, struct str name)
{
    put_number(to, 2, EXTENSION_SERVER_NAME);
    put_number(to, 2, name.len + 5);
    put_number(to, 2, name.len + 3);
    put_number(to, 1, 0); // host_name
    put_number(to, 2, name.len);
    text_put(to, name);
}

static void put_extensions(struct text *to, unsigned version, struct str name)
{
    // X25519, P-256, P-384, P-521, ffdhe2048; RSA-PSS, ECDSA and RSA with SHA-2 and SHA-1.
    static const uint16_t groups[] = {0x001d, 0x0017, 0x0018, 0x0019, 0x0100};
    static const uint16_t signatures[] = {0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0807,
                                          0x0401, 0x0501, 0x0601, 0x0203, 0x0201, 0x0202};
    if (name.len > 0)
        put_name(to, name);
    put_list(to, EXTENSION_GROUPS, groups, ARRAY_LEN(groups));
    put_number(to, 2, EXTENSION_POINT_FORMATS);
    put_number(to, 2, 2);
    put_number(to, 2, 0x0100); // one: uncompressed
    put_number(to, 2, EXTENSION_RENEGOTIATION);
    put_number(to, 2, 1);
    put_number(to, 1, 0);
    if (version >= TLS_1_2)
        put_list(to, EXTENSION_SIGNATURES, signatures, ARRAY_LEN(signatures));
    if (version < TLS_1_3)
        return;
    put_number(to, 2, EXTENSION_VERSIONS);
    put_number(to, 2, 3);
    put_number(to, 1, 2);
    put_number(to, 2, TLS_1_3);
    // No share: the server answers with the group that it wants (RFC 8446 4.2.8).
    put_number(to, 2, EXTENSION_KEY_SHARE);
    put_number(to, 2, 2);
    put_number(to, 2, 0);
}

void tls_probe_hello(struct text *to, unsigned version, struct str name,
                     struct tls_probe_suites suites)
{
    char random[RANDOM_BYTES];
    unsigned legacy = MIN(version, TLS_1_2);
    sys_random(random, sizeof random);
    put_number(to, 1, RECORD_HANDSHAKE);
    put_number(to, 2, MIN(version, 0x0301u)); // RFC 8446 5.1
    size_t record = begin_length(to, 2);
    put_number(to, 1, MESSAGE_CLIENT_HELLO);
    size_t message = begin_length(to, 3);
    put_number(to, 2, legacy);
    text_put(to, str_from(random, sizeof random));
    put_number(to, 1, 0); // no session
    size_t list = begin_length(to, 2);
    if (suites.n > 0)
        put_suites(to, suites);
    else
        put_all_suites(to, version);
    end_length(to, 2, list);
    if (version < TLS_1_3)
        put_number(to, 3, 0x020100); // two: DEFLATE, none
    else
        put_number(to, 2, 0x0100); // one: none
    size_t extensions = begin_length(to, 2);
    put_extensions(to, version, name);
    end_length(to, 2, extensions);
    end_length(to, 3, message);
    end_length(to, 2, record);
}

// --- the answer ---

static bool take(struct str *in, size_t n, struct str *ret)
{
    if (in->len < n)
        return false;
    *ret = str_first(*in, n);
    *in = str_skip(*in, n);
    return true;
}

static bool take_number(struct str *in, size_t n, unsigned *ret)
{
    struct str bytes;
    if (!take(in, n, &bytes))
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret = *ret << 8 | (unsigned char)bytes.ptr[i];
    return true;
}

static bool read_extensions(struct str in, struct tls_probe_answer *ret)
{
    while (in.len > 0) {
        unsigned id, n;
        struct str content;
        if (!take_number(&in, 2, &id) || !take_number(&in, 2, &n) || !take(&in, n, &content))
            return false;
        if (id == EXTENSION_VERSIONS && !take_number(&content, 2, &ret->version))
            return false;
        if (id == EXTENSION_RENEGOTIATION)
            ret->renegotiates_securely = true;
    }
    return true;
}

static bool read_server_hello(struct str in, struct tls_probe_answer *ret)
{
    struct str skipped;
    unsigned n, compression;
    if (!take_number(&in, 2, &ret->version) || !take(&in, RANDOM_BYTES, &skipped) ||
        !take_number(&in, 1, &n) || !take(&in, n, &skipped) || !take_number(&in, 2, &ret->suite) ||
        !take_number(&in, 1, &compression))
        return false;
    ret->is_compressed = compression != 0;
    if (in.len == 0)
        return true; // of a server that knows no extensions
    return take_number(&in, 2, &n) && n == in.len && read_extensions(in, ret);
}

enum tls_probe_outcome tls_probe_answer(struct str bytes, struct tls_probe_answer *ret)
{
    unsigned type, version, n, message;
    struct str content = bytes, body;
    *ret = (struct tls_probe_answer){.version = 0};
    if (bytes.len < RECORD_HEAD_BYTES)
        return TLS_PROBE_MORE;
    if (!take_number(&content, 1, &type) || !take_number(&content, 2, &version) ||
        !take_number(&content, 2, &n) || version >> 8 != 3)
        return TLS_PROBE_OTHER;
    struct str record = str_first(content, n);
    enum tls_probe_outcome if_short = record.len < n ? TLS_PROBE_MORE : TLS_PROBE_OTHER;
    if (type == RECORD_ALERT) {
        if (!take_number(&record, 1, &version) || !take_number(&record, 1, &ret->alert))
            return if_short;
        return TLS_PROBE_REFUSED;
    }
    if (type != RECORD_HANDSHAKE)
        return TLS_PROBE_OTHER;
    if (!take_number(&record, 1, &message) || !take_number(&record, 3, &n))
        return if_short;
    if (message != MESSAGE_SERVER_HELLO || n > TLS_PROBE_ANSWER_MAX_BYTES)
        return TLS_PROBE_OTHER;
    if (!take(&record, n, &body))
        return if_short;
    return read_server_hello(body, ret) ? TLS_PROBE_ACCEPTED : TLS_PROBE_OTHER;
}
