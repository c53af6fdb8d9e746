// SPDX-License-Identifier: Apache-2.0
#include "http/status.h"

#include "base/attr.h"

static const char *const reasons[] = {
#define X(status, text) [status] = (text),
    HTTP_STATUS_LIST(X)
#undef X
};

static const struct str lines[] = {
#define X(status, text) [status] = STR_INIT("HTTP/1.1 " #status " " text "\r\n"),
    HTTP_STATUS_LIST(X)
#undef X
};

const char *http_reason(unsigned status)
{
    return status < ARRAY_LEN(reasons) && reasons[status] ? reasons[status] : "";
}

struct str http_status_line(unsigned status)
{
    return status < ARRAY_LEN(lines) ? lines[status] : STR_NONE;
}
