// SPDX-License-Identifier: Apache-2.0
// nginx's directives in, settings out.
#include "dialect/dialect.h"

#include "unit/dialect/converted.h"

static void check_lines(const char *before, const char *after, const struct line_case *cases,
                        size_t n)
{
    convert_lines(&dialect_nginx, before, after, cases, n);
}

#define SERVER                                                                                     \
    "limit_req_zone $binary_remote_addr zone=z:1m rate=2r/s; limit_req_zone $http_x_id zone=h:1m " \
    "rate=30r/m; limit_conn_zone $server_name zone=c:1m; upstream up { server 10.0.0.1; }\n"       \
    "server { server_name a.example;\n"
#define PASS "proxy_pass http://10.0.0.1:8080;\n"
#define IN_LOCATION SERVER "location / { "
#define BEHIND PASS "}}\n"

static void addresses_become_entrypoints(void)
{
    static const struct line_case cases[] = {
        {"", {"listen: \":80\"", "  web:", "tls: off", "a.example"}, {NULL}},
        {"listen 80; listen [::]:80;", {"listen: \":80\"", "- web "}, {NULL}},
        {"listen 8080;", {"port-8080:", "listen: \":8080\""}, {NULL}},
        {"listen 10.1.2.3:81;", {"listen: 10.1.2.3:81"}, {NULL}},
        {"listen 10.1.2.3;", {"listen: 10.1.2.3:80"}, {NULL}},
        {"listen [::1]:81;", {"[::1]:81"}, {NULL}},
        {"listen 443 ssl;", {"websecure:", "listen: \":443\"", "tls: on"}, {NULL}},
        {"listen 443; ssl on;", {"websecure:"}, {NULL}},
        {"listen 443 quic;", {NULL}, {"HTTP/3 isn't spoken here"}},
        {"listen unix:/run/x;", {NULL}, {"clients come by TCP alone"}},
        {"listen 80 default_server;", {"match: \"PathPrefix(`/`)\"", "priority: 2"}, {NULL}},
        {"set_real_ip_from 10.0.0.0/8; listen 80 proxy_protocol;",
         {"trusted-proxies: [10.0.0.0/8]", "proxy-protocol: [10.0.0.0/8]"},
         {NULL}},
        {"listen 80 proxy_protocol;", {NULL}, {"PROXY headers need"}},
        {"listen 443 ssl; ssl_certificate a.pem; ssl_certificate_key a.pem;",
         {"cert: a.pem", "key: a.pem"},
         {NULL}},
        {"listen 443 ssl; ssl_protocols TLSv1.3;", {"min: 1.3"}, {NULL}},
        {"listen 443 ssl; ssl_protocols TLSv1 TLSv1.2;", {"max: 1.2"}, {"before TLS 1.2"}},
        {"listen 443 ssl; ssl_verify_client on; ssl_client_certificate ca.pem;",
         {"client-auth: require", "client-ca: ca.pem"},
         {NULL}},
        {"listen 443 ssl default_server; ssl_verify_client on; ssl_client_certificate ca.pem;",
         {"client-auth: require", "use: [not-carried-over]"},
         {"only sites ask clients for certificates"}},
    };
    check_lines(SERVER, "location / { " BEHIND, cases, ARRAY_LEN(cases));
}

static void slashes_are_merged_as_for_nginx(void)
{
    static const struct line_case cases[] = {
        {"merge_slashes off;", {"merge-slashes: no"}, {NULL}},
        {"merge_slashes on;", {WITHOUT "merge-slashes"}, {NULL}},
    };
    check_lines("", SERVER "location / { " BEHIND, cases, ARRAY_LEN(cases));
}

static void locations_become_routes(void)
{
    static const struct line_case cases[] = {
        {"location / {", {"to: a.example"}, {NULL}},
        {"location /a {", {"match: \"PathPrefix(`/a`)\""}, {NULL}},
        {"location = /a {", {"\"Path(`/a`)\"", "priority: 3000001"}, {NULL}},
        {"location =/a {", {"\"Path(`/a`)\""}, {NULL}},
        {"location ~ \\.x$ {", {"PathRegexp(`\\\\.x$`)"}, {NULL}},
        {"location ~* \\.x$ {", {"PathRegexp(`(?i)\\\\.x$`)"}, {NULL}},
        {"location /a/b { return 200; } location ^~ /a {",
         {"\"PathPrefix(`/a`) && !PathPrefix(`/a/b`)\""},
         {NULL}},
        {"location ~ '`' {", {"PathRegexp(\\\"`\\\")"}, {NULL}},
        {"location ~ '`\"' {", {"not-carried-over"}, {"both kinds of quotes"}},
        {"location @named { return 200; } location / {", {NULL}, {"only errors and missing"}},
        {"location /.well-known/acme-challenge/ { root /x; } location / {", {NULL}, {NULL}},
        {"location /files { root /x; } location / {", {"not-carried-over"}, {"aren't served here"}},
        {"location /in { internal; } location / {", {"status: 404"}, {NULL}},
        {"location /in { internal; location /in/x { return 200; } } location / {",
         {"status: 404"},
         {NULL}},
        {"location /a/ { return 200; location ~ x$ { return 200; } location ^~ /a/b/ { return 200; "
         "}"
         " location /a/c/ { return 200; } } location / {",
         {"\"PathPrefix(`/a/`) && PathRegexp(`x$`) && !PathPrefix(`/a/b/`)\""},
         {NULL}},
        {"location /a/ { return 200; location ~ x$ { return 200; } } location /a/b/ { return 200; }"
         " location / {",
         {"\"PathPrefix(`/a/`) && PathRegexp(`x$`) && !PathPrefix(`/a/b/`)\""},
         {NULL}},
        {"location ~ ^/a { return 200; location ~ x$ { deny all; } } location / {",
         {"PathRegexp(`^/a`)", "not-carried-over"},
         {"inside one with an expression"}},
        {"location /a/ { deny all; } location / {", {"encoded-slash: decode"}, {NULL}},
    };
    check_lines(SERVER, BEHIND, cases, ARRAY_LEN(cases));
}

static void servers_are_asked_as_nginx_does(void)
{
    static const struct line_case cases[] = {
        {PASS, {"http://10.0.0.1:8080", "host: server"}, {NULL}},
        {"proxy_pass http://up;", {"  up:", "host: up"}, {NULL}},
        {"proxy_pass http://up/x/;", {"prefix: /x"}, {NULL}},
        {"proxy_pass http://up/x;", {"from: \"^/\"", "to: /x"}, {NULL}},
        {"proxy_pass https://10.0.0.1;", {"https://10.0.0.1", "verify: off"}, {NULL}},
        {"proxy_pass https://10.0.0.1; proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;",
         {"ca: ca.pem"},
         {NULL}},
        {"proxy_pass http://unix:/run/app.sock;", {"unix:/run/app.sock"}, {NULL}},
        {"proxy_pass http://unix:/run/app.sock:/x/;", {"unix:/run/app.sock", "prefix: /x"}, {NULL}},
        {"proxy_pass http://$host;", {"not-carried-over"}, {"can't be made of variables"}},
        {"grpc_pass grpc://10.0.0.1:50051;", {"h2c://10.0.0.1:50051"}, {NULL}},
        {"grpc_pass 10.0.0.1:50051;", {"h2c://10.0.0.1:50051"}, {NULL}},
        {PASS "proxy_set_header Host $host;", {"http://10.0.0.1:8080"}, {NULL}},
        {PASS "proxy_set_header Host app.internal;", {"host: app.internal"}, {NULL}},
        {PASS "proxy_read_timeout 90;", {"answer-timeout: 90s", "body-timeout: 90s"}, {NULL}},
        {PASS "proxy_connect_timeout 500ms;", {"connect-timeout: 500ms"}, {NULL}},
        {PASS "proxy_next_upstream off;", {"tries: 1"}, {NULL}},
        {PASS "proxy_set_header X-A b;", {"X-A: b"}, {NULL}},
        {PASS "proxy_set_header X-A $b;", {"remove: [X-A]"}, {"can't be made of variables"}},
        {PASS "proxy_set_header X-Own $http_x_own;", {"http://10.0.0.1:8080"}, {NULL}},
        {PASS "proxy_set_header X-A b; auth_basic x; auth_basic_user_file a.htpasswd;",
         {"use: [a.example-basic-auth, a.example-headers]"},
         {NULL}},
        {PASS "proxy_set_header Cookie '';", {"remove: [Cookie]"}, {NULL}},
        {PASS "add_header X-A b always;", {"X-A: b"}, {NULL}},
        {PASS "proxy_hide_header Server;", {"remove: [Server]"}, {NULL}},
        {PASS "gzip on; gzip_types a/b *;", {"codings: [gzip]", "a/b"}, {"only the other types"}},
        {PASS "gzip off;", {NULL}, {NULL}},
        {PASS "proxy_cache zone;", {NULL}, {"nothing is cached yet"}},
        {PASS "no_such_thing 1;", {NULL}, {"nothing here does the same"}},
    };
    check_lines(IN_LOCATION, "}}\n", cases, ARRAY_LEN(cases));
}

static void what_protects_is_carried_over_or_refuses(void)
{
    static const struct line_case cases[] = {
        {"allow 10.0.0.0/8; deny all;", {"addresses: [10.0.0.0/8]", "allow:"}, {NULL}},
        {"deny 10.0.0.1;", {"addresses: [10.0.0.1]", "deny:"}, {NULL}},
        {"deny unix:; deny 10.0.0.1;", {"addresses: [10.0.0.1]"}, {"come by TCP alone"}},
        {"deny all;", {"status: 403"}, {NULL}},
        {"deny 10.0.0.1; allow 10.0.0.0/8; deny all;", {"deny:", "allow:"}, {NULL}},
        {"allow 10.0.0.1; deny 10.0.0.0/8;", {"deny:"}, {"an exception from what is denied"}},
        {"allow 10.0.0.0/8; deny 10.0.0.1; deny all;", {"deny:"}, {"an 'allow' above lets pass"}},
        {"allow all;", {NULL}, {NULL}},
        {"satisfy any; allow 10.0.0.1; deny all;", {"allow:"}, {"all conditions have to be met"}},
        {"auth_basic x; auth_basic_user_file a.htpasswd;", {"users-file: a.htpasswd"}, {NULL}},
        {"auth_basic off; auth_basic_user_file a.htpasswd;", {NULL}, {NULL}},
        {"auth_basic x;", {"not-carried-over"}, {"no file with passwords"}},
        {"limit_except GET { deny all; }", {"not-carried-over"}, {"nothing here does the same"}},
        {"include of/guards/*.conf;", {"not-carried-over"}, {"patterns aren't looked up"}},
        {"include of/no/such.conf;", {"not-carried-over"}, {"can't be read"}},
        {"include of/no/guard_params;", {"not-carried-over"}, {"can't be read"}},
        {"include /etc/nginx/fastcgi_params;", {NULL}, {NULL}},
        {"limit_req zone=z;", {"rate: 2/s", "burst: 1", "status: 503"}, {NULL}},
        {"limit_req zone=h burst=5 nodelay;", {"rate: 30/m", "burst: 6", "header:x-id"}, {NULL}},
        {"limit_req zone=z burst=5;", {"burst: 6"}, {"served at once"}},
        {"limit_req zone=none;", {"not-carried-over"}, {"its zone"}},
        {"limit_conn c 5; limit_conn_status 429;", {"max: 5", "key: all", "status: 429"}, {NULL}},
        {"client_max_body_size 10m;", {"max: 10MiB"}, {NULL}},
        {"client_max_body_size 0;", {NULL}, {NULL}},
        {"limit_rate 100k;", {"down: 100KiB"}, {NULL}},
        {"auth_request /auth;", {"not-carried-over"}, {"asks no server"}},
        {"access_by_lua_block { x } ", {"not-carried-over"}, {"nothing here does the same"}},
        {"secure_link $arg_a;", {"not-carried-over"}, {"nothing here does the same"}},
        {"if ($http_referer ~ evil) { return 403; }", {"referer: evil"}, {NULL}},
        {"if ($request_method = TRACE) { return 405; }", {"not-carried-over"}, {"such conditions"}},
        {"return 444;", {"status: 403"}, {"closed connection"}},
        {"return 301 https://b.example$request_uri;",
         {"to: \"https://b.example{path}{query}\""},
         {NULL}},
        {"return 301 https://b.example$arg_x;", {"not-carried-over"}, {"variable that redirects"}},
        {"rewrite ^/a/(.*)$ /b/$1 break;", {"/b/$1"}, {NULL}},
        {"rewrite ^/a/(.*)$ /b/$1? break;", {"/b/$1"}, {"own query"}},
        {"rewrite ^ $arg_x;", {"not-carried-over"}, {"variable that rewrites"}},
    };
    check_lines(IN_LOCATION, BEHIND, cases, ARRAY_LEN(cases));
}

static void upstreams_become_services(void)
{
    static const struct line_case cases[] = {
        {"least_conn;", {"balance: least-connections"}, {NULL}},
        {"ip_hash;", {"balance: source"}, {NULL}},
        {"random two;", {"balance: random-two"}, {NULL}},
        {"hash $uri;", {"balance: hash", "hash-key: path"}, {NULL}},
        {"hash $cookie_x;", {"cookie:x"}, {NULL}},
        {"hash $http_x_y;", {"header:x-y"}, {NULL}},
        {"hash $geo;", {"client-ip"}, {"by the client's address"}},
        {"server 10.0.0.2 weight=3 max_conns=5 backup;",
         {"weight: 3", "max-connections: 5", "backup: yes"},
         {NULL}},
        {"server 10.0.0.2 down;", {"weight: 0"}, {NULL}},
        {"server unix:/run/a.sock;", {"unix:/run/a.sock"}, {NULL}},
        {"server 10.0.0.2 route=a;", {NULL}, {"'route=a' has no match"}},
        {"keepalive 16; zone z 64k;", {NULL}, {NULL}},
        {"sticky cookie x;", {NULL}, {"nothing here does the same"}},
    };
    check_lines("upstream u { server 10.0.0.1;\n",
                "}\nserver { server_name a.example; location / { proxy_pass http://u; } }\n", cases,
                ARRAY_LEN(cases));
}

static void names_become_sites_or_rules(void)
{
    static const struct line_case cases[] = {
        {"server_name a.example b.example;", {"a.example:", "aliases: [b.example]"}, {NULL}},
        {"server_name .a.example;", {"a.example:", "\"*.a.example\""}, {NULL}},
        {"server_name ~^a[0-9]+$;", {"HostRegexp(`(?i)^a[0-9]+$`)", "priority: 399999"}, {NULL}},
        {"server_name _;", {"match: \"PathPrefix(`/`)\""}, {NULL}},
        {"server_name a.b.*;", {"HostRegexp(`^a\\\\.b\\\\..+$`)", "priority: 404001"}, {NULL}},
        {"server_name *.a ~b;",
         {"HostRegexp(`^.+\\\\.a$`)", "priority: 703001", "priority: 399999"},
         {NULL}},
        {"server_name taken.example;", {"Host(`taken.example`)", "priority: 3000001"}, {NULL}},
    };
    check_lines("server { server_name taken.example; location / { return 200; } }\nserver {\n",
                "location / { " BEHIND, cases, ARRAY_LEN(cases));
}

// "default_server" counts, and else the first without a name; each port has one.
static void a_port_has_one_default(void)
{
    static const struct line_case cases[] = {
        {"listen 80; return 403;", {"no-name", "status: 404"}, {"hosts that nobody names"}},
        {"listen 80; listen 81; return 403;", {"- port-81", "status: 403"}, {NULL}},
        {"listen 82; return 403;", {"- port-82", "status: 403"}, {NULL}},
    };
    check_lines("server { listen 80; server_name no-name; return 200; }\n"
                "server { listen 80 default_server; return 404; }\nserver {\n",
                "}\n", cases, ARRAY_LEN(cases));
}

static void what_is_no_configuration_of_nginx_is_refused(void)
{
    static const char *const texts[] = {"", "a {", "http { }", "upstream a { server b; }"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct converted c;
        convert_with(&dialect_nginx, str_of(texts[i]), &c);
        CHECK(!c.is_read && c.faults.len > 0);
        converted_fini(&c);
    }
}

TEST_MAIN(TEST(addresses_become_entrypoints), TEST(slashes_are_merged_as_for_nginx),
          TEST(locations_become_routes), TEST(servers_are_asked_as_nginx_does),
          TEST(what_protects_is_carried_over_or_refuses), TEST(upstreams_become_services),
          TEST(names_become_sites_or_rules), TEST(a_port_has_one_default),
          TEST(what_is_no_configuration_of_nginx_is_refused))
