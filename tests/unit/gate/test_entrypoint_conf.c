// SPDX-License-Identifier: Apache-2.0
#include "gate/entrypoint_conf.h"

#include "unit/gate/reading.h"

static void addresses_to_listen_on_are_read(void)
{
    static const struct {
        const char *text;
        uint8_t family;
        uint16_t port;
    } cases[] = {
        {":80", 0, 80},        {"*:80", 0, 80},     {"127.0.0.1:8080", 4, 8080},
        {"[::1]:443", 6, 443}, {"0.0.0.0:1", 4, 1}, {"127.0.0.1:0", 4, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_text text = {.text = str_of(cases[i].text)};
        struct listen_addr addr = {.port = 9};
        CHECK_INT(listen_parse(&text, NULL, &addr), ERR_OK);
        CHECK_INT(addr.ip.family, cases[i].family);
        CHECK_INT(addr.port, cases[i].port);
    }
}

static void what_is_no_address_to_listen_on_is_refused(void)
{
    static const char *const cases[] = {"",     "80",      ":",        "localhost:80", ":65536",
                                        "::80", "1.2.3:4", "[::1:443", "127.0.0.1",    ":8o"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_text text = {.text = str_of(cases[i])};
        struct diags diags = {.n = 0};
        struct listen_addr addr;
        CHECK_INT(listen_parse(&text, &diags, &addr), ERR_SYNTAX);
        CHECK_INT(diags.n_errors, 1);
        diags_fini(&diags);
    }
}

static void what_would_not_work_is_refused(void)
{
    static const struct {
        const char *yaml, *told; // NULL: nothing
    } cases[] = {
        {"':80'", NULL},
        {"{ listen: ':80', via: edge-1 }", NULL},
        {"{ listen: ':80', via: 'two words' }", "not a token"},
        {"{ listen: ':80', proxy-protocol: 10.0.0.5 }", NULL},
        {"{ listen: ':80', proxy-protocol: { from: [] } }", "names nobody"},
        {"{ listen: ':80', encoded-slash: eat }", "keep, decode or reject"},
        {"{ listen: '80' }", "not an address to listen on"},
        {"{}", "listen"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct entrypoint_conf conf;
        check_reading(&entrypoint_section, cases[i].yaml, &conf, cases[i].told);
    }
}

TEST_MAIN(TEST(addresses_to_listen_on_are_read), TEST(what_is_no_address_to_listen_on_is_refused),
          TEST(what_would_not_work_is_refused))
