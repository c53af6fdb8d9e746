// SPDX-License-Identifier: Apache-2.0
#include "codec/hosts.h"

#include "base/ascii.h"
#include "base/hash.h"

#define NAME_MAX_BYTES 253

// Takes the next line with an address: its names are left in *ret_names. False at the end.
static bool next_line(struct str *rest, struct ip *ret_ip, struct str *ret_names)
{
    while (rest->len > 0) {
        struct str line;
        str_cut(*rest, '\n', &line, rest);
        str_cut(line, '#', &line, NULL);
        struct str word = str_next_word(&line);
        if (word.len > 0 && ip_parse(word, ret_ip) == ERR_OK) {
            *ret_names = line;
            return true;
        }
    }
    return false;
}

static uint32_t count_names(struct str text)
{
    struct ip ip;
    struct str names;
    uint32_t n = 0; // a name has two bytes of the text at least
    while (next_line(&text, &ip, &names)) {
        while (str_next_word(&names).len > 0)
            n++;
    }
    return n;
}

static struct str lower(struct str s, char *to)
{
    for (size_t i = 0; i < s.len; i++)
        to[i] = ascii_lower(s.ptr[i]);
    return str_from(to, s.len);
}

static bool add_names(struct hosts *h, struct ip ip, struct str names, struct arena *mem)
{
    for (struct str word; (word = str_next_word(&names)).len > 0;) {
        if (word.len > NAME_MAX_BYTES)
            continue;
        char *copy = ARENA_ARRAY(mem, char, word.len);
        if (!copy)
            return false;
        h->entries[h->n++] = (struct hosts_entry){.name = lower(word, copy), .ip = ip};
    }
    return true;
}

static uint32_t *slot_of(const struct hosts *h, struct str name)
{
    return &h->slots[hash_str(name) & (h->n_slots - 1)];
}

enum err hosts_parse(struct str text, struct arena *mem, struct hosts *ret)
{
    struct hosts h = {.n_slots = 1};
    if (text.len > HOSTS_TEXT_MAX_BYTES)
        return ERR_LIMIT;
    uint32_t n_max = count_names(text);
    while (h.n_slots < n_max)
        h.n_slots *= 2;
    h.entries = ARENA_ARRAY(mem, struct hosts_entry, MAX(n_max, 1u));
    h.slots = arena_zalloc(mem, h.n_slots, sizeof h.slots[0], alignof(uint32_t));
    if (!h.entries || !h.slots)
        return ERR_LIMIT;
    struct ip ip;
    struct str names;
    while (next_line(&text, &ip, &names)) {
        if (!add_names(&h, ip, names, mem))
            return ERR_LIMIT;
    }
    // From the last to the first, so that a slot's list has the file's order.
    for (uint32_t i = h.n; i > 0; i--) {
        uint32_t *slot = slot_of(&h, h.entries[i - 1].name);
        h.entries[i - 1].next = *slot;
        *slot = i;
    }
    *ret = h;
    return ERR_OK;
}

size_t hosts_find(const struct hosts *h, struct str name, struct ip *ret, size_t max)
{
    char buf[NAME_MAX_BYTES];
    size_t n = 0;
    if (h->n_slots == 0 || name.len > sizeof buf)
        return 0;
    name = lower(name, buf);
    for (uint32_t i = *slot_of(h, name); i > 0 && n < max; i = h->entries[i - 1].next) {
        if (str_eq(h->entries[i - 1].name, name))
            ret[n++] = h->entries[i - 1].ip;
    }
    return n;
}
