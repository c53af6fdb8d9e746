// SPDX-License-Identifier: Apache-2.0
#include "keeper/join.h"

#include "keeper/load.h"
#include "unit/discover/shapes.h"
#include "unit/test.h"

#define FILE_YAML                                                                                  \
    "user: root\nentrypoints: { web: '127.0.0.1:0' }\nproviders: { docker: on }\n"                 \
    "sites: { file.example: 'http://127.0.0.1:1' }\n"

struct fixture {
    struct arena mem;
    const struct container *all[8];
    size_t n;
    struct loaded l;
};

static bool find(void *arg, const struct settings *settings, const struct conf_node *docker,
                 struct arena *mem, struct found *ret)
{
    const struct fixture *f = arg;
    (void)docker, (void)mem;
    *ret = (struct found){.reach = {.all = f->all, .n = f->n},
                          .exposed_by_default = settings->providers.docker.exposed_by_default};
    return true;
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.n = 0};
    arena_init(&f->mem, 1 << 20, NULL, 0);
}

static struct container *add(struct fixture *f, const char *name, const char *labels)
{
    struct container *c = ARENA_NEW(&f->mem, struct container);
    *c = shape_with(name, labels, &f->mem);
    f->all[f->n++] = c;
    return c;
}

static bool load(struct fixture *f, const char *yaml)
{
    return load_again(str_of(yaml), "test.yaml", &(struct load_finder){.find = find, .arg = f},
                      &f->l);
}

static void end(struct fixture *f)
{
    load_fini(&f->l);
    arena_fini(&f->mem);
}

// Whether something was told whose source and text have these in them.
static bool is_told(const struct diags *d, const char *source, const char *text)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i].place.source && strstr(d->items[i].place.source, source) &&
            strstr(d->items[i].text, text))
            return true;
    }
    return false;
}

static void sites_of_containers_stand_beside_those_of_the_file(void)
{
    struct fixture f;
    begin(&f);
    add(&f, "a", "sallyport.site=a.example");
    add(&f, "b", "sallyport.site=b.example\nsallyport.path=/b");
    CHECK(load(&f, FILE_YAML));
    CHECK_INT(f.l.diags.n + f.l.told.n, 0);
    CHECK(f.l.snapshot && f.l.snapshot->n_sites == 3);
    end(&f);
}

static void one_containers_mistake_takes_only_its_own_parts(void)
{
    struct fixture f;
    begin(&f);
    add(&f, "bad", "sallyport.site=bad.example\nsallyport.nonsense=1");
    add(&f, "worse", "sallyport.site=worse.example\nsallyport.site.use=nothing");
    add(&f, "good", "sallyport.site=good.example");
    CHECK(load(&f, FILE_YAML));
    CHECK_INT(f.l.diags.n, 0);
    CHECK(f.l.snapshot && f.l.snapshot->n_sites == 2);
    CHECK(is_told(&f.l.told, "container bad, label sallyport.nonsense", "there is no label"));
    CHECK(is_told(&f.l.told, "container worse, label sallyport.site.use", "nothing"));
    CHECK_INT(f.l.told.n, 2);
    end(&f);
}

static void replicas_with_the_same_mistake_go_at_once(void)
{
    struct fixture f;
    static const char *const names[] = {"r1", "r2", "r3", "r4", "r5", "r6", "r7"};
    begin(&f);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add(&f, names[i], "sallyport.site=r.example\nsallyport.site.use=nothing");
    CHECK(load(&f, FILE_YAML));
    CHECK_INT(f.l.told.n, 7);
    CHECK(f.l.snapshot && f.l.snapshot->n_sites == 1);
    end(&f);
}

static void the_file_wins_and_the_first_container_by_name(void)
{
    struct fixture f;
    begin(&f);
    add(&f, "thief", "sallyport.site=file.example");
    add(&f, "x1", "sallyport.site=x.example\nsallyport.service.balance=first");
    add(&f, "x2", "sallyport.site=x.example\nsallyport.service.balance=random-two");
    CHECK(load(&f, FILE_YAML));
    CHECK(is_told(&f.l.told, "container thief", "test.yaml:4"));
    CHECK(is_told(&f.l.told, "container x2", "'random-two' here"));
    CHECK_INT(f.l.told.n, 2);
    CHECK(f.l.snapshot && f.l.snapshot->n_sites == 2);
    end(&f);
}

static void one_that_has_stopped_and_contradicts_is_passed_over_in_silence(void)
{
    struct fixture f;
    begin(&f);
    add(&f, "new", "sallyport.site=x.example\nsallyport.service.balance=first");
    add(&f, "old", "sallyport.site=x.example")->state = CONTAINER_EXITED;
    add(&f, "older", "sallyport.site=x.example\nsallyport.service.balance=random-two")->state =
        CONTAINER_EXITED;
    CHECK(load(&f, FILE_YAML));
    CHECK_INT(f.l.told.n, 0);
    end(&f);
}

static void errors_of_the_file_are_its_own(void)
{
    struct fixture f;
    begin(&f);
    add(&f, "bad", "sallyport.site=bad.example\nsallyport.site.use=nothing");
    add(&f, "good", "sallyport.site=good.example");
    CHECK(!load(&f, FILE_YAML "services: { s: { servers: [] } }\n"));
    CHECK_INT(f.l.diags.n_errors, 1);
    CHECK(is_told(&f.l.told, "container bad", "nothing"));
    end(&f);
}

static void the_file_may_wait_for_what_a_container_brings(void)
{
    struct fixture f;
    begin(&f);
    CHECK(load(&f, FILE_YAML "routes: [{ match: 'Path(`/x`)', to: x.example@docker }]\n"));
    CHECK_INT(f.l.diags.n, 0);
    load_fini(&f.l);
    add(&f, "x", "sallyport.site=x.example");
    CHECK(load(&f, FILE_YAML "routes: [{ match: 'Path(`/x`)', to: x.example@docker }]\n"));
    end(&f);
}

static void containers_say_nothing_of_the_machine(void)
{
    struct fixture f;
    begin(&f);
    add(&f, "a", "sallyport.filters.f.basic-auth.users=file:/etc/shadow");
    add(&f, "b", "sallyport.services.s.servers=unix:/var/run/docker.sock");
    add(&f, "c", "sallyport.site=c.example\nsallyport.site.tls.certificates=/etc/ssl/");
    CHECK(load(&f, FILE_YAML));
    CHECK_INT(f.l.told.n, 3);
    CHECK(f.l.snapshot && f.l.snapshot->n_sites == 1);
    end(&f);
}

TEST_MAIN(TEST(sites_of_containers_stand_beside_those_of_the_file),
          TEST(one_containers_mistake_takes_only_its_own_parts),
          TEST(replicas_with_the_same_mistake_go_at_once),
          TEST(the_file_wins_and_the_first_container_by_name),
          TEST(one_that_has_stopped_and_contradicts_is_passed_over_in_silence),
          TEST(errors_of_the_file_are_its_own), TEST(the_file_may_wait_for_what_a_container_brings),
          TEST(containers_say_nothing_of_the_machine))
