// SPDX-License-Identifier: Apache-2.0
// Configurations of other programs as settings of ours.
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/command.h"
#include "dialect/dialect.h"
#include "gate/settings.h"
#include "keeper/load.h"
#include "rt/file.h"

#define FILES_MAX 1000 // that a pattern fits

static const struct cli_word words[] = {
    {.name = "caddy", .takes_any = true, .kind = CLI_VALUE_FILE},
    {.name = "haproxy", .takes_any = true, .kind = CLI_VALUE_FILE},
    {.name = "nginx", .takes_any = true, .kind = CLI_VALUE_FILE},
};

static const struct cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .kind = CLI_VALUE_FILE,
     .doc = "Where the settings go; by default to standard output."},
    {.name = "force", .doc = "Put them in the place of a file that is there."},
    {.name = "quiet", .letter = 'q', .doc = "Don't tell what isn't needed any more."},
};

static bool read_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    (void)arg;
    char *name = mem_copy(path.ptr, path.len);
    bool is_read = file_read(name, DIALECT_FILE_MAX_BYTES, mem, ret, ret_why) == ERR_OK;
    mem_free(name);
    return is_read;
}

static bool read_env(void *arg, struct str name, struct arena *mem, struct str *ret,
                     const char **ret_why)
{
    (void)arg;
    char *key = mem_copy(name.ptr, name.len);
    const char *value = getenv(key);
    mem_free(key);
    *ret_why = "it is not set";
    if (value)
        *ret = arena_dup(mem, str_of(value));
    return value != NULL;
}

static bool find_files(void *arg, struct str pattern, struct arena *mem, struct str **ret,
                       size_t *ret_n)
{
    (void)arg;
    glob_t found;
    char *text = mem_copy(pattern.ptr, pattern.len);
    int code = glob(text, 0, NULL, &found);
    mem_free(text);
    *ret_n = 0;
    if (code == GLOB_NOMATCH)
        return true;
    if (code != 0)
        return false;
    *ret = found.gl_pathc <= FILES_MAX ? ARENA_ARRAY(mem, struct str, found.gl_pathc) : NULL;
    for (; *ret && *ret_n < found.gl_pathc; ++*ret_n)
        (*ret)[*ret_n] = arena_dup(mem, str_of(found.gl_pathv[*ret_n]));
    globfree(&found);
    return *ret != NULL;
}

static const struct conf_resolver files = {.read_file = read_file, .read_env = read_env};

static void print_diags(const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        char line[2048];
        struct str text = diag_text(&diags->items[i], line, sizeof line);
        fprintf(stderr, STR_FMT "\n", STR_ARG(text));
    }
}

static bool write_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return fsync(fd) == 0;
}

// The whole file appears at once, or none does. A file that is there stays, unless force.
static bool write_file(const char *path, struct str bytes, bool force)
{
    struct text t = {.len = 0};
    text_printf(&t, "%s.XXXXXX", path);
    int fd = mkostemp(t.ptr, O_CLOEXEC);
    mode_t mask = umask(0);
    umask(mask);
    bool is_fine = fd >= 0 && write_all(fd, bytes) && fchmod(fd, 0666 & ~mask) == 0;
    is_fine = is_fine && (force ? rename(t.ptr, path) : link(t.ptr, path)) == 0;
    int error = errno;
    if (fd >= 0) {
        close(fd);
        if (!force || !is_fine)
            unlink(t.ptr);
    }
    text_fini(&t);
    errno = error;
    return is_fine;
}

static int put_settings(const struct cli_args *args, struct str yaml, const char *suffix)
{
    const char *path = cli_value(args, "output", "-");
    if (strcmp(path, "-") == 0) {
        fwrite(yaml.ptr, 1, yaml.len, stdout);
        return CLI_OK;
    }
    struct text t = {.len = 0};
    text_printf(&t, "%s%s", path, suffix);
    bool is_written = write_file(t.ptr, yaml, suffix[0] != '\0' || cli_has(args, "force"));
    if (!is_written && errno == EEXIST)
        fprintf(stderr, "sallyport: %s is there already, and stays as it is; --force replaces it\n",
                path);
    else if (!is_written)
        fprintf(stderr, "sallyport: can't write %s: %s\n", t.ptr, strerror(errno));
    else
        fprintf(stderr, "written to %s\n", t.ptr);
    text_fini(&t);
    return is_written ? CLI_OK : CLI_FAILED;
}

// The notes, and a line that counts them.
static void print_notes(const struct cli_args *args, struct draft *d, const char *path)
{
    struct text t = {.len = 0};
    draft_print_notes(d, cli_has(args, "quiet"), &t);
    size_t n_lost = draft_count(d, DRAFT_LOST), n_closed = draft_count(d, DRAFT_CLOSED);
    text_printf(&t,
                "%s: %zu not carried over, %zu refused instead, %zu with a difference, %zu not "
                "needed\n",
                path, n_lost, n_closed, draft_count(d, DRAFT_CHANGED),
                draft_count(d, DRAFT_NEEDLESS));
    fwrite(t.ptr, 1, t.len, stderr);
    text_fini(&t);
}

// Looks at the result as `check` does, and writes it.
static int deliver(const struct cli_args *args, const struct dialect *dialect, struct draft *d)
{
    const char *path = args->words[1];
    struct text title = {.len = 0}, yaml = {.len = 0};
    text_printf(&title, "Made from %s's configuration by 'sallyport import'.", dialect->title);
    draft_print(d, &settings_section, title.ptr, &yaml);
    struct loaded l;
    bool is_good = load_again(text_str(&yaml), cli_value(args, "output", "result"), NULL, &l);
    int status = put_settings(args, text_str(&yaml), is_good ? "" : ".rejected");
    print_notes(args, d, path);
    if (!is_good) {
        load_print_diags(&l);
        fputs("sallyport: the result doesn't pass 'sallyport check'. Files that it names have to "
              "be on this machine; whatever else is told above is a mistake of this import, or of "
              "what it was given.\n",
              stderr);
        status = CLI_FAILED;
    } else if (status == CLI_OK && draft_count(d, DRAFT_LOST) + draft_count(d, DRAFT_CLOSED) > 0) {
        status = CLI_PARTLY;
    }
    load_fini(&l);
    text_fini(&title);
    text_fini(&yaml);
    return status;
}

static const struct dialect *find_dialect(const char *name)
{
    for (size_t i = 0; dialects[i]; i++)
        if (strcmp(dialects[i]->name, name) == 0)
            return dialects[i];
    return NULL;
}

static int run(const struct cli_args *args)
{
    const struct dialect *dialect = find_dialect(args->words[0]);
    if (!dialect)
        return cli_usage_error(args->command, "there is no dialect '%s'", args->words[0]);
    const char *path = args->words[1], *why = NULL;
    struct draft d;
    struct diags diags = {.n = 0};
    struct dialect_input in = {.path = str_of(path), .files = &files, .find_files = find_files};
    draft_init(&d);
    enum err err = strcmp(path, "-") == 0
                       ? file_read_fd(STDIN_FILENO, DIALECT_FILE_MAX_BYTES, &d.mem, &in.text, &why)
                       : file_read(path, DIALECT_FILE_MAX_BYTES, &d.mem, &in.text, &why);
    if (err != ERR_OK)
        diag_fail(&diags, ERR_SYSTEM, (struct place){.source = path}, "it can't be read: %s", why);
    int status = CLI_FAILED;
    if (err == ERR_OK && dialect_convert(dialect, &in, &d, &diags))
        status = deliver(args, dialect, &d);
    print_diags(&diags);
    diags_fini(&diags);
    draft_fini(&d);
    return status;
}

const struct cli_command cli_import = {
    .name = "import",
    .words = "DIALECT FILE",
    .words_min = 2,
    .words_max = 2,
    .choices = words,
    .n_choices = ARRAY_LEN(words),
    .summary = "Make settings of another program's configuration.",
    .doc =
        "`haproxy`: HAProxy's file (`/etc/haproxy/haproxy.cfg`), for versions 2.0 to 2.9. "
        "`nginx`: one of its files, or what `nginx -T` prints, which is all of them. `caddy`: a "
        "Caddyfile (`/etc/caddy/Caddyfile`), of version 2, with the files that it imports. `-` is "
        "standard input. Files that it names (lists of addresses, pages for errors, lists of "
        "certificates) are read, and variables are taken from the environment. The result is "
        "settings with comments that tell the line each part comes from.\n"
        "Whatever isn't in the result as it was is told on standard error, each as `FILE:LINE: "
        "WHAT BECAME OF IT: 'TEXT': REASON`. A refusal, a password or a condition that can't be "
        "carried over makes refuse what it protected: the result never lets in who was kept out.\n"
        "The result is looked at as `check` does; one that doesn't pass goes to "
        "`FILE.rejected`. A file that is there is only replaced with `--force`, and in one step. "
        "Exit status 0: all was carried over, perhaps with differences; 3: settings were made, "
        "but something is missing or refused; 1: there are none.",
    .options = options,
    .n_options = ARRAY_LEN(options),
    .run = run,
};
