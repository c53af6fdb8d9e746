// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include "base/num.h"
#include "cli/doctor_names.h"

bool doctor_read_ports(const struct cli_args *args, struct doctor_world *w)
{
    static const char *const options[] = {"http-port", "https-port"};
    uint16_t *const ports[] = {&w->http_port, &w->https_port};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const char *text = cli_value(args, options[i], NULL);
        uint64_t port;
        if (!text)
            continue;
        if (num_dec(str_of(text), UINT16_MAX, &port) != ERR_OK || port == 0) {
            cli_usage_error(args->command, "%s: '%s' is no port", args->command->name, text);
            return false;
        }
        *ports[i] = (uint16_t)port;
    }
    return true;
}

int doctor_tell(const struct cli_args *args, const struct doctor_report *r, const char *about)
{
    if (cli_has(args, "json"))
        doctor_print_json(r, about);
    else if (!cli_has(args, "quiet") || !doctor_is_fine(r))
        doctor_print(r);
    return doctor_is_fine(r) ? CLI_OK : CLI_FAILED;
}

static bool has_name(const struct issue_need *need, struct str name)
{
    for (size_t i = 0; i < need->n_names; i++) {
        if (str_eq(need->names[i], name))
            return true;
    }
    return str_eq(need->id, name);
}

// A name that settings don't want, as it would be requested: from the first issuer.
static void look_at_other(const struct doctor_world *w, struct str name, struct doctor_report *r)
{
    struct issue_source source;
    if (!w->wish || w->wish->issue.n_issuers == 0) {
        doctor_begin(r, name);
        doctor_add(r, DOCTOR_NOTE, "issuer", "set 'email', or an issuer",
                   "the settings name no authority: the local CA signs");
        return;
    }
    const struct issue_issuer *first = &w->wish->issue.issuers[0];
    source = (struct issue_source){.issuer = first->name, .directory = first->directory};
    const struct issue_need need = {
        .id = name, .names = &name, .n_names = 1, .sources = &source, .n_sources = 1};
    doctor_look_at_need(w, &need, r);
}

static void look_at_name(const struct doctor_world *w, struct str name, struct doctor_report *r)
{
    bool is_wanted = false;
    for (size_t i = 0; w->wish && i < w->wish->issue.n_needs; i++) {
        const struct issue_need *need = &w->wish->issue.needs[i];
        if (!has_name(need, name))
            continue;
        doctor_look_at_need(w, need, r);
        is_wanted = true;
    }
    if (!is_wanted)
        look_at_other(w, name, r);
}

void doctor_look_at_certs(struct doctor_world *w, const char *const *names, size_t n_names,
                          struct doctor_report *r)
{
    doctor_look_at_issuers(w, r);
    for (size_t i = 0; i < n_names; i++)
        look_at_name(w, str_of(names[i]), r);
    for (size_t i = 0; n_names == 0 && w->wish && i < w->wish->issue.n_needs; i++)
        doctor_look_at_need(w, &w->wish->issue.needs[i], r);
    if (w->wish && w->wish->issue.n_needs == 0 && n_names == 0)
        doctor_add(r, DOCTOR_NOTE, "certificates", NULL, "no site wants one from an authority");
}

int doctor_certs(const struct cli_args *args, const char *const *names, size_t n_names)
{
    struct doctor_world w;
    struct doctor_report r = {.n = 0};
    doctor_world_open(&w, args, &r);
    int code = CLI_USAGE;
    if (doctor_read_ports(args, &w)) {
        doctor_look_at_certs(&w, names, n_names, &r);
        code = doctor_tell(args, &r, n_names == 1 ? names[0] : "certificates");
    }
    doctor_world_close(&w);
    doctor_fini(&r);
    return code;
}
