// SPDX-License-Identifier: Apache-2.0
// For the shells' completion: names that a settings file gives, whatever else is wrong with it.
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/lenient.h"
#include "cli/plain.h"

#define TREE_MAX_BYTES ((size_t)4 << 30)

static const struct cli_option options[] = {CLI_OPTION_CONFIG};

static const struct cli_word kinds[] = {{.name = "entrypoints"}, {.name = "sites"}};

static int run(const struct cli_args *args)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct text names = {.ptr = NULL};
    arena_init(&mem, TREE_MAX_BYTES, NULL, 0);
    const struct conf_node *map =
        lenient_find(cli_config_path(args), str_of(args->words[0]), &mem, &diags);
    for (const struct conf_node *node = map ? map->first : NULL; node; node = node->next) {
        plain_put(&names, node->key);
        text_byte(&names, '\n');
    }
    if (names.len > 0)
        fwrite(names.ptr, 1, names.len, stdout);
    text_fini(&names);
    diags_fini(&diags);
    arena_fini(&mem);
    return CLI_OK;
}

const struct cli_command cli_names = {
    .name = "names",
    .words = "KIND",
    .words_min = 1,
    .words_max = 1,
    .choices = kinds,
    .n_choices = ARRAY_LEN(kinds),
    .summary = "Print the names of the settings file's entrypoints or sites.",
    .is_hidden = true,
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
