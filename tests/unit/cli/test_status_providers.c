// SPDX-License-Identifier: Apache-2.0
#include "cli/status_providers.h"

#include "base/attr.h"
#include "unit/test.h"

static void put(const char *json, struct text *ret)
{
    json_t *status = json_loads(json, 0, NULL);
    *ret = (struct text){.ptr = NULL};
    status_providers_put(status, ret);
    json_decref(status);
}

static void without_a_provider_nothing_is_said(void)
{
    struct text t;
    put("{\"providers\": null}", &t);
    CHECK_STR(text_str(&t), STR(""));
    text_fini(&t);
}

static void the_engine_and_what_is_wrong_are_told(void)
{
    struct text t;
    put("{\"providers\": {\"docker\": {\"endpoint\": \"unix:///d.sock\", \"state\": \"following\", "
        "\"engine\": \"Docker 27\", \"api\": \"1.47\", \"error\": null, \"containers\": 1, "
        "\"labelled\": 1, \"beyond\": 0, \"problems\": [{\"severity\": \"error\", \"source\": "
        "\"container web, label sallyport.x\", \"container\": \"web\", \"text\": \"no\\u001bm\"}, "
        "{\"severity\": \"error\", \"source\": \"docker\", \"container\": \"ab12\", \"text\": "
        "\"too large\"}]}}}",
        &t);
    CHECK_STR(text_str(&t),
              STR("\ncontainers\n"
                  "  unix:///d.sock  following  Docker 27, API 1.47  1 container, 1 with labels "
                  "for us\n"
                  "  error: container web, label sallyport.x: no?m\n"
                  "  error: docker, container ab12: too large\n"));
    text_fini(&t);
}

static void an_engine_that_is_away_has_a_reason(void)
{
    struct text t;
    put("{\"providers\": {\"docker\": {\"endpoint\": \"tcp://h:1\", \"state\": \"away\", "
        "\"engine\": \"\", \"api\": \"\", \"error\": \"refused\", \"containers\": 2, "
        "\"labelled\": 0, \"beyond\": 3, \"problems\": []}}}",
        &t);
    CHECK_STR(text_str(&t),
              STR("\ncontainers\n"
                  "  tcp://h:1  away  2 containers, 0 with labels for us, 3 more that "
                  "aren't looked at\n"
                  "  the engine is away, and what was known stays in force: "
                  "refused\n"));
    text_fini(&t);
}

TEST_MAIN(TEST(without_a_provider_nothing_is_said), TEST(the_engine_and_what_is_wrong_are_told),
          TEST(an_engine_that_is_away_has_a_reason))
