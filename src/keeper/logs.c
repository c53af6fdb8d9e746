// SPDX-License-Identifier: Apache-2.0
#include "keeper/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/file.h"

static const int standard[LOG_STREAMS] = {
    [LOG_STREAM_ERROR] = STDERR_FILENO,
    [LOG_STREAM_ACCESS] = STDOUT_FILENO,
};

static const char *const names[LOG_STREAMS] = {
    [LOG_STREAM_ERROR] = "error log",
    [LOG_STREAM_ACCESS] = "access log",
};

static bool take_descriptor(int fd, struct log_target *ret)
{
    if (fd >= 0)
        *ret = (struct log_target){.kind = LOG_TO_FD, .fd = fd};
    return fd >= 0;
}

// The first address of a host. False: told in diags.
static bool resolve(const struct log_place *place, const struct conf_text *text,
                    struct diags *diags, struct rt_addr *ret)
{
    struct ip ip;
    if (ip_parse(place->host, &ip) == ERR_OK) {
        addr_from_ip(&ip, place->port, ret);
        return true;
    }
    char *host = mem_copy(place->host.ptr, place->host.len);
    char port[8];
    snprintf(port, sizeof port, "%u", place->port);
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, port, &(struct addrinfo){.ai_socktype = SOCK_DGRAM}, &found);
    mem_free(host);
    if (rc != 0) {
        diag_fail(diags, ERR_SYSTEM, text->place, "the host '" STR_FMT "' can't be resolved: %s",
                  STR_ARG(place->host), gai_strerror(rc));
        return false;
    }
    *ret = (struct rt_addr){.len = found->ai_addrlen};
    memcpy(&ret->u, found->ai_addr, MIN((size_t)found->ai_addrlen, sizeof ret->u));
    freeaddrinfo(found);
    return true;
}

static bool open_file(struct logs *l, unsigned stream, const struct log_place *place,
                      const struct conf_text *text, struct diags *diags)
{
    l->paths[stream] = mem_copy(place->path.ptr, place->path.len);
    if (take_descriptor(file_open_log(l->paths[stream]), &l->targets[stream]))
        return true;
    diag_fail(diags, ERR_SYSTEM, text->place, "the %s %s can't be opened: %s%s", names[stream],
              l->paths[stream], strerror(errno), errno == ENOENT ? "; its folder must exist" : "");
    return false;
}

static bool open_one(struct logs *l, unsigned stream, const struct conf_text *text,
                     unsigned facility, struct diags *diags)
{
    struct log_place place;
    if (log_place_parse(text, diags, &place) != ERR_OK)
        return false;
    struct log_target t = {.kind = LOG_TO_NOTHING, .fd = -1, .facility = facility};
    switch (place.kind) {
    case LOG_PLACE_STANDARD:
        if (take_descriptor(fcntl(standard[stream], F_DUPFD_CLOEXEC, 3), &l->targets[stream]))
            return true;
        diag_fail(diags, ERR_SYSTEM, text->place, "there is no standard output for the %s: %s",
                  names[stream], strerror(errno));
        return false;
    case LOG_PLACE_FILE:
        return open_file(l, stream, &place, text, diags);
    case LOG_PLACE_UNIX:
    case LOG_PLACE_JOURNAL:
        t.kind = place.kind == LOG_PLACE_UNIX ? LOG_TO_SYSLOG_UNIX : LOG_TO_JOURNAL;
        if (!addr_from_path(place.path, &t.addr))
            return false; // found by the check before
        break;
    case LOG_PLACE_UDP:
    case LOG_PLACE_TCP:
        t.kind = place.kind == LOG_PLACE_UDP ? LOG_TO_SYSLOG_UDP : LOG_TO_SYSLOG_TCP;
        if (!resolve(&place, text, diags, &t.addr))
            return false;
        break;
    }
    l->targets[stream] = t;
    return true;
}

bool logs_open(const struct settings *s, struct diags *diags, struct logs *ret)
{
    struct logs l = {.repeats = s->log.repeats};
    bool is_fine = open_one(&l, LOG_STREAM_ERROR, &s->log.path, s->log.facility, diags);
    if (s->access_log.is_on)
        is_fine =
            open_one(&l, LOG_STREAM_ACCESS, &s->access_log.path, s->access_log.facility, diags) &&
            is_fine;
    if (is_fine)
        *ret = l;
    else
        logs_close(&l);
    return is_fine;
}

void logs_use(const struct logs *l)
{
    struct log_target t = l->targets[LOG_STREAM_ERROR];
    if (t.kind == LOG_TO_FD)
        t.fd = fcntl(t.fd, F_DUPFD_CLOEXEC, 3);
    if (t.kind == LOG_TO_FD && t.fd < 0)
        log_error("can't take the new error log into use: %s", strerror(errno));
    else
        log_set_target(LOG_STREAM_ERROR, &t);
    log_set_repeats(l->repeats);
}

int logs_message(const struct logs *l, unsigned stream, struct gate_log *ret)
{
    const struct log_target *t = &l->targets[stream];
    memset(ret, 0, sizeof *ret); // padding, too: it leaves the process
    ret->type = GATE_LOG;
    ret->stream = stream;
    ret->target = *t;
    ret->target.fd = -1;
    return t->kind == LOG_TO_FD ? t->fd : -1;
}

bool logs_reopen(struct logs *l)
{
    bool is_fine = true;
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        int old = l->targets[i].fd;
        if (!l->paths[i])
            continue;
        if (take_descriptor(file_open_log(l->paths[i]), &l->targets[i])) {
            close(old);
            continue;
        }
        log_error("the %s %s can't be opened anew: %s; the old file stays in use", names[i],
                  l->paths[i], strerror(errno));
        is_fine = false;
    }
    return is_fine;
}

void logs_close(struct logs *l)
{
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        if (l->targets[i].kind == LOG_TO_FD)
            close(l->targets[i].fd);
        mem_free(l->paths[i]);
    }
    *l = (struct logs){.repeats = 0};
}
