// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_world.h"

#include <ifaddrs.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "certs/meta.h"
#include "cli/control_client.h"
#include "rt/addr.h"
#include "rt/dns_files.h"
#include "rt/file.h"

#define MEM_BYTES ((size_t)64 << 20)
#define RESOLV_MAX_BYTES ((size_t)64 << 10)
#define ASK_MS 15000
#define CLOCK_FINE_S 60
#define CLOCK_BAD_S 3600

// --- opening ---

static void find_own(struct doctor_world *w)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i && w->n_own < DOCTOR_OWN_MAX; i = i->ifa_next) {
        struct rt_addr addr;
        uint16_t ignored;
        int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
        addr.len = family == AF_INET ? sizeof addr.u.in4 : sizeof addr.u.in6;
        if (family != AF_INET && family != AF_INET6)
            continue;
        memcpy(&addr.u, i->ifa_addr, addr.len);
        if (addr_to_ip(&addr, &w->own[w->n_own], &ignored))
            w->n_own++;
    }
    freeifaddrs(all);
}

bool doctor_is_own(const struct doctor_world *w, const struct ip *ip)
{
    for (size_t i = 0; i < w->n_own; i++) {
        if (ip_eq(&w->own[i], ip))
            return true;
    }
    return ip->family == 4 && ip->bytes[0] == 127;
}

static void ask_proxy(struct doctor_world *w, const struct cli_args *args, struct doctor_report *r)
{
    if (!control_client_is_there(args)) {
        doctor_add(r, DOCTOR_NOTE, "proxy", NULL, "no proxy answers at the control socket");
        doctor_explain(r, "without it nobody can tell whether a name leads to this proxy",
                       "start it, or name its socket with --control, then ask again");
        return;
    }
    json_t *answer = control_client_ask(args, "status", "asking for the status");
    w->status = json_incref(json_object_get(answer, "status"));
    json_decref(answer);
    const char *version = json_string_value(json_object_get(w->status, "version"));
    const json_t *gate = json_object_get(w->status, "gate");
    bool serves = json_is_object(gate) &&
                  str_eq(str_of(json_string_value(json_object_get(gate, "state"))), STR("serving"));
    if (serves)
        doctor_add(r, DOCTOR_OK, "proxy", NULL, "version %s serves, process %" JSON_INTEGER_FORMAT,
                   version ? version : "?", json_integer_value(json_object_get(w->status, "pid")));
    else
        doctor_add(r, DOCTOR_BAD, "proxy", "'journalctl -u sallyport' tells why",
                   "the keeper runs, but no gate serves");
    answer = control_client_ask(args, "beacon", "asking for a proof");
    const char *token = json_string_value(json_object_get(answer, "token"));
    const char *body = json_string_value(json_object_get(answer, "body"));
    if (token && body) {
        snprintf(w->token, sizeof w->token, "%s", token);
        snprintf(w->body, sizeof w->body, "%s", body);
    }
    json_decref(answer);
}

// The file that the proxy has read, when none is named.
static const char *choose_settings(const struct doctor_world *w, const struct cli_args *args)
{
    const json_t *settings = json_object_get(w->status, "settings");
    const char *source = json_string_value(json_object_get(settings, "source"));
    bool is_named = cli_value(args, "config", NULL) || !source || access(source, R_OK) != 0;
    return is_named ? cli_config_path(args) : source;
}

static void read_settings(struct doctor_world *w, struct doctor_report *r)
{
    bool is_fine = load_file(w->settings_path, NULL, &w->loaded);
    for (size_t i = 0; i < w->loaded.diags.n; i++) {
        char line[1024];
        struct str text = diag_text(&w->loaded.diags.items[i], line, sizeof line);
        bool is_error = w->loaded.diags.items[i].severity == DIAG_ERROR;
        doctor_add(r, is_error ? DOCTOR_BAD : DOCTOR_WEAK, "settings", NULL, STR_FMT,
                   STR_ARG(text));
    }
    if (is_fine)
        w->wish = wish_new(w->loaded.snapshot);
    if (is_fine && w->loaded.diags.n == 0)
        doctor_add(r, DOCTOR_OK, "settings", NULL, "%s has no errors", w->settings_path);
}

static void open_dns(struct doctor_world *w, struct doctor_report *r)
{
    const struct conf_texts *named =
        w->wish ? &w->loaded.snapshot->settings.resolver.servers : NULL;
    struct str servers[DNS_FIND_SERVERS_MAX], resolv_conf = STR_NONE;
    size_t n = 0;
    const char *why;
    while (named && n < named->n && n < DNS_FIND_SERVERS_MAX) {
        servers[n] = named->items[n].text;
        n++;
    }
    if (n == 0 &&
        file_read(DNS_RESOLV_CONF, RESOLV_MAX_BYTES, &w->mem, &resolv_conf, &why) != ERR_OK)
        doctor_add(r, DOCTOR_WEAK, "resolver", "name servers with 'resolver: { servers: […] }'",
                   DNS_RESOLV_CONF " can't be read: %s", why);
    if (!dns_find_init(&w->dns, servers, n, resolv_conf))
        doctor_add(r, DOCTOR_BAD, "resolver", "'resolver: { servers: [192.0.2.53] }' is the form",
                   "the settings name a server that is none");
}

void doctor_world_open(struct doctor_world *w, const struct cli_args *args, struct doctor_report *r)
{
    *w = (struct doctor_world){.http_port = 80, .https_port = 443};
    arena_init(&w->mem, MEM_BYTES, NULL, 0);
    find_own(w);
    ask_proxy(w, args, r);
    w->settings_path = arena_dup(&w->mem, str_of(choose_settings(w, args))).ptr;
    read_settings(w, r);
    open_dns(w, r);
}

void doctor_world_close(struct doctor_world *w)
{
    wish_free(w->wish);
    load_fini(&w->loaded);
    json_decref(w->status);
    arena_wipe(&w->mem);
}

// --- authorities ---

static void look_at_clock(int64_t offset_s, bool is_known, struct doctor_report *r)
{
    static const char why[] = "certificates and orders are valid from one moment to another";
    int64_t off_s = offset_s < 0 ? -offset_s : offset_s;
    if (!is_known) {
        doctor_add(r, DOCTOR_NOTE, "clock", NULL, "the authority doesn't tell the time");
        return;
    }
    if (off_s <= CLOCK_FINE_S) {
        doctor_add(r, DOCTOR_OK, "clock", NULL, "within %" PRId64 " s of the authority's", off_s);
        return;
    }
    doctor_add(r, off_s >= CLOCK_BAD_S ? DOCTOR_BAD : DOCTOR_WEAK, "clock", NULL,
               "this machine's clock is %" PRId64 " s %s the authority's", off_s,
               offset_s < 0 ? "behind" : "before");
    doctor_explain(r, why, "set it by NTP: 'timedatectl set-ntp on'");
}

static void look_at_issuer(struct doctor_world *w, struct doctor_issuer *d, struct doctor_report *r)
{
    const struct issue_issuer *issuer = d->issuer;
    const struct acme_options options = {
        .directory_url = issuer->directory, .ca_pem = issuer->ca_pem, .request_timeout_ms = ASK_MS};
    const struct acme_directory *directory;
    struct acme_problem problem;
    struct acme *a = acme_new(&options, &w->mem, &problem);
    doctor_begin(r, issuer->name);
    d->is_reachable = a && acme_directory(a, &directory, &w->mem, &problem) == ACME_DONE;
    if (!d->is_reachable) {
        doctor_add(r, DOCTOR_BAD, "directory", NULL, STR_FMT ": " STR_FMT,
                   STR_ARG(issuer->directory), STR_ARG(problem.detail));
        doctor_explain(r, "nothing can be ordered there", STR_FMT, STR_ARG(problem.next_step));
        acme_free(a);
        return;
    }
    doctor_add(r, DOCTOR_OK, "directory", NULL, STR_FMT " answers", STR_ARG(issuer->directory));
    look_at_clock(directory->clock_offset_s, directory->has_clock, r);
    if (directory->needs_eab && issuer->eab_kid.len == 0) {
        doctor_add(r, DOCTOR_BAD, "account", NULL, "the authority wants an account of its own");
        doctor_explain(r, "it takes no orders from anybody else",
                       "put the key id and the HMAC key that it gave you into 'eab'");
    }
    d->directory = *directory;
    struct str *caa = ARENA_ARRAY(&w->mem, struct str, directory->n_caa + 1);
    for (size_t i = 0; caa && i < directory->n_caa; i++)
        caa[i] = arena_dup(&w->mem, directory->caa[i]);
    d->directory.caa = caa;
    d->directory.n_caa = caa ? directory->n_caa : 0;
    acme_free(a);
}

// A look at the state folder that changes nothing there.
static struct str read_account(struct doctor_world *w, const struct issue_issuer *issuer)
{
    char path[4096];
    struct str json;
    struct certs_account_meta meta;
    const char *why;
    snprintf(path, sizeof path, "%s/accounts/" STR_FMT "/meta.json", w->wish->state,
             STR_ARG(certs_id_of(issuer->name, &w->mem)));
    bool is_read = file_read(path, RESOLV_MAX_BYTES, &w->mem, &json, &why) == ERR_OK &&
                   certs_account_meta_read(json, &w->mem, &meta) &&
                   str_eq(meta.directory, issuer->directory);
    return is_read ? meta.url : STR_NONE;
}

void doctor_look_at_issuers(struct doctor_world *w, struct doctor_report *r)
{
    for (size_t i = 0; w->wish && i < w->wish->issue.n_issuers && i < DOCTOR_ISSUERS_MAX; i++) {
        struct doctor_issuer *d = &w->issuers[w->n_issuers++];
        *d = (struct doctor_issuer){.issuer = &w->wish->issue.issuers[i]};
        d->account_url = read_account(w, d->issuer);
        look_at_issuer(w, d, r);
    }
    doctor_begin(r, STR_NONE);
}

const struct doctor_issuer *doctor_find_issuer(const struct doctor_world *w, struct str name)
{
    for (size_t i = 0; i < w->n_issuers; i++) {
        if (str_eq(w->issuers[i].issuer->name, name))
            return &w->issuers[i];
    }
    return NULL;
}
