// SPDX-License-Identifier: Apache-2.0
#include "keeper/pins.h"

#include <string.h>

#include "base/mem.h"
#include "keeper/to_json.h"
#include "rt/log.h"

#define TELL_AGAIN_S 60 // of a server that goes on showing another key

struct keeper_pins {
    struct certs_pins pins;
    const char *broken; // static: why no key is believed; NULL: all is well
};

struct keeper_pins *keeper_pins_new(int folder)
{
    struct keeper_pins *p = MEM_NEW(struct keeper_pins);
    const char *why;
    if (certs_pins_open(&p->pins, folder, &why))
        return p;
    p->broken = why;
    log_error("keys that were learnt on first use can't be read, servers with 'pin: first-use' are "
              "refused: %s",
              why);
    return p;
}

void keeper_pins_free(struct keeper_pins *p)
{
    if (!p)
        return;
    certs_pins_close(&p->pins);
    mem_free(p);
}

static bool learn(struct keeper_pins *p, struct str server, const uint8_t key[static TLS_PIN_BYTES],
                  int64_t now_s)
{
    char text[TLS_PIN_TEXT_BYTES];
    const char *why;
    if (certs_pins_learn(&p->pins, server, key, now_s, &why) != ERR_OK) {
        log_error("server " STR_FMT ": its key can't be learnt: %s", STR_ARG(server), why);
        return false;
    }
    log_info("server " STR_FMT ": its key is learnt on first use: " STR_FMT, STR_ARG(server),
             STR_ARG(tls_pin_text(key, text)));
    return true;
}

static void raise_alarm(struct certs_pin *pin, const uint8_t key[static TLS_PIN_BYTES],
                        int64_t now_s)
{
    char known[TLS_PIN_TEXT_BYTES], shown[TLS_PIN_TEXT_BYTES];
    bool is_new = pin->n_refused == 0 || memcmp(pin->refused, key, sizeof pin->refused) != 0 ||
                  now_s >= pin->told_s + TELL_AGAIN_S;
    pin->n_refused++;
    pin->refused_s = now_s;
    memcpy(pin->refused, key, sizeof pin->refused);
    if (!is_new)
        return;
    pin->told_s = now_s;
    log_error("server %s shows another key than on its first use: pin " STR_FMT
              " instead of " STR_FMT
              ". Its connections are refused. If somebody has changed the key on purpose: "
              "sallyport pin forget %s",
              pin->server, STR_ARG(tls_pin_text(key, shown)),
              STR_ARG(tls_pin_text(pin->key, known)), pin->server);
}

bool keeper_pins_ask(struct keeper_pins *p, struct str server,
                     const uint8_t key[static TLS_PIN_BYTES], int64_t now_s,
                     uint8_t ret[static TLS_PIN_BYTES])
{
    if (p->broken)
        return false;
    struct certs_pin *pin = certs_pins_find(&p->pins, server);
    if (!pin && !learn(p, server, key, now_s))
        return false;
    if (pin && memcmp(pin->key, key, sizeof pin->key) != 0)
        raise_alarm(pin, key, now_s);
    memcpy(ret, pin ? pin->key : key, TLS_PIN_BYTES);
    return true;
}

bool keeper_pins_forget(struct keeper_pins *p, struct str server, const char **ret_why)
{
    *ret_why = p->broken;
    return !p->broken && certs_pins_forget(&p->pins, server, ret_why) == ERR_OK;
}

static json_t *pin_json(const uint8_t key[static TLS_PIN_BYTES])
{
    char text[TLS_PIN_TEXT_BYTES];
    struct str pin = tls_pin_text(key, text);
    return json_stringn(pin.ptr, pin.len);
}

json_t *keeper_pins_report(const struct keeper_pins *p)
{
    json_t *list = json_array();
    for (size_t i = 0; p && i < p->pins.n; i++) {
        const struct certs_pin *pin = &p->pins.items[i];
        bool is_alarm = pin->n_refused > 0;
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:I, s:o, s:o}", "server", pin->server, "pin",
                            pin_json(pin->key), "learnt", to_json_time(pin->learnt_s), "refused",
                            (json_int_t)pin->n_refused, "refused_pin",
                            is_alarm ? pin_json(pin->refused) : json_null(), "refused_at",
                            is_alarm ? to_json_time(pin->refused_s) : json_null()));
    }
    return list;
}
