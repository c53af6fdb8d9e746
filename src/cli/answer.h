// SPDX-License-Identifier: Apache-2.0
// What commands read out of the running proxy's answers.
#pragma once

#include <jansson.h>

#include "base/diag.h"

// The messages of {"diagnostics":[…]}. Sources borrow from the answer.
void answer_diags(const json_t *answer, struct diags *ret);
