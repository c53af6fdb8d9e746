// SPDX-License-Identifier: Apache-2.0
// A two-way stream of bytes with a peer: a plain socket, or what wraps one (TLS). Embedded in a
// connection. The calls have sock.h's meanings; plain streams go straight to the socket.
#pragma once

#include "rt/sock.h"

struct stream;

struct stream_ops {
    const char *name;
    enum io (*read)(struct stream *s, void *buf, size_t n, struct deadline until, size_t *ret_n);
    enum io (*try_read)(struct stream *s, void *buf, size_t n, size_t *ret_n);
    enum io (*writev)(struct stream *s, struct iovec *iov, int n_iov, int64_t each_ms,
                      struct deadline until);
    enum io (*try_writev)(struct stream *s, const struct iovec *iov, int n_iov, size_t *ret_n);
    // What an earlier try_writev or shut_write left for the socket. IO_DONE: all of it has gone.
    // NULL: it keeps nothing that way.
    enum io (*try_flush)(struct stream *s);
    // Whether bytes of the peer are held that no event of the socket will tell of any more.
    bool (*has_pending)(const struct stream *s);
    // An orderly end of our side.
    void (*shut_write)(struct stream *s);
    // Frees what the wrapper holds and closes the socket; reset: so that the peer sees a cut, not
    // an orderly end.
    void (*close)(struct stream *s);
    void (*reset)(struct stream *s);
};

struct stream {
    struct rt_sock sock;
    const struct stream_ops *ops; // NULL: plain
    void *tls;                    // of the TLS stream_ops
};

// Makes s one that has no socket, for tunnels: it has what they use of the calls, and whoever moves
// its bytes tells sock.on_event, in the loop, when there may be something to read.
static inline void stream_init_virtual(struct stream *s, const struct stream_ops *ops)
{
    *s = (struct stream){.sock = {.fd = -1, .is_watched = true}, .ops = ops};
}

static inline bool stream_is_plain(const struct stream *s)
{
    return s->ops == NULL;
}

static inline enum io stream_read(struct stream *s, void *buf, size_t n, struct deadline until,
                                  size_t *ret_n)
{
    return s->ops ? s->ops->read(s, buf, n, until, ret_n)
                  : sock_read(&s->sock, buf, n, until, ret_n);
}

static inline enum io stream_try_read(struct stream *s, void *buf, size_t n, size_t *ret_n)
{
    return s->ops ? s->ops->try_read(s, buf, n, ret_n) : sock_try_read(&s->sock, buf, n, ret_n);
}

static inline enum io stream_writev(struct stream *s, struct iovec *iov, int n_iov, int64_t each_ms,
                                    struct deadline until)
{
    return s->ops ? s->ops->writev(s, iov, n_iov, each_ms, until)
                  : sock_writev(&s->sock, iov, n_iov, each_ms, until);
}

static inline enum io stream_try_writev(struct stream *s, const struct iovec *iov, int n_iov,
                                        size_t *ret_n)
{
    return s->ops ? s->ops->try_writev(s, iov, n_iov, ret_n)
                  : sock_try_writev(&s->sock, iov, n_iov, ret_n);
}

// After stream_try_writev has taken everything, or stream_shut_write: whether the socket has it.
// IO_AGAIN: to be called again when the socket is writable, or before anything else is written.
static inline enum io stream_try_flush(struct stream *s)
{
    return s->ops && s->ops->try_flush ? s->ops->try_flush(s) : IO_DONE;
}

// A read is worth a try. Between reads this is asked, and not the socket's own flag.
static inline bool stream_is_readable(const struct stream *s)
{
    return s->sock.is_readable || (s->ops && s->ops->has_pending(s));
}

static inline void stream_shut_write(struct stream *s)
{
    if (s->ops)
        s->ops->shut_write(s);
    else
        sock_shut_write(&s->sock);
}

static inline void stream_close(struct stream *s)
{
    if (s->ops)
        s->ops->close(s);
    else
        sock_close(&s->sock);
}

static inline void stream_reset(struct stream *s)
{
    if (s->ops)
        s->ops->reset(s);
    else
        sock_reset(&s->sock);
}

// Moves a stream to another owner's struct; from becomes a closed one. Nobody waits in it, and its
// on_event is not taken over.
static inline void stream_move(struct stream *from, struct stream *to)
{
    to->ops = from->ops;
    to->tls = from->tls;
    sock_move(&from->sock, &to->sock);
    from->ops = NULL;
    from->tls = NULL;
}
