// SPDX-License-Identifier: Apache-2.0
#include "keeper/demand_names.h"

#include "unit/certs/folder.h"
#include "unit/test.h"

#define NOW_S INT64_C(1800000000)

struct fixture {
    struct test_folder folder;
    struct demand_names names;
    int fd;
};

static void begin(struct fixture *f)
{
    const char *why = NULL;
    test_folder_begin(&f->folder);
    f->fd = open(f->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(demand_names_open(&f->names, f->fd, &why));
}

static bool open_anew(struct fixture *f)
{
    const char *why = NULL;
    demand_names_close(&f->names);
    return demand_names_open(&f->names, f->fd, &why);
}

static void end(struct fixture *f)
{
    demand_names_close(&f->names);
    close(f->fd);
    test_folder_end(&f->folder);
}

static void what_was_saved_is_there_after_a_restart(void)
{
    struct fixture f;
    begin(&f);
    demand_names_add(&f.names, STR("a.example"), NOW_S);
    demand_names_add(&f.names, STR("b.example"), NOW_S + 1);
    demand_names_add(&f.names, STR("c.example"), NOW_S + 2);
    CHECK(f.names.is_dirty && demand_names_save(&f.names, f.fd) && !f.names.is_dirty);
    demand_names_remove(&f.names, demand_names_find(&f.names, STR("a.example")));
    CHECK(f.names.is_dirty && demand_names_save(&f.names, f.fd));
    demand_names_add(&f.names, STR("d.example"), NOW_S); // not saved
    CHECK(open_anew(&f));
    CHECK_INT(f.names.n, 2);
    CHECK(!demand_names_find(&f.names, STR("a.example")));
    const struct demand_name *b = demand_names_find(&f.names, STR("b.example"));
    CHECK(b && b->used_s == NOW_S + 1);
    end(&f);
}

static void what_cannot_be_written_is_tried_again(void)
{
    struct fixture f;
    begin(&f);
    demand_names_add(&f.names, STR("a.example"), NOW_S);
    CHECK(rmdir(f.folder.path) == 0);
    CHECK(!demand_names_save(&f.names, f.fd) && f.names.is_dirty);
    end(&f);
}

static void a_file_that_makes_no_sense_is_told(void)
{
    static const struct {
        const char *text;
        bool is_good;
    } cases[] = {
        {"", true},
        {"a.example 1\n", true},
        {"a.example 1", false},
        {"a.example\n", false},
        {"a.example -1\n", false},
        {"A.example 1\n", false},
        {"localhost 1\n", false},
        {"a.example 1\na.example 2\n", false},
        {"../x.example 1\n", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        test_folder_put(&f.folder, "demand", str_of(cases[i].text));
        CHECK(open_anew(&f) == cases[i].is_good);
        CHECK(cases[i].is_good || f.names.n == 0);
        end(&f);
    }
}

TEST_MAIN(TEST(what_was_saved_is_there_after_a_restart),
          TEST(what_cannot_be_written_is_tried_again), TEST(a_file_that_makes_no_sense_is_told))
