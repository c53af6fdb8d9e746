// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt.h"
#include "unit/filter/asking.h"
#include "unit/filter/jws_vectors.h"
#include "unit/test.h"

#define SETTINGS "{ jwks-url: \"http://auth/certs\", headers: { X-User: sub } }"

static void start(struct asking *a, const char *yaml, const char *keys)
{
    static const struct exchange_ops ops;
    asking_start(a, &filter_jwt, yaml);
    a->auth.body = keys;
    a->x->ops = &ops;
}

// One more exchange with this token.
static unsigned serve(struct asking *a, const char *alg)
{
    fixture_end(&a->e);
    struct exchange *x = fixture_start(&a->e, "GET", "a.example", "/", NULL);
    static const struct exchange_ops ops;
    x->env = &a->env;
    x->entry = &a->entry;
    x->ops = &ops;
    for (size_t i = 0; i < ARRAY_LEN(jws_vectors); i++) {
        if (strcmp(jws_vectors[i].alg, alg) != 0)
            continue;
        struct str field = arena_printf(x->mem, "Bearer %s", jws_vectors[i].token);
        fixture_field(&a->e, "Authorization", field.ptr);
    }
    a->x = x;
    a->is_done = false;
    asking_serve(a);
    return x->resp.status;
}

static void keys_are_fetched_when_the_first_token_comes(void)
{
    struct asking a;
    start(&a, SETTINGS, jws_vector_keys);
    CHECK_INT(serve(&a, "ES256"), 200);
    CHECK(strncmp(a.auth.text, "GET auth/certs\nAccept: application/json\r\n", 41) == 0);
    CHECK_INT(serve(&a, "RS256"), 200);
    CHECK_INT(a.auth.n_asked, 1);
    CHECK_INT(serve(&a, "HS256"), 401); // a secret in a set isn't taken, and none is looked for
    CHECK_INT(a.auth.n_asked, 1);
    asking_end(&a);
}

static void a_key_that_is_not_there_is_looked_for_once(void)
{
    struct asking a;
    start(&a, SETTINGS,
          "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
          "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    CHECK_INT(serve(&a, "ES256"), 401);
    CHECK_INT(a.auth.n_asked, 2);
    a.auth.body = jws_vector_keys;
    CHECK_INT(serve(&a, "ES256"), 401); // too soon: anybody can name keys
    CHECK_INT(serve(&a, "PS512"), 401);
    CHECK_INT(a.auth.n_asked, 2);
    asking_end(&a);
}

static void what_is_no_set_is_a_503_for_all_and_not_asked_for_again_at_once(void)
{
    static const struct {
        unsigned status;
        const char *body;
    } cases[] = {{200, "nonsense"}, {200, "{\"keys\":[]}"}, {404, jws_vector_keys}, {0, NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asking a;
        start(&a, SETTINGS, cases[i].body);
        a.auth.status = cases[i].status;
        CHECK_INT(serve(&a, "ES256"), 503);
        CHECK_STR(headers_get(&a.x->resp.headers, FIELD_RETRY_AFTER), STR("1"));
        CHECK_INT(serve(&a, "ES256"), 503);
        CHECK_INT(a.auth.n_asked, 1);
        CHECK_INT(a.f.server.n_served, 0);
        asking_end(&a);
    }
}

static void who_has_waited_for_a_slow_failure_does_not_wait_for_another(void)
{
    struct asking a;
    start(&a, SETTINGS, jws_vector_keys);
    a.auth.status = 404;
    a.auth.delay_ms = JWT_KEYS_RETRY_MS + 50;
    CHECK_INT(serve(&a, "ES256"), 503);
    CHECK(a.auth.n_asked <= 2); // a stalled machine may have passed the pause
    asking_end(&a);
}

static void filters_of_the_same_url_share_their_keys(void)
{
    struct filter_states *states = filter_states_new();
    struct jwt_keys *a = jwt_keys_take(states, STR("http://a/x"));
    struct jwt_keys *b = jwt_keys_take(states, STR("http://a/x"));
    struct jwt_keys *c = jwt_keys_take(states, STR("http://a/y"));
    CHECK(a == b && a != c);
    jwt_keys_drop(a);
    jwt_keys_drop(b);
    jwt_keys_drop(c);
    filter_states_free(states);
}

TEST_MAIN(TEST(keys_are_fetched_when_the_first_token_comes),
          TEST(a_key_that_is_not_there_is_looked_for_once),
          TEST(what_is_no_set_is_a_503_for_all_and_not_asked_for_again_at_once),
          TEST(who_has_waited_for_a_slow_failure_does_not_wait_for_another),
          TEST(filters_of_the_same_url_share_their_keys))
