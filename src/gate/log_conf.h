// SPDX-License-Identifier: Apache-2.0
// The settings of both logs.
#pragma once

#include "conf/conf.h"

struct log_conf {
    struct conf_text path;
    unsigned facility; // RFC 5424 6.2.1
    unsigned level;    // enum log_level
    unsigned format;   // enum log_format
    uint32_t repeats;
};

struct access_log_conf {
    bool is_on;
    struct conf_text path;
    unsigned facility;
    struct conf_text format;  // common, combined, json, or a format string
    struct conf_texts redact; // names of query parameters and fields whose values are never logged
};

extern const struct conf_section log_section;
extern const struct conf_section access_log_section;

// What "path" of a log says.
enum log_place_kind {
    LOG_PLACE_STANDARD, // "-"
    LOG_PLACE_FILE,
    LOG_PLACE_UNIX, // syslog on a local socket
    LOG_PLACE_UDP,
    LOG_PLACE_TCP,
    LOG_PLACE_JOURNAL,
};

struct log_place {
    enum log_place_kind kind;
    struct str path; // of the file or socket; borrows from the text, as host does
    struct str host; // LOG_PLACE_UDP, LOG_PLACE_TCP: a name or an address
    uint16_t port;
};

enum err log_place_parse(const struct conf_text *text, struct diags *diags, struct log_place *ret)
    MUST_CHECK;
