// SPDX-License-Identifier: Apache-2.0
// Set-Cookie of any text: what is forced is there afterwards, once, and a second pass changes
// nothing. The text up to ';' stays as it is.
#include <stdlib.h>

#include "filter/common.h"
#include "unit/filter/fixture.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct filter_fixture filter;
static char value[4096];
static const char *const fields[] = {"Set-Cookie", value, NULL};

static struct str pass(struct fixture *e, struct str cookie)
{
    memcpy(value, cookie.ptr, cookie.len);
    value[cookie.len] = '\0';
    struct exchange *x = fixture_start(e, "GET", "a.example", "/", NULL);
    MUST(handler_serve(filter.filter, x) == ERR_OK && x->resp.status == 200);
    return headers_get(&x->resp.headers, FIELD_SET_COOKIE);
}

static unsigned count(struct str cookie, struct str wanted)
{
    unsigned n = 0;
    struct str one;
    str_cut(cookie, ';', NULL, &cookie);
    while (cookie.len > 0) {
        str_cut(cookie, ';', &one, &cookie);
        str_cut(one, '=', &one, NULL);
        n += str_ieq(str_trim(one), wanted);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!filter.filter) {
        filter_start(&filter, &filter_cookies,
                     "{ secure: always, http-only: yes, same-site: Strict, paths: { /in: /out }, "
                     "domains: { in.test: out.test } }",
                     NULL);
        filter.server.fields = fields;
    }
    struct str cookie = str_from((const char *)data, size);
    // What can't stand in a field doesn't come here, nor what is longer than a head.
    if (size == 0 || size > 1000 || filter_value_fault(cookie))
        return 0;
    struct fixture first, second;
    struct str once = pass(&first, cookie), pair, kept;
    MUST(count(once, STR("Secure")) == 1 && count(once, STR("HttpOnly")) == 1);
    MUST(count(once, STR("SameSite")) == 1 && count(once, STR("Path")) <= 1);
    MUST(str_ends(once, STR("; SameSite=Strict")) && count(once, STR("Domain")) <= 1);
    str_cut(cookie, ';', &pair, NULL);
    str_cut(once, ';', &kept, NULL);
    MUST(str_eq(pair, kept));
    MUST(filter_value_fault(str_skip(once, kept.len)) == NULL);
    struct str twice = pass(&second, once);
    MUST(str_eq(once, twice));
    fixture_end(&first);
    fixture_end(&second);
    return 0;
}
