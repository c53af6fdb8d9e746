// SPDX-License-Identifier: Apache-2.0
#include "keeper/ban_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

static void write_ban(void *arg, const struct ban *ban)
{
    char ip[46];
    text_printf(arg, STR_FMT "/%u %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu32 " %.*s\n",
                STR_ARG(ip_text(&ban->net.ip, ip)), ban->net.bits, ban->began_s, ban->until_s,
                ban->keep_s, ban->times, (int)ban->by_bytes, ban->by);
}

void ban_file_write(const struct ban_book *b, struct text *to)
{
    ban_book_each(b, write_ban, to);
}

static bool take_time(struct str *rest, int64_t *ret)
{
    struct str word;
    uint64_t value;
    if (!str_cut(*rest, ' ', &word, rest) || num_dec(word, INT64_MAX, &value) != ERR_OK)
        return false;
    *ret = (int64_t)value;
    return true;
}

static bool read_line(struct str line, struct ban *ret)
{
    struct str net;
    int64_t times;
    *ret = (struct ban){.times = 0};
    if (!str_cut(line, ' ', &net, &line) || ip_net_parse(net, &ret->net) != ERR_OK ||
        !take_time(&line, &ret->began_s) || !take_time(&line, &ret->until_s) ||
        !take_time(&line, &ret->keep_s) || !take_time(&line, &times) || times > UINT32_MAX ||
        line.len > sizeof ret->by)
        return false;
    ret->times = (uint32_t)times;
    ret->by_bytes = (uint8_t)line.len;
    if (line.len > 0)
        memcpy(ret->by, line.ptr, line.len);
    return ban_is_sound(ret);
}

unsigned ban_file_read(struct str text, int64_t now_s, struct ban_book *b)
{
    struct str line;
    for (unsigned number = 1; text.len > 0; number++) {
        struct ban ban;
        if (!str_cut(text, '\n', &line, &text) || !read_line(line, &ban))
            return number;
        if (ban.keep_s > now_s)
            ban_book_put(b, &ban);
    }
    return 0;
}
