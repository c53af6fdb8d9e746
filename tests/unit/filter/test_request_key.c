// SPDX-License-Identifier: Apache-2.0
#include "filter/request_key.h"

#include "unit/route/fixture.h"
#include "unit/test.h"

static struct request_key key_of(const char *const *parts, struct diags *diags)
{
    struct conf_text texts[16] = {{.text = STR_NONE}};
    struct conf_texts all = {.items = texts};
    while (parts[all.n]) {
        texts[all.n].text = str_of(parts[all.n]);
        all.n++;
    }
    struct request_key key;
    bool is_fine = request_key_parse(&all, diags, &key);
    CHECK_INT(is_fine, diags->n_errors == 0);
    return key;
}

struct one {
    const char *client, *method, *host, *path, *cookie, *token;
};

static uint64_t hash_of(const struct request_key *key, const struct one *r)
{
    struct fixture f;
    struct exchange *x = fixture_start(&f, r->method, r->host, r->path, NULL);
    CHECK_INT(ip_parse(str_of(r->client), &x->client), ERR_OK);
    if (r->cookie)
        fixture_field(&f, "Cookie", r->cookie);
    if (r->token)
        fixture_field(&f, "X-Api-Key", r->token);
    uint64_t hash = request_key_hash(key, x);
    fixture_end(&f);
    return hash;
}

static void a_key_tells_apart_what_it_names_and_nothing_else(void)
{
    static const struct {
        const char *parts[4];
        struct one a, b;
        bool are_equal;
    } cases[] = {
        {{"client-ip"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.1", "PUT", "b", "/x", 0, 0},
         true},
        {{"client-ip"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.2", "GET", "a", "/", 0, 0},
         false},
        {{"client-ip"},
         {"2001:db8::1", "GET", "a", "/", 0, 0},
         {"2001:db8::2", "GET", "a", "/", 0, 0},
         true},
        {{"client-ip"},
         {"2001:db8::1", "GET", "a", "/", 0, 0},
         {"2001:db8:0:1::1", "GET", "a", "/", 0, 0},
         false},
        {{"all"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.2", "PUT", "b", "/x", 0, 0},
         true},
        {{"host"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.1", "GET", "b", "/", 0, 0},
         false},
        {{"path"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.1", "GET", "a", "/x", 0, 0},
         false},
        {{"method"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.1", "PUT", "a", "/", 0, 0},
         false},
        {{"header:x-api-key"},
         {"192.0.2.1", "GET", "a", "/", 0, "1"},
         {"192.0.2.1", "GET", "a", "/", 0, "2"},
         false},
        {{"header:x-api-key"},
         {"192.0.2.1", "GET", "a", "/", 0, "1"},
         {"192.0.2.2", "GET", "a", "/", 0, "1"},
         true},
        {{"header:x-api-key"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.2", "GET", "a", "/", 0, 0},
         true},
        {{"cookie:id"},
         {"192.0.2.1", "GET", "a", "/", "x=1; id=2", 0},
         {"192.0.2.1", "GET", "a", "/", "id=2;x=3", 0},
         true},
        {{"cookie:id"},
         {"192.0.2.1", "GET", "a", "/", "x=1; id=2", 0},
         {"192.0.2.1", "GET", "a", "/", "id=1;x=1", 0},
         false},
        {{"cookie:id"},
         {"192.0.2.1", "GET", "a", "/", "xid=1", 0},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         true},
        {{"client-ip", "path"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.1", "GET", "b", "/", 0, 0},
         true},
        {{"client-ip", "path"},
         {"192.0.2.1", "GET", "a", "/", 0, 0},
         {"192.0.2.1", "GET", "a", "/x", 0, 0},
         false},
        // no two lists of values run together
        {{"host", "path"},
         {"192.0.2.1", "GET", "a", "/b", 0, 0},
         {"192.0.2.1", "GET", "a/", "b", 0, 0},
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags diags = {.n = 0};
        struct request_key key = key_of(cases[i].parts, &diags);
        key.v6_bits = 64;
        bool are_equal = hash_of(&key, &cases[i].a) == hash_of(&key, &cases[i].b);
        if (are_equal != cases[i].are_equal)
            printf("# case %zu\n", i);
        CHECK_INT(are_equal, cases[i].are_equal);
        diags_fini(&diags);
    }
}

static void a_prefix_that_ends_within_a_byte_counts_bit_by_bit(void)
{
    static const char *const parts[] = {"client-ip", NULL};
    struct diags diags = {.n = 0};
    struct request_key key = key_of(parts, &diags);
    key.v4_bits = 20;
    const struct one a = {"192.0.32.1", "GET", "a", "/", 0, 0},
                     b = {"192.0.47.9", "GET", "a", "/", 0, 0};
    const struct one c = {"192.0.48.1", "GET", "a", "/", 0, 0};
    CHECK(hash_of(&key, &a) == hash_of(&key, &b));
    CHECK(hash_of(&key, &a) != hash_of(&key, &c));
    diags_fini(&diags);
}

static void wrong_keys_are_refused(void)
{
    static const char *const cases[][10] = {
        {"ip"},         {"client-ip:x"},
        {"header"},     {"header:"},
        {"header:a b"}, {"cookie:"},
        {"host", ""},   {"all", "all", "all", "all", "all", "all", "all", "all", "all"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags diags = {.n = 0};
        (void)key_of(cases[i], &diags);
        CHECK_INT(diags.n_errors, 1);
        diags_fini(&diags);
    }
}

TEST_MAIN(TEST(a_key_tells_apart_what_it_names_and_nothing_else),
          TEST(a_prefix_that_ends_within_a_byte_counts_bit_by_bit), TEST(wrong_keys_are_refused))
