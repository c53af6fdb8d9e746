// SPDX-License-Identifier: Apache-2.0
#include "keeper/pins.h"

#include "unit/certs/folder.h"
#include "unit/test.h"

#define NOW_S INT64_C(1800000000)
#define SERVER STR("10.0.0.9:443")

static const uint8_t key_a[TLS_PIN_BYTES] = {1}, key_b[TLS_PIN_BYTES] = {2};

struct fixture {
    struct test_folder folder;
    struct keeper_pins *pins;
    int fd;
};

static void begin(struct fixture *f, const char *file)
{
    test_folder_begin(&f->folder);
    if (file)
        test_folder_put(&f->folder, "pins", str_of(file));
    f->fd = open(f->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->pins = keeper_pins_new(f->fd);
}

static void end(struct fixture *f)
{
    keeper_pins_free(f->pins);
    close(f->fd);
    test_folder_end(&f->folder);
}

// How many were refused, as the report says.
static int64_t n_refused(const struct fixture *f)
{
    json_t *report = keeper_pins_report(f->pins);
    const json_t *n = json_object_get(json_array_get(report, 0), "refused");
    int64_t found = n ? json_integer_value(n) : -1;
    json_decref(report);
    return found;
}

static void the_first_key_counts_and_others_are_alarms(void)
{
    struct fixture f;
    uint8_t known[TLS_PIN_BYTES];
    begin(&f, NULL);
    CHECK_INT(n_refused(&f), -1);
    CHECK(keeper_pins_ask(f.pins, SERVER, key_a, NOW_S, known));
    CHECK(memcmp(known, key_a, sizeof known) == 0);
    CHECK_INT(n_refused(&f), 0);
    CHECK(keeper_pins_ask(f.pins, SERVER, key_b, NOW_S, known));
    CHECK(memcmp(known, key_a, sizeof known) == 0);
    CHECK(keeper_pins_ask(f.pins, SERVER, key_b, NOW_S + 1, known));
    CHECK_INT(n_refused(&f), 2);
    keeper_pins_free(f.pins);
    f.pins = keeper_pins_new(f.fd);
    CHECK(keeper_pins_ask(f.pins, SERVER, key_b, NOW_S, known));
    CHECK(memcmp(known, key_a, sizeof known) == 0);
    end(&f);
}

static void after_forgetting_the_next_key_counts(void)
{
    struct fixture f;
    uint8_t known[TLS_PIN_BYTES];
    const char *why = NULL;
    begin(&f, NULL);
    CHECK(!keeper_pins_forget(f.pins, SERVER, &why) && why);
    CHECK(keeper_pins_ask(f.pins, SERVER, key_a, NOW_S, known));
    CHECK(keeper_pins_forget(f.pins, SERVER, &why));
    CHECK(keeper_pins_ask(f.pins, SERVER, key_b, NOW_S, known));
    CHECK(memcmp(known, key_b, sizeof known) == 0);
    end(&f);
}

static void with_a_broken_file_nobody_is_believed_and_nothing_is_written(void)
{
    struct fixture f;
    uint8_t known[TLS_PIN_BYTES];
    const char *why = NULL;
    char text[16] = "";
    begin(&f, "nonsense");
    CHECK(!keeper_pins_ask(f.pins, SERVER, key_a, NOW_S, known));
    CHECK(!keeper_pins_forget(f.pins, SERVER, &why) && why);
    int fd = openat(f.fd, "pins", O_RDONLY | O_CLOEXEC);
    CHECK(read(fd, text, sizeof text - 1) == 8 && strcmp(text, "nonsense") == 0);
    close(fd);
    end(&f);
}

TEST_MAIN(TEST(the_first_key_counts_and_others_are_alarms),
          TEST(after_forgetting_the_next_key_counts),
          TEST(with_a_broken_file_nobody_is_believed_and_nothing_is_written))
