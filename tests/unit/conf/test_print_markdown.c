// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static void the_manual_has_types_defaults_bounds_and_uses(void)
{
    static const char *const parts[] = {
        "### `workers`\n\nnumber, 1 to 1024, or `auto` · default `auto` · takes effect: new "
        "connections, by a new process · since 0.1\n\n",
        "### `server.url`\n\ntext (http://HOST:PORT) · **required** ·",
        "```yaml\nto: https://example.com/\n```",
        "### `sites`\n\nmap of names to [site](#site) ·",
        "In: `site.to`, `service.servers`.\n\nA value that is not a map is taken as `url`.",
        "one of `round-robin`, `least-busy`, `hash` · default `round-robin`",
        "### One of these keys\n\none of [`redirect`](#redirect), [`compress`](#compress) · "
        "**required**",
    };
    struct text text = {.len = 0};
    conf_print_markdown(&sample_root_section, &text);
    check_has_all(text_str(&text), parts, ARRAY_LEN(parts));
    text_fini(&text);
}

TEST_MAIN(TEST(the_manual_has_types_defaults_bounds_and_uses))
