// SPDX-License-Identifier: Apache-2.0
// Traefik's log and accessLog.
#include "dialect/traefik_static_priv.h"

// --- tables ---

static const struct conf_item log_items[] = {
    ITEM_TEXT(traefik_log_conf, level, "level", .def = "ERROR"),
    ITEM_TEXT(traefik_log_conf, format, "format", .def = "common"),
    ITEM_TEXT(traefik_log_conf, path, "filePath"),
    ITEM_BOOL(traefik_log_conf, no_color, "noColor"), // there is none
};

const struct conf_section traefik_log_section = {
    .name = "log",
    CONF_SECTION_OF(traefik_log_conf, log_items),
};

static const struct conf_item access_items[] = {
    ITEM_TEXT(traefik_access_conf, path, "filePath"),
    ITEM_TEXT(traefik_access_conf, format, "format", .def = "common"),
    ITEM_UINT(traefik_access_conf, buffering, "bufferingSize"),
};

const struct conf_section traefik_access_section = {
    .name = "accessLog",
    CONF_SECTION_OF(traefik_access_conf, access_items),
};

// --- settings ---

// The level of ours that says as much.
void static_put_log(struct static_conv *s, const struct traefik_log_conf *l, struct place place)
{
    static const struct {
        struct str name, twin;
    } levels[] = {{STR_INIT("TRACE"), STR_INIT("debug")}, {STR_INIT("DEBUG"), STR_INIT("debug")},
                  {STR_INIT("INFO"), STR_INIT("info")},   {STR_INIT("WARN"), STR_INIT("warn")},
                  {STR_INIT("ERROR"), STR_INIT("error")}, {STR_INIT("FATAL"), STR_INIT("error")},
                  {STR_INIT("PANIC"), STR_INIT("error")}};
    struct conf_node *log = traefik_map(&s->out, s->ret->root, "log", place);
    struct str level = l->is_on ? l->level.text : STR("ERROR");
    size_t i = 0;
    while (i < ARRAY_LEN(levels) && !str_ieq(level, levels[i].name))
        i++;
    if (i == ARRAY_LEN(levels))
        static_fail(s, l->level.place,
                    "log.level: '" STR_FMT "' is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL "
                    "and PANIC",
                    STR_ARG(level));
    else
        traefik_set(&s->out, log, "level", levels[i].twin, place);
    if (str_ieq(l->format.text, STR("json")))
        traefik_set(&s->out, log, "format", STR("json"), place);
    else if (l->is_on && !str_ieq(l->format.text, STR("common")))
        static_fail(s, l->format.place, "log.format: common or json");
    if (l->path.text.len > 0)
        traefik_set(&s->out, log, "path", l->path.text, l->path.place);
}

void static_put_access(struct static_conv *s, const struct traefik_access_conf *a,
                       struct place place)
{
    // As Traefik's common format, but for the number of requests, which nobody knows here.
    static const char format[] =
        "{client} - {user} [{date}] \"{request}\" {status} {bytes-out} \"{referer}\" "
        "\"{user-agent}\" - \"{route}\" \"{server}\" {ms-total}ms";
    if (!a->is_on) {
        traefik_set(&s->out, s->ret->root, "access-log", STR("off"), place);
        return;
    }
    struct conf_node *log = traefik_map(&s->out, s->ret->root, "access-log", place);
    if (a->path.text.len > 0)
        traefik_set(&s->out, log, "path", a->path.text, a->path.place);
    if (str_ieq(a->format.text, STR("json")))
        traefik_set(&s->out, log, "format", STR("json"), place);
    else if (str_ieq(a->format.text, STR("genericCLF")))
        traefik_set(&s->out, log, "format", STR("combined"), place);
    else if (str_ieq(a->format.text, STR("common")))
        traefik_set(&s->out, log, "format", str_of(format), place);
    else
        static_fail(s, a->format.place, "accessLog.format: common, genericCLF or json");
}
