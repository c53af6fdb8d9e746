// SPDX-License-Identifier: Apache-2.0
// Property: an accepted date lies in the years 0 to 9999 and comes back from its own text; so does
// every number of seconds that the input may be.
#include "base/assert.h"
#include "codec/date.h"

#define FIRST_S (-62167219200)
#define LAST_S 253402300799

static void check_round_trip(int64_t unix_s)
{
    char text[DATE_HTTP_BYTES];
    int64_t back;
    date_http(unix_s, text);
    ASSERT(date_http_parse(str_from(text, sizeof text), &back) == ERR_OK);
    ASSERT(back == MAX(FIRST_S, MIN(unix_s, LAST_S)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    int64_t unix_s;
    if (date_http_parse(in, &unix_s) == ERR_OK) {
        // A leap second at the very end is one second more.
        ASSERT(unix_s >= FIRST_S && unix_s <= LAST_S + 1);
        check_round_trip(unix_s);
    }
    if (size >= sizeof unix_s) {
        char clf[DATE_CLF_BYTES], iso[DATE_ISO_BYTES];
        memcpy(&unix_s, data, sizeof unix_s);
        check_round_trip(unix_s);
        date_clf(unix_s, clf);
        date_iso(unix_s, iso);
        ASSERT(clf[2] == '/' && clf[DATE_CLF_BYTES - 1] == '0');
        ASSERT(iso[4] == '-' && iso[DATE_ISO_BYTES - 1] == 'Z');
    }
    return 0;
}
