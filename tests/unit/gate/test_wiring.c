// SPDX-License-Identifier: Apache-2.0
#include "gate/wiring.h"

#include "http/exchange.h"
#include "unit/test.h"

static void every_choice_of_the_settings_has_its_filter(void)
{
    size_t n = 0;
    for (; wiring_filter_choices[n]; n++) {
        const struct filter_type *type = wiring_filter(wiring_filter_choices[n]);
        CHECK(&type->choice == wiring_filter_choices[n]);
        CHECK(type->build != NULL);
    }
    CHECK(n > 0);
}

static void no_two_filters_share_a_key(void)
{
    for (size_t i = 0; wiring_filter_choices[i]; i++) {
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(wiring_filter_choices[i]->key, wiring_filter_choices[k]->key) != 0);
    }
}

static void some_filters_are_there_without_an_entry(void)
{
    CHECK(wiring_preset(STR("security-headers")) == &filter_security_headers);
    CHECK(wiring_preset(STR("respond")) == NULL);
    CHECK(wiring_preset(STR("")) == NULL);
}

static void a_route_without_a_service_answers_503(void)
{
    static struct exchange x;
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    x.mem = &mem;
    headers_init(&x.req.headers, &mem);
    headers_init(&x.resp.headers, &mem);
    CHECK_INT(handler_serve(&wiring_no_service, &x), ERR_OK);
    CHECK_INT(x.resp.status, 503);
    CHECK_INT(x.end, EXCHANGE_END_NO_SERVER);
    arena_fini(&mem);
}

TEST_MAIN(TEST(every_choice_of_the_settings_has_its_filter), TEST(no_two_filters_share_a_key),
          TEST(some_filters_are_there_without_an_entry),
          TEST(a_route_without_a_service_answers_503))
