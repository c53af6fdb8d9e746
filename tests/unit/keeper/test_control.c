// SPDX-License-Identifier: Apache-2.0
#include "keeper/control.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/test.h"

static char folder[] = "/tmp/sallyport-test-XXXXXX";

static const char *path_in_folder(const char *name, char *buf, size_t n)
{
    static bool is_made;
    if (!is_made && !mkdtemp(folder))
        abort();
    is_made = true;
    snprintf(buf, n, "%s/%s", folder, name);
    return buf;
}

static void the_socket_and_its_folder_are_open_to_the_owner_alone(void)
{
    struct control c;
    char path[108], parent[108], why[256];
    struct stat st;
    control_init(&c);
    path_in_folder("new/c.sock", path, sizeof path);
    path_in_folder("new", parent, sizeof parent);
    CHECK(control_listen(&c, path, why, sizeof why));
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(stat(parent, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0700);
    control_fini(&c);
    CHECK(access(path, F_OK) != 0);
    rmdir(parent);
}

static void a_second_one_is_refused_while_the_first_lives(void)
{
    struct control a, b;
    char path[108], why[256];
    control_init(&a);
    control_init(&b);
    path_in_folder("c.sock", path, sizeof path);
    CHECK(control_listen(&a, path, why, sizeof why));
    CHECK(!control_listen(&b, path, why, sizeof why));
    CHECK(strstr(why, "another sallyport listens there") != NULL);
    control_fini(&b);
    CHECK_INT(access(path, F_OK), 0);
    control_fini(&a);
}

static void a_socket_that_a_dead_process_left_is_replaced(void)
{
    struct control c;
    char path[108], why[256];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    path_in_folder("c.sock", path, sizeof path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(addr.sun_path, path, strlen(path));
    CHECK_INT(bind(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
    close(fd);
    control_init(&c);
    CHECK(control_listen(&c, path, why, sizeof why));
    control_fini(&c);
}

static void a_file_that_is_no_socket_stays(void)
{
    struct control c;
    char path[108], why[256];
    path_in_folder("file", path, sizeof path);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    fclose(f);
    control_init(&c);
    CHECK(!control_listen(&c, path, why, sizeof why));
    CHECK(strstr(why, "no socket") != NULL && strstr(why, "control: { socket: PATH }") != NULL);
    CHECK_INT(access(path, F_OK), 0);
    control_fini(&c);
    unlink(path);
}

static void a_new_path_takes_the_place_of_the_old_one(void)
{
    struct control c;
    char one[108], two[108], why[256];
    control_init(&c);
    path_in_folder("one.sock", one, sizeof one);
    path_in_folder("two.sock", two, sizeof two);
    CHECK(control_listen(&c, one, why, sizeof why));
    CHECK(!control_listen(&c, "/proc/no/such.sock", why, sizeof why));
    CHECK(strstr(why, "No such file or directory: the folder's folder must exist") != NULL);
    CHECK_INT(access(one, F_OK), 0);
    CHECK(control_listen(&c, two, why, sizeof why));
    CHECK(access(one, F_OK) != 0);
    CHECK(control_listen(&c, "", why, sizeof why));
    CHECK(access(two, F_OK) != 0 && c.fd < 0);
    control_fini(&c);
    rmdir(folder);
}

TEST_MAIN(TEST(the_socket_and_its_folder_are_open_to_the_owner_alone),
          TEST(a_second_one_is_refused_while_the_first_lives),
          TEST(a_socket_that_a_dead_process_left_is_replaced), TEST(a_file_that_is_no_socket_stays),
          TEST(a_new_path_takes_the_place_of_the_old_one))
