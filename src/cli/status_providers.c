// SPDX-License-Identifier: Apache-2.0
#include "cli/status_providers.h"

#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/plain.h"

static struct str text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? str_of(text) : STR("?");
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void put_engine(const json_t *docker, struct text *to)
{
    int64_t n = number_of(docker, "containers"), n_beyond = number_of(docker, "beyond");
    text_put(to, STR("  "));
    plain_put(to, text_of(docker, "endpoint"));
    text_put(to, STR("  "));
    plain_put(to, text_of(docker, "state"));
    if (text_of(docker, "engine").len > 0) {
        text_put(to, STR("  "));
        plain_put(to, text_of(docker, "engine"));
        text_put(to, STR(", API "));
        plain_put(to, text_of(docker, "api"));
    }
    text_printf(to, "  %" PRId64 " container%s, %" PRId64 " with labels for us", n, S_UNLESS_ONE(n),
                number_of(docker, "labelled"));
    if (n_beyond > 0)
        text_printf(to, ", %" PRId64 " more that aren't looked at", n_beyond);
    text_byte(to, '\n');
    if (json_is_string(json_object_get(docker, "error"))) {
        text_put(to, STR("  the engine is away, and what was known stays in force: "));
        plain_put(to, text_of(docker, "error"));
        text_byte(to, '\n');
    }
}

void status_providers_put(const json_t *status, struct text *to)
{
    const json_t *docker = json_object_get(json_object_get(status, "providers"), "docker");
    size_t i;
    json_t *problem;
    if (!docker)
        return;
    text_put(to, STR("\ncontainers\n"));
    put_engine(docker, to);
    json_array_foreach(json_object_get(docker, "problems"), i, problem)
    {
        text_put(to, STR("  "));
        plain_put(to, text_of(problem, "severity"));
        text_put(to, STR(": "));
        plain_put(to, text_of(problem, "source"));
        if (str_eq(text_of(problem, "source"), STR("docker"))) {
            text_put(to, STR(", container "));
            plain_put(to, text_of(problem, "container"));
        }
        text_put(to, STR(": "));
        plain_put(to, text_of(problem, "text"));
        text_byte(to, '\n');
    }
}
