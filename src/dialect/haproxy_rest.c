// SPDX-License-Identifier: Apache-2.0
// Lines that became nothing: those whose sense is here in any case, and those that are lost. What
// no row knows is lost, too.
#include "dialect/haproxy_priv.h"

struct row {
    const char *words; // how the line begins
    enum draft_fate fate;
    const char *reason;
};

#define ALWAYS_SO "it is so here in any case"
#define NOT_NEEDED "nothing here needs it"
#define OWN_PROCESS "processes, their rights and their number are the program's own business here"
#define BY_SERVICE "the service unit does that (see 'sallyport.service')"

static const struct row global_rows[] = {
    {"daemon", DRAFT_NEEDLESS, BY_SERVICE},
    {"master-worker", DRAFT_NEEDLESS, OWN_PROCESS},
    {"chroot", DRAFT_NEEDLESS, "the process that speaks with clients is in a sandbox"},
    {"group", DRAFT_NEEDLESS, "it is the user's own"},
    {"uid", DRAFT_NEEDLESS, "write the user's name as 'user'"},
    {"gid", DRAFT_NEEDLESS, "it is the user's own"},
    {"pidfile", DRAFT_NEEDLESS, BY_SERVICE},
    {"stats", DRAFT_NEEDLESS, "'sallyport status' and the other commands use the control socket"},
    {"nbproc", DRAFT_NEEDLESS, OWN_PROCESS},
    {"cpu-map", DRAFT_NEEDLESS, OWN_PROCESS},
    {"ulimit-n", DRAFT_NEEDLESS, BY_SERVICE},
    {"ca-base", DRAFT_NEEDLESS, "no name of a file needs it"},
    {"crt-base", DRAFT_NEEDLESS, "no name of a file needs it"},
    {"node", DRAFT_NEEDLESS, NOT_NEEDED},
    {"description", DRAFT_NEEDLESS, NOT_NEEDED},
    {"tune.", DRAFT_NEEDLESS, "buffers and caches find their sizes by themselves"},
    {"ssl-dh-param-file", DRAFT_NEEDLESS, "keys are exchanged over elliptic curves alone"},
    {"ssl-server-verify", DRAFT_LOST, "say 'tls: { verify: off }' at the services that it is for"},
    {"spread-checks", DRAFT_NEEDLESS, "checks are spread ('jitter-percent' of 'health')"},
    {"maxconnrate", DRAFT_LOST,
     "there is no limit for all; filters 'rate-limit' have one by client"},
    {"lua-", DRAFT_LOST, "Lua isn't run here"},
    {"setenv", DRAFT_NEEDLESS, "variables were put in where the file uses them"},
    {"presetenv", DRAFT_NEEDLESS, "variables were put in where the file uses them"},
    {"external-check", DRAFT_NEEDLESS, "programs aren't run for checks"},
    {"insecure-fork-wanted", DRAFT_NEEDLESS, NOT_NEEDED},
    {"zero-warning", DRAFT_NEEDLESS, NOT_NEEDED},
    {"quiet", DRAFT_NEEDLESS, NOT_NEEDED},
    {"h1-case-adjust", DRAFT_LOST, "names of fields are sent as they came"},
    {"hard-stop-after", DRAFT_LOST, "it is 'drain-timeout'"},
};

static const struct row proxy_rows[] = {
    {"option http-server-close", DRAFT_NEEDLESS, "connections are kept on both sides"},
    {"option http-keep-alive", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option httpclose", DRAFT_NEEDLESS, "connections are kept on both sides"},
    {"option forceclose", DRAFT_NEEDLESS, "connections are kept on both sides"},
    {"option http-tunnel", DRAFT_NEEDLESS, "tunnels stand when a client asks for an upgrade"},
    {"option http-pretend-keepalive", DRAFT_NEEDLESS, NOT_NEEDED},
    {"option prefer-last-server", DRAFT_NEEDLESS, NOT_NEEDED},
    {"option http-buffer-request", DRAFT_LOST, "the filter 'buffer' reads bodies ahead"},
    {"option httplog", DRAFT_NEEDLESS, "the access log has it"},
    {"option httpslog", DRAFT_NEEDLESS, "the access log has it"},
    {"option tcplog", DRAFT_NEEDLESS, "the access log has it"},
    {"option dontlognull", DRAFT_NEEDLESS, "connections without a request aren't logged"},
    {"option dontlog-normal", DRAFT_LOST, "all requests are logged"},
    {"option log-separate-errors", DRAFT_LOST, "each line has its status"},
    {"option log-health-checks", DRAFT_NEEDLESS, "changes are in the error log"},
    {"option logasap", DRAFT_LOST, "lines are written when an exchange ends"},
    {"option redispatch", DRAFT_NEEDLESS,
     "a request that met no connection goes to another server"},
    {"option abortonclose", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option clitcpka", DRAFT_NEEDLESS, NOT_NEEDED},
    {"option srvtcpka", DRAFT_NEEDLESS, NOT_NEEDED},
    {"option tcpka", DRAFT_NEEDLESS, NOT_NEEDED},
    {"option tcp-smart-accept", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option tcp-smart-connect", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option splice", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option nolinger", DRAFT_NEEDLESS, NOT_NEEDED},
    {"option contstats", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option socket-stats", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option allbackups", DRAFT_NEEDLESS, "backups share the requests by the same method"},
    {"option http-use-htx", DRAFT_NEEDLESS, NOT_NEEDED},
    {"option http-no-delay", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option http-ignore-probes", DRAFT_NEEDLESS, ALWAYS_SO},
    {"option checkcache", DRAFT_LOST, "answers aren't looked into for that"},
    {"option accept-invalid-http", DRAFT_LOST, "what is no HTTP is refused, always"},
    {"option transparent", DRAFT_LOST, "there are no transparent connections"},
    {"option http_proxy", DRAFT_LOST, "this is no forward proxy"},
    {"option originalto", DRAFT_LOST, "the address that clients asked for isn't told"},
    {"http-reuse", DRAFT_NEEDLESS, "connections to servers are shared safely"},
    {"hash-type", DRAFT_NEEDLESS, "hashing is consistent always"},
    {"fullconn", DRAFT_NEEDLESS, NOT_NEEDED},
    {"backlog", DRAFT_NEEDLESS, NOT_NEEDED},
    {"id", DRAFT_NEEDLESS, NOT_NEEDED},
    {"description", DRAFT_NEEDLESS, NOT_NEEDED},
    {"unique-id-format", DRAFT_NEEDLESS, "each request has an id, in X-Request-Id"},
    {"unique-id-header", DRAFT_NEEDLESS, "each request has an id, in X-Request-Id"},
    {"monitor-uri", DRAFT_LOST, "a route with the filter 'respond' answers on a path"},
    {"monitor", DRAFT_LOST, "a route with the filter 'respond' answers on a path"},
    {"stats", DRAFT_LOST, "'sallyport status' shows servers and requests; no page is made of it"},
    {"capture", DRAFT_LOST, "'{header:NAME}' in the format of 'access-log' writes a field"},
    {"declare", DRAFT_LOST, "'{header:NAME}' in the format of 'access-log' writes a field"},
    {"log-format", DRAFT_LOST, "'format' of 'access-log' is a text with names of fields"},
    {"log-format-sd", DRAFT_LOST, "'format' of 'access-log' is a text with names of fields"},
    {"error-log-format", DRAFT_LOST, "'format' of 'access-log' is a text with names of fields"},
    {"log-tag", DRAFT_NEEDLESS, NOT_NEEDED},
    {"errorloc", DRAFT_LOST, "the filter 'error-pages' has pages, from files or a service"},
    {"errorfiles", DRAFT_LOST, "the filter 'error-pages' has pages, from files or a service"},
    {"http-error", DRAFT_LOST, "the filter 'error-pages' has pages, from files or a service"},
    {"dispatch", DRAFT_LOST, "name the server with 'server'"},
    {"use-server", DRAFT_LOST, "make a service of the one server, and a route to it"},
    {"force-persist", DRAFT_LOST, NOT_NEEDED},
    {"ignore-persist", DRAFT_LOST, "a route without 'sticky' needs a service of its own"},
    {"persist", DRAFT_LOST, "clients stay by 'sticky' of the service"},
    {"rate-limit", DRAFT_LOST,
     "there is no limit for a whole entrypoint; see the filter 'rate-limit'"},
    {"email-alert", DRAFT_LOST, "no mail is sent; metrics and the log tell of servers"},
    {"external-check", DRAFT_LOST, "programs aren't run for checks"},
    {"load-server-state-from-file", DRAFT_NEEDLESS, "states live through reloads and upgrades"},
    {"server-state-file-name", DRAFT_NEEDLESS, "states live through reloads and upgrades"},
    {"tcp-check", DRAFT_LOST, "a check connects, and sends nothing of one's own"},
    {"acl", DRAFT_NEEDLESS, "no line asks it that was carried over"},
    {"stick-table", DRAFT_NEEDLESS, "no line needs it that was carried over"},
    {"grace", DRAFT_NEEDLESS, "sockets stay open over reloads"},
    {"timeout client-fin", DRAFT_NEEDLESS,
     "connections that are half closed end by 'body-timeout'"},
    {"timeout server-fin", DRAFT_NEEDLESS,
     "connections that are half closed end by 'body-timeout'"},
    {"timeout tarpit", DRAFT_NEEDLESS, "nobody is kept waiting"},
    {"timeout check", DRAFT_NEEDLESS, "nothing is checked"},
    {"compression direction", DRAFT_NEEDLESS, "answers are packed"},
    {"tcp-request inspect-delay", DRAFT_NEEDLESS, "'head-timeout' bounds the wait for a name"},
    {"tcp-response", DRAFT_LOST, "answers of servers aren't looked into in mode tcp"},
    {"http-after-response", DRAFT_LOST, "answers that are made here can't be changed so"},
    {"source", DRAFT_LOST, "the system chooses the address to connect from"},
    {"filter spoe", DRAFT_LOST, "agents aren't asked"},
    {"filter", DRAFT_LOST, "there is no such filter"},
    {"mode", DRAFT_NEEDLESS, NOT_NEEDED},
    {"enabled", DRAFT_NEEDLESS, NOT_NEEDED},
    {"bind-process", DRAFT_NEEDLESS, OWN_PROCESS},
    {"cliexp", DRAFT_LOST, "HAProxy dropped it long ago"},
};

// What proxies take from their defaults.
static const char *const inherited[] = {
    "timeout",
    "balance",
    "option",
    "cookie",
    "retries",
    "maxconn",
    "errorfile",
    "compression",
    "log",
    "http-check",
    "http-send",
    "default-server",
    "hash-type",
    "retry-on",
    "http-request",
    "http-response",
    "default_backend",
    "no",
    "hash-balance-factor",
};

static bool is_inherited(const struct haproxy_line *l)
{
    for (size_t i = 0; i < ARRAY_LEN(inherited); i++)
        if (str_eq(l->words[0], str_of(inherited[i])))
            return true;
    return false;
}

// Sections that have no counterpart as a whole.
static const char *section_reason(enum haproxy_section_kind kind)
{
    switch (kind) {
    case HAPROXY_PEERS:
        return "proxies don't share counters and tables";
    case HAPROXY_MAILERS:
        return "no mail is sent";
    case HAPROXY_CACHE:
        return "answers aren't cached";
    case HAPROXY_PROGRAM:
        return "programs are started by the service manager";
    case HAPROXY_RING:
        return "logs have memory of their own while their target is away";
    case HAPROXY_HTTP_ERRORS:
        return "the filter 'error-pages' has pages, from files or a service";
    case HAPROXY_FCGI_APP:
        return "FastCGI isn't spoken; put a web server between";
    case HAPROXY_GLOBAL:
    case HAPROXY_DEFAULTS:
    case HAPROXY_FRONTEND:
    case HAPROXY_BACKEND:
    case HAPROXY_LISTEN:
    case HAPROXY_USERLIST:
    case HAPROXY_RESOLVERS:
        break;
    }
    return NULL;
}

static bool begins(const struct haproxy_line *l, unsigned from, const char *words)
{
    struct str rest = str_of(words), word;
    unsigned i = from;
    while ((word = str_next_word(&rest)).len > 0) {
        bool is_prefix = word.ptr[word.len - 1] == '.' || word.ptr[word.len - 1] == '-';
        struct str own = haproxy_word(l, i++);
        if (is_prefix ? !str_starts(own, word) : !str_eq(own, word))
            return false;
    }
    return true;
}

static void judge(struct haproxy *h, struct haproxy_section *s, struct haproxy_line *l)
{
    bool is_global = s->kind == HAPROXY_GLOBAL;
    const struct row *rows = is_global ? global_rows : proxy_rows;
    size_t n = is_global ? ARRAY_LEN(global_rows) : ARRAY_LEN(proxy_rows);
    bool is_no = str_eq(l->words[0], STR("no"));
    for (size_t i = 0; i < n; i++) {
        if (!begins(l, is_no, rows[i].words))
            continue;
        if (is_no)
            haproxy_note(h, l, DRAFT_NEEDLESS, NOT_NEEDED);
        else
            haproxy_note(h, l, rows[i].fate, "%s", rows[i].reason);
        return;
    }
    if (s->kind == HAPROXY_DEFAULTS && !is_no && is_inherited(l))
        haproxy_note(h, l, DRAFT_NEEDLESS, "no proxy uses it");
    else
        haproxy_note(h, l, DRAFT_LOST, "this import doesn't know it");
}

void haproxy_judge_rest(struct haproxy *h)
{
    for (size_t i = 0; i < h->file.n; i++) {
        struct haproxy_section *s = &h->file.sections[i];
        const char *reason = section_reason(s->kind);
        if (reason)
            draft_note(h->d, s->kind == HAPROXY_RING ? DRAFT_NEEDLESS : DRAFT_LOST, s->place,
                       STR_NONE, "%s", reason);
        for (size_t k = 0; k < s->n && !reason && s->kind != HAPROXY_USERLIST; k++)
            if (!s->lines[k].is_done)
                judge(h, s, &s->lines[k]);
    }
}
