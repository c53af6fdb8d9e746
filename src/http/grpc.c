// SPDX-License-Identifier: Apache-2.0
#include "http/grpc.h"

#include "base/ascii.h"
#include "base/num.h"

#define TIMEOUT_DIGITS_MAX 8

bool grpc_is(const struct exchange *x)
{
    struct str type = headers_get(&x->req.headers, FIELD_CONTENT_TYPE);
    struct str own = STR("application/grpc");
    if (!str_istarts(type, own))
        return false;
    struct str rest = str_skip(type, own.len);
    return rest.len == 0 || memchr("+; \t", *rest.ptr, 4) != NULL;
}

// ns in one of the unit; 0: there is no such unit.
static int64_t unit_ns(char unit)
{
    switch (unit) {
    case 'H':
        return INT64_C(3600000000000);
    case 'M':
        return INT64_C(60000000000);
    case 'S':
        return INT64_C(1000000000);
    case 'm':
        return 1000000;
    case 'u':
        return 1000;
    case 'n':
        return 1;
    }
    return 0;
}

int64_t grpc_timeout_ms(const struct exchange *x)
{
    const struct field *f = headers_find_named(&x->req.headers, STR("grpc-timeout"));
    if (!f || f->value.len < 2 || f->value.len > TIMEOUT_DIGITS_MAX + 1)
        return -1;
    uint64_t n;
    int64_t unit = unit_ns(f->value.ptr[f->value.len - 1]);
    if (unit == 0 || num_dec(str_first(f->value, f->value.len - 1), UINT32_MAX, &n) != ERR_OK)
        return -1;
    // 8 digits of hours are more ns than fit.
    return unit >= 1000000 ? (int64_t)n * (unit / 1000000) : ((int64_t)n * unit + 999999) / 1000000;
}

unsigned grpc_status_of(unsigned http_status)
{
    // As clients themselves would take the HTTP status, but for what a proxy knows better.
    switch (http_status) {
    case 400:
        return 13; // INTERNAL
    case 401:
        return 16; // UNAUTHENTICATED
    case 403:
        return 7; // PERMISSION_DENIED
    case 404:
        return 12; // UNIMPLEMENTED
    case 408:
    case 504:
        return 4; // DEADLINE_EXCEEDED
    case 413:
    case 431:
        return 8; // RESOURCE_EXHAUSTED
    case 429:
    case 502:
    case 503:
        return 14; // UNAVAILABLE
    }
    return 2; // UNKNOWN
}

bool grpc_fail(struct exchange *x, unsigned http_status)
{
    struct headers *h = &x->resp.headers;
    struct str id = x->request_id.len > 0 ? x->request_id : STR("-");
    struct str code = arena_printf(x->mem, "%u", grpc_status_of(http_status));
    struct str message = arena_printf(x->mem, "%u %s, request " STR_FMT, http_status,
                                      http_reason(http_status), STR_ARG(id));
    return code.ptr && message.ptr &&
           headers_add(h, FIELD_CONTENT_TYPE, STR("application/grpc")) == ERR_OK &&
           headers_add_named(h, STR("grpc-status"), code) == ERR_OK &&
           headers_add_named(h, STR("grpc-message"), message) == ERR_OK;
}
