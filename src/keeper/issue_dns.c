// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_dns.h"

#include "acme/dns_view.h"
#include "base/deadline.h"
#include "codec/resolv.h"
#include "keeper/issue_hook.h"
#include "rt/clock.h"
#include "rt/dns_files.h"
#include "rt/log.h"

#define ADDRESS_MAX_BYTES 46
#define LAST_MAX_MS 3000 // of an update while the process ends

// One that is in place. Where it is was found out once: an alias may change meanwhile.
struct issue_dns_record {
    const struct acme_challenge *challenge; // borrows: the run's
    struct str txt_name;                    // behind aliases
    struct issue_dns_record *next;
};

// The system's first one.
static struct str system_resolver(struct arena *mem)
{
    struct dns_files files;
    const char *why;
    char text[ADDRESS_MAX_BYTES];
    if (!dns_files_read(DNS_RESOLV_CONF, DNS_HOSTS, mem, &files, &why))
        log_warn("%s", why);
    struct resolv found = resolv_parse(files.resolv_conf);
    if (found.n_servers == 0)
        return STR("127.0.0.1"); // resolv.conf(5): where none is named
    return arena_dup(mem, ip_text(&found.servers[0], text));
}

static struct dns_view_options view_of(struct issue_dns *d, int64_t timeout_ms)
{
    if (d->resolver.len == 0 && d->issuer->dns_resolver.len > 0)
        d->resolver = d->issuer->dns_resolver;
    if (d->resolver.len == 0)
        d->resolver = system_resolver(d->mem);
    return (struct dns_view_options){.resolver = d->resolver,
                                     .servers = d->issuer->dns_servers,
                                     .n_servers = d->issuer->n_dns_servers,
                                     .timeout_ms = timeout_ms,
                                     .cancel = d->cancel};
}

// Where the record belongs: _acme-challenge may be an alias into a zone of its own.
static struct str find_place(struct issue_dns *d, struct str txt_name)
{
    char name[DNS_NAME_MAX_BYTES];
    struct text why = {.ptr = NULL};
    if (d->issuer->dns_wait_ms == 0)
        return txt_name;
    struct dns_view_options o = view_of(d, d->issuer->dns_wait_ms);
    struct str place = txt_name;
    if (dns_view_alias(&o, txt_name, name, &why) == ERR_OK)
        place = arena_dup(d->mem, str_of(name));
    else
        log_warn("whether " STR_FMT
                 " is an alias can't be found out, it is taken for none: " STR_FMT,
                 STR_ARG(txt_name), STR_ARG(text_str(&why)));
    text_fini(&why);
    return place;
}

static bool change(const struct issue_dns *d, enum dns_update_kind kind,
                   const struct acme_challenge *c, struct str txt_name, struct text *why)
{
    bool adds = kind == DNS_UPDATE_ADD;
    struct acme_challenge there = *c;
    struct dns_update_options o = d->issuer->dns_update;
    there.txt_name = txt_name;
    // What is to go goes while the process ends, too: it has some seconds.
    o.cancel = adds ? d->cancel : NULL;
    o.timeout_ms = acme_cancel_is_set(d->cancel) ? LAST_MAX_MS : 0;
    if (o.server.len == 0)
        return issue_hook_run(d->issuer->dns_hook, adds ? "set" : "clear", &there, d->cancel, why);
    return dns_update_txt(&o, kind, txt_name, c->txt_value, why) == ERR_OK;
}

bool issue_dns_put(struct issue_dns *d, const struct acme_challenge *c, struct text *why)
{
    struct issue_dns_record *r = ARENA_NEW(d->mem, struct issue_dns_record);
    struct str place = find_place(d, c->txt_name);
    if (!r || !change(d, DNS_UPDATE_ADD, c, place, why))
        return false;
    *r = (struct issue_dns_record){.challenge = c, .txt_name = place, .next = d->records};
    d->records = r;
    return true;
}

static bool settle_one(struct issue_dns *d, const struct issue_dns_record *r, struct deadline until,
                       struct text *why)
{
    struct text said = {.ptr = NULL};
    struct dns_view_options o = view_of(d, MAX(until.at_ms - clock_now_ms(), INT64_C(1)));
    enum err err = dns_view_wait(&o, r->txt_name, r->challenge->txt_value, &said);
    bool is_fine = err == ERR_OK;
    if (err == ERR_UNAVAILABLE) {
        log_warn(STR_FMT ", it is waited for without looking", STR_ARG(text_str(&said)));
        is_fine = acme_cancel_wait(d->cancel, MAX(until.at_ms - clock_now_ms(), INT64_C(0)));
    }
    if (!is_fine)
        text_put(why, said.len > 0 && err != ERR_UNAVAILABLE ? text_str(&said) : STR("stopped"));
    text_fini(&said);
    return is_fine;
}

bool issue_dns_settle(struct issue_dns *d, struct text *why)
{
    struct deadline until = deadline_in(d->issuer->dns_wait_ms);
    bool is_fine = true;
    for (const struct issue_dns_record *r = d->records; r && is_fine; r = r->next)
        is_fine = d->issuer->dns_wait_ms == 0 || settle_one(d, r, until, why);
    return is_fine;
}

void issue_dns_clear(struct issue_dns *d, const struct acme_challenge *c)
{
    struct text why = {.ptr = NULL};
    struct issue_dns_record **at = &d->records;
    while (*at && (*at)->challenge != c)
        at = &(*at)->next;
    if (!*at)
        return;
    struct str txt_name = (*at)->txt_name;
    *at = (*at)->next;
    if (!change(d, DNS_UPDATE_REMOVE, c, txt_name, &why))
        log_warn("the record " STR_FMT " was left behind: " STR_FMT, STR_ARG(txt_name),
                 STR_ARG(text_str(&why)));
    text_fini(&why);
}
