// SPDX-License-Identifier: Apache-2.0
#include "gate/hooks_conf.h"

static const struct conf_item hooks_items[] = {
    ITEM_TEXTS(hooks_conf, issued, "certificate-issued", .since = "0.1", .apply = CONF_LIVE,
               .format = "a program and its arguments",
               .example = "/usr/local/bin/copy-certificate",
               .doc = "Run after a certificate was issued or renewed and is in use."),
    ITEM_TEXTS(hooks_conf, trouble, "certificate-trouble", .since = "0.1", .apply = CONF_LIVE,
               .format = "a program and its arguments",
               .example = "[/usr/bin/logger, -p, daemon.alert, a certificate needs you]",
               .doc = "Run when a certificate can't be had, and when one is about to expire, "
                      "once a day."),
    ITEM_DURATION(hooks_conf, expires_within_ms, "expires-within", .def = "14d", .min = "0",
                  .max = "365d", .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long before its end a certificate is said to expire; at most a "
                         "quarter of its life. 0: never."),
    ITEM_DURATION(hooks_conf, timeout_ms, "timeout", .def = "1m", .min = "1s", .max = "1h",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long a program may run; then it is killed, with all that it has "
                         "started."),
};

static enum err check_program(const struct conf_texts *program, struct diags *diags)
{
    if (program->n == 0 || str_starts(program->items[0].text, STR("/")))
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, program->items[0].place,
                     "'" STR_FMT "' is no program; give its absolute path, and its arguments as "
                     "further items of the list",
                     STR_ARG(program->items[0].text));
}

static enum err check_hooks(const void *value, struct diags *diags)
{
    const struct hooks_conf *c = value;
    enum err issued = check_program(&c->issued, diags), trouble = check_program(&c->trouble, diags);
    return issued != ERR_OK ? issued : trouble;
}

const struct conf_section hooks_section = {
    .name = "hooks",
    .doc = "Programs that are run when something has happened, one at a time and without a shell. "
           "`SALLYPORT_EVENT` in their environment is `issued`, `renewed`, `failed` or "
           "`expiring`; `SALLYPORT_CERTIFICATE`, `SALLYPORT_NAMES`, `SALLYPORT_ISSUER`, "
           "`SALLYPORT_CERT_FILE`, `SALLYPORT_KEY_FILE`, `SALLYPORT_NOT_AFTER` and "
           "`SALLYPORT_ERROR` say more, as far as it is known. What they print is logged.",
    CONF_SECTION_OF(hooks_conf, hooks_items),
    .place_offset = CONF_PLACE_AT(hooks_conf, place),
    .check = check_hooks,
};
