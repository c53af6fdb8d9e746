// SPDX-License-Identifier: Apache-2.0
#include "cli/answer.h"

#include <limits.h>
#include <string.h>

static unsigned number_of(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 && n <= UINT_MAX ? (unsigned)n : 0;
}

void answer_diags(const json_t *answer, struct diags *ret)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(answer, "diagnostics"), i, item)
    {
        const char *severity = json_string_value(json_object_get(item, "severity"));
        const char *text = json_string_value(json_object_get(item, "text"));
        const char *source = json_string_value(json_object_get(item, "source"));
        struct place place = {
            .source = source && source[0] != '\0' ? source : NULL,
            .line = number_of(item, "line"),
            .column = number_of(item, "column"),
        };
        if (severity && strcmp(severity, "warning") == 0)
            diag_warn(ret, place, "%s", text ? text : "");
        else
            diag_fail(ret, ERR_SYNTAX, place, "%s", text ? text : "");
    }
}
