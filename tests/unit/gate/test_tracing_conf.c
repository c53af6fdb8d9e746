// SPDX-License-Identifier: Apache-2.0
#include "gate/tracing_conf.h"

#include "unit/gate/built.h"

static void shares_are_in_percent(void)
{
    static const struct {
        const char *text;
        int64_t millionths; // -1: it is refused
    } cases[] = {
        {"100%", 1000000}, {"0%", 0},           {"10%", 100000}, {"0.05%", 500}, {"12.5%", 125000},
        {"0.0001%", 1},    {"100.0%", 1000000}, {"100.1%", -1},  {"101%", -1},   {"0.00001%", -1},
        {"1.%", -1},       {".5%", -1},         {"-1%", -1},     {"0.5", -1},    {"%", -1},
        {"", -1},          {"1e1%", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags diags = {.n = 0};
        const struct conf_text text = {.text = str_of(cases[i].text)};
        uint32_t share = 0;
        bool is_fine = tracing_parse_sample(&text, &diags, &share) == ERR_OK;
        if (is_fine != (cases[i].millionths >= 0))
            printf("# %s\n", cases[i].text);
        CHECK_INT(is_fine, cases[i].millionths >= 0);
        CHECK_INT(diags.n, !is_fine);
        if (is_fine)
            CHECK_INT(share, cases[i].millionths);
        diags_fini(&diags);
    }
}

static void spans_go_where_settings_say(void)
{
    struct built b = build("tracing: { to: 'http://10.0.0.1:4318/', sample: 5%, parents: all }\n");
    CHECK(b.s && b.s->tracing);
    if (b.s && b.s->tracing) {
        CHECK_STR(b.s->tracing->authority, STR("10.0.0.1:4318"));
        CHECK_STR(b.s->tracing->path, STR("/v1/traces"));
        CHECK_INT(b.s->tracing->sample, 50000);
        CHECK_INT(b.s->tracing->parents, TRACING_PARENTS_ALL);
    }
    end(&b);
    b = build("tracing: otel\nservices: { otel: { servers: [http://10.0.0.1:4318] } }\n");
    CHECK(b.s && b.s->tracing && str_eq(b.s->tracing->authority, STR("localhost")));
    end(&b);
    b = build("tracing: { sample: 1% }\n");
    CHECK(b.s && !b.s->tracing);
    end(&b);
}

static void what_is_wrong_is_told(void)
{
    static const char *const cases[] = {
        "tracing: nowhere\n",
        "tracing: tcp://10.0.0.1:1\n",
        "tracing: ping@internal\n",
        "tracing: { to: http://10.0.0.1, path: v1 }\n",
        "tracing: { to: http://10.0.0.1, path: '/a b' }\n",
        "tracing: { to: http://10.0.0.1, sample: 5 }\n",
        "tracing: { to: http://10.0.0.1, headers: { 'a b': c } }\n",
        "tracing: { to: http://10.0.0.1, headers: { Host: a } }\n",
        "tracing: { to: http://10.0.0.1, headers: { content-type: a } }\n",
        "tracing: { to: http://10.0.0.1, headers: { Content-Length: '1' } }\n",
        "tracing: { to: http://10.0.0.1, headers: { X-A: \"a\\tb\\nc\" } }\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i]);
        if (b.s)
            printf("# %s\n", cases[i]);
        CHECK(b.s == NULL && b.diags.n_errors == 1);
        end(&b);
    }
}

TEST_MAIN(TEST(shares_are_in_percent), TEST(spans_go_where_settings_say),
          TEST(what_is_wrong_is_told))
