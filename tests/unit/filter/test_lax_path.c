// SPDX-License-Identifier: Apache-2.0
#include "filter/lax_path.h"

#include "unit/test.h"

static void paths_are_read_as_generous_servers_do(void)
{
    static const struct {
        const char *path, *wanted;
    } cases[] = {
        {"/", "/"},
        {"/a/b/", "/a/b/"}, // nothing of that is in it
        {"/a%20b", "/a%20b"},
        {"//admin", "/admin"},
        {"/a//b", "/a/b"},
        {"/\\admin", "/admin"},
        {"/%5Cadmin", "/admin"},
        {"/%2Fadmin", "/admin"},
        {"/x%2f..%2fadmin", "/admin"},
        {"/x\\..\\admin", "/admin"},
        {"/admin;v=1", "/admin"},
        {"/admin%3Bv=1/x", "/admin/x"},
        {"/admin;a;b/x;c", "/admin/x"},
        {"/;/admin", "/admin"},
        {"/.;/admin", "/admin"},
        {"/x/..;/admin", "/admin"},
        {"/..;/..;/admin", "/admin"},
        {"/x/y/..;/..;", "/"},
        {"/;", "/"},
        {"/a;%2Fb", "/a/b"},
        {"/a%25%2Fb", "/a%25/b"},
        {"/a%2", "/a%2"},
        {"/a/%2F", "/a"},
    };
    struct arena mem;
    arena_init(&mem, 4096, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(lax_path(str_of(cases[i].path), &mem), str_of(cases[i].wanted));
    arena_fini(&mem);
}

static void a_full_arena_gives_nothing(void)
{
    struct arena mem;
    arena_init(&mem, 0, NULL, 0);
    CHECK(lax_path(STR("//admin"), &mem).ptr == NULL);
    CHECK(lax_path(STR("/admin"), &mem).ptr != NULL);
    arena_fini(&mem);
}

TEST_MAIN(TEST(paths_are_read_as_generous_servers_do), TEST(a_full_arena_gives_nothing))
