// SPDX-License-Identifier: Apache-2.0
#include "keeper/issue_ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "unit/certs/folder.h"
#include "unit/test.h"

#define NOW_S INT64_C(1800000000)
#define LE STR("le")

struct fixture {
    struct test_folder folder;
    struct issue_ledger ledger;
    int fd;
};

static void begin(struct fixture *f)
{
    test_folder_begin(&f->folder);
    f->fd = open(f->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(issue_ledger_open(&f->ledger, f->fd, NOW_S));
}

static void open_anew(struct fixture *f, int64_t now_s)
{
    issue_ledger_close(&f->ledger);
    CHECK(issue_ledger_open(&f->ledger, f->fd, now_s));
}

static void end(struct fixture *f)
{
    issue_ledger_close(&f->ledger);
    close(f->fd);
    test_folder_end(&f->folder);
}

static bool is_allowed(const struct fixture *f, struct str issuer, struct str id, int64_t now_s)
{
    return issue_ledger_allows_s(&f->ledger, issuer, id, now_s) == now_s;
}

static void five_of_an_id_a_week_and_no_more(void)
{
    struct fixture f;
    begin(&f);
    for (int64_t n = 0; n < ISSUE_LEDGER_PER_ID; n++) {
        CHECK(is_allowed(&f, LE, STR("a"), NOW_S + n));
        issue_ledger_add(&f.ledger, LE, STR("a"), NOW_S + n);
    }
    int64_t now_s = NOW_S + ISSUE_LEDGER_PER_ID;
    CHECK_INT(issue_ledger_allows_s(&f.ledger, LE, STR("a"), now_s), NOW_S + ISSUE_LEDGER_WEEK_S);
    CHECK(is_allowed(&f, LE, STR("b"), now_s));
    CHECK(is_allowed(&f, STR("other"), STR("a"), now_s));
    CHECK(is_allowed(&f, LE, STR("a"), NOW_S + ISSUE_LEDGER_WEEK_S));
    end(&f);
}

static void looking_at_it_finds_what_was_issued_and_changes_nothing(void)
{
    struct fixture f;
    struct issue_ledger seen;
    begin(&f);
    issue_ledger_add(&f.ledger, LE, STR("a"), NOW_S + 1);
    issue_ledger_add(&f.ledger, LE, STR("b"), NOW_S + 2);
    issue_ledger_add(&f.ledger, LE, STR("a"), NOW_S + 3);
    issue_ledger_read(&seen, f.fd, NOW_S + 4);
    CHECK_INT(seen.fd, -1);
    CHECK_INT(issue_ledger_next_s(&seen, LE, STR("a"), 0), NOW_S + 1);
    CHECK_INT(issue_ledger_next_s(&seen, LE, STR("a"), NOW_S + 1), NOW_S + 3);
    CHECK_INT(issue_ledger_next_s(&seen, LE, STR("a"), NOW_S + 3), 0);
    CHECK_INT(issue_ledger_next_s(&seen, STR("other"), STR("a"), 0), 0);
    issue_ledger_close(&seen);
    end(&f);
}

static void an_issuer_has_a_limit_for_all_together(void)
{
    struct fixture f;
    char id[20];
    begin(&f);
    for (unsigned n = 0; n < ISSUE_LEDGER_PER_ISSUER; n++) {
        snprintf(id, sizeof id, "s%u", n);
        CHECK(is_allowed(&f, LE, STR("new"), NOW_S));
        issue_ledger_add(&f.ledger, LE, str_of(id), NOW_S);
    }
    CHECK_INT(issue_ledger_allows_s(&f.ledger, LE, STR("new"), NOW_S + 1),
              NOW_S + ISSUE_LEDGER_ISSUER_S);
    CHECK(is_allowed(&f, STR("other"), STR("new"), NOW_S + 1));
    CHECK(is_allowed(&f, LE, STR("new"), NOW_S + ISSUE_LEDGER_ISSUER_S));
    end(&f);
}

static void another_process_knows_of_them_and_forgets_after_a_week(void)
{
    struct fixture f;
    begin(&f);
    for (int n = 0; n < ISSUE_LEDGER_PER_ID; n++)
        issue_ledger_add(&f.ledger, LE, STR("a"), NOW_S);
    open_anew(&f, NOW_S + 10);
    CHECK(!is_allowed(&f, LE, STR("a"), NOW_S + 10));
    CHECK_INT(f.ledger.n, ISSUE_LEDGER_PER_ID);
    open_anew(&f, NOW_S + ISSUE_LEDGER_WEEK_S);
    CHECK_INT(f.ledger.n, 0);
    end(&f);
}

static void lines_that_make_no_sense_are_skipped(void)
{
    struct fixture f;
    struct text file = {.ptr = NULL};
    begin(&f);
    issue_ledger_add(&f.ledger, LE, STR("a"), NOW_S);
    const struct issue_ledger_line one = f.ledger.lines[0];
    text_put(&file, STR("\nnonsense\n1 2\n99999999999999999999 1 1\n-1 1 1\n1 1 1 1\n"));
    text_printf(&file, "%" PRId64 " %" PRIu64 " %" PRIu64 "\n", one.at_s, one.issuer, one.id);
    text_printf(&file, "%" PRId64 " %" PRIu64, one.at_s, one.issuer); // torn
    test_folder_put(&f.folder, "ledger", text_str(&file));
    text_fini(&file);
    open_anew(&f, NOW_S);
    CHECK_INT(f.ledger.n, 1);
    issue_ledger_add(&f.ledger, LE, STR("a"), NOW_S);
    open_anew(&f, NOW_S); // what is added after a torn line isn't torn
    CHECK_INT(f.ledger.n, 2);
    end(&f);
}

static void where_it_cannot_be_written_it_is_not_opened(void)
{
    struct issue_ledger ledger;
    CHECK(!issue_ledger_open(&ledger, -1, NOW_S));
    issue_ledger_close(&ledger);
}

TEST_MAIN(TEST(five_of_an_id_a_week_and_no_more),
          TEST(looking_at_it_finds_what_was_issued_and_changes_nothing),
          TEST(an_issuer_has_a_limit_for_all_together),
          TEST(another_process_knows_of_them_and_forgets_after_a_week),
          TEST(lines_that_make_no_sense_are_skipped),
          TEST(where_it_cannot_be_written_it_is_not_opened))
