// SPDX-License-Identifier: Apache-2.0
#include "http/request_key.h"

#include "base/hash.h"
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
    const char *client, *method, *host, *path, *cookie, *token, *query;
};

static uint64_t hash_of(const struct request_key *key, const struct one *r)
{
    struct fixture f;
    struct exchange *x = fixture_start(&f, r->method, r->host, r->path, r->query);
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
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.1", "PUT", "b", "/x", 0, 0, 0},
         true},
        {{"client-ip"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.2", "GET", "a", "/", 0, 0, 0},
         false},
        {{"client-ip"},
         {"2001:db8::1", "GET", "a", "/", 0, 0, 0},
         {"2001:db8::2", "GET", "a", "/", 0, 0, 0},
         true},
        {{"client-ip"},
         {"2001:db8::1", "GET", "a", "/", 0, 0, 0},
         {"2001:db8:0:1::1", "GET", "a", "/", 0, 0, 0},
         false},
        {{"all"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.2", "PUT", "b", "/x", 0, 0, 0},
         true},
        {{"host"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.1", "GET", "b", "/", 0, 0, 0},
         false},
        {{"path"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.1", "GET", "a", "/x", 0, 0, 0},
         false},
        {{"method"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.1", "PUT", "a", "/", 0, 0, 0},
         false},
        {{"header:x-api-key"},
         {"192.0.2.1", "GET", "a", "/", 0, "1", 0},
         {"192.0.2.1", "GET", "a", "/", 0, "2", 0},
         false},
        {{"header:x-api-key"},
         {"192.0.2.1", "GET", "a", "/", 0, "1", 0},
         {"192.0.2.2", "GET", "a", "/", 0, "1", 0},
         true},
        {{"header:x-api-key"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.2", "GET", "a", "/", 0, 0, 0},
         true},
        {{"cookie:id"},
         {"192.0.2.1", "GET", "a", "/", "x=1; id=2", 0, 0},
         {"192.0.2.1", "GET", "a", "/", "id=2;x=3", 0, 0},
         true},
        {{"cookie:id"},
         {"192.0.2.1", "GET", "a", "/", "x=1; id=2", 0, 0},
         {"192.0.2.1", "GET", "a", "/", "id=1;x=1", 0, 0},
         false},
        {{"cookie:id"},
         {"192.0.2.1", "GET", "a", "/", "xid=1", 0, 0},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         true},
        {{"client-ip", "path"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.1", "GET", "b", "/", 0, 0, 0},
         true},
        {{"client-ip", "path"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.1", "GET", "a", "/x", 0, 0, 0},
         false},
        {{"query"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, 0},
         {"192.0.2.1", "GET", "a", "/", 0, 0, "a=1"},
         false},
        {{"query:id"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, "x=1&id=7"},
         {"192.0.2.1", "GET", "a", "/y", 0, 0, "id=7&x=2&id=8"},
         true},
        {{"query:id"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, "id=7"},
         {"192.0.2.1", "GET", "a", "/", 0, 0, "id=8"},
         false},
        // no two lists of values run together
        {{"host", "path"},
         {"192.0.2.1", "GET", "a", "/b", 0, 0, 0},
         {"192.0.2.1", "GET", "a/", "b", 0, 0, 0},
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
    const struct one a = {"192.0.32.1", "GET", "a", "/", 0, 0, 0},
                     b = {"192.0.47.9", "GET", "a", "/", 0, 0, 0};
    const struct one c = {"192.0.48.1", "GET", "a", "/", 0, 0, 0};
    CHECK(hash_of(&key, &a) == hash_of(&key, &b));
    CHECK(hash_of(&key, &a) != hash_of(&key, &c));
    diags_fini(&diags);
}

static void wrong_keys_are_refused(void)
{
    static const char *const cases[][10] = {
        {"ip"},
        {"client-ip:x"},
        {"header"},
        {"header:"},
        {"header:a b"},
        {"cookie:"},
        {"query:"},
        {"host", ""},
        {"all", "all", "all", "all", "all", "all", "all", "all", "all"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags diags = {.n = 0};
        (void)key_of(cases[i], &diags);
        CHECK_INT(diags.n_errors, 1);
        diags_fini(&diags);
    }
}

static void a_lasting_hash_knows_when_there_is_no_key(void)
{
    static const char *const parts[] = {"cookie:id", "query:id", NULL};
    struct diags diags = {.n = 0};
    struct request_key key = key_of(parts, &diags);
    static const struct {
        const char *cookie, *query;
        bool has_key;
    } cases[] = {{NULL, NULL, false},
                 {"id=", "x=1", false},
                 {"id=7", NULL, true},
                 {"a=1; id=7", "id=3", true},
                 {NULL, "id=3", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct exchange *x = fixture_start(&f, "GET", "a", "/", cases[i].query);
        if (cases[i].cookie)
            fixture_field(&f, "Cookie", cases[i].cookie);
        uint64_t hash, again;
        CHECK_INT(request_key_hash_lasting(&key, x, &hash), cases[i].has_key);
        hash_seed((struct hash_key){.k0 = i + 1, .k1 = i + 2}); // as another process
        (void)request_key_hash_lasting(&key, x, &again);
        CHECK(hash == again);
        fixture_end(&f);
    }
    diags_fini(&diags);
}

TEST_MAIN(TEST(a_key_tells_apart_what_it_names_and_nothing_else),
          TEST(a_prefix_that_ends_within_a_byte_counts_bit_by_bit), TEST(wrong_keys_are_refused),
          TEST(a_lasting_hash_knows_when_there_is_no_key))
