// SPDX-License-Identifier: Apache-2.0
// Records of TLS 1.3 that a peer with the right keys may send, or anybody without them: reading
// ends, and gives the same text and the same end however the bytes are split and however little is
// read at once. Input: how to split, then records: a type (255: the rest comes unsealed), a length,
// the text.
#include <stdlib.h>

#include "base/attr.h"
#include "tls/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MOST 20000u

struct reading {
    char text[MOST];
    size_t n;
    enum io end;
    enum tls_record_alert alert;
    int peer_alert;
    bool owes_update;
};

static const uint8_t secret_in[32] = {1}, secret_out[32] = {2};

static void check(bool cond)
{
    if (!cond)
        abort();
}

static size_t seal_all(const uint8_t *data, size_t n, char *to)
{
    struct tls_record_key k;
    size_t len = 0;
    check(tls_record_key_init(&k, 0x1301, secret_in, sizeof secret_in, 0, true));
    while (n >= 2 && data[0] != 255 && len + 300 < MOST) {
        size_t bytes = MIN((size_t)data[1], n - 2);
        struct str text = str_from((const char *)data + 2, bytes);
        len += tls_record_seal(&k, data[0], text, to + len);
        if (data[0] == TLS_CONTENT_HANDSHAKE && bytes == TLS_KEY_UPDATE_BYTES)
            tls_record_key_update(&k);
        data += 2 + bytes;
        n -= 2 + bytes;
    }
    if (n > 1 && data[0] == 255) {
        size_t bytes = MIN(n - 1, MOST - len);
        memcpy(to + len, data + 1, bytes);
        len += bytes;
    }
    tls_record_key_fini(&k);
    return len;
}

// Pieces of the wire's bytes, and of the text.
static void read_all(struct str bytes, size_t piece, size_t most, struct reading *ret)
{
    struct rt_sock sock = {.fd = -1};
    struct tls_wire wire = {.sock = &sock};
    struct tls_records *r = tls_records_new(0x1301, secret_in, secret_out, sizeof secret_in, 0);
    ret->n = 0;
    ret->end = IO_AGAIN;
    while (ret->end == IO_AGAIN && bytes.len > 0) {
        size_t got;
        wire.early = str_first(bytes, MIN(piece, bytes.len));
        bytes = str_skip(bytes, wire.early.len);
        while ((ret->end = tls_records_read(r, &wire, ret->text + ret->n, MIN(most, MOST - ret->n),
                                            &got, &ret->alert)) == IO_DONE) {
            check(got > 0 && got <= most);
            ret->n += got;
        }
        check(ret->end != IO_AGAIN || (wire.early.len == 0 && !tls_records_has_pending(r)));
    }
    ret->peer_alert = r->alert;
    ret->owes_update = r->owes_update;
    tls_records_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static char bytes[MOST + 400];
    static struct reading whole, split;
    if (n < 2)
        return 0;
    struct str all = str_from(bytes, seal_all(data + 2, n - 2, bytes));
    read_all(all, MOST, MOST, &whole);
    read_all(all, 1u + data[0], 1u + data[1], &split);
    check(whole.n == split.n && memcmp(whole.text, split.text, whole.n) == 0);
    check(whole.end == split.end && whole.peer_alert == split.peer_alert);
    check(whole.end != IO_FAIL || whole.alert == split.alert);
    check(whole.owes_update == split.owes_update);
    return 0;
}
