// SPDX-License-Identifier: Apache-2.0
#include "filter/geo.h"

#include "unit/codec/mmdb_image.h"
#include "unit/test.h"

static struct ip ip_of(const char *text)
{
    struct ip ip;
    if (ip_parse(str_of(text), &ip) != ERR_OK)
        abort();
    return ip;
}

static void an_address_has_a_country_and_a_system(void)
{
    struct mmdb_image m;
    struct geo geo;
    struct diags diags = {.n = 0};
    image_make(&m, "192.0.2.0/24", 28, 6);
    struct conf_file file = {.content = str_from(m.bytes, m.n), .is_set = true};
    CHECK(geo_build(&(struct geo_conf){.country = file, .asn = file}, &diags, &geo));
    struct ip inside = ip_of("192.0.2.7"), outside = ip_of("198.51.100.1");
    CHECK_STR(geo_country(&geo, &inside), STR("DE"));
    CHECK_INT(geo_asn(&geo, &inside), 64496);
    CHECK_INT(geo_country(&geo, &outside).len, 0);
    CHECK_INT(geo_asn(&geo, &outside), 0);
    diags_fini(&diags);
}

static void without_databases_nothing_is_known(void)
{
    struct geo geo;
    struct diags diags = {.n = 0};
    struct ip ip = ip_of("192.0.2.7");
    CHECK(geo_build(&(struct geo_conf){.country = {.is_set = false}}, &diags, &geo));
    CHECK(!geo.has_country && !geo.has_asn);
    CHECK_INT(geo_country(&geo, &ip).len, 0);
    CHECK_INT(geo_asn(&geo, &ip), 0);
    diags_fini(&diags);
}

static void a_file_that_is_no_database_is_an_error_that_names_it(void)
{
    struct geo geo;
    struct diags diags = {.n = 0};
    struct conf_file file = {.path = STR("a.mmdb"), .content = STR("a text"), .is_set = true};
    CHECK(!geo_build(&(struct geo_conf){.asn = file}, &diags, &geo));
    CHECK_INT(diags.n_errors, 1);
    char line[200];
    CHECK(str_search(diag_text(&diags.items[0], line, sizeof line),
                     STR("a.mmdb: it is no MaxMind database")) != STR_NPOS);
    diags_fini(&diags);
}

TEST_MAIN(TEST(an_address_has_a_country_and_a_system), TEST(without_databases_nothing_is_known),
          TEST(a_file_that_is_no_database_is_an_error_that_names_it))
