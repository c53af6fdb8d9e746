// SPDX-License-Identifier: Apache-2.0
#include "cli/containers.h"

#include <stdio.h>

#include "keeper/providers.h"
#include "rt/log.h"

bool cli_load(const char *path, struct loaded *ret)
{
    struct providers p;
    log_set_level(LOG_ERROR, LOG_TEXT); // this is no service: what it has to say comes below
    providers_init(&p);
    bool is_fine = load_file(path, &(struct load_finder){.find = providers_find, .arg = &p}, ret);
    if (p.state == PROVIDERS_AWAY || p.state == PROVIDERS_ASKING)
        fprintf(stderr, "%s: warning: containers aren't looked at: %s\n", path,
                p.why[0] ? p.why : "the engine doesn't answer in time");
    providers_pause(&p);
    providers_fini(&p);
    return is_fine;
}
