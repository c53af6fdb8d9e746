// SPDX-License-Identifier: Apache-2.0
#include "keeper/secrets.h"

#include <unistd.h>

#include "rt/clock.h"
#include "rt/file.h"
#include "unit/certs/folder.h"
#include "unit/test.h"

#define HOUR_MS (3600 * INT64_C(1000))

struct fixture {
    struct test_folder folder;
    struct secrets secrets;
    struct wish wish;
    char state[80];
};

static void begin(struct fixture *f, bool has_tls)
{
    *f = (struct fixture){.state = ""};
    test_folder_begin(&f->folder);
    snprintf(f->state, sizeof f->state, "%s/state", f->folder.path);
    f->wish.certs.has_tls = has_tls;
    f->wish.state = f->state;
    secrets_want(&f->secrets, &f->wish);
}

static void end(struct fixture *f)
{
    secrets_fini(&f->secrets);
    test_folder_end(&f->folder);
}

// The keys of tickets as a gate gets them.
static size_t keys_of(const struct secrets *s, struct tls_ticket_key ret[TLS_TICKET_KEYS_MAX])
{
    struct str bytes = STR_NONE;
    int fd = secrets_pack_tickets(s);
    CHECK(fd >= 0 && file_map_sealed(fd, &bytes));
    CHECK(bytes.len <= TLS_TICKET_KEYS_MAX * sizeof *ret && bytes.len % sizeof *ret == 0);
    memcpy(ret, bytes.ptr, bytes.len);
    size_t n = bytes.len / sizeof *ret;
    file_unmap(bytes);
    close(fd);
    return n;
}

static void without_tls_there_are_none(void)
{
    struct fixture f;
    begin(&f, false);
    CHECK(f.secrets.certs_version == 0 && f.secrets.tickets_version == 0);
    CHECK_INT(secrets_fd(&f.secrets), -1);
    json_t *report = secrets_report(&f.secrets);
    CHECK_INT((int)json_array_size(report), 0);
    json_decref(report);
    end(&f);
}

static void with_tls_there_are_certificates_and_a_key_for_tickets(void)
{
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
    struct fixture f;
    begin(&f, true);
    CHECK(f.secrets.certs_version > 0 && f.secrets.tickets_version == 1);
    CHECK(secrets_fd(&f.secrets) >= 0);
    CHECK_INT((int)keys_of(&f.secrets, keys), 1);
    uint64_t version = f.secrets.certs_version;
    secrets_want(&f.secrets, &f.wish); // the same again
    CHECK(f.secrets.certs_version == version && f.secrets.tickets_version == 1);
    end(&f);
}

static void keys_of_tickets_change_and_two_old_ones_stay(void)
{
    struct tls_ticket_key before[TLS_TICKET_KEYS_MAX], after[TLS_TICKET_KEYS_MAX];
    struct fixture f;
    begin(&f, true);
    int64_t now_ms = clock_now_ms();
    for (size_t turn = 0; turn < 4; turn++) {
        int64_t next_ms = INT64_MAX;
        size_t n_before = keys_of(&f.secrets, before);
        f.secrets.rotate_at_ms = now_ms + 12 * HOUR_MS;
        secrets_do_what_is_due(&f.secrets, now_ms + 11 * HOUR_MS, &next_ms);
        CHECK_INT(next_ms, now_ms + 12 * HOUR_MS);
        CHECK_INT(f.secrets.tickets_version, turn + 1);
        secrets_do_what_is_due(&f.secrets, now_ms + 12 * HOUR_MS, &next_ms);
        CHECK_INT(f.secrets.tickets_version, turn + 2);
        CHECK_INT(keys_of(&f.secrets, after), MIN(n_before + 1, (size_t)TLS_TICKET_KEYS_MAX));
        CHECK(memcmp(&after[0], &before[0], sizeof after[0]) != 0);
        CHECK(memcmp(&after[1], &before[0], sizeof after[0]) == 0);
    }
    end(&f);
}

TEST_MAIN(TEST(without_tls_there_are_none),
          TEST(with_tls_there_are_certificates_and_a_key_for_tickets),
          TEST(keys_of_tickets_change_and_two_old_ones_stay))
