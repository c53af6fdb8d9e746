// SPDX-License-Identifier: Apache-2.0
#include "upstream/outcome.h"

#include "base/num.h"

static bool find_kind(struct str text, enum outcome *ret)
{
    static const char *const names[] = {
#define X(id, name) name,
        OUTCOME_LIST(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i] && str_eq(text, str_of(names[i]))) {
            *ret = (enum outcome)i;
            return true;
        }
    }
    return false;
}

static bool find_statuses(struct str text, unsigned *ret_first, unsigned *ret_last)
{
    size_t dash = str_find(text, '-');
    struct str first = dash == STR_NPOS ? text : str_first(text, dash);
    struct str last = dash == STR_NPOS ? text : str_skip(text, dash + 1);
    uint64_t a, b;
    if (num_dec(first, OUTCOME_STATUS_MAX, &a) != ERR_OK ||
        num_dec(last, OUTCOME_STATUS_MAX, &b) != ERR_OK || a < OUTCOME_STATUS_MIN || a > b)
        return false;
    *ret_first = (unsigned)a;
    *ret_last = (unsigned)b;
    return true;
}

static bool add(struct outcomes *set, struct str text)
{
    enum outcome kind;
    unsigned first, last;
    if (find_kind(text, &kind)) {
        set->kinds |= 1u << kind;
        return true;
    }
    if (!find_statuses(text, &first, &last))
        return false;
    for (unsigned i = first - OUTCOME_STATUS_MIN; i <= last - OUTCOME_STATUS_MIN; i++)
        set->statuses[i / 64] |= UINT64_C(1) << (i % 64);
    return true;
}

enum err outcomes_check(const struct conf_text *text, struct diags *diags)
{
    struct outcomes set = {.kinds = 0};
    if (add(&set, text->text))
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT
                     "' is no failure: allowed are connect, closed, timeout, malformed, "
                     "statuses from 400 to 599, and ranges of them such as 500-599",
                     STR_ARG(text->text));
}

enum err outcomes_parse(const struct conf_texts *texts, struct diags *diags, struct outcomes *ret)
{
    *ret = (struct outcomes){.kinds = 0};
    for (size_t i = 0; i < texts->n; i++) {
        if (!add(ret, texts->items[i].text))
            return outcomes_check(&texts->items[i], diags);
    }
    return ERR_OK;
}

bool outcomes_have(const struct outcomes *set, enum outcome o, unsigned status)
{
    if (o != OUTCOME_STATUS)
        return (set->kinds >> o & 1) != 0;
    if (status < OUTCOME_STATUS_MIN || status > OUTCOME_STATUS_MAX)
        return false;
    unsigned i = status - OUTCOME_STATUS_MIN;
    return (set->statuses[i / 64] >> (i % 64) & 1) != 0;
}
