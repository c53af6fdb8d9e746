// SPDX-License-Identifier: Apache-2.0
// What the control socket's command `cert` does: docs/internals/control.md has its members.
#pragma once

#include <jansson.h>
#include <stdint.h>

struct keeper;

// The answer, the caller's; NULL: it comes later, as CONTROL_WAIT_CERT of *ret_number.
json_t *control_cert(struct keeper *k, const json_t *request, uint64_t *ret_number);

// The same for the account at an issuer.
json_t *control_account(struct keeper *k, const json_t *request, uint64_t *ret_number);
