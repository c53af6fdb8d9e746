// SPDX-License-Identifier: Apache-2.0
#include "certs/pins.h"

#include "base/text.h"
#include "unit/certs/folder.h"
#include "unit/test.h"

#define NOW_S INT64_C(1800000000)
#define KEY_TEXT "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg="

static const uint8_t key_a[TLS_PIN_BYTES] = {1, 2, 3}, key_b[TLS_PIN_BYTES] = {4};

struct fixture {
    struct test_folder folder;
    struct certs_pins pins;
    int fd;
};

static void begin(struct fixture *f)
{
    const char *why = NULL;
    test_folder_begin(&f->folder);
    f->fd = open(f->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(certs_pins_open(&f->pins, f->fd, &why));
}

static bool open_anew(struct fixture *f)
{
    const char *why = NULL;
    certs_pins_close(&f->pins);
    return certs_pins_open(&f->pins, f->fd, &why);
}

static void end(struct fixture *f)
{
    certs_pins_close(&f->pins);
    close(f->fd);
    test_folder_end(&f->folder);
}

static bool has(const struct fixture *f, const char *server, const uint8_t *key)
{
    const struct certs_pin *pin = certs_pins_find(&f->pins, str_of(server));
    return pin && memcmp(pin->key, key, TLS_PIN_BYTES) == 0 && pin->learnt_s == NOW_S;
}

static void what_was_learnt_is_there_after_a_restart_until_it_is_forgotten(void)
{
    struct fixture f;
    const char *why = NULL;
    begin(&f);
    CHECK(!certs_pins_find(&f.pins, STR("a:443")));
    CHECK_INT(certs_pins_learn(&f.pins, STR("a:443"), key_a, NOW_S, &why), ERR_OK);
    CHECK_INT(certs_pins_learn(&f.pins, STR("[::1]:443"), key_b, NOW_S, &why), ERR_OK);
    CHECK(open_anew(&f));
    CHECK(has(&f, "a:443", key_a) && has(&f, "[::1]:443", key_b));
    CHECK_INT(certs_pins_forget(&f.pins, STR("b:443"), &why), ERR_NOT_FOUND);
    CHECK_INT(certs_pins_forget(&f.pins, STR("a:443"), &why), ERR_OK);
    CHECK(!certs_pins_find(&f.pins, STR("a:443")) && has(&f, "[::1]:443", key_b));
    CHECK(open_anew(&f));
    CHECK(!certs_pins_find(&f.pins, STR("a:443")) && has(&f, "[::1]:443", key_b));
    end(&f);
}

static void what_cannot_be_written_is_not_learnt_and_not_forgotten(void)
{
    struct fixture f;
    const char *why = NULL;
    char removed[300];
    begin(&f);
    CHECK_INT(certs_pins_learn(&f.pins, STR("a:443"), key_a, NOW_S, &why), ERR_OK);
    snprintf(removed, sizeof removed, "%s/pins", f.folder.path);
    CHECK(remove(removed) == 0 && rmdir(f.folder.path) == 0);
    CHECK_INT(certs_pins_learn(&f.pins, STR("b:443"), key_b, NOW_S, &why), ERR_SYSTEM);
    CHECK(why && !certs_pins_find(&f.pins, STR("b:443")));
    CHECK_INT(certs_pins_forget(&f.pins, STR("a:443"), &why), ERR_SYSTEM);
    CHECK(has(&f, "a:443", key_a));
    end(&f);
}

static void names_that_would_break_the_file_are_refused(void)
{
    static const char *const names[] = {"", "a b:443", "a\n:443", "\x7f:1", "\xc3\xa4:443"};
    char too_long[300];
    struct fixture f;
    const char *why = NULL;
    begin(&f);
    memset(too_long, 'a', sizeof too_long);
    CHECK_INT(certs_pins_learn(&f.pins, str_from(too_long, 256), key_a, NOW_S, &why), ERR_SYNTAX);
    CHECK_INT(certs_pins_learn(&f.pins, str_from(too_long, 255), key_a, NOW_S, &why), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK_INT(certs_pins_learn(&f.pins, str_of(names[i]), key_a, NOW_S, &why), ERR_SYNTAX);
    CHECK(open_anew(&f));
    CHECK_INT(f.pins.n, 1);
    end(&f);
}

static void a_file_that_makes_no_sense_is_not_taken_for_empty(void)
{
    static const struct {
        const char *text;
        bool is_good;
    } cases[] = {
        {"", true},
        {"a:443 " KEY_TEXT " 1\n", true},
        {"a:443 " KEY_TEXT " 1\nb:443 " KEY_TEXT " 2\n", true},
        {"a:443 " KEY_TEXT " 1", false},
        {"a:443 " KEY_TEXT " 1\na:443 " KEY_TEXT " 2\n", false},
        {"a:443 " KEY_TEXT "\n", false},
        {"a:443 " KEY_TEXT " -1\n", false},
        {"a:443 short 1\n", false},
        {" " KEY_TEXT " 1\n", false},
        {"\n", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        test_folder_put(&f.folder, "pins", str_of(cases[i].text));
        CHECK(open_anew(&f) == cases[i].is_good);
        CHECK(cases[i].is_good || f.pins.n == 0);
        end(&f);
    }
}

TEST_MAIN(TEST(what_was_learnt_is_there_after_a_restart_until_it_is_forgotten),
          TEST(what_cannot_be_written_is_not_learnt_and_not_forgotten),
          TEST(names_that_would_break_the_file_are_refused),
          TEST(a_file_that_makes_no_sense_is_not_taken_for_empty))
