// SPDX-License-Identifier: Apache-2.0
#include "certs/files.h"

#include <poll.h>

#include "base/writer.h"
#include "unit/certs/folder.h"
#include "unit/tls/made.h"

#define SOON_MS 10000
#define N_LEAVES 3

struct fixture {
    struct test_folder folder;
    struct made_ca ca;
    struct made_leaf leaves[N_LEAVES]; // a.example, b.example, c.example
    struct certs_files *files;
    char path[100]; // of the folder of certificates
};

static void begin(struct fixture *f)
{
    static const char *const names[N_LEAVES] = {"a.example", "b.example", "c.example"};
    test_folder_begin(&f->folder);
    made_ca_begin(&f->ca);
    for (size_t i = 0; i < N_LEAVES; i++)
        made_leaf_begin(&f->leaves[i], &f->ca, TLS_KEY_P256, str_of(names[i]), 90);
    f->files = certs_files_new();
    snprintf(f->path, sizeof f->path, "%s/ssl", f->folder.path);
}

static void end(struct fixture *f)
{
    certs_files_free(f->files);
    for (size_t i = 0; i < N_LEAVES; i++)
        made_leaf_end(&f->leaves[i]);
    made_ca_end(&f->ca);
    test_folder_end(&f->folder);
}

static void make_folder(struct fixture *f, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", f->folder.path, name);
    CHECK_INT(mkdir(path, 0700), 0);
}

static void put_chain(struct fixture *f, const char *name, size_t i)
{
    test_folder_put(&f->folder, name, text_str(&f->leaves[i].chain_pem));
}

static void put_key(struct fixture *f, const char *name, size_t i)
{
    test_folder_put(&f->folder, name, text_str(&f->leaves[i].key_pem));
}

// Chain and key in one file, written beside it and renamed over it.
static void put_both(struct fixture *f, const char *name, size_t i)
{
    struct text both = {0};
    char from[200], to[200];
    text_put(&both, text_str(&f->leaves[i].key_pem));
    text_put(&both, text_str(&f->leaves[i].chain_pem));
    test_folder_put(&f->folder, "new", text_str(&both));
    snprintf(from, sizeof from, "%s/new", f->folder.path);
    snprintf(to, sizeof to, "%s/%s", f->folder.path, name);
    CHECK_INT(rename(from, to), 0);
    text_wipe(&both);
}

static void remove_file(struct fixture *f, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", f->folder.path, name);
    CHECK_INT(unlink(path), 0);
}

static bool want_folder(struct fixture *f)
{
    const struct certs_file_wish wish = {.cert = str_of(f->path), .is_folder = true};
    return certs_files_want(f->files, &wish, 1, MADE_NOW_S);
}

// Waits until something has changed. False: nothing has, for wait_ms.
static bool has_changed(struct fixture *f, int wait_ms)
{
    struct pollfd p = {.fd = certs_files_fd(f->files), .events = POLLIN};
    while (poll(&p, 1, wait_ms) > 0) {
        if (certs_files_look(f->files, MADE_NOW_S))
            return true;
    }
    return false;
}

// All of them, as "ssl/a.pem=a.example ssl/b.pem: why".
static struct str said(struct fixture *f, char *buf, size_t buf_bytes)
{
    struct writer w;
    writer_init(&w, buf, buf_bytes);
    for (size_t i = 0; i < certs_files_n(f->files); i++) {
        const struct certs_file *file = certs_files_get(f->files, i);
        writer_put(&w, w.len > 0 ? STR(" ") : STR_NONE);
        writer_put(&w, str_skip(file->path, strlen(f->folder.path) + 1));
        writer_put(&w, file->is_default ? STR("!") : STR_NONE);
        if (file->cert.n_chain > 0) {
            writer_byte(&w, '=');
            writer_put(&w, file->cert.leaf.names[0]);
        }
        if (file->why) {
            writer_put(&w, STR(": "));
            writer_put(&w, str_of(file->why));
        }
    }
    return writer_str(&w);
}

#define CHECK_SAID(f, wanted)                                                                      \
    do {                                                                                           \
        char buf_[2000];                                                                           \
        CHECK_STR(said((f), buf_, sizeof buf_), STR(wanted));                                      \
    } while (0)

static void a_folder_is_read_in_all_its_forms(void)
{
    struct fixture f;
    begin(&f);
    make_folder(&f, "ssl");
    make_folder(&f, "ssl/live.example");
    make_folder(&f, "ssl/empty");
    put_both(&f, "ssl/a.pem", 0);
    put_chain(&f, "ssl/b.crt", 1);
    put_key(&f, "ssl/b.key", 1);
    put_chain(&f, "ssl/live.example/fullchain.pem", 2);
    put_chain(&f, "ssl/live.example/cert.pem", 2);
    put_key(&f, "ssl/live.example/privkey.pem", 2);
    test_folder_put(&f.folder, "ssl/README", STR("none"));
    test_folder_put(&f.folder, "ssl/.hidden.pem", STR("none"));
    CHECK(want_folder(&f));
    CHECK_SAID(&f, "ssl/a.pem=a.example ssl/b.crt=b.example "
                   "ssl/live.example/fullchain.pem=c.example");
    CHECK(!want_folder(&f));
    end(&f);
}

static void a_bad_file_is_told_and_harms_no_other(void)
{
    struct fixture f;
    begin(&f);
    make_folder(&f, "ssl");
    put_both(&f, "ssl/a.pem", 0);
    put_chain(&f, "ssl/b.pem", 1);
    test_folder_put(&f.folder, "ssl/c.pem", STR("-----BEGIN CERTIFICATE-----\n"));
    put_chain(&f, "ssl/d.pem", 2);
    put_key(&f, "ssl/d.key", 1);
    char path[200];
    snprintf(path, sizeof path, "%s/ssl/e.pem", f.folder.path);
    CHECK_INT(symlink("nowhere", path), 0);
    CHECK(want_folder(&f));
    CHECK_SAID(&f, "ssl/a.pem=a.example ssl/b.pem: it holds no private key "
                   "ssl/c.pem: a PEM block has no end "
                   "ssl/d.pem: its certificate and private key don't belong together "
                   "ssl/e.pem: No such file or directory");
    end(&f);
}

static void a_folder_that_comes_later_is_seen(void)
{
    struct fixture f;
    begin(&f);
    CHECK(!want_folder(&f));
    CHECK_INT(certs_files_n(f.files), 0);
    make_folder(&f, "ssl");
    CHECK(!has_changed(&f, 300));
    put_both(&f, "ssl/a.pem", 0);
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "ssl/a.pem=a.example");
    end(&f);
}

static void new_changed_and_removed_files_are_seen(void)
{
    struct fixture f;
    begin(&f);
    make_folder(&f, "ssl");
    put_both(&f, "ssl/a.pem", 0);
    CHECK(want_folder(&f));
    put_both(&f, "ssl/b.pem", 1);
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "ssl/a.pem=a.example ssl/b.pem=b.example");
    put_both(&f, "ssl/a.pem", 2);
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "ssl/a.pem=c.example ssl/b.pem=b.example");
    remove_file(&f, "ssl/a.pem");
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "ssl/b.pem=b.example");
    put_both(&f, "ssl/b.pem", 1); // the same again
    CHECK(!has_changed(&f, 300));
    end(&f);
}

static void what_was_good_of_a_damaged_file_stays_in_use(void)
{
    struct fixture f;
    begin(&f);
    make_folder(&f, "ssl");
    put_both(&f, "ssl/a.pem", 0);
    CHECK(want_folder(&f));
    test_folder_put(&f.folder, "ssl/a.pem", STR("-----BEGIN"));
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "ssl/a.pem=a.example: it holds no certificate");
    put_both(&f, "ssl/a.pem", 0);
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "ssl/a.pem=a.example");
    end(&f);
}

// As certbot renews: archive/NAME gets other files, and the links in live/NAME are replaced.
static void links_that_lead_to_other_files_are_followed(void)
{
    struct fixture f;
    char path[200], fresh[200];
    begin(&f);
    make_folder(&f, "ssl");
    make_folder(&f, "ssl/site");
    make_folder(&f, "archive");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "archive/chain%d.pem", i);
        put_chain(&f, path, (size_t)i);
        snprintf(path, sizeof path, "archive/key%d.pem", i);
        put_key(&f, path, (size_t)i);
        const char *const names[][2] = {{"fullchain", "chain"}, {"privkey", "key"}};
        for (size_t k = 0; k < 2; k++) {
            char target[100];
            snprintf(target, sizeof target, "../../archive/%s%d.pem", names[k][1], i);
            snprintf(path, sizeof path, "%s/ssl/site/%s.pem", f.folder.path, names[k][0]);
            snprintf(fresh, sizeof fresh, "%s/fresh", f.folder.path);
            CHECK_INT(symlink(target, fresh) | rename(fresh, path), 0);
        }
        CHECK(i == 0 ? want_folder(&f) : has_changed(&f, SOON_MS));
        CHECK_INT(certs_files_n(f.files), 1);
    }
    CHECK_SAID(&f, "ssl/site/fullchain.pem=b.example");
    put_chain(&f, "archive/chain1.pem", 2); // and rewritten in place
    put_key(&f, "archive/key1.pem", 2);
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "ssl/site/fullchain.pem=c.example");
    end(&f);
}

static void single_files_and_pairs_are_read_and_watched(void)
{
    struct fixture f;
    char a[200], b[200], key[200];
    begin(&f);
    snprintf(a, sizeof a, "%s/a.pem", f.folder.path);
    snprintf(b, sizeof b, "%s/b.any", f.folder.path);
    snprintf(key, sizeof key, "%s/b.secret", f.folder.path);
    put_both(&f, "a.pem", 0);
    put_chain(&f, "b.any", 1);
    const struct certs_file_wish wishes[] = {
        {.cert = str_of(b), .key = str_of(key), .is_default = true},
        {.cert = str_of(a)},
        {.cert = str_of(a)},
    };
    CHECK(certs_files_want(f.files, wishes, 3, MADE_NOW_S));
    CHECK_SAID(&f, "b.any!: No such file or directory a.pem=a.example");
    put_key(&f, "b.secret", 1);
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "b.any!=b.example a.pem=a.example");
    CHECK(certs_files_want(f.files, wishes + 1, 1, MADE_NOW_S));
    CHECK_SAID(&f, "a.pem=a.example");
    remove_file(&f, "a.pem");
    CHECK(has_changed(&f, SOON_MS));
    CHECK_SAID(&f, "a.pem: No such file or directory");
    CHECK(certs_files_want(f.files, NULL, 0, MADE_NOW_S));
    CHECK_INT(certs_files_n(f.files), 0);
    end(&f);
}

TEST_MAIN(TEST(a_folder_is_read_in_all_its_forms), TEST(a_bad_file_is_told_and_harms_no_other),
          TEST(a_folder_that_comes_later_is_seen), TEST(new_changed_and_removed_files_are_seen),
          TEST(what_was_good_of_a_damaged_file_stays_in_use),
          TEST(links_that_lead_to_other_files_are_followed),
          TEST(single_files_and_pairs_are_read_and_watched))
