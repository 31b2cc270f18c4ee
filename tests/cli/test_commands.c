/* The command line, from outside: exit statuses and what is said, against the registries that the
 * library itself reports. The program lies one directory above the tests. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "retort/data.h"
#include "retort/distill.h"
#include "retort/ops.h"
#include "retort/optim.h"

typedef struct answer {
    int status;
    char text[200000];
} answer;

/* Standard output and error of `retort ARGUMENTS`, both in `text`. */
static void run(answer *a, const char *arguments) {
    char own[2048], command[4096];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    cr_assert_gt(length, 0);
    own[length] = 0;
    *strrchr(own, '/') = 0;
    *strrchr(own, '/') = 0;
    snprintf(command, sizeof command, "'%s/retort' 2>&1 %s", own, arguments);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    size_t count = fread(a->text, 1, sizeof a->text - 1, pipe);
    a->text[count] = 0;
    int status = pclose(pipe);
    cr_assert(WIFEXITED(status), "%s", command);
    a->status = WEXITSTATUS(status);
}

static void says(const char *arguments, int status, const char *words) {
    static answer a;
    run(&a, arguments);
    cr_assert_eq(a.status, status, "retort %s ends with %d:\n%s", arguments, a.status, a.text);
    cr_assert(strstr(a.text, words), "retort %s does not say \"%s\":\n%s", arguments, words, a.text);
}

Test(commands, overview_version_and_usage) {
    says("--help", 0, "gradcheck");
    says("--version", 0, "retort ");
    says("", 2, "usage: retort COMMAND");
    says("gradchek", 2, "did you mean \"gradcheck\"?");
    says("zzz", 2, "no command \"zzz\"");
    says("list --help", 0, "example: retort list");
    says("gradcheck -h", 0, "example: retort gradcheck");
}

Test(commands, every_command_has_help_with_an_example) {
    static answer overview, one;
    run(&overview, "help");
    char *at = strstr(overview.text, "\ncommands\n");
    cr_assert_not_null(at);
    int count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(at + 10, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), count++) {
        char name[32], arguments[64];
        cr_assert_eq(sscanf(line, " %31s", name), 1);
        snprintf(arguments, sizeof arguments, "%s --help", name);
        run(&one, arguments);
        cr_assert_eq(one.status, 0, "%s", name);
        cr_assert(strncmp(one.text, "usage: retort ", 14) == 0 && strstr(one.text, "xample"), "%s:\n%s", name,
                  one.text);
    }
    cr_assert_geq(count, 4);
}

/* The sheet's bytes. */
static size_t sheet(const char *arguments, char *bytes, size_t size) {
    static const char path[] = "/tmp/retort-test-sheet.png";
    char command[256];
    snprintf(command, sizeof command, "data show digits --count 4 --out %s %s", path, arguments);
    says(command, 0, "4 train images");
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    size_t count = fread(bytes, 1, size, file);
    fclose(file), unlink(path);
    return count;
}

Test(commands, views_are_shown_and_replayed_from_their_seed) {
    static char plain[65536], first[65536], again[65536], other[65536];
    sheet("--seed 3", plain, sizeof plain);
    size_t count = sheet("--seed 3 --augment flip,crop=4,cutout=8", first, sizeof first);
    cr_assert_eq(sheet("--seed 3 --augment flip,crop=4,cutout=8", again, sizeof again), count);
    cr_assert_arr_eq(first, again, count);
    cr_assert(memcmp(plain, first, count) != 0);
    cr_assert_eq(sheet("--seed 3 --augment crop=0", other, sizeof other), count);
    cr_assert_arr_eq(plain, other, count, "a view of nothing is the image");
    says("data show digits --augment flp", 2, "cutout=N");
    says("data show digits --augment crop=x", 2, "cutout=N");
}

Test(commands, list_shows_every_registered_name) {
    static answer a;
    run(&a, "list");
    cr_assert_eq(a.status, 0);
    int count;
    const char *const *(*const registries[])(int *) = {rt_method_names, rt_optimizer_kinds, rt_schedule_kinds,
                                                       rt_model_kinds,  rt_data_kinds,      rt_op_names};
    for (int r = 0; r < 6; r++) {
        const char *const *names = registries[r](&count);
        cr_assert_gt(count, 0);
        for (int i = 0; i < count; i++) {
            char line[80];
            snprintf(line, sizeof line, "\n  %s ", names[i]);
            cr_assert(strstr(a.text, line), "%s is missing", names[i]);
        }
    }
    says("list methods", 0, "kd");
    says("list metods", 2, "did you mean \"methods\"?");
}

Test(commands, help_knows_every_name_and_every_option) {
    static answer a;
    int count, rows;
    const char *const *names = rt_method_names(&count);
    for (int i = 0; i < count; i++) {
        char arguments[80];
        snprintf(arguments, sizeof arguments, "help %s", names[i]);
        run(&a, arguments);
        cr_assert_eq(a.status, 0);
        const rt_param *row = rt_method_rows(names[i], &rows);
        for (int k = 0; k < rows; k++)
            cr_assert(strstr(a.text, row[k].name) && strstr(a.text, row[k].help), "%s", row[k].name);
        int presets;
        const char *const *preset = rt_preset_names(names[i], &presets);
        for (int k = 0; k < presets; k++) cr_assert(strstr(a.text, preset[k]), "%s", preset[k]);
        cr_assert(strstr(a.text, "contract") && strstr(a.text, "source"));
        /* the explanation, wherever its lines are broken */
        const char *word = rt_method_explanation(names[i]), *at = strchr(a.text, '\n'); /* below the title */
        cr_assert(word && at, "%s", names[i]);
        for (; *word; word++) {
            if (*word == ' ') continue;
            at += strspn(at, " \n");
            cr_assert_eq(*word, *at++, "%s: %s", names[i], word);
        }
    }
    static const char *const words[][2] = {{"sgd", "nesterov"},
                                           {"mlp", "hidden"},
                                           {"data", "validation"},
                                           {"optimizer", "clip_norm"},
                                           {"linear", "gradcheck"},
                                           {"linear", "schedule"},
                                           {"mnist", "retort data fetch"},
                                           {"cosine", "cos("},
                                           {"precision", "float32 | bf16"},
                                           {"beta1", "option of the optimiser adam"},
                                           {"repdistiller", "preset of the method kd"},
                                           {"gradcheck", "usage:"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char arguments[80];
        snprintf(arguments, sizeof arguments, "help %s", words[i][0]);
        says(arguments, 0, words[i][1]);
    }
    says("help temprature", 2, "did you mean \"temperature\"?");
    says("help zzzzzz", 2, "nothing called");
}

Test(commands, bench_says_what_it_multiplied) {
    says("bench epoch --data digits --net 784-8-10 --epochs 1 --steps 2", 0, "\"precision\": \"float32\"");
    says("bench epoch --data digits --net 784-8-10 --epochs 1 --steps 2 --bf16", 0,
         "\"precision\": \"bf16\"");
}

Test(commands, bench_says_what_a_teacher_costs) {
    says("bench kd --data digits --net 784-8-10 --epochs 2 --steps 2", 0, "\"pairs\": 2}");
    says("bench kd --data digits --net 784-8-10 --epochs 1 --batch 100000", 1, "too few batches");
}

Test(commands, gradcheck_of_some_ops) {
    says("gradcheck linear relu", 0, "in double, tolerance 1e-06");
    says("gradcheck linear relu", 0, "2 ops with a gradient");
    says("gradcheck kd+at ft", 0, "2 methods, ");
    says("gradcheck reviewkdd", 2, "did you mean \"reviewkd\"?");
    says("gradcheck --here add", 0, "in float");
    says("gradcheck --tolerance=1e-300 exp", 1, "FAILED");
    says("gradcheck --tolerance=none", 2, "number above 0");
    says("gradcheck --wrong", 2, "no option");
    says("gradcheck linaer", 2, "did you mean \"linear\"?");
}

Test(commands, a_full_disk_is_no_success) { says("list > /dev/full", 1, "cannot be written"); }
