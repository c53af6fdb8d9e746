// SPDX-License-Identifier: Apache-2.0
#include "cli/lenient.h"

#include "unit/test.h"

static void the_control_socket_is_found_whatever_else_is_wrong(void)
{
    static const struct {
        const char *yaml;
        enum lenient_control said;
        const char *path;
    } cases[] = {
        {"workers: 2\n", LENIENT_CONTROL_UNSAID, ""},
        {"control:\n", LENIENT_CONTROL_UNSAID, ""},
        {"control: {}\n", LENIENT_CONTROL_UNSAID, ""},
        {"control: on\n", LENIENT_CONTROL_UNSAID, ""},
        {"control: [/x]\n", LENIENT_CONTROL_UNSAID, ""},
        {"- a\n", LENIENT_CONTROL_UNSAID, ""},
        {"just a text\n", LENIENT_CONTROL_UNSAID, ""},
        {"control: off\n", LENIENT_CONTROL_OFF, ""},
        {"control: No\n", LENIENT_CONTROL_OFF, ""},
        {"control: { socket: /a/b }\n", LENIENT_CONTROL_PATH, "/a/b"},
        {"control: /a/b\n", LENIENT_CONTROL_PATH, "/a/b"},
        {"wrokers: 2\nsites: 7\ncontrol: { socket: /a/b, bogus: 1 }\n", LENIENT_CONTROL_PATH,
         "/a/b"},
        {"sites: [\ncontrol:\n  # here\n\n  socket: /a/b\nroutes: ]\n", LENIENT_CONTROL_PATH,
         "/a/b"},
        {"controls: off\ncontrol: off\nx: y: z\n", LENIENT_CONTROL_OFF, ""},
        {"\tcontrol: off\n", LENIENT_CONTROL_UNSAID, ""},
        {"control: {\n", LENIENT_CONTROL_UNSAID, ""},
        {"control: off\n  - x\n}\n", LENIENT_CONTROL_UNSAID, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct str path = STR_NONE;
        arena_init(&mem, 1 << 20, NULL, 0);
        const struct conf_node *control =
            lenient_find_in(str_of(cases[i].yaml), "x", STR("control"), &mem, &diags);
        CHECK_INT(lenient_control(control, &path), cases[i].said);
        CHECK_STR(path, str_of(cases[i].path));
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void an_unreadable_file_has_a_reason(void)
{
    static const char *const paths[] = {"-", "/nonexistent/sallyport.yaml", "/"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK(lenient_find(paths[i], STR("control"), &mem, &diags) == NULL);
        CHECK_INT(diags.n_errors, 1);
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

TEST_MAIN(TEST(the_control_socket_is_found_whatever_else_is_wrong),
          TEST(an_unreadable_file_has_a_reason))
