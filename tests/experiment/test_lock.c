/* Claims, against real processes: one that lives, one that has ended, one on another host, and many
 * that want the same claim at the same moment. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "experiment/lock.h"
#include "../support/temporary.h"

static rt_error error;

static void directory(char out[RTI_PATH_MAX]) {
    snprintf(out, RTI_PATH_MAX, "%s", test_path("trial"));
    cr_assert_eq(rti_directory_make(out, &error), RT_OK, "%s", error.message);
}

Test(lock, is_held_once_and_released) {
    char dir[RTI_PATH_MAX];
    rti_lock first, second;
    rti_lock_owner owner;
    directory(dir);
    rti_lock_look(dir, &owner);
    cr_assert_not(owner.held);
    cr_assert_eq(rti_lock_take(&first, dir, &error), RT_OK, "%s", error.message);
    cr_assert_eq(rti_lock_take(&second, dir, &error), RT_BUSY);
    char number[32];
    snprintf(number, sizeof number, "process %ld", (long)getpid());
    cr_assert(strstr(error.message, number), "%s", error.message);
    rti_lock_look(dir, &owner);
    cr_assert(owner.held);
    cr_assert_eq(owner.pid, (int64_t)getpid());
    cr_assert_lt(owner.since_s, 60);
    rti_lock_release(&first);
    cr_assert_eq(rti_lock_take(&second, dir, &error), RT_OK);
    rti_lock_release(&second);
    rti_lock_release(&second); /* twice does no harm */
}

Test(lock, of_a_process_that_has_ended_is_stale_at_once) {
    char dir[RTI_PATH_MAX];
    rti_lock lock;
    rti_lock_owner owner;
    directory(dir);
    pid_t pid = fork();
    if (pid == 0) _exit(rti_lock_take(&lock, dir, NULL) == RT_OK ? 0 : 1);
    /* While the ended process is not waited for, it is a zombie: that has ended, too. */
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    rti_lock_look(dir, &owner);
    cr_assert_eq(owner.pid, (int64_t)pid);
    cr_assert_not(owner.held);
    int status;
    waitpid(pid, &status, 0);
    cr_assert_eq(status, 0);
    cr_assert_eq(rti_lock_take(&lock, dir, &error), RT_OK, "%s", error.message);
    rti_lock_release(&lock);
}

static void write_lock(const char *dir, const char *text, double age_s) {
    char path[RTI_PATH_MAX];
    cr_assert_eq(rti_path_join(path, sizeof path, dir, "lock", &error), RT_OK);
    cr_assert_eq(rti_file_write(path, text, strlen(text), &error), RT_OK);
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= (time_t)age_s;
    times[1] = times[0];
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

Test(lock, of_another_host_lives_by_its_heartbeat) {
    char dir[RTI_PATH_MAX];
    rti_lock lock;
    directory(dir);
    static const char *const texts[] = {"{\"host\":\"far.away\",\"pid\":1,\"since\":0}", "", "{", "[1]",
                                        "\1\2\3"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_lock(dir, texts[i], 5);
        cr_assert_eq(rti_lock_take(&lock, dir, &error), RT_BUSY, "%s", texts[i]);
        write_lock(dir, texts[i], RTI_LOCK_STALE_S + 5);
        cr_assert_eq(rti_lock_take(&lock, dir, &error), RT_OK, "%s", texts[i]);
        rti_lock_release(&lock);
    }
}

Test(lock, heartbeat_makes_it_young_again) {
    char dir[RTI_PATH_MAX], path[RTI_PATH_MAX];
    rti_lock lock;
    rti_lock_owner owner;
    directory(dir);
    cr_assert_eq(rti_lock_take(&lock, dir, &error), RT_OK);
    cr_assert_eq(rti_path_join(path, sizeof path, dir, "lock", &error), RT_OK);
    struct timespec old[2] = {{1000, 0}, {1000, 0}};
    cr_assert_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    rti_lock_look(dir, &owner);
    cr_assert_gt(owner.beat_s, 1000);
    cr_assert(owner.held); /* this process lives; on its own host that is enough */
    rti_lock_beat(&lock);
    rti_lock_look(dir, &owner);
    cr_assert_lt(owner.beat_s, 60);
    rti_lock_release(&lock);
}

Test(lock, of_another_process_with_the_same_number_is_stale) {
    char dir[RTI_PATH_MAX], text[512], host[256];
    rti_lock lock;
    if (access("/proc/self/stat", R_OK) != 0) return; /* nothing to tell them apart by */
    directory(dir);
    gethostname(host, sizeof host);
    snprintf(text, sizeof text, "{\"host\":\"%s\",\"pid\":%ld,\"process_start\":\"1\",\"since\":0}", host,
             (long)getpid());
    write_lock(dir, text, 0);
    cr_assert_eq(rti_lock_take(&lock, dir, &error), RT_OK, "%s", error.message);
    rti_lock_release(&lock);
}

Test(lock, is_given_to_exactly_one_of_many) {
    char dir[RTI_PATH_MAX];
    directory(dir);
    enum { PROCESSES = 12 };
    for (int round = 0; round < 5; round++) {
        int go[2], taken = 0;
        pid_t pids[PROCESSES];
        write_lock(dir, "{\"host\":\"far.away\",\"pid\":1,\"since\":0}",
                   RTI_LOCK_STALE_S + 5); /* all see a stale one */
        cr_assert_eq(pipe(go), 0);
        for (int i = 0; i < PROCESSES; i++) {
            pids[i] = fork();
            if (pids[i]) continue;
            char byte;
            rti_lock lock;
            close(go[1]);
            ssize_t got = read(go[0], &byte, 1);
            bool mine = got == 0 && rti_lock_take(&lock, dir, NULL) == RT_OK;
            usleep(200000); /* holds it until all have tried */
            _exit(mine ? 1 : 0);
        }
        close(go[1]);
        close(go[0]);
        for (int i = 0; i < PROCESSES; i++) {
            int status;
            waitpid(pids[i], &status, 0);
            taken += WIFEXITED(status) && WEXITSTATUS(status) == 1;
        }
        cr_assert_eq(taken, 1, "round %d: %d processes have the claim", round, taken);
    }
}
