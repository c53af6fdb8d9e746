// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_update.h"

#include "acme/dns_ask.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "rt/clock.h"

#define TIMEOUT_MS 10000
#define TTL_S 60
#define SECRET_MAX_BYTES 512u
#define QUERY_MAX_BYTES 2048u

struct update {
    const struct dns_update_options *o;
    struct rt_addr server;
    char secret[SECRET_MAX_BYTES];
    struct dns_tsig_key key; // name empty: none
    struct text *why;
};

static enum err fail(struct update *u, enum err err, const char *what)
{
    text_printf(u->why, "name server " STR_FMT ": %s", STR_ARG(u->o->server), what);
    return err;
}

static enum err begin(struct update *u)
{
    size_t n = 0;
    struct str secret = u->o->secret_base64;
    if (!dns_server_parse(u->o->server, &u->server))
        return fail(u, ERR_SYNTAX, "it is no address, or can't be resolved");
    if (u->o->key_name.len == 0)
        return ERR_OK;
    if (secret.len == 0 || secret.len / 4 * 3 + 3 > sizeof u->secret ||
        base64_decode(secret, false, u->secret, &n) != ERR_OK)
        return fail(u, ERR_SYNTAX, "the key's secret isn't base64");
    u->key = (struct dns_tsig_key){
        .name = u->o->key_name,
        .secret = str_from(u->secret, n),
        .algorithm = u->o->algorithm,
    };
    return ERR_OK;
}

// Signed where there is a key; so is the answer then, or it is an error.
static enum err exchange(struct update *u, struct writer *query, struct text *answer)
{
    struct dns_tsig_mac mac;
    struct dns_message m;
    const char *why;
    unsigned error = 0;
    bool is_signed = u->key.name.len > 0;
    if (is_signed && !dns_tsig_sign(query, &u->key, clock_wall_s(), &mac))
        return fail(u, ERR_SYNTAX, "the key's name is none");
    struct dns_ask ask = {
        .server = &u->server,
        .query = writer_str(query),
        .timeout_ms = u->o->timeout_ms > 0 ? u->o->timeout_ms : TIMEOUT_MS,
        .by_tcp = u->o->by_tcp,
        .cancel = u->o->cancel,
    };
    enum err err = dns_ask(&ask, answer);
    if (err != ERR_OK)
        return fail(u, err, err == ERR_TIMEOUT ? "it doesn't answer" : err_text(err));
    if (!dns_message_open(text_str(answer), &m))
        return fail(u, ERR_PROTOCOL, "its answer makes no sense");
    bool is_genuine = !is_signed || dns_tsig_verify(text_str(answer), &u->key, &mac, clock_wall_s(),
                                                    &why, &error);
    unsigned rcode = DNS_RCODE(m.flags);
    if (rcode != 0) {
        text_printf(u->why, "name server " STR_FMT " refuses the update: %s%s%s",
                    STR_ARG(u->o->server), dns_rcode_text(rcode), error > 0 ? ", key: " : "",
                    error > 0 ? dns_rcode_text(error) : "");
        return ERR_UNAVAILABLE;
    }
    return is_genuine ? ERR_OK : fail(u, ERR_PROTOCOL, why);
}

// The zone that name is in, by the SOA record that comes with any answer.
static enum err find_zone(struct update *u, struct str name, char ret[static DNS_NAME_MAX_BYTES])
{
    static const unsigned counts[DNS_SECTIONS] = {1, 0, 0, 0};
    char buf[QUERY_MAX_BYTES];
    struct writer query;
    struct text answer = {0};
    struct dns_message m;
    struct dns_record r;
    writer_init(&query, buf, sizeof buf);
    dns_put_head(&query, dns_random_id(), 0, counts);
    if (!dns_put_question(&query, name, DNS_TYPE_SOA))
        return fail(u, ERR_SYNTAX, "the record's name is none");
    struct dns_ask ask = {
        .server = &u->server,
        .query = writer_str(&query),
        .timeout_ms = u->o->timeout_ms > 0 ? u->o->timeout_ms : TIMEOUT_MS,
        .by_tcp = u->o->by_tcp,
        .cancel = u->o->cancel,
    };
    enum err err = dns_ask(&ask, &answer);
    bool is_found = false;
    if (err == ERR_OK && dns_message_open(text_str(&answer), &m)) {
        while (!is_found && dns_message_next(&m, &r) == IO_DONE)
            is_found = r.type == DNS_TYPE_SOA && r.section != DNS_QUESTION && r.name[0] &&
                       str_ends(name, str_of(r.name));
    }
    text_fini(&answer);
    if (err != ERR_OK)
        return fail(u, err, err == ERR_TIMEOUT ? "it doesn't answer" : err_text(err));
    if (!is_found)
        return fail(u, ERR_UNAVAILABLE, "it has no zone for the name");
    memcpy(ret, r.name, sizeof r.name);
    return ERR_OK;
}

static enum err send_update(struct update *u, enum dns_update_kind kind, struct str zone,
                            struct str name, struct str value)
{
    static const unsigned counts[DNS_SECTIONS] = {1, 0, 1, 0}; // zone, prerequisites, updates
    char buf[QUERY_MAX_BYTES];
    struct writer query;
    struct text answer = {0};
    bool adds = kind == DNS_UPDATE_ADD;
    writer_init(&query, buf, sizeof buf);
    dns_put_head(&query, dns_random_id(), DNS_OPCODE_UPDATE, counts);
    // RFC 2136 2.5.1 and 2.5.4.
    if (!dns_put_question(&query, zone, DNS_TYPE_SOA) ||
        !dns_put_txt(&query, name, adds ? DNS_CLASS_IN : DNS_CLASS_NONE,
                     !adds             ? 0
                     : u->o->ttl_s > 0 ? u->o->ttl_s
                                       : TTL_S,
                     value))
        return fail(u, ERR_SYNTAX, "the name of the zone or the record is none");
    enum err err = exchange(u, &query, &answer);
    text_fini(&answer);
    return err;
}

enum err dns_update_txt(const struct dns_update_options *o, enum dns_update_kind kind,
                        struct str name, struct str value, struct text *why)
{
    struct update u = {.o = o, .why = why};
    char zone[DNS_NAME_MAX_BYTES];
    struct str at = o->zone;
    enum err err = begin(&u);
    if (err == ERR_OK && at.len == 0) {
        err = find_zone(&u, name, zone);
        at = err == ERR_OK ? str_of(zone) : STR_NONE;
    }
    if (err == ERR_OK)
        err = send_update(&u, kind, at, name, value);
    mem_wipe(u.secret, sizeof u.secret);
    return err;
}
