// SPDX-License-Identifier: Apache-2.0
#include "upstream/server_url.h"

#include "unit/test.h"

static struct arena mem;
static struct diags diags;

static enum err parse(const char *text, struct server_url *ret)
{
    diags_fini(&diags);
    diags = (struct diags){0};
    struct conf_text url = {.text = str_of(text), .place = {"sallyport.yaml", 7, 3}};
    return server_url_parse(&url, &mem, &diags, ret);
}

static void begin(void)
{
    arena_init(&mem, 1 << 20, NULL, 0);
}

static void end(void)
{
    diags_fini(&diags);
    diags = (struct diags){0};
    arena_fini(&mem);
}

static void servers_are_addresses_names_and_unix_sockets(void)
{
    static const struct {
        const char *text;
        enum server_kind kind;
        const char *key, *authority;
    } cases[] = {
        {"http://10.0.0.1", SERVER_IP, "10.0.0.1:80", "10.0.0.1"},
        {"http://10.0.0.1/", SERVER_IP, "10.0.0.1:80", "10.0.0.1"},
        {"HTTP://10.0.0.1:8080", SERVER_IP, "10.0.0.1:8080", "10.0.0.1:8080"},
        {"http://[2001:DB8::1]:81", SERVER_IP, "[2001:db8::1]:81", "[2001:db8::1]:81"},
        {"http://[::1]", SERVER_IP, "[::1]:80", "[::1]"},
        {"http://App.Internal.:65535", SERVER_NAME, "app.internal:65535", "app.internal:65535"},
        {"http://my_app", SERVER_NAME, "my_app:80", "my_app"},
        {"https://10.0.0.1", SERVER_IP, "10.0.0.1:443", "10.0.0.1"},
        {"https://App.internal:443/", SERVER_NAME, "app.internal:443", "app.internal"},
        {"https://[::1]:80", SERVER_IP, "[::1]:80", "[::1]:80"},
        {"http://bücher.example:81", SERVER_NAME, "xn--bcher-kva.example:81",
         "xn--bcher-kva.example:81"},
        {"tcp://10.0.0.1:5432", SERVER_IP, "10.0.0.1:5432", "10.0.0.1:5432"},
        {"TCP://Db.Internal:25/", SERVER_NAME, "db.internal:25", "db.internal:25"},
        {"tcp://[::1]:80", SERVER_IP, "[::1]:80", "[::1]:80"},
        {"unix:/run/app.sock", SERVER_UNIX, "unix:/run/app.sock", "localhost"},
        {"unix:@app", SERVER_UNIX, "unix:@app", "localhost"},
    };
    begin();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server_url u = {0};
        CHECK_INT(parse(cases[i].text, &u), ERR_OK);
        CHECK_INT(u.kind, cases[i].kind);
        CHECK_STR(u.key, str_of(cases[i].key));
        CHECK_STR(u.authority, str_of(cases[i].authority));
    }
    end();
}

static void what_is_no_server_is_refused_with_its_place_and_what_is_allowed(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "allowed are"},
        {"10.0.0.1:8080", "allowed are"},
        {"ftp://10.0.0.1", "allowed are"},
        {"https://10.0.0.1/app", "ends after the port"},
        {"https://10.0.0.1:0", "port"},
        {"tcp://10.0.0.1", "the port is missing"},
        {"tcp://10.0.0.1:0", "port"},
        {"tcp://db.internal:5432/app", "ends after the port"},
        {"tcp://", "malformed"},
        {"http://", "malformed"},
        {"http://:80", "malformed"},
        {"http://10.0.0.1/app", "add-prefix"},
        {"http://10.0.0.1?a=b", "ends after the port"},
        {"http://10.0.0.1#top", "ends after the port"},
        {"http://user:secret@10.0.0.1", "server '***': a server's URL has no user"},
        {"http://user:secret@10.0.0.1/path", "server '***': a server's URL ends"},
        {"http://10.0.0.1:0", "port"},
        {"http://10.0.0.1:65536", "port"},
        {"http://10.0.0.1:http", "port"},
        {"http://2001:db8::1", "malformed"},
        {"http://[2001:db8::1", "malformed"},
        {"http://a b", "malformed"},
        {"http://a\tb", "malformed"},
        {"unix:", "starts with"},
        {"unix:relative.sock", "starts with"},
        {"unix:/", "starts with"},
        {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
         "23456789012345678901234567890",
         "107 bytes"},
    };
    begin();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server_url u = {0};
        CHECK(parse(cases[i].text, &u) != ERR_OK);
        CHECK_INT(diags.n, 1);
        if (diags.n == 0)
            continue;
        CHECK_INT(diags.items[0].place.line, 7);
        if (!strstr(diags.items[0].text, cases[i].says)) {
            printf("# '%s': %s\n", cases[i].text, diags.items[0].text);
            test_failed = true;
        }
    }
    end();
}

static void the_scheme_tells_what_is_spoken(void)
{
    static const struct {
        const char *text;
        enum server_protocol protocol;
    } cases[] = {
        {"http://10.0.0.1", SERVER_HTTP},
        {"HTTPS://10.0.0.1", SERVER_HTTP},
        {"tcp://10.0.0.1:25", SERVER_TCP},
        {"unix:/run/app.sock", SERVER_ANYTHING},
    };
    begin();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server_url u = {0};
        CHECK_INT(parse(cases[i].text, &u), ERR_OK);
        CHECK_INT(u.protocol, cases[i].protocol);
    }
    end();
}

static void a_server_with_tls_is_who_its_url_says(void)
{
    struct server_url u = {0};
    begin();
    CHECK_INT(parse("https://App.Internal.:8443", &u), ERR_OK);
    CHECK(u.is_tls && u.peer.ip.family == 0);
    CHECK_STR(u.peer.name, STR("app.internal"));
    CHECK_INT(parse("https://[2001:db8::1]", &u), ERR_OK);
    CHECK(u.is_tls && u.peer.ip.family == 6 && u.peer.name.len == 0);
    CHECK_INT(parse("http://app.internal", &u), ERR_OK);
    CHECK(!u.is_tls);
    end();
}

TEST_MAIN(TEST(a_server_with_tls_is_who_its_url_says), TEST(the_scheme_tells_what_is_spoken),
          TEST(servers_are_addresses_names_and_unix_sockets),
          TEST(what_is_no_server_is_refused_with_its_place_and_what_is_allowed))
