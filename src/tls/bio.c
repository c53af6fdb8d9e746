// SPDX-License-Identifier: Apache-2.0
#include "tls/bio.h"

#include <errno.h>
#include <openssl/bio.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/mem.h"

// A client's last words in a handshake, and a first request behind them.
#define AHEAD_BYTES 2048

static BIO_METHOD *method; // made once, never freed

static size_t take_early(struct tls_wire *w, char *to, size_t n)
{
    n = MIN(n, w->early.len);
    memcpy(to, w->early.ptr, n);
    w->early = str_skip(w->early, n);
    if (w->early.len == 0) {
        mem_free(w->early_copy);
        w->early_copy = NULL;
    }
    return n;
}

enum io tls_wire_read(struct tls_wire *w, char *to, size_t n, size_t *ret_n)
{
    if (w->early.len > 0) {
        *ret_n = take_early(w, to, n);
        return IO_DONE;
    }
    // A socket that is known to be empty isn't asked: whoever waits has it watched, and watching
    // tells of what has come in between.
    enum io io = w->sock->is_readable ? sock_try_read(w->sock, to, n, ret_n) : IO_AGAIN;
    w->is_ended |= io == IO_EOF;
    w->is_broken |= io == IO_FAIL;
    return io;
}

// OpenSSL asks for a record's head, and then for the rest of it. What comes with them lies in
// early, where whoever goes on after the handshake finds it.
static enum io read_ahead(struct tls_wire *w, char *to, size_t n, size_t *ret_n)
{
    char ahead[AHEAD_BYTES];
    size_t got = 0;
    if (n >= sizeof ahead || w->early.len > 0)
        return tls_wire_read(w, to, n, ret_n);
    enum io io = tls_wire_read(w, ahead, sizeof ahead, &got);
    if (io != IO_DONE)
        return io;
    *ret_n = MIN(n, got);
    memcpy(to, ahead, *ret_n);
    if (got > n) {
        w->early_copy = mem_copy(ahead + n, got - n);
        w->early = str_from(w->early_copy, got - n);
    }
    return IO_DONE;
}

static int read_bytes(BIO *b, char *to, size_t n, size_t *ret_n)
{
    struct tls_wire *w = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n == 0)
        return 0;
    switch (w->reads_ahead ? read_ahead(w, to, n, ret_n) : tls_wire_read(w, to, n, ret_n)) {
    case IO_DONE:
        return 1;
    case IO_AGAIN:
        BIO_set_retry_read(b);
        return -1;
    case IO_EOF:
        return 0;
    case IO_FAIL:
        break;
    }
    return -1;
}

static enum io broken(struct tls_wire *w)
{
    w->is_broken = true;
    return IO_FAIL;
}

void tls_wire_reserve(struct tls_wire *w, size_t n)
{
    if (w->out_cap - w->out_len >= n)
        return;
    w->out_cap = w->out_len + n;
    w->out = mem_resize(w->out, w->out_cap, 1);
}

static bool keep(struct tls_wire *w, const char *from, size_t n)
{
    if (n > TLS_WIRE_OUT_MAX_BYTES - tls_wire_kept(w)) {
        w->sock->error = ENOBUFS;
        return false;
    }
    tls_wire_reserve(w, n);
    memcpy(w->out + w->out_len, from, n);
    w->out_len += n;
    return true;
}

static enum io send_some(struct tls_wire *w, const char *from, size_t n, size_t *ret_n)
{
    // WHY: iovec serves reading too and isn't const; writing leaves the bytes alone.
    struct iovec iov = {(void *)(uintptr_t)from, n};
    return sock_try_writev(w->sock, &iov, 1, ret_n);
}

bool tls_wire_write(struct tls_wire *w, const char *from, size_t n)
{
    size_t put = 0;
    if (w->is_broken)
        return false;
    if (!w->is_corked && !w->out && send_some(w, from, n, &put) == IO_FAIL)
        w->is_broken = true;
    else if (put < n && !keep(w, from + put, n - put))
        w->is_broken = true;
    return !w->is_broken;
}

static int write_bytes(BIO *b, const char *from, size_t n, size_t *ret_n)
{
    struct tls_wire *w = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n == 0)
        return 0;
    if (!tls_wire_write(w, from, n))
        return -1;
    *ret_n = n;
    return 1;
}

static long control(BIO *b, int what, long number, void *ptr)
{
    (void)number, (void)ptr;
    const struct tls_wire *w = BIO_get_data(b);
    if (what == BIO_CTRL_FLUSH) // whoever calls OpenSSL flushes behind it
        return 1;
    return what == BIO_CTRL_EOF ? w->is_ended : 0;
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport");
    if (!method || !BIO_meth_set_read_ex(method, read_bytes) ||
        !BIO_meth_set_write_ex(method, write_bytes) || !BIO_meth_set_ctrl(method, control))
        panic("OpenSSL has no memory");
}

BIO *tls_wire_bio(struct tls_wire *w)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *b = BIO_new(method);
    if (!b)
        panic("OpenSSL has no memory");
    BIO_set_data(b, w);
    BIO_set_init(b, 1);
    return b;
}

static void drop_out(struct tls_wire *w)
{
    mem_free(w->out);
    w->out = NULL;
    w->out_pos = w->out_len = w->out_cap = 0;
}

void tls_wire_fini(struct tls_wire *w)
{
    drop_out(w);
    mem_free(w->early_copy);
    w->early_copy = NULL;
    w->early = STR_NONE;
}

enum io tls_wire_flush(struct tls_wire *w)
{
    if (w->is_broken)
        return IO_FAIL;
    while (tls_wire_kept(w) > 0) {
        size_t put = 0;
        enum io io = send_some(w, w->out + w->out_pos, tls_wire_kept(w), &put);
        if (io == IO_FAIL)
            return broken(w);
        if (io == IO_AGAIN)
            return io;
        w->out_pos += put;
    }
    drop_out(w);
    return IO_DONE;
}

void tls_wire_keep_early(struct tls_wire *w)
{
    if (w->early.len == 0 || w->early_copy)
        return;
    w->early_copy = mem_copy(w->early.ptr, w->early.len);
    w->early.ptr = w->early_copy;
}
