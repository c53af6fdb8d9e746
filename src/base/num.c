// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/ascii.h"

struct unit {
    struct str name;
    uint64_t factor;
};

// Largest first: the text of a value uses the first unit that divides it.
static const struct unit durations[] = {
    {STR_INIT("d"), 86400000}, {STR_INIT("h"), 3600000}, {STR_INIT("m"), 60000},
    {STR_INIT("s"), 1000},     {STR_INIT("ms"), 1},
};

static const struct unit sizes[] = {
    {STR_INIT("TiB"), 1ull << 40}, {STR_INIT("GiB"), 1 << 30},      {STR_INIT("MiB"), 1 << 20},
    {STR_INIT("KiB"), 1 << 10},    {STR_INIT("TB"), 1000000000000}, {STR_INIT("GB"), 1000000000},
    {STR_INIT("MB"), 1000000},     {STR_INIT("kB"), 1000},          {STR_INIT("B"), 1},
};

#define PICO 1000000000000u

static const struct unit periods[] = {
    {STR_INIT("s"), 1},
    {STR_INIT("m"), 60},
    {STR_INIT("h"), 3600},
    {STR_INIT("d"), 86400},
};

#define SAFE_DIGITS 19 // a number of so many digits always fits

enum err num_dec(struct str s, uint64_t max, uint64_t *ret)
{
    if (s.len == 0)
        return ERR_SYNTAX;
    uint64_t value = 0;
    bool is_over = false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(uint8_t)s.ptr[i] - '0';
        if (digit > 9)
            return ERR_SYNTAX;
        if (UNLIKELY(i >= SAFE_DIGITS))
            is_over |= value > (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (is_over || value > max)
        return ERR_RANGE;
    *ret = value;
    return ERR_OK;
}

enum err num_hex(struct str s, uint64_t max, uint64_t *ret)
{
    if (s.len == 0)
        return ERR_SYNTAX;
    uint64_t value = 0;
    bool is_over = false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = ascii_hex(s.ptr[i]);
        if (digit < 0)
            return ERR_SYNTAX;
        is_over |= value > UINT64_MAX >> 4;
        value = value << 4 | (uint64_t)digit;
    }
    if (is_over || value > max)
        return ERR_RANGE;
    *ret = value;
    return ERR_OK;
}

static size_t count_digits(struct str s)
{
    size_t n = 0;
    while (n < s.len && ascii_is(s.ptr[n], ASCII_DIGIT))
        n++;
    return n;
}

static const struct unit *find_unit(const struct unit *units, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(units[i].name, name))
            return &units[i];
    }
    return NULL;
}

enum err num_duration(struct str s, uint64_t *ret_ms)
{
    if (str_eq(s, STR("0"))) {
        *ret_ms = 0;
        return ERR_OK;
    }
    if (s.len == 0)
        return ERR_SYNTAX;
    uint64_t total = 0;
    const struct unit *last = NULL;
    while (s.len > 0) {
        size_t n_digits = count_digits(s);
        uint64_t value;
        enum err err = num_dec(str_first(s, n_digits), UINT64_MAX, &value);
        if (err != ERR_OK)
            return err;
        s = str_skip(s, n_digits);
        size_t n_name = 0;
        while (n_name < s.len && ascii_is(s.ptr[n_name], ASCII_ALPHA))
            n_name++;
        const struct unit *unit = find_unit(durations, ARRAY_LEN(durations), str_first(s, n_name));
        if (!unit || (last && unit <= last))
            return ERR_SYNTAX;
        last = unit;
        s = str_skip(s, n_name);
        if (__builtin_mul_overflow(value, unit->factor, &value) ||
            __builtin_add_overflow(total, value, &total))
            return ERR_RANGE;
    }
    *ret_ms = total;
    return ERR_OK;
}

enum err num_size(struct str s, uint64_t *ret_bytes)
{
    size_t n_digits = count_digits(s);
    uint64_t value;
    enum err err = num_dec(str_first(s, n_digits), UINT64_MAX, &value);
    if (err != ERR_OK)
        return err;
    struct str name = str_skip(s, n_digits);
    if (name.len > 0) {
        if (name.ptr[0] == ' ')
            name = str_skip(name, 1);
        const struct unit *unit = find_unit(sizes, ARRAY_LEN(sizes), name);
        if (!unit)
            return ERR_SYNTAX;
        if (__builtin_mul_overflow(value, unit->factor, &value))
            return ERR_RANGE;
    }
    *ret_bytes = value;
    return ERR_OK;
}

enum err num_rate(struct str s, uint64_t *ret_pico_per_s)
{
    struct str count, period;
    if (!str_cut(s, '/', &count, &period))
        return ERR_SYNTAX;
    uint64_t value;
    enum err err = num_dec(count, UINT64_MAX / PICO, &value);
    if (err != ERR_OK)
        return err;
    const struct unit *unit = find_unit(periods, ARRAY_LEN(periods), period);
    if (!unit)
        return ERR_SYNTAX;
    uint64_t pico = value * PICO;
    bool rounds_up = pico % unit->factor * 2 >= unit->factor;
    *ret_pico_per_s = pico / unit->factor + rounds_up;
    return ERR_OK;
}

static void unit_text(const struct unit *units, size_t n, uint64_t value, char ret_text[static 24])
{
    for (size_t i = 0; i < n; i++) {
        if (value > 0 && value % units[i].factor == 0) {
            snprintf(ret_text, 24, "%" PRIu64 STR_FMT, value / units[i].factor,
                     STR_ARG(units[i].name));
            return;
        }
    }
    snprintf(ret_text, 24, "0");
}

void num_duration_text(uint64_t ms, char ret_text[static 24])
{
    unit_text(durations, ARRAY_LEN(durations), ms, ret_text);
}

void num_size_text(uint64_t bytes, char ret_text[static 24])
{
    unit_text(sizes, 4, bytes, ret_text);
    if (bytes > 0 && bytes % 1024 != 0)
        snprintf(ret_text, 24, "%" PRIu64, bytes);
}
