// SPDX-License-Identifier: Apache-2.0
#include "gate/log_conf.h"

#include "base/num.h"
#include "gate/access_log.h"
#include "rt/log.h"

#define SYSLOG_PORT 514
#define SYSLOG_PATH "/dev/log"
#define JOURNAL_PATH "/run/systemd/journal/socket"

static const char *const level_names[] = {
#define X(id, text) text,
    LOG_LEVEL_LIST(X)
#undef X
        NULL,
};

static const char *const format_names[] = {"text", "json", NULL};

// In the order of their numbers (RFC 5424 6.2.1).
static const char *const facility_names[] = {
    "kern",   "user",     "mail",   "daemon", "auth",   "syslog", "lpr",   "news",   "uucp",
    "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock", "local0", "local1",
    "local2", "local3",   "local4", "local5", "local6", "local7", NULL,
};

static enum err fail_place(const struct conf_text *text, struct diags *diags)
{
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is no place for a log; allowed are -, a file's path, syslog, "
                     "syslog:unix:/PATH, syslog:udp://HOST:PORT, syslog:tcp://HOST:PORT, journald, "
                     "journald:/PATH",
                     STR_ARG(text->text));
}

// "HOST", "HOST:PORT", "[IPV6]:PORT"
static bool parse_host(struct str s, struct log_place *ret)
{
    struct str tail;
    bool has_port;
    if (!str_starts(s, STR("["))) {
        has_port = str_cut(s, ':', &ret->host, &tail);
    } else if (str_cut(str_skip(s, 1), ']', &ret->host, &tail)) {
        has_port = str_starts(tail, STR(":"));
        if (tail.len > 0 && !has_port)
            return false;
        tail = str_skip(tail, 1);
    } else {
        return false;
    }
    uint64_t port = SYSLOG_PORT;
    if (has_port && (num_dec(tail, 65535, &port) != ERR_OK || port == 0))
        return false;
    ret->port = (uint16_t)port;
    return ret->host.len > 0;
}

static bool parse_socket(struct str s, enum log_place_kind kind, struct log_place *ret)
{
    struct rt_addr ignored;
    ret->kind = kind;
    ret->path = s;
    return s.len > 0 && s.ptr[0] == '/' && addr_from_path(s, &ignored);
}

static bool parse_syslog(struct str s, struct log_place *ret)
{
    ret->kind = str_starts(s, STR("tcp:")) ? LOG_PLACE_TCP : LOG_PLACE_UDP;
    if (str_starts(s, STR("unix:")))
        return parse_socket(str_skip(s, 5), LOG_PLACE_UNIX, ret);
    if (str_starts(s, STR("udp://")) || str_starts(s, STR("tcp://")))
        return parse_host(str_skip(s, 6), ret);
    return false;
}

enum err log_place_parse(const struct conf_text *text, struct diags *diags, struct log_place *ret)
{
    struct str s = text->text;
    struct log_place place = {.kind = LOG_PLACE_FILE, .path = s};
    bool is_fine = s.len > 0;
    if (str_eq(s, STR("-")))
        place.kind = LOG_PLACE_STANDARD;
    else if (str_eq(s, STR("syslog")))
        is_fine = parse_socket(STR(SYSLOG_PATH), LOG_PLACE_UNIX, &place);
    else if (str_eq(s, STR("journald")))
        is_fine = parse_socket(STR(JOURNAL_PATH), LOG_PLACE_JOURNAL, &place);
    else if (str_starts(s, STR("syslog:")))
        is_fine = parse_syslog(str_skip(s, 7), &place);
    else if (str_starts(s, STR("journald:")))
        is_fine = parse_socket(str_skip(s, 9), LOG_PLACE_JOURNAL, &place);
    if (!is_fine)
        return fail_place(text, diags);
    *ret = place;
    return ERR_OK;
}

static enum err check_place(const struct conf_text *text, struct diags *diags)
{
    struct log_place ignored;
    return log_place_parse(text, diags, &ignored);
}

#define PLACE_FORMAT                                                                               \
    "-, a file, syslog, syslog:unix:/PATH, syslog:udp://HOST:PORT, syslog:tcp://HOST:PORT or "     \
    "journald"

static const struct conf_item log_items[] = {
    ITEM_TEXT(log_conf, path, "path", .def = "-", .since = "0.1", .apply = CONF_LIVE,
              .format = PLACE_FORMAT, .example = "syslog:udp://192.0.2.7:514",
              .check_text = check_place,
              .doc = "Where the lines go; `-` is standard error. The keeper opens a file and "
                     "resolves a host name; the directory must exist."),
    ITEM_ENUM(log_conf, facility, "facility", .names = facility_names, .def = "daemon",
              .since = "0.1", .apply = CONF_LIVE, .doc = "The facility for syslog and journald."),
    ITEM_ENUM(log_conf, level, "level", .names = level_names, .def = "info", .since = "0.1",
              .apply = CONF_LIVE, .doc = "The least urgent kind of message that is written."),
    ITEM_ENUM(log_conf, format, "format", .names = format_names, .def = "text", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "One line of text per message, or one JSON object per line."),
    ITEM_UINT(log_conf, repeats, "repeats", .def = "50", .max = "1000000", .since = "0.1",
              .apply = CONF_LIVE,
              .doc =
                  "How many warnings or errors of one kind each thread may write in ten seconds; "
                  "how many more there were is said in one line. 0: no limit."),
};

const struct conf_section log_section = {
    .name = "log",
    .doc = "The error log: what the processes have to say.",
    CONF_SECTION_OF(log_conf, log_items),
    .place_offset = CONF_NO_PLACE,
};

static const struct conf_item access_log_items[] = {
    ITEM_TEXT(access_log_conf, path, "path", .def = "-", .since = "0.1", .apply = CONF_LIVE,
              .format = PLACE_FORMAT, .example = "/var/log/sallyport/access.log",
              .check_text = check_place,
              .doc = "Where the lines go; `-` is standard output. The keeper opens a file and "
                     "resolves a host name; the directory must exist."),
    ITEM_ENUM(access_log_conf, facility, "facility", .names = facility_names, .def = "local0",
              .since = "0.1", .apply = CONF_LIVE, .doc = "The facility for syslog and journald."),
    ITEM_TEXT(
        access_log_conf, format, "format", .def = "combined", .since = "0.1", .apply = CONF_LIVE,
        .format = "common, combined, json or a format string",
        .example = "'{client} {method} {path} {status} {ms-total}'",
        .check_text = access_log_check_format,
        .doc = "How a line looks: `common` and `combined` as Apache and nginx write them, `json` "
               "with every field, or a text with `{names}` of fields (`sallyport print "
               "access-log-fields`)."),
    ITEM_TEXTS(access_log_conf, redact, "redact", .since = "0.1", .apply = CONF_LIVE,
               .def =
                   "[access_token, api_key, apikey, auth, authorization, code, cookie, id_token, "
                   "jwt, key, passwd, password, proxy-authorization, pwd, refresh_token, secret, "
                   "session, set-cookie, sig, signature, token, x-api-key, x-auth-token]",
               .doc = "Names, in any case, of query parameters and header fields whose values are "
                      "written as `***`."),
};

const struct conf_section access_log_section = {
    .name = "access-log",
    .doc = "One line for each exchange. `access-log: off` writes none.",
    CONF_SECTION_OF(access_log_conf, access_log_items),
    .shorthand = "path",
    .place_offset = CONF_NO_PLACE,
};
