// SPDX-License-Identifier: Apache-2.0
#include "tls/records.h"

#include "base/assert.h"
#include "base/mem.h"

#define EMPTY_MAX 32u // records in a row that bring nothing: who sends more only wants us to work
// AES-GCM's limit is 2^24.5 records of full size for a key (RFC 8446 5.5).
#define KEY_RECORDS_MAX ((uint64_t)1 << 24)

#define KEY_UPDATE 24 // a handshake message's type
#define ALERT_WARNING 1
#define ALERT_FATAL 2
#define ALERT_CLOSE_NOTIFY 0
#define ALERT_USER_CANCELED 90

struct tls_records *tls_records_new(uint16_t suite, const uint8_t *in, const uint8_t *out,
                                    size_t secret_bytes, uint64_t n_out)
{
    struct tls_records *r = MEM_NEW(struct tls_records);
    r->alert = TLS_RECORD_ALERT_NONE;
    if (tls_record_key_init(&r->in, suite, in, secret_bytes, 0, false) &&
        tls_record_key_init(&r->out, suite, out, secret_bytes, n_out, true))
        return r;
    tls_records_free(r);
    return NULL;
}

void tls_records_free(struct tls_records *r)
{
    if (!r)
        return;
    tls_record_key_fini(&r->in);
    tls_record_key_fini(&r->out);
    mem_free(r->kept);
    mem_free(r);
}

// --- what records mean ---

static enum io refuse(enum tls_record_alert alert, enum tls_record_alert *reterr)
{
    *reterr = alert;
    return IO_FAIL;
}

// IO_AGAIN: the connection goes on.
static enum io on_alert(struct tls_records *r, struct str text, enum tls_record_alert *reterr)
{
    if (text.len != 2)
        return refuse(TLS_RECORD_ALERT_DECODE_ERROR, reterr);
    uint8_t alert = (uint8_t)text.ptr[1];
    if (alert == ALERT_USER_CANCELED) // close_notify follows
        return IO_AGAIN;
    if (alert == ALERT_CLOSE_NOTIFY) {
        r->is_ended = true;
        return IO_EOF;
    }
    // Whatever its level says (RFC 8446 6.2).
    r->alert = alert;
    return IO_FAIL;
}

// After the handshake a client has one message to send: the update of its key, alone in its
// records.
static enum io on_handshake(struct tls_records *r, struct str text, enum tls_record_alert *reterr)
{
    if (text.len == 0)
        return refuse(TLS_RECORD_ALERT_UNEXPECTED_MESSAGE, reterr);
    if (r->n_message == 0 && text.ptr[0] != KEY_UPDATE)
        return refuse(TLS_RECORD_ALERT_UNEXPECTED_MESSAGE, reterr);
    if (text.len > sizeof r->message - r->n_message)
        return refuse(TLS_RECORD_ALERT_UNEXPECTED_MESSAGE, reterr);
    memcpy(r->message + r->n_message, text.ptr, text.len);
    r->n_message += (uint8_t)text.len;
    if (r->n_message < sizeof r->message)
        return IO_AGAIN;
    const uint8_t *m = r->message;
    r->n_message = 0;
    if (m[1] != 0 || m[2] != 0 || m[3] != 1)
        return refuse(TLS_RECORD_ALERT_DECODE_ERROR, reterr);
    if (m[4] > 1)
        return refuse(TLS_RECORD_ALERT_ILLEGAL_PARAMETER, reterr);
    tls_record_key_update(&r->in);
    r->owes_update |= m[4] == 1;
    return IO_AGAIN;
}

static enum io on_record(struct tls_records *r, uint8_t content, struct str text,
                         enum tls_record_alert *reterr)
{
    if (r->n_message > 0 && content != TLS_CONTENT_HANDSHAKE)
        return refuse(TLS_RECORD_ALERT_UNEXPECTED_MESSAGE, reterr);
    if (text.len > TLS_RECORD_PLAIN_MAX_BYTES)
        return refuse(TLS_RECORD_ALERT_OVERFLOW, reterr);
    if (content == TLS_CONTENT_DATA && text.len > 0) {
        r->n_empty = 0;
        return IO_DONE;
    }
    if (++r->n_empty > EMPTY_MAX)
        return refuse(TLS_RECORD_ALERT_UNEXPECTED_MESSAGE, reterr);
    switch (content) {
    case TLS_CONTENT_DATA:
        return IO_AGAIN;
    case TLS_CONTENT_ALERT:
        return on_alert(r, text, reterr);
    case TLS_CONTENT_HANDSHAKE:
        return on_handshake(r, text, reterr);
    }
    return refuse(TLS_RECORD_ALERT_UNEXPECTED_MESSAGE, reterr);
}

// Opens records in bytes up to one with data, and takes them off. IO_AGAIN: no more whole ones.
static enum io open_next(struct tls_records *r, char **bytes, size_t *n, struct str *ret_text,
                         enum tls_record_alert *reterr)
{
    while (*n >= TLS_RECORD_HEAD_BYTES) {
        char *record = *bytes;
        size_t n_record = tls_record_bytes(record);
        uint8_t content;
        if (n_record == 0)
            return refuse(record[0] == TLS_CONTENT_DATA ? TLS_RECORD_ALERT_OVERFLOW
                                                        : TLS_RECORD_ALERT_UNEXPECTED_MESSAGE,
                          reterr);
        if (n_record > *n)
            return IO_AGAIN;
        *bytes += n_record;
        *n -= n_record;
        if (!tls_record_open(&r->in, record, n_record, &content, ret_text))
            return refuse(TLS_RECORD_ALERT_BAD_MAC, reterr);
        enum io io = on_record(r, content, *ret_text, reterr);
        if (io != IO_AGAIN)
            return io;
    }
    return IO_AGAIN;
}

// --- between socket and reader ---

// At rest nothing is kept.
static void keep(struct tls_records *r, struct str text, struct str sealed)
{
    r->kept_at = 0;
    r->n_text = text.len;
    r->n_sealed = sealed.len;
    if (text.len + sealed.len == 0)
        return;
    r->kept = mem_alloc_raw(text.len + sealed.len);
    if (text.len > 0)
        memcpy(r->kept, text.ptr, text.len);
    if (sealed.len > 0)
        memcpy(r->kept + text.len, sealed.ptr, sealed.len);
}

static void drop_kept(struct tls_records *r)
{
    mem_free(r->kept);
    r->kept = NULL;
    r->kept_at = r->n_text = r->n_sealed = 0;
}

static size_t take_text(struct tls_records *r, char *to, size_t n)
{
    n = MIN(n, r->n_text);
    memcpy(to, r->kept + r->kept_at, n);
    r->kept_at += n;
    r->n_text -= n;
    if (r->n_text + r->n_sealed == 0)
        drop_kept(r);
    return n;
}

// What comes lies here for as long as it is looked at, and nothing waits meanwhile.
static _Thread_local char arrived[TLS_RECORD_MAX_BYTES];

enum io tls_records_read(struct tls_records *r, struct tls_wire *w, char *to, size_t n,
                         size_t *ret_n, enum tls_record_alert *reterr)
{
    ASSERT(n > 0);
    *reterr = TLS_RECORD_ALERT_NONE;
    if (r->n_text > 0) {
        *ret_n = take_text(r, to, n);
        return IO_DONE;
    }
    if (r->is_ended) // what comes behind it is nobody's (RFC 8446 6.1)
        return IO_EOF;
    char *bytes = arrived;
    size_t have = r->n_sealed;
    struct str text = STR_NONE;
    enum io io;
    if (have > 0)
        memcpy(arrived, r->kept + r->kept_at, have);
    drop_kept(r);
    while ((io = open_next(r, &bytes, &have, &text, reterr)) == IO_AGAIN) {
        size_t got = 0;
        memmove(arrived, bytes, have);
        bytes = arrived;
        io = tls_wire_read(w, arrived + have, sizeof arrived - have, &got);
        if (io == IO_EOF)
            io = IO_FAIL; // a cut
        if (io != IO_DONE)
            break;
        have += got;
    }
    if (io == IO_DONE) {
        *ret_n = MIN(n, text.len);
        memcpy(to, text.ptr, *ret_n);
        text = str_skip(text, *ret_n);
    }
    if (io == IO_DONE || io == IO_AGAIN)
        keep(r, io == IO_DONE ? text : STR_NONE, str_from(bytes, have));
    return io;
}

bool tls_records_has_pending(const struct tls_records *r)
{
    if (r->n_text > 0)
        return true;
    if (r->n_sealed < TLS_RECORD_HEAD_BYTES)
        return false;
    return tls_record_bytes(r->kept + r->kept_at) <= r->n_sealed; // or no record at all
}

// --- sealing ---

static bool is_update_due(const struct tls_records *r)
{
    return r->owes_update || r->out.n_records >= KEY_RECORDS_MAX;
}

char *tls_records_place(const struct tls_records *r, char *to)
{
    if (is_update_due(r))
        to += TLS_RECORD_EXTRA_BYTES + TLS_KEY_UPDATE_BYTES;
    return to + TLS_RECORD_HEAD_BYTES;
}

size_t tls_records_seal(struct tls_records *r, struct str text, char *to)
{
    size_t n = 0;
    if (is_update_due(r)) {
        static const char update[TLS_KEY_UPDATE_BYTES] = {KEY_UPDATE, 0, 0, 1, 0};
        n = tls_record_seal(&r->out, TLS_CONTENT_HANDSHAKE, str_from(update, sizeof update), to);
        tls_record_key_update(&r->out);
        r->owes_update = false;
    }
    return n + tls_record_seal(&r->out, TLS_CONTENT_DATA, text, to + n);
}

size_t tls_records_seal_alert(struct tls_records *r, unsigned alert,
                              char to[static TLS_RECORDS_ALERT_BYTES])
{
    const char text[2] = {alert == ALERT_CLOSE_NOTIFY ? ALERT_WARNING : ALERT_FATAL, (char)alert};
    return tls_record_seal(&r->out, TLS_CONTENT_ALERT, str_from(text, sizeof text), to);
}
