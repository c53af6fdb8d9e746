// SPDX-License-Identifier: Apache-2.0
// meta.json: what is known of a certificate or an account beside itself, as a JSON object.
#pragma once

#include "certs/store.h"

void certs_meta_write(const struct certs_meta *meta, struct text *to);
void certs_account_meta_write(const struct certs_account_meta *meta, struct text *to);

// Members that are missing or of another type are empty. False: it's no JSON object, or mem has no
// room; then all are empty.
bool certs_meta_read(struct str json, struct arena *mem, struct certs_meta *ret);
bool certs_account_meta_read(struct str json, struct arena *mem, struct certs_account_meta *ret);
