// SPDX-License-Identifier: Apache-2.0
#include "rt/log_ring.h"

#include "base/mem.h"
#include "unit/test.h"

static void put(struct log_ring *r, struct str line, uint16_t level)
{
    char *room = log_ring_reserve(r, line.len + 50); // more than is used
    CHECK(room != NULL);
    if (!room)
        return;
    memcpy(room, line.ptr, line.len);
    log_ring_commit(r, line.len, level, 1);
}

static void free_ring(struct log_ring *r)
{
    mem_free(r->data);
    mem_free(r);
}

static void lines_come_out_as_they_went_in_until_they_are_dropped(void)
{
    struct log_ring *r = log_ring_new();
    struct log_entry entries[3];
    CHECK_INT(log_ring_peek(r, entries, 3), 0);
    put(r, STR("one"), 1);
    put(r, STR(""), 2);
    put(r, STR("three"), 3);
    put(r, STR("four"), 0);
    for (int i = 0; i < 2; i++) { // to look takes nothing away
        CHECK_INT(log_ring_peek(r, entries, 3), 3);
        CHECK_STR(entries[0].line, STR("one"));
        CHECK_INT(entries[1].line.len, 0);
        CHECK_STR(entries[2].line, STR("three"));
        CHECK(entries[0].level == 1 && entries[2].level == 3 && entries[2].own_bytes == 1);
    }
    log_ring_drop(r, 2);
    CHECK_INT(log_ring_peek(r, entries, 3), 2);
    CHECK_STR(entries[0].line, STR("three"));
    CHECK_STR(entries[1].line, STR("four"));
    log_ring_drop(r, 2);
    CHECK_INT(log_ring_peek(r, entries, 3), 0);
    free_ring(r);
}

static void a_reservation_that_is_not_used_leaves_no_trace(void)
{
    struct log_ring *r = log_ring_new();
    struct log_entry entry;
    for (int i = 0; i < 100000; i++) {
        CHECK(log_ring_reserve(r, LOG_LINE_MAX_BYTES) != NULL);
        put(r, STR("used"), 0);
        CHECK_INT(log_ring_peek(r, &entry, 1), 1);
        CHECK_STR(entry.line, STR("used"));
        log_ring_drop(r, 1);
    }
    free_ring(r);
}

static void a_full_ring_gives_no_room_until_a_line_is_dropped(void)
{
    enum { N_BYTES = 60000 };
    struct log_ring *r = log_ring_new();
    CHECK(log_ring_reserve(r, LOG_LINE_MAX_BYTES + 1) == NULL);
    size_t n = 0;
    for (; log_ring_reserve(r, N_BYTES); n++)
        log_ring_commit(r, N_BYTES, 0, 0);
    CHECK_INT(n, (1 << 20) / N_BYTES);
    CHECK(log_ring_reserve(r, N_BYTES) == NULL);
    for (size_t i = 0; i < 3 * n; i++) { // over its end
        log_ring_drop(r, 2);
        while (log_ring_reserve(r, N_BYTES))
            log_ring_commit(r, N_BYTES, 0, 0);
        struct log_entry entries[64];
        size_t got = log_ring_peek(r, entries, 64);
        CHECK(got >= n - 1 && got <= n);
        CHECK_INT(entries[got - 1].line.len, N_BYTES);
    }
    free_ring(r);
}

TEST_MAIN(TEST(lines_come_out_as_they_went_in_until_they_are_dropped),
          TEST(a_reservation_that_is_not_used_leaves_no_trace),
          TEST(a_full_ring_gives_no_room_until_a_line_is_dropped))
