// SPDX-License-Identifier: Apache-2.0
#include "keeper/lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/ip_set.h"
#include "unit/test.h"

static char folder[] = "/tmp/sallyport-lists-XXXXXX";
static struct arena mem;

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) == EOF || fclose(f) != 0)
        abort();
}

static bool read_named(struct str name, struct str *ret, struct str *ret_path, const char **ret_why)
{
    return lists_read(str_of(folder), name, &mem, ret, ret_path, ret_why);
}

static void built_in_lists_are_there_without_a_file(void)
{
    static const struct str names[] = {STR_INIT("private"), STR_INIT("loopback")};
    for (size_t i = 0; i < 2; i++) {
        struct str text, path;
        struct ip_list list = {.n = 0};
        unsigned line;
        const char *why;
        CHECK(read_named(names[i], &text, &path, &why));
        CHECK_INT(path.len, 0);
        CHECK_INT(ip_list_parse(text, &mem, &list, &line, &why), ERR_OK);
        CHECK(list.n >= 2);
    }
}

static void a_file_of_ones_own_goes_first(void)
{
    struct str text, path;
    const char *why;
    put("private.txt", "192.0.2.1\n");
    put("offices.txt", "192.0.2.2\n");
    CHECK(read_named(STR("private"), &text, &path, &why));
    CHECK_STR(text, STR("192.0.2.1\n"));
    CHECK(str_ends(path, STR("/private.txt")));
    CHECK(read_named(STR("offices"), &text, &path, &why));
    CHECK_STR(text, STR("192.0.2.2\n"));
}

static void what_is_not_there_is_told_with_where_it_was_sought(void)
{
    struct str text, path;
    const char *why = NULL;
    CHECK(!read_named(STR("offices2"), &text, &path, &why));
    CHECK(str_search(str_of(why), STR("there is no such list")) != STR_NPOS);
    CHECK(str_search(str_of(why), str_of(folder)) != STR_NPOS);
}

static void one_that_can_not_be_read_is_not_replaced_by_another(void)
{
    struct str text, path;
    const char *why = NULL;
    char name[128];
    snprintf(name, sizeof name, "%s/loopback.txt", folder);
    CHECK_INT(mkdir(name, 0700), 0);
    CHECK(!read_named(STR("loopback"), &text, &path, &why));
    CHECK(why != NULL);
    rmdir(name);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(built_in_lists_are_there_without_a_file),
        TEST(a_file_of_ones_own_goes_first),
        TEST(what_is_not_there_is_told_with_where_it_was_sought),
        TEST(one_that_can_not_be_read_is_not_replaced_by_another),
    };
    if (!mkdtemp(folder))
        abort();
    arena_init(&mem, 1 << 20, NULL, 0);
    int status = test_main(argc, argv, cases, 4);
    arena_fini(&mem);
    return status;
}
