// SPDX-License-Identifier: Apache-2.0
#include "cli/topics.h"

#include "base/attr.h"

static const struct cli_topic_row exit_statuses[] = {
    {"0", "All is well."},
    {"1", "The work failed: the settings have errors, the proxy can't be reached, no route takes "
          "the request."},
    {"2", "The command line is wrong. Nothing was done."},
    {"3", "`import`: settings were made, but not of all there was."},
};

static const struct cli_topic_row signals[] = {
    {"SIGHUP", "Read the settings anew, as `sallyport reload` does, without waiting."},
    {"SIGTERM, SIGINT", "Stop as `sallyport stop` does: running exchanges may finish, at most for "
                        "`drain-timeout`. A second one stops at once."},
    {"SIGUSR1", "Open the log files anew: send it after they were renamed."},
};

static const struct cli_topic_row files[] = {
    {"./sallyport.yaml", "The settings, when there is such a file where the command is given."},
    {"/etc/sallyport/sallyport.yaml", "The settings otherwise."},
    {"/run/sallyport/control.sock", "The control socket of a proxy that root started."},
    {"$XDG_RUNTIME_DIR/sallyport/control.sock",
     "That of another user's; without this variable it is `/tmp/sallyport-UID/control.sock`."},
};

static const struct cli_topic_row variables[] = {
    {"SALLYPORT_CONTROL",
     "The control socket: for commands when `--control` doesn't say, for `run` when the settings "
     "don't."},
    {"XDG_RUNTIME_DIR", "Where the control socket of an ordinary user's proxy is."},
    {"NOTIFY_SOCKET, WATCHDOG_USEC",
     "Set by systemd for a service with `Type=notify`: it is told when the proxy is ready, reloads "
     "or stops, and that it is alive."},
    {"NAME", "Settings that are secret can be given as `env:NAME`; such a variable must be set for "
             "the proxy, and for commands that load the settings."},
};

static const struct cli_topic_row examples[] = {
    {"sallyport proxy --from app.example.com --to :3000",
     "A proxy without a settings file: what comes for this name goes to port 3000 of this "
     "machine."},
    {"sallyport check && sallyport reload",
     "Check the settings, then let the running proxy use them. `reload` checks them as well; this "
     "way nothing even reaches the proxy's log."},
    {"sallyport explain -X POST --from 203.0.113.7 https://app.example.com/login",
     "Which route takes this request, which don't and why, and where it goes."},
    {"sallyport explain --running app.example.com",
     "The same by the settings in force, with the state of each server."},
    {"sallyport status --json | jq .report.counters", "The counters, for another program."},
    {"sallyport upgrade /usr/local/bin/sallyport", "Hand over to a new version."},
    {"sallyport print completion bash > /etc/bash_completion.d/sallyport",
     "Completion for bash, where no package has installed it."},
};

const struct cli_topic cli_topics[CLI_TOPICS] = {
    {"Exit status", "status", exit_statuses, ARRAY_LEN(exit_statuses)},
    {"Signals", "signal", signals, ARRAY_LEN(signals)},
    {"Files", "file", files, ARRAY_LEN(files)},
    {"Environment", "variable", variables, ARRAY_LEN(variables)},
    {"Examples", "command", examples, ARRAY_LEN(examples)},
};
