// SPDX-License-Identifier: Apache-2.0
// The records of a connection of TLS 1.3 whose handshake is done: what they mean (RFC 8446 4.6.3,
// 5, 6), and the bytes that wait between socket and reader. OpenSSL isn't needed any more but for
// its ciphers: its own record layer costs several times as much per record, and 14 KB per
// connection.
#pragma once

#include "tls/bio.h"
#include "tls/record.h"

// Alerts that are sent here (RFC 8446 6).
enum tls_record_alert {
    TLS_RECORD_ALERT_NONE = -1,
    TLS_RECORD_ALERT_UNEXPECTED_MESSAGE = 10,
    TLS_RECORD_ALERT_BAD_MAC = 20,
    TLS_RECORD_ALERT_OVERFLOW = 22,
    TLS_RECORD_ALERT_ILLEGAL_PARAMETER = 47,
    TLS_RECORD_ALERT_DECODE_ERROR = 50,
};

#define TLS_KEY_UPDATE_BYTES 5

struct tls_records {
    struct tls_record_key in, out;
    char *kept;       // owns: text that nobody has read yet, and sealed bytes behind it; NULL: none
    size_t kept_at;   // where the rest of it begins
    size_t n_text;    // of that, text
    size_t n_sealed;  // of that, behind the text
    uint32_t n_empty; // records in a row without data
    uint8_t message[TLS_KEY_UPDATE_BYTES]; // of the peer's handshake: it may come in pieces
    uint8_t n_message;
    bool owes_update; // of our key, before our next data
    bool is_ended;    // by the peer's close_notify
    int alert;        // of the peer, that has ended it; -1: none
};

// From the traffic secrets of the handshake: in for what the peer seals, out for ours, with which
// n_out records have been sealed already. NULL: a suite that isn't known here.
struct tls_records *tls_records_new(uint16_t suite, const uint8_t *in, const uint8_t *out,
                                    size_t secret_bytes, uint64_t n_out);
void tls_records_free(struct tls_records *r);

// Reads text from w. IO_DONE; IO_AGAIN; IO_EOF: the peer has said that nothing more comes. IO_FAIL:
// the socket failed or ended (*w tells), the peer has said why (r->alert), or *reterr is to be said
// to it.
enum io tls_records_read(struct tls_records *r, struct tls_wire *w, char *to, size_t n,
                         size_t *ret_n, enum tls_record_alert *reterr) MUST_CHECK;

// Whether a read is worth a try without any byte of the socket's.
bool tls_records_has_pending(const struct tls_records *r);

// Seals one record, and before data the update that is due. to has room for TLS_RECORDS_EXTRA_BYTES
// more than text; text may lie at tls_records_place(r, to). Gives the length.
#define TLS_RECORDS_EXTRA_BYTES (2 * TLS_RECORD_EXTRA_BYTES + TLS_KEY_UPDATE_BYTES)
size_t tls_records_seal(struct tls_records *r, struct str text, char *to);
char *tls_records_place(const struct tls_records *r, char *to);

// close_notify (0), or one that is fatal.
#define TLS_RECORDS_ALERT_BYTES (2 + TLS_RECORD_EXTRA_BYTES)
size_t tls_records_seal_alert(struct tls_records *r, unsigned alert,
                              char to[static TLS_RECORDS_ALERT_BYTES]);
