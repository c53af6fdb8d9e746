// SPDX-License-Identifier: Apache-2.0
// HAProxy's lines in, settings out.
#include "dialect/dialect.h"

#include "unit/dialect/converted.h"

#define FRAME                                                                                      \
    "defaults\n mode http\nuserlist staff\n user ada password "                                    \
    "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/"                                      \
    "jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/ groups ops\n"                                     \
    " user bob insecure-password secret\n group ops\n"

static void check_lines(const char *before, const char *after, const struct line_case *cases,
                        size_t n)
{
    convert_lines(&dialect_haproxy, before, after, cases, n);
}

#define IN_FRONT FRAME "frontend f\n bind :80\n bind :443 ssl crt /etc/x/\n"
#define BEHIND_FRONT                                                                               \
    " default_backend app\nbackend app\n server a 127.0.0.1:1\nbackend other\n server b "          \
    "127.0.0.1:2\n"

static void conditions_become_rules(void)
{
    static const struct line_case cases[] = {
        {"use_backend other if { path /a /b }", {"\"Path(`/a`, `/b`)\""}, {NULL}},
        {"use_backend other if { path_beg /a /b }", {"\"PathPrefix(`/a`, `/b`)\""}, {NULL}},
        {"use_backend other if { path -m beg /a }", {"\"PathPrefix(`/a`)\""}, {NULL}},
        {"use_backend other if { path_beg -i /a }", {"\"PathRegexp(`(?i)^/a`)\""}, {NULL}},
        {"use_backend other if { path_end .php }", {"\"PathRegexp(`\\\\.php$`)\""}, {NULL}},
        {"use_backend other if { path_sub x y }", {"\"PathRegexp(`(?:x|y)`)\""}, {NULL}},
        {"use_backend other if { path_dir a/ }", {"PathRegexp(`(?:^|[/?])a(?:[/?]|$)`)"}, {NULL}},
        {"use_backend other if { path_reg ^/[0-9]+$ }", {"PathRegexp(`^(?:/[0-9]+)$`)"}, {NULL}},
        {"use_backend other if { path_beg /{x} }", {"PathRegexp(`^/\\\\x7bx\\\\x7d`)"}, {NULL}},
        {"use_backend other if { hdr(host) -i A.example }", {"\"Host(`A.example`)\""}, {NULL}},
        {"use_backend other if { hdr(host),lower a.example }", {"Host(`a.example`)"}, {NULL}},
        {"use_backend other if { req.hdr(Host),field(1,:) a.b }", {"Host(`a.b`)"}, {NULL}},
        {"use_backend other if { hdr(host) a.example:80 }", {"Host(`a.example`)"}, {NULL}},
        {"use_backend other if { hdr_beg(host) -i www. }", {"HostRegexp(`^www\\\\.`)"}, {NULL}},
        {"use_backend other if { hdr_end(host) .a.b }", {"HostRegexp(`\\\\.a\\\\.b$`)"}, {NULL}},
        {"use_backend other if { hdr_dom(host) a.b }", {"HostRegexp(`(?:^|[/?.:])a\\\\.b"}, {NULL}},
        {"use_backend other if { hdr_reg(host) ^x }", {"HostRegexp(`^(?:x)`)"}, {NULL}},
        {"use_backend other if { ssl_fc_sni a.b }", {"Host(`a.b`)"}, {NULL}},
        {"use_backend other if { hdr(X-A) v }",
         {"HeaderRegexp(`X-A`, `(?:^|,)[ \\\\t]*v[ \\\\t]*(?:,|$)`)"},
         {NULL}},
        {"use_backend other if { req.fhdr(X-A) v }", {"HeaderRegexp(`X-A`, `^v$`)"}, {NULL}},
        {"use_backend other if { hdr_sub(User-Agent) -i bot }",
         {"HeaderRegexp(`User-Agent`, `(?i)bot`)"},
         {NULL}},
        {"use_backend other if { hdr(X-A) -m found }", {"HeaderRegexp(`X-A`, `^`)"}, {NULL}},
        {"use_backend other if { hdr_cnt(X-A) gt 0 }", {"HeaderRegexp(`X-A`, `^`)"}, {NULL}},
        {"use_backend other if { hdr_cnt(X-A) eq 0 }", {"!HeaderRegexp(`X-A`, `^`)"}, {NULL}},
        {"use_backend other if { cook(a) b }", {"HeaderRegexp(`Cookie`, `(?:^|;)"}, {NULL}},
        {"use_backend other if { req.cook(a) -m found }",
         {"HeaderRegexp(`Cookie`, `(?:^|;)[ \\\\t]*a=\\\"?`)"},
         {NULL}},
        {"use_backend other if { url_param(a) b }", {"QueryRegexp(`a`, `^b$`)"}, {NULL}},
        {"use_backend other if { urlp(a) -m found }", {"QueryRegexp(`a`, `^`)"}, {NULL}},
        {"use_backend other if { method PUT DELETE }", {"Method(`PUT`, `DELETE`)"}, {NULL}},
        {"use_backend other if METH_GET", {"Method(`GET`, `HEAD`)"}, {NULL}},
        {"use_backend other if LOCALHOST", {"ClientIP(`127.0.0.0/8`, `::1`)"}, {NULL}},
        {"use_backend other if { src 10.1.2.3/8 ::1 }", {"ClientIP(`10.0.0.0/8`, `::1`)"}, {NULL}},
        {"use_backend other if { src -f /etc/x.lst }",
         {"ClientIP(`10.0.0.0/8`, `192.0.2.1`)"},
         {NULL}},
        {"use_backend other if { path /a } { src 10.0.0.1 }",
         {"Path(`/a`) && ClientIP(`10.0.0.1`)"},
         {NULL}},
        {"use_backend other if { path /a } !{ method GET } or { path /b } || { path /c }",
         {"Path(`/a`) && !Method(`GET`) || Path(`/b`) || Path(`/c`)"},
         {NULL}},
        {"use_backend other unless { path /a } or { path /b }",
         {"!Path(`/a`) && !Path(`/b`)"},
         {NULL}},
        {"acl x path /a\n acl x path /b\n acl y method GET\n use_backend other if x !y",
         {"(Path(`/a`) || Path(`/b`)) && !Method(`GET`)", "# line 10: acl x path /a"},
         {NULL}},
        {"use_backend other if TRUE", {"match: \"PathPrefix(`/`)\""}, {NULL}},
        {"use_backend other if { always_false } or FALSE", {"to: app"}, {NULL}},
        {"use_backend other if { path \"/a b\" }", {"Path(`/a b`)"}, {NULL}},
        {"use_backend other if { hdr(X-A) -m str a` }", {"\\\"(?:^|,)"}, {NULL}},
    };
    check_lines(IN_FRONT " ", BEHIND_FRONT, cases, ARRAY_LEN(cases));
}

static void what_a_bind_decides_is_decided_beforehand(void)
{
    static const struct line_case cases[] = {
        {"use_backend other if { ssl_fc }",
         {"entrypoints: [web]\n    to: app", "entrypoints: [websecure]\n    to: other"},
         {NULL}},
        {"use_backend other if { dst_port 80 } !{ ssl_fc }",
         {"entrypoints: [web]\n    to: other", "entrypoints: [websecure]\n    to: app"},
         {NULL}},
        {"use_backend other if { dst_port gt 100 }",
         {"entrypoints: [websecure]\n    to: other"},
         {NULL}},
        {"http-request set-header X-A tls if { ssl_fc }",
         {"entrypoints: [websecure]\n    use: [f-headers]\n    to: app"},
         {NULL}},
        {"redirect scheme https code 301 if !{ ssl_fc }",
         {"entrypoints: [web]\n    use: [to-https]", "entrypoints: [websecure]\n    to: app",
          "to: \"https://{host}{path}{query}\"\n      code: 301"},
         {NULL}},
    };
    check_lines(IN_FRONT " ", BEHIND_FRONT, cases, ARRAY_LEN(cases));
}

static void what_is_not_known_refuses_where_it_protected_something(void)
{
    static const struct line_case cases[] = {
        {"http-request deny if { lua.bad }",
         {"match: \"PathPrefix(`/`)\"", "use: [refuse-403]"},
         {"'lua.bad' can't be asked here"}},
        {"http-request deny if { path /a } { lua.bad }",
         {"match: \"Path(`/a`)\"", "use: [refuse-403]", "to: app"},
         {"refused"}},
        {"http-request deny if { path /a } !{ lua.good }", {"match: \"Path(`/a`)\""}, {"refused"}},
        {"http-request allow if { lua.good }\n http-request deny if { path /a }",
         {"match: \"Path(`/a`)\""},
         {"not carried over"}},
        {"use_backend other if { nbsrv(app) lt 1 }", {"use: [refuse-503]"}, {"refused"}},
        {"use_backend %[req.hdr(x)]", {"use: [refuse-503]"}, {"no backend of this name"}},
        {"http-request deny if nobody", {"use: [refuse-403]"}, {"there is no acl 'nobody'"}},
        {"http-request set-header X-User %[ssl_c_s_dn]", {"remove: [X-User]"}, {"is removed"}},
        {"http-request auth unless { http_auth(unknown) }", {"use: [refuse-403]"}, {"refused"}},
        {"http-request set-path /x\n http-request deny if { path /a }",
         {"use: [refuse-403]"},
         {"the path was changed before"}},
        {"http-response deny if { status 500 }", {"use: [refuse-502]"}, {"all requests are"}},
        {"http-request set-header X-A b if { lua.x }", {"to: app"}, {"isn't done for any request"}},
    };
    check_lines(IN_FRONT " ", BEHIND_FRONT, cases, ARRAY_LEN(cases));
}

static void rules_become_filters(void)
{
    static const struct line_case cases[] = {
        {"http-request deny", {"status: 403", "use: [refuse-403]"}, {NULL}},
        {"http-request deny deny_status 429 if { path /a }", {"status: 429"}, {NULL}},
        {"http-request return status 200 content-type text/plain string ok if { path /a }",
         {"respond:", "body: ok", "content-type: text/plain", "status: 200"},
         {NULL}},
        {"http-request return status 503 string x if { path /a }",
         {"status: 503", "body: x"},
         {NULL}},
        {"http-request return status 200 content-type text/html file /x.html hdr X-A b",
         {"body: \"<p>from a file</p>\\n\"", "X-A: b"},
         {NULL}},
        {"http-request set-header X-A b\n http-request add-header X-B c\n http-request del-header "
         "X-C",
         {"remove: [X-C]", "set:", "X-A: b", "X-B: c"},
         {NULL}},
        {"http-request set-header X-A b\n http-request set-header X-A c",
         {"f-headers-2", "use: [f-headers, f-headers-2]"},
         {NULL}},
        {"http-response set-header Strict-Transport-Security max-age=1\n http-response del-header "
         "Server",
         {"response:", "remove: [Server]", "Strict-Transport-Security: max-age=1"},
         {NULL}},
        {"http-request set-header X-Forwarded-Proto https if { ssl_fc }",
         {"to: app"},
         {"not needed"}},
        {"http-request set-header X-TLS %[ssl_fc]", {"X-TLS: 0", "X-TLS: 1"}, {NULL}},
        {"http-request replace-path ^/a/(.*)$ /b/\\1",
         {"from: \"^/a/(.*)$\"", "to: \"/b/${1}\""},
         {NULL}},
        {"http-request replace-path /a(.*) /b\\1", {"from: \"^.*?(?:/a(.*)).*$\""}, {NULL}},
        {"http-request set-path /b%[path]", {"from: \"^(.*)$\"", "to: \"/b${1}\""}, {NULL}},
        {"http-request set-header X-A b if { path /a }",
         {"match: \"Path(`/a`)\"\n", "use: [f-headers]\n    to: app"},
         {NULL}},
        {"http-request redirect location https://x.example/y code 302",
         {"to: https://x.example/y", "code: 302"},
         {NULL}},
        {"redirect prefix https://www.a.example code 301 if { hdr(host) a.example }",
         {"to: \"https://www.a.example{path}{query}\""},
         {NULL}},
        {"http-request redirect location https://%[hdr(host)]%[capture.req.uri]",
         {"to: \"https://{host}{path}{query}\""},
         {NULL}},
        {"http-request auth realm Staff unless { http_auth(staff) }",
         {"realm: Staff", "ada:$6$saltsalt$", "\"bob:$6$", "use: [staff-login]"},
         {NULL}},
        {"acl ok http_auth_group(staff) ops\n http-request auth if { path_beg /a } !ok",
         {"match: \"PathPrefix(`/a`)\"", "use: [staff-login]\n    to: app"},
         {NULL}},
        {"stick-table type ip size 1m expire 1m store http_req_rate(10s)\n http-request track-sc0 "
         "src\n"
         " http-request deny deny_status 429 if { sc_http_req_rate(0) gt 20 }",
         {"rate: 2/s", "burst: 20", "use: [f-limit]"},
         {"with a difference"}},
        {"tcp-request connection reject if { src 10.0.0.1 }",
         {"match: \"ClientIP(`10.0.0.1`)\"", "use: [refuse-403]"},
         {NULL}},
        {"compression algo gzip\n compression type text/html text/css",
         {"codings: [gzip]", "types: [text/html, text/css]", "use: [compress]"},
         {NULL}},
        {"errorfile 503 /x.http", {"body: \"<h1>Sorry</h1>\\n\"", "statuses: 503"}, {NULL}},
        {"http-request lua.x", {"to: app"}, {"there is no such action"}},
        {"http-request set-header Host app.internal", {"host: app.internal", "to: app\n"}, {NULL}},
        {"http-request replace-header Host ^.*$ app.internal", {"host: app.internal"}, {NULL}},
        {"http-request set-header Host a.internal if { path_beg /a }",
         {"app-2:", "host: a.internal", "PathPrefix(`/a`)", "to: app-2"},
         {NULL}},
        {"http-request set-header Host %[req.hdr(host)]", {"to: app"}, {"not needed"}},
        {"http-request set-header Host %[req.hdr(X-Host)]", {"to: app"}, {"not carried over"}},
        {"http-request set-header Host keep", {"to: app"}, {"not carried over"}},
        {"http-request replace-header Host (.*)[.]a \\1.b", {"to: app"}, {"can't be kept"}},
        {"http-request replace-header X-A ^a$ b",
         {"HeaderRegexp(`X-A`, `^(?:a)$`)", "X-A: b"},
         {NULL}},
        {"http-response replace-header Set-Cookie (.*) \"\\1; Secure; SameSite=Lax\"",
         {"secure: always", "same-site: Lax"},
         {NULL}},
        {"http-response replace-header Set-Cookie ^A=(.*) \"\\1; Secure\"",
         {"to: app"},
         {"not carried over"}},
        {"http-response replace-header Location http://(.*) https://\\1",
         {"to: app"},
         {"whatever is in them"}},
        {"stats enable\n stats uri /stats\n stats realm Ours\n stats auth ada:secret",
         {"to: api@internal", "strip: /stats", "realm: Ours", "\"ada:$6$"},
         {"with a difference"}},
        {"stats enable", {"to: app"}, {"'api@internal' behind a password"}},
        {"stats auth ada:secret\n stats http-request deny if { src 10.0.0.1 }",
         {"to: app"},
         {"no page is made"}},
    };
    check_lines(IN_FRONT " ", BEHIND_FRONT, cases, ARRAY_LEN(cases));
}

static void binds_become_entrypoints(void)
{
    static const struct line_case cases[] = {
        {"*:80", {"web:\n    listen: \":80\"", "merge-slashes: no"}, {NULL}},
        {":80\n http-request normalize-uri path-merge-slashes", {WITHOUT "merge-slashes"}, {NULL}},
        {":80\n http-request normalize-uri path-strip-dot", {"merge-slashes: no"}, {NULL}},
        {"10.0.0.1:8080", {"f-8080:\n    listen: 10.0.0.1:8080"}, {NULL}},
        {"[::1]:81", {"listen: \"[::1]:81\""}, {NULL}},
        {":::81 v4v6", {"listen: \":81\""}, {NULL}},
        {":81,:82", {"f-81:", "f-82:"}, {NULL}},
        {":8000-8002", {"f-8000:", "f-8001:", "f-8002:"}, {NULL}},
        {":80 name front", {"front:\n    listen"}, {NULL}},
        {":443 ssl crt /a.pem crt /b/", {"websecure:", "certificates: [/a.pem, /b/]"}, {NULL}},
        {":443 ssl crt-list /etc/crt-list.txt",
         {"certificates: [a.pem, /etc/b.pem]"},
         {"with a difference"}},
        {":443 ssl crt /a.pem alpn http/1.1", {"http2: no"}, {NULL}},
        {":443 ssl crt /a.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3 strict-sni",
         {"min: 1.3", "strict-sni: yes"},
         {NULL}},
        {":443 ssl crt /a.pem no-sslv3 no-tlsv10 no-tlsv11 no-tls-tickets",
         {"tickets: off"},
         {NULL}},
        {":443 ssl crt /a.pem ssl-min-ver TLSv1.0", {"certificates"}, {"never spoken"}},
        {":443 ssl crt /a.pem ciphers ECDHE-RSA-AES128-GCM-SHA256:RC4-SHA",
         {"ciphers: [ECDHE-RSA-AES128-GCM-SHA256]"},
         {"left out"}},
        {":443 ssl crt /a.pem crt-ignore-err all", {"certificates: [/a.pem]"}, {"never accepted"}},
        {":80 accept-proxy", {"from: [0.0.0.0/0, \"::/0\"]"}, {"name the balancers"}},
        {":80 proto h2", {"h2c: yes"}, {NULL}},
        {":80 interface eth0", {"web:"}, {"no such option"}},
        {":80 name \"x: [y]\"", {"x-y:"}, {NULL}},
        {":80\n timeout client 30s\n timeout http-request 5s\n timeout http-keep-alive 10s",
         {"idle-timeout: 10s", "head-timeout: 5s", "body-timeout: 30s"},
         {NULL}},
        {":80\n timeout http-request 1ms", {"head-timeout: 100ms"}, {"its least"}},
        {":80\n option forwardfor except 10.0.0.0/8",
         {"trusted-proxies: [10.0.0.0/8]"},
         {"trusted proxies"}},
    };
    check_lines(FRAME "frontend f\n bind ", BEHIND_FRONT, cases, ARRAY_LEN(cases));
}

static void backends_become_services(void)
{
    static const struct line_case cases[] = {
        {"server a 127.0.0.1:80", {"- http://127.0.0.1:80"}, {NULL}},
        {"server a 127.0.0.1:80 weight 10 maxconn 5 backup\n server b 127.0.0.1:81",
         {"weight: 10", "max-connections: 5", "backup: yes"},
         {NULL}},
        {"server a app.internal:443 ssl verify none",
         {"https://app.internal:443", "verify: off"},
         {NULL}},
        {"server a 10.0.0.1:443 ssl verify required sni str(app) verifyhost app",
         {"verify: on", "server-name: app"},
         {NULL}},
        {"server a 10.0.0.1:443 ssl verify none\n server b 10.0.0.2:443 ssl verify required",
         {"verify: on"},
         {"have to prove"}},
        {"server a [::1]:80", {"\"http://[::1]:80\""}, {NULL}},
        {"server a unix@/run/a.sock", {"unix:/run/a.sock"}, {NULL}},
        {"server a \"${BACKEND}:80\"", {"http://10.9.8.7:80"}, {NULL}},
        {"server a 127.0.0.1:80 proto h2", {"h2c://127.0.0.1:80"}, {NULL}},
        {"server a 127.0.0.1:80 disabled\n server b 127.0.0.1:81",
         {"- http://127.0.0.1:81"},
         {"it is disabled"}},
        {"default-server weight 3 check inter 2s fall 2 rise 4\n server a 127.0.0.1:80",
         {"weight: 3", "every: 2s", "rise: 4", "fall: 2"},
         {NULL}},
        {"server-template a 1-5 app.internal:80 check resolvers r",
         {"http://app.internal:80"},
         {"server of its own"}},
        {"server a 127.0.0.1:80 check\n option httpchk GET /health",
         {"type: http", "path: /health", "method: GET"},
         {NULL}},
        {"option httpchk\n http-check send meth HEAD uri /h hdr Host a.example hdr X-A b\n"
         " http-check expect status 200-204\n server a 127.0.0.1:80 check",
         {"method: HEAD", "host: a.example", "X-A: b", "status: [200-204]"},
         {NULL}},
        {"server a 127.0.0.1:80 check\n option httpchk OPTIONS * HTTP/1.1\\r\\nHost:\\ a.example",
         {"host: a.example"},
         {"asks for a path"}},
        {"option httpchk\n http-check expect status 200,x\n server a 127.0.0.1:80 check",
         {"status: [200]"},
         {"can't be that"}},
        {"balance leastconn\n server a 127.0.0.1:80", {"balance: least-connections"}, {NULL}},
        {"balance source\n server a 127.0.0.1:80", {"balance: source"}, {NULL}},
        {"balance uri\n server a 127.0.0.1:80", {"hash-key: [path]"}, {"differs"}},
        {"balance hdr(X-A)\n hash-type consistent\n server a 127.0.0.1:80",
         {"hash-key: [header:X-A]"},
         {"differs"}},
        {"cookie SRV insert indirect nocache httponly\n server a 127.0.0.1:80 cookie a",
         {"cookie: SRV", "http-only: yes"},
         {"given a server anew"}},
        {"timeout connect 3s\n timeout server 1m\n timeout queue 9s\n server a 127.0.0.1:80",
         {"connect-timeout: 3s", "answer-timeout: 1m", "queue-timeout: 9s"},
         {NULL}},
        {"retries 2\n retry-on conn-failure 503\n server a 127.0.0.1:80",
         {"tries: 3", "when: [connect, 503]"},
         {NULL}},
        {"server a 127.0.0.1:80 send-proxy", {"http://127.0.0.1:80"}, {"expect no PROXY"}},
        {"server a nowhere:99999", {"no-backend"}, {"no server at"}},
        {"http-request set-header X-A b\n server a 127.0.0.1:80",
         {"use: [app-headers]\n    to: app"},
         {NULL}},
    };
    check_lines(FRAME "frontend f\n bind :80\n default_backend app\nbackend app\n ", "", cases,
                ARRAY_LEN(cases));
}

static void connections_are_carried_over(void)
{
    static const struct line_case cases[] = {
        {"default_backend app", {"HostSNI(`*`)", "protocol: tcp", "tcp://127.0.0.1:1"}, {NULL}},
        {"tcp-request inspect-delay 5s\n tcp-request content accept if { req_ssl_hello_type 1 }\n"
         " use_backend app if { req_ssl_sni -i a.example }",
         {"\"HostSNI(`a.example`)\""},
         {"not needed"}},
        {"tcp-request connection reject if !{ src 10.0.0.0/8 }\n default_backend app",
         {"HostSNI(`*`) && ClientIP(`10.0.0.0/8`)"},
         {NULL}},
        {"tcp-request connection reject if { lua.x }\n default_backend app",
         {"protocol: tcp"},
         {"refused"}},
    };
    check_lines("frontend f\n mode tcp\n bind :1\n ",
                "backend app\n mode tcp\n server a 127.0.0.1:1\n", cases, ARRAY_LEN(cases));
}

static void what_is_for_the_whole_program_is_carried_over(void)
{
    static const struct line_case cases[] = {
        {"maxconn 20000\n nbthread 4", {"workers: 4", "connections-max: 20000"}, {NULL}},
        {"log /dev/log local0", {"path: syslog", "facility: local0"}, {NULL}},
        {"log 192.0.2.1:514 local1", {"syslog:udp://192.0.2.1:514"}, {NULL}},
        {"log stdout format raw local0", {"path: \"-\""}, {NULL}},
        {"daemon\n chroot /x\n tune.ssl.default-dh-param 2048\n stats socket /x", {"web"}, {NULL}},
        {"lua-load /x.lua", {"web"}, {"Lua isn't run"}},
        {"something new", {"web"}, {"doesn't know it"}},
        {"maxconn 1", {"connections-max: 16"}, {"its least"}},
        {"setenv A 10.0.0.3\nresolvers r\n nameserver a \"${A}:53\"", {"- 10.0.0.3"}, {NULL}},
    };
    check_lines("global\n ",
                FRAME "frontend f\n bind :80\n default_backend app\nbackend app\n server a "
                      "127.0.0.1:1\n",
                cases, ARRAY_LEN(cases));
}

static void passwords_are_never_shown(void)
{
    struct converted c;
    convert_with(
        &dialect_haproxy,
        STR(FRAME "frontend f\n bind :80\n http-request auth unless { http_auth(staff) }\n"), &c);
    CHECK(c.passes);
    CHECK(converted_has(&c.yaml, "user ***"));
    CHECK(str_search(text_str(&c.yaml), STR("secret")) == STR_NPOS);
    CHECK(str_search(text_str(&c.notes), STR("secret")) == STR_NPOS);
    converted_fini(&c);
}

static void names_of_users_are_no_references(void)
{
    struct converted c;
    convert_with(&dialect_haproxy,
                 STR("defaults\n mode http\nuserlist u\n user file insecure-password x\n"
                     " user env insecure-password x\nfrontend f\n bind :80\n"
                     " http-request auth unless { http_auth(u) }\n"),
                 &c);
    CHECK(c.passes);
    CHECK(converted_has(&c.yaml, "use: [refuse-403]"));
    CHECK(str_search(text_str(&c.yaml), STR("file:")) == STR_NPOS);
    CHECK_INT(c.n_closed, 3);
    converted_fini(&c);
}

static void routes_keep_the_order_of_the_rules(void)
{
    struct converted c;
    convert_with(&dialect_haproxy,
                 STR(IN_FRONT " use_backend other if { path_beg /a }\n"
                              " http-request deny if { path_beg /a/b }\n" BEHIND_FRONT),
                 &c);
    CHECK(c.passes);
    CHECK(converted_has(&c.yaml, "- match: \"PathPrefix(`/a/b`)\"\n    priority: 30"));
    CHECK(converted_has(&c.yaml, "- match: \"PathPrefix(`/a`)\"\n    priority: 20"));
    CHECK(converted_has(&c.yaml, "- match: \"PathPrefix(`/`)\""));
    converted_fini(&c);
}

TEST_MAIN(TEST(conditions_become_rules), TEST(what_a_bind_decides_is_decided_beforehand),
          TEST(what_is_not_known_refuses_where_it_protected_something), TEST(rules_become_filters),
          TEST(binds_become_entrypoints), TEST(backends_become_services),
          TEST(connections_are_carried_over), TEST(what_is_for_the_whole_program_is_carried_over),
          TEST(passwords_are_never_shown), TEST(names_of_users_are_no_references),
          TEST(routes_keep_the_order_of_the_rules))
