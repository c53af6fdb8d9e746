// SPDX-License-Identifier: Apache-2.0
#include "filter/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "codec/base64.h"

#define MD5_BYTES 16
#define SHA1_BYTES 20

static const char itoa64[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_crypt_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!memchr(itoa64, s.ptr[i], sizeof itoa64 - 1))
            return false;
    return true;
}

static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], ASCII_TARGET))
            return false;
    return s.len > 0;
}

static const char not_a_hash[] =
    "is no hash of a password: make one with `sallyport hash-password` or `htpasswd -nB NAME`";

static const char *crypt_fault(struct str hash)
{
    // Traditional DES has 13 bytes and BSDi's 20; all others begin with "$".
    bool is_des = hash.len == 13 && is_crypt_text(hash);
    bool is_bsdi = hash.len == 20 && hash.ptr[0] == '_' && is_crypt_text(str_skip(hash, 1));
    if (!is_des && !is_bsdi && (hash.ptr[0] != '$' || hash.len < 20))
        return not_a_hash;
    char setting[PASSWORD_HASH_MAX + 1];
    memcpy(setting, hash.ptr, hash.len);
    setting[hash.len] = '\0';
    switch (crypt_checksalt(setting)) {
    case CRYPT_SALT_OK:
    case CRYPT_SALT_METHOD_LEGACY:
    case CRYPT_SALT_TOO_CHEAP:
        return NULL;
    case CRYPT_SALT_METHOD_DISABLED:
        return "is a hash of a kind that this system's libcrypt has disabled";
    default:
        return not_a_hash;
    }
}

// "$apr1$salt$digest"
static bool apr1_split(struct str hash, struct str *ret_salt, struct str *ret_digest)
{
    struct str start = STR("$apr1$");
    return str_starts(hash, start) &&
           str_cut(str_skip(hash, start.len), '$', ret_salt, ret_digest) && ret_salt->len <= 8 &&
           is_crypt_text(*ret_salt) && ret_digest->len == 22 && is_crypt_text(*ret_digest);
}

// "{SHA}" and the digest in base64
static bool sha1_split(struct str hash, uint8_t ret_digest[static 24])
{
    struct str start = STR("{SHA}");
    size_t n = 0;
    return str_starts(hash, start) && hash.len == start.len + 28 &&
           base64_decode(str_skip(hash, start.len), false, (char *)ret_digest, &n) == ERR_OK &&
           n == SHA1_BYTES;
}

const char *password_hash_fault(struct str hash)
{
    if (hash.len > PASSWORD_HASH_MAX || !is_printable(hash))
        return not_a_hash;
    struct str salt, digest;
    uint8_t sha1[24];
    if (apr1_split(hash, &salt, &digest) || sha1_split(hash, sha1))
        return NULL;
    return crypt_fault(hash);
}

unsigned password_cost(struct str hash)
{
    static const struct {
        struct str start;
        unsigned cost;
    } kinds[] = {
        {STR_INIT("$y$"), 4}, {STR_INIT("$gy$"), 4}, {STR_INIT("$7$"), 4}, {STR_INIT("$2"), 3},
        {STR_INIT("$6$"), 2}, {STR_INIT("$5$"), 2},  {STR_INIT("$"), 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts(hash, kinds[i].start))
            return kinds[i].cost;
    return 0;
}

static bool is_same(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

static bool verify_crypt(struct str hash, struct str password)
{
    // 32 KiB: not for a stack.
    struct crypt_data *data = MEM_NEW(struct crypt_data);
    char phrase[PASSWORD_MAX + 1], setting[PASSWORD_HASH_MAX + 1];
    memcpy(phrase, password.ptr, password.len);
    phrase[password.len] = '\0';
    memcpy(setting, hash.ptr, hash.len);
    setting[hash.len] = '\0';
    const char *got = crypt_r(phrase, setting, data);
    bool is_right = got && strlen(got) == hash.len && is_same(got, hash.ptr, hash.len);
    mem_wipe(phrase, sizeof phrase);
    mem_wipe(data, sizeof *data);
    mem_free(data);
    return is_right;
}

static bool verify_sha1(const uint8_t wanted[static SHA1_BYTES], struct str password)
{
    uint8_t got[EVP_MAX_MD_SIZE];
    return EVP_Digest(password.ptr, password.len, got, NULL, EVP_sha1(), NULL) == 1 &&
           is_same(got, wanted, SHA1_BYTES);
}

// --- Apache's apr1: FreeBSD's MD5 crypt with another magic ---

struct md5 {
    EVP_MD_CTX *ctx; // owns
    bool is_good;
};

static void md5_start(struct md5 *m)
{
    m->is_good = m->is_good && EVP_DigestInit_ex(m->ctx, EVP_md5(), NULL) == 1;
}

static void md5_put(struct md5 *m, struct str s)
{
    m->is_good = m->is_good && (s.len == 0 || EVP_DigestUpdate(m->ctx, s.ptr, s.len) == 1);
}

static struct str md5_end(struct md5 *m, uint8_t ret[static MD5_BYTES])
{
    m->is_good = m->is_good && EVP_DigestFinal_ex(m->ctx, ret, NULL) == 1;
    return str_from((const char *)ret, MD5_BYTES);
}

static void apr1_first(struct md5 *m, struct str password, struct str salt,
                       uint8_t digest[static MD5_BYTES])
{
    md5_start(m);
    md5_put(m, password);
    md5_put(m, salt);
    md5_put(m, password);
    struct str inner = md5_end(m, digest);
    uint8_t copy[MD5_BYTES];
    memcpy(copy, inner.ptr, sizeof copy);
    inner.ptr = (const char *)copy;
    md5_start(m);
    md5_put(m, password);
    md5_put(m, STR("$apr1$"));
    md5_put(m, salt);
    for (size_t left = password.len; left > 0; left -= MIN(left, MD5_BYTES))
        md5_put(m, str_first(inner, left));
    for (size_t bits = password.len; bits > 0; bits >>= 1)
        md5_put(m, (bits & 1) != 0 ? str_from("", 1) : str_first(password, 1));
    md5_end(m, digest);
}

static void apr1_rounds(struct md5 *m, struct str password, struct str salt,
                        uint8_t digest[static MD5_BYTES])
{
    struct str last = {(const char *)digest, MD5_BYTES};
    for (unsigned i = 0; i < 1000; i++) {
        md5_start(m);
        md5_put(m, (i & 1) != 0 ? password : last);
        if (i % 3 != 0)
            md5_put(m, salt);
        if (i % 7 != 0)
            md5_put(m, password);
        md5_put(m, (i & 1) != 0 ? last : password);
        md5_end(m, digest);
    }
}

static void apr1_text(const uint8_t d[static MD5_BYTES], char ret[static 22])
{
    static const uint8_t order[5][3] = {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        uint32_t bits =
            (uint32_t)d[order[i][0]] << 16 | (uint32_t)d[order[i][1]] << 8 | d[order[i][2]];
        for (unsigned k = 0; k < 4; k++, bits >>= 6)
            ret[n++] = itoa64[bits & 63];
    }
    ret[n++] = itoa64[d[11] & 63];
    ret[n] = itoa64[d[11] >> 6];
}

static bool verify_apr1(struct str salt, struct str wanted, struct str password)
{
    struct md5 m = {.ctx = EVP_MD_CTX_new()};
    m.is_good = m.ctx != NULL;
    uint8_t digest[MD5_BYTES] = {0};
    apr1_first(&m, password, salt, digest);
    apr1_rounds(&m, password, salt, digest);
    EVP_MD_CTX_free(m.ctx);
    char got[22];
    apr1_text(digest, got);
    return m.is_good && is_same(got, wanted.ptr, sizeof got);
}

bool password_verify(struct str hash, struct str password)
{
    // A NUL would end the password early in libcrypt.
    if (password.len > PASSWORD_MAX || str_find(password, '\0') != STR_NPOS)
        return false;
    if (password.len == 0)
        password.ptr = "";
    struct str salt, digest;
    uint8_t sha1[24];
    if (apr1_split(hash, &salt, &digest))
        return verify_apr1(salt, digest, password);
    if (sha1_split(hash, sha1))
        return verify_sha1(sha1, password);
    return verify_crypt(hash, password);
}
