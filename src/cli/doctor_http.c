// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_http.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "rt/addr.h"

#define PATIENCE_S 5

int doctor_connect(const struct ip *address, uint16_t port)
{
    struct rt_addr to;
    struct timeval limit = {.tv_sec = PATIENCE_S};
    addr_from_ip(address, port, &to);
    int fd = socket(to.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, &to.u.any, to.len) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool doctor_send(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

void doctor_put_request(struct text *to, struct str host, const char *path)
{
    text_printf(to,
                "GET %s HTTP/1.1\r\nHost: " STR_FMT "\r\nUser-Agent: sallyport-doctor\r\n"
                "Connection: close\r\n\r\n",
                path, STR_ARG(host));
}

void doctor_read_to_end(int fd, struct text *to)
{
    char buf[4096];
    ssize_t n;
    while (to->len < DOCTOR_ANSWER_MAX_BYTES && (n = recv(fd, buf, sizeof buf, 0)) > 0)
        text_put(to, str_from(buf, (size_t)n));
}

bool doctor_read_answer(struct str bytes, struct field fields[static H1_FIELDS_MAX],
                        struct h1_response *ret, struct str *ret_body)
{
    const struct h1_limits limits = {DOCTOR_ANSWER_MAX_BYTES, DOCTOR_ANSWER_MAX_BYTES,
                                     H1_FIELDS_MAX};
    enum h1_error error;
    size_t n_used = 0;
    if (h1_response_parse(bytes, &limits, fields, ret, &n_used, &error) != IO_DONE)
        return false;
    *ret_body = str_skip(bytes, n_used);
    return true;
}
