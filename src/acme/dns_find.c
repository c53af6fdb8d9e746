// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_find.h"

#include <stdio.h>
#include <string.h>

#include "codec/resolv.h"

#define TIMEOUT_MS 5000
#define QUERY_MAX_BYTES 512u
#define ALIASES_MAX 16u
#define RCODE_NXDOMAIN 3u

const char *dns_found_text(enum dns_found found)
{
    static const char *const texts[] = {
#define X(id, text) [DNS_FOUND_##id] = text,
        DNS_FOUND_LIST(X)
#undef X
    };
    return texts[found];
}

bool dns_find_init(struct dns_find *f, const struct str *servers, size_t n, struct str resolv_conf)
{
    *f = (struct dns_find){.timeout_ms = TIMEOUT_MS};
    for (size_t i = 0; i < MIN(n, (size_t)DNS_FIND_SERVERS_MAX); i++) {
        if (!dns_server_parse(servers[i], &f->servers[f->n_servers++]))
            return false;
    }
    if (n > 0)
        return true;
    struct resolv r = resolv_parse(resolv_conf);
    for (size_t i = 0; i < MIN(r.n_servers, (size_t)DNS_FIND_SERVERS_MAX); i++)
        addr_from_ip(&r.servers[i], DNS_PORT, &f->servers[f->n_servers++]);
    if (f->n_servers == 0) { // as the C library does
        const struct ip here = {.bytes = {127, 0, 0, 1}, .family = 4};
        addr_from_ip(&here, DNS_PORT, &f->servers[f->n_servers++]);
    }
    return true;
}

// --- one question ---

struct reply {
    struct text bytes; // owns
    unsigned rcode;
    char server[64];
};

// The first of the resolvers that knows: one that says SERVFAIL is passed over like a silent one.
static enum dns_found ask(const struct dns_find *f, struct str name, enum dns_type type,
                          struct reply *ret)
{
    static const unsigned counts[DNS_SECTIONS] = {1, 0, 0, 0};
    enum dns_found found = DNS_FOUND_SILENT;
    char query[QUERY_MAX_BYTES];
    for (size_t i = 0; i < f->n_servers; i++) {
        struct dns_message m;
        struct writer w;
        writer_init(&w, query, sizeof query);
        dns_put_head(&w, dns_random_id(), DNS_FLAG_RECURSE, counts);
        if (!dns_put_question(&w, name, type) || w.overflowed)
            return DNS_FOUND_NO_NAME;
        const struct dns_ask one = {.server = &f->servers[i],
                                    .query = writer_str(&w),
                                    .timeout_ms = f->timeout_ms > 0 ? f->timeout_ms : TIMEOUT_MS};
        if (dns_ask(&one, &ret->bytes) != ERR_OK || !dns_message_open(text_str(&ret->bytes), &m))
            continue;
        struct str server = addr_text(&f->servers[i], ret->server, sizeof ret->server);
        ret->server[MIN(server.len, sizeof ret->server - 1)] = '\0';
        ret->rcode = DNS_RCODE(m.flags);
        if (ret->rcode == RCODE_NXDOMAIN)
            return DNS_FOUND_NO_NAME;
        if (ret->rcode == 0)
            return DNS_FOUND_RECORDS;
        found = DNS_FOUND_REFUSED;
    }
    return found;
}

// Where the aliases of an answer lead. False: they lead in a circle, or the answer is malformed.
static bool follow_aliases(struct str answer, char target[static DNS_NAME_MAX_BYTES])
{
    char next[DNS_NAME_MAX_BYTES]; // a name that can't be read to its end may be left without one
    for (size_t turn = 0; turn < ALIASES_MAX; turn++) {
        struct dns_message m;
        struct dns_record r;
        size_t end;
        bool has_moved = false;
        enum io io = IO_FAIL;
        if (!dns_message_open(answer, &m))
            return false;
        while (!has_moved && (io = dns_message_next(&m, &r)) == IO_DONE) {
            if (r.section != DNS_ANSWER || r.type != DNS_TYPE_CNAME || strcmp(r.name, target) != 0)
                continue;
            if (!dns_message_name(answer, r.data_at, next, &end))
                return false;
            has_moved = true;
        }
        if (!has_moved)
            return io == IO_EOF;
        memcpy(target, next, sizeof next);
    }
    return false;
}

// As names in answers are written. False: it is none.
static bool canon(struct str name, char ret[static DNS_NAME_MAX_BYTES])
{
    char wire[DNS_NAME_MAX_BYTES + 2];
    struct writer w;
    size_t end;
    writer_init(&w, wire, sizeof wire);
    return dns_put_name(&w, name) && !w.overflowed &&
           dns_message_name(writer_str(&w), 0, ret, &end);
}

typedef void record_fn(void *arg, const struct dns_record *r);

// Calls fn with each record of this type at target. False: the answer is malformed.
static bool each_record(struct str answer, const char *target, enum dns_type type, record_fn *fn,
                        void *arg)
{
    struct dns_message m;
    struct dns_record r;
    enum io io;
    if (!dns_message_open(answer, &m))
        return false;
    while ((io = dns_message_next(&m, &r)) == IO_DONE) {
        if (r.section == DNS_ANSWER && r.type == type && r.class_ == DNS_CLASS_IN &&
            strcmp(r.name, target) == 0)
            fn(arg, &r);
    }
    return io == IO_EOF;
}

// --- addresses ---

static void add_address(void *arg, const struct dns_record *r)
{
    struct dns_addresses *to = arg;
    struct ip ip = {.family = r->type == DNS_TYPE_A ? 4 : 6};
    size_t len = r->type == DNS_TYPE_A ? 4 : 16;
    if (r->data.len != len || to->n == DNS_FIND_ADDRESSES_MAX)
        return;
    memcpy(ip.bytes, r->data.ptr, len);
    to->ips[to->n++] = ip;
}

enum dns_found dns_find_addresses(const struct dns_find *f, struct str name, enum dns_type type,
                                  struct dns_addresses *ret)
{
    struct reply reply = {.rcode = 0};
    *ret = (struct dns_addresses){.n = 0};
    if (!canon(name, ret->target))
        return DNS_FOUND_NO_NAME;
    enum dns_found found = ask(f, name, type, &reply);
    struct str answer = text_str(&reply.bytes);
    memcpy(ret->server, reply.server, sizeof ret->server);
    ret->rcode = reply.rcode;
    if (found == DNS_FOUND_RECORDS || found == DNS_FOUND_NO_NAME) {
        bool is_read = reply.bytes.len == 0 || follow_aliases(answer, ret->target);
        if (is_read && found == DNS_FOUND_RECORDS)
            is_read = each_record(answer, ret->target, type, add_address, ret);
        if (!is_read)
            found = DNS_FOUND_MALFORMED;
    }
    if (found == DNS_FOUND_MALFORMED)
        ret->n = 0;
    if (found == DNS_FOUND_RECORDS && ret->n == 0)
        found = DNS_FOUND_NO_RECORDS;
    text_fini(&reply.bytes);
    return found;
}

// --- who may sign ---

struct caa_reading {
    struct dns_caa *to;
    struct arena *mem;
};

static void add_caa(void *arg, const struct dns_record *r)
{
    const struct caa_reading *reading = arg;
    struct dns_caa *to = reading->to;
    struct caa_record record;
    if (!caa_read(arena_dup(reading->mem, r->data), &record) || to->n == DNS_FIND_CAA_MAX)
        to->n_malformed++;
    else
        to->records[to->n++] = record;
}

static enum dns_found find_caa_at(const struct dns_find *f, struct str name, struct arena *mem,
                                  struct dns_caa *ret)
{
    char target[DNS_NAME_MAX_BYTES];
    struct reply reply = {.rcode = 0};
    struct caa_reading reading = {.to = ret, .mem = mem};
    if (!canon(name, target))
        return DNS_FOUND_NO_NAME;
    enum dns_found found = ask(f, name, DNS_TYPE_CAA, &reply);
    struct str answer = text_str(&reply.bytes);
    memcpy(ret->server, reply.server, sizeof ret->server);
    ret->rcode = reply.rcode;
    if (found == DNS_FOUND_RECORDS &&
        (!follow_aliases(answer, target) ||
         !each_record(answer, target, DNS_TYPE_CAA, add_caa, &reading)))
        found = DNS_FOUND_MALFORMED;
    if (found == DNS_FOUND_RECORDS && ret->n + ret->n_malformed == 0)
        found = DNS_FOUND_NO_RECORDS;
    text_fini(&reply.bytes);
    return found;
}

enum dns_found dns_find_caa(const struct dns_find *f, struct str name, struct arena *mem,
                            struct dns_caa *ret)
{
    struct str label;
    enum dns_found found = DNS_FOUND_NO_RECORDS;
    *ret = (struct dns_caa){.n = 0};
    while (name.len > 0) {
        ret->at = name;
        found = find_caa_at(f, name, mem, ret);
        // A name that doesn't exist may have parents that do.
        if (found != DNS_FOUND_NO_RECORDS && found != DNS_FOUND_NO_NAME)
            return found;
        if (!str_cut(name, '.', &label, &name))
            break;
    }
    return DNS_FOUND_NO_RECORDS;
}
