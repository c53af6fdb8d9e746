// SPDX-License-Identifier: Apache-2.0
#include "keeper/load.h"

#include <sys/mman.h>
#include <unistd.h>

#include "conf/node.h"
#include "unit/test.h"

#define ENTRY "user: root\nentrypoints: { web: '127.0.0.1:0' }\n"

// Loads a file in memory with this text.
static bool load_text(const char *yaml, struct loaded *ret)
{
    char path[64];
    int fd = memfd_create("settings", MFD_CLOEXEC);
    CHECK_INT(write(fd, yaml, strlen(yaml)), strlen(yaml));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool is_fine = load_file(path, NULL, ret);
    close(fd);
    CHECK_INT(is_fine, ret->diags.n_errors == 0);
    CHECK(!is_fine || ret->snapshot != NULL);
    return is_fine;
}

static void settings_are_loaded_whole(void)
{
    struct loaded l;
    CHECK(load_text(ENTRY "sites: { a.example: 'http://127.0.0.1:1' }\n", &l));
    if (l.snapshot)
        CHECK_INT(l.snapshot->n_routes, 1);
    CHECK_INT(l.diags.n, 0);
    load_fini(&l);
}

static void every_stage_tells_its_errors(void)
{
    static const struct {
        const char *yaml, *text;
    } cases[] = {
        {"a: [\n", ""},                                                    // YAML
        {ENTRY "sitez: {}\n", "sites"},                                    // reading
        {ENTRY "sites: { a.example: nowhere }\n", "no service 'nowhere'"}, // building
        {ENTRY "filters: { f: { basic-auth: { users: 'file:/nonexistent/f' } } }\n",
         "/nonexistent/f"}, // resolving
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded l;
        CHECK(!load_text(cases[i].yaml, &l));
        CHECK(l.diags.n_errors > 0);
        if (l.diags.n > 0 && !strstr(l.diags.items[0].text, cases[i].text))
            printf("# case %zu: %s\n", i, l.diags.items[0].text);
        CHECK(l.diags.n > 0 && strstr(l.diags.items[0].text, cases[i].text) != NULL);
        load_fini(&l);
    }
}

static void errors_of_all_stages_are_told_at_once_and_each_once(void)
{
    static const char yaml[] =
        ENTRY "filters:\n"
              "  a: { basic-auth: { users: ['file:/nonexistent/f', plain] } }\n"
              "sites:\n"
              "  a.example: { to: nowhere, use: a }\n"
              "  b.example: { to: 'http://127.0.0.1:1', use: a }\n"
              "workers: many\n";
    static const char *const texts[] = {"/nonexistent/f", "'many'", "expected NAME:HASH",
                                        "no service 'nowhere'"};
    struct loaded l;
    CHECK(!load_text(yaml, &l));
    CHECK_INT(l.diags.n, ARRAY_LEN(texts));
    for (size_t i = 0; i < MIN(l.diags.n, ARRAY_LEN(texts)); i++)
        CHECK(strstr(l.diags.items[i].text, texts[i]) != NULL);
    load_fini(&l);
}

static void a_file_that_cannot_be_read_is_an_error_with_its_path(void)
{
    struct loaded l;
    CHECK(!load_file("/nonexistent.yaml", NULL, &l));
    CHECK_INT(l.diags.n_errors, 1);
    CHECK(l.diags.n > 0 && strcmp(l.diags.items[0].place.source, "/nonexistent.yaml") == 0);
    load_fini(&l);
    load_fini(&l); // ended once more: nothing happens
}

// That it can't be read is all that there is to say of it.
static void a_file_of_a_setting_that_cannot_be_read_is_told_once(void)
{
    static const char *const cases[] = {
        "geo: { country: /no/file }\n",
        "geo: { asn: /no/file }\n",
        "filters: { f: { basic-auth: { users-file: /no/file } } }\n",
        "filters: { f: { jwt: { keys: /no/file } } }\n",
        "filters: { f: { deny: { files: [/no/file] } } }\n",
        "filters: { f: { error-pages: { pages: [{ statuses: 404, file: /no/file }] } } }\n",
        "services: { s: { servers: 'https://10.0.0.1', tls: { ca: /no/file } } }\n",
        "services: { s: { servers: 'https://10.0.0.1', tls: { cert: /no/file } } }\n",
        "entrypoints: { s: { listen: ':0', tls: { client-auth: require, client-ca: /no/file }}}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded l;
        char yaml[256];
        const char *entry = strstr(cases[i], "entrypoints") ? "user: root\n" : ENTRY;
        snprintf(yaml, sizeof yaml, "%s%s", entry, cases[i]);
        CHECK(!load_text(yaml, &l));
        size_t n_about = 0;
        for (size_t k = 0; k < l.diags.n; k++)
            n_about += strstr(l.diags.items[k].text, "/no/file") != NULL;
        if (n_about != 1 || l.diags.n_errors != 1)
            printf("# %s", cases[i]);
        CHECK_INT(n_about, 1);
        CHECK_INT(l.diags.n_errors, 1);
        load_fini(&l);
    }
}

static void an_unknown_user_is_an_error_for_root_alone(void)
{
    struct loaded l;
    CHECK_INT(load_text("entrypoints: { web: '127.0.0.1:0' }\nuser: no-such-user-here\n", &l),
              geteuid() != 0);
    load_fini(&l);
}

static void a_tree_from_flags_is_loaded_like_a_file(void)
{
    struct loaded l;
    struct place place = {.source = "command line"};
    load_begin(&l);
    struct conf_node *root = conf_node_new(&l.mem, CONF_NODE_MAP, place);
    conf_node_put(root, STR("user"), conf_node_scalar(&l.mem, STR("root"), place));
    CHECK(load_tree(&l, root, NULL));
    CHECK(l.snapshot && l.snapshot->n_entries == 2); // :80 and :443
    load_fini(&l);
}

static void authorities_come_along_where_a_server_has_to_be_verified(void)
{
    static const struct {
        const char *server, *more;
        bool has;
    } cases[] = {
        {"http://127.0.0.1:1", "", false},
        {"https://127.0.0.1:1", "", true},
        {"http://127.0.0.1:1", "authorities: /dev/null\n", true},
        {"https://127.0.0.1:1", "authorities: /dev/null\n", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded l;
        char yaml[256];
        snprintf(yaml, sizeof yaml, ENTRY "sites: { a.example: '%s' }\n%s", cases[i].server,
                 cases[i].more);
        // Neither an empty file nor a system without authorities is enough for a server with TLS.
        (void)load_text(yaml, &l);
        const struct conf_node *node = l.root ? conf_node_get(l.root, STR("authorities")) : NULL;
        bool has_system = access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0;
        CHECK((node != NULL) == (cases[i].has && (has_system || cases[i].more[0] != '\0')));
        if (node && cases[i].more[0] == '\0')
            CHECK(node->has_content && node->content.len > 0 && l.snapshot);
        load_fini(&l);
    }
}

TEST_MAIN(TEST(settings_are_loaded_whole),
          TEST(authorities_come_along_where_a_server_has_to_be_verified),
          TEST(every_stage_tells_its_errors),
          TEST(errors_of_all_stages_are_told_at_once_and_each_once),
          TEST(a_file_that_cannot_be_read_is_an_error_with_its_path),
          TEST(a_file_of_a_setting_that_cannot_be_read_is_told_once),
          TEST(an_unknown_user_is_an_error_for_root_alone),
          TEST(a_tree_from_flags_is_loaded_like_a_file))
