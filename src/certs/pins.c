// SPDX-License-Identifier: Apache-2.0
#include "certs/pins.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/text.h"
#include "certs/disk.h"

#define FILE_NAME "pins"
#define PINS_MAX 10000u
#define SERVER_MAX_BYTES 255u // as a message has it
#define LINE_MAX_BYTES (SERVER_MAX_BYTES + TLS_PIN_TEXT_BYTES + 32u)
#define FILE_MAX_BYTES ((size_t)PINS_MAX * LINE_MAX_BYTES)

// --- the list ---

struct certs_pin *certs_pins_find(const struct certs_pins *p, struct str server)
{
    for (size_t i = 0; i < p->n; i++) {
        if (str_eq(str_of(p->items[i].server), server))
            return &p->items[i];
    }
    return NULL;
}

static bool is_name(struct str server)
{
    for (size_t i = 0; i < server.len; i++) {
        if (server.ptr[i] <= ' ' || server.ptr[i] > '~')
            return false;
    }
    return server.len > 0 && server.len <= SERVER_MAX_BYTES;
}

static void add(struct certs_pins *p, struct str server, const uint8_t key[static TLS_PIN_BYTES],
                int64_t learnt_s)
{
    if (p->n == p->cap) {
        p->cap = MAX(p->cap * 2, (size_t)8);
        p->items = mem_resize(p->items, p->cap, sizeof *p->items);
    }
    struct certs_pin *pin = &p->items[p->n++];
    *pin = (struct certs_pin){.server = mem_copy(server.ptr, server.len), .learnt_s = learnt_s};
    memcpy(pin->key, key, sizeof pin->key);
}

static void take_out(struct certs_pins *p, struct certs_pin *pin)
{
    mem_free(pin->server);
    *pin = p->items[--p->n];
}

void certs_pins_close(struct certs_pins *p)
{
    for (size_t i = 0; i < p->n; i++)
        mem_free(p->items[i].server);
    mem_free(p->items);
    *p = (struct certs_pins){.n = 0};
}

// --- the file ---

static bool parse_line(struct certs_pins *p, struct str line)
{
    struct str server, key_text, since, rest;
    uint8_t key[TLS_PIN_BYTES];
    uint64_t learnt_s;
    if (!str_cut(line, ' ', &server, &rest) || !str_cut(rest, ' ', &key_text, &since) ||
        !is_name(server) || tls_pin_parse(key_text, key) != ERR_OK ||
        num_dec(since, INT64_MAX, &learnt_s) != ERR_OK || p->n == PINS_MAX ||
        certs_pins_find(p, server))
        return false;
    add(p, server, key, (int64_t)learnt_s);
    return true;
}

bool certs_pins_parse(struct certs_pins *p, struct str bytes)
{
    struct str line;
    bool is_fine = true;
    for (struct str rest = bytes; is_fine && rest.len > 0;)
        is_fine = str_cut(rest, '\n', &line, &rest) && parse_line(p, line);
    if (!is_fine)
        certs_pins_close(p);
    return is_fine;
}

void certs_pins_write(const struct certs_pins *p, struct text *to)
{
    for (size_t i = 0; i < p->n; i++) {
        char key[TLS_PIN_TEXT_BYTES];
        const struct certs_pin *pin = &p->items[i];
        text_printf(to, "%s " STR_FMT " %lld\n", pin->server, STR_ARG(tls_pin_text(pin->key, key)),
                    (long long)pin->learnt_s);
    }
}

static enum err save(const struct certs_pins *p, const char **ret_why)
{
    struct text bytes = {.ptr = NULL};
    certs_pins_write(p, &bytes);
    bool is_fine = disk_replace(p->folder, FILE_NAME, text_str(&bytes));
    text_fini(&bytes);
    if (is_fine)
        return ERR_OK;
    *ret_why = strerrordesc_np(errno);
    return ERR_SYSTEM;
}

bool certs_pins_open(struct certs_pins *p, int folder, const char **ret_why)
{
    struct text bytes = {.ptr = NULL};
    *p = (struct certs_pins){.n = 0};
    bool is_read = disk_read(folder, FILE_NAME, FILE_MAX_BYTES, &bytes);
    *ret_why = is_read ? "the file 'pins' in the state folder makes no sense: mend it, or move it "
                         "away and all keys are learnt anew"
                       : strerrordesc_np(errno);
    bool is_fine = is_read && certs_pins_parse(p, text_str(&bytes));
    p->folder = folder;
    text_fini(&bytes);
    return is_fine;
}

enum err certs_pins_learn(struct certs_pins *p, struct str server,
                          const uint8_t key[static TLS_PIN_BYTES], int64_t now_s,
                          const char **ret_why)
{
    ASSERT(!certs_pins_find(p, server));
    *ret_why = "too many keys of servers are known already";
    if (p->n == PINS_MAX)
        return ERR_LIMIT;
    *ret_why = "the server's name can't be kept";
    if (!is_name(server))
        return ERR_SYNTAX;
    add(p, server, key, MAX(now_s, (int64_t)0));
    enum err err = save(p, ret_why);
    if (err)
        take_out(p, &p->items[p->n - 1]);
    return err;
}

enum err certs_pins_forget(struct certs_pins *p, struct str server, const char **ret_why)
{
    struct certs_pin *pin = certs_pins_find(p, server);
    *ret_why = "no key of this server was learnt";
    if (!pin)
        return ERR_NOT_FOUND;
    struct certs_pin was = *pin;
    *pin = p->items[--p->n];
    enum err err = save(p, ret_why);
    if (err)
        p->items[p->n++] = was;
    else
        mem_free(was.server);
    return err;
}
