// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_h2.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/num.h"
#include "sim/sim.h"

#define READ_BYTES (16 * 1024)
#define CONN_WINDOW_BYTES (1 << 20)

static struct sim_h2 *all;
static size_t heap_bytes;

const struct sim_h2_wish sim_h2_plain = {.window_bytes = 65535, .table_bytes = UINT32_MAX};

struct sim_h2_wish sim_h2_some_wish(bool is_calm)
{
    static const uint32_t windows[] = {65535, 65535, 65535, 1 << 20, 4000, 300, 1};
    static const uint32_t frames[] = {0, 0, 0, 1 << 20};
    static const uint32_t tables[] = {UINT32_MAX, UINT32_MAX, 0, 200, 65536};
    return (struct sim_h2_wish){
        .window_bytes = windows[sim_below(ARRAY_LEN(windows) - is_calm)],
        .frame_bytes = frames[sim_below(ARRAY_LEN(frames))],
        .table_bytes = tables[sim_below(ARRAY_LEN(tables))],
        .conn_window_bytes = sim_chance(50) ? CONN_WINDOW_BYTES : 0,
    };
}

// --- memory: counted, as it isn't the worker's ---

static void *count(void *ptr)
{
    heap_bytes += malloc_usable_size(ptr);
    return ptr;
}

static void give(void *ptr, void *arg)
{
    (void)arg;
    heap_bytes -= malloc_usable_size(ptr);
    mem_free(ptr);
}

static void *get_raw(size_t n, void *arg)
{
    (void)arg;
    return count(mem_alloc_raw(n));
}

static void *get_zeroed(size_t n, size_t size, void *arg)
{
    (void)arg;
    return count(mem_alloc(n, size));
}

static void *resize(void *ptr, size_t n, void *arg)
{
    (void)arg;
    heap_bytes -= malloc_usable_size(ptr);
    return count(mem_resize(ptr, n, 1));
}

static nghttp2_mem heap = {
    .malloc = get_raw, .free = give, .calloc = get_zeroed, .realloc = resize};

size_t sim_h2_heap_bytes(void)
{
    return heap_bytes;
}

// --- life ---

void sim_h2_start(void)
{
    all = NULL;
}

static void free_session(struct sim_h2 *h)
{
    nghttp2_session_del(h->session);
    h->session = NULL;
}

void sim_h2_stop(void)
{
    for (struct sim_h2 *h = all; h; h = h->next)
        free_session(h);
    all = NULL;
}

static void check(int rv)
{
    if (rv != 0)
        panic("nghttp2: %s", nghttp2_strerror(rv));
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    (void)session, (void)arg;
    sim_fail("the worker sends what isn't HTTP/2: type %u on stream %d: %s", frame->hd.type,
             frame->hd.stream_id, nghttp2_strerror(error));
    return 0;
}

void sim_h2_check_sent(const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        sim_fail("the worker sends what isn't HTTP/2: %s: %.*s",
                 nghttp2_http2_strerror(frame->goaway.error_code),
                 (int)frame->goaway.opaque_data_len, (const char *)frame->goaway.opaque_data);
}

static void put_settings(struct sim_h2 *h, bool is_server, const struct sim_h2_wish *w)
{
    nghttp2_settings_entry s[6];
    size_t n = 0;
    s[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, w->window_bytes};
    if (!is_server)
        s[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    if (w->streams_max > 0)
        s[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, w->streams_max};
    if (w->frame_bytes > 0)
        s[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_FRAME_SIZE, w->frame_bytes};
    if (w->table_bytes != UINT32_MAX)
        s[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, w->table_bytes};
    if (w->takes_websockets)
        s[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    check(nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, s, n));
    if (w->conn_window_bytes > 0)
        check(nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                    w->conn_window_bytes));
}

void sim_h2_open(struct sim_h2 *h, bool is_server, const struct sim_h2_wish *wish,
                 nghttp2_session_callbacks *callbacks)
{
    nghttp2_option *options;
    check(nghttp2_option_new(&options));
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid);
    if (is_server)
        check(nghttp2_session_server_new3(&h->session, callbacks, h->arg, options, &heap));
    else
        check(nghttp2_session_client_new3(&h->session, callbacks, h->arg, options, &heap));
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    h->next = all;
    all = h;
    put_settings(h, is_server, wish);
    // They come before anything else.
    const uint8_t *bytes;
    for (ssize_t n; (n = nghttp2_session_mem_send(h->session, &bytes)) > 0;)
        sim_text_put(&h->out, (const char *)bytes, (size_t)n);
}

void sim_h2_close(struct sim_h2 *h)
{
    h->has_ended = true; // the session is freed with the world: this may be one of its callbacks
}

// --- sending ---

static void tell_fault(void *arg, uint64_t how)
{
    struct sim_h2 *h = arg;
    if (!h->has_ended)
        h->ops->fault(h->arg, (enum sim_fault)how);
}

// A cut is due. Told later: the peer may close everything.
static void cut(struct sim_h2 *h, struct sim_cut *c)
{
    h->is_stalled = true;
    sim_in(0, tell_fault, h, c->how);
}

// What the wire takes of out. False: something is left.
static bool send_out(struct sim_h2 *h)
{
    while (h->out_at < h->out.len) {
        size_t n = h->out.len - h->out_at;
        if (h->cut_sent.how != SIM_GO_ON)
            n = MIN(n, h->cut_sent.at - h->n_sent);
        if (n == 0) {
            cut(h, &h->cut_sent);
            return false;
        }
        ssize_t put = sim_wire_write(h->wire, h->out.ptr + h->out_at, n);
        if (put <= 0)
            return false;
        h->out_at += (size_t)put;
        h->n_sent += (size_t)put;
    }
    h->out.len = h->out_at = 0;
    return true;
}

void sim_h2_flush(struct sim_h2 *h)
{
    ASSERT(!h->is_in_call);
    while (!h->has_ended && !h->is_stalled && !sim_wire_is_closed(h->wire) && send_out(h) &&
           !h->is_hostile) {
        const uint8_t *bytes;
        h->is_in_call = true;
        ssize_t n = nghttp2_session_mem_send(h->session, &bytes);
        h->is_in_call = false;
        if (n < 0)
            sim_fail("nghttp2: %s", nghttp2_strerror((int)n));
        if (n <= 0)
            return;
        sim_text_put(&h->out, (const char *)bytes, (size_t)n);
    }
}

void sim_h2_put_raw(struct sim_h2 *h, const char *bytes, size_t n)
{
    sim_text_put(&h->out, bytes, n);
}

// --- receiving ---

static void feed(struct sim_h2 *h, const char *bytes, size_t n)
{
    if (h->is_hostile)
        return;
    h->is_in_call = true;
    ssize_t used = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes, n);
    h->is_in_call = false;
    if (used < 0)
        sim_fail("the worker sends what isn't HTTP/2: %s", nghttp2_strerror((int)used));
    if (!h->has_ended)
        h->ops->settled(h->arg);
}

static void read_later(void *arg, uint64_t tag)
{
    struct sim_h2 *h = arg;
    (void)tag;
    h->is_reading_later = false;
    sim_h2_go(h);
}

// One read. False: no more now.
static bool read_some(struct sim_h2 *h)
{
    char bytes[READ_BYTES];
    size_t n = sizeof bytes;
    if (h->read_pace.piece_bytes > 0)
        n = MIN(n, (size_t)h->read_pace.piece_bytes);
    if (h->cut_received.how != SIM_GO_ON)
        n = MIN(n, h->cut_received.at - h->n_received);
    if (n == 0) {
        cut(h, &h->cut_received);
        return false;
    }
    ssize_t got = sim_wire_read(h->wire, bytes, n);
    if (got == -EAGAIN)
        return false;
    if (got <= 0) {
        h->ops->ended(h->arg, got == 0);
        return false;
    }
    h->n_received += (size_t)got;
    feed(h, bytes, (size_t)got);
    if (h->read_pace.gap_ns == 0 || h->has_ended)
        return true;
    h->is_reading_later = true;
    sim_in(h->read_pace.gap_ns, read_later, h, 0);
    return false;
}

void sim_h2_go(struct sim_h2 *h)
{
    while (!h->has_ended && !h->is_stalled && !h->is_reading_later &&
           !sim_wire_is_closed(h->wire) && read_some(h))
        continue;
    sim_h2_flush(h);
}

void sim_h2_give_back(struct sim_h2 *h, int32_t id, size_t n, bool is_stalled)
{
    (void)nghttp2_session_consume_connection(h->session, n);
    if (!is_stalled)
        (void)nghttp2_session_consume_stream(h->session, id, n);
}
