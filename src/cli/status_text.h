// SPDX-License-Identifier: Apache-2.0
// The running proxy's status for people. Whatever is missing in the object is left out.
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"

// Lists of more than this are cut unless all is asked for.
#define STATUS_LIST_MAX 20

void status_text_put(const json_t *status, bool wants_all, struct text *to);

// A line for each server of a service: "http://10.0.0.1:80  up at 10.0.0.1  3 connections", with a
// text before each.
void status_text_put_servers(const json_t *service, const char *before, struct text *to);

// The service's object in the report, or NULL.
const json_t *status_text_find_service(const json_t *status, struct str name);
