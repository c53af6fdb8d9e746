// SPDX-License-Identifier: Apache-2.0
// The gate: the data process. Gets listening sockets, log outputs and snapshots from the keeper
// over one channel, and nothing else; runs the workers, and the aux loop on its main thread, which
// builds snapshots and resolves names.
#pragma once

// The gate's main function; the channel is descriptor GATE_CHANNEL_FD. Returns the exit status: 0
// after draining or when the keeper is gone.
int gate_main(void);
