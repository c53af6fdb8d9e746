// SPDX-License-Identifier: Apache-2.0
// Server names: by which policy one is answered, and for which hosts a connection may be used that
// was made for one.
#pragma once

#include "gate/door.h"

// Of the name's own, else by a wildcard for its first label, else the entrypoint's. name: lower
// case; empty: none was sent.
const struct tls_policy *sni_policy(const struct door_conf *conf, struct str name);

// False: the host has another certificate or policy than the connection was made with, so the
// request belongs on another one (RFC 9110 7.4, 15.5.20). Who sent no name has seen the default
// certificate and was content with it: there the policy alone counts.
bool sni_serves(const struct door_conf *conf, const struct tls_store *store, struct str name,
                struct str host);
