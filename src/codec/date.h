// SPDX-License-Identifier: Apache-2.0
// HTTP dates (RFC 9110 5.6.7), log dates, ISO 8601. UTC without the C library's time zones.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define DATE_HTTP_BYTES 29
// "Sun, 06 Nov 1994 08:49:37 GMT"
void date_http(int64_t unix_s, char ret[static DATE_HTTP_BYTES]);
// Any of the three forms that a recipient must accept.
enum err date_http_parse(struct str s, int64_t *ret_unix_s) MUST_CHECK;

#define DATE_CLF_BYTES 26
// "10/Oct/2000:13:55:36 +0000"
void date_clf(int64_t unix_s, char ret[static DATE_CLF_BYTES]);

#define DATE_ISO_BYTES 24
// "2026-11-21T14:00:00.123Z"
void date_iso(int64_t unix_ns, char ret[static DATE_ISO_BYTES]);
// The same of a time in whole seconds, which may be beyond what nanoseconds reach (year 2262).
void date_iso_s(int64_t unix_s, char ret[static DATE_ISO_BYTES]);
