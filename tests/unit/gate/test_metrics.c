// SPDX-License-Identifier: Apache-2.0
#include "gate/metrics.h"

#include "base/mem.h"
#include "gate/metrics_list.h"
#include "gate/worker.h"
#include "rt/clock.h"
#include "unit/rt/rt_test.h"
#include "upstream/service.h"

#define PIECE_MAX_BYTES (16 * 1024)

static struct {
    struct rt_loop *loop;
    struct arena mem;
    struct meters *meters;
    struct upstream_registry *registry;
    struct snapshot *s;
    struct worker *worker;
    struct status *status;
    struct status_process process;
    struct report report;
} w;

static void begin(const char *yaml)
{
    struct diags diags = {.n = 0};
    memset(&w, 0, sizeof w);
    w.loop = test_loop(0);
    w.registry = upstream_registry_new();
    w.meters = meters_new();
    arena_init(&w.mem, 1 << 24, NULL, 0);
    struct conf_node *root = conf_yaml_parse(str_of(yaml), "test.yaml", &w.mem, &diags);
    w.s = snapshot_build(root, &(struct snapshot_env){.registry = w.registry, .meters = w.meters},
                         &diags);
    if (!w.s)
        abort();
    w.worker = worker_new(0, &(struct worker_links){.registry = w.registry, .conns_max = 100});
    worker_switch(w.worker, w.s);
    w.status = status_new(w.s);
    while (!status_add(w.status, w.worker))
        ;
    w.report = (struct report){.status = w.status, .process = &w.process};
}

static void end(void)
{
    status_free(w.status);
    worker_free(w.worker);
    snapshot_unref(w.s);
    meters_free(w.meters);
    upstream_registry_free(w.registry);
    arena_fini(&w.mem);
    loop_free(w.loop);
}

static void write_all(enum exposition_form form, bool has_durations, struct text *to)
{
    struct metrics_writer writer = {
        .out = {.form = form, .to = to}, .report = &w.report, .has_durations = has_durations};
    size_t before;
    do {
        before = to->len;
    } while (metrics_write(&writer) && to->len - before <= PIECE_MAX_BYTES);
    CHECK(to->len - before <= PIECE_MAX_BYTES);
}

static bool has(const struct text *t, const char *part)
{
    return str_search(text_str(t), str_of(part)) != STR_NPOS;
}

// What promtool's linter says, of the table itself.
static void names_follow_the_rules(void)
{
    static const struct metric all[] = {
#define X(fn, name_, type_, unit_, labels_, help_)                                                 \
    {.name = (name_),                                                                              \
     .type = METRIC_##type_,                                                                       \
     .unit = (unit_),                                                                              \
     .labels = (labels_),                                                                          \
     .help = (help_)},
        METRICS_LIST(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct str name = str_of(all[i].name);
        for (size_t k = 0; k < name.len; k++)
            CHECK((name.ptr[k] >= 'a' && name.ptr[k] <= 'z') || name.ptr[k] == '_' ||
                  (k > 0 && name.ptr[k] >= '0' && name.ptr[k] <= '9'));
        CHECK(str_starts(name, STR("sallyport_")) || str_starts(name, STR("process_")));
        CHECK(!str_ends(name, STR("_total")) && !str_ends(name, STR("_info")) &&
              !str_ends(name, STR("_count")) && !str_ends(name, STR("_sum")) &&
              !str_ends(name, STR("_bucket")));
        struct str unit = str_of(all[i].unit);
        CHECK(unit.len == 0 || (str_ends(name, unit) && name.ptr[name.len - unit.len - 1] == '_'));
        CHECK(unit.len > 0 || !(str_ends(name, STR("_seconds")) || str_ends(name, STR("_bytes"))));
        CHECK(str_ends(str_of(all[i].help), STR(".")));
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(all[i].name, all[k].name) != 0);
    }
}

static void what_settings_name_is_told(void)
{
    begin("entrypoints: { web: ':0' }\n"
          "filters: { \"lo\\\"ck\": { deny: [10.0.0.0/8] } }\n"
          "sites: { a.example: { use: ['lo\"ck'], to: http://10.0.0.1:81 } }\n");
    struct meter_sums *sums = &w.status->meters;
    for (uint32_t i = 0; i < sums->n; i++) {
        const struct meter *m = w.s->meters.items[i];
        if (i == METER_OTHER)
            continue;
        sums->items[i] = MEM_NEW(struct meter_row);
        sums->items[i]->requests[METHOD_GET][2] = i + 1;
        if (m->kind == METER_FILTER)
            sums->items[i]->requests[METHOD_OTHER][4] = 9;
    }
    struct text t = {.ptr = NULL};
    write_all(EXPOSITION_PROMETHEUS, true, &t);
    CHECK(has(&t, "\nsallyport_requests_total{route=\"\",site=\"\",service=\"\",method=\"GET\","
                  "status=\"2xx\"} 1\n"));
    CHECK(has(&t, "\nsallyport_requests_total{route=\"a.example\",site=\"a.example\","
                  "service=\"http://10.0.0.1:81\",method=\"GET\",status=\"2xx\"} "));
    CHECK(has(&t, "\nsallyport_filtered_requests_total{filter=\"lo\\\"ck\",status=\"4xx\"} 9\n"));
    CHECK(has(&t, "\nsallyport_server_up{service=\"http://10.0.0.1:81\","
                  "server=\"http://10.0.0.1:81\"} 1\n"));
    CHECK(has(&t, "\nsallyport_connections_open{entrypoint=\"web\"} 0\n"));
    CHECK(has(&t, "\nsallyport_request_duration_seconds_bucket{route=\"a.example\""));
    CHECK(!has(&t, "sallyport_reloads_total{")); // nobody has told
    CHECK(!has(&t, "# EOF"));
    text_fini(&t);

    w.report.is_told = true;
    w.report.facts.n_reloads_failed = 7;
    write_all(EXPOSITION_OPENMETRICS, false, &t);
    CHECK(has(&t, "\nsallyport_reloads_total{result=\"failed\"} 7\n"));
    CHECK(!has(&t, "sallyport_request_duration_seconds_bucket"));
    CHECK(str_ends(text_str(&t), STR("\n# EOF\n")));
    text_fini(&t);
    end();
}

static void many_sites_are_told_in_small_pieces(void)
{
    struct text yaml = {.ptr = NULL};
    text_put(&yaml, STR("entrypoints: { web: ':0' }\nsites:\n"));
    for (unsigned i = 0; i < 2000; i++)
        text_printf(&yaml, "  s%u.example: http://10.0.%u.%u\n", i, i / 250, i % 250);
    text_byte(&yaml, '\0');
    begin(yaml.ptr);
    struct text t = {.ptr = NULL};
    write_all(EXPOSITION_OPENMETRICS, true, &t); // checks each piece
    CHECK(has(&t, "sallyport_server_up{service=\"http://10.0.7.249\""));
    text_fini(&t);
    text_fini(&yaml);
    end();
}

static void the_reference_has_a_line_for_each(void)
{
    struct text t = {.ptr = NULL};
    metrics_print_reference(&t);
    CHECK(
        has(&t, "| `sallyport_requests_total` | counter | route, site, service, method, status |"));
    CHECK(has(&t, "| `sallyport_build_info` | info |"));
    text_fini(&t);
}

TEST_MAIN(TEST(names_follow_the_rules), TEST(what_settings_name_is_told),
          TEST(many_sites_are_told_in_small_pieces), TEST(the_reference_has_a_line_for_each))
