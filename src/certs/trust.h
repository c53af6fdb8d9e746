// SPDX-License-Identifier: Apache-2.0
// The local CA's root in the system's trust store, as Debian has it: a file in a folder, and a
// command that gathers what is there.
#pragma once

#include "base/err.h"
#include "base/str.h"

#define CERTS_TRUST_FOLDER "/usr/local/share/ca-certificates"
#define CERTS_TRUST_FILE "sallyport-local-ca.crt"
#define CERTS_TRUST_COMMAND "update-ca-certificates"

// Puts root_pem into folder (CERTS_TRUST_FOLDER) and runs command. ERR_SYSTEM with *ret_why; when
// only the command failed, the file is there.
enum err certs_trust_install(const char *folder, const char *command, struct str root_pem,
                             const char **ret_why) MUST_CHECK;
// ERR_NOT_FOUND: it wasn't there.
enum err certs_trust_remove(const char *folder, const char *command, const char **ret_why)
    MUST_CHECK;
