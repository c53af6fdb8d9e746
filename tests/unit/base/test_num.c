// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"

#include "unit/test.h"

struct num_case {
    const char *in;
    enum err err;
    uint64_t wanted;
};

typedef enum err num_fn(struct str s, uint64_t *ret);

static void check(num_fn *parse, const struct num_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t got = 77;
        enum err err = parse(str_of(cases[i].in), &got);
        if (err != cases[i].err)
            printf("# for '%s'\n", cases[i].in);
        CHECK_INT(err, cases[i].err);
        CHECK(got == (err == ERR_OK ? cases[i].wanted : 77));
    }
}

static enum err dec(struct str s, uint64_t *ret)
{
    return num_dec(s, UINT64_MAX, ret);
}

static enum err dec_up_to_99(struct str s, uint64_t *ret)
{
    return num_dec(s, 99, ret);
}

static enum err hex(struct str s, uint64_t *ret)
{
    return num_hex(s, UINT64_MAX, ret);
}

static enum err hex_up_to_ff(struct str s, uint64_t *ret)
{
    return num_hex(s, 0xff, ret);
}

static void decimal_numbers_are_digits_alone(void)
{
    static const struct num_case cases[] = {
        {"0", ERR_OK, 0},
        {"007", ERR_OK, 7},
        {"18446744073709551615", ERR_OK, UINT64_MAX},
        {"18446744073709551616", ERR_RANGE, 0},
        {"18446744073709551620", ERR_RANGE, 0},
        {"184467440737095516150", ERR_RANGE, 0},
        {"99999999999999999999999999", ERR_RANGE, 0},
        {"99999999999999999999999999x", ERR_SYNTAX, 0},
        {"", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
        {"+1", ERR_SYNTAX, 0},
        {" 1", ERR_SYNTAX, 0},
        {"1 ", ERR_SYNTAX, 0},
        {"0x1", ERR_SYNTAX, 0},
        {"1.0", ERR_SYNTAX, 0},
        {"1e3", ERR_SYNTAX, 0},
    };
    check(dec, cases, ARRAY_LEN(cases));
    static const struct num_case small[] = {{"99", ERR_OK, 99}, {"100", ERR_RANGE, 0}};
    check(dec_up_to_99, small, ARRAY_LEN(small));
}

static void hexadecimal_numbers_are_digits_alone(void)
{
    static const struct num_case cases[] = {
        {"0", ERR_OK, 0},
        {"fF", ERR_OK, 0xff},
        {"ffffffffffffffff", ERR_OK, UINT64_MAX},
        {"00000000000000000001", ERR_OK, 1},
        {"10000000000000000", ERR_RANGE, 0},
        {"fffffffffffffffff", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"0x1", ERR_SYNTAX, 0},
        {"g", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
        {" 1", ERR_SYNTAX, 0},
    };
    check(hex, cases, ARRAY_LEN(cases));
    static const struct num_case small[] = {{"ff", ERR_OK, 0xff}, {"100", ERR_RANGE, 0}};
    check(hex_up_to_ff, small, ARRAY_LEN(small));
}

static void durations_have_units_from_large_to_small(void)
{
    static const struct num_case cases[] = {
        {"0", ERR_OK, 0},
        {"0s", ERR_OK, 0},
        {"250ms", ERR_OK, 250},
        {"5s", ERR_OK, 5000},
        {"1m30s", ERR_OK, 90000},
        {"2h", ERR_OK, 7200000},
        {"7d", ERR_OK, 604800000},
        {"1d1h1m1s1ms", ERR_OK, 90061001},
        {"18446744073709551615ms", ERR_OK, UINT64_MAX},
        {"18446744073709551616ms", ERR_RANGE, 0},
        {"18446744073709551615s", ERR_RANGE, 0},
        {"213503982334d14h25m51s616ms", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"5", ERR_SYNTAX, 0},
        {"s", ERR_SYNTAX, 0},
        {"5S", ERR_SYNTAX, 0},
        {"5 s", ERR_SYNTAX, 0},
        {" 5s", ERR_SYNTAX, 0},
        {"5s ", ERR_SYNTAX, 0},
        {"-5s", ERR_SYNTAX, 0},
        {"1.5s", ERR_SYNTAX, 0},
        {"5sec", ERR_SYNTAX, 0},
        {"5w", ERR_SYNTAX, 0},
        {"1s1m", ERR_SYNTAX, 0},
        {"1s1s", ERR_SYNTAX, 0},
        {"1m30", ERR_SYNTAX, 0},
    };
    check(num_duration, cases, ARRAY_LEN(cases));
}

static void sizes_have_binary_and_decimal_units(void)
{
    static const struct num_case cases[] = {
        {"0", ERR_OK, 0},
        {"512", ERR_OK, 512},
        {"512B", ERR_OK, 512},
        {"16KiB", ERR_OK, 16384},
        {"16 KiB", ERR_OK, 16384},
        {"4MiB", ERR_OK, 4194304},
        {"1GiB", ERR_OK, 1073741824},
        {"1TiB", ERR_OK, 1099511627776},
        {"1kB", ERR_OK, 1000},
        {"1MB", ERR_OK, 1000000},
        {"1GB", ERR_OK, 1000000000},
        {"1TB", ERR_OK, 1000000000000},
        {"16777215TiB", ERR_OK, UINT64_MAX - (1ull << 40) + 1},
        {"16777216TiB", ERR_RANGE, 0},
        {"18446744073709551616", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"KiB", ERR_SYNTAX, 0},
        {"1K", ERR_SYNTAX, 0},
        {"1kib", ERR_SYNTAX, 0},
        {"1KB", ERR_SYNTAX, 0},
        {"1  KiB", ERR_SYNTAX, 0},
        {"1\tKiB", ERR_SYNTAX, 0},
        {"1 ", ERR_SYNTAX, 0},
        {" 1", ERR_SYNTAX, 0},
        {"1KiB ", ERR_SYNTAX, 0},
        {"1.5MiB", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
    };
    check(num_size, cases, ARRAY_LEN(cases));
}

static void rates_are_rounded(void)
{
    static const struct num_case cases[] = {
        {"0/s", ERR_OK, 0},
        {"100/s", ERR_OK, 100000000000000},
        {"30/m", ERR_OK, 500000000000},
        {"100/m", ERR_OK, 1666666666667},
        {"5/h", ERR_OK, 1388888889},
        {"1000/d", ERR_OK, 11574074074},
        {"1/d", ERR_OK, 11574074},
        {"18446744/s", ERR_OK, 18446744000000000000u},
        {"18446744/d", ERR_OK, 213503981481481u},
        {"18446745/s", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"5", ERR_SYNTAX, 0},
        {"/s", ERR_SYNTAX, 0},
        {"5/", ERR_SYNTAX, 0},
        {"5/x", ERR_SYNTAX, 0},
        {"5/ms", ERR_SYNTAX, 0},
        {"5/s/s", ERR_SYNTAX, 0},
        {"5 / s", ERR_SYNTAX, 0},
        {"1.5/s", ERR_SYNTAX, 0},
    };
    check(num_rate, cases, ARRAY_LEN(cases));
}

static void texts_of_values_are_short_and_read_back(void)
{
    static const struct {
        uint64_t value;
        struct str duration, size;
    } cases[] = {
        {0, STR_INIT("0"), STR_INIT("0")},
        {1, STR_INIT("1ms"), STR_INIT("1")},
        {1000, STR_INIT("1s"), STR_INIT("1000")},
        {1024, STR_INIT("1024ms"), STR_INIT("1KiB")},
        {90000, STR_INIT("90s"), STR_INIT("90000")},
        {1536, STR_INIT("1536ms"), STR_INIT("1536")},
        {65536, STR_INIT("65536ms"), STR_INIT("64KiB")},
        {604800000, STR_INIT("7d"), STR_INIT("590625KiB")},
        {1ull << 40, STR_INIT("1099511627776ms"), STR_INIT("1TiB")},
        {UINT64_MAX, STR_INIT("18446744073709551615ms"), STR_INIT("18446744073709551615")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[24];
        uint64_t back = 77;
        num_duration_text(cases[i].value, text);
        CHECK_STR(str_of(text), cases[i].duration);
        CHECK(num_duration(str_of(text), &back) == ERR_OK && back == cases[i].value);
        num_size_text(cases[i].value, text);
        CHECK_STR(str_of(text), cases[i].size);
        CHECK(num_size(str_of(text), &back) == ERR_OK && back == cases[i].value);
    }
}

TEST_MAIN(TEST(decimal_numbers_are_digits_alone), TEST(hexadecimal_numbers_are_digits_alone),
          TEST(durations_have_units_from_large_to_small), TEST(sizes_have_binary_and_decimal_units),
          TEST(rates_are_rounded), TEST(texts_of_values_are_short_and_read_back))
