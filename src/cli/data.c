/* data.c - retort data: shows, fetches and lists data sets.            Floor 9 (cli) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/command.h"
#include "core/file.h"
#include "data/dataset.h"
#include "formats/png.h"
#include "retort/log.h"

#define SIDE_MAX 4096 /* pixels of an image's side that a sheet still makes sense for */

typedef struct show_options {
    const char *set, *part, *out;
    int64_t count, seed; /* seed -1: not given */
    int scale;
} show_options;

/* ---- the sheet ---- */

/* Numbers of `count` examples: the first ones, or with a seed a random choice. NULL: no memory. */
static int32_t *numbers_choose(const rt_examples *e, int64_t count, int64_t seed) {
    int32_t *numbers = rt_alloc((size_t)e->count * sizeof *numbers);
    if (!numbers) return NULL;
    for (int64_t i = 0; i < e->count; i++) numbers[i] = (int32_t)i;
    if (seed >= 0 && count < e->count) {
        rt_rng rng = rt_rng_stream((uint64_t)seed, "show", 0, 0);
        rt_rng_shuffle(&rng, numbers, e->count);
    }
    return numbers;
}

/* Dark ink on white paper for grey images, colours as they are. */
static uint8_t pixel(const rt_examples *e, int64_t number, int64_t c, int64_t y, int64_t x) {
    uint8_t v = e->bytes[number * e->features + (c * e->shape[1] + y) * e->shape[2] + x];
    return e->shape[0] == 1 ? (uint8_t)(255 - v) : v;
}

static rt_status sheet_write(const rt_examples *e, const int32_t *numbers, int64_t count, int scale,
                             const char *path, rt_error *error) {
    int64_t C = e->shape[0] == 3 ? 3 : 1, H = e->shape[1], W = e->shape[2], columns = 1;
    while (columns * columns < count) columns++;
    int64_t rows = (count + columns - 1) / columns, gap = scale;
    int64_t width = columns * (W * scale + gap) + gap, height = rows * (H * scale + gap) + gap;
    uint8_t *pixels = rt_alloc((size_t)(width * height * C));
    if (!pixels) return rt_fail(error, RT_MEMORY, "no memory for a sheet of %lld images", (long long)count);
    memset(pixels, 255, (size_t)(width * height * C));
    for (int64_t i = 0; i < count; i++) {
        int64_t top = gap + i / columns * (H * scale + gap), left = gap + i % columns * (W * scale + gap);
        for (int64_t y = 0; y < H * scale; y++)
            for (int64_t x = 0; x < W * scale; x++)
                for (int64_t c = 0; c < C; c++)
                    pixels[((top + y) * width + left + x) * C + c] = pixel(e, numbers[i], c, y / scale, x / scale);
    }
    rt_status status = rti_png_write(path, pixels, (int)width, (int)height, (int)C, error);
    rt_free(pixels);
    return status;
}

/* ---- the terminal ---- */

static bool speaks_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8");
    }
    return false;
}

/* How dark, 0 ... 255: ink for grey images, the mean of the channels for colour. */
static int darkness(const rt_examples *e, int64_t number, int64_t y, int64_t x) {
    int sum = 0;
    if (y >= e->shape[1]) return 0;
    for (int64_t c = 0; c < e->shape[0]; c++)
        sum += e->bytes[number * e->features + (c * e->shape[1] + y) * e->shape[2] + x];
    return sum / (int)e->shape[0];
}

/* One row of images, two pixels above each other in a character. */
static void preview(const rt_examples *e, const int32_t *numbers, int64_t count) {
    static const char *const halves[] = {" ", "\xe2\x96\x84", "\xe2\x96\x80", "\xe2\x96\x88"}; /* lower, upper, full */
    struct winsize window;
    int64_t columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : 80;
    int64_t fit = columns / (e->shape[2] + 1), shown = fit < count ? fit : count;
    bool utf8 = speaks_utf8();
    for (int64_t y = 0; y < e->shape[1] && shown > 0; y += 2) {
        for (int64_t i = 0; i < shown; i++) {
            for (int64_t x = 0; x < e->shape[2]; x++) {
                int upper = darkness(e, numbers[i], y, x), lower = darkness(e, numbers[i], y + 1, x);
                if (utf8) fputs(halves[2 * (upper > 96) + (lower > 96)], stdout);
                else putchar(" .:-=+*#%@"[(upper + lower) * 10 / 512]);
            }
            putchar(' ');
        }
        putchar('\n');
    }
}

static void classes_print(const rt_dataset *set, const rt_examples *e) {
    char buffer[16];
    int shown = e->classes < 20 ? e->classes : 20;
    for (int k = 0; k < shown; k++) {
        long long n = 0;
        for (int64_t i = 0; i < e->count; i++) n += e->labels[i] == k;
        printf("%s %s: %lld", k ? "," : "classes:", rt_dataset_class_name(set, k, buffer), n);
    }
    puts(shown < e->classes ? ", ..." : "");
}

static void rows_print(const rt_dataset *set, const rt_examples *e, const int32_t *numbers, int64_t count) {
    char buffer[16];
    int64_t columns = e->features < 8 ? e->features : 8;
    for (int64_t i = 0; i < count && i < 10; i++) {
        printf("%10s", rt_dataset_class_name(set, e->labels[numbers[i]], buffer));
        for (int64_t d = 0; d < columns; d++)
            printf(" %10.4g", e->bytes ? (double)e->bytes[numbers[i] * e->features + d]
                                       : (double)e->values[numbers[i] * e->features + d]);
        puts(columns < e->features ? " ..." : "");
    }
}

/* ---- show ---- */

static int show_set(const rt_dataset *set, const show_options *o) {
    const rt_examples *e =
        strcmp(o->part, "test") == 0 ? rt_dataset_test_examples(set) : rt_dataset_train_examples(set);
    int64_t count = o->count < e->count ? o->count : e->count;
    bool images = e->ndim == 3 && e->bytes && e->shape[1] <= SIDE_MAX && e->shape[2] <= SIDE_MAX;
    rt_error error = {0};
    int32_t *numbers = numbers_choose(e, count, strcmp(o->set, "digits") == 0 ? -1 : o->seed);
    if (!numbers) {
        rt_fail(&error, RT_MEMORY, "no memory to choose %lld examples", (long long)count);
        return rti_complain(&error);
    }
    puts(rt_dataset_summary(set));
    classes_print(set, e);
    int exit_code = RTI_EXIT_DONE;
    if (images) {
        char path[RTI_PATH_MAX];
        snprintf(path, sizeof path, "%s", o->out ? o->out : "");
        if (!o->out) snprintf(path, sizeof path, "%s.png", o->set);
        if (isatty(STDOUT_FILENO)) preview(e, numbers, count);
        if (sheet_write(e, numbers, count, o->scale, path, &error) == RT_OK)
            printf("%lld %s images: %s\n", (long long)count, o->part, path);
        else exit_code = rti_complain(&error);
    } else {
        rows_print(set, e, numbers, count);
    }
    rt_free(numbers);
    return exit_code;
}

static rt_status option_set(rt_params *p, const char *name, int64_t value, rt_error *error) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return rt_params_set_text(p, name, text, error);
}

extern const rti_command rti_command_data;

static bool number_parse(const char *text, int64_t low, int64_t high, int64_t *out) {
    char *end;
    if (!text || !*text) return false;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return !*end && value >= low && value <= high;
}

static int show(int argc, char **argv) {
    show_options o = {NULL, "train", NULL, 100, -1, 3};
    int rows, kinds;
    const rt_param *table = rt_data_rows(&rows);
    const char *const *names = rt_data_kinds(&kinds);
    rt_params *p = rt_alloc(sizeof *p);
    rt_error error = {0};
    if (!p) return rti_complain(&(rt_error){RT_MEMORY, "not enough memory"});
    rt_params_init(p, table, rows);
    int code = RTI_EXIT_DONE;
    rt_status status = option_set(p, "validation", 0, &error);
    for (int i = 1; i < argc && code == RTI_EXIT_DONE && status == RT_OK; i++) {
        const char *word = argv[i], *next = argv[i + 1];
        char *equals = strchr(argv[i], '=');
        int64_t scale;
        bool takes = strcmp(word, "--seed") == 0 || strcmp(word, "--count") == 0 || strcmp(word, "--part") == 0 ||
                     strcmp(word, "--out") == 0 || strcmp(word, "--scale") == 0;
        if (takes && !next) code = rti_usage(&rti_command_data, "%s needs a value.", word);
        else if (strcmp(word, "--seed") == 0) {
            if (!number_parse(next, 0, (int64_t)1 << 53, &o.seed))
                code = rti_usage(&rti_command_data, "--seed is a whole number from 0.");
        } else if (strcmp(word, "--count") == 0) {
            if (!number_parse(next, 1, 10000, &o.count))
                code = rti_usage(&rti_command_data, "--count is a whole number from 1 to 10000.");
        } else if (strcmp(word, "--scale") == 0) {
            if (!number_parse(next, 1, 16, &scale)) code = rti_usage(&rti_command_data, "--scale is 1 to 16.");
            else o.scale = (int)scale;
        } else if (strcmp(word, "--part") == 0) {
            o.part = next;
            if (strcmp(next, "train") != 0 && strcmp(next, "test") != 0)
                code = rti_usage(&rti_command_data, "--part is train or test.");
        } else if (strcmp(word, "--out") == 0) {
            o.out = next;
        } else if (word[0] == '-') {
            code = rti_usage(&rti_command_data, "there is no option %s.", word);
        } else if (equals) {
            *equals = 0;
            status = rt_params_set_text(p, word, equals + 1, &error);
        } else if (o.set) {
            code = rti_usage(&rti_command_data, "one set at a time: %s or %s?", o.set, word);
        } else {
            o.set = word;
        }
        i += takes;
    }
    if (code == RTI_EXIT_DONE && status == RT_OK && !o.set)
        code = rti_usage(&rti_command_data, "show needs the name of a set, e.g. digits.");
    if (code == RTI_EXIT_DONE && status == RT_OK && !rti_dataset_kind_find(o.set)) {
        const char *near = rt_nearest_word(o.set, names, kinds);
        code = near ? rti_usage(&rti_command_data, "there is no set \"%s\"; did you mean \"%s\"?", o.set, near)
                    : rti_usage(&rti_command_data, "there is no set \"%s\"; see retort data list.", o.set);
    }
    if (code == RTI_EXIT_DONE && status == RT_OK) status = rt_params_set_text(p, "set", o.set, &error);
    if (code == RTI_EXIT_DONE && status == RT_OK && strcmp(o.set, "digits") == 0) {
        const char *row = strcmp(o.part, "test") == 0 ? "digits.test" : "digits.train";
        const char *other = strcmp(o.part, "test") == 0 ? "digits.train" : "digits.test";
        status = option_set(p, row, o.count, &error);
        if (status == RT_OK) status = option_set(p, other, 1, &error);
        if (status == RT_OK && o.seed >= 0) status = option_set(p, "digits.seed", o.seed, &error);
    }
    rt_dataset *set = code == RTI_EXIT_DONE && status == RT_OK ? rt_dataset_open(p, NULL, &error) : NULL;
    if (set) code = show_set(set, &o);
    else if (code == RTI_EXIT_DONE) code = rti_complain(&error);
    rt_dataset_free(set);
    rt_free(p);
    return code;
}

/* ---- list, fetch ---- */

static int list(void) {
    char directory[RTI_PATH_MAX];
    for (int i = 0; rti_all_dataset_kinds[i]; i++) {
        const rti_dataset_kind *kind = rti_all_dataset_kinds[i];
        printf("%-14s %s\n%-14s files: %s\n", kind->name, kind->title, "", kind->files);
        if (kind->fetch) printf("%-14s fetch: retort data fetch %s\n", "", kind->fetch);
    }
    if (rt_data_directory(directory, sizeof directory, NULL) == RT_OK) printf("\nDIR is %s\n", directory);
    return RTI_EXIT_DONE;
}

static void say(void *context, rt_log_level level, const char *text) {
    (void)context;
    if (level >= RT_LOG_INFO) fprintf(stderr, "%s%s\n", level >= RT_LOG_WARNING ? "warning: " : "", text);
}

static int fetch(int argc, char **argv) {
    rt_error error = {0};
    if (argc < 2) return rti_usage(&rti_command_data, "fetch needs a set: mnist, fashion-mnist or cifar10.");
    rt_log_set(say, NULL);
    for (int i = 1; i < argc; i++)
        if (rt_data_fetch(argv[i], NULL, &error) != RT_OK) return rti_complain(&error);
    return RTI_EXIT_DONE;
}

static int run(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "show") == 0) return show(argc - 1, argv + 1);
    if (strcmp(what, "fetch") == 0) return fetch(argc - 1, argv + 1);
    if (strcmp(what, "list") == 0 && argc == 2) return list();
    return rti_usage(&rti_command_data, "say show, fetch or list.");
}

const rti_command rti_command_data = {
    .name = "data",
    .line = "shows, fetches and lists data sets",
    .usage =
        "usage: retort data show SET [--count N] [--seed S] [--part train|test] [--scale N] [--out FILE.png] [KEY=VALUE ...]\n"
        "       retort data fetch mnist|fashion-mnist|cifar10 ...\n"
        "       retort data list\n\n"
        "show   draws a sheet of images (SET.png unless --out says otherwise) and a preview on the terminal;\n"
        "       of a table it prints the first rows. --seed: which digits are drawn; of other sets, a random\n"
        "       choice instead of the first ones. KEY=VALUE: any option of [data], e.g. csv.train=iris.csv\n"
        "fetch  downloads with curl, goes on with what was begun, verifies SHA-256, renames into place last\n"
        "list   the sets, where their files are looked for\n\n"
        "RETORT_DATA=DIR      where the files are; otherwise XDG_DATA_HOME/retort or ~/.local/share/retort\n"
        "RETORT_MIRROR=A,B    addresses that are tried instead of the public mirrors: A/SET/FILE\n\n"
        "example: retort data show digits --seed 7 --out digits.png\n",
    .run = run,
};
RTI_REGISTER(command, data)
