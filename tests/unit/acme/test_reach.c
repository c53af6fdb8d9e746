// SPDX-License-Identifier: Apache-2.0
#include "acme/reach.h"

#include "unit/test.h"

static struct acme_reach reach_of(const char *directory, bool allow_http, struct arena *mem)
{
    struct acme_reach r;
    const char *why;
    arena_init(mem, 8192, NULL, 0);
    CHECK(acme_reach_init(&r, str_of(directory), allow_http, mem, &why));
    return r;
}

static void only_https_addresses_that_may_be_the_authoritys_are_followed(void)
{
    static const struct {
        const char *url;
        bool is_followed;
    } cases[] = {
        {"https://ca.example/acme/new", true},
        {"https://CA.example:8443/acme/new", true},
        {"https://other.example/x", true},
        {"http://ca.example/acme", false},
        {"file:///etc/passwd", false},
        {"ftp://ca.example/", false},
        {"gopher://ca.example/", false},
        {"https://127.0.0.1/", false},
        {"https://[::1]/", false},
        {"https://169.254.169.254/latest/meta-data", false},
        {"https://8.8.8.8/", false},
        {"https://localhost/", false},
        {"https://intranet/", false},
        {"https://user:pass@ca.example/", false},
        {"https://ca.example@evil.example/", false},
        {"https://ca.example/#x", false},
        {"https://ca.example/\r\nX: y", false},
        {"https://ca.example /", false},
        {"//ca.example/", false},
        {"/relative", false},
        {"", false},
    };
    struct arena mem;
    struct acme_reach r = reach_of("https://ca.example/dir", false, &mem);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = NULL;
        bool is_followed = acme_reach_check(&r, str_of(cases[i].url), &why);
        if (is_followed != cases[i].is_followed)
            printf("# %s\n", cases[i].url);
        CHECK(is_followed == cases[i].is_followed);
        CHECK(is_followed || why);
    }
    arena_fini(&mem);
}

static void http_is_for_loopback_alone_and_only_when_allowed(void)
{
    struct arena mem;
    const char *why;
    struct acme_reach r = reach_of("http://127.0.0.1:4000/dir", true, &mem);
    CHECK(acme_reach_check(&r, STR("http://127.0.0.1:4001/x"), &why));
    CHECK(acme_reach_check(&r, STR("https://other.example/x"), &why));
    CHECK(!acme_reach_check(&r, STR("http://other.example/x"), &why));
    CHECK(!acme_reach_check(&r, STR("http://10.0.0.1/x"), &why));
    CHECK(!acme_reach_init(&r, STR("http://127.0.0.1/dir"), false, &mem, &why));
    CHECK(!acme_reach_init(&r, STR("http://ca.example/dir"), true, &mem, &why));
    arena_fini(&mem);
}

static void other_hosts_are_found_at_public_addresses_alone(void)
{
    struct arena mem;
    struct ip inside, outside;
    CHECK_INT(ip_parse(STR("10.1.2.3"), &inside), ERR_OK);
    CHECK_INT(ip_parse(STR("93.184.216.34"), &outside), ERR_OK);
    struct acme_reach r = reach_of("https://ca.example/dir", false, &mem);
    CHECK(acme_reach_address(&r, STR("https://ca.example/dir"), &outside));
    CHECK(acme_reach_address(&r, STR("https://other.example/"), &outside));
    CHECK(!acme_reach_address(&r, STR("https://other.example/"), &inside));
    // A private authority may have several hosts of its own.
    CHECK(acme_reach_address(&r, STR("https://ca.example/dir"), &inside));
    CHECK(acme_reach_address(&r, STR("https://other.example/"), &inside));
    arena_fini(&mem);
}

static void internal_addresses_are_known(void)
{
    static const struct {
        const char *ip;
        bool is_internal;
    } cases[] = {
        {"127.0.0.1", true},
        {"10.0.0.1", true},
        {"172.31.255.255", true},
        {"172.32.0.1", false},
        {"192.168.1.1", true},
        {"169.254.169.254", true},
        {"100.64.0.1", true},
        {"0.0.0.0", true},
        {"255.255.255.255", true},
        {"224.0.0.1", true},
        {"8.8.8.8", false},
        {"1.1.1.1", false},
        {"::1", true},
        {"::", true},
        {"fe80::1", true},
        {"fd00::1", true},
        {"ff02::1", true},
        {"2606:4700::1111", false},
        {"::ffff:10.0.0.1", true},
        {"64:ff9b::a00:1", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip;
        CHECK_INT(ip_parse(str_of(cases[i].ip), &ip), ERR_OK);
        CHECK(acme_ip_is_internal(&ip) == cases[i].is_internal);
    }
}

TEST_MAIN(TEST(only_https_addresses_that_may_be_the_authoritys_are_followed),
          TEST(http_is_for_loopback_alone_and_only_when_allowed),
          TEST(other_hosts_are_found_at_public_addresses_alone), TEST(internal_addresses_are_known))
