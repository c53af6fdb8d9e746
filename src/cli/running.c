// SPDX-License-Identifier: Apache-2.0
#include "cli/running.h"

#include <stdio.h>

#include "cli/control_client.h"
#include "rt/file.h"
#include "upstream/service.h"

#define PATIENCE_MS 15000

// The settings that came as a sealed memory file. False: they make no sense.
static bool take_settings(struct running *r, int fd)
{
    struct loaded *l = &r->loaded;
    if (!file_map_sealed(fd, &r->mapping))
        return false;
    load_begin(l);
    l->root = conf_node_unpack(r->mapping, &l->mem);
    if (!l->root)
        return false;
    l->registry = upstream_registry_new();
    l->snapshot =
        snapshot_build(l->root, &(struct snapshot_env){.registry = l->registry}, &l->diags);
    return l->snapshot != NULL;
}

static bool get_settings(const struct cli_args *args, struct running *r)
{
    struct control_client c;
    if (control_client_open(&c, args, "asking for the settings in force"))
        r->settings =
            control_client_call(&c, json_pack("{s:s}", "command", "settings"), PATIENCE_MS);
    bool is_fine = r->settings && json_is_true(json_object_get(r->settings, "ok"));
    if (r->settings && !is_fine)
        control_client_print_error(r->settings);
    if (is_fine && !take_settings(r, c.received_fd)) {
        load_print_diags(&r->loaded);
        fprintf(stderr, "sallyport: the settings in force can't be used by this version\n");
        is_fine = false;
    }
    control_client_close(&c);
    return is_fine;
}

bool running_get(const struct cli_args *args, struct running *ret)
{
    *ret = (struct running){.settings = NULL};
    if (!get_settings(args, ret))
        return false;
    json_t *answer = control_client_ask(args, "status", "asking for the status");
    ret->status = json_incref(json_object_get(answer, "status"));
    json_decref(answer);
    return true;
}

void running_fini(struct running *r)
{
    load_fini(&r->loaded);
    if (r->mapping.len > 0)
        file_unmap(r->mapping);
    json_decref(r->settings);
    json_decref(r->status);
    *r = (struct running){.settings = NULL};
}
