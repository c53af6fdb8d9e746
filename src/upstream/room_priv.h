// SPDX-License-Identifier: Apache-2.0
// Who waits for a place: for room.c, and for those who look whether all is right.
#pragma once

#include "rt/fiber.h"
#include "upstream/room.h"

// Its mail lets it outlive the wait: who leaves while the mail is on its way leaves it to the mail.
struct room_waiter {
    struct list_node node;
    struct fiber *fiber; // borrows; NULL: it has left
    struct rt_mail mail;
    struct rt_loop *loop;        // borrows
    struct room *room;           // borrows
    struct room_queue *queue;    // borrows
    struct server_slot *granted; // under the lock until the mail is there
    bool is_told;                // it knows, or the mail is there
    uint64_t number;             // the lower, the earlier it came
    size_t n_seats;
    struct room_seat seats[];
};
