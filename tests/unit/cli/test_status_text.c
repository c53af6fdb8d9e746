// SPDX-License-Identifier: Apache-2.0
#include "cli/status_text.h"

#include "unit/test.h"

static void show(const char *json, bool wants_all, struct text *ret)
{
    json_t *status = json_loads(json, 0, NULL);
    CHECK(status != NULL);
    *ret = (struct text){.ptr = NULL};
    status_text_put(status, wants_all, ret);
    json_decref(status);
}

static bool has(const struct text *t, const char *part)
{
    bool is_there = str_search(text_str(t), str_of(part)) != STR_NPOS;
    if (!is_there)
        printf("# no '%s' in:\n%s\n", part, t->ptr);
    return is_there;
}

static void everything_that_is_there_is_shown(void)
{
    static const char json[] =
        "{\"version\":\"0.1.0\",\"pid\":7,\"uptime_s\":60,\"settings\":{\"source\":\"/x.yaml\","
        "\"seq\":3,\"in_force_since\":\"2026-01-01T00:00:00Z\",\"last_reload\":{\"ok\":false,"
        "\"at\":\"2026-01-02T00:00:00Z\",\"error\":\"2 errors\"}},\"control\":\"/c.sock\","
        "\"entrypoints\":[{\"name\":\"web\",\"listen\":\":0\",\"port\":4711}],"
        "\"gate\":{\"pid\":8,\"uptime_s\":5,\"restarts\":1,\"last_end\":\"signal 9, Killed\","
        "\"state\":\"serving\"},\"leaving\":[{\"pid\":6,\"since_s\":4}],"
        "\"certificates\":[{\"id\":\"a.example\",\"source\":\"local-ca\",\"state\":\"valid\","
        "\"not_after\":\"2027-02-19T18:14:22.000Z\",\"error\":null},{\"id\":\"/b.pem\","
        "\"source\":\"file\",\"state\":\"missing\",\"error\":\"no key\"}],"
        "\"report\":{\"workers\":1,\"user\":\"nobody\",\"sandbox\":{\"mode\":\"require\","
        "\"in_force\":[\"seccomp\",\"landlock 6\"],\"missing\":[\"a reason\"]},\"memory_kb\":900,"
        "\"spool_max_bytes\":536870912,\"open_files\":9,\"log_lines_lost\":2,\"log_failures\":[{"
        "\"log\":\"access log\","
        "\"error\":\"No space\"}],\"counters\":{\"connections accepted\":1000,"
        "\"bytes of the spool that they have now\":131072,"
        "\"never\":0},\"refused_requests\":{\"bare-lf\":1},\"refused_answers\":{\"x\":0},"
        "\"entrypoints\":[{\"name\":\"web\",\"connections\":1}],"
        "\"sites\":[{\"name\":\"a.example\",\"aliases\":[\"b.example\"],\"to\":\"app\"}],"
        "\"services\":[{\"name\":\"app\",\"servers\":[{\"url\":\"http://s\",\"weight\":2,"
        "\"addresses\":[{\"ip\":\"10.0.0.1\",\"state\":\"up\",\"failures\":0},"
        "{\"ip\":\"10.0.0.2\",\"state\":\"skipped\",\"failures\":1}],\"connections\":3,"
        "\"idle\":2},{\"url\":\"http://x\",\"weight\":1,\"error\":\"no such name\","
        "\"addresses\":[]}]}]}}";
    static const char *const parts[] = {
        "sallyport 0.1.0, process 7, up 1 min\n",
        "  settings      3 from /x.yaml, in force since 2026-01-01 00:00:00 UTC (",
        "the last reload failed at 2026-01-02 00:00:00 UTC (",
        " ago): 2 errors\n",
        "  control       /c.sock\n",
        "  gate          serving, process 8, up 5 s, 1 worker, user nobody, 900 KiB, 9 open files",
        "started anew 1 time; the last end: signal 9, Killed\n",
        "  sandbox       require: seccomp, landlock 6\n                missing: a reason\n",
        "  leaving       gate of process 6, finishing for 4 s\n",
        "  spool         128 KiB of 512 MiB\n",
        "  logs          the access log can't be written: No space\n"
        "                2 lines lost\n",
        "\nentrypoints\n  web  :0  port 4711  1 connection\n",
        "\nsites\n  a.example  to app  also b.example\n",
        "\nservices\n  app\n    http://s  weight 2     up at 10.0.0.1; skipped at 10.0.0.2 after",
        " after 1 failure  3 connections, 2 idle\n",
        "    http://x  weight 1     no address: no such name\n",
        "\ncertificates\n  a.example  local CA  valid until 2027-02-19\n"
        "  /b.pem     file      missing: no key\n",
        "\ncounters\n  connections accepted                   1 000\n",
        "\nrefused requests\n  bare-lf  1\n",
    };
    struct text t;
    show(json, false, &t);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        CHECK(has(&t, parts[i]));
    CHECK(str_search(text_str(&t), STR("never")) == STR_NPOS);
    CHECK(str_search(text_str(&t), STR("refused answers")) == STR_NPOS);
    text_fini(&t);
}

static void what_is_missing_or_of_another_kind_is_left_out(void)
{
    static const char *const cases[] = {
        "{}",
        "{\"gate\":{\"state\":\"starting\"},\"report\":null}",
        "{\"gate\":7,\"report\":[],\"settings\":\"x\",\"entrypoints\":{},\"leaving\":3}",
        "{\"report\":{\"services\":[{\"servers\":[{\"addresses\":[{}]}]}],\"sites\":[7,{}]}}",
        "{\"report\":{\"counters\":[1],\"sandbox\":{}}}",
        "{\"settings\":{\"in_force_since\":\"yesterday\",\"last_reload\":{\"ok\":false}}}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text t;
        show(cases[i], true, &t);
        CHECK(has(&t, "sallyport "));
        text_fini(&t);
    }
}

static void long_lists_are_cut_unless_all_is_asked_for(void)
{
    struct text json = {.ptr = NULL}, t;
    text_put(&json, STR("{\"report\":{\"sites\":["));
    for (int i = 0; i < 30; i++)
        text_printf(&json, "%s{\"name\":\"s%02d.example\"}", i > 0 ? "," : "", i);
    text_put(&json, STR("]}}"));
    show(json.ptr, false, &t);
    CHECK(has(&t, "sites (the first 20 of 30; --all shows them all)\n"));
    CHECK(has(&t, "s19.example"));
    CHECK(str_search(text_str(&t), STR("s20.example")) == STR_NPOS);
    text_fini(&t);
    show(json.ptr, true, &t);
    CHECK(has(&t, "s29.example"));
    text_fini(&t);
    text_fini(&json);
}

static void a_service_is_found_by_its_name(void)
{
    json_t *status =
        json_loads("{\"report\":{\"services\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}", 0, NULL);
    const json_t *b = status_text_find_service(status, STR("b"));
    CHECK_STR(str_of(json_string_value(json_object_get(b, "name"))), STR("b"));
    CHECK(status_text_find_service(status, STR("c")) == NULL);
    CHECK(status_text_find_service(NULL, STR("a")) == NULL);
    json_decref(status);
}

TEST_MAIN(TEST(everything_that_is_there_is_shown),
          TEST(what_is_missing_or_of_another_kind_is_left_out),
          TEST(long_lists_are_cut_unless_all_is_asked_for), TEST(a_service_is_found_by_its_name))
