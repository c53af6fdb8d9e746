// SPDX-License-Identifier: Apache-2.0
// A command's conversation with the running proxy: one request over its control socket, one answer.
// What goes wrong is told on standard error, in words for people.
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/progress.h"

#define CONTROL_ANSWER_MAX_BYTES ((size_t)64 << 20)

struct control_client {
    char *path;       // owns: of the socket
    int fd;           // owns; -1: not connected
    int received_fd;  // owns: came with the answer; -1: none
    pid_t keeper_pid; // who listens there
    struct text in;   // owns: read, and not yet taken as lines
    size_t n_taken;   // bytes of it
    struct progress progress;
};

#define CLI_OPTION_CONTROL                                                                         \
    {                                                                                              \
        .name = "control", .value = "SOCKET", .kind = CLI_VALUE_FILE,                              \
        .doc = "The control socket of the running proxy. By default `$SALLYPORT_CONTROL`, else "   \
               "what the settings file says, else the usual place: `/run/sallyport/control.sock` " \
               "for root, `$XDG_RUNTIME_DIR/sallyport/control.sock` for others."                   \
    }

// Connects. False after telling why not; control_client_close is due either way.
bool control_client_open(struct control_client *c, const struct cli_args *args, const char *what)
    MUST_CHECK;

// Whether a proxy answers there; nothing is told when none does.
bool control_client_is_there(const struct cli_args *args);

// Sends the request (its reference is taken) and reads to the answer, printing the steps between.
// The caller owns the answer, an object with a boolean "ok". NULL after telling what went wrong.
// patience_ms: how long nothing at all may come.
json_t *control_client_call(struct control_client *c, json_t *request, int64_t patience_ms)
    MUST_CHECK;

// Reads on until the proxy has ended, printing what it says. False after telling what went wrong.
bool control_client_wait_end(struct control_client *c) MUST_CHECK;

void control_client_close(struct control_client *c);

// Opens, calls and closes. `what` says to people what is waited for; the rest as
// control_client_call.
json_t *control_client_talk(const struct cli_args *args, json_t *request, const char *what,
                            int64_t patience_ms) MUST_CHECK;

// The same, and an answer that says no is told: what comes back says yes. NULL after telling.
json_t *control_client_insist(const struct cli_args *args, json_t *request, const char *what,
                              int64_t patience_ms) MUST_CHECK;

// Talks of {"command": name}, for commands without more to say.
json_t *control_client_ask(const struct cli_args *args, const char *name, const char *what);

// Prints "sallyport: " and the answer's "error".
void control_client_print_error(const json_t *answer);

// Adds the text of a member, harmless for terminals; "?" where there is none.
void control_client_put_text(struct text *to, const json_t *object, const char *key);

// Prints a list to standard output, each item as `put` writes it.
void control_client_print_list(const json_t *list,
                               void (*put)(struct text *to, const json_t *item));

// Prints the object as one line on standard output.
void control_client_print_json(const json_t *answer);
