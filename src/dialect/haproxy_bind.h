// SPDX-License-Identifier: Apache-2.0
// The two files about bind lines.
#pragma once

#include "dialect/haproxy_priv.h"

bool haproxy_bind_has_tls(const struct haproxy_line *l);

// What stands behind the address, into the map of an entrypoint.
void haproxy_bind_options(struct haproxy *h, struct haproxy_proxy *p, struct haproxy_line *l,
                          struct conf_node *entry);
