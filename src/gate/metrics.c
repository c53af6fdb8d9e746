// SPDX-License-Identifier: Apache-2.0
#include "gate/metrics.h"

#include "gate/metrics_priv.h"

static const struct {
    struct metric metric;
    metrics_item_fn *write;
} rows[] = {
#define X(fn, name_, type_, unit_, labels_, help_)                                                 \
    {                                                                                              \
        .metric = {.name = (name_),                                                                \
                   .type = METRIC_##type_,                                                         \
                   .unit = (unit_),                                                                \
                   .labels = (labels_),                                                            \
                   .help = (help_)},                                                               \
        .write = metrics_put_##fn,                                                                 \
    },
    METRICS_LIST(X)
#undef X
};

bool metrics_write(struct metrics_writer *w)
{
    if (w->row == ARRAY_LEN(rows)) {
        exposition_end(&w->out);
        return false;
    }
    const struct metric *m = &rows[w->row].metric;
    if (w->item == 0)
        exposition_head(&w->out, m);
    if (rows[w->row].write(w, m, w->item)) {
        w->item++;
        return true;
    }
    w->row++;
    w->item = 0;
    return true;
}

void metrics_print_reference(struct text *to)
{
    static const char *const types[] = {
#define X(id, name, text_name) name,
        METRIC_TYPE_LIST(X)
#undef X
    };
    text_put(to, STR("| metric | kind | labels | meaning |\n|---|---|---|---|\n"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct metric *m = &rows[i].metric;
        const char *suffix = m->type == METRIC_COUNTER ? "_total"
                             : m->type == METRIC_INFO  ? "_info"
                                                       : "";
        text_printf(to, "| `%s%s` | %s | %s | %s |\n", m->name, suffix, types[m->type], m->labels,
                    m->help);
    }
}
