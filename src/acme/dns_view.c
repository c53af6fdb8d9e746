// SPDX-License-Identifier: Apache-2.0
#include "acme/dns_view.h"

#include "acme/dns_ask.h"
#include "rt/clock.h"

#define WAIT_MS 120000
#define PAUSE_MS 2000
#define ASK_MS 3000     // of one server
#define ASK_MIN_MS 1000 // however little time is left for all
#define SERVERS_MAX 32u
#define NAMES_MAX 8u
#define ALIASES_MAX 8u
#define QUERY_MAX_BYTES 512u

struct view {
    const struct dns_view_options *o;
    char name[DNS_NAME_MAX_BYTES]; // where the record is, behind its aliases
    struct rt_addr servers[SERVERS_MAX];
    size_t n_servers;
    struct deadline until;
    struct text *why;
};

static enum err ask(struct view *v, const struct rt_addr *server, struct str name,
                    enum dns_type type, unsigned flags, struct text *ret)
{
    static const unsigned counts[DNS_SECTIONS] = {1, 0, 0, 0};
    char buf[QUERY_MAX_BYTES];
    struct writer query;
    writer_init(&query, buf, sizeof buf);
    dns_put_head(&query, dns_random_id(), flags, counts);
    if (!dns_put_question(&query, name, type))
        return ERR_SYNTAX;
    // Whoever is asked at last has a fair time, too: else it would count as silent, and not be
    // waited for.
    int64_t left_ms = MAX(v->until.at_ms - clock_now_ms(), (int64_t)ASK_MIN_MS);
    return dns_ask(&(struct dns_ask){.server = server,
                                     .query = writer_str(&query),
                                     .timeout_ms = MIN(ASK_MS, left_ms),
                                     .cancel = v->o->cancel},
                   ret);
}

// --- which servers ---

// Follows aliases in an answer: v->name becomes what they lead to.
static bool follow_alias(struct view *v, struct str answer)
{
    struct dns_message m;
    struct dns_record r;
    char name[DNS_NAME_MAX_BYTES];
    size_t end;
    if (!dns_message_open(answer, &m))
        return false;
    while (dns_message_next(&m, &r) == IO_DONE) {
        if (r.section != DNS_ANSWER || r.type != DNS_TYPE_CNAME || strcmp(r.name, v->name) != 0)
            continue;
        bool is_name = dns_message_name(answer, r.data_at, name, &end) && name[0];
        if (is_name)
            memcpy(v->name, name, sizeof name);
        return is_name;
    }
    return false;
}

static void add_addresses(struct view *v, const struct rt_addr *resolver, struct str host,
                          enum dns_type type)
{
    struct text answer = {0};
    struct dns_message m;
    struct dns_record r;
    size_t len = type == DNS_TYPE_A ? 4 : 16;
    if (ask(v, resolver, host, type, DNS_FLAG_RECURSE, &answer) == ERR_OK &&
        dns_message_open(text_str(&answer), &m)) {
        while (v->n_servers < SERVERS_MAX && dns_message_next(&m, &r) == IO_DONE) {
            struct ip ip = {.family = type == DNS_TYPE_A ? 4 : 6};
            if (r.section != DNS_ANSWER || r.type != type || r.data.len != len)
                continue;
            memcpy(ip.bytes, r.data.ptr, len);
            addr_from_ip(&ip, DNS_PORT, &v->servers[v->n_servers++]);
        }
    }
    text_fini(&answer);
}

// The servers of a zone, if there is one of that name.
static bool read_servers(struct view *v, const struct rt_addr *resolver, struct str zone,
                         struct str answer)
{
    struct dns_message m;
    struct dns_record r;
    size_t n = 0, end;
    char host[DNS_NAME_MAX_BYTES];
    if (!dns_message_open(answer, &m))
        return false;
    while (n < NAMES_MAX && dns_message_next(&m, &r) == IO_DONE) {
        if (r.section != DNS_ANSWER || r.type != DNS_TYPE_NS || !str_eq(str_of(r.name), zone) ||
            !dns_message_name(answer, r.data_at, host, &end))
            continue;
        add_addresses(v, resolver, str_of(host), DNS_TYPE_A);
        add_addresses(v, resolver, str_of(host), DNS_TYPE_AAAA);
        n++;
    }
    return n > 0;
}

static enum err find_aliases(struct view *v, const struct rt_addr *resolver)
{
    struct text answer = {0};
    enum err err = ERR_OK;
    for (size_t i = 0; i < ALIASES_MAX; i++) {
        err = ask(v, resolver, str_of(v->name), DNS_TYPE_CNAME, DNS_FLAG_RECURSE, &answer);
        if (err != ERR_OK || !follow_alias(v, text_str(&answer)))
            break;
    }
    text_fini(&answer);
    return err;
}

// Upwards from the record's name, to the first one that has servers.
static enum err find_servers(struct view *v)
{
    struct rt_addr resolver;
    struct text answer = {0};
    if (!dns_server_parse(v->o->resolver, &resolver))
        return ERR_SYNTAX;
    enum err err = find_aliases(v, &resolver);
    bool is_found = false;
    struct str zone = str_of(v->name), label;
    while (err == ERR_OK && !is_found && zone.len > 0) {
        err = ask(v, &resolver, zone, DNS_TYPE_NS, DNS_FLAG_RECURSE, &answer);
        is_found = err == ERR_OK && read_servers(v, &resolver, zone, text_str(&answer));
        if (!is_found)
            str_cut(zone, '.', &label, &zone);
    }
    text_fini(&answer);
    return err == ERR_OK && v->n_servers == 0 ? ERR_UNAVAILABLE : err;
}

static enum err choose_servers(struct view *v)
{
    if (v->o->n_servers == 0)
        return find_servers(v);
    for (size_t i = 0; i < MIN(v->o->n_servers, SERVERS_MAX); i++) {
        if (!dns_server_parse(v->o->servers[i], &v->servers[v->n_servers++]))
            return ERR_SYNTAX;
    }
    return ERR_OK;
}

// --- do they have it ---

static bool has_value(const struct view *v, struct str answer, struct str value)
{
    struct dns_message m;
    struct dns_record r;
    if (!dns_message_open(answer, &m))
        return false;
    while (dns_message_next(&m, &r) == IO_DONE) {
        if (r.section == DNS_ANSWER && r.type == DNS_TYPE_TXT && strcmp(r.name, v->name) == 0 &&
            dns_txt_is(r.data, value))
            return true;
    }
    return false;
}

struct round {
    size_t n_have, n_lack;
    const struct rt_addr *lacks; // one of them
};

static enum err ask_all(struct view *v, struct str value, struct round *ret)
{
    struct text answer = {0};
    *ret = (struct round){0};
    for (size_t i = 0; i < v->n_servers; i++) {
        enum err err = ask(v, &v->servers[i], str_of(v->name), DNS_TYPE_TXT, 0, &answer);
        if (err == ERR_CANCELLED) {
            text_fini(&answer);
            return err;
        }
        if (err != ERR_OK)
            continue; // one that is down, or IPv6 without a way there, doesn't stop the rest
        if (has_value(v, text_str(&answer), value)) {
            ret->n_have++;
        } else {
            ret->n_lack++;
            ret->lacks = &v->servers[i];
        }
    }
    text_fini(&answer);
    return ERR_OK;
}

static enum err wait_for_all(struct view *v, struct str value)
{
    char buf[128];
    int64_t pause_ms = v->o->pause_ms > 0 ? v->o->pause_ms : PAUSE_MS;
    for (;;) {
        struct round round;
        enum err err = ask_all(v, value, &round);
        if (err != ERR_OK || (round.n_lack == 0 && round.n_have > 0))
            return err;
        if (clock_now_ms() + pause_ms > v->until.at_ms) {
            if (round.lacks)
                text_printf(v->why,
                            "%zu of %zu name servers don't have the TXT record of %s yet, "
                            "such as " STR_FMT,
                            round.n_lack, v->n_servers, v->name,
                            STR_ARG(addr_text(round.lacks, buf, sizeof buf)));
            else
                text_printf(v->why, "no name server of %s answers", v->name);
            return round.lacks ? ERR_TIMEOUT : ERR_UNAVAILABLE;
        }
        if (!acme_cancel_wait(v->o->cancel, pause_ms))
            return ERR_CANCELLED;
    }
}

// There and back, so that the name has the form of names in answers.
static enum err begin(struct view *v, struct str name)
{
    char wire[DNS_NAME_MAX_BYTES + 2];
    struct writer w;
    size_t end;
    writer_init(&w, wire, sizeof wire);
    if (dns_put_name(&w, name) && !w.overflowed &&
        dns_message_name(writer_str(&w), 0, v->name, &end))
        return ERR_OK;
    text_printf(v->why, "'" STR_FMT "' is no name", STR_ARG(name));
    return ERR_SYNTAX;
}

static struct view view_of(const struct dns_view_options *o, struct text *why)
{
    return (struct view){
        .o = o, .why = why, .until = deadline_in(o->timeout_ms > 0 ? o->timeout_ms : WAIT_MS)};
}

enum err dns_view_alias(const struct dns_view_options *o, struct str name, char *ret_name,
                        struct text *why)
{
    struct view v = view_of(o, why);
    struct rt_addr resolver;
    enum err err = begin(&v, name);
    if (err != ERR_OK)
        return err;
    if (!dns_server_parse(o->resolver, &resolver)) {
        text_printf(why, "'" STR_FMT "' is no name server", STR_ARG(o->resolver));
        return ERR_SYNTAX;
    }
    err = find_aliases(&v, &resolver);
    if (err == ERR_OK) {
        memcpy(ret_name, v.name, sizeof v.name);
        return ERR_OK;
    }
    text_printf(why, "name server " STR_FMT ": %s", STR_ARG(o->resolver), err_text(err));
    return err == ERR_CANCELLED ? err : ERR_UNAVAILABLE;
}

enum err dns_view_wait(const struct dns_view_options *o, struct str name, struct str value,
                       struct text *why)
{
    struct view v = view_of(o, why);
    enum err err = begin(&v, name);
    if (err != ERR_OK)
        return err;
    err = choose_servers(&v);
    if (err == ERR_OK)
        return wait_for_all(&v, value);
    text_printf(why, "the name servers of %s can't be found: %s", v.name, err_text(err));
    return err == ERR_CANCELLED || err == ERR_SYNTAX ? err : ERR_UNAVAILABLE;
}
