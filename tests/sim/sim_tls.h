// SPDX-License-Identifier: Apache-2.0
// TLS of the scripted peers: OpenSSL between a peer and its end of a connection, which sees neither
// socket nor clock. The peer reads and writes as it would the end itself; what goes wrong below
// TLS, byte by byte on the wire, is chosen here.
#pragma once

#include "sim/sim_message.h"
#include "sim/sim_net.h"

// The certificate that a client must be shown, or takes.
enum sim_tls_shows {
    SIM_TLS_SHOWS_SITE,   // of those in force since it dialled
    SIM_TLS_SHOWS_SERVER, // the one that passes through
    SIM_TLS_SHOWS_EITHER,
};

struct sim_tls_wish {
    bool is_server;          // shows the certificate that passes through
    const char *server_name; // of a client; NULL: none is sent
    bool speaks_1_2;         // nothing newer
    bool speaks_h2;          // of a client: that or HTTP/1.1 may be chosen, and that must be
    bool resumes;            // a session of this name, if one was kept
    enum sim_tls_shows shows;
    bool is_rude;         // ends without close_notify
    bool renews_keys;     // now and then (TLS 1.3)
    struct sim_pace pace; // of what it sends on the wire in the handshake
    struct sim_cut cut;   // by the bytes that it has sent on the wire
    size_t flip_at;       // this byte of them arrives changed; 0: none
    struct str protocols; // a server's choice, as ALPN writes them; empty: it chooses none
};

struct sim_tls;

// What a world begins and ends with. Sessions are kept from one connection to the next.
void sim_tls_init(void); // once
void sim_tls_start(uint64_t seed);
void sim_tls_stop(void);
void sim_tls_fini(void); // at the process's end
// The worker has been given these credentials (sim_certs.h).
void sim_tls_set_generation(uint32_t n);
uint32_t sim_tls_generation(void);
// Connections of peers that have an SSL now.
uint32_t sim_tls_n_open(void);
uint32_t sim_tls_n_resumed(void);
// What it has sent on the wire.
size_t sim_tls_n_sent(const struct sim_tls *t);
// Frees the peer's half of TLS; the connection stays, and can only be closed.
void sim_tls_forget(struct sim_tls *t);

// Takes over the end's fn: fn(arg, end) hears of what happens. on_cut: the wish's cut is due.
struct sim_tls *sim_tls_new(struct sim_end *end, const struct sim_tls_wish *wish, sim_end_fn *fn,
                            void (*on_cut)(void *arg, enum sim_fault how), void *arg);

// A peer's side of a connection, with TLS or without.
struct sim_wire {
    struct sim_end *end;
    struct sim_tls *tls; // NULL: none
};

// From now on fn(arg, end) hears of the end, and on_cut of the wish's cut.
void sim_wire_hear(struct sim_wire *w, sim_end_fn *fn, void (*on_cut)(void *, enum sim_fault),
                   void *arg);
// Goes on with the handshake. 0: it is done; -EAGAIN: not yet; or an error, as sim_wire_read.
int sim_wire_shake(struct sim_wire *w);
// Whether h2 was chosen.
bool sim_wire_speaks_h2(const struct sim_wire *w);

// As sim_net_read and the others. An end without close_notify is -ECONNRESET, what isn't TLS
// -EPROTO.
ssize_t sim_wire_read(struct sim_wire *w, void *buf, size_t n);
ssize_t sim_wire_write(struct sim_wire *w, const void *buf, size_t n);
void sim_wire_shut_write(struct sim_wire *w);
// What was written still goes.
void sim_wire_close(struct sim_wire *w);
void sim_wire_reset(struct sim_wire *w);
bool sim_wire_is_closed(const struct sim_wire *w);
