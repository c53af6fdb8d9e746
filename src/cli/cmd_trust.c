// SPDX-License-Identifier: Apache-2.0
// The local CA's root: printed, put into the system's trust store, taken out of it.
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "certs/trust.h"
#include "cli/command.h"
#include "keeper/state_path.h"
#include "rt/file.h"
#include "tls/x509.h"

#define ROOT_MAX_BYTES 65536
#define PATH_MAX_BYTES 4096

static const struct cli_option options[] = {
    {.name = "state",
     .value = "FOLDER",
     .kind = CLI_VALUE_FILE,
     .doc = "The state folder. By default the usual one: that of the setting `state` must be named "
            "here."},
    {.name = "install", .doc = "Put it into the system's trust store."},
    {.name = "remove", .doc = "Take it out of there."},
    {.name = "folder",
     .value = "FOLDER",
     .kind = CLI_VALUE_FILE,
     .doc = "`--install`, `--remove`: where the system keeps authorities that were added. By "
            "default `" CERTS_TRUST_FOLDER "`, as on Debian."},
    {.name = "command",
     .value = "COMMAND",
     .doc = "`--install`, `--remove`: what updates the trust store afterwards; it gets no "
            "arguments. By default `" CERTS_TRUST_COMMAND "`."},
    CLI_OPTION_QUIET,
};

// Reads what the proxy has made; making it is the proxy's, whose user then owns it.
static bool read_root(const struct cli_args *args, struct arena *mem, struct str *ret)
{
    char folder[PATH_MAX_BYTES], path[PATH_MAX_BYTES + 32];
    struct stat st;
    const char *why;
    const char *chosen = cli_value(args, "state", NULL);
    if (!chosen && !state_default_path(folder, sizeof folder)) {
        fprintf(stderr, "sallyport: there is no usual state folder here; use --state\n");
        return false;
    }
    snprintf(path, sizeof path, "%.*s/ca/root.pem", PATH_MAX_BYTES, chosen ? chosen : folder);
    if (stat(path, &st) != 0 && errno == ENOENT) {
        fprintf(stderr,
                "sallyport: there is no local CA at %s: the proxy makes it on its first run with "
                "TLS; name another state folder with --state\n",
                path);
        return false;
    }
    X509 *root = NULL;
    if (file_read(path, ROOT_MAX_BYTES, mem, ret, &why) == ERR_OK)
        root = tls_cert_read(*ret, &why);
    if (!root)
        fprintf(stderr, "sallyport: the local CA's root %s can't be used: %s\n", path, why);
    tls_cert_free(root);
    return root != NULL;
}

static int install(const struct cli_args *args, const char *folder, const char *command)
{
    struct arena mem;
    struct str root;
    const char *why;
    arena_init(&mem, (size_t)ROOT_MAX_BYTES * 2, NULL, 0);
    bool is_fine = read_root(args, &mem, &root);
    if (is_fine && certs_trust_install(folder, command, root, &why) != ERR_OK) {
        fprintf(stderr, "sallyport: the root can't be installed in %s: %s\n", folder, why);
        is_fine = false;
    }
    arena_fini(&mem);
    if (is_fine && !cli_has(args, "quiet"))
        printf("The system trusts the local CA now: %s/" CERTS_TRUST_FILE "\n"
               "Browsers with a trust store of their own, as Firefox, must be told by hand.\n",
               folder);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int take_out(const struct cli_args *args, const char *folder, const char *command)
{
    const char *why;
    enum err err = certs_trust_remove(folder, command, &why);
    if (err == ERR_NOT_FOUND) {
        fprintf(stderr, "sallyport: the local CA isn't installed in %s\n", folder);
        return CLI_FAILED;
    }
    if (err != ERR_OK) {
        fprintf(stderr, "sallyport: the root can't be taken out of %s: %s\n", folder, why);
        return CLI_FAILED;
    }
    if (!cli_has(args, "quiet"))
        printf("The system doesn't trust the local CA any more.\n");
    return CLI_OK;
}

static int print(const struct cli_args *args)
{
    struct arena mem;
    struct str root;
    arena_init(&mem, (size_t)ROOT_MAX_BYTES * 2, NULL, 0);
    bool is_fine = read_root(args, &mem, &root);
    if (is_fine)
        fwrite(root.ptr, 1, root.len, stdout);
    arena_fini(&mem);
    return is_fine ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_args *args)
{
    const char *folder = cli_value(args, "folder", CERTS_TRUST_FOLDER);
    const char *command = cli_value(args, "command", CERTS_TRUST_COMMAND);
    if (cli_has(args, "install") && cli_has(args, "remove"))
        return cli_usage_error(args->command, "trust: either --install or --remove");
    if (cli_has(args, "install"))
        return install(args, folder, command);
    if (cli_has(args, "remove"))
        return take_out(args, folder, command);
    return print(args);
}

const struct cli_command cli_trust = {
    .name = "trust",
    .summary = "Let clients trust the local CA.",
    .doc =
        "Prints the root certificate of the local CA, for clients elsewhere. `--install` puts it "
        "into this system's trust store, `--remove` takes it out; both need root.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
