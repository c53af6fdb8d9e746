// SPDX-License-Identifier: Apache-2.0
// Loading a settings file as the running proxy would, with the containers that there are now.
#pragma once

#include "keeper/load.h"

// As load_file. Asks the engine that the settings name, if they do, for a few seconds at most; when
// it doesn't answer, a warning on standard error says so, and the file counts alone.
bool cli_load(const char *path, struct loaded *ret);
