// SPDX-License-Identifier: Apache-2.0
#include "http/websocket.h"

#include "codec/base64.h"
#include "rt/sys.h"
#include "tls/digest.h"

#define NONCE_BYTES 16 // RFC 6455 4.1
#define BASE64_BYTES(n) (((n) + 2) / 3 * 4)
#define KEY STR("Sec-WebSocket-Key")

static struct str encode(struct arena *mem, struct str bytes)
{
    char *text = ARENA_ARRAY(mem, char, BASE64_BYTES(bytes.len));
    return str_from(text, text ? base64_encode(bytes, false, text) : 0);
}

bool websocket_is_asked_for(const struct request *r)
{
    return r->is_upgrade && str_ieq(r->upgrade, STR("websocket"));
}

bool websocket_add_key(struct request *r, struct arena *mem)
{
    char nonce[NONCE_BYTES];
    sys_random(nonce, sizeof nonce);
    struct str key = encode(mem, str_from(nonce, sizeof nonce));
    return key.ptr && headers_set_named(&r->headers, KEY, key) == ERR_OK;
}

struct str websocket_accept(const struct request *r, struct arena *mem)
{
    const struct field *key = headers_find_named(&r->headers, KEY);
    unsigned char hash[TLS_SHA1_BYTES];
    if (!key)
        return STR_NONE;
    struct str text =
        arena_concat(mem, key->value, STR("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), STR_NONE);
    if (!text.ptr)
        return STR_NONE;
    tls_sha1(text, hash);
    return encode(mem, str_from((char *)hash, sizeof hash));
}
