// SPDX-License-Identifier: Apache-2.0
#include "gate/settings.h"

#include "unit/test.h"

static void every_row_of_every_table_is_sound(void)
{
    struct diags diags = {.n = 0};
    enum err err = conf_check_tables(&settings_section, &diags);
    for (size_t i = 0; i < diags.n; i++)
        printf("# %s\n", diags.items[i].text);
    CHECK_INT(err, ERR_OK);
    diags_fini(&diags);
}

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

static void workers_are_a_number_or_one_for_each_core(void)
{
    unsigned n = 0;
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("auto")}, 3, NULL, &n), ERR_OK);
    CHECK_INT(n, 3);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("auto")}, 0, NULL, &n), ERR_OK);
    CHECK_INT(n, 1);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("auto")}, 1000, NULL, &n), ERR_OK);
    CHECK_INT(n, 256);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("7")}, 1, NULL, &n), ERR_OK);
    CHECK_INT(n, 7);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("0")}, 1, NULL, &n), ERR_RANGE);
    CHECK_INT(workers_parse(&(struct conf_text){.text = STR("257")}, 1, NULL, &n), ERR_RANGE);
}

TEST_MAIN(TEST(every_row_of_every_table_is_sound), TEST(addresses_to_listen_on_are_read),
          TEST(what_is_no_address_to_listen_on_is_refused),
          TEST(workers_are_a_number_or_one_for_each_core))
