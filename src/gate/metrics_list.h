// SPDX-License-Identifier: Apache-2.0
// The table of all metrics, in the order in which they are told: the function of metrics.c that
// writes the samples, name, kind, unit, labels, meaning.
#pragma once

#define ROUTE_LABELS "route, site, service"

#define METRICS_LIST(X)                                                                            \
    X(build_info, "sallyport_build", INFO, "", "version", "The program that runs.")                \
    X(process_start, "process_start_time_seconds", GAUGE, "seconds", "",                           \
      "When the process that serves was started, in seconds since 1970.")                          \
    X(process_cpu, "process_cpu_seconds", COUNTER, "seconds", "",                                  \
      "Processor time of the process that serves.")                                                \
    X(process_memory, "process_resident_memory_bytes", GAUGE, "bytes", "",                         \
      "Memory of the process that serves.")                                                        \
    X(process_fds, "process_open_fds", GAUGE, "", "",                                              \
      "Open files and sockets of the process that serves; 0 before Linux 6.2.")                    \
    X(process_max_fds, "process_max_fds", GAUGE, "", "", "The limit of them.")                     \
    X(sockets, "sallyport_sockets", GAUGE, "", "", "Open sockets, of clients and to servers.")     \
    X(log_lines_lost, "sallyport_log_lines_lost", COUNTER, "", "log",                              \
      "Lines of a log that were dropped because it couldn't be written.")                          \
    X(gate_restarts, "sallyport_gate_restarts", COUNTER, "", "",                                   \
      "Processes that took the place of one that had died.")                                       \
    X(reloads, "sallyport_reloads", COUNTER, "", "result",                                         \
      "Attempts to put new settings in force.")                                                    \
    X(reload_ok, "sallyport_last_reload_ok", GAUGE, "", "",                                        \
      "1 if the last attempt worked, or there was none.")                                          \
    X(reload_at, "sallyport_settings_in_force_since_seconds", GAUGE, "seconds", "",                \
      "When the settings were put in force, in seconds since 1970.")                               \
    X(worker_lag, "sallyport_worker_lag_seconds", GAUGE, "seconds", "worker",                      \
      "How long a worker's loop took to come to the question for these numbers.")                  \
    X(worker_longest_turn, "sallyport_worker_longest_turn_seconds", GAUGE, "seconds", "worker",    \
      "The longest turn of a worker's loop since its start.")                                      \
    X(worker_cpu, "sallyport_worker_cpu_seconds", COUNTER, "seconds", "worker",                    \
      "Processor time of a worker.")                                                               \
    X(conns_accepted, "sallyport_connections_accepted", COUNTER, "", "",                           \
      "Connections of clients.")                                                                   \
    X(conns_open, "sallyport_connections_open", GAUGE, "", "entrypoint",                           \
      "Connections of clients that are open.")                                                     \
    X(conns_idle, "sallyport_connections_idle", GAUGE, "", "",                                     \
      "Those of them on which nothing goes on.")                                                   \
    X(conns_http2, "sallyport_http2_connections", COUNTER, "", "",                                 \
      "Connections of clients that spoke HTTP/2.")                                                 \
    X(conns_refused, "sallyport_connections_refused", COUNTER, "", "reason",                       \
      "Connections that were closed for a limit, or for the PROXY header that they lacked.")       \
    X(tunnels, "sallyport_tunnels_open", GAUGE, "", "",                                            \
      "Open tunnels: WebSockets and other upgrades, connections of TCP routes.")                   \
    X(bytes_in, "sallyport_received_bytes", COUNTER, "bytes", "", "Bytes from clients.")           \
    X(bytes_out, "sallyport_sent_bytes", COUNTER, "bytes", "", "Bytes to clients.")                \
    X(handshakes, "sallyport_tls_handshakes", COUNTER, "", "version",                              \
      "Handshakes with clients that came about.")                                                  \
    X(handshakes_failed, "sallyport_tls_handshake_failures", COUNTER, "", "reason",                \
      "Those that didn't.")                                                                        \
    X(handshakes_open, "sallyport_tls_handshakes_open", GAUGE, "", "",                             \
      "Handshakes that are going on.")                                                             \
    X(resumptions, "sallyport_tls_resumptions", COUNTER, "", "",                                   \
      "Handshakes that went on with a session from before.")                                       \
    X(early, "sallyport_tls_early_data", COUNTER, "", "", "Those of them with early data.")        \
    X(passed_through, "sallyport_tls_passed_through", COUNTER, "", "",                             \
      "Connections that TCP routes took without a look inside.")                                   \
    X(certificates, "sallyport_certificate_not_after_timestamp_seconds", GAUGE, "seconds",         \
      "certificate, signer, digest",                                                               \
      "When a certificate that is in use expires, in seconds since 1970.")                         \
    X(requests, "sallyport_requests", COUNTER, "", ROUTE_LABELS ", method, status",                \
      "Requests that have ended. Those that no route took have an empty route.")                   \
    X(requests_open, "sallyport_requests_open", GAUGE, "", "", "Requests that are going on.")      \
    X(all_durations, "sallyport_duration_seconds", HISTOGRAM, "seconds", "",                       \
      "Time from a request's first byte to the last one of its answer; tunnels don't count.")      \
    X(durations, "sallyport_request_duration_seconds", HISTOGRAM, "seconds", ROUTE_LABELS,         \
      "The same for each route, unless `metrics` has `durations: total`.")                         \
    X(request_bytes, "sallyport_request_bytes", COUNTER, "bytes", ROUTE_LABELS,                    \
      "Bytes of requests, heads included.")                                                        \
    X(response_bytes, "sallyport_response_bytes", COUNTER, "bytes", ROUTE_LABELS,                  \
      "Bytes of answers, heads included.")                                                         \
    X(retries, "sallyport_retries", COUNTER, "", ROUTE_LABELS,                                     \
      "Further servers that were tried after one had failed.")                                     \
    X(ends, "sallyport_request_ends", COUNTER, "", "end",                                          \
      "How requests ended, as the field `{end}` of the access log.")                               \
    X(filtered, "sallyport_filtered_requests", COUNTER, "", "filter, status",                      \
      "Requests that a filter has answered instead of a server.")                                  \
    X(refused_requests, "sallyport_refused_requests", COUNTER, "", "protocol, reason",             \
      "Requests and connections that were refused because they break a rule of their protocol.")   \
    X(refused_answers, "sallyport_refused_answers", COUNTER, "", "protocol, reason",               \
      "The same of servers' answers.")                                                             \
    X(compressed, "sallyport_compressed_answers", COUNTER, "", "", "Answers that were packed.")    \
    X(ahead_bytes, "sallyport_read_ahead_memory_bytes", GAUGE, "bytes", "",                        \
      "Memory of bodies that the filter `buffer` has read ahead.")                                 \
    X(spool_bytes, "sallyport_spool_bytes", GAUGE, "bytes", "",                                    \
      "Space of the spool that they have, in steps of 64 KiB.")                                    \
    X(spool_max, "sallyport_spool_max_bytes", GAUGE, "bytes", "",                                  \
      "The limit of it; 0: there is no spool.")                                                    \
    X(spool_written, "sallyport_spool_written_bytes", COUNTER, "bytes", "",                        \
      "Bytes of bodies written to the spool.")                                                     \
    X(spool_full, "sallyport_spool_refusals", COUNTER, "", "",                                     \
      "Times that the spool took no more: it was full, or the disk failed.")                       \
    X(subs, "sallyport_own_requests", COUNTER, "", "result",                                       \
      "Requests that the proxy made by itself: filters that ask, mirrors, spans.")                 \
    X(spans, "sallyport_spans", COUNTER, "", "result",                                             \
      "Spans of traces: sent to the collector, dropped for want of room, or not taken by it.")     \
    X(tcp_connections, "sallyport_tcp_connections", COUNTER, "", ROUTE_LABELS,                     \
      "Connections of TCP routes that have ended.")                                                \
    X(server_up, "sallyport_server_up", GAUGE, "", "service, server",                              \
      "1 if a server gets requests by its health: some address of it isn't down, ejected or "      \
      "skipped.")                                                                                  \
    X(server_drained, "sallyport_server_drained", GAUGE, "", "service, server",                    \
      "1 if somebody wants it to get no more requests.")                                           \
    X(server_in_use, "sallyport_server_connections_in_use", GAUGE, "", "service, server",          \
      "Connections to a server on which something goes on.")                                       \
    X(server_idle, "sallyport_server_connections_idle", GAUGE, "", "service, server",              \
      "Connections to a server that wait for something to do.")                                    \
    X(server_requests, "sallyport_server_requests", COUNTER, "", "service, server",                \
      "Requests sent to a server; each try counts.")                                               \
    X(server_failures, "sallyport_server_failures", COUNTER, "", "service, server",                \
      "Times that a server couldn't be reached, or broke off.")                                    \
    X(server_handshakes, "sallyport_server_tls_handshakes", COUNTER, "", "service, server",        \
      "Handshakes with a server that came about.")                                                 \
    X(server_resumptions, "sallyport_server_tls_resumptions", COUNTER, "", "service, server",      \
      "Those of them that went on with a session from before.")                                    \
    X(breakers, "sallyport_breaker_refusals", COUNTER, "", "service",                              \
      "Requests that a service's breaker has refused.")
