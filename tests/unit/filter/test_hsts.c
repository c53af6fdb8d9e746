// SPDX-License-Identifier: Apache-2.0
#include "tls/info.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"

// What an answer says of Strict-Transport-Security.
static void check(const struct tls_info *tls, const char *const *server_fields,
                  const char *expected)
{
    struct filter_fixture f = {.server.handler.type = &mock_type, .server.fields = server_fields};
    struct fixture e;
    arena_init(&f.mem, 1 << 20, NULL, 0);
    const struct filter_env env = {.mem = &f.mem, .diags = &f.diags};
    struct handler *h = filter_hsts(STR("max-age=31536000"), &f.server.handler, &env);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    x->tls = tls;
    CHECK(h != NULL);
    CHECK_INT(handler_serve(h, x), ERR_OK);
    CHECK_STR(headers_get(&x->resp.headers, FIELD_STRICT_TRANSPORT_SECURITY), str_of(expected));
    fixture_end(&e);
    arena_fini(&f.mem);
}

static void it_is_promised_over_tls_with_a_public_certificate(void)
{
    check(&(struct tls_info){.version = 0x0304}, NULL, "max-age=31536000");
}

static void it_is_not_promised_over_plain_http(void)
{
    check(NULL, NULL, NULL);
}

static void it_is_not_promised_with_a_certificate_of_the_local_ca(void)
{
    check(&(struct tls_info){.is_local_ca = true}, NULL, NULL);
}

static void it_takes_the_place_of_the_servers(void)
{
    static const char *const fields[] = {"Strict-Transport-Security", "max-age=0", NULL};
    check(&(struct tls_info){.version = 0x0304}, fields, "max-age=31536000");
}

TEST_MAIN(TEST(it_is_promised_over_tls_with_a_public_certificate),
          TEST(it_is_not_promised_over_plain_http),
          TEST(it_is_not_promised_with_a_certificate_of_the_local_ca),
          TEST(it_takes_the_place_of_the_servers))
