// SPDX-License-Identifier: Apache-2.0
#include "gate/metrics_conf.h"

#include "gate/settings.h"

static const char *const durations_names[] = {
#define X(id, name) name,
    METRICS_DURATIONS_LIST(X)
#undef X
        NULL,
};

static enum err check_listen(const struct conf_text *text, struct diags *diags)
{
    struct listen_addr ignored;
    return listen_parse(text, diags, &ignored);
}

static const struct conf_item items[] = {
    ITEM_TEXT(metrics_conf, listen, "listen", .since = "0.1", .apply = CONF_LIVE,
              .format = "[ADDRESS]:PORT", .example = "\"127.0.0.1:9100\"",
              .check_text = check_listen,
              .doc = "An entrypoint called `metrics` at this address, where `/metrics` is answered "
                     "and nothing else is. By default there is none; a route to "
                     "`metrics@internal` serves them at any other."),
    ITEM_TEXTS(metrics_conf, from, "from", .since = "0.1", .apply = CONF_LIVE,
               .format = "addresses, networks, names of lists", .example = "[10.0.0.0/8]",
               .doc = "Who may ask there; others get 403. By default this machine alone "
                      "(127.0.0.0/8 and ::1), whatever `listen` says."),
    ITEM_ENUM(metrics_conf, durations, "durations", .names = durations_names, .def = "route",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "Histograms of durations have 22 lines each: one for each `route` that has "
                     "served something, beside that of all; or only the `total`, for thousands of "
                     "routes."),
};

const struct conf_section metrics_section = {
    .name = "metrics",
    .doc = "Numbers for Prometheus: what `metrics@internal` tells, and where.",
    CONF_SECTION_OF(metrics_conf, items),
    .shorthand = "listen",
    .place_offset = CONF_PLACE_AT(metrics_conf, place),
};
