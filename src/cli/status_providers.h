// SPDX-License-Identifier: Apache-2.0
// What the status says of containers, for people.
#pragma once

#include <jansson.h>

#include "base/text.h"

void status_providers_put(const json_t *status, struct text *to);
