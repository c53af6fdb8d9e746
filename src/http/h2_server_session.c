// SPDX-License-Identifier: Apache-2.0
// What nghttp2 tells while it is in a call of ours. The callbacks write down; h2_conn_settle acts.
#include <pthread.h>
#include <string.h>

#include "http/h2_heap.h"
#include "http/h2_server_priv.h"
#include "rt/clock.h"

#define CONN_WINDOW_BYTES (1024 * 1024) // of the connection, at the beginning
#define BOMB_FACTOR 4 // a field section of so many times the limit ends the connection
#define CONTINUATIONS_MAX 8
#define PRIORITY_BYTES 5
#define ANSWER_HEAD_MAX_BYTES (1024 * 1024)
#define TABLE_BYTES 1024 // of fields that answers may refer back to: see docs/internals/http2.md

static struct h2_stream *find(struct h2_conn *c, int32_t id)
{
    return nghttp2_session_get_stream_user_data(c->session, id);
}

// --- what comes ---

// Ends the call of the session, and the connection with it.
static int give_up(struct h2_conn *c, enum h2_error why, uint8_t code)
{
    if (c->refused == H2_ERROR_NONE) {
        c->refused = (uint8_t)why;
        c->refuse_code = code;
    }
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int count(struct h2_conn *c, enum h2_flood kind)
{
    if (h2_flood_add(c, kind))
        return 0;
    return give_up(c, kind == H2_FLOOD_RESET ? H2_ERROR_RESETS : H2_ERROR_FLOOD,
                   NGHTTP2_ENHANCE_YOUR_CALM);
}

// RFC 9113 5.1, 5.1.1: one that isn't above those before may be a late frame of a stream that we
// have reset, whose number nobody keeps; but none above the last of those is, and those that were
// left out have never been one.
static int take_old_number(struct h2_conn *c, int32_t id)
{
    if (id > c->cut_to || (id >= c->left_out_from && id <= c->left_out_to))
        return give_up(c, H2_ERROR_FRAMES, NGHTTP2_PROTOCOL_ERROR);
    return count(c, H2_FLOOD_OTHER);
}

static void note_number(struct h2_conn *c, int32_t id)
{
    if (id > c->last_id + 2 || (c->last_id == 0 && id > 1)) {
        c->left_out_from = c->last_id + 1;
        c->left_out_to = id - 1;
    }
    c->last_id = id;
}

// RFC 9113 6.9.2: SETTINGS that make any window too large end the connection. The session knows
// only of the windows before, and those that came about.
static int begin_settings(struct h2_conn *c, const nghttp2_frame_hd *hd)
{
    int64_t largest = 0;
    if ((hd->flags & NGHTTP2_FLAG_ACK) == 0) {
        LIST_FOR (node, &c->streams) {
            const struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, node);
            largest = MAX(
                largest, (int64_t)nghttp2_session_get_stream_remote_window_size(c->session, s->id));
        }
    }
    c->initial_window_max =
        INT32_MAX - largest +
        nghttp2_session_get_remote_settings(c->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    return count(c, H2_FLOOD_SETTINGS);
}

static int end_settings(struct h2_conn *c, const nghttp2_settings *frame)
{
    for (size_t i = 0; i < frame->niv; i++) {
        if (frame->iv[i].settings_id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE &&
            frame->iv[i].value > c->initial_window_max)
            return give_up(c, H2_ERROR_FRAMES, NGHTTP2_FLOW_CONTROL_ERROR);
    }
    if (!c->is_greeted) {
        c->is_greeted = true;
        c->head_due_ms = INT64_MAX;
    }
    return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2_conn *c = arg;
    switch (hd->type) {
    case NGHTTP2_DATA:
        if (hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
            return count(c, H2_FLOOD_EMPTY);
        return 0;
    case NGHTTP2_HEADERS: // the session reads over those of closed streams, which may be late ones
        return hd->stream_id > nghttp2_session_get_last_proc_stream_id(session) ||
                       find(c, hd->stream_id)
                   ? 0
                   : take_old_number(c, hd->stream_id);
    case NGHTTP2_CONTINUATION: // the session bounds their number
        return 0;
    case NGHTTP2_PRIORITY: // RFC 9113 6.3: the session doesn't look into those of old any more
        if (hd->stream_id == 0)
            return give_up(c, H2_ERROR_FRAMES, NGHTTP2_PROTOCOL_ERROR);
        if (hd->length != PRIORITY_BYTES)
            return give_up(c, H2_ERROR_FRAMES, NGHTTP2_FRAME_SIZE_ERROR);
        return count(c, H2_FLOOD_PRIORITY);
    case NGHTTP2_PRIORITY_UPDATE:
        return count(c, H2_FLOOD_PRIORITY);
    case NGHTTP2_RST_STREAM:
        return count(c, H2_FLOOD_RESET);
    case NGHTTP2_SETTINGS:
        return begin_settings(c, hd);
    case NGHTTP2_PING:
        return count(c, H2_FLOOD_PING);
    case NGHTTP2_WINDOW_UPDATE:
        return count(c, H2_FLOOD_WINDOW);
    }
    return count(c, H2_FLOOD_OTHER);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_conn *c = arg;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        struct h2_stream *s = find(c, frame->hd.stream_id);
        c->head = s && !s->is_over ? s : NULL; // one that is over has no settings any more
        if (c->head)
            h2_stream_begin_trailers(c->head);
        return 0;
    }
    note_number(c, frame->hd.stream_id);
    // The last GOAWAY may wait for room in the socket, while the session goes on opening streams
    // that it will close with it: they must not come to a server before (RFC 9113 6.8).
    bool is_late = c->goaway == H2_GOAWAY_FINAL;
    c->head = is_late ? NULL : h2_stream_open(c, frame->hd.stream_id);
    if (c->head)
        return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, c->head);
    c->cut_to = frame->hd.stream_id;
    int rv = nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                       NGHTTP2_REFUSED_STREAM);
    return rv != 0 ? rv : count(c, H2_FLOOD_RESET);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
    (void)session, (void)frame, (void)flags;
    struct h2_conn *c = arg;
    if (!c->head)
        return 0;
    struct h2_section *s = &c->head->section;
    h2_section_add(s, str_from((const char *)name, n_name), str_from((const char *)value, n_value));
    return s->bytes > BOMB_FACTOR * (size_t)s->limits->head_max_bytes
               ? give_up(c, H2_ERROR_BOMB, NGHTTP2_ENHANCE_YOUR_CALM)
               : 0;
}

// A stream that we had to reset by the client's doing is as much work for nothing as one that it
// has reset itself.
static int count_cut(struct h2_conn *c, const struct h2_stream *s, bool was_cut)
{
    return s->is_cut && !was_cut ? count(c, H2_FLOOD_RESET) : 0;
}

static int end_headers(struct h2_conn *c, const nghttp2_frame *frame)
{
    struct h2_stream *s = c->head;
    c->head = NULL;
    c->head_due_ms = INT64_MAX;
    if (!s)
        return 0;
    s->x.wire_in += frame->hd.length + H2_FRAME_HEAD_BYTES;
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        h2_stream_end_head(s, ends);
    else
        h2_stream_end_trailers(s, ends);
    h2_stream_touch(s);
    return count_cut(c, s, false);
}

static int end_data(struct h2_conn *c, const nghttp2_frame *frame)
{
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool is_padding = frame->hd.length > 0 && frame->hd.length == frame->data.padlen;
    if (is_padding && !ends && !h2_flood_add(c, H2_FLOOD_EMPTY))
        return give_up(c, H2_ERROR_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM);
    struct h2_stream *s = ends ? find(c, frame->hd.stream_id) : NULL;
    if (!s)
        return 0;
    bool was_cut = s->is_cut;
    h2_body_end(s);
    return count_cut(c, s, was_cut);
}

// RFC 9218 7.1: for DATA the session has it already; heads that wait are in our order.
static void take_update(struct h2_conn *c, const nghttp2_ext_priority_update *update)
{
    struct h2_stream *s = find(c, update->stream_id);
    if (s)
        s->urgency = (uint8_t)h2_priority_parse(
                         str_from((const char *)update->field_value, update->field_value_len))
                         .urgency;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    struct h2_conn *c = arg;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return end_headers(c, frame);
    case NGHTTP2_DATA:
        return end_data(c, frame);
    case NGHTTP2_SETTINGS:
        return is_ack ? 0 : end_settings(c, &frame->settings);
    case NGHTTP2_PING:
        // It has seen the notice: what it sent before that is here.
        if (is_ack && c->goaway == H2_GOAWAY_NOTICE)
            c->leave_due_ms = clock_now_ms();
        return 0;
    case NGHTTP2_PRIORITY_UPDATE:
        take_update(c, frame->ext.payload);
        return 0;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t n, void *arg)
{
    (void)flags;
    struct h2_conn *c = arg;
    struct h2_stream *s = find(c, id);
    if (!s)
        return nghttp2_session_consume_connection(session, n);
    bool was_cut = s->is_cut;
    size_t n_kept = h2_body_add(s, data, n);
    int rv = nghttp2_session_consume(session, id, n - n_kept); // nobody will read that
    return rv != 0 ? rv : count_cut(c, s, was_cut);
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *arg)
{
    (void)session, (void)frame, (void)error;
    struct h2_conn *c = arg;
    http_count_client_h2_error(h2_conn_env(c), H2_ERROR_FRAMES);
    return count(c, H2_FLOOD_RESET); // as count_cut
}

// --- what goes ---

static ssize_t frame_max(nghttp2_session *session, uint8_t type, int32_t id, int32_t conn_window,
                         int32_t stream_window, uint32_t frame_max_bytes, void *arg)
{
    (void)session, (void)type, (void)id;
    const struct h2_conn *c = arg;
    int64_t n = MIN((int64_t)h2_conn_frame_max(c), (int64_t)MIN(conn_window, stream_window));
    return (ssize_t)MAX(MIN(n, (int64_t)frame_max_bytes), (int64_t)1);
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                     nghttp2_data_source *source, void *arg)
{
    (void)session, (void)frame;
    struct h2_conn *c = arg;
    struct h2_stream *s = source->ptr;
    if (n > s->out.len) // given up since the session had asked for it
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    char *to = h2_conn_room(c, H2_FRAME_HEAD_BYTES + n);
    if (!to)
        return NGHTTP2_ERR_WOULDBLOCK;
    memcpy(to, head, H2_FRAME_HEAD_BYTES);
    if (n > 0)
        memcpy(to + H2_FRAME_HEAD_BYTES, s->out.ptr, n);
    h2_stream_taken(s, n);
    h2_flood_allow(c, H2_FLOOD_WINDOW, 4);
    return 0;
}

// The session says by itself that the client has broken a rule, and listens no more.
static void note_refused(struct h2_conn *c, uint32_t code)
{
    if (code == NGHTTP2_NO_ERROR || code == NGHTTP2_INTERNAL_ERROR ||
        c->goaway == H2_GOAWAY_REFUSED)
        return;
    c->goaway = H2_GOAWAY_REFUSED;
    http_note_offence(c->conn.listener, &c->peer,
                      code == NGHTTP2_ENHANCE_YOUR_CALM ? HTTP_OFFENCE_FLOOD
                                                        : HTTP_OFFENCE_MALFORMED);
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    struct h2_conn *c = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        note_refused(c, frame->goaway.error_code);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        c->cut_to = MAX(c->cut_to, frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS && !(frame->hd.type == NGHTTP2_DATA && ends))
        return 0;
    struct h2_stream *s = find(c, frame->hd.stream_id);
    if (!s)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        s->x.wire_out += frame->hd.length + H2_FRAME_HEAD_BYTES;
    if (ends)
        h2_stream_sent(s);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)session, (void)code;
    struct h2_conn *c = arg;
    struct h2_stream *s = find(c, id);
    if (!s)
        return 0;
    s->is_gone = true;
    s->is_reset |= !s->is_sent;
    h2_stream_unqueue(s);
    if (c->head == s)
        c->head = NULL;
    h2_stream_touch(s);
    return 0;
}

// --- sessions ---

static nghttp2_session_callbacks *callbacks; // made once, never freed
static nghttp2_option *options;              // the same

static void make_callbacks(void)
{
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        panic("nghttp2 has no memory");
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, frame_max);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}

static void make_options(void)
{
    if (nghttp2_option_new(&options) != 0)
        panic("nghttp2 has no memory");
    nghttp2_option_set_no_http_messaging(options, 1); // h2_fields.h is stricter
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_continuations(options, CONTINUATIONS_MAX);
    nghttp2_option_set_max_deflate_dynamic_table_size(options, TABLE_BYTES);
    nghttp2_option_set_max_send_header_block_length(options, ANSWER_HEAD_MAX_BYTES);
    nghttp2_option_set_builtin_recv_extension_type(options, NGHTTP2_PRIORITY_UPDATE);
}

static void make_once(void)
{
    make_callbacks();
    make_options();
}

static void check(int rv)
{
    if (rv != 0)
        panic("nghttp2: %s", nghttp2_strerror(rv));
}

void h2_session_open(struct h2_conn *c, const struct http_entry *entry)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_once);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, entry->h2_streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, entry->limits.head_max_bytes},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    check(nghttp2_session_server_new3(&c->session, callbacks, c, options,
                                      h2_heap_mem(h2_conn_env(c)->h2_heap)));
    check(nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)));
    check(
        nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW_BYTES));
    c->window_bytes = CONN_WINDOW_BYTES;
}
