// SPDX-License-Identifier: Apache-2.0
// What an engine answers: a container that is accepted is within its bounds, and the same after it
// was told to the keeper. The same text is also tried as a list, an event and a version.
#include <stdlib.h>

#include "discover/engine_json.h"
#include "discover/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_container(const struct container *c)
{
    struct arena mem;
    struct text first = {.ptr = NULL}, second = {.ptr = NULL};
    struct message m = {.kind = MESSAGE_CONTAINER, .container = *c}, back;
    arena_init(&mem, (size_t)64 << 20, NULL, 0);
    if (container_fault(c))
        abort();
    message_pack(&m, &first);
    if (!message_unpack(text_str(&first), &mem, &back) || back.kind != MESSAGE_CONTAINER)
        abort();
    message_pack(&back, &second);
    if (!str_eq(text_str(&first), text_str(&second)))
        abort();
    text_fini(&first);
    text_fini(&second);
    arena_fini(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena mem;
    struct container c;
    struct engine_ids ids;
    struct engine_version version;
    struct engine_event event;
    struct str json = str_from((const char *)data, n);
    const char *why = NULL;
    if (n > 1 << 20)
        return 0;
    arena_init(&mem, (size_t)64 << 20, NULL, 0);
    if (engine_json_container(json, &mem, &c, &why))
        check_container(&c);
    else if (!why)
        abort();
    if (engine_json_ids(json, &mem, &ids, &why) && ids.n > CONTAINERS_MAX)
        abort();
    if (engine_json_event(json, &mem, &event, &why) && event.id.len > 0 &&
        !container_is_id(event.id))
        abort();
    if (engine_json_version(json, &mem, &version, &why) && version.api == 0)
        abort();
    arena_fini(&mem);
    return 0;
}
