// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a relay that DPDK's tools may join leaves on the system. The EAL's part, and
// what is mounted, are the test's.
#include "platform/capture.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <rte_pdump.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char logged[512];
static char base[64], mount[64], hugepages[160];
static bool is_mounted;
static unsigned mounts_left;
static int offered;

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    va_list arguments;

    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_string_equal(event, "capture");
    va_start(arguments, format);
    vsnprintf(logged, sizeof(logged), format, arguments);
    va_end(arguments);
}

FILE *setmntent(const char *path, const char *mode)
{
    (void)path;
    (void)mode;
    mounts_left = 2;
    return stdin;
}

struct mntent *getmntent(FILE *file)
{
    static struct mntent others = {.mnt_dir = "/", .mnt_type = "ext4"}, ours;

    (void)file;
    if (mounts_left == 0)
        return NULL;
    if (--mounts_left == 1)
        return &others;
    ours = (struct mntent){.mnt_dir = mount, .mnt_type = is_mounted ? "hugetlbfs" : "tmpfs"};
    return &ours;
}

int endmntent(FILE *file)
{
    (void)file;
    return 1;
}

int rte_pdump_init(void)
{
    offered++;
    return 0;
}

int rte_pdump_uninit(void)
{
    offered--;
    return 0;
}

static int make(const char *path, const char *name)
{
    char file[PATH_MAX];
    int fd;

    snprintf(file, sizeof(file), "%s/%s", path, name);
    fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static bool has(const char *path, const char *name)
{
    char file[PATH_MAX];

    snprintf(file, sizeof(file), "%s/%s", path, name);
    return access(file, F_OK) == 0;
}

static char runtime[96];

static int set_up(void **state)
{
    char path[96];

    (void)state;
    logged[0] = '\0';
    is_mounted = true;
    strcpy(base, "/tmp/turnpike-test-XXXXXX");
    strcpy(mount, "/tmp/turnpike-test-XXXXXX");
    assert_non_null(mkdtemp(base));
    assert_non_null(mkdtemp(mount));
    snprintf(hugepages, sizeof(hugepages), "%s/turnpike-tmp-%s", mount, base + strlen("/tmp/"));
    snprintf(path, sizeof(path), "%s/dpdk", base);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(runtime, sizeof(runtime), "%s/dpdk/rte", base);
    assert_int_equal(mkdir(runtime, 0700), 0);
    return setenv("RUNTIME_DIRECTORY", base, 1);
}

static int tear_down(void **state)
{
    char command[256];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s %s", base, mount);
    return system(command);
}

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/%s", runtime, name);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

// As after a kill.
static void leave_behind(void)
{
    static const char *const names[] = {"config", "hugepage_info", "fbarray_memzone",
                                        "fbarray_memseg-2048k-0-0"};
    char directory[CAPTURE_PATH_LEN];

    assert_int_equal(capture_prepare(directory), 0);
    assert_string_equal(directory, hugepages);
    close(make(directory, "rtemap_0"));
    close(make(directory, "rtemap_17"));
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        close(make(runtime, names[i]));
    make_socket("mp_socket");
    make_socket("dpdk_telemetry.v2");
}

static void hugepages_have_a_directory_that_is_ours_alone(void **state)
{
    char directory[CAPTURE_PATH_LEN];
    struct stat status;

    (void)state;
    assert_int_equal(capture_prepare(directory), 0);
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void nothing_is_left_but_the_control_socket(void **state)
{
    DIR *directory;
    const struct dirent *entry;

    (void)state;
    leave_behind();
    capture_clean();
    directory = opendir(runtime);
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] != '.')
            assert_string_equal(entry->d_name, "dpdk_telemetry.v2");
    }
    closedir(directory);
    assert_int_equal(access(hugepages, F_OK), -1);
}

// What it holds is its own, by the lock that the EAL has on its configuration.
static void a_relay_that_lives_keeps_its_files(void **state)
{
    char directory[CAPTURE_PATH_LEN] = "as it was";
    int told[2], status;
    char byte;
    pid_t child;

    (void)state;
    leave_behind();
    assert_int_equal(pipe(told), 0);
    child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 64};

        if (fcntl(make(runtime, "config"), F_SETLK, &lock) < 0 || write(told[1], "", 1) != 1)
            _exit(1);
        close(STDOUT_FILENO); // whoever reads it waits for nobody
        alarm(20);
        pause();
        _exit(0);
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    capture_clean();
    assert_true(has(runtime, "config"));
    assert_true(has(runtime, "fbarray_memzone"));
    assert_true(has(hugepages, "rtemap_17"));
    assert_int_equal(capture_prepare(directory), -EBUSY);
    assert_string_equal(directory, "as it was");
    assert_non_null(strstr(logged, "another relay with capture has /tmp/"));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    close(told[0]);
    close(told[1]);
    capture_clean();
    assert_false(has(runtime, "config"));
    assert_false(has(hugepages, "rtemap_17"));
}

// A relay's in another container, or a tool's that has lost its relay.
static void hugepages_that_somebody_has_mapped_stay_and_are_not_used(void **state)
{
    char directory[CAPTURE_PATH_LEN];
    int fd;

    (void)state;
    leave_behind();
    capture_clean();
    assert_int_equal(mkdir(hugepages, 0700), 0);
    fd = make(hugepages, "rtemap_0");
    close(make(hugepages, "rtemap_17"));
    assert_int_equal(flock(fd, LOCK_SH), 0);
    capture_clean();
    assert_true(has(hugepages, "rtemap_0"));
    assert_false(has(hugepages, "rtemap_17"));
    assert_int_equal(capture_prepare(directory), -EBUSY);
    assert_non_null(strstr(logged, "without another relay's hugepages"));
    close(fd);
    capture_clean();
    assert_false(has(hugepages, "rtemap_0"));
}

// What is ours goes, whoever has joined.
static void a_tool_that_is_still_there_at_the_end_keeps_nothing(void **state)
{
    int fd;

    (void)state;
    leave_behind();
    fd = make(hugepages, "rtemap_0");
    assert_int_equal(flock(fd, LOCK_SH), 0);
    capture_clean();
    assert_false(has(hugepages, "rtemap_0"));
    close(fd);
}

static void other_files_are_none_of_ours(void **state)
{
    (void)state;
    leave_behind();
    close(make(hugepages, "somebodys"));
    close(make(runtime, "configuration"));
    capture_clean();
    assert_true(has(hugepages, "somebodys"));
    assert_true(has(runtime, "configuration"));
}

static void says_where_hugepages_are_missing(void **state)
{
    char directory[CAPTURE_PATH_LEN];

    (void)state;
    is_mounted = false;
    assert_int_equal(capture_prepare(directory), -ENOENT);
    assert_non_null(strstr(logged, "'mount -t hugetlbfs none /dev/hugepages'"));
}

// Whoever can write there could change the relay's memory.
static void a_directory_that_others_can_enter_is_refused(void **state)
{
    char directory[CAPTURE_PATH_LEN];

    (void)state;
    assert_int_equal(mkdir(hugepages, 0700), 0);
    assert_int_equal(chmod(hugepages, 0710), 0);
    assert_int_equal(capture_prepare(directory), -EPERM);
    assert_non_null(strstr(logged, "has to be this user's, with mode 0700"));
    assert_int_equal(rmdir(hugepages), 0);
    assert_int_equal(symlink(runtime, hugepages), 0);
    assert_int_equal(capture_prepare(directory), -EPERM);
}

static void packets_are_offered_between_start_and_stop(void **state)
{
    (void)state;
    capture_stop();
    assert_int_equal(offered, 0);
    assert_int_equal(capture_start(), 0);
    assert_int_equal(offered, 1);
    capture_stop();
    capture_stop();
    assert_int_equal(offered, 0);
}

#define CLAIM(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(hugepages_have_a_directory_that_is_ours_alone),
        CLAIM(nothing_is_left_but_the_control_socket),
        CLAIM(a_relay_that_lives_keeps_its_files),
        CLAIM(hugepages_that_somebody_has_mapped_stay_and_are_not_used),
        CLAIM(a_tool_that_is_still_there_at_the_end_keeps_nothing),
        CLAIM(other_files_are_none_of_ours),
        CLAIM(says_where_hugepages_are_missing),
        CLAIM(a_directory_that_others_can_enter_is_refused),
        CLAIM(packets_are_offered_between_start_and_stop),
    };

    return cmocka_run_group_tests_name("platform/capture", tests, NULL, NULL);
}
