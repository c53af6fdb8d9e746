// SPDX-License-Identifier: Apache-2.0
#include "gate/credentials.h"

#include <unistd.h>

#include "rt/file.h"
#include "unit/tls/server_rig.h"

static int sealed(struct str bytes)
{
    int fd = file_sealed("test", bytes);
    if (fd < 0)
        abort();
    return fd;
}

static void certificates_and_ticket_keys_are_taken_and_replaced(void)
{
    struct credentials c = {.store = NULL};
    struct rig_cert cert;
    struct str name = STR("a.example");
    struct text bundle = {.ptr = NULL};
    rig_cert_begin(&cert, TLS_CERT_LEAF, TLS_KEY_P256, "a.example", NULL);
    struct tls_bundle_item item = rig_item(&cert, "c", &name);
    tls_bundle_pack(&item, 1, &bundle);
    int certs = sealed(text_str(&bundle));
    credentials_take_certs(&c, certs, NULL);
    CHECK(c.store && tls_store_find(c.store, name) != NULL);
    struct credentials copy = credentials_ref(&c);
    struct tls_store *first = c.store;
    credentials_take_certs(&c, certs, NULL);
    CHECK(c.store != first && copy.store == first);
    CHECK(tls_store_find(copy.store, name) != NULL);

    char keys[160] = {1};
    int tickets = sealed(str_from(keys, sizeof keys));
    credentials_take_tickets(&c, tickets, NULL);
    CHECK(c.tickets != NULL && copy.tickets == NULL);
    credentials_unref(&copy);
    CHECK(copy.store == NULL);
    credentials_unref(&c);
    close(certs);
    close(tickets);
    text_wipe(&bundle);
    rig_cert_end(&cert);
}

static void what_arrives_damaged_changes_nothing(void)
{
    struct credentials c = {.store = tls_store_new()};
    struct tls_store *before = c.store;
    int fd = sealed(STR("neither a bundle nor keys"));
    credentials_take_certs(&c, fd, NULL);
    credentials_take_tickets(&c, fd, NULL);
    credentials_take_certs(&c, -1, NULL);
    credentials_take_tickets(&c, -1, NULL);
    CHECK(c.store == before);
    CHECK(c.tickets == NULL);
    credentials_unref(&c);
    close(fd);
}

TEST_MAIN(TEST(certificates_and_ticket_keys_are_taken_and_replaced),
          TEST(what_arrives_damaged_changes_nothing))
