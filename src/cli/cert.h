// SPDX-License-Identifier: Apache-2.0
// What `cert` does, by file: cert_ask.c has what concerns the running proxy, cert_files.c what
// moves files, cert_text.c how a certificate is shown. All return an exit status.
#pragma once

#include <jansson.h>

#include "cli/command.h"

// --- cert_ask.c ---

int cert_list(const struct cli_args *args);
int cert_show(const struct cli_args *args);
int cert_request(const struct cli_args *args);
int cert_renew(const struct cli_args *args);
int cert_revoke(const struct cli_args *args);
int cert_forget(const struct cli_args *args);

// --- cert_files.c ---

int cert_export(const struct cli_args *args);
int cert_import(const struct cli_args *args);

// --- cert_text.c ---

// One line for each of the status' "certificates", and the errors of its "orders".
void cert_text_list(const json_t *status, struct text *to);
// An item of the answer to `cert show`, in a paragraph of lines. now_s: for spans of time.
void cert_text_show(const json_t *cert, int64_t now_s, struct text *to);
