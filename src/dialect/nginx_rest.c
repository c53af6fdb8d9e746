// SPDX-License-Identifier: Apache-2.0
// What is left of the file when all that can be is carried over.
#include "dialect/nginx_priv.h"

static const struct {
    const char *name, *why;
} needless[] = {
#define TUNING "it is done well by itself here"
    {"worker_processes", "'workers' is the number of cores by itself"},
    {"worker_connections", TUNING},
    {"worker_rlimit_nofile", TUNING},
    {"worker_cpu_affinity", TUNING},
    {"events", TUNING},
    {"multi_accept", TUNING},
    {"use", TUNING},
    {"sendfile", TUNING},
    {"tcp_nopush", TUNING},
    {"tcp_nodelay", TUNING},
    {"aio", TUNING},
    {"types_hash_max_size", TUNING},
    {"types_hash_bucket_size", TUNING},
    {"server_names_hash_bucket_size", TUNING},
    {"server_names_hash_max_size", TUNING},
    {"variables_hash_max_size", TUNING},
    {"variables_hash_bucket_size", TUNING},
    {"map_hash_bucket_size", TUNING},
    {"proxy_headers_hash_max_size", TUNING},
    {"proxy_headers_hash_bucket_size", TUNING},
    {"client_body_buffer_size", TUNING},
    {"client_header_buffer_size", TUNING},
    {"output_buffers", TUNING},
    {"proxy_buffers", TUNING},
    {"proxy_buffer_size", TUNING},
    {"proxy_busy_buffers_size", TUNING},
    {"proxy_max_temp_file_size", "bodies aren't kept on disk"},
    {"proxy_temp_file_write_size", "bodies aren't kept on disk"},
    {"proxy_temp_path", "bodies aren't kept on disk"},
    {"client_body_temp_path", "bodies aren't kept on disk"},
    {"proxy_buffering", "bodies flow as they come; 'buffer' reads them ahead"},
    {"proxy_request_buffering", "bodies flow as they come; 'buffer' reads them ahead"},
    {"proxy_http_version", "HTTP/1.1 or HTTP/2 is spoken with servers"},
    {"proxy_redirect", "'strip' corrects Location by itself"},
    {"proxy_set_body", TUNING},
    {"proxy_pass_request_headers", TUNING},
    {"proxy_socket_keepalive", TUNING},
    {"http2", "HTTP/2 is spoken with clients that can"},
    {"http2_push_preload", "browsers have given it up"},
    {"http2_max_concurrent_streams", TUNING},
    {"server_tokens", "answers don't tell what the proxy is"},
    {"ssl_session_cache", "sessions are resumed by tickets"},
    {"ssl_session_timeout", "sessions are resumed by tickets"},
    {"ssl_session_tickets", "sessions are resumed by tickets whose keys change"},
    {"ssl_session_ticket_key", "keys of tickets are made and changed by themselves"},
    {"ssl_prefer_server_ciphers", "all ciphers that are offered are good"},
    {"ssl_dhparam", "only elliptic curves are used"},
    {"ssl_ecdh_curve", "the default groups are those of Mozilla, and post-quantum ones"},
    {"ssl_buffer_size", TUNING},
    {"ssl_stapling", "authorities have given OCSP up"},
    {"ssl_stapling_verify", "authorities have given OCSP up"},
    {"ssl_trusted_certificate", "authorities have given OCSP up"},
    {"resolver", "names of servers are looked up again when their time ends"},
    {"resolver_timeout", TUNING},
    {"gzip_vary", "Vary is always sent"},
    {"gzip_proxied", "answers to proxies are packed, too"},
    {"gzip_http_version", TUNING},
    {"gzip_buffers", TUNING},
    {"gzip_disable", "browsers that can't are gone"},
    {"gzip_static", "files aren't served here"},
    {"keepalive_requests", "'requests-max' of the entrypoint"},
    {"reset_timedout_connection", TUNING},
    {"index", "files aren't served here"},
    {"charset", "types of servers are left alone"},
    {"pid", "there is no such file; 'sallyport status' tells"},
    {"daemon", "the service manager does it"},
    {"load_module", "there are no modules"},
    {"log_format", "'access-log' has formats of its own"},
    {"log_not_found", TUNING},
    {"types", "files aren't served here"},
    {"proxy_cache_bypass", "nothing is cached"},
    {"proxy_no_cache", "nothing is cached"},
    {"underscores_in_headers", "such fields are passed on"},
    {"port_in_redirect", TUNING},
    {"absolute_redirect", TUNING},
    {"server_name_in_redirect", TUNING},
    {"chunked_transfer_encoding", TUNING},
    {"proxy_send_timeout", "'body-timeout' is for both ways"},
    {"ssl", "it stands at 'listen'"},
    {"limit_req_zone", "nothing uses it"},
    {"limit_conn_zone", "nothing uses it"},
    {"upstream", "nothing uses it"},
#undef TUNING
};

static const struct {
    const char *name, *why;
} lost[] = {
    {"access_log", "see 'access-log', which is for all sites"},
    {"error_log", "see 'log'"},
    {"user", "see 'user'; the default is 'nobody'"},
    {"keepalive_timeout", "see 'idle-timeout' of the entrypoint"},
    {"client_body_timeout", "see 'body-timeout' of the entrypoint"},
    {"client_header_timeout", "see 'head-timeout' of the entrypoint"},
    {"send_timeout", "see 'body-timeout' of the entrypoint"},
    {"large_client_header_buffers", "see 'line-max' and 'head-max' of the entrypoint"},
    {"ssl_ciphers", "the default has forward secrecy and authenticated encryption alone; see "
                    "'ciphers' of 'tls'"},
    {"proxy_cache", "nothing is cached yet"},
    {"proxy_cache_path", "nothing is cached yet"},
    {"proxy_cache_valid", "nothing is cached yet"},
    {"proxy_cache_key", "nothing is cached yet"},
    {"proxy_cache_use_stale", "nothing is cached yet"},
    {"error_page", "see the filter 'error-pages'"},
    {"proxy_intercept_errors", "see the filter 'error-pages'"},
    {"proxy_cookie_path", "see the filter 'cookies'"},
    {"proxy_cookie_domain", "see the filter 'cookies'"},
    {"proxy_cookie_flags", "see the filter 'cookies'"},
    {"sub_filter", "bodies aren't changed"},
    {"try_files", "files aren't served here; put a server behind it"},
    {"root", "files aren't served here; put a server behind it"},
    {"alias", "files aren't served here; put a server behind it"},
    {"map", "variables are for nginx's own language; rules of routes may say it"},
    {"geo", "see 'addresses' and 'countries' of 'allow' and 'deny'"},
    {"split_clients", "see 'split' of services"},
    {"stream", "see 'passthrough' and TCP routes"},
    {"mail", "mail isn't relayed; TCP routes may do"},
    {"set", "variables are for nginx's own language"},
    {"expires", "see the filter 'headers'"},
    {"mirror", "see 'mirror' of services"},
};

static const char *reason(const struct nginx_directive *d, enum draft_fate *ret_fate)
{
    for (size_t i = 0; i < sizeof needless / sizeof *needless; i++)
        if (nginx_is(d, needless[i].name)) {
            *ret_fate = DRAFT_NEEDLESS;
            return needless[i].why;
        }
    *ret_fate = DRAFT_LOST;
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (nginx_is(d, lost[i].name))
            return lost[i].why;
    return "nothing here does the same, or it isn't in force";
}

static void note_block(struct nginx *n, struct nginx_directive *block)
{
    for (struct nginx_directive *d = block->first; d; d = d->next) {
        enum draft_fate fate;
        bool is_outer = nginx_is(d, "http") || nginx_is(d, "server") || d->is_done;
        // "map $http_upgrade $connection_upgrade", which every example has.
        if (nginx_is(d, "map") && str_eq(nginx_word(d, 1), STR("$http_upgrade"))) {
            nginx_note(n, d, DRAFT_NEEDLESS, "upgrades (WebSocket) are passed on");
        } else if (d->is_block && is_outer) {
            note_block(n, d);
        } else if (!d->is_done) {
            const char *why = reason(d, &fate);
            if (d->missing.len > 0)
                nginx_note(n, d, fate, STR_FMT, STR_ARG(d->missing));
            nginx_note(n, d, fate, "%s", why);
        }
    }
}

void nginx_note_rest(struct nginx *n)
{
    note_block(n, n->root);
}
