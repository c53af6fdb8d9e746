// SPDX-License-Identifier: Apache-2.0
// What nghttp2 tells of a server's frames. Nothing here sends or waits: streams are ended by
// frames that go out with the end of the turn.
//
// nghttp2 knows frames, states, windows and header compression. What messages may hold is checked
// here and in h2_fields.c: its own checks repair some of it silently.
#include "http/env.h"
#include "http/h2_client_priv.h"
#include "http/h2_heap.h"
#include "rt/clock.h"

#define CONN_WINDOW_BYTES (16 * 1024 * 1024)
#define CONTINUATIONS_MAX 64 // of 16 KiB each: the largest head that settings allow

// More than a request's head can have, whatever the settings: nghttp2 would drop it, by its own
// limit of 64 KiB, and the server would be blamed.
#define REQUEST_HEAD_MAX_BYTES (4 * 1024 * 1024)

// Frames that bring nothing cost credit: PING, SETTINGS, WINDOW_UPDATE, empty DATA and the like.
// Time and what is useful earn it.
#define CREDIT_FIRST 1000
#define CREDIT_MAX 10000
#define CREDIT_PER_S 200
#define CREDIT_PER_FRAME 4 // of DATA or heads; sent or received

static struct h2_call *call_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

// --- floods ---

static void earn(struct h2_client *c, int64_t n)
{
    c->credit = MIN(c->credit + n, CREDIT_MAX);
}

static void spend(struct h2_client *c)
{
    int64_t now = clock_now_ms();
    if (now - c->credit_ms >= 1000) {
        earn(c, (now - c->credit_ms) / 1000 * CREDIT_PER_S);
        c->credit_ms = now;
    }
    if (--c->credit < 0 && c->error == H2_ERROR_NONE)
        c->error = H2_ERROR_FLOOD; // the reader ends the connection
}

// RFC 9113 6.9.2, as in h2_server_session.c: nghttp2 itself would end the streams alone.
static void begin_settings(struct h2_client *c)
{
    int64_t largest = 0;
    LIST_FOR (n, &c->calls) {
        const struct h2_call *call = CONTAINER_OF(n, struct h2_call, node);
        if (call->id != 0)
            largest =
                MAX(largest,
                    (int64_t)nghttp2_session_get_stream_remote_window_size(c->session, call->id));
    }
    c->initial_window_max =
        INT32_MAX - largest +
        nghttp2_session_get_remote_settings(c->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
}

static void check_settings(struct h2_client *c, const nghttp2_settings *frame)
{
    for (size_t i = 0; i < frame->niv; i++) {
        if (frame->iv[i].settings_id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE &&
            frame->iv[i].value > c->initial_window_max && c->error == H2_ERROR_NONE)
            c->error = H2_ERROR_FRAMES;
    }
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    (void)session;
    struct h2_client *c = arg;
    c->unknown_bytes = 0;
    if (hd->type == NGHTTP2_SETTINGS)
        begin_settings(c);
    // Our preface has forbidden pushes (RFC 9113 8.4); nghttp2 waits for the server to say that it
    // has read it.
    if (hd->type == NGHTTP2_PUSH_PROMISE && c->error == H2_ERROR_NONE)
        c->error = H2_ERROR_FRAMES;
    bool is_useful = (hd->type == NGHTTP2_DATA && hd->length > 0) || hd->type == NGHTTP2_HEADERS;
    if (is_useful)
        earn(c, CREDIT_PER_FRAME);
    else if (hd->type != NGHTTP2_DATA || (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
        spend(c);
    return 0;
}

// --- field sections ---

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    struct h2_call *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    bool is_trailers = call->has_head;
    struct headers *to = is_trailers ? &call->trailers : &call->head;
    call->has_answer = true;
    headers_init(to, call->x->mem);
    h2_section_init(&call->section, is_trailers ? H2_SECTION_TRAILERS : H2_SECTION_RESPONSE, to,
                    &call->limits);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                     void *arg)
{
    (void)flags;
    (void)arg;
    struct h2_call *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    h2_section_add(&call->section, str_from((const char *)name, name_bytes),
                   str_from((const char *)value, value_bytes));
    if (call->section.error == H2_ERROR_NONE)
        return 0;
    // Nothing more of it is worth being looked at, however long it is.
    h2_call_refuse(call, call->section.error);
    return 0;
}

static void take_interim(struct h2_call *call, bool is_end)
{
    call->interim_bytes += call->section.bytes;
    if (is_end) {
        h2_call_refuse(call, H2_ERROR_INTERIM_END);
    } else if (++call->n_interim > HTTP_CLIENT_INTERIM_MAX ||
               call->interim_bytes > call->limits.head_max_bytes) {
        h2_call_refuse(call, H2_ERROR_INTERIM_COUNT);
    } else {
        struct h2_interim *i = ARENA_NEW(call->x->mem, struct h2_interim);
        if (!i) {
            h2_call_note(call, "the exchange's memory is used up");
            h2_call_reset(call, H2_FAILURE_RESOURCES, NGHTTP2_CANCEL);
            return;
        }
        *i = (struct h2_interim){.status = call->section.status, .headers = call->head};
        *call->interims_end = i;
        call->interims_end = &i->next;
        h2_call_wake(call);
    }
}

// Of the final answer. HEAD, 204 and 304 have no body, whatever their fields tell of one (RFC 9110
// 6.4.1).
static void take_head(struct h2_call *call)
{
    unsigned status = call->section.status;
    call->has_head = true;
    call->has_body = call->x->req.method_id != METHOD_HEAD && status != 204 && status != 304;
    call->status = call->section.status;
    call->announced = call->section.length;
    call->length.wanted = call->has_body ? call->announced : 0;
    call->came_ms = clock_now_ms();
    h2_call_wake(call);
}

static void take_end(struct h2_call *call)
{
    if (!h2_length_is_whole(&call->length)) {
        h2_call_refuse(call, H2_ERROR_LENGTH_DIFFERS);
        return;
    }
    call->is_complete = true;
    call->came_ms = clock_now_ms();
    h2_call_wake(call);
}

// It stands: nothing but DATA may follow (RFC 9113 8.5).
static bool is_tunnel(const struct h2_call *call)
{
    return call->has_head && call->x->req.is_upgrade && call->status < 300;
}

static void on_section_end(struct h2_call *call, bool is_end)
{
    enum h2_error e = is_tunnel(call) ? H2_ERROR_TUNNEL : h2_section_end(&call->section);
    if (e != H2_ERROR_NONE) {
        h2_call_refuse(call, e);
        return;
    }
    if (call->section.kind == H2_SECTION_TRAILERS) {
        if (!is_end) {
            h2_call_refuse(call, H2_ERROR_TRAILERS_OPEN);
            return;
        }
        call->has_trailers = headers_next(&call->trailers, NULL) != NULL;
    } else if (call->section.status < 200) {
        take_interim(call, is_end);
        return;
    } else {
        take_head(call);
    }
    if (is_end)
        take_end(call);
}

// --- frames ---

static void on_goaway(struct h2_client *c, const nghttp2_goaway *frame)
{
    c->wants_http_1 |= frame->error_code == NGHTTP2_HTTP_1_1_REQUIRED;
    c->is_leaving = true; // nghttp2 ends the streams that the server will not serve
    h2_client_change(c);
}

// Those that wait for the server's SETTINGS.
static void wake_early(struct h2_client *c)
{
    LIST_FOR (n, &c->calls) {
        struct h2_call *call = CONTAINER_OF(n, struct h2_call, node);
        if (call->id == 0)
            h2_call_wake(call);
    }
}

static void on_reset(struct h2_call *call, uint32_t code)
{
    if (call->failure != H2_FAILURE_NONE || call->is_complete)
        return;
    h2_call_note(call, "reset the stream: %s", nghttp2_http2_strerror(code));
    bool wants_http_1 = code == NGHTTP2_HTTP_1_1_REQUIRED && !call->has_answer;
    call->failure = wants_http_1 ? H2_FAILURE_HTTP_1 : H2_FAILURE_RESET;
}

// nghttp2 takes no more than were sent.
static void on_settings_ack(struct h2_client *c)
{
    c->n_unacked--;
    LIST_FOR (n, &c->calls)
        h2_call_settle_window(CONTAINER_OF(n, struct h2_call, node));
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_client *c = arg;
    struct h2_call *call = NULL;
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        call = call_of(session, frame->hd.stream_id);
        if (call)
            on_section_end(call, is_end);
        break;
    case NGHTTP2_DATA:
        call = is_end ? call_of(session, frame->hd.stream_id) : NULL;
        if (call)
            take_end(call);
        break;
    case NGHTTP2_RST_STREAM:
        call = call_of(session, frame->hd.stream_id);
        if (call)
            on_reset(call, frame->rst_stream.error_code);
        break;
    case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
            on_settings_ack(c);
        else
            check_settings(c, &frame->settings);
        if (!c->is_ready)
            wake_early(c);
        c->is_ready = true;
        h2_client_change(c);
        break;
    case NGHTTP2_PING:
        break;
    case NGHTTP2_GOAWAY:
        on_goaway(c, &frame->goaway);
        break;
    }
    h2_client_lives(c);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t n, void *arg)
{
    (void)flags;
    (void)arg;
    // What waits for one slow client is bounded by its stream's window, and holds up nobody else.
    (void)nghttp2_session_consume_connection(session, n);
    struct h2_call *call = call_of(session, id);
    if (!call)
        return 0;
    if (!call->has_head)
        h2_call_refuse(call, H2_ERROR_FRAMES);
    else if (!call->has_body)
        h2_call_refuse(call, H2_ERROR_BODY);
    else if (!h2_length_add(&call->length, n))
        h2_call_refuse(call, H2_ERROR_LENGTH_DIFFERS);
    else
        h2_call_add_data(call, (const char *)data, n);
    return 0;
}

static void note_broken(struct h2_call *call, const char *why)
{
    h2_call_note(call, "malformed answer: %s (RFC 9113 5.4.2)", why);
    http_count_server_h2_error(call->x->env, H2_ERROR_FRAMES);
}

// The frame broke a rule of its stream or of the connection; nghttp2 says so to the server.
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                            void *arg)
{
    (void)arg;
    struct h2_call *call = call_of(session, frame->hd.stream_id);
    if (call && call->failure == H2_FAILURE_NONE && !call->is_complete) {
        note_broken(call, nghttp2_strerror(code));
        call->failure = H2_FAILURE_PROTOCOL;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)arg;
    struct h2_call *call = call_of(session, id);
    if (!call)
        return 0;
    enum h2_failure failure = H2_FAILURE_NONE;
    if (code == NGHTTP2_REFUSED_STREAM && !call->has_answer) {
        if (call->failure == H2_FAILURE_NONE)
            h2_call_note(call, "left before it looked at the request (GOAWAY)");
        bool wants_http_1 = call->c->wants_http_1;
        failure = call->failure = wants_http_1 ? H2_FAILURE_HTTP_1 : H2_FAILURE_REFUSED;
    } else if (!call->is_complete && call->failure == H2_FAILURE_NONE) {
        note_broken(call, nghttp2_http2_strerror(code)); // reset by nghttp2, for what it got
        failure = H2_FAILURE_PROTOCOL;
    }
    h2_call_end_stream(call, failure);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_client *c = arg;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
        earn(c, CREDIT_PER_FRAME);
    struct h2_call *call = call_of(session, frame->hd.stream_id);
    if (call && frame->hd.type == NGHTTP2_HEADERS && call->x->times.sent == 0)
        call->x->times.sent = clock_now_ns();
    if (frame->hd.type != NGHTTP2_GOAWAY || frame->goaway.error_code == NGHTTP2_NO_ERROR)
        return 0;
    size_t n = MIN(frame->goaway.opaque_data_len, sizeof c->why - 1);
    if (n > 0)
        memcpy(c->why, frame->goaway.opaque_data, n);
    c->why[n] = '\0';
    return 0;
}

// --- the session ---

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *to;
    if (nghttp2_session_callbacks_new(&to) != 0)
        panic("nghttp2 has no memory");
    nghttp2_session_callbacks_set_on_begin_frame_callback(to, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(to, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(to, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(to, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, on_data);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(to, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(to, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(to, on_frame_send);
    return to;
}

static nghttp2_option *make_options(void)
{
    nghttp2_option *o;
    if (nghttp2_option_new(&o) != 0)
        panic("nghttp2 has no memory");
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_http_messaging(o, 1);
    nghttp2_option_set_max_reserved_remote_streams(o, 0);
    nghttp2_option_set_max_continuations(o, CONTINUATIONS_MAX);
    nghttp2_option_set_max_send_header_block_length(o, REQUEST_HEAD_MAX_BYTES);
    return o;
}

static void set_initial_window(struct h2_client *c, uint32_t bytes)
{
    const nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, bytes};
    if (nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, &setting, 1) == 0)
        c->n_unacked++;
}

#define FRUGAL_LESS (H2_CLIENT_WINDOW_BYTES - H2_CLIENT_WINDOW_LEAST)

// RFC 9113 6.9.2: streams that run lose as much as those to come.
static void make_frugal(struct h2_client *c)
{
    c->is_frugal = true;
    set_initial_window(c, (uint32_t)H2_CLIENT_WINDOW_LEAST);
    LIST_FOR (n, &c->calls)
        h2_call_shrink_window(CONTAINER_OF(n, struct h2_call, node), FRUGAL_LESS);
}

static void make_generous(struct h2_client *c)
{
    c->is_frugal = false;
    set_initial_window(c, H2_CLIENT_WINDOW_BYTES);
    LIST_FOR (n, &c->calls) {
        struct h2_call *call = CONTAINER_OF(n, struct h2_call, node);
        h2_call_set_window(call, call->window + FRUGAL_LESS);
    }
}

void h2_session_fit_windows(struct h2_client *c)
{
    int64_t all = c->env->h2_window_bytes;
    if (LIKELY(!c->is_frugal)) {
        if (all + H2_CLIENT_WINDOW_BYTES > H2_CLIENT_WINDOWS_MAX_BYTES)
            make_frugal(c);
        return;
    }
    // All that run become larger at once, and at most two SETTINGS are on their way.
    int64_t then = all + (int64_t)c->n_calls * FRUGAL_LESS;
    if (c->n_unacked == 0 && then < H2_CLIENT_WINDOWS_MAX_BYTES / 2)
        make_generous(c);
}

void h2_session_begin(struct h2_client *c)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_CLIENT_WINDOW_BYTES},
    };
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *options = make_options();
    int failed = nghttp2_session_client_new3(&c->session, callbacks, c, options,
                                             h2_heap_mem(c->env->h2_heap));
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    if (failed != 0 ||
        nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) ||
        nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW_BYTES))
        panic("nghttp2 has no memory");
    c->credit = CREDIT_FIRST;
    c->n_unacked = 1;
}
