#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints src/codec/field_hash.h: a perfect hash of the names in src/codec/field.h.

Run it after a change of FIELD_LIST: tools/gen/field_hash.py > src/codec/field_hash.h
tests/unit/codec/test_field.c fails until that was done.
"""
import pathlib
import random
import re

BITS = 8
ROOT = pathlib.Path(__file__).resolve().parents[2]
names = re.findall(r'X\((\w+), "([^"]+)"\)', (ROOT / "src/codec/field.h").read_text())


def key(name):
    """The same as hash_key in src/codec/field.c."""
    b = name.lower().encode()
    return b[0] | b[-2] << 8 | b[-1] << 16 | len(b) << 24


def slots_of(factor):
    """Slot → id, or None when two names share a slot."""
    slots = {}
    for id, name in names:
        slot = (key(name) * factor & 0xFFFFFFFF) >> (32 - BITS)
        if slot in slots:
            return None
        slots[slot] = id
    return slots


assert len({key(name) for _, name in names}) == len(names), "two names have the same key"
random.seed(1)
while not (slots := slots_of(factor := random.getrandbits(32) | 1)):
    pass

print(f"""// SPDX-License-Identifier: Apache-2.0
// A perfect hash of the known field names. Printed by tools/gen/field_hash.py; don't edit.
#pragma once

#include <stdint.h>

#include "codec/field.h"

#define FIELD_HASH_FACTOR 0x{factor:08x}u
#define FIELD_HASH_SHIFT {32 - BITS}

static const uint8_t field_slots[1 << {BITS}] = {{""")
for slot, id in sorted(slots.items()):
    print(f"    [{slot}] = FIELD_{id},")
print("};")
