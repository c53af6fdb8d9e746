// SPDX-License-Identifier: Apache-2.0
#include "cli/control_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/lenient.h"
#include "keeper/control_path.h"

#define SOCKET_PATH_BYTES 108 // of sockaddr_un, with the NUL
#define TREE_MAX_BYTES ((size_t)4 << 30)

// True when the settings decide: by a path in *path, or by saying that there is no socket.
static enum lenient_control ask_settings(const char *file, struct text *path, struct text *note)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct str found;
    arena_init(&mem, TREE_MAX_BYTES, NULL, 0);
    enum lenient_control said =
        lenient_control(lenient_find(file, STR("control"), &mem, &diags), &found);
    if (diags.n > 0 && access(file, F_OK) == 0) {
        char line[1024];
        text_put(note, STR("\n  the settings file may name another socket, but has errors: "));
        text_put(note, diag_text(&diags.items[0], line, sizeof line));
    }
    if (said == LENIENT_CONTROL_PATH)
        text_put(path, found);
    diags_fini(&diags);
    arena_fini(&mem);
    return said;
}

// A user's command looks for the user's proxy; the one of the system belongs to root.
static void note_roots_proxy(struct text *note)
{
    char path[SOCKET_PATH_BYTES];
    if (geteuid() == 0 || !control_path_of(0, NULL, path, sizeof path))
        return;
    if (access(path, F_OK) == 0 || errno == EACCES)
        text_put(note, STR("\n  root has one running, it seems: try again as root"));
}

bool control_find(const struct cli_args *args, struct text *ret_path, struct text *ret_note)
{
    const char *given = cli_value(args, "control", NULL);
    if (!given && (given = getenv("SALLYPORT_CONTROL")) && given[0] == '\0')
        given = NULL;
    if (given) {
        text_put(ret_path, str_of(given));
        return true;
    }
    const char *file = cli_config_path(args);
    enum lenient_control said = ask_settings(file, ret_path, ret_note);
    if (said == LENIENT_CONTROL_OFF) {
        fprintf(stderr,
                "sallyport: the settings in %s turn the control socket off ('control: off'); "
                "signals work all the same\n",
                file);
        return false;
    }
    if (said == LENIENT_CONTROL_PATH)
        return true;
    char path[SOCKET_PATH_BYTES];
    if (!control_default_path(path, sizeof path)) {
        fprintf(stderr, "sallyport: $XDG_RUNTIME_DIR is too long for a control socket; name one "
                        "with --control\n");
        return false;
    }
    text_put(ret_path, str_of(path));
    note_roots_proxy(ret_note);
    return true;
}
