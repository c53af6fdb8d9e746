// SPDX-License-Identifier: Apache-2.0
// The process that speaks with an engine (`sallyport engine`): started by the keeper, it holds the
// engine's socket and nothing else, and tells what containers there are until the engine or the
// keeper is gone. A new one is started then, so each begins with everything anew.
#pragma once

// Its channel to the keeper, as a gate's.
#define ENGINE_CHANNEL_FD 3

// Runs until the end of the process; the exit status says nothing, the last message does.
int engine_main(void);
