// SPDX-License-Identifier: Apache-2.0
#include "base/ascii.h"

#define T ASCII_TOKEN
#define D ASCII_DIGIT
#define H ASCII_HEX
#define A ASCII_ALPHA
#define V ASCII_VALUE
#define R ASCII_TARGET
#define P ASCII_PCHAR
#define U ASCII_UPPER

#define OBS_TEXT4(n) [(n)] = V, [(n) + 1] = V, [(n) + 2] = V, [(n) + 3] = V
#define OBS_TEXT(n) OBS_TEXT4(n), OBS_TEXT4((n) + 4), OBS_TEXT4((n) + 8), OBS_TEXT4((n) + 12)

const uint8_t ascii_table[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = T | V | R | P,
    ['"'] = V | R,
    ['#'] = T | V | R,
    ['$'] = T | V | R | P,
    ['%'] = T | V | R,
    ['&'] = T | V | R | P,
    ['\''] = T | V | R | P,
    ['('] = V | R | P,
    [')'] = V | R | P,
    ['*'] = T | V | R | P,
    ['+'] = T | V | R | P,
    [','] = V | R | P,
    ['-'] = T | V | R | P,
    ['.'] = T | V | R | P,
    ['/'] = V | R | P,
    ['0'] = T | D | H | V | R | P,
    ['1'] = T | D | H | V | R | P,
    ['2'] = T | D | H | V | R | P,
    ['3'] = T | D | H | V | R | P,
    ['4'] = T | D | H | V | R | P,
    ['5'] = T | D | H | V | R | P,
    ['6'] = T | D | H | V | R | P,
    ['7'] = T | D | H | V | R | P,
    ['8'] = T | D | H | V | R | P,
    ['9'] = T | D | H | V | R | P,
    [':'] = V | R | P,
    [';'] = V | R | P,
    ['<'] = V | R,
    ['='] = V | R | P,
    ['>'] = V | R,
    ['?'] = V | R,
    ['@'] = V | R | P,
    ['A'] = T | H | A | V | R | P | U,
    ['B'] = T | H | A | V | R | P | U,
    ['C'] = T | H | A | V | R | P | U,
    ['D'] = T | H | A | V | R | P | U,
    ['E'] = T | H | A | V | R | P | U,
    ['F'] = T | H | A | V | R | P | U,
    ['G'] = T | A | V | R | P | U,
    ['H'] = T | A | V | R | P | U,
    ['I'] = T | A | V | R | P | U,
    ['J'] = T | A | V | R | P | U,
    ['K'] = T | A | V | R | P | U,
    ['L'] = T | A | V | R | P | U,
    ['M'] = T | A | V | R | P | U,
    ['N'] = T | A | V | R | P | U,
    ['O'] = T | A | V | R | P | U,
    ['P'] = T | A | V | R | P | U,
    ['Q'] = T | A | V | R | P | U,
    ['R'] = T | A | V | R | P | U,
    ['S'] = T | A | V | R | P | U,
    ['T'] = T | A | V | R | P | U,
    ['U'] = T | A | V | R | P | U,
    ['V'] = T | A | V | R | P | U,
    ['W'] = T | A | V | R | P | U,
    ['X'] = T | A | V | R | P | U,
    ['Y'] = T | A | V | R | P | U,
    ['Z'] = T | A | V | R | P | U,
    ['['] = V | R,
    ['\\'] = V | R,
    [']'] = V | R,
    ['^'] = T | V | R,
    ['_'] = T | V | R | P,
    ['`'] = T | V | R,
    ['a'] = T | H | A | V | R | P,
    ['b'] = T | H | A | V | R | P,
    ['c'] = T | H | A | V | R | P,
    ['d'] = T | H | A | V | R | P,
    ['e'] = T | H | A | V | R | P,
    ['f'] = T | H | A | V | R | P,
    ['g'] = T | A | V | R | P,
    ['h'] = T | A | V | R | P,
    ['i'] = T | A | V | R | P,
    ['j'] = T | A | V | R | P,
    ['k'] = T | A | V | R | P,
    ['l'] = T | A | V | R | P,
    ['m'] = T | A | V | R | P,
    ['n'] = T | A | V | R | P,
    ['o'] = T | A | V | R | P,
    ['p'] = T | A | V | R | P,
    ['q'] = T | A | V | R | P,
    ['r'] = T | A | V | R | P,
    ['s'] = T | A | V | R | P,
    ['t'] = T | A | V | R | P,
    ['u'] = T | A | V | R | P,
    ['v'] = T | A | V | R | P,
    ['w'] = T | A | V | R | P,
    ['x'] = T | A | V | R | P,
    ['y'] = T | A | V | R | P,
    ['z'] = T | A | V | R | P,
    ['{'] = V | R,
    ['|'] = T | V | R,
    ['}'] = V | R,
    ['~'] = T | V | R | P,
    OBS_TEXT(0x80),
    OBS_TEXT(0x90),
    OBS_TEXT(0xa0),
    OBS_TEXT(0xb0),
    OBS_TEXT(0xc0),
    OBS_TEXT(0xd0),
    OBS_TEXT(0xe0),
    OBS_TEXT(0xf0),
};

bool ascii_all(struct str s, unsigned classes)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is(s.ptr[i], classes))
            return false;
    return true;
}
