// SPDX-License-Identifier: Apache-2.0
// The one place that names every filter, and joins filters and services to chains.
#pragma once

#include "conf/conf.h"
#include "filter/filter.h"
#include "http/handler.h"

// For the settings table: every filter's key and section, NULL-terminated.
extern const struct conf_choice_type *const wiring_filter_choices[];

// The filter behind a choice of the table above.
const struct filter_type *wiring_filter(const struct conf_choice_type *choice);

// The kind of this key that may be used by it, without settings; NULL: none.
const struct filter_type *wiring_preset(struct str key);

// The last handler of a route without a service: answers 503.
extern const struct handler wiring_no_service;
