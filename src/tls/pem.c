// SPDX-License-Identifier: Apache-2.0
#include "tls/pem.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "codec/base64.h"

#define LINE_BYTES 48 // of DER in a line of 64 characters
#define LABEL_MAX_BYTES 64

static const struct str begin_mark = STR_INIT("-----BEGIN ");
static const struct str end_mark = STR_INIT("-----END ");
static const struct str dashes = STR_INIT("-----");

// RFC 7468 4 and 10 to 12; the names of SEC 1 and PKCS#1 keys are OpenSSL's.
static const struct {
    struct str label;
    enum tls_pem_kind kind;
} labels[] = {
    {STR_INIT("CERTIFICATE"), TLS_PEM_CERTIFICATE},
    {STR_INIT("X509 CERTIFICATE"), TLS_PEM_CERTIFICATE},
    {STR_INIT("PRIVATE KEY"), TLS_PEM_KEY},
    {STR_INIT("EC PRIVATE KEY"), TLS_PEM_KEY},
    {STR_INIT("RSA PRIVATE KEY"), TLS_PEM_KEY},
    {STR_INIT("ENCRYPTED PRIVATE KEY"), TLS_PEM_ENCRYPTED_KEY},
};

static enum tls_pem_kind kind_of(struct str label)
{
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (str_eq(labels[i].label, label))
            return labels[i].kind;
    }
    return TLS_PEM_OTHER;
}

// The next mark that begins a line; *rest is moved behind it.
static bool find_mark(struct str *rest, struct str mark)
{
    struct str text = *rest;
    for (size_t from = 0;;) {
        size_t at = str_search(str_skip(text, from), mark);
        if (at == STR_NPOS)
            return false;
        at += from;
        if (at == 0 || text.ptr[at - 1] == '\n' || text.ptr[at - 1] == '\r') {
            *rest = str_skip(text, at + mark.len);
            return true;
        }
        from = at + mark.len;
    }
}

// Takes "LABEL-----" and the rest of its line off *rest.
static bool take_label(struct str *rest, struct str *ret)
{
    size_t len = str_search(str_first(*rest, LABEL_MAX_BYTES + dashes.len), dashes);
    if (len == STR_NPOS)
        return false;
    *ret = str_first(*rest, len);
    *rest = str_skip(*rest, len + dashes.len);
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t' || rest->ptr[0] == '\r'))
        *rest = str_skip(*rest, 1);
    if (rest->len > 0 && rest->ptr[0] != '\n')
        return false;
    *rest = str_skip(*rest, 1);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum io decode(struct str body, struct arena *mem, struct str *ret, const char **ret_why)
{
    char *packed = ARENA_ARRAY(mem, char, body.len);
    char *der = ARENA_ARRAY(mem, char, body.len / 4 * 3 + 3);
    size_t n = 0, der_len;
    *ret_why = "its PEM is too large";
    if (!packed || !der)
        return IO_FAIL;
    for (size_t i = 0; i < body.len; i++) {
        if (!is_space(body.ptr[i]))
            packed[n++] = body.ptr[i];
    }
    *ret_why = "its PEM is not base64";
    if (base64_decode(str_from(packed, n), false, der, &der_len) != ERR_OK || der_len == 0)
        return IO_FAIL;
    *ret = str_from(der, der_len);
    return IO_DONE;
}

enum io tls_pem_next(struct str *rest, struct arena *mem, struct tls_pem_block *ret,
                     const char **ret_why)
{
    struct str label, end_label, at = *rest;
    if (!find_mark(&at, begin_mark))
        return IO_EOF;
    const char *start = at.ptr - begin_mark.len;
    *ret_why = "a PEM line with BEGIN is malformed";
    if (!take_label(&at, &label))
        return IO_FAIL;
    const char *body_start = at.ptr;
    *ret_why = "a PEM block has no end";
    if (!find_mark(&at, end_mark))
        return IO_FAIL;
    struct str body = str_from(body_start, (size_t)(at.ptr - end_mark.len - body_start));
    *ret_why = "a PEM block ends as another one than it begins";
    if (!take_label(&at, &end_label) || !str_eq(label, end_label))
        return IO_FAIL;
    *ret_why = "a PEM block is too large";
    if (body.len > TLS_PEM_BLOCK_MAX_BYTES)
        return IO_FAIL;
    *ret = (struct tls_pem_block){
        .kind = kind_of(label),
        .text = str_from(start, (size_t)(at.ptr - start)),
    };
    // RFC 1421 4.6.1.1: headers say how a key is encrypted, "Proc-Type: 4,ENCRYPTED".
    if (ret->kind == TLS_PEM_KEY && str_find(body, ':') != STR_NPOS)
        ret->kind = TLS_PEM_ENCRYPTED_KEY;
    *rest = at;
    if (ret->kind == TLS_PEM_CERTIFICATE || ret->kind == TLS_PEM_KEY)
        return decode(body, mem, &ret->der, ret_why);
    return IO_DONE;
}

void tls_pem_put(struct text *to, struct str label, struct str der)
{
    char line[LINE_BYTES / 3 * 4 + 1];
    size_t n_lines = der.len / LINE_BYTES + 1;
    text_reserve(to, n_lines * sizeof line + 2 * (label.len + end_mark.len + dashes.len + 4));
    text_put(to, begin_mark);
    text_put(to, label);
    text_put(to, STR("-----\n"));
    for (struct str left = der; left.len > 0; left = str_skip(left, LINE_BYTES)) {
        size_t n = base64_encode(str_first(left, LINE_BYTES), false, line);
        line[n++] = '\n';
        text_put(to, str_from(line, n));
    }
    text_put(to, end_mark);
    text_put(to, label);
    text_put(to, STR("-----\n"));
    mem_wipe(line, sizeof line);
}
