// SPDX-License-Identifier: Apache-2.0
// Keys of servers that were learnt when they were first spoken with (`pin: first-use`): in the file
// `pins` of the store's folder, a line for each, "SERVER KEY SECONDS": HOST:PORT, the SHA-256 of
// its SubjectPublicKeyInfo in base64, when. Every change writes the whole file anew, in the place
// of the old one. Of one thread; the calls block.
#pragma once

#include "base/diag.h"
#include "tls/client_conf.h"

struct certs_pin {
    char *server; // owns
    uint8_t key[TLS_PIN_BYTES];
    int64_t learnt_s;
    // The caller's, not kept on disk.
    uint8_t refused[TLS_PIN_BYTES]; // another key that was seen last
    uint64_t n_refused;
    int64_t refused_s, told_s;
};

struct certs_pins {
    int folder;              // borrows
    struct certs_pin *items; // owns
    size_t n, cap;
};

// Reads the file. False with *ret_why (static): it can't be read, or makes no sense; it must not be
// taken for empty then, or a stranger's key could be learnt.
bool certs_pins_open(struct certs_pins *p, int folder, const char **ret_why) MUST_CHECK;
// Accepts a zeroed one.
void certs_pins_close(struct certs_pins *p);

// Borrowed until the next change; NULL: none is known.
struct certs_pin *certs_pins_find(const struct certs_pins *p, struct str server);

// server has none yet. ERR_LIMIT, ERR_SYNTAX: what server is called can't be written down;
// ERR_SYSTEM: nothing has changed; with *ret_why (static).
enum err certs_pins_learn(struct certs_pins *p, struct str server,
                          const uint8_t key[static TLS_PIN_BYTES], int64_t now_s,
                          const char **ret_why) MUST_CHECK;
// ERR_NOT_FOUND: none was known; ERR_SYSTEM: nothing has changed; with *ret_why (static).
enum err certs_pins_forget(struct certs_pins *p, struct str server, const char **ret_why)
    MUST_CHECK;

// The file's bytes into a zeroed p and back. False: they make no sense.
bool certs_pins_parse(struct certs_pins *p, struct str bytes) MUST_CHECK;
void certs_pins_write(const struct certs_pins *p, struct text *to);
