// SPDX-License-Identifier: Apache-2.0
#include "keeper/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

// Where files can't be made without a name: it has one for a moment.
static int open_named(const char *folder)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/.sallyport.XXXXXX", folder);
    if (len < 0 || (size_t)len >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || unlink(path) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int spool_file_open(const char *folder)
{
    // O_EXCL: nobody can give it a name later.
    int fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    bool is_unknown = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
    return is_unknown ? open_named(folder) : fd;
}

static bool has_buffer(const struct settings *s)
{
    for (size_t i = 0; i < s->filters.n; i++) {
        const struct filter_conf *f = s->filters.items[i].value;
        if (f->choice.type && strcmp(f->choice.type->key, "buffer") == 0)
            return true;
    }
    return false;
}

// Nothing is wrong with the folder: each gate tries anew.
static bool is_passing(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE;
}

bool spool_file_plan(const struct settings *s, struct diags *diags, struct spool_file *ret)
{
    const struct spool_conf *c = &s->spool;
    *ret = (struct spool_file){.folder = NULL};
    if (!c->is_on)
        return true;
    char *folder = mem_copy(c->folder.text.ptr, c->folder.text.len);
    int fd = spool_file_open(folder);
    int error = fd < 0 ? errno : 0;
    const char *why = strerror(error);
    bool may_be_had = error == 0 || is_passing(error);
    bool is_chosen = !may_be_had && !str_eq(c->folder.text, STR(SPOOL_FOLDER));
    if (fd >= 0)
        close(fd);
    else if (is_chosen)
        diag_fail(diags, ERR_SYSTEM, c->folder.place,
                  "no file can be made in %s for bodies that are read ahead: %s; choose another "
                  "folder on a disk, or write `spool: off`",
                  folder, why);
    else if (has_buffer(s))
        diag_warn(
            diags, c->place,
            "no file can be made in %s for bodies that are read ahead: %s; `buffer` does with "
            "memory alone (`spool: { folder: … }` chooses another folder)",
            folder, why);
    if (may_be_had)
        *ret = (struct spool_file){.folder = folder, .max_bytes = c->max_bytes};
    else
        mem_free(folder);
    return !is_chosen;
}

void spool_file_fini(struct spool_file *f)
{
    mem_free(f->folder);
    *f = (struct spool_file){.folder = NULL};
}
