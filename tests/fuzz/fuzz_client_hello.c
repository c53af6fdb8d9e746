// SPDX-License-Identifier: Apache-2.0
// The last byte chooses the size of the pieces. Property: pieces give what the whole gives; a name
// that is taken is canonical, so that it can't mean another route than its bytes say.
#include <string.h>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "codec/client_hello.h"

#define ROOM_BYTES 4096

struct outcome {
    enum io io;
    enum client_hello_error error;
    struct client_hello hello;
    char room[ROOM_BYTES];
};

static void read_in_pieces(struct str in, size_t piece, struct outcome *o)
{
    struct client_hello_reader r;
    o->io = IO_AGAIN;
    o->error = CLIENT_HELLO_ERROR_NONE;
    client_hello_begin(&r, o->room, sizeof o->room);
    while (in.len > 0 && o->io == IO_AGAIN) {
        size_t n = MIN(piece, in.len);
        o->io = client_hello_feed(&r, str_first(in, n), &o->hello, &o->error);
        in = str_skip(in, n);
    }
}

static void check_hello(const struct client_hello *h)
{
    ASSERT(h->server_name.len <= 253);
    for (size_t i = 0; i < h->server_name.len; i++)
        ASSERT(ascii_lower(h->server_name.ptr[i]) == h->server_name.ptr[i] &&
               h->server_name.ptr[i] > ' ');
    struct str list = h->alpn, protocol;
    while (client_hello_next_protocol(&list, &protocol))
        ASSERT(protocol.len > 0);
    ASSERT(list.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, pieces;
    if (size == 0)
        return 0;
    // As it stands too: the corpus has plain messages.
    struct str in = {(const char *)data, size};
    read_in_pieces(in, size, &whole);
    read_in_pieces(in, 1 + data[size - 1] % 7, &pieces);
    ASSERT(whole.io == pieces.io && whole.error == pieces.error);
    if (whole.io != IO_DONE)
        return 0;
    ASSERT(str_eq(whole.hello.server_name, pieces.hello.server_name));
    ASSERT(str_eq(whole.hello.alpn, pieces.hello.alpn));
    ASSERT(whole.hello.version_max == pieces.hello.version_max);
    check_hello(&whole.hello);
    return 0;
}
