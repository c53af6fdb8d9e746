// SPDX-License-Identifier: Apache-2.0
#include "cli/api_ask.h"

#include <stdio.h>

#include "base/ascii.h"
#include "rt/file.h"

#define PATIENCE_MS 20000

bool api_ask(const struct cli_args *args, const char *target, struct api_answer *ret)
{
    struct control_client c;
    json_t *answer = NULL;
    *ret = (struct api_answer){.status = 0};
    if (control_client_open(&c, args, "asking the proxy"))
        answer = control_client_call(&c, json_pack("{s:s, s:s}", "command", "api", "path", target),
                                     PATIENCE_MS);
    bool is_fine = json_is_true(json_object_get(answer, "ok"));
    if (answer && !is_fine) {
        control_client_print_error(answer);
    } else if (is_fine && !file_map_sealed(c.received_fd, &ret->body)) {
        fprintf(stderr, "sallyport: the proxy's answer has nothing in it\n");
        is_fine = false;
    }
    ret->status = (unsigned)json_integer_value(json_object_get(answer, "status"));
    ret->next_page = (uint64_t)json_integer_value(json_object_get(answer, "next_page"));
    json_decref(answer);
    control_client_close(&c);
    return is_fine;
}

void api_answer_fini(struct api_answer *a)
{
    file_unmap(a->body);
    a->body = STR_NONE;
}

json_t *api_ask_json(const struct cli_args *args, const char *target)
{
    struct api_answer a;
    json_t *json = NULL;
    if (!api_ask(args, target, &a))
        return NULL;
    json = json_loadb(a.body.ptr, a.body.len, 0, NULL);
    if (!json || a.status != 200) {
        const char *why = json_string_value(json_object_get(json, "message"));
        fprintf(stderr, "sallyport: %s\n", why ? why : "the proxy's answer can't be read");
        json_decref(json);
        json = NULL;
    }
    api_answer_fini(&a);
    return json;
}

void api_put_escaped(struct text *to, const char *s)
{
    for (; *s; s++) {
        bool is_plain = ascii_is(*s, ASCII_ALPHA | ASCII_DIGIT) || *s == '-' || *s == '.' ||
                        *s == '_' || *s == '~';
        if (is_plain)
            text_byte(to, *s);
        else
            text_printf(to, "%%%02X", (unsigned)(unsigned char)*s);
    }
}
