// SPDX-License-Identifier: Apache-2.0
#include "filter/statuses.h"

#include "base/num.h"

static bool parse_one(struct str s, uint64_t *ret)
{
    return num_dec(s, STATUSES_FIRST + STATUSES_N - 1, ret) == ERR_OK && *ret >= STATUSES_FIRST;
}

enum err statuses_parse(const struct conf_texts *texts, struct diags *diags, struct statuses *ret)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < texts->n; i++) {
        const struct conf_text *t = &texts->items[i];
        struct str head, tail;
        uint64_t first, last;
        bool is_range = str_cut(t->text, '-', &head, &tail);
        if (!parse_one(head, &first) || !parse_one(is_range ? tail : head, &last) || first > last) {
            err = diag_fail(diags, ERR_SYNTAX, t->place,
                            "'" STR_FMT "' is no status from %d to %d, and no range of them such "
                            "as 500-504",
                            STR_ARG(t->text), STATUSES_FIRST, STATUSES_FIRST + STATUSES_N - 1);
            continue;
        }
        for (uint64_t status = first; status <= last; status++)
            ret->has[status - STATUSES_FIRST] = true;
    }
    return err;
}
