// SPDX-License-Identifier: Apache-2.0
// The results of calls. What can fail returns enum err; what moves bytes returns enum io.
#pragma once

#define ERR_LIST(X)                                                                                \
    X(OK, "ok")                                                                                    \
    X(SYNTAX, "the text is malformed")                                                             \
    X(RANGE, "the value is out of range")                                                          \
    X(LIMIT, "a configured limit was reached")                                                     \
    X(PROTOCOL, "the peer broke the protocol")                                                     \
    X(NOT_FOUND, "there is no such thing")                                                         \
    X(TIMEOUT, "the time ran out")                                                                 \
    X(CANCELLED, "the work was cancelled")                                                         \
    X(CLOSED, "the peer closed the connection")                                                    \
    X(UNAVAILABLE, "nothing can serve this now")                                                   \
    X(SYSTEM, "a system call failed")

enum err {
#define X(id, text) ERR_##id,
    ERR_LIST(X)
#undef X
};

// The text behind an error value, for people.
const char *err_text(enum err err);

// How far a read, write or parse came.
enum io {
    IO_DONE,  // what was asked for is there
    IO_AGAIN, // more input or room is needed; nothing was consumed
    IO_EOF,   // an orderly end
    IO_FAIL,  // an error; the object says which
};
