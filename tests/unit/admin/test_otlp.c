// SPDX-License-Identifier: Apache-2.0
// jansson reads what is written.
#include "admin/otlp.h"

#include <jansson.h>

#include "unit/test.h"

static json_t *written(const struct otlp_span *spans, size_t n)
{
    struct text t = {.ptr = NULL};
    otlp_put_head(STR("na\"me"), STR("0.1"), &t);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            text_byte(&t, ',');
        otlp_put_span(&spans[i], &t);
    }
    otlp_put_tail(&t);
    json_t *json = json_loadb(t.ptr, t.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        printf("# " STR_FMT "\n", STR_ARG(text_str(&t)));
    CHECK(json != NULL);
    text_fini(&t);
    return json;
}

static const json_t *spans_of(const json_t *json)
{
    const json_t *resource = json_array_get(json_object_get(json, "resourceSpans"), 0);
    const json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
    return json_object_get(scope, "spans");
}

// The value of an attribute, or "".
static const char *attribute(const json_t *span, const char *key)
{
    const json_t *list = json_object_get(span, "attributes");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        const json_t *value = json_object_get(a, "value");
        if (strcmp(json_string_value(json_object_get(a, "key")), key) != 0)
            continue;
        const json_t *text = json_object_get(value, "stringValue");
        return json_string_value(text ? text : json_object_get(value, "intValue"));
    }
    return "";
}

static void a_span_has_what_is_known(void)
{
    const struct otlp_span spans[] = {
        {
            .self = {.trace = {1, 0xab}, .span = {2}},
            .kind = OTLP_SERVER,
            .parent = {3},
            .has_parent = true,
            .is_failed = true,
            .from_ns = 1500000000000000001,
            .until_ns = 1500000000000000009,
            .method = STR("GET"),
            .path = STR("/\"\xff"),
            .host = STR("a.example"),
            .port = 8443,
            .status = 502,
            .error = STR("server-gone"),
            .route = STR("r"),
            .tries = 2,
        },
        {.self = {.trace = {4}, .span = {5}}, .kind = OTLP_CLIENT, .method = STR("_OTHER")},
        {.self = {.trace = {4}, .span = {6}}, .kind = OTLP_CLIENT, .n_before = 1},
    };
    json_t *json = written(spans, ARRAY_LEN(spans));
    const json_t *list = spans_of(json), *a = json_array_get(list, 0), *b = json_array_get(list, 1);
    CHECK_INT(json_array_size(list), 3);
    const char *trace, *span, *parent, *from, *until, *name;
    int kind, code;
    CHECK_INT(json_unpack((json_t *)(uintptr_t)a, "{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:{s:i}}",
                          "traceId", &trace, "spanId", &span, "parentSpanId", &parent,
                          "startTimeUnixNano", &from, "endTimeUnixNano", &until, "name", &name,
                          "kind", &kind, "status", "code", &code),
              0);
    CHECK_STR(str_of(trace), STR("01ab0000000000000000000000000000"));
    CHECK_STR(str_of(span), STR("0200000000000000"));
    CHECK_STR(str_of(parent), STR("0300000000000000"));
    CHECK_STR(str_of(from), STR("1500000000000000001"));
    CHECK_STR(str_of(until), STR("1500000000000000009"));
    CHECK_STR(str_of(name), STR("GET"));
    CHECK_INT(kind, 2);
    CHECK_INT(code, 2);
    CHECK_STR(str_of(attribute(a, "url.path")), STR("/\"\xef\xbf\xbd"));
    CHECK_STR(str_of(attribute(a, "server.port")), STR("8443"));
    CHECK_STR(str_of(attribute(a, "http.response.status_code")), STR("502"));
    CHECK_STR(str_of(attribute(a, "error.type")), STR("server-gone"));
    CHECK_STR(str_of(attribute(a, "sallyport.tries")), STR("2"));
    CHECK(json_object_get(b, "parentSpanId") == NULL);
    CHECK_INT(json_integer_value(json_object_get(b, "kind")), 3);
    CHECK_STR(str_of(attribute(json_array_get(list, 2), "http.request.resend_count")), STR("1"));
    CHECK_INT(json_array_size(json_object_get(b, "attributes")), 1);
    CHECK_INT(json_object_size(json_object_get(b, "status")), 0);
    json_decref(json);
}

static void what_clients_say_makes_no_span_long(void)
{
    static char long_text[64 * 1024];
    memset(long_text, 0xff, sizeof long_text);
    const struct str s = {long_text, sizeof long_text};
    struct text t = {.ptr = NULL};
    otlp_put_span(
        &(struct otlp_span){
            .method = STR("GET"), .host = s, .path = s, .user_agent = s, .error = STR("none")},
        &t);
    CHECK(t.len < 12 * 1024);
    text_fini(&t);
}

TEST_MAIN(TEST(a_span_has_what_is_known), TEST(what_clients_say_makes_no_span_long))
