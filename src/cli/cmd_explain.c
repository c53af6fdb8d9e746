// SPDX-License-Identifier: Apache-2.0
// Tells the way that a request would go, without sending anything: by a settings file, or by the
// settings of the running proxy.
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/containers.h"
#include "cli/control_client.h"
#include "cli/running.h"
#include "cli/status_text.h"
#include "codec/idna.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/request.h"
#include "keeper/load.h"
#include "upstream/service.h"

#define ROUTES_SHOWN_MAX 12

static const char *const method_names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                           "PATCH", "DELETE", "OPTIONS", NULL};

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    {.name = "running",
     .letter = 'r',
     .doc = "Use the settings in force of the running proxy, and show the state of each server."},
    CLI_OPTION_CONTROL,
    {.name = "method",
     .letter = 'X',
     .value = "METHOD",
     .names = method_names,
     .is_open = true,
     .doc = "The method; by default GET."},
    {.name = "header",
     .letter = 'H',
     .value = "'NAME: VALUE'",
     .is_many = true,
     .doc = "A field of the request."},
    {.name = "from", .value = "IP", .doc = "The address of the connection; by default 192.0.2.1."},
    {.name = "entrypoint",
     .value = "NAME",
     .kind = CLI_VALUE_ENTRYPOINT,
     .doc =
         "Where the request arrives; by default the entrypoint with the URL's port, else the first "
         "one of its scheme."},
};

struct question {
    const struct snapshot *s;
    const json_t *status; // of the running proxy; NULL: none
    unsigned entry_index;
    struct arena mem;
    struct http_env env;
    struct exchange x;
    unsigned n_shown;
};

// The URL as a client would send it: with a scheme, and with the A-labels of an international name.
static struct str complete_url(struct question *q, struct str url)
{
    struct str scheme, rest, ascii;
    const char *why;
    size_t at = str_search(url, STR("://"));
    scheme = at == STR_NPOS ? STR("http") : str_first(url, at);
    rest = at == STR_NPOS ? url : str_skip(url, at + 3);
    size_t n_host = 0;
    while (n_host < rest.len && !strchr("/?:", rest.ptr[n_host]))
        n_host++;
    struct str host = str_first(rest, n_host);
    bool is_ascii = true;
    for (size_t i = 0; i < host.len; i++)
        is_ascii = is_ascii && (unsigned char)host.ptr[i] < 0x80;
    if (!is_ascii && idna_to_ascii(host, &q->mem, &ascii, &why) == ERR_OK)
        host = ascii;
    return arena_printf(&q->mem, STR_FMT "://" STR_FMT STR_FMT, STR_ARG(scheme), STR_ARG(host),
                        STR_ARG(str_skip(rest, n_host)));
}

static bool take_url(struct question *q, struct str url)
{
    struct url_target target;
    if (url_target_parse(url, false, &target) != ERR_OK || target.form != URL_ABSOLUTE ||
        (!str_ieq(target.scheme, STR("http")) && !str_ieq(target.scheme, STR("https"))))
        return false;
    struct request *r = &q->x.req;
    r->target =
        arena_concat(&q->mem, target.path, target.has_query ? STR("?") : STR_NONE, target.query);
    struct str host = target.authority;
    return headers_add(&r->headers, FIELD_HOST, host) == ERR_OK;
}

static bool take_headers(struct question *q, const struct cli_args *args)
{
    const char *const *values = NULL;
    int n = cli_values(args, "header", &values);
    for (int i = 0; i < n; i++) {
        struct str name, value;
        if (!str_cut(str_of(values[i]), ':', &name, &value) || !ascii_is_token(name) ||
            !ascii_all(value, ASCII_VALUE))
            return false;
        if (field_id_of(name) == FIELD_HOST)
            headers_remove(&q->x.req.headers, FIELD_HOST);
        if (headers_add_named(&q->x.req.headers, name, str_trim(value)) != ERR_OK)
            return false;
    }
    return true;
}

static bool choose_entry(struct question *q, const char *name, struct str url)
{
    struct url_target target;
    struct url_authority authority = {.port = 0};
    if (name) {
        int index = snapshot_find_entry(q->s, str_of(name));
        q->entry_index = (unsigned)MAX(index, 0);
        return index >= 0;
    }
    if (url_target_parse(url, false, &target) == ERR_OK && target.form == URL_ABSOLUTE &&
        url_authority_parse(target.authority, &authority) == ERR_OK) {
        uint16_t port = authority.port > 0                     ? authority.port
                        : str_ieq(target.scheme, STR("https")) ? 443
                                                               : 80;
        for (unsigned i = 0; i < q->s->n_entries; i++) {
            if (q->s->entries[i].port == port) {
                q->entry_index = i;
                return true;
            }
        }
    }
    bool is_https = str_istarts(url, STR("https://"));
    q->entry_index = 0;
    while (q->entry_index < q->s->n_entries && q->s->entries[q->entry_index].is_tls != is_https)
        q->entry_index++;
    if (q->entry_index == q->s->n_entries)
        q->entry_index = 0;
    return true;
}

// The text of a connection, "tls://mail.example.com:993" or "tcp://:5432".
static bool is_connection(struct str url)
{
    return str_istarts(url, STR("tls://")) || str_istarts(url, STR("tcp://"));
}

static bool has_connections(const struct question *q, unsigned entry)
{
    return (q->s->tcp && q->s->tcp[entry].is_on) || q->s->entries[entry].is_tls;
}

// Without a name, the one with the port, else the first where a connection may be passed on.
static bool choose_tcp_entry(struct question *q, const char *name, uint64_t port)
{
    if (name) {
        int index = snapshot_find_entry(q->s, str_of(name));
        q->entry_index = (unsigned)MAX(index, 0);
        return index >= 0;
    }
    bool is_found = false;
    for (unsigned i = q->s->n_entries; i-- > 0;) {
        if (q->s->entries[i].port == port && port > 0) {
            q->entry_index = i;
            return true;
        }
        if (has_connections(q, i)) {
            q->entry_index = i;
            is_found = true;
        }
    }
    if (!is_found)
        q->entry_index = 0;
    return true;
}

static struct str entry_names(struct question *q)
{
    struct str names = STR_NONE;
    for (unsigned i = 0; i < q->s->n_entries; i++)
        names = arena_concat(&q->mem, names, i > 0 ? STR(", ") : STR_NONE, q->s->entries[i].name);
    return names;
}

// Fills the exchange as a driver would. CLI_OK, or CLI_USAGE after saying why.
static int ask(struct question *q, const struct cli_args *args)
{
    struct exchange *x = &q->x;
    const char *from = cli_value(args, "from", "192.0.2.1");
    struct str url = complete_url(q, str_of(args->words[0]));
    const char *entrypoint = cli_value(args, "entrypoint", NULL);
    if (!choose_entry(q, entrypoint, url))
        return cli_usage_error(
            args->command, "explain: there is no entrypoint '%s'; those of the settings: " STR_FMT,
            entrypoint, STR_ARG(entry_names(q)));
    if (ip_parse(str_of(from), &x->peer) != ERR_OK)
        return cli_usage_error(args->command, "explain: '%s' is not an IP address", from);
    x->mem = &q->mem;
    x->env = &q->env;
    x->entry = &q->s->entries[q->entry_index];
    headers_init(&x->req.headers, &q->mem);
    headers_init(&x->resp.headers, &q->mem);
    x->req.method = str_of(cli_value(args, "method", "GET"));
    if (!ascii_is_token(x->req.method))
        return cli_usage_error(args->command, "explain: '" STR_FMT "' is not a method",
                               STR_ARG(x->req.method));
    x->req.method_id = method_of(x->req.method);
    x->req.version = HTTP_1_1;
    if (!take_url(q, url))
        return cli_usage_error(args->command,
                               "explain: '%s' is not a URL like http://app.example.com/path",
                               args->words[0]);
    if (!take_headers(q, args))
        return cli_usage_error(args->command, "explain: a header looks like 'Name: value'");
    return CLI_OK;
}

// Fills the exchange as a connection of a TCP route has it. CLI_OK, or CLI_USAGE.
static int ask_connection(struct question *q, const struct cli_args *args)
{
    struct exchange *x = &q->x;
    struct str url = str_of(args->words[0]), name, digits;
    struct str rest = str_skip(url, STR("tls://").len);
    const char *from = cli_value(args, "from", "192.0.2.1"), *why = NULL;
    const char *entrypoint = cli_value(args, "entrypoint", NULL);
    uint64_t port = str_istarts(url, STR("tls")) ? 443 : 0;
    bool has_port = str_cut(rest, ':', &name, &digits);
    if (name.len > 0 && name.ptr[name.len - 1] == '/')
        name = str_first(name, name.len - 1);
    if ((has_port && num_dec(digits, UINT16_MAX, &port) != ERR_OK) ||
        (name.len > 0 && idna_to_ascii(name, &q->mem, &x->req.host, &why) != ERR_OK))
        return cli_usage_error(args->command,
                               "explain: '%s' is not a connection like tls://mail.example.com:993 "
                               "or tcp://:5432",
                               args->words[0]);
    if (!choose_tcp_entry(q, entrypoint, port))
        return cli_usage_error(
            args->command, "explain: there is no entrypoint '%s'; those of the settings: " STR_FMT,
            entrypoint, STR_ARG(entry_names(q)));
    if (ip_parse(str_of(from), &x->peer) != ERR_OK)
        return cli_usage_error(args->command, "explain: '%s' is not an IP address", from);
    x->client = x->peer;
    x->mem = &q->mem;
    x->env = &q->env;
    x->entry = &q->s->entries[q->entry_index];
    x->req.is_raw = true;
    headers_init(&x->req.headers, &q->mem);
    headers_init(&x->resp.headers, &q->mem);
    return CLI_OK;
}

static bool show_route(void *arg, const struct route *route, bool matches, struct str why)
{
    struct question *q = arg;
    if (++q->n_shown > ROUTES_SHOWN_MAX) {
        printf("            … and more that come later\n");
        return false;
    }
    printf("  %s " STR_FMT "  " STR_FMT "\n", matches ? "takes    " : "not      ",
           STR_ARG(route->name), STR_ARG(route->rule_text));
    char line[16] = ""; // labels have none
    if (route->place.line > 0)
        snprintf(line, sizeof line, ":%u", route->place.line);
    printf("            %s%s, priority %lld; " STR_FMT "\n",
           route->place.source ? route->place.source : "?", line,
           (long long)(route->priority > 0 ? route->priority : (int64_t)route->rule_text.len),
           STR_ARG(why));
    return !matches;
}

static void show_live_service(struct str name, const json_t *service)
{
    struct text servers = {.ptr = NULL};
    status_text_put_servers(service, "  server    ", &servers);
    printf("  service   " STR_FMT "\n" STR_FMT, STR_ARG(name), STR_ARG(text_str(&servers)));
    text_fini(&servers);
}

// Returns what is behind them.
static const struct handler *show_filters(struct question *q, const struct handler *h)
{
    for (; h->next; h = h->next) {
        struct str what = h->type->explain ? h->type->explain(h, &q->x) : STR_NONE;
        printf("  filter    " STR_FMT " (%s)%s" STR_FMT "\n", STR_ARG(h->name), h->type->name,
               what.len > 0 ? ": " : "", STR_ARG(what));
    }
    return h;
}

static void show_chain(struct question *q, const struct handler *first)
{
    const struct handler *h = show_filters(q, first);
    const json_t *live = status_text_find_service(q->status, h->name);
    if (live) {
        show_live_service(h->name, live);
        return;
    }
    struct str what = h->type->explain ? h->type->explain(h, &q->x) : STR_NONE;
    printf("  service   " STR_FMT "%s" STR_FMT "\n", STR_ARG(h->name), what.len > 0 ? ": " : "",
           STR_ARG(what));
}

// What the entrypoint speaks beside HTTP/1.1, the same routes and filters for all.
static const char *other_versions(const struct question *q)
{
    const struct http_entry *entry = q->x.entry;
    bool by_alpn = entry->is_tls && q->s->doors && q->s->doors[q->entry_index].http2;
    return by_alpn                        ? ", by HTTP/2 (ALPN) or HTTP/1.1"
           : entry->h2c && !entry->is_tls ? ", by HTTP/1.1, or HTTP/2 without asking (h2c)"
                                          : "";
}

static int answer(struct question *q)
{
    struct exchange *x = &q->x;
    printf("  arrives   entrypoint " STR_FMT "%s\n", STR_ARG(x->entry->name), other_versions(q));
    if (request_prepare(x) != ERR_OK) {
        printf("  refused   %u: " STR_FMT "\n", x->resp.status, STR_ARG(x->end_detail));
        return CLI_FAILED;
    }
    char ip[46];
    struct str client = ip_text(&x->client, ip);
    printf("  request   " STR_FMT " " STR_FMT " " STR_FMT "%s" STR_FMT " from " STR_FMT "%s\n",
           STR_ARG(x->req.method), STR_ARG(x->req.host), STR_ARG(x->req.path),
           x->req.has_query ? "?" : "", STR_ARG(x->req.query), STR_ARG(client),
           x->peer_is_trusted ? " (told by a trusted proxy)" : "");
    show_filters(q, q->s->entry_chains[q->entry_index]);
    router_explain(q->s->router, q->entry_index, x, &q->mem, show_route, q);
    const struct route *route = router_find(q->s->router, q->entry_index, x);
    if (!route) {
        printf("  answer    404: no route matches\n");
        return CLI_FAILED;
    }
    show_chain(q, route->handler);
    return CLI_OK;
}

static int answer_connection(struct question *q)
{
    struct exchange *x = &q->x;
    const struct tcp_entry *tcp = q->s->tcp ? &q->s->tcp[q->entry_index] : NULL;
    bool is_heard = x->entry->is_tls || (tcp && tcp->reads_hello);
    char ip[46];
    printf("  arrives   entrypoint " STR_FMT "\n", STR_ARG(x->entry->name));
    if (!has_connections(q, q->entry_index)) {
        printf("  answer    requests: this entrypoint is for plain HTTP\n");
        return CLI_FAILED;
    }
    if (!is_heard)
        x->req.host = STR_NONE;
    printf("  connects  %s" STR_FMT " from " STR_FMT "\n",
           !is_heard              ? "without being read"
           : x->req.host.len == 0 ? "by TLS without a name"
                                  : "by TLS as ",
           STR_ARG(x->req.host), STR_ARG(ip_text(&x->client, ip)));
    const struct route *route = NULL;
    if (q->s->tcp_router) {
        router_explain(q->s->tcp_router, q->entry_index, x, &q->mem, show_route, q);
        route = router_find(q->s->tcp_router, q->entry_index, x);
    }
    if (route) {
        show_chain(q, route->handler);
        return CLI_OK;
    }
    if (x->entry->is_tls) {
        printf("  answer    TLS ends here; its requests take the routes of "
               "'sallyport explain https://" STR_FMT "/'\n",
               STR_ARG(x->req.host));
        return CLI_OK;
    }
    printf("  answer    closed: no TCP route takes it\n");
    return CLI_FAILED;
}

static int explain(const struct cli_args *args, const struct snapshot *s, const json_t *status)
{
    struct question *q = MEM_NEW(struct question);
    q->s = s;
    q->status = status;
    arena_init(&q->mem, 16 << 20, NULL, 0);
    bool is_tcp = is_connection(str_of(args->words[0]));
    int result = is_tcp ? ask_connection(q, args) : ask(q, args);
    if (result == CLI_OK)
        result = is_tcp ? answer_connection(q) : answer(q);
    arena_fini(&q->mem);
    mem_free(q);
    return result;
}

static int explain_running(const struct cli_args *args)
{
    struct running r;
    int result = CLI_FAILED;
    if (running_get(args, &r)) {
        const char *source = json_string_value(json_object_get(r.settings, "source"));
        printf("  settings  %lld from %s, in force\n",
               (long long)json_integer_value(json_object_get(r.settings, "seq")),
               source ? source : "?");
        result = explain(args, r.loaded.snapshot, r.status);
    }
    running_fini(&r);
    return result;
}

static int explain_file(const struct cli_args *args)
{
    struct loaded l;
    int result = CLI_FAILED;
    cli_note_no_config(args);
    if (cli_load(cli_config_path(args), &l))
        result = explain(args, l.snapshot, NULL);
    else
        load_print_diags(&l);
    load_fini(&l);
    return result;
}

static int run(const struct cli_args *args)
{
    bool is_running = cli_has(args, "running") || cli_has(args, "control");
    return is_running ? explain_running(args) : explain_file(args);
}

const struct cli_command cli_explain = {
    .name = "explain",
    .words = "URL",
    .words_min = 1,
    .words_max = 1,
    .words_kind = CLI_VALUE_SITE,
    .summary = "Say where a request would go, and why.",
    .doc =
        "Works on the settings file alone, or with `--running` or `--control` on the settings in "
        "force; the "
        "request isn't sent either way. Shows the entrypoint, the routes that were considered and "
        "why each does or doesn't match, the filters in order, the service and its servers, which "
        "take turns. Exit status 1: no route takes the request, or it would be refused. "
        "`tls://NAME:PORT` and `tcp://:PORT` ask the same of a connection, for TCP routes.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
