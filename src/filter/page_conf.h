// SPDX-License-Identifier: Apache-2.0
// Pages that settings bring, with {status}, {reason} and {request-id} filled in.
#pragma once

#include "filter/common.h"
#include "http/page.h"

// A template with its variables filled in.
struct str page_fill(struct exchange *x, unsigned status, struct str template);

// A page that settings bring as a file or a text; the neutral one where there is none, and for
// clients that read JSON alone where it is HTML.
struct page_conf {
    struct conf_file file;
    struct conf_text body, content_type;
};

// Rows of a settings table for a struct page_conf inside of S.
#define PAGE_ITEMS(S, at)                                                                          \
    ITEM_FILE(S, at.file, "file", .since = "0.1", .apply = CONF_LIVE, .format = "a file",          \
              .example = "/etc/sallyport/sorry.html",                                              \
              .doc = "A file with the page, read with the settings. `{status}`, `{reason}` and "   \
                     "`{request-id}` stand for those of the answer."),                             \
        ITEM_TEXT(S, at.body, "body", .since = "0.1", .apply = CONF_LIVE, .format = "any text",    \
                  .example = "\"<h1>{status}</h1><p>{request-id}</p>\"",                           \
                  .doc = "The page itself, instead of a file."),                                   \
        ITEM_TEXT(S, at.content_type, "content-type", .def = "text/html; charset=utf-8",           \
                  .since = "0.1", .apply = CONF_LIVE, .format = "a media type",                    \
                  .doc = "The `Content-Type` of `file` and `body`. Clients that take JSON alone "  \
                         "get a neutral answer in JSON instead of HTML.")

// Errors in what settings say of a page. ERR_OK: none.
enum err page_check(const struct page_conf *c, struct place place, struct diags *diags) MUST_CHECK;

// True: settings bring one.
bool page_is_own(const struct page_conf *c);

struct page page_of(const struct page_conf *c, struct exchange *x, unsigned status, struct str text,
                    unsigned reload_s);

// Takes away what describes the body that an answer had (RFC 9110 8, 14).
void page_drop_content_fields(struct headers *h);
